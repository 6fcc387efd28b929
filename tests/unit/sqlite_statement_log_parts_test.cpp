// What statement logs of SQLite are made of: scripts taken apart, statements that are determined or not, and the inputs that are recorded and given back.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include <sqlite3.h>

#include "schemas/error.h"
#include "statements/sqlite/file_trail.h"
#include "statements/sqlite/script_splitter.h"
#include "statements/sqlite/script_verb.h"
#include "statements/sqlite/sql_file_log.h"
#include "statements/sqlite/sqlite_statement_gate.h"
#include "statements/sqlite/statement_session.h"
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/sql_script_oracle.h"
#include "tests/support/random.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"

namespace rowferry {
namespace {

using test::SqliteDb;

std::vector<std::string> split(std::string_view script) {
    ScriptSplitter splitter;
    splitter.push(script);
    std::vector<std::string> statements;
    while (const auto statement = splitter.next()) statements.emplace_back(statement->sql);
    if (const auto rest = splitter.rest(); !rest.sql.empty()) statements.push_back("…" + std::string{rest.sql});
    return statements;
}

using List = std::vector<std::string>;

TEST(ScriptSplitter, EndsStatementsAtSemicolonsOutsideOfQuotesAndComments) {
    EXPECT_EQ(split("SELECT 1;\n  SELECT ';' ;; -- ; not here\n/* ; */ SELECT \"a;b\", `;`, [;] , 'it''s;';"),
              (List{"SELECT 1;", "SELECT ';' ;", "SELECT \"a;b\", `;`, [;] , 'it''s;';"}));
    EXPECT_EQ(split("  -- nothing\n ; /* and */ ; "), List{});
    EXPECT_EQ(split("SELECT 1; SELECT 'open ;"), (List{"SELECT 1;", "…SELECT 'open ;"}));
    EXPECT_EQ(split("SELECT 1; -- the end"), (List{"SELECT 1;"}));
    EXPECT_EQ(split("SELECT 4/2; SELECT 3-1;"), (List{"SELECT 4/2;", "SELECT 3-1;"}));
    EXPECT_EQ(split("SELECT 2 /* open"), (List{"…SELECT 2 /* open"}));
}

TEST(ScriptSplitter, KnowsTheBodiesOfTriggers) {
    const std::string trigger = "CREATE TEMP /* ; */ TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; SELECT 'END;'; END;";
    EXPECT_EQ(split("BEGIN; " + trigger + " COMMIT;"), (List{"BEGIN;", trigger, "COMMIT;"}));
    EXPECT_EQ(split("explain query plan create trigger t after delete on a begin select 1; end ; select 2;"), (List{"explain query plan create trigger t after delete on a begin select 1; end ;", "select 2;"}));
    EXPECT_EQ(split("CREATE TABLE trigger_ (a); END;"), (List{"CREATE TABLE trigger_ (a);", "END;"}));
}

TEST(ScriptSplitter, SaysWhereStatementsStand) {
    ScriptSplitter splitter;
    splitter.begin_at(100, 7);
    splitter.push("-- a\n\nSELECT\n1;  SELECT 2; ");
    auto first = splitter.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->begin, 106U);
    EXPECT_EQ(first->end, 115U);
    EXPECT_EQ(first->line, 9U);
    const auto second = splitter.next();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->begin, 117U);
    EXPECT_EQ(second->line, 10U);
    EXPECT_FALSE(splitter.next());
    EXPECT_EQ(splitter.place(), 127U);
}

std::uint64_t chosen_seed() {
    const char* given = std::getenv("ROWFERRY_SEED");
    const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
    std::cout << "seed: ROWFERRY_SEED=" << seed << std::endl;
    return seed;
}

