#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_table_snapshot.h"
#include "db/stop_signal.h"
#include "schemas/leader.h"
#include "triggers/sqlite/backup_copy.h"
#include "db/profile_memory.h"

namespace rowferry {

/// A SQLite leader at one position. In WAL mode one read transaction; in rollback-journal mode a private copy.
class SqliteSnapshot : public SqliteTableSnapshot {
public:
    /// `stream`: empty for a snapshot without capture, else the stream for which these tables are captured.
    /// `leader`: this snapshot's alone while it lives.
    SqliteSnapshot(std::shared_ptr<ProfileMemory> leader, const std::string& stream, const std::vector<std::string>& tables, const StreamRequest& request,
                   const StopSignal& stop);
    ~SqliteSnapshot() override;

    [[nodiscard]] Position position() const override { return position_; }
    [[nodiscard]] std::string resume() const override { return resume_; }

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
};

/// Is the file in WAL mode? Needs a moment's read.
[[nodiscard]] bool uses_wal(SqliteDatabase& db);

}  // namespace rowferry
