#pragma once

#include <string>
#include <vector>

#include "tests/support/random.h"

namespace rowferry::test {

/// What an application keeps in a SQLite column, whatever the column is declared as.
enum class SqliteStyle {
    integers,
    zero_one,
    reals,
    numbers,       ///< Integers and reals.
    texts,
    dates,
    times,
    timestamps,
    zoned,         ///< Timestamps with +00.
    iso_times,     ///< Timestamps as other programs write them: T, Z, no seconds.
    uuids,
    json,
    number_texts,  ///< Decimal numbers written as text.
    blobs,
    mixed,         ///< Every storage class, texts that PostgreSQL can hold.
    raw,           ///< Every storage class, and texts with NUL or without being UTF-8.
};

enum class SqliteAffinity { none, integer, real, numeric, text };

/// SQLite's own rule (section 3.1 of its documentation of data types), written down once more for the tests.
SqliteAffinity affinity_of(const std::string& declared);

/// The styles whose values keep their storage class in such a column.
std::vector<SqliteStyle> styles_for(SqliteAffinity affinity);

/// A random value as a SQL expression.
/// `short_ones`: nothing that PostgreSQL cannot keep in an index.
std::string sqlite_value(SqliteStyle style, SqliteAffinity affinity, Random& random, bool short_ones = false);

/// Values that have to be in a column before a stream begins so that it is seen what the column is for.
std::vector<std::string> witnesses(SqliteStyle style);

}  // namespace rowferry::test
