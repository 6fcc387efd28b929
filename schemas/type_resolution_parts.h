#pragma once

#include <string_view>

#include "schemas/conversion.h"

/// What the parts of resolve_conversion() share. For schemas/type_resolution*.cpp only.
namespace rowferry::resolution {

[[noreturn]] void refuse(const TableSchema& table, const ColumnSchema& column, std::string_view target, std::string_view why);

/// Of a SQLite leader's column.
[[nodiscard]] Affinity column_affinity(const TableSchema& table, const ColumnSchema& column);

/// `target`: conversion_target() of an existing PostgreSQL column.
[[nodiscard]] Conversion sqlite_to_pg(const TableSchema& table, const ColumnSchema& column, std::string_view target);

}  // namespace rowferry::resolution
