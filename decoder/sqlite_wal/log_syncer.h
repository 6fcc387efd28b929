#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace rowferry {

/// Brings the leader's log to its disk from a thread of its own, about once a second while something was committed: under synchronous = NORMAL the
/// leader itself does so at checkpoints only, and a power cut would take back what followers have already. Errors are left to the leader's own syncs.
class LogSyncer {
public:
    explicit LogSyncer(std::string wal_path);
    ~LogSyncer();
    LogSyncer(const LogSyncer&) = delete;
    LogSyncer& operator=(const LogSyncer&) = delete;

    /// Something new is on a follower. Any thread; never waits.
    void ask() noexcept;

private:
    void run();
    std::string path_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool asked_ = false;
    bool ended_ = false;
    std::thread thread_;
};

}  // namespace rowferry
