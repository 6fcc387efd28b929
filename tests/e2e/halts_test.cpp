// Exit code 7: the stream stops and names what a person has to look at. Nothing is skipped or started anew by itself.

#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

class HaltTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());

    void SetUp() override {
        pair_.leader.exec(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, v BIGINT); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)");
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    }
    /// A later start ends with 7, twice in a row, and the follower stays as it was.
    void expect_halt(std::string_view reason) const {
        const std::string before = pair_.follower.value("SELECT count(*) FROM t");
        for (int i = 0; i < 2; ++i) {
            const RowferryResult result = run_until_current(pair_.leader, pair_.follower);
            EXPECT_TRUE(ended(result, 7, reason));
        }
        EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t"), before);
    }
};

TEST_P(HaltTest, ARowToUpdateIsMissing) {
    pair_.follower.exec("DELETE FROM t WHERE id = 2");
    pair_.leader.exec("UPDATE t SET s = 'x' WHERE id = 2");
    expect_halt("t");
    pair_.follower.exec("INSERT INTO t VALUES (2, 'b', 2)");  // repaired by hand, and on it goes
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(HaltTest, ARowToDeleteIsMissing) {
    pair_.follower.exec("DELETE FROM t WHERE id = 2");
    pair_.leader.exec("DELETE FROM t WHERE id = 2");
    expect_halt("2");
}

/// A PostgreSQL leader's insert. (From SQLite an insert replaces: the trigger log does not say what REPLACE removed.)
TEST_P(HaltTest, ARowToInsertIsThereAlready) {
    pair_.follower.exec("INSERT INTO t VALUES (4, 'mine', 0)");
    pair_.leader.exec("BEGIN; UPDATE t SET v = 9 WHERE id = 1; INSERT INTO t VALUES (4, 'd', 4); COMMIT");
    if (leads_postgresql(GetParam())) {
        expect_halt("t");
        EXPECT_EQ(pair_.follower.value("SELECT v FROM t WHERE id = 1"), "1") << "half a transaction was applied";
        EXPECT_EQ(pair_.follower.value("SELECT s FROM t WHERE id = 4"), "mine");
    } else {
        EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
        EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    }
}

TEST_P(HaltTest, TheFollowersTableIsGone) {
    pair_.follower.exec("DROP TABLE t");
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd', 4)");
    const RowferryResult result = run_until_current(pair_.leader, pair_.follower);
    EXPECT_TRUE(result.exit_code == 7 || result.exit_code == 3) << result;
    EXPECT_NE(result.last_line.find("t"), std::string::npos) << result;
}

TEST_P(HaltTest, AnotherLeader) {
    const Database other =
        leads_postgresql(GetParam()) ? Database::postgresql(PgCluster::shared(), "impostor") : Database::sqlite("impostor");
    other.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, v BIGINT); INSERT INTO t VALUES (1, 'z', 1)");
    EXPECT_TRUE(ended(run_until_current(other, pair_.follower), 7));
    EXPECT_EQ(leftovers(other), std::vector<std::string>{});
    EXPECT_EQ(pair_.follower.value("SELECT s FROM t WHERE id = 1"), "a");
}

INSTANTIATE_TEST_SUITE_P(All, HaltTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

class SlotTest : public HaltTest {
protected:
    [[nodiscard]] std::string slot() const {
        return pair_.leader.value("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()");
    }
    /// Once the server has noticed that rowferry is gone.
    void drop_slot() const {
        const std::string name = slot();
        ASSERT_TRUE(wait_for_value(pair_.leader, "SELECT active FROM pg_replication_slots WHERE slot_name = '" + name + "'", "f"));
        pair_.leader.exec("SELECT pg_drop_replication_slot('" + name + "')");
    }
};

TEST_P(SlotTest, AdvancedBySomebodyElse) {
    pair_.leader.exec("INSERT INTO t VALUES (4, 'lost', 4)");
    ASSERT_TRUE(wait_for_value(pair_.leader, "SELECT active FROM pg_replication_slots WHERE slot_name = '" + slot() + "'", "f"));
    pair_.leader.exec("SELECT pg_replication_slot_advance('" + slot() + "', pg_current_wal_lsn())");
    pair_.leader.exec("INSERT INTO t VALUES (5, 'e', 5)");
    expect_halt("");
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t WHERE id = 5"), "0");
}

TEST_P(SlotTest, DroppedBySomebodyElse) {
    drop_slot();
    pair_.leader.exec("INSERT INTO t VALUES (4, 'lost', 4)");
    expect_halt("slot");
    EXPECT_EQ(pair_.leader.value("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"), "0")
        << "never a silent new start";
}

TEST_P(SlotTest, RecreatedBySomebodyElse) {
    const std::string name = slot();
    drop_slot();
    pair_.leader.exec("INSERT INTO t VALUES (4, 'lost', 4)");
    pair_.leader.exec("SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')");
    pair_.leader.exec("INSERT INTO t VALUES (5, 'e', 5)");
    expect_halt("");
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t WHERE id = 5"), "0");
}

TEST_P(SlotTest, WhileItRuns) {
    const auto process = start_run(pair_.leader, pair_.follower);
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd', 4)");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT s FROM t WHERE id = 4", "d"));
    process->kill(SIGSTOP);
    // The paused process's walsender is ended, and its slot moved, before it wakes up.
    pair_.leader.exec("INSERT INTO t VALUES (5, 'lost', 5)");
    const std::string name = slot();
    pair_.leader.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + name +
                      "' AND active_pid IS NOT NULL");
    ASSERT_TRUE(wait_for_value(pair_.leader, "SELECT active FROM pg_replication_slots WHERE slot_name = '" + name + "'", "f"));
    pair_.leader.exec("SELECT pg_drop_replication_slot('" + name + "')");
    process->kill(SIGCONT);
    EXPECT_TRUE(ended(*process, 7, "slot", std::chrono::seconds{60}));
}

