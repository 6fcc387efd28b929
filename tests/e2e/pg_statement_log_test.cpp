// PostgreSQL captured by its statement log: what the log says was run is run again on a scratch, and the follower gets the rows that this changes.

#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;
using Options = std::vector<std::string>;

bool is_long() { return std::getenv("ROWFERRY_LONG") != nullptr; }

/// A server that writes its log in three formats at once.
PgCluster& logging_cluster() {
    static PgCluster cluster{{"logging_collector = on", "log_directory = 'log'", "log_filename = 'pg.log'", "log_destination = 'stderr,csvlog,jsonlog'", "log_statement = all", "log_file_mode = 0644", "log_disconnections = on",
                              "log_line_prefix = '%m [%p] %c %l %x %u@%d '"}};
    return cluster;
}

class PgStatementLog : public StreamTest {
protected:
    PgStatementLog() {
        ::setenv("ALLOW_UNFINISHED_CAPTURE", "pg-statements", 1);
        logging_cluster();
    }
    [[nodiscard]] static std::string log(const std::string& ending = "log") { return (logging_cluster().data() / "log" / ("pg." + ending)).string(); }
    [[nodiscard]] Options words(const std::string& command, Options options = {}, const std::string& ending = "log") const {
        Options result{command, leader_.endpoint(), follower_.endpoint(), "--capture", "statements", "--statement-log", log(ending), "--scratch", scratch_.endpoint()};
        result.insert(result.end(), options.begin(), options.end());
        return result;
    }
    [[nodiscard]] RowferryResult catch_up(Options options = {}, const std::string& ending = "log") const {
        options.insert(options.end(), {"--until", "current"});
        return rowferry(words("run", std::move(options), ending));
    }
    void leader(const std::string& sql) const { PgConnection{leader_.endpoint()}.exec(sql); }

    Database leader_ = Database::postgresql(logging_cluster(), "leader");
    Database scratch_ = Database::postgresql(PgCluster::shared(), "scratch");
    Database follower_ = Database::sqlite("follower");
};

TEST_F(PgStatementLog, NobodyIsOfferedWhatIsNotFinished) {
    ::unsetenv("ALLOW_UNFINISHED_CAPTURE");
    EXPECT_TRUE(ended(catch_up(), 2, "not finished"));
    EXPECT_TRUE(leftovers(leader_).empty());
}

