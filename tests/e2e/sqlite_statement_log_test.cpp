// Statements instead of changes: `rowferry exec` runs statements on a SQLite leader and writes them down in the same transaction, and `--capture statements` runs them
// again elsewhere. What such logs are known to lose (the clock, random values, numbering, what triggers do, order, rolled back work) must come out exactly, and what is
// not in the log must stop the stream.

#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/random.h"
#include "tests/support/stream_test.h"
#include "tests/support/tail_records.h"
#include "tests/support/temp_dir.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

const std::vector<std::string> kStatements{"--capture", "statements"};

std::vector<std::string> with(std::vector<std::string> options, const std::vector<std::string>& more) {
    options.insert(options.end(), more.begin(), more.end());
    return options;
}

/// Runs the stream as far as its log goes: the follower has the leader's rows then.
testing::AssertionResult catches_up(const Database& leader, const Database& follower, const std::vector<std::string>& options = kStatements) {
    const testing::AssertionResult current = ended(run_until_current(leader, follower, options), 0);
    return current ? same_rows(leader, follower) : current;
}

class SqliteStatementLogTest : public StreamTest {
protected:
    static RowferryResult exec(const Database& leader, const std::string& sql, const std::vector<std::string>& more = {}) {
        return rowferry(with({"exec", leader.endpoint(), sql}, more));
    }
    static void run(const Database& leader, const std::string& sql) {
        const RowferryResult result = exec(leader, sql);
        ASSERT_EQ(result.exit_code, 0) << result.err;
    }
    /// A schema in which next to nothing follows from the text of a statement.
    static Database treacherous_leader(const std::string& journal = "wal") {
        Database leader = Database::sqlite("leader");
        leader.exec("PRAGMA journal_mode = " + journal);
        leader.exec("CREATE TABLE visits (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT DEFAULT CURRENT_TIMESTAMP, day TEXT DEFAULT (date('now')), dice INTEGER DEFAULT (random()), note TEXT);"
                    "CREATE TABLE audit (id INTEGER PRIMARY KEY, visit INTEGER, token BLOB, julian REAL, third REAL);"
                    "CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents ON DELETE CASCADE);"
                    "CREATE TRIGGER audited AFTER INSERT ON visits BEGIN INSERT INTO audit (visit, token, julian, third) VALUES (NEW.id, randomblob(8), julianday('now'), NEW.id / 3.0); END;"
                    "CREATE VIEW now AS SELECT datetime('now') AS at, abs(random() % 1000) AS dice;"
                    "INSERT INTO visits (note) VALUES ('before'); INSERT INTO parents VALUES (1)");
        return leader;
    }
};

TEST_F(SqliteStatementLogTest, ClockRandomValuesNumberingAndTriggersComeOutExactly) {
    const Database leader = treacherous_leader();
    for (const bool postgresql : {false, true}) {
        const Database follower = postgresql ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower");
        const std::vector<std::string> options = with(kStatements, {"--stream", postgresql ? "pg" : "lite"});
        ASSERT_TRUE(ended(run_until_current(leader, follower, options), 0));
        run(leader, "INSERT INTO visits (note) VALUES ('a'), ('b'); INSERT INTO visits (at, dice, note) SELECT at, dice, 'view' FROM now;"
                    "INSERT INTO visits (note) VALUES (strftime('%s', 'now') || unixepoch() || time('now'));"
                    "PRAGMA foreign_keys = ON; INSERT INTO parents VALUES (NULL); INSERT INTO children (parent) VALUES (last_insert_rowid()), (1); DELETE FROM parents WHERE id > 1");
        run(leader, "BEGIN; DELETE FROM visits WHERE note = 'b'; INSERT INTO visits (note) VALUES ('after ' || changes()); UPDATE visits SET dice = random() WHERE id > 2; COMMIT");
        std::this_thread::sleep_for(milliseconds{1100});  // "now" is another second when it is run again
        ASSERT_TRUE(catches_up(leader, follower, options));
        EXPECT_EQ(follower.value("SELECT count(*) FROM children"), leader.value("SELECT count(*) FROM children"));
    }
    EXPECT_NE(leader.value("SELECT count(DISTINCT token) FROM audit"), "1");
}

TEST_F(SqliteStatementLogTest, ValuesOfParametersAreExact) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("CREATE TABLE kept (id INTEGER PRIMARY KEY, value)");
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    for (const char* value : {"i:-9223372036854775808", "r:0.30000000000000004", "r:Infinity", "t:O'Brien; DROP TABLE kept", "x:610062", "b:00ff27", "null", "t:"})
        EXPECT_TRUE(ended(exec(leader, "INSERT INTO kept (value) VALUES (?)", {"--param", value}), 0));
    EXPECT_TRUE(ended(exec(leader, "UPDATE kept SET value = :new WHERE id = $id", {"--param", "$id=i:1", "--param", ":new=t:a=b"}), 0));
    EXPECT_TRUE(ended(exec(leader, "INSERT INTO kept (value) VALUES (?)", {"--param", "42"}), 2, "a value with its type"));
    EXPECT_TRUE(ended(exec(leader, "INSERT INTO kept (value) VALUES (:absent)"), 2, "no value"));
    ASSERT_TRUE(catches_up(leader, follower));
    EXPECT_EQ(leader.value("SELECT count(*) FROM kept"), "8");
}