/// The corpus of the libFuzzer target, and what random changes make of it.
TEST(ScriptSplitter, AgreesWithSqliteOnMutatedScripts) {
    const std::vector<std::string> corpus = test::fuzz_corpus("sql_script");
    ASSERT_FALSE(corpus.empty());
    test::Random random{chosen_seed()};
    const std::string_view bytes = ";;'\"`[]-/*\n xeEnNdD\xff\x01(";
    for (int round = 0; round < 4000; ++round) {
        std::string script = random.pick(corpus).substr(1);
        for (int change = random.below(6); change > 0 && !script.empty(); --change) {
            const auto at = static_cast<std::size_t>(random.below(static_cast<int>(script.size())));
            if (random.chance(30))
                script.erase(at, static_cast<std::size_t>(random.below(9)));
            else
                script.insert(at, 1, bytes[static_cast<std::size_t>(random.below(static_cast<int>(bytes.size())))]);
        }
        ASSERT_EQ(test::script_problem(script, static_cast<std::size_t>(1 + random.below(64))), "") << script;
    }
}

/// However a script is cut into pieces, and as SQLite itself would take it apart.
TEST(ScriptSplitter, AgreesWithSqliteOnRandomScripts) {
    test::Random random{chosen_seed()};
    const std::vector<std::string> words{"SELECT", "create", "TEMP", "temporary", "trigger", "BEGIN", "END", ";", ";", " ", "\n", "'a;b'", "'it''s'", "\"x;\"", "[;]", "`;`", "-- c;\n", "/* ; */", "explain", "x", "1.5",
                                         "-", "/", "*", "(", ")", "é", "end", "TRIGGER t", "'open", "/* open", "query plan"};
    for (int round = 0; round < 3000; ++round) {
        std::string script;
        const int count = random.below(25);
        for (int i = 0; i < count; ++i) script += random.pick(words) + (random.chance(70) ? " " : "");
        ASSERT_EQ(test::script_problem(script, static_cast<std::size_t>(1 + random.below(9))), "") << script;
    }
}

TEST(ScriptVerb, TellsWhatAStatementIsToItsTransaction) {
    using Kind = ScriptVerb::Kind;
    EXPECT_EQ(script_verb("begin exclusive transaction;").kind, Kind::begin);
    EXPECT_TRUE(script_verb("begin exclusive transaction;").exclusive);
    EXPECT_EQ(script_verb("END TRANSACTION;").kind, Kind::commit);
    EXPECT_EQ(script_verb("ROLLBACK TRANSACTION TO SAVEPOINT \"a b\";").name, "a b");
    EXPECT_EQ(script_verb("rollback;").kind, Kind::rollback);
    EXPECT_EQ(script_verb("RELEASE s;").kind, Kind::release);
    EXPECT_EQ(script_verb("pragma main.foreign_keys = on;").name, "foreign_keys");
    EXPECT_TRUE(script_verb("pragma main.foreign_keys = on;").assigns);
    EXPECT_FALSE(script_verb("PRAGMA foreign_keys;").assigns);
    EXPECT_EQ(script_verb("SELECT 'begin';").kind, Kind::other);
}

TEST(ScriptVerb, NoCommentIsLongEnoughToHideAWord) {
    using Kind = ScriptVerb::Kind;
    const std::string comment = "/* " + std::string(600, '\'') + " */";
    EXPECT_EQ(script_verb("ROLLBACK " + comment + " TO s").kind, Kind::rollback_to);
    EXPECT_EQ(script_verb("ROLLBACK -- " + std::string(600, 'x') + "\n TO/**/s").name, "s");
    EXPECT_EQ(script_verb("ROLLBACK" + std::string(600, ' ') + "TO \"a--b/*c\"").name, "a--b/*c");
    EXPECT_EQ(script_verb(comment + "PRAGMA foreign_keys" + comment + " = 1").kind, Kind::pragma);
    EXPECT_TRUE(script_verb(comment + "PRAGMA foreign_keys" + comment + " = 1").assigns);
    EXPECT_EQ(script_verb("RELEASE " + std::string(2000, 's')).name.size(), 2000U);
    EXPECT_EQ(script_verb("INSERT INTO t VALUES ('" + std::string(5000, 'v') + "')").kind, Kind::other);
}

