#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/sqlite.h"
#include "schemas/batch.h"
#include "triggers/sqlite/replace_tracker.h"

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

    /// `SELECT seq, tag, tbl, op, k0…, n0…` of the rows in (?1, ?2], with as many columns as the tables need.
    [[nodiscard]] std::string select_sql() const;

    /// Does this row concern the stream? Markers do.
    [[nodiscard]] bool concerns(const SqliteStatement& row) const;
    /// Is it one that changes the shape of a table?
    [[nodiscard]] static bool changes_shape(const SqliteStatement& row);

    /// Adds the changes that the row stands for: none, one, or with REPLACE several.
    /// Throws HaltError for a row that no trigger of ours writes.
    void decode(const SqliteStatement& row, Batch& batch);

    /// For messages.
    [[nodiscard]] std::string table_name(const SqliteStatement& row) const { return to_string(tables_.at(row.integer(kTable)).schema->name); }

    /// A commit boundary was reached.
    void end_transaction() noexcept { replaced_.clear(); }

    static constexpr int kSeq = 0;
    static constexpr int kTag = 1;
    static constexpr int kTable = 2;
    static constexpr int kOperation = 3;

private:
    struct Table {
        TablePtr schema;
        ColumnIndexes key;  ///< What k0… hold.
    };
    [[nodiscard]] Cell old_cell(const SqliteStatement& row, std::size_t i) const { return row.cell(static_cast<int>(kOperation + 1 + i)); }
    [[nodiscard]] Cell new_cell(const SqliteStatement& row, std::size_t i) const {
        return row.cell(static_cast<int>(kOperation + 1 + key_width_ + i));
    }
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
