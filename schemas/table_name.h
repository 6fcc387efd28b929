#pragma once

#include <compare>
#include <string>

namespace rowferry {

/// A table of the leader. On SQLite the schema is always `main`.
struct TableName {
    std::string schema;
    std::string name;
    friend auto operator<=>(const TableName&, const TableName&) = default;
};
/// `schema.name` for messages, control characters escaped.
[[nodiscard]] std::string to_string(const TableName& name);

}  // namespace rowferry
