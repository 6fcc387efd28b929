#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// A PostgreSQL type name as format_type() prints it, taken apart: `time(3) without time zone` has the name `time without time zone`
/// and the modifier 3.
struct PgTypeName {
    std::string schema;          ///< Unquoted; empty for pg_catalog.
    std::string name;            ///< Without schema, modifiers and array brackets. Quotes are kept.
    std::vector<int> modifiers;  ///< Empty without any, and for modifiers that are not numbers.
    bool array = false;
};
[[nodiscard]] PgTypeName parse_pg_type(std::string_view type);

/// format_type() of the column below all domains.
[[nodiscard]] const std::string& base_type_of(const ColumnSchema& column);

/// date, timestamp and timestamptz: a point in time, by the format_type() name below all domains.
[[nodiscard]] bool pg_is_time(std::string_view base_type);

/// Is this nothing but a type name? A leader is not trusted to put anything else into the follower's DDL.
[[nodiscard]] bool is_plain_pg_type(std::string_view type);

}  // namespace rowferry
