#include "triggers/sqlite/trigger_check.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "triggers/sqlite/hidden_key.h"

namespace rowferry {

TriggerList::TriggerList(SqliteDatabase& db) {
    SqliteStatement rows = db.prepare("SELECT name, tbl_name, sql, rowid FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY rowid");
    while (rows.step()) triggers_.push_back({rows.text(0), rows.text(1), rows.text(2), rows.integer(3)});
}

const TriggerList::Trigger* TriggerList::find(const std::string& name) const {
    const auto found = std::find_if(triggers_.begin(), triggers_.end(), [&](const Trigger& trigger) { return trigger.name == name; });
    return found == triggers_.end() ? nullptr : &*found;
}

bool TriggerList::exists(const std::string& name) const { return find(name) != nullptr; }

std::optional<std::string> TriggerList::table_of(std::uint16_t number) const {
    for (const TriggerKind kind : kPlainTriggers)
        if (const Trigger* trigger = find(trigger_name(number, kind))) return trigger->table;
    return std::nullopt;
}

std::optional<std::string> TriggerList::gap(const SqliteTable& table, const CapturedTable& captured) const {
    const auto whole = problem(table, captured);
    SqliteTable fewer = table;
    for (auto found = whole; found && fewer.schema.columns.size() > 1;) {
        fewer.schema.columns.pop_back();
        found = problem(fewer, captured);
        if (!found) return std::nullopt;
    }
    return whole;
}

std::optional<std::string> TriggerList::problem(const SqliteTable& table, const CapturedTable& captured) const {
    std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
    const Trigger* seal = find(kSealName);
    if (seal == nullptr) return fmt::format("our trigger {} is gone", kSealName);
    const auto check = [&](TriggerKind kind, const std::string& wanted) -> std::optional<std::string> {
        const std::string name = trigger_name(captured.number, kind);
        const Trigger* trigger = find(name);
        if (trigger == nullptr) return fmt::format("our trigger {} is gone (the table was rebuilt, or the trigger dropped)", name);
        if (!same_sqlite_name(trigger->table, table.schema.name.name) || trigger->sql != wanted)
            return fmt::format("our trigger {} has another text now (was a column renamed?)", name);
        if (trigger->rowid > seal->rowid) return fmt::format("our trigger {} was dropped and made again (the table was rebuilt)", name);
        // For the BEFORE triggers the order does not matter: what they log counts only if the row they speak of gets in.
        if (kind == TriggerKind::insert || kind == TriggerKind::update || kind == TriggerKind::remove)
            oldest = std::min(oldest, trigger->rowid);
        return std::nullopt;
    };
    for (const TriggerKind kind : kPlainTriggers)
        if (auto problem = check(kind, plain_trigger_sql(table.schema, kind))) return problem;
    if (captured.replace_keys) {
        const auto keys = replace_keys_of(table, *captured.replace_keys);
        if (!keys) return "a unique key that --exact-replace relies on is gone";
        for (const TriggerKind kind : kReplaceTriggers)
            if (auto problem = check(kind, replace_trigger_sql(table.schema, kind, *keys, table.rowid_name))) return problem;
    }
    if (auto problem = hidden_problem(table, captured, check)) return problem;
    for (const Trigger& trigger : triggers_)
        if (trigger.rowid > oldest && same_sqlite_name(trigger.table, table.schema.name.name) && !trigger.name.starts_with("rowferry_"))
            return fmt::format("trigger {} is newer than ours: it fires first, and what it does would be logged in the wrong order",
                               printable(trigger.name, 100));
    return std::nullopt;
}

/// Unique indexes that only the hidden triggers can look after.
std::optional<std::string> TriggerList::hidden_problem(const SqliteTable& table, const CapturedTable& captured, const Check& check) const {
    const HiddenKeys hidden = hidden_keys(table);
    if (!hidden.unseen.empty()) return hidden.unseen.front();
    for (const TriggerKind kind : kHiddenTriggers) {
        const std::string name = trigger_name(captured.number, kind);
        if (hidden.keys.empty() && exists(name)) return fmt::format("a unique index that our trigger {} relies on is gone", name);
        if (hidden.keys.empty()) continue;
        if (!exists(name))
            return fmt::format("nothing of ours looks after its unique index {}: a row that REPLACE displaces by it would stay on the follower",
                               printable(hidden.keys.front().index, 100));
        if (find(name)->sql != hidden_trigger_sql(table.schema, kind, hidden.keys, table.rowid_name))
            return fmt::format("our trigger {} was made for other unique indexes than the table has now: a row that REPLACE displaces would stay on the follower", name);
        if (auto problem = check(kind, find(name)->sql)) return problem;
    }
    return std::nullopt;
}

std::vector<ReplaceKey> all_replace_keys(const SqliteTable& table) {
    std::vector<ReplaceKey> keys;
    for (std::size_t i = 0; i < table.schema.unique_keys.size(); ++i) {
        ReplaceKey key{table.schema.unique_keys[i].columns, table.unique_collations[i]};
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
    }
    return keys;
}

std::optional<std::vector<ReplaceKey>> replace_keys_of(const SqliteTable& table, const std::vector<std::vector<std::uint16_t>>& columns) {
    std::vector<ReplaceKey> present = all_replace_keys(table);
    std::vector<ReplaceKey> keys;
    for (const auto& wanted : columns) {
        const auto found = std::find_if(present.begin(), present.end(), [&](const ReplaceKey& key) { return key.columns == wanted; });
        if (found == present.end()) return std::nullopt;
        keys.push_back(std::move(*found));
        present.erase(found);  // the next key may be over the same columns, with another collation
    }
    return keys;
}

bool is_valid_identity(const TableSchema& table, const ColumnIndexes& identity) {
    if (identity.empty()) return true;
    const bool not_null = std::all_of(identity.begin(), identity.end(), [&](std::uint16_t column) {
        return column < table.columns.size() && table.columns[column].not_null;
    });
    return not_null && std::any_of(table.unique_keys.begin(), table.unique_keys.end(), [&](const UniqueKey& key) {
               return std::all_of(key.columns.begin(), key.columns.end(), [&](std::uint16_t column) {
                   return std::find(identity.begin(), identity.end(), column) != identity.end();
               });
           });
}

}  // namespace rowferry
