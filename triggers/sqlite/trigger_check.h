#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite_schema.h"
#include "triggers/sqlite/capture_store.h"
#include "triggers/sqlite/change_table.h"

namespace rowferry {

/// Every trigger of the file, read once.
class TriggerList {
public:
    explicit TriggerList(SqliteDatabase& db);

    /// What is wrong with our triggers on `table` (leader_id and identity as captured): missing, changed, or no longer the newest.
    /// SQLite fires the newest trigger first: a user's trigger that is newer and changes the row would be logged before the row itself.
    [[nodiscard]] std::optional<std::string> problem(const SqliteTable& table, const CapturedTable& captured) const;
    /// The same, where columns that were added behind the logged ones are no problem: whoever reads the table will notice them.
    [[nodiscard]] std::optional<std::string> gap(const SqliteTable& table, const CapturedTable& captured) const;
    [[nodiscard]] bool exists(const std::string& name) const;
    /// The table that a captured table's triggers are on, whatever it is called now; nothing without them.
    [[nodiscard]] std::optional<std::string> table_of(std::uint16_t number) const;

private:
    struct Trigger {
        std::string name;
        std::string table;
        std::string sql;
        std::int64_t rowid = 0;
    };
    using Check = std::function<std::optional<std::string>(TriggerKind, const std::string&)>;
    [[nodiscard]] std::optional<std::string> hidden_problem(const SqliteTable& table, const CapturedTable& captured, const Check& check) const;
    [[nodiscard]] const Trigger* find(const std::string& name) const;
    std::vector<Trigger> triggers_;
};

/// The unique keys of a table as the BEFORE triggers look for them; all of them, or those with these columns.
/// Nothing when one of them is gone.
[[nodiscard]] std::vector<ReplaceKey> all_replace_keys(const SqliteTable& table);
[[nodiscard]] std::optional<std::vector<ReplaceKey>> replace_keys_of(const SqliteTable& table,
                                                                     const std::vector<std::vector<std::uint16_t>>& columns);

/// Do these columns still tell rows apart? An empty identity always does: it is the whole row.
[[nodiscard]] bool is_valid_identity(const TableSchema& table, const ColumnIndexes& identity);

}  // namespace rowferry
