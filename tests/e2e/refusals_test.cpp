// Exit code 3: found before anything was written. Each test also looks that nothing was.

#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

using Leftovers = std::vector<std::string>;

class RefusalTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
    void SetUp() override { pair_.leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')"); }

    [[nodiscard]] testing::AssertionResult refused(const std::vector<std::string>& options, std::string_view reason) const {
        return ended(run_until_current(pair_.leader, pair_.follower, options), 3, reason);
    }
};

TEST_P(RefusalTest, LeaderAndFollowerAreTheSameDatabase) {
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.leader), 3));
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
    if (pair_.leader.is_postgresql()) {
        const RowferryResult other_way =
            rowferry({"run", pair_.leader.endpoint(), pair_.leader.cluster().socket_uri(pair_.leader.name()), "--until", "current"});
        EXPECT_TRUE(ended(other_way, 3));
    } else {
        const std::filesystem::path link = pair_.leader.path().string() + ".link";
        std::filesystem::create_symlink(pair_.leader.path(), link);
        EXPECT_TRUE(ended(run_until_current(pair_.leader, Database::sqlite_at(link)), 3));
    }
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
}

TEST_P(RefusalTest, RowsThatAreThereAlready) {
    pair_.follower.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (7, 'mine')");
    EXPECT_TRUE(refused({}, "t"));
    EXPECT_EQ(pair_.follower.value("SELECT s FROM t WHERE id = 7"), "mine");
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--on-existing", "truncate"}), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(RefusalTest, AnEmptyTableOfTheSameShapeIsNoReason) {
    pair_.follower.exec("CREATE TABLE t (id " + std::string{pair_.follower.is_postgresql() ? "bigint" : "INTEGER"} +
                        " PRIMARY KEY, s TEXT)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(RefusalTest, ATableOfAnotherShape) {
    pair_.follower.exec("CREATE TABLE t (number INTEGER PRIMARY KEY)");
    EXPECT_TRUE(refused({}, "t"));
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
}

TEST_P(RefusalTest, PatternsThatMatchNothing) {
    EXPECT_TRUE(refused({"--table", "no_such_table"}, "no_such_table"));
    EXPECT_TRUE(refused({"--exclude-table", "*"}, ""));
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
}

TEST_P(RefusalTest, ADatabaseThatIsStillBeingCopiedIsNoLeader) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    pair_.follower.exec(std::string{"UPDATE "} + (pair_.follower.is_postgresql() ? "rowferry.checkpoint" : "rowferry_checkpoint") +
                        " SET state = 'copying'");
    const Database third = Database::sqlite("third");
    const RowferryResult result = run_until_current(pair_.follower, third, {"--stream", "next"});
    EXPECT_TRUE(ended(result, 3));
    EXPECT_TRUE(ended(rowferry(command("clone", pair_.follower, third)), 3));
    EXPECT_FALSE(std::filesystem::exists(third.path()));
}

TEST_P(RefusalTest, ASecondProcessOnTheSameStreamAndFollower) {
    const auto first = start_run(pair_.leader, pair_.follower);
    ASSERT_TRUE(becomes_ready(*first, pair_.follower));
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 3));
    pair_.leader.exec("INSERT INTO t VALUES (3, 'c')");
    EXPECT_TRUE(shows(*first, pair_.follower, "SELECT s FROM t WHERE id = 3", "c")) << "the first one has to go on";
}

TEST_P(RefusalTest, DropOfAStreamThatRuns) {
    const auto process = start_run(pair_.leader, pair_.follower);
    ASSERT_TRUE(becomes_ready(*process, pair_.follower));
    pair_.leader.exec("INSERT INTO t VALUES (3, 'c')");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT s FROM t WHERE id = 3", "c"));
    const Leftovers before = leftovers(pair_.leader);
    EXPECT_TRUE(ended(rowferry(command("drop", pair_.leader, pair_.follower)), 3));
    EXPECT_EQ(leftovers(pair_.leader), before);
    if (pair_.leader.is_postgresql()) {
        EXPECT_TRUE(ended(rowferry({"drop", pair_.leader.endpoint()}), 3)) << "the slot is active";
    }
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd')");
    EXPECT_TRUE(shows(*process, pair_.follower, "SELECT s FROM t WHERE id = 4", "d"));
}

TEST_P(RefusalTest, AnotherFollowersStreamOfTheSameName) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    const Leftovers before = leftovers(pair_.leader);
    const Database other = follows_postgresql(GetParam()) ? Database::postgresql(PgCluster::shared(), "other") : Database::sqlite("other");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, other), 3));
    EXPECT_EQ(leftovers(pair_.leader), before);
    pair_.leader.exec("INSERT INTO t VALUES (3, 'c')");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    EXPECT_TRUE(ended(run_until_current(pair_.leader, other, {"--stream", "other"}), 0));
    EXPECT_TRUE(same_rows(pair_.leader, other));
}

TEST_P(RefusalTest, OtherTablesThanTheStreamBeganWith) {
    pair_.leader.exec("CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (1)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--table", "t"}), 0));
    const RowferryResult result = run_until_current(pair_.leader, pair_.follower, {"--table", "u"});
    EXPECT_TRUE(result.exit_code == 3 || result.exit_code == 7) << result;
    EXPECT_EQ(user_tables(pair_.follower), std::vector<std::string>{"t"});
}

