#pragma once

#include <memory>

#include "db/sqlite.h"
#include "db/stop_signal.h"

namespace rowferry {

/// A private copy of a database in rollback-journal mode, where one long read would make the application's writes fail. Made by the backup
/// API in steps of a few milliseconds with pauses between them. A write by the application makes SQLite begin again; the steps then double,
/// up to the whole file in one, so that it always ends. The file has no name: it is gone when the object is, or the process.
class BackupCopy {
public:
    /// Folder: $TMPDIR or /tmp. Throws RetryableError when the leader stays locked or the folder is full.
    BackupCopy(SqliteDatabase& leader, const StopSignal& stop);
    [[nodiscard]] SqliteDatabase& database() noexcept { return *copy_; }
    [[nodiscard]] int restarts() const noexcept { return restarts_; }

private:
    std::unique_ptr<SqliteDatabase> copy_;
    int restarts_ = 0;
};

/// The copying itself, into any other database. Returns how often it had to begin again.
int copy_gently(SqliteDatabase& leader, SqliteDatabase& copy, const StopSignal& stop);

/// Folder for such copies.
[[nodiscard]] std::string copy_folder();

}  // namespace rowferry
