// The leader's tables change their shape while a stream runs: with --ddl apply the follower goes along at the same place, with --ddl stop the
// stream stops there, says what to run, and goes on after it was done. Without the event triggers only what the stream shows is followed.

#include <signal.h>

#include <regex>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class DdlTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
    std::vector<std::string> apply_{"--ddl", "apply"};

    void begin(const std::string& sql) {
        pair_.leader.exec(sql);
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    }
    /// Follows with --ddl apply; then both sides hold the same tables and rows. Several texts are several transactions.
    void follows(const std::vector<std::string>& statements) {
        for (const std::string& sql : statements) pair_.leader.exec(sql);
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, apply_), 0)) << statements.front();
        EXPECT_TRUE(same_rows(pair_.leader, pair_.follower)) << statements.front();
    }
    void follows(const char* sql) { follows(std::vector<std::string>{sql}); }
    /// Stops, twice in a row, and offers a copy of the table.
    void needs_copy(const std::string& sql, const std::string& why) {
        pair_.leader.exec(sql);
        for (int i = 0; i < 2; ++i) {
            const RowferryResult result = run_until_current(pair_.leader, pair_.follower, apply_);
            EXPECT_TRUE(ended(result, 7, why)) << sql;
            EXPECT_NE(result.last_line.find("copy-table"), std::string::npos) << result;
        }
    }
    /// Stops; what the message says is run on the follower; goes on. Returns the statements.
    std::string stops_and_goes_on(const std::string& sql) {
        pair_.leader.exec(sql);
        const RowferryResult result = run_until_current(pair_.leader, pair_.follower);
        EXPECT_TRUE(ended(result, 7, "Run on the follower and start again: ")) << sql;
        std::smatch found;
        if (!std::regex_search(result.last_line, found, std::regex{"start again: (.*); \\(or start with"})) return "";
        pair_.follower.exec(found[1]);
        EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0)) << sql << " → " << found[1];
        EXPECT_TRUE(same_rows(pair_.leader, pair_.follower)) << sql << " → " << found[1];
        return found[1];
    }
    const char* kTable =
        "CREATE TYPE mood AS ENUM ('a', 'c'); CREATE TABLE t (id int PRIMARY KEY, s text, n int, m mood, v varchar(5)); CREATE INDEX ON t (s);"
        "INSERT INTO t VALUES (1, 'one', 1, 'a', 'v'), (2, NULL, 2, 'c', NULL)";
};

TEST_P(DdlTest, GoesAlongInTheMiddleOfATransaction) {
    begin(kTable);
    follows("BEGIN; INSERT INTO t VALUES (3, 'three', 3, 'a', 'x'); ALTER TABLE t ADD COLUMN c int DEFAULT 7; INSERT INTO t VALUES (4, 'four', 4, 'a', 'x', 8);"
            "UPDATE t SET c = 9 WHERE id = 1; ALTER TABLE t DROP COLUMN s; INSERT INTO t VALUES (5, 5, 'c', 'y', 5); ALTER TABLE t RENAME COLUMN n TO number;"
            "DELETE FROM t WHERE id = 2; UPDATE t SET number = 50 WHERE id = 5; COMMIT");
    follows("BEGIN; UPDATE t SET c = 1; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (6, 6, 'a', 'z', 6); COMMIT; INSERT INTO u VALUES (7, 7, 'a', 'z', 7)");
    follows("ALTER TABLE u ADD COLUMN ts timestamptz NOT NULL DEFAULT now(), ADD COLUMN j text NOT NULL DEFAULT 'it''s'; INSERT INTO u VALUES (8, 8, 'a', 'z', 8)");
}

TEST_P(DdlTest, TypesBecomeWider) {
    begin(kTable);
    pair_.leader.exec("ALTER TABLE t ALTER id TYPE bigint");
    follows("INSERT INTO t VALUES (5000000000, 'x', 1, 'a', 'v')");
    follows("ALTER TABLE t ALTER v TYPE varchar(40); INSERT INTO t VALUES (6, 'x', 1, 'a', 'longer than five')");
    follows("ALTER TABLE t ALTER v TYPE text; INSERT INTO t VALUES (7, 'x', 1, 'a', repeat('long', 100))");
}

TEST_P(DdlTest, LabelsOfAnEnum) {
    begin(kTable);
    follows({"ALTER TYPE mood ADD VALUE 'b' AFTER 'a'", "INSERT INTO t VALUES (3, 'x', 1, 'b', 'v')"});
    follows({"ALTER TYPE mood ADD VALUE '0' BEFORE 'a'", "INSERT INTO t VALUES (4, 'x', 1, '0', 'v')"});
    follows("BEGIN; INSERT INTO t VALUES (5, 'x', 1, 'c', 'v'); ALTER TYPE mood RENAME VALUE 'c' TO 'see'; INSERT INTO t VALUES (6, 'x', 1, 'see', 'v'); COMMIT");
}

