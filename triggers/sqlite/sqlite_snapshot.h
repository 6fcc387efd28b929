#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_rows.h"
#include "db/stop_signal.h"
#include "schemas/leader.h"
#include "triggers/sqlite/backup_copy.h"
#include "db/profile_memory.h"

namespace rowferry {

/// A SQLite leader at one position. In WAL mode one read transaction; in rollback-journal mode a private copy.
class SqliteSnapshot : public Snapshot {
public:
    /// `stream`: empty for a snapshot without capture, else the stream for which these tables are captured.
    /// `leader`: this snapshot's alone while it lives.
    SqliteSnapshot(std::shared_ptr<ProfileMemory> leader, const std::string& stream, const std::vector<std::string>& tables, const StreamRequest& request,
                   const StopSignal& stop);
    ~SqliteSnapshot() override;

    [[nodiscard]] Position position() const override { return position_; }
    [[nodiscard]] std::string resume() const override { return resume_; }
    [[nodiscard]] std::vector<TablePtr> tables() const override { return tables_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override { return rows_->estimated_rows(table); }
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override;
    bool read_rows(Batch& batch, std::size_t budget) override { return rows_->read(batch, budget); }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override { return rows_->next_number(table, column); }

private:
    void read_tables(const std::string& stream, const std::vector<std::string>& names, const StreamRequest& request);
    void add_table(const TablePtr& whole, const StreamRequest& request);
    void profile_tables(const StopSignal& stop);

    std::shared_ptr<ProfileMemory> memory_;
    SqliteDatabase& leader_;
    std::unique_ptr<BackupCopy> copy_;
    SqliteDatabase* view_ = nullptr;  ///< leader_ or the copy, in a read transaction.
    Position position_;
    std::string resume_;
    std::vector<TablePtr> tables_;
    std::map<TableName, std::string> filters_;
    std::unique_ptr<SqliteRows> rows_;  ///< Of view_.
};

/// Is the file in WAL mode? Needs a moment's read.
[[nodiscard]] bool uses_wal(SqliteDatabase& db);

}  // namespace rowferry