TEST_F(SqliteStatementLogTest, WhatWasRolledBackOrFailedIsNotInTheLog) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    const std::string before = leader.value("SELECT max(number) FROM rowferry_statement_transaction");
    run(leader, "BEGIN; INSERT INTO parents VALUES (50); ROLLBACK");
    EXPECT_TRUE(ended(exec(leader, "INSERT INTO parents VALUES (60); BEGIN; INSERT INTO parents VALUES (61); INSERT INTO parents VALUES (1)"), 7, "UNIQUE constraint failed"));
    EXPECT_TRUE(ended(exec(leader, "BEGIN; INSERT INTO parents VALUES (70)"), 7, "ends inside a transaction"));
    EXPECT_TRUE(ended(exec(leader, "INSERT INTO parents VALUES (80); INSERT INTO nonsense VALUES (1)"), 7, "no such table"));
    run(leader, "BEGIN; INSERT INTO parents VALUES (90); SAVEPOINT a; INSERT INTO visits (note) VALUES ('gone'); ROLLBACK TO a; INSERT INTO parents VALUES (91); RELEASE a; COMMIT");
    run(leader, "SAVEPOINT outer; INSERT INTO parents VALUES (92); SAVEPOINT inner; INSERT INTO parents VALUES (93); RELEASE outer");
    EXPECT_EQ(leader.value("SELECT group_concat(id) FROM (SELECT id FROM parents ORDER BY id)"), "1,60,80,90,91,92,93");
    EXPECT_EQ(leader.value("SELECT count(*) FROM rowferry_statement_transaction WHERE number > " + before), "4");
    ASSERT_TRUE(catches_up(leader, follower));
}

TEST_F(SqliteStatementLogTest, QueriesPrintTheirRows) {
    const Database leader = treacherous_leader();
    const RowferryResult result = exec(leader, "SELECT id, note FROM visits; INSERT INTO parents VALUES (5) RETURNING id + 1; SELECT NULL, x'6162', 0.5; SELECT changes(), last_insert_rowid()");
    EXPECT_TRUE(ended(result, 0));
    EXPECT_EQ(result.out, "1|before\n6\n|ab|0.5\n1|5\n");
}

// Committed, and exit code 1, which says that it may be retried.
TEST_F(SqliteStatementLogTest, WhatIsCommittedIsNotToBeRunAgainBecauseItsRowsCouldNotBePrinted) {
    const Database leader = treacherous_leader();
    const auto unprinted = [&](const std::string& sql) {
        RowferryResult result;
        const std::filesystem::path errors = new_temp_dir("exec") / "err";
        result.exit_code = wait_for_exit(spawn({.arguments = {rowferry_binary(), "exec", leader.endpoint(), sql}, .environment = {}, .out = "/dev/full", .err = errors, .as_server_user = false}),
                                         std::chrono::seconds{20})
                               .value();
        result.err = result.last_line = read_file(errors);
        return result;
    };
    EXPECT_TRUE(ended(unprinted("SELECT 1"), 1, "line 1: standard output cannot be written to"));
    EXPECT_TRUE(ended(unprinted("BEGIN; INSERT INTO parents VALUES (20) RETURNING id; COMMIT"), 1, "its transaction was rolled back"));
    EXPECT_TRUE(ended(unprinted("INSERT INTO parents VALUES (30);\nINSERT INTO parents VALUES (31) RETURNING id; INSERT INTO parents VALUES (32)"), 7,
                      "line 2: standard output cannot be written to; committed before, and not to be run again: 2 transaction(s)"));
    EXPECT_TRUE(ended(exec(leader, "INSERT INTO parents VALUES (40); VACUUM"), 7, "1 transaction(s)"));  // not "refused before anything was written"
    EXPECT_EQ(leader.value("SELECT group_concat(id) FROM (SELECT id FROM parents ORDER BY id)"), "1,30,31,40");
}

