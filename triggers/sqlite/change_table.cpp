#include "triggers/sqlite/change_table.h"

#include <charconv>
#include <numeric>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

std::string_view event_of(TriggerKind kind) {
    switch (kind) {
        case TriggerKind::insert: return "AFTER INSERT";
        case TriggerKind::update: return "AFTER UPDATE";
        case TriggerKind::remove: return "AFTER DELETE";
        case TriggerKind::before_insert: return "BEFORE INSERT";
        case TriggerKind::before_update: return "BEFORE UPDATE";
        case TriggerKind::hidden_insert: return "BEFORE INSERT";
        case TriggerKind::hidden_update: return "BEFORE UPDATE";
    }
    throw std::logic_error{"trigger kind"};
}

/// Appends `,k0,k1…`.
void add_targets(std::string& sql, char prefix, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) sql += "," + change_column(prefix, i);
}

/// Appends `,NEW."a",NEW."b"…`.
void add_values(std::string& sql, std::string_view row, const TableSchema& table, const ColumnIndexes& columns) {
    for (const std::uint16_t column : columns) sql += fmt::format(",{}.{}", row, quote_identifier(table.columns[column].name));
}

ColumnIndexes all_columns(const TableSchema& table) {
    ColumnIndexes columns(table.columns.size());
    std::iota(columns.begin(), columns.end(), std::uint16_t{0});
    return columns;
}

std::string create_trigger(const TableSchema& table, TriggerKind kind, const std::string& body) {
    return fmt::format("CREATE TRIGGER {} {} ON {} BEGIN {} END", quote_identifier(trigger_name(table.leader_id, kind)), event_of(kind),
                       quote_identifier(table.name.name), body);
}

/// `NOT (r."id" IS OLD."id")`: the row that is being updated cannot be in its own way.
std::string not_itself(const TableSchema& table, std::string_view rowid_name) {
    if (table.identity.empty()) return fmt::format("r.{0} <> OLD.{0}", rowid_name);
    std::string same;
    for (const std::uint16_t column : table.identity) {
        const std::string name = quote_identifier(table.columns[column].name);
        same += fmt::format("{}r.{} IS OLD.{}", same.empty() ? "" : " AND ", name, name);
    }
    return fmt::format("NOT ({})", same);
}

/// One statement of a trigger that notes the rows `r` which NEW would displace.
std::string note_rows_sql(const TableSchema& table, bool update, const ColumnIndexes& columns, const std::string& condition, std::string_view rowid_name) {
    const ColumnIndexes key = logged_key(table);
    const ColumnIndexes all = all_columns(table);
    std::string sql = "INSERT INTO rowferry_change(tag,tbl,op";
    add_targets(sql, 'k', key.size());
    add_targets(sql, 'n', all.size());
    sql += fmt::format(") SELECT random(),{},'{}{}'", table.leader_id, update ? 'u' : 'i', join_numbers(columns));
    add_values(sql, "r", table, key);
    add_values(sql, "NEW", table, all);
    sql += fmt::format(" FROM {} AS r WHERE {}", quote_identifier(table.name.name), condition);
    if (update) sql += " AND " + not_itself(table, rowid_name);
    return sql + "; ";
}

}  // namespace

std::vector<std::string> create_capture_tables_sql(std::size_t key_columns, std::size_t row_columns) {
    std::string columns;
    add_targets(columns, 'k', key_columns);
    add_targets(columns, 'n', row_columns);
    return {
        "CREATE TABLE rowferry_meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE rowferry_stream(name TEXT PRIMARY KEY NOT NULL, follower_id TEXT NOT NULL, created TEXT NOT NULL, acked_seq INTEGER "
        "NOT NULL, "
        "acked_tag INTEGER NOT NULL, tables TEXT NOT NULL, exact_replace INTEGER NOT NULL, broken TEXT) WITHOUT ROWID",
        "CREATE TABLE rowferry_table(number INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, replace_keys TEXT)",
        fmt::format("CREATE TABLE rowferry_change(seq INTEGER PRIMARY KEY, tag, tbl, op{})", columns),
    };
}

std::string change_column(char prefix, std::size_t number) { return fmt::format("{}{}", prefix, number); }

std::string add_change_column_sql(char prefix, std::size_t number) {
    return "ALTER TABLE rowferry_change ADD COLUMN " + change_column(prefix, number);
}