INSTANTIATE_TEST_SUITE_P(All, RefusalTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

class KeylessTest : public StreamTest {
protected:
    Pair pair_ = make_pair_for(Direction::pg_to_sqlite);
    void SetUp() override {
        pair_.leader.exec("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE \"Log\" (what text, n int);"
                          "INSERT INTO \"Log\" VALUES ('a', 1), ('a', 1), ('b', NULL)");
    }
    [[nodiscard]] std::string identity() const { return pair_.leader.value("SELECT relreplident FROM pg_class WHERE relname = 'Log'"); }
};

TEST_F(KeylessTest, IsRefusedWithTheStatementToRun) {
    const RowferryResult result = run_until_current(pair_.leader, pair_.follower);
    EXPECT_TRUE(ended(result, 3));
    EXPECT_NE(result.last_line.find("ALTER TABLE \"public\".\"Log\" REPLICA IDENTITY"), std::string::npos) << result;
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
    pair_.leader.exec("UPDATE \"Log\" SET n = 2");  // the application goes on
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--exclude-table", "\"Log\""}), 0));
}

TEST_F(KeylessTest, FullSetsTheIdentityAndDropUndoesIt) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--keyless", "full"}), 0));
    EXPECT_EQ(identity(), "f");
    pair_.leader.exec(
        "DELETE FROM \"Log\" WHERE ctid = (SELECT min(ctid) FROM \"Log\" WHERE what = 'a'); UPDATE \"Log\" SET n = 5 WHERE what = 'b';"
        "INSERT INTO \"Log\" VALUES (NULL, NULL), (NULL, NULL)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--keyless", "full"}), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    ASSERT_TRUE(ended(rowferry(command("drop", pair_.leader, pair_.follower)), 0));
    EXPECT_EQ(identity(), "d");
    EXPECT_EQ(leftovers(pair_.leader), Leftovers{});
}

TEST_F(KeylessTest, InsertCarriesInsertsAndStopsAtAnythingElse) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--keyless", "insert"}), 0));
    EXPECT_EQ(identity(), "d");
    pair_.leader.exec("INSERT INTO \"Log\" VALUES ('c', 3), ('c', 3)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--keyless", "insert"}), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    const auto process = start_run(pair_.leader, pair_.follower, {"--keyless", "insert"});
    std::this_thread::sleep_for(std::chrono::seconds{1});
    ASSERT_TRUE(process->running()) << process->err();
    pair_.leader.exec("UPDATE \"Log\" SET n = 4 WHERE what = 'c'");  // does not fail: the application is not harmed
    EXPECT_TRUE(ended(*process, 7, "Log", std::chrono::seconds{60}));
}

class FollowerTriggerTest : public StreamTest, public ::testing::WithParamInterface<Direction> {};

TEST_P(FollowerTriggerTest, UserTriggersOfASqliteFollowerAreRefusedUnlessAsked) {
    const auto [leader, follower] = make_pair_for(GetParam());
    leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a')");
    follower.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE seen (id);"
                  "CREATE TRIGGER watch AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.id); END");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "watch"));
    EXPECT_EQ(leftovers(leader), Leftovers{});
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--fire-triggers"}), 0));
    leader.exec("INSERT INTO t VALUES (2, 'b')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--fire-triggers"}), 0));
    EXPECT_TRUE(same_rows(leader, follower, {"t"}));
    EXPECT_EQ(follower.value("SELECT count(*) FROM seen WHERE id = 2"), "1");
}

INSTANTIATE_TEST_SUITE_P(All, FollowerTriggerTest, ::testing::Values(Direction::pg_to_sqlite, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

TEST(LeaderSettings, TheMissingOneIsNamed) {
    PgCluster cluster{{"wal_level = replica"}};
    const Database leader = Database::postgresql(cluster);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const Database follower = Database::sqlite("follower");
    EXPECT_TRUE(ended(run_until_current(leader, follower, {"--capture", "logical"}), 3, "wal_level"));
    EXPECT_EQ(leftovers(leader), Leftovers{});
    EXPECT_TRUE(ended(rowferry(command("clone", leader, follower)), 0)) << "a clone needs no logical decoding";
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST(LeaderSettings, ARoleWithoutReplicationIsNamed) {
    PgCluster& cluster = PgCluster::shared();
    const Database leader = Database::postgresql(cluster);
    leader.exec("CREATE ROLE plain LOGIN; CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO plain");
    const Database follower = Database::sqlite("follower");
    const std::vector<std::string> run{"run", cluster.uri(leader.name(), "plain"), follower.endpoint(), "--until", "current"};
    EXPECT_TRUE(ended(rowferry(run), 3, "only its owner may put triggers on a table")) << "without the right, triggers are what is left";
    std::vector<std::string> logical = run;
    logical.insert(logical.end(), {"--capture", "logical"});
    EXPECT_TRUE(ended(rowferry(logical), 3, "REPLICATION"));
    EXPECT_EQ(leftovers(leader), Leftovers{});
}

TEST(LeaderSettings, AFullServerOfSlotsIsRefused) {
    PgCluster cluster{{"max_replication_slots = 1"}};
    const Database leader = Database::postgresql(cluster);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT pg_create_physical_replication_slot('taken')");
    const Database follower = Database::sqlite("follower");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "max_replication_slots"));
    EXPECT_EQ(leftovers(leader), Leftovers{});
}

}  // namespace
}  // namespace rowferry::test
