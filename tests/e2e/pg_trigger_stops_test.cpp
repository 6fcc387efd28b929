// PostgreSQL captured by triggers: what stops a stream and says so, what is followed, and that the leader's log stays small.

#include <signal.h>

#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

using Options = std::vector<std::string>;

class PgTriggerStops : public StreamTest {
protected:
    Database leader_ = Database::postgresql(PgCluster::shared(), "leader");
    Database follower_ = Database::sqlite("follower");

    [[nodiscard]] RowferryResult catch_up(Options options = {}) const {
        options.insert(options.end(), {"--capture", "triggers"});
        return run_until_current(leader_, follower_, options);
    }
    void begin(const std::string& sql) const {
        leader_.exec(sql);
        ASSERT_TRUE(ended(catch_up(), 0));
        ASSERT_TRUE(same_rows(leader_, follower_));
    }
    void copied_again(const std::string& table) const {
        ASSERT_TRUE(ended(rowferry(command("copy-table", leader_, follower_, {"--table", table})), 0));
        ASSERT_TRUE(ended(catch_up(), 0));
        EXPECT_TRUE(same_rows(leader_, follower_));
    }
};

TEST_F(PgTriggerStops, AGapInTheCaptureIsNeverPassedOver) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'a')");
    for (const std::string& gap : Options{"DROP TRIGGER rowferry_insert ON t; INSERT INTO t VALUES (2, 'b')", "ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET s = 'c'; ALTER TABLE t ENABLE TRIGGER ALL",
                                          "ALTER TABLE t DISABLE TRIGGER rowferry_delete; DELETE FROM t; ALTER TABLE t ENABLE ALWAYS TRIGGER rowferry_delete; INSERT INTO t VALUES (1, 'a')"}) {
        leader_.exec(gap);
        EXPECT_TRUE(ended(catch_up(), 7, "table public.t")) << gap;
        copied_again("t");
    }
    // Another stream's new triggers do not hide it either.
    leader_.exec("DROP TRIGGER rowferry_update ON t; UPDATE t SET s = 'unseen'");
    const Database other = Database::sqlite("other");
    ASSERT_TRUE(ended(run_until_current(leader_, other, {"--capture", "triggers", "--stream", "other"}), 0));
    EXPECT_TRUE(ended(catch_up(), 7, "not those with which the stream began"));
    // A running stream sees it, too.
    copied_again("t");
    const auto process = start_run(leader_, follower_);
    ASSERT_TRUE(process->wait_for_err("following"));
    leader_.exec("DROP TRIGGER rowferry_update ON t; INSERT INTO t VALUES (50, 'seen')");
    EXPECT_TRUE(ended(*process, 7, "dropped, disabled or replaced"));
}