TEST_P(DdlTest, DroppedAndAddedUnderTheSameName) {
    begin(kTable);
    follows("ALTER TABLE t DROP COLUMN n, ADD COLUMN n int DEFAULT 7");
    follows("BEGIN; ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES (3, 'x', 'a', 'v', 3); COMMIT");
}

TEST_P(DdlTest, TablesExchangeTheirNames) {
    begin("CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (id int PRIMARY KEY, y int); INSERT INTO a VALUES (1, 'a'); INSERT INTO b VALUES (1, 1)");
    follows("BEGIN; ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; INSERT INTO a VALUES (2, 2); INSERT INTO b VALUES (2, 'b'); COMMIT");
    follows("INSERT INTO a VALUES (3, 3); UPDATE b SET x = 'c'");
}

// PostgreSQL refuses to change a column of a partition, or one that is inherited, anywhere but at the top.
class FamilyDdlTest : public DdlTest {};

TEST_P(FamilyDdlTest, PartitionsAndInheritedTablesChangeAtTheTop) {
    begin("CREATE TABLE p (id int, k int, s varchar(3), PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
          "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY LIST (id); CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (1); CREATE TABLE p2b PARTITION OF p2 DEFAULT;"
          "CREATE TABLE base (id int PRIMARY KEY, s varchar(3) NOT NULL); CREATE TABLE kid (own int, PRIMARY KEY (id)) INHERITS (base);"
          "INSERT INTO p VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 2, 'c'); INSERT INTO base VALUES (1, 'x'); INSERT INTO kid VALUES (2, 'y', 3)");
    follows("ALTER TABLE p ADD COLUMN n int NOT NULL DEFAULT 7; INSERT INTO p VALUES (3, 2, 'd', 8), (3, 1, 'e', 9); ALTER TABLE p ALTER s TYPE varchar(30);"
            "ALTER TABLE p RENAME COLUMN s TO name; UPDATE p SET name = 'longer than three', n = n + 1; ALTER TABLE p DROP COLUMN n; INSERT INTO p VALUES (4, 2, 'f')");
    follows("BEGIN; ALTER TABLE base ADD COLUMN n int DEFAULT 5; INSERT INTO kid VALUES (3, 'z', 4, 6); ALTER TABLE base ALTER s TYPE text; ALTER TABLE base ALTER s DROP NOT NULL;"
            "ALTER TABLE base RENAME COLUMN s TO name; UPDATE base SET name = NULL WHERE id = 2; ALTER TABLE base DROP COLUMN n; COMMIT; INSERT INTO base VALUES (9, 'nine')");
    const std::string statements = stops_and_goes_on("ALTER TABLE p ADD COLUMN late text DEFAULT 'l'; INSERT INTO p VALUES (5, 2, 'g', 'm')");
    EXPECT_NE(statements.find("ALTER TABLE \"public\".\"p\" ADD COLUMN"), std::string::npos) << statements;
}

// What `drop` has to put back was noted by name.
TEST_P(DdlTest, ARenamedKeylessTableGetsItsIdentityBack) {
    pair_.leader.exec("CREATE TABLE k (a int); INSERT INTO k VALUES (1)");
    const std::vector<std::string> options{"--ddl", "apply", "--keyless", "full"};
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, options), 0));
    pair_.leader.exec("ALTER TABLE k RENAME TO other; UPDATE other SET a = 2; CREATE TABLE k (id int PRIMARY KEY); ALTER TABLE k REPLICA IDENTITY NOTHING");
    EXPECT_EQ(pair_.leader.value("SELECT relreplident FROM pg_class WHERE relname = 'other'"), "f");
    ASSERT_TRUE(ended(rowferry(command("drop", pair_.leader, pair_.follower)), 0));
    EXPECT_EQ(pair_.leader.value("SELECT relreplident FROM pg_class WHERE relname = 'other'"), "d");
    EXPECT_EQ(pair_.leader.value("SELECT relreplident FROM pg_class WHERE relname = 'k'"), "n") << "it is not the stream's";
}

TEST_P(DdlTest, ADroppedTableGoes) {
    begin("CREATE TABLE keep (id int PRIMARY KEY); CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone VALUES (1)");
    follows("BEGIN; INSERT INTO gone VALUES (2); INSERT INTO keep VALUES (1); DROP TABLE gone; INSERT INTO keep VALUES (2); COMMIT");
    follows("INSERT INTO keep VALUES (3)");
}

