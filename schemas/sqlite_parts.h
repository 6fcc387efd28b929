#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// An index of a SQLite follower with a predicate or over expressions.
struct SqliteExpressionIndex {
    std::string wanted_name;  ///< The leader's name; may collide.
    bool unique = false;
    std::string body;         ///< What stands behind `ON "table" `, ready for DDL.
};

/// What a follower's table in SQLite gets beside columns and keys, as far as it means the same there.
struct SqliteParts {
    struct Generated {
        std::string clause;        ///< The whole column, ready for CREATE TABLE.
        std::uint16_t before = 0;  ///< Stands in front of this column of the leader.
    };
    std::vector<std::string> types;     ///< Declared types, one per column; the rowid's is INTEGER.
    std::vector<std::string> defaults;  ///< Behind DEFAULT, one per column; empty without one.
    std::vector<Generated> generated;
    std::vector<std::string> checks;    ///< Whole clauses.
    std::vector<SqliteExpressionIndex> indexes;
    std::vector<std::string> notes;     ///< What is left out or differs, one line each.
};

/// Pure. The rules are in docs/schema.md. Throws RefusedError where map_column() does.
[[nodiscard]] SqliteParts sqlite_parts(const TableSchema& table);

/// A comment of the leader between two words of DDL: on one line, and without an end of its own.
[[nodiscard]] std::string sqlite_comment(const std::string& comment);

}  // namespace rowferry
