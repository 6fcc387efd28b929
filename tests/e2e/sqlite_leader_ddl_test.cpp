// DDL on a SQLite leader while a stream follows it with --ddl apply: taken along in order, new tables copied.

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

INSTANTIATE_TEST_SUITE_P(All, SqliteDdlTest, ::testing::Values(Direction::sqlite_to_pg, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
