#pragma once

#include <string>
#include <string_view>

#include "schemas/table_name.h"

namespace rowferry {

/// Does the text stay what it is between two parentheses: balanced, with every quote closed, without a semicolon, a comment or a dollar quote?
/// Expressions come from a leader as text, and a leader is not trusted to put statements of its own into the follower's DDL.
[[nodiscard]] bool is_contained_sql(std::string_view text);

/// The text, or RefusedError that names the place.
[[nodiscard]] const std::string& contained_sql(const TableName& table, const std::string& text);

}  // namespace rowferry
