#pragma once

#include <cstdint>
#include <string_view>

#include "schemas/table_schema.h"

namespace rowferry {

/// Can the leader's column never be NULL: by itself, as part of the primary key, or as its domain says?
[[nodiscard]] bool forbids_null(const TableSchema& leader, std::uint16_t column);

/// A SQLite leader takes NULL in a primary key that does not say NOT NULL, which hardly anybody wants. Such a key is carried as a unique constraint.
[[nodiscard]] bool in_lax_key(const TableSchema& leader, std::uint16_t column);

/// The user-defined type of this format_type() text, arrays of it included; null: not one of the table's.
[[nodiscard]] const UserType* find_user_type(const TableSchema& leader, std::string_view type);

/// The catalog's names in a format_type() text, without quotes, modifiers and array brackets.
[[nodiscard]] TableName catalog_name(std::string_view type);

}  // namespace rowferry
