#pragma once

#include <chrono>
#include <string>

#include "db/stop_signal.h"

namespace rowferry {

/// Wakes a reader when somebody writes to a database file or to its WAL. A hint only: inotify sees neither writes through other mounts
/// of the file nor those to a WAL that was made a moment ago, so the caller looks again after a short while in any case. One thread.
class FileWatch {
public:
    /// Where inotify is not to be had, wait() is a sleep.
    explicit FileWatch(const std::string& path);
    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    /// Returns at a write, at the stop, or after `timeout`. Was something written since the last call?
    bool wait(std::chrono::milliseconds timeout, const StopSignal& stop);

private:
    void watch_files() noexcept;
    bool drain() noexcept;

    std::string database_;
    std::string wal_;
    int fd_ = -1;
};

/// Waits for commits of a SQLite database. In WAL mode a write wakes us before its commit can be seen: its log is written and synced first, then an index in shared memory is
/// changed, of which inotify says nothing. So for a while behind each write a wait is short. One thread.
class CommitWatch {
public:
    explicit CommitWatch(const std::string& path) : writes_{path} {}

    /// Returns at a write, at the stop, or after `longest` at the latest; earlier when it is time to look again. `wal`: the database is in WAL mode.
    void wait(std::chrono::milliseconds longest, bool wal, const StopSignal& stop);
    /// May a commit be seen at any moment?
    [[nodiscard]] bool expects_commit() const;
    /// A write was seen without us.
    void saw_write() { last_write_ = std::chrono::steady_clock::now(); }

private:
    FileWatch writes_;
    std::chrono::steady_clock::time_point last_write_{};
};

}  // namespace rowferry
