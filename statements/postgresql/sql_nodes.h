#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "statements/postgresql/sql_facts.h"

/// The parser's trees, as libpg_query writes them in JSON.
namespace rowferry::sql_nodes {

using Json = nlohmann::json;

/// Throws StatementError.
[[nodiscard]] Json parse(const std::string& sql);

/// Null where there is none.
[[nodiscard]] const Json& member(const Json& node, const char* name);
[[nodiscard]] std::string text(const Json& node, const char* name);
[[nodiscard]] bool flag(const Json& node, const char* name);
/// The last of a list of String nodes; `*` for a star.
[[nodiscard]] std::string last_name(const Json& list);
/// A qualified name out of a list of String nodes.
[[nodiscard]] SqlName name_of(const Json& list);
[[nodiscard]] SqlName relation(const Json& range_var);
[[nodiscard]] SqlType type_of(const Json& type_name);
/// A constant, also behind casts that change nothing in it; else `other`.
[[nodiscard]] SqlOperand operand(const Json& node);

}  // namespace rowferry::sql_nodes