// It waited for its standard input until it was ended by force.
TEST_F(SqliteStatementLogTest, ASignalEndsExecThatWaitsForMoreOfItsScript) {
    const Database leader = treacherous_leader();
    const std::filesystem::path pipe = new_temp_dir("exec") / "script";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    Rowferry process{{"exec", leader.endpoint(), "-f", pipe.string()}};
    std::ofstream script{pipe};
    script << "INSERT INTO parents VALUES (50); BEGIN; INSERT INTO parents VALUES (51);\n" << std::flush;
    ASSERT_TRUE(wait_for_value(leader, "SELECT count(*) FROM parents WHERE id = 50", "1"));
    process.kill(SIGTERM);
    EXPECT_TRUE(ended(process, 6, "not to be run again: 1 transaction(s)", std::chrono::seconds{5}));
    EXPECT_EQ(leader.value("SELECT group_concat(id) FROM parents"), "1,50");
}

TEST_F(SqliteStatementLogTest, MessagesQuoteNoPieceOfAStatementUnlessTheyAreAskedTo) {
    const Database leader = treacherous_leader();
    const std::string sql = "INSERT INTO visits (note) VALUES ('her' 'secret')";
    const RowferryResult usual = exec(leader, sql);
    EXPECT_TRUE(ended(usual, 7, "near \"…\": syntax error (at byte 40 of the statement"));
    EXPECT_EQ(usual.err.find("secret"), std::string::npos) << usual.err;
    EXPECT_NE(exec(leader, sql, {"--log-level", "debug"}).err.find("near \"'secret'\""), std::string::npos);
}

TEST_F(SqliteStatementLogTest, WhatTheLogCouldNotSayIsRefusedBeforeItRuns) {
    const Database leader = treacherous_leader();
    const auto refused = [&](const std::string& sql, std::string_view reason) { EXPECT_TRUE(ended(exec(leader, sql), 3, reason)) << sql; };
    refused("DELETE FROM visits WHERE id IN (SELECT id FROM visits LIMIT 1)", "ORDER BY");
    refused("UPDATE visits SET note = 'x' LIMIT 1", "ORDER BY");
    refused("ATTACH '/tmp/other.db' AS other", "not in the log");
    refused("CREATE TEMP TABLE t (a)", "one connection only");
    refused("INSERT INTO visits (note) VALUES (datetime('now', 'localtime'))", "time zone");
    refused("INSERT INTO visits (note) VALUES (sqlite_version())", "not of the data");
    refused("INSERT INTO visits (note) SELECT name FROM sqlite_master ORDER BY 1", "schema");
    refused("INSERT INTO visits (note) VALUES (changes())", "earlier transaction");
    refused("PRAGMA journal_mode = DELETE", "PRAGMA");
    refused("VACUUM", "VACUUM");
    run(leader, "INSERT INTO parents VALUES (7)");
    refused("DELETE FROM rowferry_statement", "rowferry's own");
    leader.exec("CREATE TRIGGER any AFTER DELETE ON parents BEGIN DELETE FROM audit WHERE id = (SELECT id FROM audit LIMIT 1); END");
    refused("DELETE FROM parents", "any, which it uses");
    EXPECT_EQ(leader.value("SELECT count(*) FROM parents"), "2");
    EXPECT_TRUE(ended(rowferry({"exec", "postgresql://localhost/x", "SELECT 1"}), 2, "SQLite"));
    EXPECT_TRUE(ended(rowferry({"exec", leader.endpoint()}), 2, "say what to run"));
}

TEST_F(SqliteStatementLogTest, TransactionsKeepTheirBoundariesAndTimes) {
    const Database leader = treacherous_leader();
    const std::string state = (new_temp_dir("state") / "state.db").string();
    const std::vector<std::string> options = with({"tail", leader.endpoint()}, with(kStatements, {"--stream", "heard", "--state", state, "--format", "json", "--until", "current"}));
    ASSERT_TRUE(ended(rowferry(options), 0));
    for (int i = 0; i < 5; ++i) run(leader, fmt::format("BEGIN; INSERT INTO visits (note) VALUES ('{}'); INSERT INTO visits (note) VALUES ('{}b'); COMMIT", i, i));
    const RowferryResult heard = rowferry(options);
    ASSERT_TRUE(ended(heard, 0));
    std::map<std::string, int> changes;
    for (const nlohmann::json& record : changes_of(parse_records(heard.out))) {
        const nlohmann::json& transaction = record.at("transaction");
        ++changes[transaction.at("position").get<std::string>()];
        EXPECT_FALSE(transaction.at("merged").get<bool>());
    }
    EXPECT_EQ(changes.size(), 5U) << heard.out;
    for (const auto& [position, count] : changes) EXPECT_EQ(count, 4) << position;
    EXPECT_TRUE(valid_records(heard.out));
}