class SqlFileLogTest : public ::testing::Test {
protected:
    void write(const std::string& name, const std::string& sql, bool anew = false) {
        std::ofstream{folder_ / name, std::ios::binary | (anew ? std::ios::trunc : std::ios::app)} << sql;
    }
    [[nodiscard]] std::unique_ptr<SqlFileLog> open(const std::string& known = {}) { return std::make_unique<SqlFileLog>(std::vector<std::string>{(folder_ / "*.sql").string()}, known); }
    /// Takes what is complete now; its statements, and in `last_` where they end.
    List take(SqlFileLog& log) {
        List statements;
        while (log.begin()) {
            List mine;
            while (const auto statement = log.next()) mine.push_back(statement->sql);
            if (log.outcome() == TransactionReader::Outcome::incomplete) {
                log.abandon();
                break;
            }
            if (log.outcome() == TransactionReader::Outcome::committed) {
                statements.insert(statements.end(), mine.begin(), mine.end());
                last_ = log.end();
            }
            log.accept();
        }
        return statements;
    }
    std::filesystem::path folder_ = test::new_temp_dir("files");
    TransactionEnd last_;
};

TEST_F(SqlFileLogTest, AFileThatIsCutOrReplacedWhileItIsReadStopsTheReader) {
    const std::string one = "DELETE FROM a; DELETE FROM b;";
    for (const bool within : {false, true}) {
        for (const std::string what : {"cut and longer", "cut", "replaced", "removed", "same size"}) {
            write("1.sql", one, true);
            const auto log = open();
            EXPECT_EQ(take(*log).size(), 2U);
            if (within) {  // its beginning is known already
                write("1.sql", "BEGIN; DELETE FROM c;");
                EXPECT_EQ(take(*log), List{});
            }
            if (what == "cut and longer") write("1.sql", "DELETE FROM x; DELETE FROM y; DELETE FROM z; BEGIN; DELETE FROM zz; COMMIT;", true);
            if (what == "cut") std::filesystem::resize_file(folder_ / "1.sql", 10);
            if (what == "same size") write("1.sql", "DELETE FROM c; DELETE FROM d;" + std::string(within ? "BEGIN; DELETE FROM d;" : ""), true);
            if (what == "removed" || what == "replaced") std::filesystem::rename(folder_ / "1.sql", folder_ / "old");
            if (what == "replaced") write("1.sql", one + "DELETE FROM e;");
            EXPECT_THROW(static_cast<void>(take(*log)), HaltError) << what << within;
        }
    }
}

TEST_F(SqlFileLogTest, WhatIsAppendedWhenTheNextFileIsThereIsRead) {
    write("1.sql", "DELETE FROM a;");
    const auto log = open();
    EXPECT_EQ(take(*log), (List{"DELETE FROM a;"}));
    write("2.sql", "DELETE FROM c;");
    write("1.sql", "DELETE FROM b;");
    EXPECT_EQ(take(*log), (List{"DELETE FROM b;", "DELETE FROM c;"}));
    ASSERT_TRUE(last_.files);
    const TransactionEnd end = last_;
    {
        const auto again = open(*end.files);  // as after a restart
        again->seek(end.position, end.tag);
        write("2.sql", "DELETE FROM d;");
        EXPECT_EQ(take(*again), (List{"DELETE FROM d;"}));
        EXPECT_FALSE(last_.files) << "no more files than before";
    }
    write("1.sql", "DELETE FROM late;");
    EXPECT_THROW(open(*end.files), HaltError);
    EXPECT_THROW(
        {
            for (int i = 0; i < 200; ++i) {
                static_cast<void>(take(*log));
                std::this_thread::sleep_for(std::chrono::milliseconds{10});
            }
        },
        HaltError);
    std::filesystem::remove(folder_ / "1.sql");
    EXPECT_NO_THROW(open(*end.files)) << "what is done with may be removed";
}

TEST_F(SqlFileLogTest, TheOrderInWhichFilesWereFoundStays) {
    write("1.sql", "DELETE FROM a;");
    const auto log = open();
    static_cast<void>(take(*log));
    write("3.sql", "DELETE FROM c;");
    EXPECT_EQ(take(*log), (List{"DELETE FROM c;"}));
    ASSERT_TRUE(last_.files);
    const TransactionEnd end = last_;
    write("2.sql", "DELETE FROM b;");
    const auto again = open(*end.files);
    again->seek(end.position, end.tag);
    EXPECT_EQ(take(*again), (List{"DELETE FROM b;"}));
    EXPECT_EQ(last_.position.major, 3U);
}