TEST_F(PgTriggerStops, AColumnWithoutDefaultIsFollowedAndOtherShapesStop) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text, n int); INSERT INTO t VALUES (1, 'a', 1); CREATE TABLE u (id int PRIMARY KEY, a int, b int); INSERT INTO u VALUES (1, 2, 3)");
    leader_.exec("INSERT INTO t VALUES (2, 'b', 2); ALTER TABLE t ADD x int; INSERT INTO t VALUES (3, 'c', 3, 33); ALTER TABLE t ADD y text; UPDATE t SET y = 'y' WHERE id = 1; DELETE FROM t WHERE id = 2");
    EXPECT_TRUE(ended(catch_up(), 7, "ADD COLUMN")) << "--ddl stop";
    ASSERT_TRUE(ended(catch_up({"--ddl", "apply"}), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    leader_.exec("INSERT INTO t VALUES (4, 'd', 4, 44, 'yy'); ALTER TABLE t ALTER s SET NOT NULL; CREATE INDEX ON t (n)");
    ASSERT_TRUE(ended(catch_up({"--ddl", "apply"}), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    leader_.exec("ALTER TABLE u DROP a; ALTER TABLE u ADD a int; INSERT INTO u VALUES (2, 3, 2)");
    EXPECT_TRUE(ended(catch_up({"--ddl", "apply"}), 7, "table public.u"));
    copied_again("u");
    for (const std::string& change : Options{"ALTER TABLE u ALTER b TYPE bigint", "ALTER TABLE u RENAME b TO c", "ALTER TABLE u ADD d int DEFAULT 7", "ALTER TABLE u DROP CONSTRAINT u_pkey"}) {
        leader_.exec(change + "; INSERT INTO u (id) VALUES ((SELECT max(id) + 1 FROM u))");
        EXPECT_TRUE(ended(catch_up({"--ddl", "apply"}), 7, "table public.u")) << change;
        copied_again("u");
    }
}

TEST_F(PgTriggerStops, AnotherHistoryIsNoticedOnBothSides) {
    begin("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    const std::string old = follower_.path().string() + ".backup";
    std::filesystem::copy_file(follower_.path(), old);
    leader_.exec("INSERT INTO t VALUES (2)");
    const auto process = start_run(leader_, follower_);
    ASSERT_TRUE(shows(*process, follower_, "SELECT count(*) FROM t", "2"));
    ASSERT_TRUE(wait_for_value(leader_, "SELECT acked > 1 FROM rowferry.capture_stream", "t"));
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    EXPECT_TRUE(ended(run_until_current(leader_, Database::sqlite_at(old)), 7, "restored from a backup"));
    // The leader without its end, and with another one in its place.
    leader_.exec("UPDATE rowferry.capture_tick SET tag = gen_random_uuid()");
    EXPECT_TRUE(ended(catch_up(), 7, "diverged"));
    leader_.exec("DELETE FROM rowferry.capture_tick");
    EXPECT_TRUE(ended(catch_up(), 7, "diverged"));
    leader_.exec("DELETE FROM rowferry.capture_stream");
    EXPECT_TRUE(ended(catch_up(), 7, "gone from the leader"));
}

TEST_F(PgTriggerStops, StreamsShareTheirTriggersAndDropTakesOnlyItsOwn) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1, 'a')");
    const Database other = Database::postgresql(PgCluster::shared(), "other");
    ASSERT_TRUE(ended(run_until_current(leader_, other, {"--capture", "triggers", "--stream", "other", "--table", "t"}), 0));
    const Database third = Database::sqlite("third");
    ASSERT_TRUE(ended(run_until_current(leader_, third, {"--capture", "logical", "--stream", "third"}), 0)) << "both methods side by side";
    EXPECT_TRUE(ended(run_until_current(leader_, Database::sqlite("fourth"), {"--capture", "triggers"}), 3, "exists on this leader for another follower"));
    leader_.exec("INSERT INTO t VALUES (2, 'b'); INSERT INTO u VALUES (2)");
    ASSERT_TRUE(ended(catch_up(), 0));
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    EXPECT_EQ(leader_.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'u'::regclass"), "0");
    leader_.exec("UPDATE t SET s = 'c'");
    ASSERT_TRUE(ended(run_until_current(leader_, other, {"--stream", "other", "--table", "t"}), 0));
    ASSERT_TRUE(ended(run_until_current(leader_, third, {"--stream", "third"}), 0));
    EXPECT_TRUE(same_rows(leader_, other, {"t"}));
    EXPECT_TRUE(same_rows(leader_, third));
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, other, {"--stream", "other"})), 0));
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, third, {"--all"})), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
}

/// A follower that is a leader: what a stream writes, with session_replication_role = replica, is captured as well.
TEST_F(PgTriggerStops, AFollowerIsALeaderForTheNext) {
    const Database middle = Database::postgresql(PgCluster::shared(), "middle");
    leader_.exec("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i");
    ASSERT_TRUE(ended(run_until_current(leader_, middle, {"--capture", "triggers"}), 0));
    ASSERT_TRUE(ended(run_until_current(middle, follower_, {"--capture", "triggers", "--stream", "next"}), 0));
    leader_.exec("INSERT INTO t SELECT i, 'w' FROM generate_series(101, 300) i; UPDATE t SET s = 'x' WHERE id % 7 = 0; DELETE FROM t WHERE id % 11 = 0; UPDATE t SET id = -id WHERE id < 10");
    ASSERT_TRUE(ended(run_until_current(leader_, middle), 0));
    leader_.exec("INSERT INTO t VALUES (1000, 'one')");
    ASSERT_TRUE(ended(run_until_current(leader_, middle), 0));
    ASSERT_TRUE(ended(run_until_current(middle, follower_, {"--stream", "next"}), 0));
    EXPECT_TRUE(same_rows(leader_, middle));
    EXPECT_TRUE(same_rows(middle, follower_));
    ASSERT_TRUE(ended(rowferry(command("drop", middle, follower_, {"--stream", "next"})), 0));
    EXPECT_TRUE(middle.ready()) << "it is still a follower";
}