TEST_P(DdlTest, WhatWasTakenBackNeverHappened) {
    begin(kTable);
    follows("BEGIN; ALTER TABLE t ADD COLUMN gone int; ROLLBACK; INSERT INTO t VALUES (3, 'x', 1, 'a', 'v');"
            "BEGIN; SAVEPOINT s; ALTER TABLE t DROP COLUMN s; ROLLBACK TO s; ALTER TABLE t ADD COLUMN kept int; INSERT INTO t VALUES (4, 'x', 1, 'a', 'v', 4); COMMIT");
}

TEST_P(DdlTest, RewritesThatChangeNoValueGoUnnoticed) {
    begin(kTable);
    follows({"VACUUM FULL t", "INSERT INTO t VALUES (3, 'x', 1, 'a', 'v')"});
    follows({"CLUSTER t USING t_pkey", "ALTER TABLE t ALTER s SET STATISTICS 5; COMMENT ON TABLE t IS 'c'", "CREATE INDEX CONCURRENTLY ON t (n)"});
    follows("CREATE TEMP TABLE t2 (id int); ALTER TABLE t2 ADD COLUMN x int; DROP TABLE t2; UPDATE t SET s = 'x'; ALTER TABLE t ALTER n SET DEFAULT 5, ALTER s SET NOT NULL");
}

TEST_P(DdlTest, ValuesThatTheLogDoesNotShowStop) {
    begin(kTable);
    needs_copy("ALTER TABLE t ADD COLUMN r float8 DEFAULT random()", "rewritten");
}

TEST_P(DdlTest, AnExpressionThatRewritesStops) {
    begin(kTable);
    needs_copy("ALTER TABLE t ALTER n TYPE bigint USING n * 2", "USING");
}

TEST_P(DdlTest, ARewriteByAFunctionStopsAsWell) {
    begin(kTable);
    needs_copy("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE ''ALTER TABLE t ALTER s TYPE text USING upper(s)''; END'; SELECT f()", "USING");
}

TEST_P(DdlTest, AnotherTypeStops) {
    begin(kTable);
    needs_copy("BEGIN; UPDATE t SET s = '1'; ALTER TABLE t ALTER s TYPE int USING s::int; COMMIT", "type of column s");
}

TEST_P(DdlTest, AnotherKeyStops) {
    begin(kTable);
    needs_copy("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (n)", "identify");
}

TEST_P(DdlTest, ByDefaultItStopsAndGoesOnAfterItWasDone) {
    begin(kTable);
    // What came before the change arrives, and so does everything after it.
    pair_.leader.exec("INSERT INTO t VALUES (10, 'before', 1, 'a', 'v')");
    stops_and_goes_on("ALTER TABLE t ADD COLUMN c int DEFAULT 7; INSERT INTO t VALUES (3, 'x', 1, 'a', 'v', 3)");
    stops_and_goes_on("ALTER TABLE t RENAME COLUMN n TO number; INSERT INTO t VALUES (4, 'x', 1, 'a', 'v', 3)");
    stops_and_goes_on("ALTER TABLE t DROP COLUMN s; INSERT INTO t VALUES (5, 1, 'a', 'v', 3)");
    stops_and_goes_on("ALTER TABLE t DROP COLUMN c, ADD COLUMN c int DEFAULT 8; INSERT INTO t VALUES (6, 1, 'a', 'v', 3)");
    stops_and_goes_on("ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (7, 1, 'a', 'v', 3)");
    stops_and_goes_on("BEGIN; INSERT INTO u VALUES (8, 1, 'a', 'v', 3); ALTER TABLE u ADD COLUMN d text; INSERT INTO u VALUES (9, 1, 'a', 'v', 3, 'd'); COMMIT");
    stops_and_goes_on("ALTER TYPE mood RENAME VALUE 'a' TO 'aa'; INSERT INTO u VALUES (11, 1, 'aa', 'v', 3, 'd')");
    if (GetParam() == Direction::pg_to_pg) {
        stops_and_goes_on("ALTER TABLE u ALTER number TYPE bigint; INSERT INTO u VALUES (12, 5000000000, 'aa', 'v', 3, 'd')");
        stops_and_goes_on("ALTER TYPE mood ADD VALUE 'b'");
        ASSERT_NO_FATAL_FAILURE(follows("INSERT INTO u VALUES (13, 1, 'b', 'v', 3, 'd')"));
    }
    pair_.leader.exec("CREATE TABLE other (id int PRIMARY KEY)");  // not part of the stream, and no reason to stop
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
}

