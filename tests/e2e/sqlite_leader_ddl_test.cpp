// DDL on a SQLite leader while a stream follows it: taken along in order with --ddl apply, a stop that says what to run without it.

#include <signal.h>

#include <fmt/format.h>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class SqliteDdlTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair() {
        Pair made = make_pair_for(GetParam());
        made.leader.exec(
            "PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b');"
            "CREATE TABLE gone (id INTEGER PRIMARY KEY); INSERT INTO gone VALUES (1)");
        return made;
    }
};

TEST_P(SqliteDdlTest, AppliedInOrderWhileTheStreamRuns) {
    const auto [leader, follower] = pair();
    const auto process = start_run(leader, follower, {"--ddl", "apply"});
    ASSERT_TRUE(becomes_ready(*process, follower));
    leader.exec("ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'x'; INSERT INTO t VALUES (3, 'c', 'y'); UPDATE t SET w = NULL WHERE id = 1;"
                "ALTER TABLE t RENAME COLUMN v TO name; UPDATE t SET name = 'z' WHERE id = 2");
    EXPECT_TRUE(shows(*process, follower, "SELECT name || w FROM t WHERE id = 2", "zx"));
    leader.exec("DROP TABLE gone; CREATE TABLE fresh (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO fresh VALUES (1, 1), (2, 4)");
    EXPECT_TRUE(shows(*process, follower, "SELECT count(*) FROM fresh", "2"));
    leader.exec("INSERT INTO fresh VALUES (3, 9); ALTER TABLE t RENAME TO t2; INSERT INTO t2 VALUES (4, 'd', 'e')");
    EXPECT_TRUE(shows(*process, follower, "SELECT count(*) FROM t2", "4"));
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--ddl", "apply"}), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_P(SqliteDdlTest, AppliedAfterALongAbsence) {
    const auto [leader, follower] = pair();
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("UPDATE t SET v = 'before' WHERE id = 1; ALTER TABLE t ADD COLUMN n INTEGER NOT NULL DEFAULT 7; INSERT INTO t VALUES (3, 'c', 8);"
                "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'again', 9); INSERT INTO t (id) VALUES (4); UPDATE t SET n = 10 WHERE id = 1;"
                "ALTER TABLE t RENAME COLUMN n TO m; ALTER TABLE t ADD COLUMN r REAL; UPDATE t SET r = 0.5 WHERE id = 4; DROP TABLE gone");
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--ddl", "apply"}), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    leader.exec("UPDATE t SET r = 1.5, m = 11");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_P(SqliteDdlTest, StopsInFrontOfItAndGoesOnOnceItWasDone) {
    const auto [leader, follower] = pair();
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--capture", "triggers"}), 0));  // by its log all of it would be one change
    leader.exec("INSERT INTO t VALUES (3, 'c'); ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'x'; INSERT INTO t VALUES (4, 'd', 'y')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 7, "ADD COLUMN"));
    EXPECT_GE(std::stoi(follower.value("SELECT count(*) FROM t")), 3);  // what was committed before is there
    follower.exec("ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'x'");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

// On PostgreSQL both columns need a domain of ours, which no table of the stream had needed before.
TEST_P(SqliteDdlTest, ANewColumnIsTheFirstOfItsKind) {
    const auto [leader, follower] = pair();
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("ALTER TABLE t ADD COLUMN x; ALTER TABLE t ADD COLUMN y NUMERIC; ALTER TABLE t ADD COLUMN z; UPDATE t SET x = 0.1, y = 12, z = x'00' WHERE id = 1;"
                "INSERT INTO t VALUES (3, 'c', 'text', 0.25, 7)");
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--ddl", "apply"}), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_P(SqliteDdlTest, NewTablesAreReportedAndARebuiltOneAsksForACopy) {
    const auto [leader, follower] = pair();
    const auto process = start_run(leader, follower, {"--capture", "triggers"});
    ASSERT_TRUE(becomes_ready(*process, follower));
    leader.exec("CREATE TABLE fresh (id INTEGER PRIMARY KEY)");
    EXPECT_TRUE(process->wait_for_err("copy-table")) << process->err();
    leader.exec("BEGIN; CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO b SELECT * FROM t; DROP TABLE t; ALTER TABLE b RENAME TO t; INSERT INTO t VALUES (9, 'i'); COMMIT");
    ASSERT_TRUE(ended(*process, 7, "copy-table"));
    ASSERT_TRUE(ended(rowferry([&leader = leader, &follower = follower] {
                          auto arguments = command("copy-table", leader, follower);
                          arguments.insert(arguments.end(), {"--table", "t", "--table", "fresh"});
                          return arguments;
                      }()),
                      0));
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

INSTANTIATE_TEST_SUITE_P(All, SqliteDdlTest, ::testing::Values(Direction::sqlite_to_pg, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
