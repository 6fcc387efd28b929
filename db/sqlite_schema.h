#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/sqlite.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A leader table and what capture has to know beyond its TableSchema.
struct SqliteTable {
    TableSchema schema;                                       ///< leader_id is 0, profiles are empty.
    std::vector<std::vector<std::string>> unique_collations;  ///< One per unique key, one collation per column of it.
    std::vector<ExpressionIndex> hidden_indexes;  ///< Unique ones that are partial, or over expressions or virtual generated columns (hidden_key.h).
    std::vector<std::pair<std::uint16_t, std::string>> stored_generated;  ///< Columns that are generated and stored, with their expressions (empty: not found).
    std::string rowid_name;  ///< A name by which the rowid can be reached; empty for WITHOUT ROWID tables and when columns hide all three.
};

/// The tables of a file that can be replicated, by name: ordinary ones, no views, virtual or shadow tables, nothing of SQLite's or ours.
[[nodiscard]] std::vector<TableName> list_sqlite_tables(SqliteDatabase& db);

/// What a follower does not get at all.
struct SqliteSkipped {
    std::string kind;   ///< In words: view, trigger, virtual table …
    std::string name;
    std::string table;  ///< Of a trigger.
};
[[nodiscard]] std::vector<SqliteSkipped> list_sqlite_skipped(SqliteDatabase& db);

/// The shape of one table; nothing when there is no such table. Call inside a transaction to have all parts from one moment.
[[nodiscard]] std::optional<SqliteTable> read_sqlite_table(SqliteDatabase& db, const std::string& name);

/// As SQLite compares names: without regard to ASCII case.
[[nodiscard]] bool same_sqlite_name(std::string_view left, std::string_view right) noexcept;
template <std::size_t count>
[[nodiscard]] bool is_among(std::string_view name, const std::array<std::string_view, count>& names) {
    return std::ranges::any_of(names, [&](std::string_view each) { return same_sqlite_name(name, each); });
}

}  // namespace rowferry
