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

// SQLite spells a collation as the schema does, and "nocase" was not taken for NOCASE: the row that REPLACE displaced stayed.
TEST_F(BugTest, AReplaceUnderNocaseInSmallLettersDisplacesOnPostgresql) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::postgresql(PgCluster::shared(), "follower");
    leader.exec("CREATE TABLE u (id INTEGER PRIMARY KEY, c TEXT COLLATE nocase UNIQUE); INSERT INTO u VALUES (1, 'q'), (5, 'w')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("INSERT OR REPLACE INTO u VALUES (2, 'Q')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

// A deleted file goes on taking commits while it is open; they were acknowledged, and nobody had them.
TEST_F(BugTest, AFollowersFileThatIsDeletedIsAStop) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const auto process = start_run(leader, follower);
    ASSERT_TRUE(becomes_ready(*process, follower));
    leader.exec("INSERT INTO t VALUES (0)");
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM t", "1"));
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(follower.path().string() + suffix);
    leader.exec("INSERT INTO t VALUES (1)");
    EXPECT_TRUE(ended(*process, 7, "deleted, moved or replaced"));
}

// The rows of a detached partition left the leader's table without a word in the log.
TEST_F(BugTest, APartitionThatLeavesAReplicatedRootIsAStop) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::sqlite("follower");
    leader.exec(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p SELECT generate_series(0, 19)");
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--partitions", "root"}), 0));
    EXPECT_EQ(follower.value("SELECT count(*) FROM p"), "20");
    leader.exec("ALTER TABLE p DETACH PARTITION p2");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 7, "detached or dropped"));
}

// With REPLICA IDENTITY FULL the deferrable key was still used to find the row, though two rows share it in the middle of a transaction.
TEST_F(BugTest, ADeferrableKeyIsNoWayToFindARow) {
    const Database leader = Database::postgresql(cluster(), "leader");
    const Database follower = Database::postgresql(PgCluster::shared(), "follower");
    leader.exec(
        "CREATE TABLE sw (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
        "ALTER TABLE sw REPLICA IDENTITY FULL; INSERT INTO sw VALUES (1, 1), (2, 2), (3, 3)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("UPDATE sw SET id = id + 1, v = v + 1");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

// An @ in a password that is not written %40 ends up in the host, and the host was printed.
TEST_F(BugTest, APasswordWithAnAtIsNotPrinted) {
    const RowferryResult result = rowferry({"run", "postgresql://role:se@cret@127.0.0.1:1/db", "sqlite:/nowhere/f.db"});
    EXPECT_TRUE(ended(result, 2, "%40"));
    EXPECT_EQ(result.err.find("cret"), std::string::npos);
}

}  // namespace
}  // namespace rowferry::test
