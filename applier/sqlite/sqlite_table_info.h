#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"

namespace rowferry {

struct FollowerColumn {
    std::string name;
    std::string type;        ///< As declared; may be empty.
    std::string collation;   ///< Never empty: BINARY, NOCASE …
    bool not_null = false;
    bool has_default = false;
    bool generated = false;
    int key_place = 0;       ///< 1 for the first column of the primary key; 0: not in it.
};

struct FollowerIndex {
    struct Part {
        std::string column;     ///< Empty for an expression.
        std::string collation;
        bool descending = false;
    };
    std::string name;           ///< Empty for an INTEGER PRIMARY KEY, which needs no index.
    bool unique = false;
    bool primary_key = false;
    bool partial = false;
    std::vector<Part> parts;
};

/// A table as it is in the follower's file.
struct FollowerTable {
    std::string name;
    std::string kind;              ///< `table`, `view`, `virtual`, `shadow`.
    bool strict = false;
    bool without_rowid = false;
    bool autoincrement = false;
    std::vector<FollowerColumn> columns;
    std::vector<FollowerIndex> indexes;
    std::vector<std::string> user_triggers;  ///< Those whose names do not begin with rowferry_.

    [[nodiscard]] const FollowerColumn* column(const std::string& name) const;  ///< By SQLite's rules of equality; null: not there.
    /// A name by which SQL reaches the rowid although columns may be called so too; empty when there is none.
    [[nodiscard]] std::string rowid_name() const;
};

/// Nothing when no table or view has this name.
[[nodiscard]] std::optional<FollowerTable> read_follower_table(SqliteDatabase& db, const std::string& name);

}  // namespace rowferry