/// The log is emptied behind the stream, also while a transaction stays open, and nobody waits for that.
TEST_F(PgTriggerStops, TheLogStaysSmall) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text); CREATE TABLE idle (id int PRIMARY KEY)");
    // Takes our tables in, whose updates and deletes then need a key.
    leader_.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    const auto process = start_run(leader_, follower_);
    ASSERT_TRUE(process->wait_for_err("following"));
    PgConnection open{leader_.uri()};
    open.exec("BEGIN; INSERT INTO idle VALUES (1)");
    // What the first partition holds stays, as the open transaction wrote to it; the others take turns.
    for (const char* next : {"1", "2", "1"}) {
        // As if the tables of other streams were written to: entries of relations that are none of this one's.
        leader_.exec("INSERT INTO rowferry.capture_change (slot, seq, xid, rel, op, depth, news) SELECT current, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, 0, 'I', 1, "
                     "ARRAY[repeat('x', 35000000)] FROM rowferry.capture_slot, generate_series(1, 2); INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t");
        EXPECT_TRUE(wait_for_value(leader_, "SELECT current FROM rowferry.capture_slot", next)) << process->err();
    }
    EXPECT_TRUE(wait_for_value(leader_, "SELECT sum(pg_total_relation_size(oid)) < 100000000 FROM pg_class WHERE relname ~ '^capture_change_[0-9]$'", "t"));
    EXPECT_TRUE(wait_for_value(leader_, "SELECT pg_relation_size('rowferry.capture_change_0') > 0", "t"));
    open.exec("COMMIT");
    EXPECT_TRUE(shows(*process, follower_, "SELECT count(*) FROM idle", "1"));
    EXPECT_TRUE(wait_for_value(leader_, "SELECT pg_relation_size('rowferry.capture_change_0')", "0"));
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// The trigger's statement is planned once per session: for one row, and then serves many.
/// The function's change is logged in front of the statement's own, of which it was the successor. No trigger is involved that would make it a table logged row by row.
TEST_F(PgTriggerStops, AFunctionThatChangesRowsOfItsOwnStatementsTableIsNoticed) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text, n int); INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0);"
          "CREATE TABLE u (id int PRIMARY KEY, s text, n int); INSERT INTO u SELECT * FROM t;"
          "CREATE FUNCTION touch(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF i = 3 THEN UPDATE u SET n = n + 100 WHERE id = 1; END IF; RETURN i; END $$;"
          "CREATE FUNCTION busy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET s = s || '!';\n UPDATE t SET n = n + 1\n WHERE id = 1; UPDATE t SET id = id + 10; END $$");
    // Many statements of one function on one table, deeper and less deep ones, are in order.
    leader_.exec("BEGIN; SELECT busy(); UPDATE t SET id = id - 10; UPDATE t SET s = 'x' WHERE id = 1; SELECT busy(); UPDATE t SET id = -id; UPDATE t SET id = -id - 10; COMMIT");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    const std::string nested = "UPDATE u SET s = 'outer', n = touch(id) WHERE id IN (1, 3)";
    leader_.exec(nested);
    ASSERT_EQ(leader_.value("SELECT s || n FROM u WHERE id = 1"), "outer101");
    EXPECT_TRUE(ended(catch_up(), 7, "was still running"));
    copied_again("u");
    leader_.exec("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER none AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION nothing()");
    copied_again("u");
    leader_.exec("TRUNCATE u; INSERT INTO u VALUES (1, 'a', 0), (3, 'c', 0)");
    leader_.exec(nested);
    EXPECT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// Two sessions whose entries stand between each other's: what belongs to one statement stays one, or the foreign keys between its tables would be in the way.
