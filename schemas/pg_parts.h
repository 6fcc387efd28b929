#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// What a SQLite leader's table brings to PostgreSQL beside columns and keys, as far as it means the same there.
struct PgParts {
    struct Generated {
        std::string clause;        ///< The whole column, ready for CREATE TABLE.
        std::uint16_t before = 0;  ///< Stands in front of this column of the leader.
    };
    struct Index {
        std::string name;          ///< The leader's; may be taken.
        bool unique = false;
        std::string body;          ///< What stands behind `ON table `, ready for DDL.
    };
    std::vector<std::string> defaults;  ///< Behind DEFAULT, one per column; empty without one.
    std::vector<Generated> generated;
    std::vector<CheckConstraint> checks;  ///< In PostgreSQL's dialect.
    std::vector<Index> indexes;
    std::vector<std::string> notes;     ///< What is left out or differs, one line each.
};

/// `types`: those of the follower's columns, one per column. Pure. The rules are in docs/schema.md. Empty for a PostgreSQL leader, whose own words
/// go to the follower (schemas/pg_ddl.h).
[[nodiscard]] PgParts pg_parts(const TableSchema& table, const std::vector<std::string>& types);

}  // namespace rowferry