TEST_P(DdlTest, TheStopStandsRightBeforeTheChange) {
    begin(kTable);
    pair_.leader.exec("INSERT INTO t VALUES (3, 'x', 1, 'a', 'v')");
    pair_.leader.exec("BEGIN; INSERT INTO t VALUES (4, 'x', 1, 'a', 'v'); ALTER TABLE t ADD COLUMN c int; COMMIT");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 7, "ADD COLUMN"));
    EXPECT_EQ(pair_.follower.value("SELECT max(id) FROM t"), "3");
}

// A backlog's groups took the beginning of a large transaction along: the stop at its change of shape took back what was whole before it, and what the
// message said to do on the follower could then not be done without undoing it again.
TEST_P(DdlTest, TheStopOfALargeTransactionKeepsWhatWasWholeBefore) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text, n int); CREATE TABLE big (id int PRIMARY KEY, s text)");
    for (int i = 10; i < 20; ++i) pair_.leader.exec("INSERT INTO t VALUES (" + std::to_string(i) + ", 'small', 1)");
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // then it is a backlog
    stops_and_goes_on("BEGIN; INSERT INTO big SELECT i, repeat('x', 1000000) FROM generate_series(1, 20) AS s(i); ALTER TABLE t DROP COLUMN n; "
                      "INSERT INTO t VALUES (200, 'after'); COMMIT");
}

TEST_P(DdlTest, AValueThatTheFollowerGotWrongIsNoticed) {
    begin(kTable);
    pair_.leader.exec("ALTER TABLE t ADD COLUMN c int DEFAULT 7");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 7, "ADD COLUMN"));
    pair_.follower.exec("ALTER TABLE t ADD COLUMN c bigint");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 7, "not with the value that old rows have"));
}

TEST_P(DdlTest, RowsOfTheOldShapeInTheSameTransaction) {
    begin(kTable);
    pair_.leader.exec("BEGIN; INSERT INTO t VALUES (4, 'x', 1, 'a', 'v'); ALTER TABLE t DROP COLUMN s; COMMIT");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 7, "--ddl apply"));
    follows("INSERT INTO t VALUES (5, 1, 'a', 'v')");
}

TEST_P(DdlTest, ARunningStreamGoesAlongAndTellsNewTables) {
    begin(kTable);
    const auto process = start_run(pair_.leader, pair_.follower, apply_);
    pair_.leader.exec("INSERT INTO t VALUES (3, 'x', 1, 'a', 'v')");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT n FROM t WHERE id = 3", "1"));
    pair_.leader.exec("ALTER TABLE t ADD COLUMN c int DEFAULT 7");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT c FROM t WHERE id = 1", "7"));
    pair_.leader.exec("CREATE TABLE fresh (id int PRIMARY KEY)");
    EXPECT_TRUE(process->wait_for_err("public.fresh is new on the leader", std::chrono::seconds{5}));
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0));
}

/// kill -9 around changes, again and again: each is applied once.
TEST_P(DdlTest, KilledAroundChanges) {
    begin("CREATE TABLE t (id int PRIMARY KEY, c0 int DEFAULT 0); INSERT INTO t SELECT g FROM generate_series(1, 100) g");
    for (int i = 1; i <= 5; ++i) {
        const auto process = start_run(pair_.leader, pair_.follower, apply_);
        pair_.leader.exec("BEGIN; INSERT INTO t SELECT 1000 * " + std::to_string(i) + " + g FROM generate_series(1, 300) g; ALTER TABLE t ADD COLUMN c" + std::to_string(i) +
                          " int DEFAULT " + std::to_string(i) + "; ALTER TABLE t DROP COLUMN c" + std::to_string(i - 1) + "; UPDATE t SET c" + std::to_string(i) +
                          " = -1 WHERE id % 7 = 0; COMMIT");
        std::this_thread::sleep_for(std::chrono::milliseconds{i * 60});
        process->kill(SIGKILL);
        process->wait();
    }
    follows("INSERT INTO t VALUES (0, 0)");
}

TEST_P(DdlTest, NothingIsLeftBehind) {
    begin(kTable);
    EXPECT_EQ(pair_.leader.value("SELECT count(*) FROM pg_event_trigger WHERE evtenabled = 'A'"), "3");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--stream", "second", "--on-existing", "truncate"}), 3)) << "the tables belong to a stream";
    ASSERT_TRUE(ended(rowferry(command("drop", pair_.leader, pair_.follower, {"--all"})), 0));
    EXPECT_EQ(leftovers(pair_.leader), std::vector<std::string>{});
}