ColumnIndexes logged_key(const TableSchema& table) { return table.identity.empty() ? all_columns(table) : table.identity; }

std::string create_seal_sql() {
    return fmt::format("CREATE TRIGGER {} AFTER INSERT ON rowferry_meta WHEN 0 BEGIN SELECT 1; END", kSealName);
}

std::string drop_seal_sql() { return fmt::format("DROP TRIGGER IF EXISTS {}", kSealName); }

std::string trigger_name(std::uint32_t table_number, TriggerKind kind) {
    const auto suffix = [&]() -> std::string_view {
        switch (kind) {
            case TriggerKind::insert: return "insert";
            case TriggerKind::update: return "update";
            case TriggerKind::remove: return "delete";
            case TriggerKind::before_insert: return "before_insert";
            case TriggerKind::before_update: return "before_update";
            case TriggerKind::hidden_insert: return "hidden_insert";
            case TriggerKind::hidden_update: return "hidden_update";
        }
        throw std::logic_error{"trigger kind"};
    };
    return fmt::format("rowferry_{}_{}", table_number, suffix());
}

std::string plain_trigger_sql(const TableSchema& table, TriggerKind kind) {
    const ColumnIndexes key = logged_key(table);
    const ColumnIndexes all = all_columns(table);
    const bool old_key = kind != TriggerKind::insert;
    const bool new_row = kind != TriggerKind::remove;
    std::string body = "INSERT INTO rowferry_change(tag,tbl,op";
    if (old_key) add_targets(body, 'k', key.size());
    if (new_row) add_targets(body, 'n', all.size());
    body += fmt::format(") VALUES(random(),{},'{}'", table.leader_id,
                        kind == TriggerKind::insert   ? 'I'
                        : kind == TriggerKind::update ? 'U'
                                                      : 'D');
    if (old_key) add_values(body, "OLD", table, key);
    if (new_row) add_values(body, "NEW", table, all);
    return create_trigger(table, kind, body + ");");
}

std::string replace_trigger_sql(const TableSchema& table, TriggerKind kind, const std::vector<ReplaceKey>& keys,
                                std::string_view rowid_name) {
    std::string body;
    for (const ReplaceKey& unique : keys) {
        std::string condition;
        for (std::size_t i = 0; i < unique.columns.size(); ++i) {
            const std::string name = quote_identifier(table.columns[unique.columns[i]].name);
            condition += fmt::format("{}r.{} = NEW.{} COLLATE {}", i == 0 ? "" : " AND ", name, name, quote_identifier(unique.collations[i]));
        }
        body += note_rows_sql(table, kind == TriggerKind::before_update, unique.columns, condition, rowid_name);
    }
    if (!body.empty()) body.pop_back();
    return create_trigger(table, kind, body);
}

std::string hidden_trigger_sql(const TableSchema& table, TriggerKind kind, const std::vector<HiddenKey>& keys, std::string_view rowid_name) {
    std::string body;
    for (const HiddenKey& key : keys) body += note_rows_sql(table, kind == TriggerKind::hidden_update, key.columns, key.condition, rowid_name);
    if (!body.empty()) body.pop_back();
    return create_trigger(table, kind, body);
}

std::string join_numbers(const std::vector<std::uint16_t>& numbers) {
    std::string text;
    for (const std::uint16_t number : numbers) text += fmt::format("{}{}", text.empty() ? "" : ",", number);
    return text;
}

std::vector<std::uint16_t> split_numbers(std::string_view text) {
    std::vector<std::uint16_t> numbers;
    while (!text.empty()) {
        std::uint16_t number = 0;
        const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (failure != std::errc{})
            throw HaltError{fmt::format("the change table's own records hold \"{}\", not a list of numbers", printable(text, 60))};
        numbers.push_back(number);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.empty()) break;
        if (text.front() != ',' || text.size() == 1)
            throw HaltError{fmt::format("the change table's own records hold \"{}\", not a list of numbers", printable(text, 60))};
        text.remove_prefix(1);
    }
    return numbers;
}

std::vector<std::vector<std::uint16_t>> split_number_lists(std::string_view text) {
    std::vector<std::vector<std::uint16_t>> lists;
    while (!text.empty()) {
        const auto end = text.find(';');
        lists.push_back(split_numbers(text.substr(0, end)));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lists;
}

}  // namespace rowferry
