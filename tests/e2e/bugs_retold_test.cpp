// Bugs that were found, each with the story of how it came about.

#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class BugTest : public StreamTest {
protected:
    void SetUp() override { uses_second_cluster(); }
    void TearDown() override {
        cluster().conf("synchronous_standby_names", "");
        StreamTest::TearDown();
    }
    static PgCluster& cluster() { return PgCluster::shared_second(); }
};

// While rowferry was away the application truncated a table with a serial column. Its commit waited for rowferry and kept the table
// locked; rowferry, starting again, asked for the column's default, which opens the table, and waited for the application.
TEST_F(BugTest, ATruncateThatWaitsForUsDoesNotKeepUsFromComingBack) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id serial PRIMARY KEY, s text); INSERT INTO t (s) VALUES ('a'), ('b')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    cluster().conf("synchronous_standby_names", "rowferry_default");
    std::thread application{[&] {
        PgConnection connection{leader.uri()};
        connection.exec("TRUNCATE t");
    }};
    EXPECT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1", std::chrono::seconds{10}));
    const auto process = start_run(leader, follower);
    EXPECT_TRUE(shows(*process, follower, "SELECT count(*) FROM t", "0", std::chrono::seconds{15}));
    cluster().conf("synchronous_standby_names", "");
    application.join();
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0));
}

// With the name listed and a commit waiting already, making the slot waited for that commit, which waited for the stream.
TEST_F(BugTest, AFirstStartWithCommitsAlreadyWaitingIsRefused) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    cluster().conf("synchronous_standby_names", "rowferry_default");
    std::thread application{[&] {
        PgConnection connection{leader.uri()};
        connection.exec("INSERT INTO t VALUES (1)");
    }};
    EXPECT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1", std::chrono::seconds{10}));
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "already wait for rowferry_default"));
    cluster().conf("synchronous_standby_names", "");
    application.join();
    EXPECT_TRUE(leftovers(leader).empty());
}

// SQLite reports an interrupted call by a code of its own, and the end by a signal was taken for a failure.
TEST_F(BugTest, ASignalUnderLoadEndsWithZeroOnASqliteFollower) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, s text)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("INSERT INTO t SELECT i, repeat('x', 50) FROM generate_series(1, 400000) i");
    leader.exec("UPDATE t SET s = s || 'y'");
    const auto process = start_run(leader, follower);
    ASSERT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_stat_replication", "1", std::chrono::seconds{10}));
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0, "stopped", std::chrono::seconds{10}));
    EXPECT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

// A second stream into tables that another stream follows, with --on-existing truncate, emptied them under its feet.
TEST_F(BugTest, TwoStreamsDoNotShareATableOfAPostgresqlFollower) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::postgresql(PgCluster::shared(), "follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(ended(run_until_current(leader, follower, {"--stream", "two", "--on-existing", "truncate"}), 3, "belongs to stream default"));
    EXPECT_TRUE(same_rows(leader, follower));
}

// An altered publication still holds the same tables, and updates vanished without a word.
TEST_F(BugTest, APublicationThatPublishesLessIsAStop) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("ALTER PUBLICATION rowferry_default SET (publish = 'insert, truncate')");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 7, "rowferry_default"));
}

// A kill between installing capture and the end of the copy, and again right after the start that followed: the leftovers are ours each time.
TEST_F(BugTest, ACopyThatIsKilledTwiceStartsAThirdTime) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 300000) i");
    for (int kill = 0; kill < 2; ++kill) {
        const auto process = start_run(leader, follower);
        EXPECT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_replication_slots", "1", std::chrono::seconds{20})) << process->err();
        std::this_thread::sleep_for(std::chrono::milliseconds{150});
        process->kill(SIGKILL);
        process->wait(std::chrono::seconds{10});
    }
    EXPECT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    EXPECT_EQ(leader.value("SELECT count(*) FROM pg_replication_slots"), "1");
}

// A refusal after the follower's file was made left an empty file, which the next --on-existing had to think about.
TEST_F(BugTest, ARefusalLeavesNoNewFile) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int)");
    std::filesystem::remove(follower.path());
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "REPLICA IDENTITY FULL"));
    EXPECT_FALSE(std::filesystem::exists(follower.path()));
}

}  // namespace
}  // namespace rowferry::test
