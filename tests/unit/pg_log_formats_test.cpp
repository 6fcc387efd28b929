// One history of a real server (PostgreSQL 15), recorded in four formats at once and with three settings: each format has to give the same transactions.

#include <algorithm>

#include <gtest/gtest.h>

#include "decoder/pg_log/line_prefix.h"
#include "decoder/pg_log/sql_text.h"
#include "decoder/pg_log/syslog_lines.h"
#include "schemas/error.h"
#include "tests/unit/pg_log_story.h"

namespace rowferry::test {
namespace {

const std::vector<std::string> kFiles{"stderr.log", "csvlog.csv", "jsonlog.json", "syslog.log"};
const std::vector<std::string> kModes{"all", "duration", "both"};

LogSettings recording(const std::string& mode, const std::string& file) {
    LogSettings out;
    out.paths = {std::string{ROWFERRY_SOURCE_DIR} + "/tests/unit/pg_logs/" + mode + "/" + file + ".gz"};
    out.database = "shop";
    return out;
}

/// What the history's committed transactions did to `note` and `account`, in the order in which they must come; long texts are cut.
const std::vector<std::string> kHistory{
    "CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric NOT NULL DEFAULT 0)",
    "CREATE TABLE note (id int, body text)",
    "INSERT INTO account VALUES (1, 'ann', 10), (2, 'bob', 20), (3, 'cyd', 30)",
    "INSERT INTO note VALUES (1, 'it''s\\n\\ttwo \"lines\", a tab and\\n\\na # b #011 \\ ''')",
    "UPDATE account SET balance = balance - 1 WHERE id = 1 | UPDATE account SET balance = balance + 1 WHERE id = 2 (block)",
    "INSERT INTO note VALUES (2, 'kept') | INSERT INTO note VALUES (4, 'kept too') (block)",
    "INSERT INTO note VALUES (7, 'mended') | INSERT INTO note VALUES (8, 'after') (block)",
    "INSERT INTO note VALUES (9, 'chain 1') (block) (serializable)",
    "INSERT INTO note VALUES (11, 'chain 3') (block) (serializable)",
    "INSERT INTO note VALUES (12, 'a;b') + INSERT INTO note VALUES (13, $x$ c; d $x$) + UPDATE note SET body = 'e' WHERE id = 13",
    "INSERT INTO note VALUES (16, 'one') + INSERT INTO note VALUES (17, 'two') (block)",
    "INSERT INTO note VALUES (18, 'three')",
    "INSERT INTO note VALUES (20, 'five')",
    "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN x * 2 ELSE 0 END; END + INSERT INTO note VALUES (21, 'six')",
    "INSERT INTO note VALUES ($1, $2) <23> <it's\nquoted, $3 = 'x', \\>",
    "INSERT INTO note VALUES ($1, $2) <24> <null>",
    "INSERT INTO note\\n  VALUES ($1, $2) <25> <named>",
    "INSERT INTO note\\n  VALUES ($1, $2) <26> <>",
    "INSERT INTO note\\n  VALUES ($1, $2) <27> <in a block> | UPDATE note SET body = body || $1 WHERE id = $2 <!> <27> (block)",
    "INSERT INTO note VALUES ($1, 'pipe') <28> | INSERT INTO note VALUES ($1, 'line') <29>",
    "INSERT INTO note VALUES ($1, 'next') <32>",
    "PREPARE byname(int, text) AS INSERT INTO note VALUES ($1, $2)",
    "EXECUTE byname(33, 'by ''name''') [PREPARE byname(int, text) AS INSERT INTO note VALUES ($1, $2)]",
    "SET LOCAL work_mem = '4MB' | SET DateStyle = 'German, DMY' | INSERT INTO note VALUES (34, '31.12.2025') (block) with search_path: SET search_path TO public",
    "INSERT INTO note VALUES (35, 'settings') with search_path: SET search_path TO public with datestyle: SET DateStyle = 'German, DMY'",
    "INSERT INTO note VALUES (36, 'reset') with search_path: SET search_path TO public",
    "INSERT INTO note VALUES (38, 'before it')",
    "INSERT INTO note VALUES (37, 'prepared') (block) gid it's",
    "UPDATE account SET balance = balance * 2 WHERE id = 1 | SELECT 1 (block)",
    "UPDATE account SET balance = balance + 5 WHERE id = 1",
    "INSERT INTO note VALUES (41, 'word and more",
    "INSERT INTO note VALUES (42, 'xxxxxxxxxxxxxx",
    "INSERT INTO note VALUES (43, 'éééééé",
    "INSERT INTO note VALUES (46, 'last before it')",
    "INSERT INTO note VALUES (44, 'over a restart') (block) gid kept",
    "INSERT INTO note VALUES (47, 'after the restart')",
};

/// Transactions that only read are given as well, at places that depend on other sessions; and session A's autocommit 22, which is only proven later than session B's.
std::vector<std::string> comparable(std::vector<std::string> told) {
    std::erase_if(told, [](const std::string& one) { return one.starts_with("SELECT") || one.starts_with("TABLE") || one.starts_with("INSERT INTO note VALUES (22,"); });
    for (std::string& one : told) {
        for (const std::string begin : {"INSERT INTO note VALUES (41, 'word and more", "INSERT INTO note VALUES (42, 'xxxxxxxxxxxxxx", "INSERT INTO note VALUES (43, 'éééééé"})
            if (one.starts_with(begin) && one.size() > 1400) one = begin;
    }
    return told;
}

TEST(PgLogFormats, EveryFormatTellsTheSameHistory) {
    for (const std::string& mode : kModes) {
        std::vector<std::string> first;
        for (const std::string& file : kFiles) {
            const LogRead read = read_log(recording(mode, file));
            EXPECT_FALSE(read.stopped) << mode << " " << file << ": " << read.what;
            EXPECT_EQ(comparable(read.told), kHistory) << mode << " " << file;
            EXPECT_EQ(std::count_if(read.told.begin(), read.told.end(), [](const auto& one) { return one.starts_with("INSERT INTO note VALUES (22,"); }), 1) << mode << " " << file;
            if (first.empty()) first = read.told;
            EXPECT_EQ(read.told, first) << mode << " " << file << ": not what the first format told";
            EXPECT_GT(read.counters.rolled_back, 3U);
            for (std::size_t i = 1; i < read.transactions.size(); ++i) EXPECT_LT(read.transactions[i - 1].position, read.transactions[i].position);
        }
    }
}

TEST(PgLogFormats, TransactionsKnowTheirSessionTimesAndIds) {
    const LogRead read = read_log(recording("all", "csvlog.csv"));
    ASSERT_GT(read.transactions.size(), 4U);
    const LoggedTransaction& block = read.transactions[4];
    EXPECT_EQ(block.session->user, "postgres");
    EXPECT_EQ(block.session->database, "shop");
    EXPECT_EQ(block.session->application, "app one");
    EXPECT_NE(block.session->id.find('.'), std::string::npos);
    EXPECT_TRUE(block.xid.has_value());
    EXPECT_LE(block.began, block.statements.front().began);
    EXPECT_LE(block.statements.back().began, block.committed);
    EXPECT_GT(block.began, 1'700'000'000'000'000LL);
    EXPECT_LT(block.commit_after, block.commit_before);
    EXPECT_FALSE(block.began_before_log);
}

TEST(PgLogFormats, DurationsGiveTheTimeAtWhichAStatementBegan) {
    const LogRead read = read_log(recording("duration", "stderr.log"));
    for (const LoggedTransaction& one : read.transactions) {
        if (!one.statements.front().sql.ends_with("balance + 5 WHERE id = 1")) continue;
        ASSERT_TRUE(one.statements.front().duration);
        EXPECT_GT(*one.statements.front().duration, 250'000);  // it waited
        EXPECT_GT(one.committed - one.statements.front().began, 250'000);
        return;
    }
    FAIL() << "the statement that waited is not there";
}

TEST(PgLogFormats, TheOtherDatabaseOfTheLogCanBeRead) {
    LogSettings settings = recording("both", "csvlog.csv");
    settings.database = "other";
    const LogRead read = read_log(settings);
    EXPECT_EQ(read.told, (std::vector<std::string>{"CREATE TABLE account (id int PRIMARY KEY)", "INSERT INTO account VALUES (1)", "INSERT INTO account VALUES (2)"}));
}

TEST(PgLogFormats, SyslogWithEscapedTabsIsReadAndWhatIsAmbiguousStops) {
    const std::string head = "Nov 20 19:48:00 host postgres[7]: ";
    const std::string prefix = "2026-11-20 19:48:00.100 UTC [7] 69.7 ";
    LogFolder folder;
    LogSettings settings;
    settings.paths = {folder.path("syslog")};
    settings.database = "shop";
    settings.complete = true;
    settings.line_prefix = "%m [%p] %c %l %v %x %q%u@%d ";
    folder.write("syslog", head + "[3-1] " + prefix + "1 3/1 0 ann@shop LOG:  statement: INSERT INTO t\n" + "Nov 20 19:48:00 host cron[9]: (root) CMD\n" + head + "[3-2] #011VALUES (1)\n");
    EXPECT_EQ(read_log(settings).told, std::vector<std::string>{"INSERT INTO t\\nVALUES (1)"});

    folder.write("syslog", head + "[3-1] " + prefix + "1 3/1 0 ann@shop LOG:  statement: INSERT INTO t VALUES ('#011')\n");
    EXPECT_EQ(read_log(settings).stopped, LogStop::format);

    folder.write("syslog", head + "[3-1] " + prefix + "1 3/1 0 ann@shop LOG:  statement: INSERT INTO t VALUES ('" + std::string(810, 'x') + "\n" + head + "[3-2] #011and more')\n");
    EXPECT_EQ(read_log(settings).stopped, LogStop::format) << "cut at a tab, or a new line?";

    folder.write("syslog", head + "[3-1] " + prefix + "1 3/1 0 ann@shop LOG:  statement: INSERT INTO t\n" + head + "[3-3] #011VALUES (1)\n");
    EXPECT_EQ(read_log(settings).stopped, LogStop::cut);
}

TEST(PgLogFormats, PrefixesAreReadGuessedAndRefused) {
    LogEntry entry;
    LineLabel label{};
    std::string line;  // the entry looks into it
    const auto matches = [&](const std::string& prefix, const std::string& text) {
        entry = {};
        line = text;
        const auto at = LinePrefix{prefix, false}.match(line, entry, label);
        return at ? line.substr(*at) : std::string{"no"};
    };
    EXPECT_EQ(matches("%t:%r:%u@%d:[%p]:", "2026-11-20 19:48:00 UTC:10.0.0.1(5432):ann@shop:[77]:LOG:  statement: SELECT 1"), "statement: SELECT 1");
    EXPECT_EQ(entry.database, "shop");
    EXPECT_EQ(entry.pid, 77U);
    EXPECT_EQ(matches("%m [%-8p] %5l %q%u@%d/%a ", "2026-11-20 19:48:00.500 +0230 [77      ]     9 ann@my shop/psql -x ERROR:  it fails"), "it fails");
    EXPECT_EQ(entry.database, "my shop");
    EXPECT_EQ(entry.application, "psql -x");
    EXPECT_EQ(entry.number, 9U);
    const LogTime time = entry.time;
    EXPECT_EQ(matches("%n [%p] ", "1795195080.500 [1] LOG:  x"), "x");
    EXPECT_EQ(entry.time, time) << "19:48 at +02:30 is 17:18 UTC";
    EXPECT_EQ(matches("%m [%p] %q%u@%d ", "2026-11-20 19:48:00.500 UTC [77] LOG:  checkpoint starting"), "checkpoint starting");
    EXPECT_THROW(matches("%m [%p] ", "2026-11-20 19:48:00.500 CST [77] LOG:  whose?"), RefusedError) << "Chicago or Shanghai";
    EXPECT_THROW(LinePrefix("%m %u ", false), RefusedError);
    EXPECT_THROW(LinePrefix("[%p] ", false), RefusedError);

    EXPECT_EQ(LinePrefix::guess({"2026-11-20 19:48:00.500 UTC [77] ann@shop LOG:  x", "2026-11-20 19:48:00.500 UTC [77] LOG:  y", "cp: cannot stat"}, false), "%m [%p] %q%u@%d ");
    EXPECT_EQ(LinePrefix::guess({"2026-11-20 19:48:00 UTC [77]: [1-1] user=ann,db=shop,app=psql,client=::1 LOG:  x"}, false), "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ") << "%m is %t as well";
    EXPECT_EQ(LinePrefix::guess({"2026-11-20 19:48:00.500 UTC <<77>> LOG:  x"}, false), std::nullopt);
}

TEST(PgLogFormats, QueryStringsAreTakenApart) {
    const auto split = [](const std::string& text, bool backslashes = false) {
        std::vector<SqlStatement> out;
        split_sql(text, backslashes, out);
        std::string told;
        for (const SqlStatement& one : out) told += "{" + std::string{one.text} + "}";
        return told;
    };
    EXPECT_EQ(split("a ; /* ; */ b -- ;\n; 'it''s;' \"x;\" ;;"), "{a}{b}{'it''s;' \"x;\"}");
    EXPECT_EQ(split("E'\\';' ; $$ ; $$ ; $a$ $b$ ; $a$ ; x$a ; y"), "{E'\\';'}{$$ ; $$}{$a$ $b$ ; $a$}{x$a}{y}");
    EXPECT_EQ(split("'\\';b'", true), "{'\\';b'}");
    EXPECT_EQ(split("CREATE RULE r AS ON INSERT TO t DO (a; b); c"), "{CREATE RULE r AS ON INSERT TO t DO (a; b)}{c}");
    EXPECT_EQ(split("create or replace procedure p() begin atomic a; case b end; c; end; d"), "{create or replace procedure p() begin atomic a; case b end; c; end}{d}");
    EXPECT_EQ(split(" -- nothing"), "");
    const auto one = [](const std::string& text) {
        std::vector<SqlStatement> out;
        split_sql(text, false, out);
        return out.at(0);
    };
    EXPECT_EQ(one("/* x */ ROLLBACK WORK TO SAVEPOINT \"A b\"").name, "A b");
    EXPECT_EQ(one("ROLLBACK TO Savepoint").name, "savepoint");
    EXPECT_EQ(one("SET a.b = 1").name, "a.b");
    EXPECT_EQ(one("SET SESSION AUTHORIZATION bob").name, "session_authorization");
    EXPECT_EQ(one("SET LOCAL TIME ZONE 'UTC'").kind, SqlKind::set_local);
    EXPECT_EQ(one("START TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ").isolation, "repeatable read");
    EXPECT_EQ(one("COPY (SELECT 1) TO STDOUT").kind, SqlKind::other);
    EXPECT_EQ(one("copy t (a, b) from stdin with (format csv)").kind, SqlKind::copy_from_stdin);
    EXPECT_EQ(one("SELECT $1 + $12").parameters, 12U);
    EXPECT_EQ(one("COMMIT WORK AND NO CHAIN").chain, false);
    EXPECT_EQ(one("end transaction and chain").chain, true);
}

}  // namespace
}  // namespace rowferry::test
