#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

/// What SQLite keeps only in the text of a CREATE TABLE and no pragma tells.
struct CreateTableFacts {
    struct Deferral {
        bool deferrable = false;
        bool initially_deferred = false;
    };
    std::vector<Deferral> foreign_keys;  ///< One per REFERENCES clause, in the order of the text.
    bool has_check = false;
};

/// Reads them from `sql`, which SQLite has accepted before. Keywords inside quoted names, strings and comments do not count. Pure.
[[nodiscard]] CreateTableFacts read_create_table(std::string_view sql);

}  // namespace rowferry
