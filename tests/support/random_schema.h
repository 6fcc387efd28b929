#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/database.h"
#include "tests/support/random.h"
#include "tests/support/table_shape.h"

namespace rowferry::test {

/// What the random schemas of a direction may have; off is what a follower of that kind refuses, by the documentation.
struct SchemaLimits {
    int tables = 20;
    bool postgresql_follower = false;  ///< Somewhere on the way.
    bool sqlite_follower = false;
    bool own_types = true;             ///< Enums, domains and the like in tables that a PostgreSQL follower has to make.
};

/// Tables in the leader's own dialect: every type, keys of every kind, names nobody would choose, defaults, generated columns, checks,
/// indexes, foreign keys. Each statement of `ddl` is one object; those of a table stand together in `of_table`.
struct RandomSchema {
    std::vector<std::string> setup;                             ///< Types, schemas, extensions.
    std::map<std::string, std::vector<std::string>> of_table;   ///< By the name that user_tables() gives.
    std::vector<std::string> order;                             ///< Those names, parents first.
    std::map<std::string, std::map<std::string, ValueMaker>> values;  ///< For columns whose values are not known from their type.
    /// PostgreSQL: values of indexed columns stay short. On the way through SQLite a value is longer than here (numeric as text), and
    /// the next follower's btree takes 2,704 bytes a row.
    bool short_in_indexes = false;
    /// SQLite: inserts of rows that show what each column is for, by table.
    std::map<std::string, std::vector<std::string>> witnesses;
};

RandomSchema random_pg_schema(const SchemaLimits& limits, Random& random);
RandomSchema random_sqlite_schema(const SchemaLimits& limits, Random& random);

/// Makes the schema; statements that the engine itself refuses are left out (a CHECK or a key over what has no order). Returns its shapes.
std::vector<TableShape> create(const Database& leader, const RandomSchema& schema);

/// Has to be done when a stream begins: what its snapshot does not show, a PostgreSQL follower's column is not made for.
void insert_witnesses(const Database& leader, const RandomSchema& schema);

/// Names for tables, columns and the rest, none twice even without regard to case.
class Names {
public:
    explicit Names(Random random, int most_bytes = 63) : random_{random}, most_bytes_{most_bytes} {}
    std::string next();

private:
    Random random_;
    int most_bytes_;
    std::vector<std::string> taken_;
};

}  // namespace rowferry::test