TEST_F(SqliteStatementLogTest, ExecThatIsKilledLeavesLogAndDataInAgreement) {
    for (const char* journal : {"wal", "delete"}) {
        const Database leader = treacherous_leader(journal);
        const Database follower = Database::sqlite("follower");
        ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
        const std::filesystem::path script = new_temp_dir("script") / "script.sql";
        std::ofstream{script} << [] {
            std::string sql;
            for (int i = 0; i < 4000; ++i) sql += fmt::format("{}INSERT INTO visits (note) VALUES ('{}');\n{}", i % 7 == 0 ? "BEGIN;" : "", i, i % 7 == 6 ? "COMMIT;" : "");
            return sql + "COMMIT;";
        }();
        Random random{choose_seed(0)};
        for (int round = 0; round < 6; ++round) {
            Rowferry process{{"exec", leader.endpoint(), "-f", script.string()}};
            std::this_thread::sleep_for(milliseconds{15 + random.below(120)});
            process.kill(SIGKILL);
            process.wait();
        }
        EXPECT_EQ(leader.value("SELECT (SELECT count(*) FROM rowferry_statement) = (SELECT sum(count) FROM rowferry_statement_transaction)"), "1");
        ASSERT_TRUE(catches_up(leader, follower));
        EXPECT_GT(std::stoi(leader.value("SELECT count(*) FROM visits")), 10);
    }
}

TEST_F(SqliteStatementLogTest, RunIsKilledAtAnyMomentAndNothingIsLostOrDoubled) {
    const Database leader = treacherous_leader();
    std::vector<Database> followers{Database::sqlite("follower"), Database::postgresql(PgCluster::shared(), "follower")};
    std::vector<std::vector<std::string>> options{with(kStatements, {"--stream", "lite", "--ddl", "apply"}), with(kStatements, {"--stream", "pg", "--ddl", "apply"})};
    for (std::size_t i = 0; i < followers.size(); ++i) ASSERT_TRUE(ended(run_until_current(leader, followers[i], options[i]), 0));
    const std::filesystem::path script = new_temp_dir("script") / "script.sql";
    {
        std::ofstream sql{script};
        for (int i = 0; i < 900; ++i) {
            sql << fmt::format("BEGIN; INSERT INTO visits (note) VALUES ('{}'); UPDATE visits SET dice = random() WHERE id = (SELECT max(id) FROM visits) - 3; COMMIT;\n", i);
            if (i % 300 == 150) sql << fmt::format("ALTER TABLE audit ADD COLUMN more{} TEXT; UPDATE audit SET more{} = hex(token) WHERE id % 3 = 0;\n", i, i);
        }
    }
    Rowferry writer{{"exec", leader.endpoint(), "-f", script.string()}};
    Random random{choose_seed(0)};
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < followers.size(); ++i) {
            const auto process = start_run(leader, followers[i], options[i]);
            std::this_thread::sleep_for(milliseconds{80 + random.below(250)});
            ASSERT_TRUE(process->running()) << process->err();
            process->kill(SIGKILL);
            process->wait();
        }
    }
    EXPECT_TRUE(ended(writer, 0));
    for (std::size_t i = 0; i < followers.size(); ++i) {
        ASSERT_TRUE(catches_up(leader, followers[i], options[i]));
    }
    EXPECT_EQ(leader.value("SELECT count(*) FROM visits WHERE note <> 'before'"), "900");
    for (std::size_t i = 0; i < followers.size(); ++i) EXPECT_TRUE(ended(rowferry(command("drop", leader, followers[i], {"--stream", i == 0 ? "lite" : "pg"})), 0));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
    EXPECT_FALSE(std::filesystem::exists(leader.path().string() + "-rowferry"));
}

TEST_F(SqliteStatementLogTest, AWriterBesideExecIsNoticed) {
    for (const char* journal : {"wal", "delete"}) {
        const Database leader = treacherous_leader(journal);
        const Database follower = Database::sqlite("follower");
        SqliteDb application{leader.path()};  // while anybody has the file open, its log is counted on
        application.query("SELECT count(*) FROM visits");
        ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
        run(leader, "INSERT INTO visits (note) VALUES ('logged')");
        leader.exec("UPDATE visits SET note = note; ANALYZE");  // nothing is different, so nothing is wrong
        run(leader, "INSERT INTO visits (note) VALUES ('logged, too')");
        ASSERT_TRUE(catches_up(leader, follower)) << journal;
        run(leader, "INSERT INTO visits (note) VALUES ('the last good one')");
        leader.exec("INSERT INTO parents VALUES (1000)");
        run(leader, "INSERT INTO visits (note) VALUES ('behind it')");
        EXPECT_TRUE(ended(run_until_current(leader, follower, kStatements), 7, "main.parents: its rows are not what the statements made of them")) << journal;
        EXPECT_EQ(follower.value("SELECT note FROM visits ORDER BY id DESC LIMIT 1"), "the last good one") << "the stream stops in front of it";
    }
}

TEST_F(SqliteStatementLogTest, AWriterBesideExecIsNoticedWhileTheStreamRuns) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    const auto process = start_run(leader, follower, kStatements);
    ASSERT_TRUE(becomes_ready(*process, follower));
    for (int i = 0; i < 20; ++i) run(leader, fmt::format("INSERT INTO parents VALUES ({})", 100 + i));
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM parents", "21"));
    leader.exec("DELETE FROM visits");
    EXPECT_TRUE(ended(*process, 7, "main.visits"));
}

