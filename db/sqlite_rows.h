#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "schemas/batch.h"

namespace rowferry {

/// Reads a leader's tables for a copy, in whatever read transaction is open on `view`, which has to outlive it. One thread.
class SqliteRows {
public:
    SqliteRows(SqliteDatabase& view, const StopSignal& stop) : view_{view}, stop_{stop} {}

    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table);
    /// `filter`: only rows for which this is true; empty: all.
    void open(const TablePtr& table, const std::string& filter);
    /// Inserts of the open table until the batch has `budget` bytes. False at the end.
    bool read(Batch& batch, std::size_t budget);
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column);
    void close() { rows_ = {}; }

private:
    SqliteDatabase& view_;
    const StopSignal& stop_;
    TablePtr open_table_;
    SqliteStatement rows_;
};

/// Copies a value into the arena of a batch.
[[nodiscard]] Cell copy_cell(const Cell& cell, Arena& arena);

}  // namespace rowferry
