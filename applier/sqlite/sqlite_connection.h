#pragma once

#include <chrono>
#include <string>

#include "db/sqlite.h"
#include "db/stop_signal.h"

namespace rowferry {

/// A connection to a follower file, with the settings every write of ours depends on: synchronous=FULL (what the leader is told must
/// survive a power cut), foreign keys and recursive triggers off. Waits about 5 s for a busy file; the stop signal ends that wait
/// and long statements at once. One thread at a time.
class SqliteConnection {
public:
    /// Made at a fixed address: SQLite's callbacks point at it. Errors as SqliteDatabase.
    SqliteConnection(const std::string& path, SqliteDatabase::Mode mode, const StopSignal& stop);
    SqliteConnection(const SqliteConnection&) = delete;
    SqliteConnection& operator=(const SqliteConnection&) = delete;

    [[nodiscard]] SqliteDatabase& db() noexcept { return db_; }

    /// COMMIT, tried again while a reader keeps the file busy. Not interruptible: a group that got this far is finished. Throws
    /// RetryableError, with the transaction still open, once the wait is over.
    void commit();

private:
    static int busy(void* self, int attempt);
    static int progress(void* self);

    SqliteDatabase db_;
    const StopSignal& stop_;
    bool committing_ = false;
    std::chrono::steady_clock::time_point waiting_since_;
};

}  // namespace rowferry
