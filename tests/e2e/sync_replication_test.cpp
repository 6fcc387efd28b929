// rowferry as a synchronous standby: synchronous_standby_names = 'rowferry_default'.

#include <signal.h>

#include <thread>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

/// The leader is the second server: a PostgreSQL follower in the same one would wait for its own standby.
class SyncTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Database leader_ = Database::postgresql(PgCluster::shared_second(), "leader");
    Database follower_ =
        follows_postgresql(GetParam()) ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower");

    void SetUp() override {
        uses_second_cluster();
        leader_.exec("CREATE TABLE t (id int8 PRIMARY KEY, s text)");
    }
    void TearDown() override {
        if (!cluster().running()) cluster().start();
        cluster().conf("synchronous_standby_names", "");
        StreamTest::TearDown();
    }
    static PgCluster& cluster() { return PgCluster::shared_second(); }

    std::unique_ptr<Rowferry> start_synchronous() {
        auto process = start_run(leader_, follower_);
        EXPECT_TRUE(becomes_ready(*process, follower_));
        cluster().conf("synchronous_standby_names", "rowferry_default");
        EXPECT_TRUE(wait_for_value(
            leader_, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND application_name = 'rowferry_default'", "1",
            std::chrono::seconds{15}))
            << process->err();
        return process;
    }
    /// A session whose commits must not wait for ever: a commit that waits longer than that fails the test.
    [[nodiscard]] PgConnection patient() const {
        PgConnection connection{leader_.uri()};
        connection.exec("SET statement_timeout = '20s'");
        return connection;
    }
};

TEST_P(SyncTest, ACommittedTransactionIsOnTheFollowerWhenCommitReturns) {
    const auto process = start_synchronous();
    PgConnection application = patient();
    for (int i = 1; i <= 50; ++i) {
        application.exec("INSERT INTO t VALUES (" + std::to_string(i) + ", 'x')");
        ASSERT_EQ(follower_.value("SELECT count(*) FROM t"), std::to_string(i)) << process->err();
    }
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
}

TEST_P(SyncTest, ALeaderKilledRightAfterACommitLosesNothing) {
    const auto process = start_synchronous();
    for (int i = 1; i <= 3; ++i) {
        {
            PgConnection application = patient();
            application.exec("INSERT INTO t VALUES (" + std::to_string(i) + ", 'x')");
        }
        cluster().kill9();
        EXPECT_EQ(follower_.value("SELECT count(*) FROM t WHERE id = " + std::to_string(i)), "1");
        cluster().start();
        EXPECT_EQ(leader_.value("SELECT count(*) FROM t"), std::to_string(i));
        ASSERT_TRUE(
            wait_for_value(leader_, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1", std::chrono::seconds{40}))
            << process->err();
    }
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    cluster().conf("synchronous_standby_names", "");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

TEST_P(SyncTest, NothingHangsWhenTheNameIsListedBeforeTheFirstStart) {
    cluster().conf("synchronous_standby_names", "rowferry_default");
    auto process = start_run(leader_, follower_);
    ASSERT_TRUE(becomes_ready(*process, follower_));
    patient().exec("INSERT INTO t VALUES (1, 'x')");
    EXPECT_EQ(follower_.value("SELECT count(*) FROM t"), "1");

    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    cluster().restart();
    process = start_run(leader_, follower_);
    patient().exec("INSERT INTO t VALUES (2, 'x')");
    EXPECT_EQ(follower_.value("SELECT count(*) FROM t"), "2") << process->err();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));

    // Its own marker and everything else it writes to the leader must not wait for itself.
    EXPECT_TRUE(ended(run_until_current(leader_, follower_), 0));
    EXPECT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
}

TEST_P(SyncTest, CommitsOfOtherDatabasesAreReleasedToo) {
    const Database other = Database::postgresql(cluster(), "other");
    other.exec("CREATE TABLE u (id int)");
    const auto process = start_synchronous();
    PgConnection application{other.uri()};
    application.exec("SET statement_timeout = '25s'");
    for (int i = 0; i < 5; ++i) {
        const auto started = std::chrono::steady_clock::now();
        application.exec("INSERT INTO u VALUES (1)");
        EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{15}) << process->err();
    }
    EXPECT_TRUE(process->running());
}

TEST_P(SyncTest, AWaitingCommitIsNotOnTheLeaderAlone) {
    const auto process = start_synchronous();
    process->kill(SIGSTOP);
    std::thread waiting{[this] {
        PgConnection application{leader_.uri()};
        application.exec("SET application_name = 'waits'");
        application.exec("INSERT INTO t VALUES (1, 'x')");
        EXPECT_EQ(follower_.value("SELECT count(*) FROM t"), "1");
    }};
    EXPECT_TRUE(wait_for_value(leader_, "SELECT wait_event FROM pg_stat_activity WHERE application_name = 'waits'", "SyncRep",
                               std::chrono::seconds{10}));
    process->kill(SIGCONT);
    waiting.join();
}

INSTANTIATE_TEST_SUITE_P(All, SyncTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
