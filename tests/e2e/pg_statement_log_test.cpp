// PostgreSQL captured by its statement log: what the log says was run is run again on a scratch, and the follower gets the rows that this changes.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"
#include "tests/support/syslog_listener.h"
#include "tests/support/tail_records.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;
using Options = std::vector<std::string>;

bool is_long() { return std::getenv("ROWFERRY_LONG") != nullptr; }

SyslogListener& syslog_listener() {
    static SyslogListener listener{new_temp_dir("syslog") / "syslog"};
    return listener;
}

/// A server that writes its log in all formats at once.
PgCluster& logging_cluster() {
    static_cast<void>(syslog_listener());
    static PgCluster cluster{{"logging_collector = on", "log_directory = 'log'", "log_filename = 'pg.log'", "log_destination = 'stderr,csvlog,jsonlog,syslog'", "log_statement = all", "log_file_mode = 0644",
                              "log_disconnections = on", "log_line_prefix = '%m [%p] %c %l %v %x %u@%d '"}};
    // A session's beginning is known to the second, and one that may have begun before the server's settings were loaded is not trusted.
    static const bool later = (std::this_thread::sleep_for(milliseconds{1100}), true);
    static_cast<void>(later);
    return cluster;
}

bool eventually(const std::function<bool()>& is_so) {
    for (int attempt = 0; attempt < 200; ++attempt, std::this_thread::sleep_for(milliseconds{50}))
        if (is_so()) return true;
    return false;
}

/// A statement of a driver that says its parameters' types.
void exec_typed(PgConnection& session, const std::string& sql, const std::vector<std::pair<Oid, std::string>>& parameters) {
    std::vector<Oid> types;
    std::vector<const char*> values;
    for (const auto& [type, value] : parameters) {
        types.push_back(type);
        values.push_back(value.c_str());
    }
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{
        PQexecParams(session.get(), sql.c_str(), static_cast<int>(values.size()), types.data(), values.data(), nullptr, nullptr, 0), &PQclear};
    ASSERT_TRUE(PQresultStatus(result.get()) == PGRES_COMMAND_OK || PQresultStatus(result.get()) == PGRES_TUPLES_OK) << PQresultErrorMessage(result.get());
}

// pg_type.oid of what drivers say.
constexpr Oid kBool = 16;
constexpr Oid kInt8 = 20;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kFloat8 = 701;
constexpr Oid kVarchar = 1043;
constexpr Oid kTimestamptz = 1184;
constexpr Oid kNumeric = 1700;

