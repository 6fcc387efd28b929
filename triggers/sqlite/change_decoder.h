#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/sqlite.h"
#include "schemas/batch.h"
#include "triggers/sqlite/replace_tracker.h"
#include "triggers/sqlite/table_part.h"

namespace rowferry {

/// Turns rows of the change table into changes of a batch. One thread.
class ChangeDecoder {
public:
    /// The stream's tables at the place in the log that is read next; leader_id is the number in the log.
    void set_tables(const std::vector<TablePtr>& tables);
    /// They as they are now: 'S' rows that were read have changed them.
    [[nodiscard]] std::vector<TablePtr> tables() const;
    /// Rows with the columns of these tables will be read too.
    void make_room_for(const std::vector<TablePtr>& tables);
    /// The same with the part of each that the stream carries.
    void set_parts(const std::vector<TablePart>& parts);

    /// `SELECT seq, tag, tbl, op, k0…, n0…` of the rows in (?1, ?2], with as many columns as the tables need.
    [[nodiscard]] std::string select_sql() const;

    /// Does this row concern the stream? Markers do.
    [[nodiscard]] bool concerns(const SqliteStatement& row) const;
    /// Is it one that changes the shape of a table?
    [[nodiscard]] static bool changes_shape(const SqliteStatement& row);

    /// Adds the changes that the row stands for: none, one, or with REPLACE several. An update that crosses a filter becomes an insert or a remove.
    /// Throws HaltError for a row that no trigger of ours writes.
    void decode(const SqliteStatement& row, Batch& batch);

    /// For messages.
    [[nodiscard]] std::string table_name(const SqliteStatement& row) const { return to_string(tables_.at(row.integer(kTable)).part.carried->name); }

    /// A commit boundary was reached.
    void end_transaction() noexcept { replaced_.clear(); }

    static constexpr int kSeq = 0;
    static constexpr int kTag = 1;
    static constexpr int kTable = 2;
    static constexpr int kOperation = 3;

private:
    struct Table {
        TablePart part;
        ColumnIndexes key;               ///< What k0… hold, in numbers of the whole table.
        std::vector<int> key_place;      ///< Where each of them is in the carried table; -1: nowhere.
        std::vector<int> place_in_key;   ///< Of each column of the whole table among k0…; -1: not there.
    };
    [[nodiscard]] static Table table_of(const TablePart& part);
    [[nodiscard]] Cell old_cell(const SqliteStatement& row, std::size_t i) const { return row.cell(static_cast<int>(kOperation + 1 + i)); }
    [[nodiscard]] Cell new_cell(const SqliteStatement& row, std::size_t i) const {
        return row.cell(static_cast<int>(kOperation + 1 + key_width_ + i));
    }
    void insert(const SqliteStatement& row, const Table& table, Batch& batch);
    void update(const SqliteStatement& row, const Table& table, Batch& batch);
    void remove(const SqliteStatement& row, const Table& table, Batch& batch);
    void displace_by(const SqliteStatement& row, const Table& table, Batch& batch) const;
    void add_update(const SqliteStatement& row, const Table& table, Batch& batch) const;
    void remove_new(const SqliteStatement& row, const Table& table, Batch& batch) const;
    [[nodiscard]] bool old_passes(const SqliteStatement& row, const Table& table) const;
    [[nodiscard]] bool new_passes(const SqliteStatement& row, const Table& table) const;
    [[nodiscard]] bool key_unchanged(const SqliteStatement& row, const Table& table) const;
    [[nodiscard]] std::span<const Cell> read_before(const SqliteStatement& row, const Table& table, Batch& batch) const;
    [[nodiscard]] std::span<const Cell> read_after(const SqliteStatement& row, const Table& table, Batch& batch) const;
    [[nodiscard]] std::string packed_key(const SqliteStatement& row, const Table& table, bool of_new_row) const;
    void change_shape(const SqliteStatement& row, Table& table, Batch& batch);
    void note_tentative(const SqliteStatement& row, const Table& table, std::string_view operation);
    void settle_replaced(const SqliteStatement& row, const Table& table, bool by_update, Batch& batch);

    std::unordered_map<std::int64_t, Table> tables_;
    std::size_t key_width_ = 0;
    std::size_t row_width_ = 0;
    ReplaceTracker replaced_;
};

}  // namespace rowferry
