// kill -9 at random moments of snapshot and follow, under load, started again each time. ROWFERRY_KILLS sets the number per
// direction (default 12), ROWFERRY_SEED repeats a run.

#include <signal.h>

#include <cstdlib>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

int kills() {
    const char* wanted = std::getenv("ROWFERRY_KILLS");
    return wanted != nullptr ? std::stoi(wanted) : 12;
}

class KillTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    /// Lets rowferry run for `time` and kills it. It must not have ended by itself.
    static void run_and_kill(const Database& leader, const Database& follower, const std::vector<std::string>& options, milliseconds time) {
        const auto process = start_run(leader, follower, options);
        const std::optional<int> code = process->wait(time);
        ASSERT_FALSE(code.has_value()) << "ended by itself with " << *code << "\n" << process->err();
        process->kill(SIGKILL);
        ASSERT_EQ(process->wait(), 128 + SIGKILL);
    }

    /// The server needs a moment to notice that the killed process is gone; until then its slot is active.
    static void drop(const Database& leader, const Database& follower) {
        RowferryResult result;
        for (int i = 0; i < 50; ++i) {
            result = rowferry(command("drop", leader, follower));
            if (result.exit_code != 3) break;
            std::this_thread::sleep_for(milliseconds{100});
        }
        ASSERT_TRUE(ended(result, 0));
        ASSERT_EQ(leftovers(leader), std::vector<std::string>{});
        ASSERT_EQ(leftovers(follower), std::vector<std::string>{});
    }
};

Database empty_follower(Direction direction) {
    return follows_postgresql(direction) ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower");
}

TEST_P(KillTest, NothingIsLostOrDoubled) {
    const Direction direction = GetParam();
    const bool from_pg = leads_postgresql(direction);
    const Database leader = from_pg ? Database::postgresql(PgCluster::shared(), "leader") : Database::sqlite("leader");
    Database follower = empty_follower(direction);
    if (!from_pg) leader.exec("PRAGMA journal_mode = wal");

    WriterOptions options;
    options.workload = {.keys = 1500, .keyless = from_pg, .raw_text = direction == Direction::sqlite_to_sqlite};
    options.threads = from_pg ? 4 : 2;
    options.rate = 100;
    options.small = true;
    Writer writer{leader, options};
    create_workload(leader, options.workload, writer.seed());
    const std::vector<std::string> run_options = from_pg ? std::vector<std::string>{"--keyless", "insert"} : std::vector<std::string>{};
    std::mt19937_64 random{writer.seed()};
    const auto between = [&](int low, int high) {
        return milliseconds{low + static_cast<int>(random() % static_cast<unsigned>(high - low))};
    };
    writer.start();
    writer.wait_for_commits(20);

    int killed = 0;
    int killed_while_copying = 0;
    int snapshot_time = 400;  // shortened when a copy was complete before the kill
    while (killed < kills() / 3) {
        ASSERT_NO_FATAL_FAILURE(run_and_kill(leader, follower, run_options, between(1, snapshot_time)));
        ++killed;
        if (!follower.ready()) {
            ++killed_while_copying;
            continue;
        }
        snapshot_time = std::max(snapshot_time * 2 / 3, 60);
        ASSERT_NO_FATAL_FAILURE(drop(leader, follower));
        follower = empty_follower(direction);
    }
    {
        const auto process = start_run(leader, follower, run_options);
        ASSERT_TRUE(becomes_ready(*process, follower));
    }  // killed by the destructor
    for (++killed; killed < kills(); ++killed) ASSERT_NO_FATAL_FAILURE(run_and_kill(leader, follower, run_options, between(20, 1200)));
    writer.stop();

    ASSERT_TRUE(ended(run_until_current(leader, follower, run_options), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    EXPECT_TRUE(writer.ledgers_agree(follower));
    if (from_pg) {
        EXPECT_EQ(leader.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"), "1");
    }
    fmt::print("{}: {} kills, {} of them before the copy was complete, {} transactions\n", to_string(direction), killed,
               killed_while_copying, writer.committed());
    ASSERT_NO_FATAL_FAILURE(drop(leader, follower));
}

INSTANTIATE_TEST_SUITE_P(All, KillTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