TEST_F(SqliteStatementLogTest, AWriterBesideExecIsNoticedWhenTheLogBeginsAnew) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    const auto process = start_run(leader, follower, kStatements);
    ASSERT_TRUE(becomes_ready(*process, follower));
    run(leader, "INSERT INTO parents VALUES (10)");
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM parents", "2"));
    process->kill(SIGKILL);
    process->wait();
    run(leader, "INSERT INTO parents VALUES (11)");
    SqliteDb application{leader.path()};
    application.query("PRAGMA wal_checkpoint");
    application.query("INSERT INTO parents VALUES (1000)");
    for (const int id : {12, 13}) run(leader, fmt::format("INSERT INTO parents VALUES ({})", id));
    EXPECT_TRUE(ended(run_until_current(leader, follower, kStatements), 7, "main.parents: its rows are not what the statements made of them"));
}

TEST_F(SqliteStatementLogTest, ALeaderRestoredFromABackupStopsTheStream) {
    const Database leader = treacherous_leader("delete");
    const Database follower = Database::sqlite("follower");
    const std::filesystem::path backup = new_temp_dir("backup") / "backup.db";
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    std::filesystem::copy_file(leader.path(), backup);
    for (const int id : {10, 11}) run(leader, fmt::format("INSERT INTO parents VALUES ({})", id));
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    std::filesystem::copy_file(backup, leader.path(), std::filesystem::copy_options::overwrite_existing);
    for (int id = 20; id < 25; ++id) run(leader, fmt::format("INSERT INTO parents VALUES ({})", id));  // numbers that were given before, and more
    EXPECT_TRUE(ended(run_until_current(leader, follower, kStatements), 7, "restored from a backup"));
    EXPECT_EQ(follower.value("SELECT max(id) FROM parents"), "11");
}

TEST_F(SqliteStatementLogTest, ShapesChangeAtTheirPlace) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    const std::vector<std::string> options = with(kStatements, {"--ddl", "apply"});
    ASSERT_TRUE(ended(run_until_current(leader, follower, options), 0));
    run(leader, "BEGIN; INSERT INTO visits (note) VALUES ('old'); ALTER TABLE visits ADD COLUMN extra INTEGER DEFAULT 7; INSERT INTO visits (note, extra) VALUES ('new', 8); COMMIT;"
                "ALTER TABLE visits RENAME COLUMN note TO remark; UPDATE visits SET remark = remark || extra;"
                "CREATE TRIGGER late AFTER UPDATE OF extra ON visits BEGIN UPDATE audit SET third = third + 1 WHERE visit = NEW.id; END;"
                "UPDATE visits SET extra = extra + 1; DROP TABLE children");
    ASSERT_TRUE(catches_up(leader, follower, options));
    EXPECT_EQ(follower.value("SELECT count(*) FROM sqlite_master WHERE name = 'children'"), "0");
}

TEST_F(SqliteStatementLogTest, ATableIsCopiedAgainBesideTheStream) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    run(leader, "INSERT INTO visits (note) VALUES ('a')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, kStatements), 0));
    follower.exec("DELETE FROM audit");
    run(leader, "INSERT INTO visits (note) VALUES ('b'); CREATE TABLE later (id INTEGER PRIMARY KEY, v)");
    run(leader, "INSERT INTO later (v) VALUES (random())");
    const RowferryResult copied = rowferry(command("copy-table", leader, follower, {"--table", "audit", "--table", "later"}));
    EXPECT_TRUE(ended(copied, 0)) << copied.err;
    run(leader, "INSERT INTO later (v) VALUES (random()); INSERT INTO visits (note) VALUES ('c')");
    ASSERT_TRUE(catches_up(leader, follower));
}

class SqlFileTest : public SqliteStatementLogTest {
protected:
    SqlFileTest() : folder_{new_temp_dir("log")}, start_{Database::sqlite("start")} {
        start_.exec("CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance REAL DEFAULT 0.5, at TEXT DEFAULT CURRENT_TIMESTAMP);"
                    "CREATE TABLE moves (id INTEGER PRIMARY KEY, account INTEGER REFERENCES accounts ON DELETE CASCADE, amount);"
                    "CREATE TRIGGER move AFTER INSERT ON moves BEGIN UPDATE accounts SET balance = balance + NEW.amount; SELECT 'a ; in; it'; END;"
                    "INSERT INTO accounts (id, owner, at) VALUES (1, 'ann', '2020-01-01'), (2, 'bob', '2020-01-01')");
        std::filesystem::copy(start_.path(), folder_ / "truth.db");
    }
    /// The log says it, and what it says is run on the truth.
    void log(const std::string& sql, const std::string& file = "1.sql") {
        std::ofstream{folder_ / file, std::ios::app} << sql;
        truth().exec(sql);
    }
    void write(const std::string& sql, const std::string& file = "1.sql") { std::ofstream{folder_ / file, std::ios::app} << sql; }
    [[nodiscard]] Database truth() const { return Database::sqlite_at(folder_ / "truth.db"); }
    [[nodiscard]] std::vector<std::string> options() const { return with(kStatements, {"--statement-log", (folder_ / "*.sql").string(), "--log-start", start_.endpoint()}); }

