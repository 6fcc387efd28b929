#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schemas/user_type.h"

namespace rowferry {

/// What SQLite keeps only in the text of a CREATE TABLE and no pragma tells.
struct CreateTableFacts {
    struct Deferral {
        bool deferrable = false;
        bool initially_deferred = false;
    };
    std::vector<Deferral> foreign_keys;    ///< One per REFERENCES clause, in the order of the text.
    std::vector<CheckConstraint> checks;   ///< Of columns and of the table, in the order of the text.
    std::vector<std::pair<std::string, std::string>> generated;  ///< Column, as the text spells it, and expression.
};

/// Reads them from `sql`, which SQLite has accepted before. Keywords inside quoted names, strings and comments do not count. Expressions come
/// without comments and without their outer parentheses. Pure.
[[nodiscard]] CreateTableFacts read_create_table(std::string_view sql);

/// The same for CREATE INDEX.
struct CreateIndexFacts {
    std::vector<std::string> keys;  ///< Expressions without COLLATE, ASC and DESC behind them.
    std::string predicate;          ///< Empty without one.
};
[[nodiscard]] CreateIndexFacts read_create_index(std::string_view sql);

}  // namespace rowferry