INSTANTIATE_TEST_SUITE_P(All, SlotTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

/// SQLite leaders whose end is no longer what the follower has seen.
class LostTailTest : public HaltTest {};

void copy_database(const std::filesystem::path& from, const std::filesystem::path& to) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        std::filesystem::remove(to.string() + suffix);
        if (std::filesystem::exists(from.string() + suffix)) std::filesystem::copy_file(from.string() + suffix, to.string() + suffix);
    }
}

TEST_P(LostTailTest, ARestoredBackupIsNoticed) {
    const std::filesystem::path backup = new_temp_dir("backup") / "copy.db";
    copy_database(pair_.leader.path(), backup);
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd', 4); UPDATE t SET s = 'x' WHERE id = 1");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    copy_database(backup, pair_.leader.path());
    expect_halt("");
}

TEST_P(LostTailTest, ARestoredBackupIsNoticedAfterItWroteAsMuchAgain) {
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd', 4)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    const std::filesystem::path backup = new_temp_dir("backup") / "copy.db";
    copy_database(pair_.leader.path(), backup);
    pair_.leader.exec("INSERT INTO t VALUES (5, 'e', 5)");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    copy_database(backup, pair_.leader.path());
    pair_.leader.exec("INSERT INTO t VALUES (6, 'other', 6); INSERT INTO t VALUES (7, 'other', 7)");  // the same numbers are used again
    expect_halt("");
}

TEST_P(LostTailTest, AMissingTriggerIsNoticed) {
    SqliteDb db{pair_.leader.path()};
    const std::string trigger = db.value("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rowferry%' LIMIT 1");
    db.exec("DROP TRIGGER \"" + trigger + "\"; INSERT INTO t VALUES (8, 'unseen', 8)");
    expect_halt("");
}

TEST_P(LostTailTest, ARebuiltTableIsNoticed) {
    const auto process = start_run(pair_.leader, pair_.follower);
    pair_.leader.exec("INSERT INTO t VALUES (4, 'd', 4)");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT s FROM t WHERE id = 4", "d"));
    pair_.leader.exec("BEGIN; CREATE TABLE t2 (id INTEGER PRIMARY KEY, s TEXT, v BIGINT); INSERT INTO t2 SELECT * FROM t; DROP TABLE t;"
                      "ALTER TABLE t2 RENAME TO t; INSERT INTO t VALUES (9, 'unseen', 9); COMMIT");
    EXPECT_TRUE(ended(*process, 7, "t", std::chrono::seconds{30}));
}

INSTANTIATE_TEST_SUITE_P(All, LostTailTest, ::testing::Values(Direction::sqlite_to_pg, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

/// SQLite stores -0.0 in a column of REAL affinity as 0: it must not become that silently. The columns that rowferry makes keep it.
TEST(NegativeZero, HasNoPlaceInASqliteRealColumn) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_sqlite);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, f float8, g float4); INSERT INTO t VALUES (1, 0, 0);"
                "CREATE TABLE made (id int PRIMARY KEY, f float8, g float4); INSERT INTO made VALUES (1, '-0', '-0')");
    follower.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, f REAL, g REAL)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("INSERT INTO made VALUES (2, '-0', '-0')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    leader.exec("INSERT INTO t VALUES (4711, '-0', 1)");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 7, "4711"));
    EXPECT_EQ(follower.value("SELECT count(*) FROM t"), "1");
    PgCluster::shared().drop_all_slots();
}