    std::filesystem::path folder_;
    Database start_;
};

TEST_F(SqlFileTest, AScriptWithTransactionsBecomesRowChanges) {
    log("PRAGMA foreign_keys = ON;\n-- what happened; and when\nINSERT INTO moves (account, amount) VALUES (1, 10.25), (2, -3);\n"
        "BEGIN TRANSACTION;\nUPDATE accounts SET owner = 'b;ob' WHERE id = 2; /* ; */\nDELETE FROM accounts WHERE id = 1;\nCOMMIT;\n"
        "BEGIN; DELETE FROM accounts; ROLLBACK;\n");
    for (const bool postgresql : {false, true}) {
        const Database follower = postgresql ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower");
        const std::vector<std::string> mine = with(options(), {"--stream", postgresql ? "pg" : "lite"});
        ASSERT_TRUE(ended(run_until_current(start_, follower, mine), 0));
        EXPECT_TRUE(same_rows(truth(), follower));
        log("CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON accounts BEGIN DELETE FROM moves; INSERT INTO moves (amount) VALUES (OLD.id); END;\n"
            "SAVEPOINT s; INSERT INTO accounts (owner, at) VALUES ('eve', 'x'); SAVEPOINT t; DELETE FROM accounts; ROLLBACK TO t; RELEASE s; DELETE FROM accounts WHERE id = 2;\n");
        ASSERT_TRUE(ended(run_until_current(start_, follower, mine), 0));
        EXPECT_TRUE(same_rows(truth(), follower));
        EXPECT_TRUE(ended(rowferry(command("drop", start_, follower, {"--stream", postgresql ? "pg" : "lite"})), 0));
        if (!postgresql) {  // the second one begins anew, and so does its trigger
            std::filesystem::remove(folder_ / "truth.db");
            std::filesystem::copy(start_.path(), folder_ / "truth.db");
            const std::filesystem::path first = folder_ / "1.sql";
            std::ifstream text{first};
            truth().exec({std::istreambuf_iterator<char>{text}, {}});
        }
    }
    EXPECT_EQ(leftovers(start_), std::vector<std::string>{});
    EXPECT_FALSE(std::filesystem::exists(start_.path().string() + "-rowferry"));
}

TEST_F(SqlFileTest, AGrowingLogIsFollowedAndAnUnfinishedTransactionWaits) {
    const Database follower = Database::sqlite("follower");
    write("-- begins\n");
    const auto process = start_run(start_, follower, options());
    ASSERT_TRUE(becomes_ready(*process, follower));
    log("INSERT INTO accounts (id, owner, at) VALUES (10, 'first', 'x');\n");
    ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM accounts", "10"));
    write("BEGIN; INSERT INTO accounts (id, owner, at) VALUES (11, 'half', 'x');\nINSERT INTO accounts (id, ow");
    std::this_thread::sleep_for(milliseconds{300});
    EXPECT_EQ(follower.value("SELECT max(id) FROM accounts"), "10");
    write("ner, at) VALUES (12, 'whole', 'x'); COMMIT;");
    truth().exec("INSERT INTO accounts (id, owner, at) VALUES (11, 'half', 'x'), (12, 'whole', 'x')");
    ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM accounts", "12"));
    log("DELETE FROM accounts WHERE id = 11;", "2.sql");
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM accounts", "4"));
    EXPECT_TRUE(same_rows(truth(), follower));
    for (int round = 0; round < 3; ++round) {
        process->kill(SIGKILL);
        log(fmt::format("BEGIN; UPDATE accounts SET balance = balance + {}; INSERT INTO moves (account, amount) VALUES (1, {}); END;\n", round, round), "2.sql");
        ASSERT_TRUE(ended(run_until_current(start_, follower, options()), 0));
        EXPECT_TRUE(same_rows(truth(), follower));
    }
}