TEST_F(SqlFileLogTest, AByteOrderMarkIsNoPartOfTheFirstWord) {
    write("1.sql", "\xEF\xBB\xBF");
    const auto log = open();
    EXPECT_EQ(take(*log), List{});
    write("1.sql", "BEGIN;\nDELETE FROM a;\nROLLBACK; CREATE TABLE t (a);");
    EXPECT_EQ(take(*log), (List{"CREATE TABLE t (a);"}));
    EXPECT_EQ(last_.position.minor, 3U + 51U);
    write("2.sql", "\xEF\xBB\xBF" "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END; DELETE FROM a;");
    EXPECT_EQ(take(*log).size(), 2U);
}

TEST(LimitsWithoutOrder, SeesEachSelectForItself) {
    for (const char* loose : {"DELETE FROM a LIMIT 1", "UPDATE a SET b = (SELECT c FROM d LIMIT 1) WHERE e IN (SELECT f FROM g ORDER BY h)", "INSERT INTO a SELECT b FROM c LIMIT 5",
                              "SELECT * FROM (SELECT a FROM b LIMIT ?) ORDER BY a", "SELECT a FROM b ORDER BY c LIMIT 1; SELECT a FROM b LIMIT 1", "SELECT sum(a) OVER (ORDER BY b) FROM c LIMIT 1"})
        EXPECT_TRUE(limits_without_order(loose)) << loose;
    for (const char* tight : {"DELETE FROM a ORDER BY b LIMIT 1", "SELECT a FROM b ORDER BY c LIMIT 5 OFFSET 2", "UPDATE a SET \"limit\" = 1", "INSERT INTO a SELECT b FROM c UNION SELECT d FROM e ORDER BY 1 LIMIT 5",
                              "UPDATE a SET b = 'LIMIT 1'", "UPDATE a SET x = t.limit"})
        EXPECT_FALSE(limits_without_order(tight)) << tight;
}

class SessionTest : public ::testing::Test {
protected:
    SessionTest() {
        SqliteDb{leader_}.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, j REAL DEFAULT (julianday()), r DEFAULT (random()), b DEFAULT (randomblob(5)), u DEFAULT (unixepoch('now')));"
                               "CREATE VIEW v AS SELECT strftime('%f', 'now') AS f, random() AS r;"
                               "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET b = b || hex(randomblob(2)) || (SELECT f || r FROM v) WHERE id = NEW.id; END");
        std::filesystem::copy(leader_, copy_);
    }
    /// Records a statement on the leader and runs it on the copy.
    void both(const std::string& sql, std::vector<SqlValue> parameters = {}) {
        RecordedStatement statement{sql, std::move(parameters), {}, {}, {}, 1};
        StatementSession leader{leader_, StatementSession::Inputs::record};
        run(leader, statement);
        const std::string digest = leader.digest().text();
        StatementSession copy{copy_, StatementSession::Inputs::given};
        run(copy, statement);
        EXPECT_EQ(copy.digest().text(), digest);
        EXPECT_GT(leader.digest().count(), 0U);
    }
    static void run(StatementSession& session, RecordedStatement& statement) {
        session.digest().begin();
        session.begin_transaction();
        const auto prepared = session.prepare(statement.sql);
        session.run(prepared, statement, true, {});
    }
    std::string rows(const std::string& path) { return SqliteDb{path}.value("SELECT group_concat(quote(id) || quote(at) || quote(j) || quote(r) || quote(b) || quote(u)) FROM t"); }

    std::string folder_ = test::new_temp_dir("session").string();
    std::string leader_ = folder_ + "/leader.db";
    std::string copy_ = folder_ + "/copy.db";
};