class ValueTest : public StreamTest {
protected:
    Pair pair_ = make_pair_for(Direction::sqlite_to_pg);
    void SetUp() override {
        pair_.leader.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, secret TEXT);"
                          "INSERT INTO t VALUES (41, 1, 'a', 'x')");
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    }
    void expect_halt(const std::string& column) const {
        const RowferryResult result = run_until_current(pair_.leader, pair_.follower);
        EXPECT_TRUE(ended(result, 7, column));
        EXPECT_NE(result.last_line.find("4711"), std::string::npos) << "the key is not named: " << result;
        EXPECT_EQ(result.err.find("hush"), std::string::npos) << "a value of another column was shown: " << result;
        EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t"), "1");
        EXPECT_EQ(pair_.follower.value("SELECT s FROM t WHERE id = 41"), "a");
    }
};

TEST_F(ValueTest, TextInAnIntegerColumn) {
    pair_.leader.exec("BEGIN; UPDATE t SET s = 'b' WHERE id = 41; INSERT INTO t VALUES (4711, 'not a number', 'b', 'hush'); COMMIT");
    expect_halt("n");
}

TEST_F(ValueTest, TextThatIsNotUtf8) {
    pair_.leader.exec("INSERT INTO t VALUES (4711, 1, CAST(x'ff41' AS TEXT), 'hush')");
    expect_halt("s");
}

TEST_F(ValueTest, TextThatHoldsNul) {
    pair_.leader.exec("INSERT INTO t VALUES (4711, 1, CAST(x'410042' AS TEXT), 'hush')");
    expect_halt("s");
}

/// A column of the follower's own that cannot hold what is there already is refused; one that rowferry makes holds it.
TEST_F(ValueTest, AWorseRowInTheSnapshotIsSeenBefore) {
    const Database leader = Database::sqlite("mixed");
    const Database follower = Database::postgresql(PgCluster::shared(), "mixed");
    leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a'), (4711, CAST(x'410042' AS TEXT))");
    follower.exec("CREATE TABLE t (id bigint PRIMARY KEY, s text)");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "NUL"));
    EXPECT_FALSE(follower.ready());
    follower.exec("DROP TABLE t");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_EQ(follower.value("SELECT s FROM t WHERE id = 4711"), "x:410042");
}

TEST(ValueRange, AnIntegerTooBigForThePostgresqlColumn) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::postgresql(PgCluster::shared());
    leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1)");
    follower.exec("CREATE TABLE t (id bigint PRIMARY KEY, n smallint)");
    const RowferryResult result = run_until_current(leader, follower);
    if (result.exit_code == 3) return;  // a narrower column may be refused from the start
    ASSERT_TRUE(ended(result, 0));
    leader.exec("INSERT INTO t VALUES (4711, 40000)");
    const RowferryResult halted = run_until_current(leader, follower);
    EXPECT_TRUE(ended(halted, 7, "n"));
    EXPECT_NE(halted.last_line.find("4711"), std::string::npos) << halted;
}

/// What the follower's index cannot hold stops the stream in front of it: PostgreSQL takes 2,704 bytes of a key, SQLite any number.
class LongKeyTest : public StreamTest {};

TEST_F(LongKeyTest, OneTooLongForTheFollowersIndexIsNamed) {
    const Pair pair = make_pair_for(Direction::sqlite_to_pg);
    pair.leader.exec("CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v TEXT); INSERT INTO t VALUES ('a', 'b')");
    ASSERT_TRUE(ended(run_until_current(pair.leader, pair.follower), 0));
    pair.leader.exec("INSERT INTO t VALUES ('0123456789' || hex(randomblob(3000)), 'long')");
    const RowferryResult result = run_until_current(pair.leader, pair.follower);
    EXPECT_TRUE(ended(result, 7, "insert of public.t, key k=0123456789"));
    EXPECT_TRUE(ended(result, 7, "exceeds btree"));
    EXPECT_LT(result.last_line.size(), 400U) << "the key is shown in short";
    EXPECT_EQ(pair.follower.value("SELECT count(*) FROM t"), "1");
    const RowferryResult copy = rowferry(command("clone", pair.leader, Database::postgresql(PgCluster::shared(), "long_copy")));
    EXPECT_TRUE(ended(copy, 7, "copy of public.t, key k=0123456789"));
    EXPECT_TRUE(ended(copy, 7, "exceeds btree"));
    pair.leader.exec("DELETE FROM t WHERE v = 'long'");  // the insert is in the log all the same: SQLite's history has a row that PostgreSQL cannot hold
    EXPECT_TRUE(ended(run_until_current(pair.leader, pair.follower), 7, "exceeds btree"));
}

}  // namespace
}  // namespace rowferry::test