TEST_F(PgTriggerStops, TruncatesOfTwoTransactionsDoNotTearEachOtherApart) {
    const Database follower = Database::postgresql(PgCluster::shared(), "follower");
    leader_.exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a); CREATE TABLE c (id int PRIMARY KEY); CREATE TABLE d (id int PRIMARY KEY REFERENCES c);"
                 "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1); INSERT INTO d VALUES (1);"
                 // Behind ours by its name: holds a TRUNCATE between the entries of its two tables.
                 "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(TG_ARGV[0]::int); RETURN NULL; END $$;"
                 "CREATE TRIGGER z AFTER TRUNCATE ON a FOR EACH STATEMENT EXECUTE FUNCTION pause(1); CREATE TRIGGER z AFTER TRUNCATE ON c FOR EACH STATEMENT EXECUTE FUNCTION pause(2)");
    ASSERT_TRUE(ended(run_until_current(leader_, follower, {"--capture", "triggers"}), 0));
    PgConnection holder{leader_.uri()};
    holder.exec("SELECT pg_advisory_lock(1), pg_advisory_lock(2)");
    const auto truncate = [&](const char* tables) { return std::thread{[this, tables] { leader_.exec(std::string{"TRUNCATE "} + tables); }}; };
    const auto wait_for = [&](const char* waiting) { return wait_for_value(leader_, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", waiting); };
    std::thread one = truncate("a, b");
    EXPECT_TRUE(wait_for("1"));
    std::thread other = truncate("c, d");
    EXPECT_TRUE(wait_for("2"));
    holder.exec("SELECT pg_advisory_unlock(1)");
    one.join();
    holder.exec("SELECT pg_advisory_unlock(2)");
    other.join();
    leader_.exec("INSERT INTO c VALUES (7); INSERT INTO d VALUES (7)");
    EXPECT_EQ(leader_.value("SELECT string_agg(rel::regclass::text, ' ' ORDER BY seq) FROM rowferry.capture_change WHERE op = 'T'"), "a c b d");
    EXPECT_TRUE(ended(run_until_current(leader_, follower, {"--capture", "triggers"}), 0));
    EXPECT_TRUE(same_rows(leader_, follower));
}

TEST_F(PgTriggerStops, ASmallUpdateDoesNotSlowALargeOneDown) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text, n int); INSERT INTO t SELECT i, 'v' || i, 0 FROM generate_series(1, 20000) i");
    PgConnection session{leader_.uri()};
    session.exec("SET statement_timeout = '20s'; SET enable_hashjoin = off");
    session.exec("UPDATE t SET n = 1 WHERE id = 1");
    const auto begun = std::chrono::steady_clock::now();
    session.exec("UPDATE t SET n = n + 1");
    session.exec("UPDATE t SET id = id + 1000000 WHERE id > 100");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

TEST_F(PgTriggerStops, AnEntryOfTheLogHoldsFewMegabytes) {
    begin("CREATE TABLE t (id int PRIMARY KEY, s text)");
    const auto largest = [&] {
        return leader_.value("SELECT max((SELECT coalesce(sum(octet_length(o)), 0) FROM unnest(olds) o) + (SELECT coalesce(sum(octet_length(n)), 0) FROM unnest(news) n)) <= 4000000 "
                             "AND count(*) > 3 AND max(greatest(cardinality(olds), cardinality(news))) > 3 FROM rowferry.capture_change");
    };
    leader_.exec("INSERT INTO t SELECT i, repeat('x', 300000) FROM generate_series(1, 60) i");
    EXPECT_EQ(largest(), "t");
    leader_.exec("UPDATE t SET s = s || 'y', id = id + 1000");
    EXPECT_EQ(largest(), "t");
    leader_.exec("DELETE FROM t WHERE id > 1020");
    EXPECT_EQ(largest(), "t");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    // One row that is larger is an entry of its own.
    leader_.exec("INSERT INTO t SELECT i, repeat('x', CASE i WHEN 102 THEN 9000000 ELSE 10 END) FROM generate_series(100, 104) i");
    EXPECT_EQ(leader_.value("SELECT count(*) FROM rowferry.capture_change WHERE octet_length(news[1]) > 4000000 AND cardinality(news) = 1"), "1");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// What a drop could not remove, because of a lock or because it was killed, the next one does; and what a dump brought along, whose numbers of tables are others.
TEST_F(PgTriggerStops, ADropIsFinishedByTheNextOne) {
    begin("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY)");
    PgConnection writer{leader_.uri()};
    writer.exec("BEGIN; INSERT INTO b VALUES (1)");
    const RowferryResult first = rowferry(command("drop", leader_, follower_));
    EXPECT_NE(first.exit_code, 0) << first;
    EXPECT_NE(first.err.find("public.b: in use by transactions that last"), std::string::npos) << first;
    EXPECT_EQ(leader_.value("SELECT string_agg(DISTINCT tgrelid::regclass::text, ' ') FROM pg_trigger WHERE NOT tgisinternal"), "b") << "the others are done";
    EXPECT_EQ(leader_.value("SELECT string_agg(rel::regclass::text, ' ') FROM rowferry.capture_member"), "b");
    writer.exec("COMMIT");
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
    for (const char* before : {"DELETE FROM rowferry.capture_member", "DELETE FROM rowferry.capture_stream", "UPDATE rowferry.capture_member SET rel = (rel::bigint + 1000000)::oid"}) {
        ASSERT_TRUE(ended(catch_up({"--on-existing", "truncate"}), 0)) << before;
        leader_.exec(before);
        ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0)) << before;
        EXPECT_EQ(leftovers(leader_), Options{}) << before;
        leader_.exec("INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a");
    }
}

}  // namespace
}  // namespace rowferry::test
