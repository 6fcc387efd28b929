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

}  // namespace rowferry