TEST_F(SessionTest, WhatWasRecordedComesOutAgain) {
    both("INSERT INTO t (id) VALUES (1), (2), (3)");
    both("INSERT INTO t (r) SELECT random() FROM t ORDER BY id");
    both("UPDATE t SET r = random(), at = ?1 || datetime('now', '+1 day') WHERE id > ?2", {std::string{"x\0y", 3}, std::int64_t{1}});
    both("REPLACE INTO t (id, j) VALUES (2, ?)", {0.1 + 0.2});
    both("DELETE FROM t WHERE id = 1");
    EXPECT_EQ(rows(leader_), rows(copy_));
}

TEST_F(SessionTest, WhatNobodyRecordedIsNoticedWhereverItStands) {
    StatementSession session{leader_, StatementSession::Inputs::given};
    const auto refuses = [&](const std::string& sql) {
        RecordedStatement bare;
        bare.sql = sql;
        EXPECT_THROW(run(session, bare), RefusedError) << sql;
    };
    refuses("INSERT INTO t (at, j, r, b) VALUES (1, 2, 3, 4)");                           // u's default
    refuses("INSERT INTO t (at, j, u, b) VALUES (1, 2, 3, 4)");                           // r's default
    refuses("INSERT INTO t (at, j, r, b, u) VALUES (1, 2, 3, 4, 5)");                     // the trigger
    refuses("CREATE TABLE n AS SELECT * FROM v");
    RecordedStatement fine;
    fine.sql = "UPDATE t SET at = date('2024-05-05', '+1 month')";
    EXPECT_NO_THROW(run(session, fine));
}

TEST_F(SessionTest, OtherRowsOrOtherRandomCallsAreNoticed) {
    RecordedStatement statement;
    statement.sql = "UPDATE t SET r = random()";
    SqliteDb{leader_}.exec("INSERT INTO t (id) VALUES (1), (2)");
    SqliteDb{copy_}.exec("INSERT INTO t (id) VALUES (1)");
    StatementSession leader{leader_, StatementSession::Inputs::record};
    run(leader, statement);
    StatementSession copy{copy_, StatementSession::Inputs::given};
    EXPECT_THROW(run(copy, statement), HaltError);
    SqliteDb{copy_}.exec("INSERT INTO t (id) VALUES (2), (3)");
    EXPECT_THROW(run(copy, statement), RefusedError);
}

TEST(FileTrailTest, TellsOneCommitFromMoreInEitherMode) {
    for (const char* journal : {"wal", "delete", "truncate", "persist"}) {
        const std::string path = (test::new_temp_dir("trail") / "a.db").string();
        SqliteDb application{path};
        application.exec(std::string{"PRAGMA journal_mode = "} + journal + "; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
        SqliteDatabase db{path, SqliteDatabase::Mode::read_write};
        const FileTrail trail{path};
        const auto now = [&] {
            db.execute("BEGIN IMMEDIATE");
            std::string moment = trail.last_commit(db);
            db.rollback();
            return moment;
        };
        std::string before = now();
        EXPECT_FALSE(trail.one_commit_between(before, now(), db)) << journal << ": none";
        application.exec("INSERT INTO t VALUES (2)");
        EXPECT_TRUE(trail.one_commit_between(before, now(), db)) << journal << ": one";
        before = now();
        application.exec("INSERT INTO t VALUES (3)");
        application.exec("UPDATE t SET a = 4 WHERE a = 3");
        EXPECT_FALSE(trail.one_commit_between(before, now(), db)) << journal << ": two";
        before = now();
        application.exec("PRAGMA wal_checkpoint(RESTART)");
        EXPECT_FALSE(trail.one_commit_between(before, now(), db)) << journal << ": none, and the log begins anew";
        application.exec("DELETE FROM t WHERE a = 1");
        EXPECT_EQ(trail.one_commit_between(before, now(), db), std::string_view{journal} != "wal") << journal << ": one, and in a log that began anew it cannot be told";
        EXPECT_FALSE(trail.one_commit_between("", now(), db));
        EXPECT_FALSE(trail.one_commit_between("wal:1:2:3:4:5", now(), db));
    }
}

}  // namespace
}  // namespace rowferry
