// A SQLite follower on a disk that forgets what was not synced, killed at random moments: it must never come back behind what the
// leader was told. ROWFERRY_KILLS sets the number of kills (default 15), ROWFERRY_SEED repeats a run.

#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/compare.h"
#include "tests/support/rowferry_process.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

int kills() {
    const char* wanted = std::getenv("ROWFERRY_KILLS");
    return wanted != nullptr ? std::stoi(wanted) : 15;
}

/// One application: transaction n puts n into both tables, so that a prefix of the history is easy to tell.
class Counter {
public:
    explicit Counter(const Database& leader) : leader_{leader}, thread_{[this] { work(); }} {}
    ~Counter() { stop(); }
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;
    void stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }

private:
    void work() {
        SqliteDb db{leader_.path()};
        for (int n = 1; !stop_; ++n) {
            db.exec(fmt::format("BEGIN IMMEDIATE; INSERT INTO a VALUES ({0}, 'row {0}'); INSERT INTO b VALUES ({0}, {0}.5); COMMIT", n));
            std::this_thread::sleep_for(milliseconds{2});
        }
    }
    Database leader_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

class LossyFollowerTest : public ::testing::Test {
protected:
    LossyFollowerTest() : leader_{Database::sqlite("leader")}, follower_{Database::sqlite("lossy")} {
        leader_.exec("PRAGMA journal_mode = wal; CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, v REAL)");
    }

    void run_and_kill(milliseconds time) {
        ::setenv("ROWFERRY_BINARY", ROWFERRY_LOSSY_BINARY, 1);
        Rowferry process{{"run", leader_.endpoint(), follower_.endpoint(), "--capture", "triggers"}, {{"ROWFERRY_LOSSY_PATH", follower_.path().string()}}};
        ::unsetenv("ROWFERRY_BINARY");
        const auto code = process.wait(time);
        ASSERT_FALSE(code.has_value()) << "ended by itself with " << *code << "\n" << process.err();
        process.kill(SIGKILL);
        ASSERT_EQ(process.wait(), 128 + SIGKILL);
    }

    /// Position of a checkpoint, `seq:42`, as a number.
    static std::int64_t number(const std::string& position) { return position.starts_with("seq:") ? std::stoll(position.substr(4)) : -1; }

    /// Looks at the follower as the kill left it. True once it is ready.
    bool look() {
        if (!std::filesystem::exists(follower_.path())) return false;
        EXPECT_EQ(follower_.value("PRAGMA integrity_check"), "ok");
        if (follower_.value("SELECT count(*) FROM sqlite_master WHERE name = 'rowferry_checkpoint'") == "0") return false;
        if (!follower_.ready()) return false;
        const std::int64_t told = std::stoll(leader_.value("SELECT acked_seq FROM rowferry_stream WHERE name = 'default'"));
        const std::int64_t position = number(follower_.value("SELECT position FROM rowferry_checkpoint"));
        EXPECT_GE(position, told) << "the leader was told more than the follower kept";
        EXPECT_GE(position, number(follower_.value("SELECT acked FROM rowferry_checkpoint")));
        EXPECT_GE(position, last_position_) << "the follower went back";
        last_position_ = position;
        most_told_ = std::max(most_told_, told);
        // A prefix: 1 … n in both tables.
        for (const char* table : {"a", "b"})
            EXPECT_EQ(follower_.value(fmt::format("SELECT count(*) = coalesce(max(id), 0) FROM {}", table)), "1") << table;
        EXPECT_EQ(follower_.value("SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM b)"), "1");
        return true;
    }

    Database leader_;
    Database follower_;
    std::int64_t last_position_ = 0;
    std::int64_t most_told_ = 0;
};

TEST_F(LossyFollowerTest, NeverComesBackBehindWhatTheLeaderWasTold) {
    std::mt19937_64 random{choose_seed()};
    Counter application{leader_};
    int ready = 0;
    int killed = 0;
    for (; killed < kills() || ready < kills() / 2; ++killed) {
        ASSERT_LT(killed, 10 * kills()) << "it never becomes ready";
        const bool early = killed % 3 == 0;  // in the copy or right after it
        ASSERT_NO_FATAL_FAILURE(run_and_kill(milliseconds{5 + static_cast<int>(random() % (early ? 100 : 2500))}));
        ready += look() ? 1 : 0;
        ASSERT_FALSE(HasFailure()) << "after kill " << killed + 1;
    }
    application.stop();
    EXPECT_GT(most_told_, 0) << "nothing was ever reported, so nothing was tested";
    const RowferryResult result = rowferry({"run", leader_.endpoint(), follower_.endpoint(), "--until", "current", "--capture", "triggers"});
    ASSERT_EQ(result.exit_code, 0) << result;
    EXPECT_TRUE(same_rows(leader_, follower_));
    fmt::print("{} kills, {} of them when ready, leader told up to {}\n", killed, ready, most_told_);
}

}  // namespace
}  // namespace rowferry::test