TEST_F(SqlFileTest, WhatTheTextDoesNotSayStopsWithItsLine) {
    const auto stops = [&](const std::string& sql, std::string_view reason, int line = 2) {
        std::filesystem::remove(folder_ / "1.sql");
        write("INSERT INTO accounts (owner, at) VALUES ('good', 'x');\n" + sql + ";\n");
        const Database follower = Database::sqlite("follower");
        const RowferryResult result = run_until_current(start_, follower, options());
        EXPECT_TRUE(ended(result, 7, reason)) << sql;
        EXPECT_NE(result.last_line.find(fmt::format("1.sql, line {}", line)), std::string::npos) << result.last_line;
        EXPECT_EQ(follower.value("SELECT count(*) FROM accounts"), "3") << "the last good place";
        EXPECT_TRUE(ended(rowferry(command("drop", start_, follower)), 0));
    };
    stops("INSERT INTO accounts (owner) VALUES ('by a default')", "present time");
    stops("UPDATE accounts SET balance = random()", "random()");
    stops("UPDATE accounts SET at = date('now')", "present time");
    stops("UPDATE accounts SET at = datetime('2020-01-01', 'localtime')", "time zone");
    stops("DELETE FROM accounts WHERE id IN (SELECT id FROM accounts LIMIT 1)", "ORDER BY");
    stops("BEGIN; DELETE FROM moves;\nINSERT INTO accounts (owner, at) SELECT owner, 'x' FROM accounts; COMMIT", "ORDER BY", 3);
    stops("INSERT INTO accounts (id, owner, at) SELECT 50, group_concat(owner), 'x' FROM accounts", "order of the rows");
    stops("ATTACH 'x' AS y", "not in the log");
    stops("BEGIN; INSERT INTO accounts (id, owner, at) VALUES (9223372036854775807, 'last', 'x'), (90, 'given', 'x'); INSERT INTO accounts (id, owner, at) VALUES (91, 'given', 'x');\n"
          "INSERT INTO accounts (owner, at) VALUES ('drawn', 'x'); COMMIT", "by lot", 3);
    stops("PRAGMA writable_schema = 1", "PRAGMA");
    stops("COMMIT", "none has begun");
    stops("INSERT INTO accounts (id, owner, at) VALUES (1, 'twice', 'x')", "UNIQUE constraint failed");
    stops("SELECT 'a'; nonsense", "syntax error");
    std::filesystem::remove(folder_ / "1.sql");
    write("\n\nINSERT INTO accounts (owner, at) VALUES ('no end', 'x')");
    const RowferryResult unfinished = run_until_current(start_, Database::sqlite("follower"), options());
    EXPECT_NE(unfinished.err.find("1.sql, line 3: the log ends inside a statement"), std::string::npos) << unfinished.err;
}

TEST_F(SqlFileTest, ALogThatIsNotTheSameStopsTheStream) {
    const Database follower = Database::sqlite("follower");
    EXPECT_TRUE(ended(run_until_current(start_, follower, with(kStatements, {"--statement-log", (folder_ / "*.sql").string()})), 3));
    log("INSERT INTO accounts (id, owner, at) VALUES (10, 'first', 'x');\n");
    EXPECT_TRUE(ended(run_until_current(start_, follower, with(kStatements, {"--statement-log", (folder_ / "*.sql").string()})), 3, "--log-start"));
    ASSERT_TRUE(ended(run_until_current(start_, follower, options()), 0));
    const std::filesystem::path file = folder_ / "1.sql";
    std::filesystem::resize_file(file, 10);
    EXPECT_TRUE(ended(run_until_current(start_, follower, options()), 7, "it was cut or replaced"));
    std::filesystem::remove(file);
    write("INSERT INTO accounts (id, owner, at) VALUES (11, 'other', 'x');\n");
    EXPECT_TRUE(ended(run_until_current(start_, follower, options()), 7, "edited or replaced"));
    EXPECT_TRUE(ended(rowferry(command("copy-table", start_, follower, {"--table", "moves"})), 3));
}

TEST_F(SqlFileTest, AFileThatIsWrittenAnewWhileItIsFollowedStopsTheStream) {
    const Database follower = Database::sqlite("follower");
    log("INSERT INTO accounts (id, owner, at) VALUES (10, 'first', 'x');\n");
    const auto process = start_run(start_, follower, options());
    ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM accounts", "10"));
    std::ofstream{folder_ / "1.sql", std::ios::trunc} << "INSERT INTO accounts (id, owner, at) VALUES (20, 'lost', 'x');\nINSERT INTO accounts (id, owner, at) VALUES (21, 'seen', 'x');\n";
    EXPECT_TRUE(ended(*process, 7));
    EXPECT_EQ(follower.value("SELECT max(id) FROM accounts"), "10");
    EXPECT_TRUE(ended(run_until_current(start_, follower, options()), 7, "1.sql"));
}

