#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/database.h"

// An independent comparison of two databases: nothing of rowferry's own code, and no engine is asked to print a double.
//
// Every value becomes a canonical text of the form `class:value`; a row is the list of them; a table is the sorted multiset of its
// rows. Two tables are equal when these are.
//
//   NULL      n:
//   integer   i:<decimal>           PostgreSQL int2 int4 int8 oid; SQLite INTEGER
//   boolean   i:0 or i:1            PostgreSQL boolean; SQLite INTEGER
//   double    f:<16 hex digits>     PostgreSQL float4 (widened) and float8 by float8send; SQLite REAL by its bits
//   bytes     b:<hex>               PostgreSQL bytea; SQLite BLOB
//   text      t:<bytes>             everything else: PostgreSQL's COPY text; SQLite TEXT
//
// Two databases of the same engine are compared strictly in this form: in SQLite 1 and 1.0 and '1' differ, and text counts by its bytes.
// Between the engines the PostgreSQL column's type says what a SQLite value means:
//
//   float      text 'NaN' in SQLite is the NaN that SQLite cannot hold as a number
//   numeric    a SQLite INTEGER is its digits, a REAL its shortest decimal form without exponent; trailing zeros count (19.90 is not 19.9)
//   sqlite_value  the domain's tagged text (i:42 r:0.1 t:abc x:ff41 b:ff) is the value that it stands for
//   timestamp, timestamptz, time   `T` equals a space, `Z` and `+00:00` equal `+00`, missing seconds are :00, zeros at the end
//              of a fraction do not count
//
// Columns and tables are matched by name, between the engines without regard to case (SQLite has none) and with PostgreSQL's
// `schema.name` as `schema__name`; generated columns are left out: they are not data of their own.

namespace rowferry::test {

/// The user's tables: PostgreSQL ordinary tables (partitions, not partitioned parents) outside system schemas and rowferry's own, as
/// `schema.name` unless the schema is public and the name without a dot; SQLite tables but for sqlite_… and rowferry_….
std::vector<std::string> user_tables(const Database& database);

/// Success when `tables` (empty: all of the leader's, and the follower has no others) hold the same rows; else names the first
/// differing tables with up to five rows that only one side has.
testing::AssertionResult same_rows(const Database& leader, const Database& follower, const std::vector<std::string>& tables = {});

}  // namespace rowferry::test
