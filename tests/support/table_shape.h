#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/database.h"
#include "tests/support/random.h"

namespace rowferry::test {

/// A new SQL literal (or expression) for a column, in the leader's dialect.
using ValueMaker = std::function<std::string(Random&)>;

/// What a history has to know of a column. Generated columns are not listed.
struct ColumnShape {
    std::string name;
    std::string type;
    bool not_null = false;
    bool has_default = false;
    bool always_identity = false;  ///< PostgreSQL: GENERATED ALWAYS AS IDENTITY.
    ValueMaker value;
};

struct TableShape {
    std::string name;       ///< As user_tables() gives it.
    std::string in_sql;   ///< Quoted, with its schema.
    std::string row_id;     ///< What finds single rows: ctid, a name of SQLite's rowid that no column hides, or the key's columns.
    std::vector<ColumnShape> columns;
    std::vector<std::vector<std::string>> unique_keys;  ///< Plain ones that ON CONFLICT may name; primary key included.
    int rows = 0;           ///< When the shape was read.
};

/// Every ordinary table with makers of values: by type on PostgreSQL, by what is in the column on SQLite. With `pool` half of the
/// time a value that the column holds already, which pleases CHECK constraints and domains. 
std::vector<TableShape> read_shapes(const Database& database, bool pool);

}  // namespace rowferry::test
