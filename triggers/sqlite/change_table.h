#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_schema.h"
#include "triggers/sqlite/hidden_key.h"

namespace rowferry {

// What we leave in a SQLite leader's file. All names begin with rowferry_. Pure text, no database here.
//
//   rowferry_meta    key, value      leader (random id of the file), layout
//   rowferry_stream  one row per stream: its follower, what was acknowledged, its tables
//   rowferry_table   number, name, key, replace_keys: what the triggers of a captured table log; numbers are never reused
//   rowferry_change  seq, tag, tbl, op, k0…, n0…: the log, shared by all streams
//
// A log row:
//   seq  rises by exactly 1 from row to row in commit order (SQLite has one writer); a gap is a loss
//   tag  random, so that a history which was written again under the same numbers is noticed
//   tbl  number of the table; 0 in a marker
//   op   'I' n = new row; 'U' k = old key, n = new row; 'D' k = old key; 'M' marker
//        'i' or 'u' and a list of column numbers: tentative, written before an insert or update. k = key of a row that has the same values
//        in these columns as the new row n. If the new row gets in, that row was removed by REPLACE, which fires no delete trigger.
//        'S' k0 = the table's shape (JSON) that rows behind it are logged with; NULL: the table was dropped. Written by a rowferry that
//        noticed the change (shape_log.h)
//   k…   the identity columns of the table, or all columns when it has no key
//   n…   all columns
// k… and n… have no declared type, so that SQLite stores exactly what it is given.

inline constexpr int kCaptureLayout = 1;
inline constexpr std::size_t kFixedChangeColumns = 4;

/// Statements that make the four tables, without any k or n column.
/// `key_columns`, `row_columns`: how wide the change table is to begin with. Each column added later makes SQLite read its schema again.
[[nodiscard]] std::vector<std::string> create_capture_tables_sql(std::size_t key_columns = 0, std::size_t row_columns = 0);
/// One column of the change table: prefix 'k' or 'n' and its number.
[[nodiscard]] std::string add_change_column_sql(char prefix, std::size_t number);
[[nodiscard]] std::string change_column(char prefix, std::size_t number);

/// The columns that k0… hold: the identity, or every column.
[[nodiscard]] ColumnIndexes logged_key(const TableSchema& table);

enum class TriggerKind : std::uint8_t { insert, update, remove, before_insert, before_update, hidden_insert, hidden_update };
inline constexpr TriggerKind kPlainTriggers[] = {TriggerKind::insert, TriggerKind::update, TriggerKind::remove};
inline constexpr TriggerKind kReplaceTriggers[] = {TriggerKind::before_insert, TriggerKind::before_update};
/// On every table that has a HiddenKey, also without --exact-replace.
inline constexpr TriggerKind kHiddenTriggers[] = {TriggerKind::hidden_insert, TriggerKind::hidden_update};

/// `rowferry_3_insert`.
/// A trigger that does nothing and never fires. It stands behind all of ours in the schema: one of ours that is dropped and made again, word by
/// word, as a table rebuild does, stands behind it. Its order among the triggers survives VACUUM.
inline constexpr const char* kSealName = "rowferry_seal";
[[nodiscard]] std::string create_seal_sql();
[[nodiscard]] std::string drop_seal_sql();

[[nodiscard]] std::string trigger_name(std::uint32_t table_number, TriggerKind kind);

/// A unique key that REPLACE may remove rows by, with the collations by which the index compares.
struct ReplaceKey {
    ColumnIndexes columns;
    std::vector<std::string> collations;
    friend bool operator==(const ReplaceKey&, const ReplaceKey&) = default;
};

/// CREATE TRIGGER for one of the plain kinds. `table.leader_id` is its number. Column copies only: nothing in it can fail.
[[nodiscard]] std::string plain_trigger_sql(const TableSchema& table, TriggerKind kind);

/// CREATE TRIGGER for one of the replace kinds. `rowid_name` is needed for a table without identity.
[[nodiscard]] std::string replace_trigger_sql(const TableSchema& table, TriggerKind kind, const std::vector<ReplaceKey>& keys,
                                              std::string_view rowid_name);

/// CREATE TRIGGER for one of the hidden kinds: the same for keys that only SQL describes.
[[nodiscard]] std::string hidden_trigger_sql(const TableSchema& table, TriggerKind kind, const std::vector<HiddenKey>& keys, std::string_view rowid_name);

/// `0,2` and `0;1,3`: how rowferry_table keeps column lists and lists of keys. Parsing throws HaltError.
[[nodiscard]] std::string join_numbers(const std::vector<std::uint16_t>& numbers);
[[nodiscard]] std::vector<std::uint16_t> split_numbers(std::string_view text);
[[nodiscard]] std::vector<std::vector<std::uint16_t>> split_number_lists(std::string_view text);

}  // namespace rowferry
