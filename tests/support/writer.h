#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/database.h"
#include "tests/support/workload.h"

namespace rowferry::test {

struct WriterOptions {
    WorkloadOptions workload;
    std::uint64_t seed = 0;   ///< 0: a random one. ROWFERRY_SEED in the environment wins; printed either way.
    int threads = 3;
    double rate = 150;        ///< Transactions per second and thread; 0: as fast as it goes.
    bool ticks = false;       ///< Every transaction begins with its token in the table `begun` and ends with the next number and its token in `ticks`: numbers
                              ///< are in commit order, without a gap. The constructor makes the tables.
    bool small = false;       ///< Mostly one row per transaction, so that commit records of several sessions touch.
};

/// The seed to use: ROWFERRY_SEED, `wanted`, or a random one. Printed, so that a failure can be run again.
std::uint64_t choose_seed(std::uint64_t wanted = 0);

/// Application sessions that write to a leader with a created workload: multi-table transactions, savepoints rolled back and
/// released, whole rollbacks. Every transaction puts its own token into the table `ledger`. Sessions reconnect when
/// the leader goes away. start() and stop() from one thread.
class Writer {
public:
    Writer(Database leader, WriterOptions options);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void start();
    /// Ends the sessions after their transaction; throws what a session failed with, were it anything but a constraint or a lost
    /// connection.
    void stop();

    [[nodiscard]] std::uint64_t committed() const { return committed_.load(); }
    /// Waits until that many more transactions are committed.
    void wait_for_commits(std::uint64_t more) const;
    [[nodiscard]] std::uint64_t seed() const { return options_.seed; }

    /// Each token whose COMMIT was acknowledged is in both ledgers exactly once, none that was rolled back is in any,
    /// and the two ledgers hold the same tokens. To be called after stop().
    [[nodiscard]] testing::AssertionResult ledgers_agree(const Database& follower) const;

private:
    class Session;
    void work(int number);
    void write_one(Session& session, Workload& workload, int number, std::uint64_t serial);

    Database leader_;
    WriterOptions options_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> committed_{0};
    mutable std::mutex mutex_;           // guards the three below
    std::set<std::string> acknowledged_;
    std::set<std::string> unknown_;      // the connection went away during COMMIT
    std::exception_ptr failure_;
    std::vector<std::thread> threads_;
    int round_ = 0;
};

}  // namespace rowferry::test
