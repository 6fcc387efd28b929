#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_rows.h"
#include "decoder/sqlite_wal/frame_log.h"
#include "schemas/leader.h"

namespace rowferry {

/// A SQLite leader in WAL mode as one read transaction sees it.
class WalSnapshot : public Snapshot {
public:
    /// `db` has a read transaction open, at `place`.
    WalSnapshot(std::unique_ptr<SqliteDatabase> db, const WalPlace& place, const std::vector<TableName>& tables, const StreamRequest& request, const StopSignal& stop);
    ~WalSnapshot() override;

    [[nodiscard]] Position position() const override { return place_.position(); }
    [[nodiscard]] std::string resume() const override;
    [[nodiscard]] std::vector<TablePtr> tables() const override { return tables_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override { return rows_->estimated_rows(table); }
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override;
    bool read_rows(Batch& batch, std::size_t budget) override { return rows_->read(batch, budget); }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override { return rows_->next_number(table, column); }

private:
    std::unique_ptr<SqliteDatabase> db_;
    WalPlace place_;
    std::vector<TablePtr> tables_;
    std::map<TableName, std::string> filters_;
    std::unique_ptr<SqliteRows> rows_;
};

}  // namespace rowferry