TEST_F(SqlFileTest, LateLinesAndTheOrderOfFilesOutliveAKill) {
    const Database follower = Database::sqlite("follower");
    log("INSERT INTO accounts (id, owner, at) VALUES (10, 'first', 'x');\n");
    const auto process = start_run(start_, follower, options());
    ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM accounts", "10"));
    log("INSERT INTO accounts (id, owner, at) VALUES (30, 'third', 'x');\n", "3.sql");
    ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM accounts", "30"));
    process->kill(SIGKILL);
    log("INSERT INTO accounts (owner, at) VALUES ('behind the third', 'x');\n", "2.sql");
    ASSERT_TRUE(ended(run_until_current(start_, follower, options()), 0));
    EXPECT_TRUE(same_rows(truth(), follower));
    write("INSERT INTO accounts (id, owner, at) VALUES (40, 'too late', 'x');\n", "1.sql");
    EXPECT_TRUE(ended(run_until_current(start_, follower, options()), 7, "appended late"));
}

TEST_F(SqlFileTest, WhatARolledBackTransactionLeavesBehindIsKnown) {
    const Database follower = Database::sqlite("follower");
    write("\xEF\xBB\xBF");
    log("BEGIN;\nINSERT INTO accounts (id, owner, at) VALUES (70, 'gone', 'x');\nROLLBACK;\n");
    ASSERT_TRUE(ended(run_until_current(start_, follower, options()), 0));
    truth().exec("BEGIN; INSERT INTO accounts (id, owner, at) VALUES (70, 'gone', 'x'); ROLLBACK; INSERT INTO moves VALUES (1, NULL, last_insert_rowid())");
    write("INSERT INTO moves VALUES (1, NULL, last_insert_rowid());\n");
    log("BEGIN; SAVEPOINT s; ALTER TABLE accounts ADD COLUMN c DEFAULT 5; ROLLBACK /*" + std::string(600, '*') + "*/ TO s; INSERT INTO accounts (id, owner, at) VALUES (4, 'stays', 'x'); COMMIT;\n"
        "BEGIN; ALTER TABLE accounts ADD COLUMN d DEFAULT 6; ROLLBACK;\nINSERT INTO accounts (id, owner, at) VALUES (5, 'four columns', 'x');\n"
        "ALTER TABLE accounts ADD COLUMN c DEFAULT 7; INSERT INTO accounts (id, owner, at, c) VALUES (6, 'five', 'x', 8);\n");
    ASSERT_TRUE(ended(run_until_current(start_, follower, with(options(), {"--ddl", "apply"})), 0));
    EXPECT_TRUE(same_rows(truth(), follower));
    EXPECT_EQ(follower.value("SELECT amount FROM moves WHERE id = 1"), "70");
}

TEST_F(SqliteStatementLogTest, TheScratchCopyIsNobodyElsesAndAnUnfinishedOneGoes) {
    const Database leader = treacherous_leader();
    const std::filesystem::path folder = leader.path().string() + "-rowferry";
    const auto leave_unfinished = [&] {  // killed during its first copy
        std::filesystem::create_directories(folder);
        for (const char* file : {"default.scratch.new", "default.scratch.new-wal", "default.scratch.new-journal"}) std::ofstream{folder / file} << "half";
    };
    leave_unfinished();
    const RowferryResult dropped = rowferry({"drop", leader.endpoint(), "--all"});
    EXPECT_TRUE(ended(dropped, 0));
    EXPECT_NE((dropped.out + dropped.err).find("unfinished scratch copy of stream default"), std::string::npos) << dropped.out << dropped.err;
    EXPECT_FALSE(std::filesystem::exists(folder));
    leave_unfinished();
    const Database follower = Database::sqlite("follower");
    ASSERT_TRUE(catches_up(leader, follower));
    run(leader, "INSERT INTO visits (note) VALUES ('kept open')");
    const auto running = start_run(leader, follower, kStatements);
    ASSERT_TRUE(wait_for_value(follower, "SELECT count(*) FROM visits WHERE note = 'kept open'", "1"));
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        files.insert(entry.path().filename());
        EXPECT_EQ(entry.status().permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write) << entry.path();
    }
    EXPECT_EQ(files, (std::set<std::string>{"default.scratch", "default.scratch-shm", "default.scratch-wal"}));
}

TEST_F(SqliteStatementLogTest, TheLogIsPrunedBehindItsFollowers) {
    const Database leader = treacherous_leader();
    const Database follower = Database::sqlite("follower");
    const auto process = start_run(leader, follower, kStatements);
    ASSERT_TRUE(becomes_ready(*process, follower));
    for (int i = 0; i < 30; ++i) run(leader, fmt::format("INSERT INTO parents VALUES ({})", 100 + i));
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM parents", "31"));
    ASSERT_TRUE(shows(*process, leader, "SELECT count(*) FROM rowferry_statement", "0"));
    EXPECT_EQ(leader.value("SELECT count(*) FROM rowferry_statement_transaction"), "1") << "the last one stays, by which the log is known again";
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 0));
    std::filesystem::remove(leader.path().string() + "-rowferry/default.scratch");
    EXPECT_TRUE(ended(run_until_current(leader, follower, kStatements), 3, "is gone"));
}

}  // namespace
}  // namespace rowferry::test
