#pragma once

#include <string>
#include <vector>

#include "schemas/leader.h"

namespace rowferry {

/// The DDL of a new follower, ready to be run there, and what is not an identity mapping as SQL comments.
struct SchemaText {
    std::string leader;                   ///< As messages call it.
    Engine follower = Engine::sqlite;
    std::vector<std::string> statements;  ///< Without semicolons.
    std::vector<std::string> decisions;   ///< One line each.
    std::vector<std::string> not_carried;
    std::vector<std::string> skipped;
};

/// From the same functions that make a follower's tables. `snapshot` tells where numbered columns go on.
[[nodiscard]] SchemaText schema_text(const std::vector<TablePtr>& tables, Snapshot& snapshot, Engine follower);

/// Nothing in a name can end a comment.
[[nodiscard]] std::string to_string(const SchemaText& text);

}  // namespace rowferry