/// The event triggers cannot write: the application's statements succeed all the same, and the catalog tells.
TEST_P(DdlTest, ABrokenTriggerHarmsNobody) {
    begin(kTable);
    pair_.leader.exec("DO $$ BEGIN CREATE ROLE weak; EXCEPTION WHEN OTHERS THEN NULL; END $$; REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, bytea) FROM PUBLIC;"
                      "GRANT USAGE, CREATE ON SCHEMA rowferry TO weak; ALTER EVENT TRIGGER rowferry_ddl DISABLE; ALTER FUNCTION rowferry.report_ddl() OWNER TO weak;"
                      "ALTER EVENT TRIGGER rowferry_ddl ENABLE ALWAYS");
    pair_.leader.exec("ALTER TABLE t ADD COLUMN c int");
    pair_.leader.exec("DROP TABLE IF EXISTS nothing; CREATE TABLE x (id int); DROP TABLE x; ALTER TABLE t ALTER n TYPE bigint");
    pair_.leader.exec("ALTER TABLE t ADD COLUMN e int DEFAULT 9");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, apply_), 7, "changed its shape"));
}

/// A leader role that may not make event triggers.
class PlainRoleTest : public DdlTest {
protected:
    void begin_plain(const std::string& sql) {
        pair_.leader.exec("DO $$ BEGIN CREATE ROLE plain LOGIN REPLICATION; EXCEPTION WHEN OTHERS THEN NULL; END $$; GRANT CREATE ON SCHEMA public TO plain");
        pair_.leader.exec("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO plain', current_database()); END $$");
        pair_.leader.exec("SET ROLE plain; " + sql);
        ASSERT_TRUE(ended(run(), 0));
        EXPECT_EQ(pair_.leader.value("SELECT count(*) FROM pg_event_trigger"), "0");
    }
    [[nodiscard]] RowferryResult run() const {
        return rowferry({"run", pair_.leader.cluster().uri(pair_.leader.name(), "plain"), pair_.follower.endpoint(), "--until", "current", "--ddl", "apply"});
    }
    void stops(const std::string& sql, const std::string& why) {
        pair_.leader.exec(sql);
        for (int i = 0; i < 2; ++i) {
            const RowferryResult result = run();
            EXPECT_TRUE(ended(result, 7, why)) << sql;
        }
    }
};

TEST_P(PlainRoleTest, ANewColumnWithoutADefaultIsFollowed) {
    begin_plain("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'a')");
    pair_.leader.exec("BEGIN; INSERT INTO t VALUES (2, 'b'); ALTER TABLE t ADD COLUMN c int; INSERT INTO t VALUES (3, 'c', 3); COMMIT; UPDATE t SET c = 1 WHERE id = 1");
    ASSERT_TRUE(ended(run(), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    pair_.leader.exec("VACUUM FULL t");
    pair_.leader.exec("ALTER TABLE t ALTER s SET DEFAULT 'x'; INSERT INTO t VALUES (4)");
    ASSERT_TRUE(ended(run(), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    EXPECT_EQ(pair_.leader.cluster().log().find("permission denied to create event trigger"), std::string::npos) << "it was asked first";
}

TEST_P(PlainRoleTest, ADefaultThatChangedEveryOldRowStops) {
    begin_plain("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'a')");
    stops("ALTER TABLE t ADD COLUMN e int DEFAULT 9", "copy-table");
}

TEST_P(PlainRoleTest, DroppedAndAddedUnderTheSameNameStops) {
    begin_plain("CREATE TABLE t (id int PRIMARY KEY, c int); INSERT INTO t VALUES (1, 1)");
    stops("ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c int DEFAULT 7; INSERT INTO t VALUES (2, 2)", "copy-table");
}

TEST_P(PlainRoleTest, ValuesOfARewriteStop) {
    begin_plain("CREATE TABLE t (id int PRIMARY KEY, c int); INSERT INTO t VALUES (1, 1)");
    stops("ALTER TABLE t ADD COLUMN r float8 DEFAULT random(); ALTER TABLE t ALTER r DROP DEFAULT; INSERT INTO t VALUES (2, 2)", "copy-table");
}

TEST_P(PlainRoleTest, ADroppedTableStops) {
    begin_plain("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE gone (id int PRIMARY KEY)");
    stops("DROP TABLE gone; INSERT INTO t VALUES (1)", "dropped");
}

INSTANTIATE_TEST_SUITE_P(All, PlainRoleTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

INSTANTIATE_TEST_SUITE_P(All, FamilyDdlTest, ::testing::Values(Direction::pg_to_pg), [](const auto& info) { return to_string(info.param); });
INSTANTIATE_TEST_SUITE_P(All, DdlTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