TEST_F(PgStatementLog, EveryStatementOfTheLogIsRunAgain) {
    leader("CREATE TABLE account (id int PRIMARY KEY, owner text, amount numeric(12,2)); INSERT INTO account VALUES (1, 'ann', 10.00), (2, 'bob', 20.50);"
           "CREATE TABLE audit (id int PRIMARY KEY, amount numeric); "
           "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit VALUES (NEW.id, NEW.amount) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount; RETURN NEW; END$$;"
           "CREATE TRIGGER note AFTER INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION note()");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    leader("UPDATE account SET amount = amount * 2 WHERE id = 1");
    leader("INSERT INTO account VALUES (3, E'multi\\nline, \"quoted\"', 1)");
    PgConnection session{leader_.endpoint()};
    session.exec("BEGIN");
    session.exec("DELETE FROM account WHERE id = 2");
    session.exec("SAVEPOINT a");
    session.exec("UPDATE account SET amount = 0");
    session.exec("ROLLBACK TO a");
    session.exec("UPDATE account SET owner = 'carl' WHERE id = 3");
    session.exec("COMMIT");
    session.exec("BEGIN");
    session.exec("DELETE FROM account");
    session.exec("ROLLBACK");
    EXPECT_FALSE(session.try_exec("INSERT INTO account VALUES (1, 'twice', 1)"));
    session.exec("BEGIN");
    session.exec("INSERT INTO account VALUES (4, 'dora', 7)");
    session.exec("PREPARE TRANSACTION 'later'");
    session.exec("COMMIT PREPARED 'later'");
    session.exec("CREATE ROLE secretary PASSWORD 'hidden words'");
    session.exec("DROP ROLE secretary");
    const RowferryResult result = catch_up();
    ASSERT_TRUE(ended(result, 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(result.err.find("hidden"), std::string::npos);
    // The scratch is a part of it.
    EXPECT_TRUE(ended(rowferry({"drop", leader_.endpoint(), follower_.endpoint()}), 3, "--scratch"));
    const RowferryResult dropped = rowferry({"drop", leader_.endpoint(), follower_.endpoint(), "--scratch", scratch_.endpoint()});
    ASSERT_TRUE(ended(dropped, 0)) << dropped;
    EXPECT_EQ(scratch_.value("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'"), "0");
    EXPECT_TRUE(leftovers(leader_).empty());
}

/// log_statement writes a line before the statement runs: the UPDATE that waited stands before the COMMIT it waited for.
TEST_F(PgStatementLog, AStatementThatWaitedComesBehindTheOneItWaitedFor) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 1)");
    ASSERT_TRUE(ended(catch_up(), 0));
    PgConnection first{leader_.endpoint()};
    PgConnection second{leader_.endpoint()};
    first.exec("BEGIN");
    first.exec("UPDATE t SET n = n + 10 WHERE id = 1");
    first.exec("SELECT 'it has returned, so it has the row'");
    std::thread waits{[&] { second.exec("UPDATE t SET n = n * 2 WHERE id = 1"); }};
    ASSERT_TRUE(wait_for_value(leader_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE t%'", "1"));
    first.exec("COMMIT");
    waits.join();
    first.exec("SELECT 1");
    second.exec("SELECT 1");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_EQ(leader_.value("SELECT n FROM t WHERE id = 1"), "22");
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// Without a line in between nobody can say who had the row first.
TEST_F(PgStatementLog, WhereTheLogDoesNotTellTheOrderItStops) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 1)");
    ASSERT_TRUE(ended(catch_up(), 0));
    PgConnection first{leader_.endpoint()};
    PgConnection second{leader_.endpoint()};
    first.exec("UPDATE t SET n = 5 WHERE id = 2");
    first.exec("BEGIN");
    first.exec("UPDATE t SET n = n + 10 WHERE id = 1");
    std::thread waits{[&] { second.exec("UPDATE t SET n = n * 2 WHERE id = 1"); }};
    EXPECT_TRUE(wait_for_value(leader_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE t%'", "1"));
    first.exec("COMMIT");
    waits.join();
    EXPECT_TRUE(ended(catch_up(), 7, "which was first"));
    EXPECT_EQ(follower_.value("SELECT n FROM t WHERE id = 2"), "5");
}

TEST_F(PgStatementLog, WhatTheLogDoesNotDetermineIsAStopWithItsPlace) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int, at timestamptz, u uuid); CREATE TABLE s (id serial PRIMARY KEY, n int); CREATE TABLE d (id int PRIMARY KEY, at timestamptz DEFAULT now());"
           "INSERT INTO t SELECT i, i FROM generate_series(1, 10) i");
    ASSERT_TRUE(ended(catch_up(), 0));
    leader("UPDATE t SET n = n + 1 WHERE id = 1");
    leader("INSERT INTO s (n) VALUES (1)");
    RowferryResult result = catch_up();
    EXPECT_TRUE(ended(result, 7, "pg.log:"));
    EXPECT_NE(result.last_line.find("nextval()"), std::string::npos) << result;
    EXPECT_NE(result.last_line.find("public.s.id"), std::string::npos) << result;
    // What was whole before it has arrived.
    EXPECT_EQ(follower_.value("SELECT n FROM t WHERE id = 1"), "2");
    EXPECT_EQ(follower_.value("SELECT count(*) FROM s"), "0");
}