class PgStatementLog : public StreamTest {
protected:
    PgStatementLog() {
        logging_cluster();
    }
    [[nodiscard]] static std::string log(const std::string& ending = "log") { return (logging_cluster().data() / "log" / ("pg." + ending)).string(); }
    [[nodiscard]] nlohmann::json positions() const {
        const RowferryResult result = rowferry(words("positions", {"--json"}));
        EXPECT_TRUE(ended(result, 0));
        return nlohmann::json::parse(result.out);
    }
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

/// First, as the scratch's server has to recover less then.
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
                std::this_thread::sleep_for(milliseconds{30});
            }
        });
    for (int kill = 0; kill < (is_long() ? 50 : 4); ++kill) {
        Rowferry process{words("run")};
        std::this_thread::sleep_for(milliseconds{150 + 250 * (kill % 4)});
        // What the scratch's server forgets in a crash nobody has been given, and without its connection rowferry tries again.
        if (kill % 4 == 3) {
            PgCluster::shared().kill9();
            PgCluster::shared().start();
            EXPECT_TRUE(shows(process, follower_, "SELECT count(*) > " + follower_.value("SELECT count(*) FROM keyless") + " FROM keyless", "1"));
        }
        EXPECT_TRUE(process.running()) << process.err();
        process.kill(SIGKILL);
        process.wait();
    }
    done = true;
    for (std::thread& writer : writers) writer.join();
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
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
    EXPECT_EQ(positions().at("caught_up"), false);
    const RowferryResult result = catch_up();
    ASSERT_TRUE(ended(result, 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(positions().at("caught_up"), true);
    EXPECT_EQ(result.err.find("hidden"), std::string::npos);
    // A table that was made meanwhile is taken in from the scratch.
    leader("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)");
    ASSERT_TRUE(ended(catch_up(), 0));
    ASSERT_TRUE(ended(rowferry(words("copy-table", {"--table", "late"})), 0));
    leader("INSERT INTO late VALUES (2)");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(follower_.value("SELECT count(*) FROM late"), "2");
    // Rows that are in no log.
    ASSERT_EQ(run_program({PgCluster::program("psql"), "-X", "-q", "-d", leader_.endpoint(), "-c", "\\copy audit (id) FROM PROGRAM 'echo 77'"}).exit_code, 0);
    EXPECT_TRUE(ended(catch_up(), 7, "COPY"));
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
    // Without a line in between nobody can say who had the row first.
    first.exec("UPDATE t SET n = 5 WHERE id = 2");
    first.exec("BEGIN");
    first.exec("UPDATE t SET n = n + 10 WHERE id = 1");
    std::thread waits_again{[&] { second.exec("UPDATE t SET n = n * 2 WHERE id = 1"); }};
    EXPECT_TRUE(wait_for_value(leader_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE t%'", "1"));
    first.exec("COMMIT");
    waits_again.join();
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
    // By which isolation statements ran that are still to be read is not known where that was changed meanwhile.
    leader("ALTER DATABASE " + leader_.value("SELECT current_database()") + " SET default_transaction_isolation = 'serializable'");
    EXPECT_TRUE(ended(catch_up(), 7, "the isolation that its sessions begin with"));
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
    // A table that gets another name in between would be lost from sight.
    leader("INSERT INTO s (t) VALUES (1)");
    leader("ALTER TABLE s RENAME TO z");
    EXPECT_TRUE(ended(catch_up({"--on-nondeterministic", "rows=" + leader_.endpoint()}), 7, "shape or name"));
}

/// A log has parameters' values and not their types.
TEST_F(PgStatementLog, ParametersAreReplayedWhereEveryTypeComesToTheSame) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int, big bigint, name text, price numeric(12,2), sure bool, at timestamptz, x float8); INSERT INTO t (id, n) VALUES (1, 1);"
           "CREATE FUNCTION put(int) RETURNS void LANGUAGE sql AS $$INSERT INTO t (id, name) VALUES ($1, 'an integer')$$;"
           "CREATE FUNCTION put(text) RETURNS void LANGUAGE sql AS $$INSERT INTO t (id, name) VALUES ($1::int, 'a text')$$");
    // What a session had set before the log is read is in the log, too.
    PgConnection older{leader_.endpoint()};
    older.exec("SET TimeZone = 'Asia/Tokyo'");
    ASSERT_TRUE(ended(catch_up(), 0));
    older.exec("INSERT INTO t (id, at) VALUES (10, '2026-11-20 10:00:00')");
    older.exec("SELECT 'it has returned'");
    PgConnection session{leader_.endpoint()};
    exec_typed(session, "INSERT INTO t (id, n, big, name, price, sure, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
               {{kInt8, "2"}, {kInt4, "-5"}, {kInt8, "9007199254740993"}, {kVarchar, "it's"}, {kNumeric, "12.50"}, {kBool, "true"}, {kTimestamptz, "2026-11-20 10:00:00.5+02"}});
    exec_typed(session, "UPDATE t SET n = n + $1, name = $2 WHERE id IN ($3, $4) AND name LIKE $5", {{kInt8, "7"}, {kText, "other"}, {kInt4, "2"}, {kInt8, "3"}, {kText, "it%"}});
    exec_typed(session, "DELETE FROM t WHERE id = $1", {{kNumeric, "1"}});
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(leader_.value("SELECT n FROM t WHERE id = 2"), "2");
    exec_typed(session, "SELECT put($1)", {{kInt4, "3"}});
    exec_typed(session, "INSERT INTO t (id, name) VALUES ($1, $2)", {{kInt4, "4"}, {kBool, "t"}});
    exec_typed(session, "INSERT INTO t (id, x) VALUES ($1, $2)", {{kInt4, "5"}, {700, "0.1"}});
    const RowferryResult stopped = catch_up();
    EXPECT_TRUE(ended(stopped, 7, "bind parameter"));
    EXPECT_EQ(leader_.value("SELECT name FROM t WHERE id = 4"), "true");
    ASSERT_TRUE(ended(catch_up({"--on-nondeterministic", "rows=" + leader_.endpoint()}), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    // What the scratch refuses may quote a row.
    exec_typed(session, "UPDATE t SET n = $1 WHERE id = 2", {{kFloat8, "41.25"}});
    const RowferryResult refused = catch_up();
    EXPECT_TRUE(ended(refused, 7, "SQLSTATE 22P02"));
    EXPECT_EQ(refused.err.find("41.25"), std::string::npos) << refused.err;
}

TEST_F(PgStatementLog, AnotherServersLogIsRefused) {
    leader("CREATE TABLE t (id int PRIMARY KEY)");
    const Database stranger = Database::postgresql(PgCluster::shared(), "stranger");
    Options arguments = words("run", {"--until", "current"});
    arguments[1] = stranger.endpoint();
    EXPECT_TRUE(ended(rowferry(arguments), 3));
    EXPECT_FALSE(std::filesystem::exists(follower_.path()));
}

/// Whatever would make the log or the scratch say something else than the leader is found before anything is made.
TEST_F(PgStatementLog, ALeaderOrAScratchThatWouldNotAgreeIsRefused) {
    leader("CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE quiet");
    const auto refuses = [&](const std::string& sql, const std::string& undo, const std::string& why) {
        leader(sql);
        EXPECT_TRUE(ended(catch_up(), 3, why)) << sql;
        leader(undo);
    };
    refuses("ALTER ROLE quiet SET log_statement = 'none'", "ALTER ROLE quiet RESET ALL", "quiet has its own log_statement");
    refuses("ALTER ROLE quiet SET default_transaction_isolation = 'serializable'", "ALTER ROLE quiet RESET ALL", "default_transaction_isolation");
    refuses("ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo'", "ALTER ROLE postgres RESET ALL", "rowferry's own role");
    leader("DROP ROLE quiet");
    // Its rows are in no statement.
    leader("CREATE SUBSCRIPTION feeds CONNECTION '" + PgCluster::shared().uri("no_such_database") + "' PUBLICATION p WITH (connect = false)");
    refuses("ALTER SUBSCRIPTION feeds ENABLE", "ALTER SUBSCRIPTION feeds DISABLE; ALTER SUBSCRIPTION feeds SET (slot_name = NONE); DROP SUBSCRIPTION feeds", "feeds");
    // Another order of texts.
    const std::string there = leader_.value("SELECT datcollate FROM pg_database WHERE datname = current_database()");
    const std::string other = there == "C" ? "C.UTF-8" : "C";
    PgCluster::shared().exec("postgres", "CREATE DATABASE sorts_otherwise TEMPLATE template0 LC_COLLATE '" + other + "' LC_CTYPE '" + other + "'");
    Options arguments = words("run", {"--until", "current"});
    *(std::ranges::find(arguments, "--scratch") + 1) = PgCluster::shared().uri("sorts_otherwise");
    EXPECT_TRUE(ended(rowferry(arguments), 3, "LC_COLLATE"));
    EXPECT_FALSE(std::filesystem::exists(follower_.path()));
    EXPECT_EQ(scratch_.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rowferry%'"), "0");
}

/// The state before the log and the log are enough: no leader is asked. `tail` shows the same changes, and `copy-table` takes a table from the scratch.
TEST_F(PgStatementLog, ALogIsRunFromTheStateBeforeIt) {
    const std::string shape = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 5) i; CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)";
    leader(shape);
    const Database before = Database::postgresql(PgCluster::shared(), "before");
    PgConnection{before.endpoint()}.exec(shape);
    leader("SELECT 'the log begins behind this'");
    const auto all = [] { return read_file(log("csv")); };
    ASSERT_TRUE(eventually([&] { return all().find("the log begins behind this") != std::string::npos && all().ends_with('\n'); }));
    std::size_t begins = 0;
    ASSERT_TRUE(eventually([&] {
        // The session's own end is the last that must not be cut off from it.
        const std::string text = all();
        begins = text.size();
        return text.find("disconnection", text.rfind("the log begins behind this")) != std::string::npos;
    }));
    leader("UPDATE t SET n = n + 10 WHERE id = 1");
    leader("INSERT INTO t VALUES (6, 6); DELETE FROM t WHERE id = 2");
    leader("SELECT 'the log ends here'");
    ASSERT_TRUE(eventually([&] { return all().find("disconnection", all().rfind("the log ends here")) != std::string::npos; }));
    const std::string file = (new_temp_dir("piece") / "piece.csv").string();
    std::ofstream{file, std::ios::binary} << all().substr(begins);
    const std::string name = leader_.value("SELECT current_database()");
    const Options given{"--capture", "statements", "--statement-log", file, "--scratch", scratch_.endpoint(), "--log-start", before.endpoint(), "--log-database", name};
    Options run{"run", leader_.endpoint(), follower_.endpoint(), "--until", "current"};
    run.insert(run.end(), given.begin(), given.end());
    ASSERT_TRUE(ended(rowferry(run), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(follower_.value("SELECT n FROM t WHERE id = 1"), "11");
    // It is there once, however often it is read.
    ASSERT_TRUE(ended(rowferry(run), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(rowferry({"drop", leader_.endpoint(), follower_.endpoint(), "--scratch", scratch_.endpoint()}).exit_code, 0);

    Options tail{"tail", leader_.endpoint(), "--format", "json", "--stream", "watch", "--state", (new_temp_dir("tail") / "watch.db").string(), "--until", "current"};
    tail.insert(tail.end(), given.begin(), given.end());
    const RowferryResult shown = rowferry(tail);
    ASSERT_TRUE(ended(shown, 0));
    EXPECT_TRUE(valid_records(shown.out));
    const auto changes = changes_of(parse_records(shown.out));
    ASSERT_EQ(changes.size(), 3U) << shown.out;
    EXPECT_EQ(changes[0].at("after").at("n"), 11) << shown.out;
}

/// The copy's place in the log is found under locks. Whoever stops rowferry just then, the leader's writers wait no longer than a moment.
TEST_F(PgStatementLog, AFrozenRowferryHoldsNoLocksOnTheLeader) {
    leader("CREATE TABLE t (id int PRIMARY KEY)");
    Rowferry process{words("run")};
    PgConnection watcher{leader_.endpoint()};
    const auto holds = [&] { return watcher.value("SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted AND relation = 't'::regclass") != "0"; };
    bool held = false;
    for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20}; !held && std::chrono::steady_clock::now() < until;) held = holds();
    ASSERT_TRUE(held) << process.err();
    process.kill(SIGSTOP);
    const auto begun = std::chrono::steady_clock::now();
    PgConnection{leader_.endpoint()}.exec("INSERT INTO t VALUES (1)");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{5});
    process.kill(SIGCONT);
    EXPECT_TRUE(becomes_ready(process, follower_));
    EXPECT_TRUE(shows(process, follower_, "SELECT count(*) FROM t", "1"));
}

/// What each format's stream needs: a scratch and a follower of its own.
struct Replica {
    std::string log;
    Database scratch = Database::postgresql(PgCluster::shared(), "scratch");
    Database follower = Database::sqlite("follower");
};

/// Four sessions of pgbench, whose history has the clock's microseconds, which no log has, read in all four formats.
/// What a session does behind a statement, or a procedure, that is at work while the copy begins is in no transaction of that one.
TEST_F(PgStatementLog, AStatementAndAProcedureAreAtWorkWhereItBegins) {
    leader("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0);"
           "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$BEGIN UPDATE t SET n = 1 WHERE id = 2; COMMIT; PERFORM pg_sleep(2.5); UPDATE t SET n = 1 WHERE id = 3; END$$");
    PgConnection slow{leader_.endpoint()};
    PgConnection calls{leader_.endpoint()};
    std::thread sleeps{[&] { slow.exec("SELECT pg_sleep(2.5)"); }};
    std::thread called{[&] { calls.exec("CALL p()"); }};
    ASSERT_TRUE(eventually([&] { return leader_.value("SELECT n FROM t WHERE id = 2") == "1"; }));
    const RowferryResult first = catch_up();
    sleeps.join();
    called.join();
    EXPECT_TRUE(ended(first, 0));
    slow.exec("INSERT INTO t VALUES (4, 0)");
    calls.exec("INSERT INTO t VALUES (5, 0)");
    EXPECT_TRUE(ended(catch_up(), 0));
    EXPECT_EQ(follower_.value("SELECT group_concat(id || ':' || n) FROM (SELECT * FROM t ORDER BY id)"), "1:0,2:1,3:1,4:0,5:0");
}

TEST_F(PgStatementLog, PgbenchReplaysToExactlyTheLeadersTables) {
    const std::string pgbench = PgCluster::program("pgbench");
    if (pgbench.empty()) GTEST_SKIP() << "no pgbench";
    ASSERT_EQ(run_program({pgbench, "-i", "-q", "-I", "dtGvp", "-s", "1", leader_.endpoint()}).exit_code, 0);
    Options script;
    if (!is_long()) {
        // Fewer rows to copy, four times.
        leader("DELETE FROM pgbench_accounts WHERE aid > 1000");
        const std::string file = (new_temp_dir("pgbench") / "few.sql").string();
        std::ofstream{file} << "\\set aid random(1, 1000)\n\\set bid random(1, 1)\n\\set tid random(1, 10)\n\\set delta random(-5000, 5000)\nBEGIN;\n"
                               "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
                               "UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;\nUPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;\n"
                               "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);\nEND;\n";
        script = {"-f", file};
    }
    const auto bench = [&](int each, const char* protocol) {
        Options words{pgbench, "-n", "-M", protocol, "-c", "4", "-j", "2", "-t", std::to_string(each)};
        words.insert(words.end(), script.begin(), script.end());
        words.push_back(leader_.endpoint());
        const Outcome ran = run_program(words, false, std::chrono::seconds{600});
        ASSERT_EQ(ran.exit_code, 0) << ran.err;
    };
    std::vector<std::unique_ptr<Replica>> replicas;
    for (const std::string ending : {"log", "csv", "json"}) replicas.push_back(std::make_unique<Replica>(Replica{log(ending)}));
    if (syslog_listener().listens()) replicas.push_back(std::make_unique<Replica>(Replica{syslog_listener().file().string()}));
    const auto run = [&](const Replica& replica, Options options) {
        Options words{"run", leader_.endpoint(), replica.follower.endpoint(), "--capture", "statements", "--statement-log", replica.log, "--scratch", replica.scratch.endpoint(), "--until", "current"};
        words.insert(words.end(), options.begin(), options.end());
        return rowferry(words);
    };
    for (const auto& replica : replicas) ASSERT_TRUE(ended(run(*replica, {}), 0)) << replica->log;
    const int each = is_long() ? 2500 : 50;
    bench(each, "simple");
    EXPECT_TRUE(ended(run(*replicas.front(), {}), 7, "CURRENT_TIMESTAMP"));
    for (const auto& replica : replicas) {
        const auto begun = std::chrono::steady_clock::now();
        ASSERT_TRUE(ended(run(*replica, {"--on-nondeterministic", "rows=" + leader_.endpoint()}), 0)) << replica->log;
        const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
        std::cout << fmt::format("{} transactions of {} in {} ms\n", 4 * each, std::filesystem::path{replica->log}.filename().string(), took.count());
        EXPECT_EQ(replica->follower.value("SELECT count(*) FROM pgbench_history"), std::to_string(4 * each));
        EXPECT_TRUE(same_rows(leader_, replica->follower)) << replica->log;
    }
    // The extended protocol and prepared statements say the same by bind parameters.
    for (const char* const protocol : {"extended", "prepared"}) bench(10, protocol);
    ASSERT_TRUE(ended(run(*replicas[1], {"--on-nondeterministic", "rows=" + leader_.endpoint()}), 0));
    EXPECT_TRUE(same_rows(leader_, replicas[1]->follower));
}

}  // namespace
}  // namespace rowferry::test
