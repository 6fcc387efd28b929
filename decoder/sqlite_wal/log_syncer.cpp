#include "decoder/sqlite_wal/log_syncer.h"

#include <chrono>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace rowferry {
namespace {
constexpr std::chrono::seconds kInterval{1};
}

LogSyncer::LogSyncer(std::string wal_path) : path_{std::move(wal_path)}, thread_{[this] { run(); }} {}

LogSyncer::~LogSyncer() {
    {
        const std::lock_guard guard{mutex_};
        ended_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void LogSyncer::ask() noexcept {
    {
        const std::lock_guard guard{mutex_};
        asked_ = true;
    }
    wake_.notify_all();
}

void LogSyncer::run() {
    std::unique_lock lock{mutex_};
    while (!ended_) {
        wake_.wait(lock, [&] { return asked_ || ended_; });
        if (!asked_) return;
        asked_ = false;
        lock.unlock();
        // SQLite takes no locks on a -wal: closing a descriptor of it takes none away.
        if (const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) {
            ::fdatasync(fd);
            ::close(fd);
        }
        lock.lock();
        wake_.wait_for(lock, kInterval, [&] { return ended_; });
    }
}

}  // namespace rowferry