TEST_F(PgStatementLog, UndeterminedRowsAreTakenFromALeaderAtRest) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE s (id serial PRIMARY KEY, t int REFERENCES t, at timestamptz DEFAULT now(), x float); CREATE TABLE u (id int PRIMARY KEY, n int);"
           "INSERT INTO t SELECT i, i FROM generate_series(1, 10) i; INSERT INTO u VALUES (1, 1)");
    ASSERT_TRUE(ended(catch_up(), 0));
    leader("UPDATE u SET n = 2");
    PgConnection session{leader_.endpoint()};
    session.exec("BEGIN; INSERT INTO s (t) VALUES (1); ROLLBACK");  // its number is gone
    session.exec("INSERT INTO s (t, x) VALUES (2, random())");
    session.exec("UPDATE u SET n = 3");
    session.exec("UPDATE t SET n = (SELECT max(id) FROM s) WHERE id = 2");
    session.exec("DELETE FROM t WHERE id IN (SELECT id FROM t WHERE id > 2 ORDER BY random() LIMIT 3)");
    const RowferryResult stopped = catch_up();
    EXPECT_TRUE(ended(stopped, 7, "--on-nondeterministic"));
    EXPECT_EQ(follower_.value("SELECT n FROM u"), "2");
    const RowferryResult result = catch_up({"--on-nondeterministic", "rows=" + leader_.endpoint()});
    ASSERT_TRUE(ended(result, 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    // And it goes on by the log.
    leader("UPDATE t SET n = n + 1 WHERE id = 1");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

TEST_F(PgStatementLog, RowsThatAreInNoLogStop) {
    leader("CREATE TABLE t (id int PRIMARY KEY)");
    ASSERT_TRUE(ended(catch_up(), 0));
    const std::string pgbench = PgCluster::program("psql");
    ASSERT_EQ(run_program({pgbench, "-X", "-q", "-d", leader_.endpoint(), "-c", "\\copy t FROM PROGRAM 'echo 1'"}).exit_code, 0);
    EXPECT_TRUE(ended(catch_up(), 7, "COPY"));
}

TEST_F(PgStatementLog, AnotherServersLogIsRefused) {
    leader("CREATE TABLE t (id int PRIMARY KEY)");
    const Database stranger = Database::postgresql(PgCluster::shared(), "stranger");
    Options arguments = words("run", {"--until", "current"});
    arguments[1] = stranger.endpoint();
    EXPECT_TRUE(ended(rowferry(arguments), 3));
    EXPECT_FALSE(std::filesystem::exists(follower_.path()));
}

TEST_F(PgStatementLog, AKillAtAnyMomentLosesAndDoublesNothing) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE keyless (a int, b int); INSERT INTO t SELECT i, 0 FROM generate_series(1, 20) i");
    ASSERT_TRUE(ended(catch_up(), 0));
    std::atomic<bool> done{false};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 2; ++writer)
        writers.emplace_back([&, writer] {
            PgConnection session{leader_.endpoint()};
            for (int i = 0; !done; ++i) {
                session.exec("BEGIN");
                session.exec(fmt::format("UPDATE t SET n = n + 1 WHERE id = {}", writer * 10 + i % 10 + 1));
                session.exec(fmt::format("INSERT INTO keyless VALUES ({}, {})", writer, i));
                session.exec("COMMIT");
                std::this_thread::sleep_for(milliseconds{5});
            }
        });
    for (int kill = 0; kill < (is_long() ? 50 : 4); ++kill) {
        Rowferry process{words("run")};
        std::this_thread::sleep_for(milliseconds{150 + 250 * (kill % 4)});
        EXPECT_TRUE(process.running()) << process.err();
        process.kill(SIGKILL);
        process.wait();
    }
    done = true;
    for (std::thread& writer : writers) writer.join();
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// Four sessions of pgbench, whose history has the clock's microseconds, which no log has.
class PgBenchLog : public PgStatementLog, public ::testing::WithParamInterface<const char*> {};

TEST_P(PgBenchLog, ReplaysToExactlyTheLeadersTables) {
    const std::string pgbench = PgCluster::program("pgbench");
    if (pgbench.empty()) GTEST_SKIP() << "no pgbench";
    if (!is_long() && std::string{GetParam()} != "log") GTEST_SKIP() << "the other formats differ in the log's reader only, which has its own tests: ROWFERRY_LONG=1";
    ASSERT_EQ(run_program({pgbench, "-i", "-q", "-I", "dtGvp", "-s", "1", leader_.endpoint()}).exit_code, 0);
    ASSERT_TRUE(ended(catch_up({}, GetParam()), 0));
    const int each = is_long() ? 2500 : 50;
    const Outcome ran = run_program({pgbench, "-n", "-c", "4", "-j", "2", "-t", std::to_string(each), leader_.endpoint()});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    const RowferryResult stopped = catch_up({}, GetParam());
    EXPECT_TRUE(ended(stopped, 7, "CURRENT_TIMESTAMP"));
    const RowferryResult result = catch_up({"--on-nondeterministic", "rows=" + leader_.endpoint()}, GetParam());
    ASSERT_TRUE(ended(result, 0));
    EXPECT_EQ(follower_.value("SELECT count(*) FROM pgbench_history"), std::to_string(4 * each));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

INSTANTIATE_TEST_SUITE_P(Formats, PgBenchLog, ::testing::Values("log", "csv", "json"), [](const auto& info) { return std::string{info.param}; });

}  // namespace
}  // namespace rowferry::test
