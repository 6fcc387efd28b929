// A PostgreSQL follower whose server is killed while its last commits are not on its disk: it comes back without them, but never behind
// what the leader was told. ROWFERRY_KILLS sets the number of kills (default 5), ROWFERRY_SEED repeats a run.

#include <signal.h>

#include <cstdlib>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/compare.h"
#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

int kills() {
    const char* wanted = std::getenv("ROWFERRY_KILLS");
    return wanted != nullptr ? std::stoi(wanted) : 5;
}

class LossyPgFollowerTest : public StreamTest {};

TEST_F(LossyPgFollowerTest, NeverComesBackBehindWhatTheLeaderWasTold) {
    PgCluster& lossy = PgCluster::shared_second();
    uses_second_cluster();
    lossy.conf("wal_writer_delay", "2000");  // what is committed lazily stays in memory for long
    const Database leader = Database::postgresql(PgCluster::shared(), "leader");
    const Database follower = Database::postgresql(lossy, "follower");
    leader.exec("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)");
    std::mt19937_64 random{choose_seed()};
    const auto position = [](const Database& database, const std::string& sql) { return database.value("SELECT (" + sql + ") - '0/0'::pg_lsn"); };
    const std::string confirmed = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()";
    const std::string checkpoint = "SELECT substr(position, 5)::pg_lsn FROM rowferry.checkpoint";

    int next = 1;
    int lost = 0;
    long long most_told = 0;
    for (int kill = 0; kill < kills(); ++kill) {
        auto process = start_run(leader, follower);
        ASSERT_TRUE(becomes_ready(*process, follower));
        const auto until = std::chrono::steady_clock::now() + milliseconds{500 + static_cast<int>(random() % 2500)};
        long long seen = 0;
        PgConnection application{leader.uri()};
        for (; std::chrono::steady_clock::now() < until; ++next) {
            application.exec(fmt::format("BEGIN; INSERT INTO a VALUES ({0}, 'x'); INSERT INTO b VALUES ({0}, 'x'); COMMIT", next));
            std::this_thread::sleep_for(milliseconds{2});
        }
        seen = std::stoll(position(follower, checkpoint));
        lossy.kill9();
        process->kill(SIGKILL);
        process->wait();
        const long long told = std::stoll(position(leader, confirmed));
        lossy.start();
        const long long kept = std::stoll(position(follower, checkpoint));
        EXPECT_GE(kept, told) << "the leader was told more than the follower kept";
        lost += kept < seen ? 1 : 0;
        most_told = std::max(most_told, told);
        for (const char* table : {"a", "b"}) EXPECT_EQ(follower.value(fmt::format("SELECT count(*) = coalesce(max(id), 0) FROM {}", table)), "t") << table;
        EXPECT_EQ(follower.value("SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM b)"), "t");
        ASSERT_FALSE(HasFailure()) << "after kill " << kill + 1;
    }
    EXPECT_GT(most_told, 0);
    EXPECT_GT(lost, 0) << "nothing was ever lost, so nothing was tested";
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    fmt::print("{} kills, {} of them lost commits\n", kills(), lost);
}

/// What a run says it has done stays: its last commit waited for the disk.
TEST_F(LossyPgFollowerTest, TheEndOfARunSurvives) {
    PgCluster& lossy = PgCluster::shared_second();
    uses_second_cluster();
    lossy.conf("wal_writer_delay", "10000");
    const Database leader = Database::postgresql(PgCluster::shared(), "leader");
    const Database follower = Database::postgresql(lossy, "follower");
    leader.exec("CREATE TABLE a (id int PRIMARY KEY, v text)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("INSERT INTO a SELECT i, 'x' FROM generate_series(1, 1000) i");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    lossy.kill9();
    lossy.start();
    EXPECT_EQ(follower.value("SELECT count(*) FROM a"), "1000");
}

}  // namespace
}  // namespace rowferry::test
