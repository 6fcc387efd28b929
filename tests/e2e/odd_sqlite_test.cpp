// SQLite leaders as people really have them: names that look like SQL, tables without keys or with NULLs in them, every encoding, files
// that nobody may write. Each database is built here.

#include <filesystem>
#include <regex>

#include <fmt/format.h>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

std::string quoted(const std::string& name, char quote = '"') {
    std::string text(1, quote);
    for (const char c : name) text += c == quote ? std::string(2, quote) : std::string(1, c);
    return text + quote;
}

/// A text of C++ without the characters that would end it elsewhere.
const std::vector<std::string> kHostileNames = {
    "quo\"te",      "sing'le",  "new\nline", "semi;colon", "back\\slash", "per%cent %s {}",        "select",
    "Ünïcödé 表 😀", "tab\tle", "  spaces ", "--",         "/*",          "t\"); DROP TABLE x; --", "$1",
    "?1",           ":x",       "rowferr",   "[bracket]",  "`tick`",      "a=b",                   "public"};

struct Script {
    std::string setup;
    std::string changes;
    std::vector<std::string> tables;  ///< To be compared.
};

void add_hostile_names(Script& script) {
    for (const std::string& name : kHostileNames) {
        const std::string table = quoted(name);
        const std::string other = quoted("c" + name);
        const std::string keyless = quoted("k" + name);
        script.setup += fmt::format(
            "CREATE TABLE {0} ({0} INTEGER PRIMARY KEY, {1} TEXT UNIQUE, \"x;y\" REAL); CREATE INDEX {2} ON {0} (\"x;y\");"
            "INSERT INTO {0} VALUES (1, 'a', 0.5), (2, 'b', 0.5), (3, 'c', NULL);"
            "CREATE TABLE {3} ({0} INTEGER, {1} TEXT); INSERT INTO {3} VALUES (1, 'a'), (1, 'a'), (2, 'b');",
            table, other, quoted("i" + name), keyless);
        script.changes += fmt::format(
            "INSERT INTO {0} VALUES (4, 'd', 1.5); UPDATE {0} SET {1} = 'z' WHERE {0} = 1; UPDATE {0} SET {0} = 9 WHERE {0} = 2; "
            "DELETE FROM {0} WHERE {0} = 3; INSERT OR REPLACE INTO {0} VALUES (5, 'd', 2.5);"
            "UPDATE {2} SET {1} = 'q' WHERE rowid = 1; DELETE FROM {2} WHERE rowid = 2; INSERT INTO {2} VALUES (NULL, NULL);",
            table, other, keyless);
        script.tables.push_back(name);
        script.tables.push_back("k" + name);
    }
}

void add_odd_tables(Script& script) {
    std::string columns;
    for (int i = 0; i < 300; ++i) columns += fmt::format(", c{} INT", i);
    script.setup += fmt::format("CREATE TABLE wide (id INTEGER PRIMARY KEY{}); INSERT INTO wide (id, c7) VALUES (1, 7), (2, 8);", columns);
    script.setup += R"(
CREATE TABLE nullable (k TEXT PRIMARY KEY, v INT);
INSERT INTO nullable VALUES (NULL, 1), (NULL, 1), ('x', 2), ('y', 3);
CREATE TABLE nullable_pair (a TEXT, b INT, v TEXT, PRIMARY KEY (a, b));
INSERT INTO nullable_pair VALUES (NULL, 1, 'a'), (NULL, 1, 'a'), ('x', NULL, 'b'), ('x', 1, 'c');
CREATE TABLE backwards (a INTEGER PRIMARY KEY DESC, v TEXT);
INSERT INTO backwards VALUES (NULL, 'a'), (NULL, 'a'), (4, 'b');
CREATE TABLE exact (id INTEGER PRIMARY KEY, v ANY, w TEXT, r REAL, b BLOB) STRICT;
INSERT INTO exact VALUES (1, 'a', 'q', 1, x'00');
CREATE TABLE clustered (a TEXT, b TEXT, v, PRIMARY KEY (b, a)) WITHOUT ROWID;
INSERT INTO clustered VALUES ('1', '2', '3');
CREATE TABLE untyped (a, b, c);
INSERT INTO untyped VALUES ('1', '2', '3'), ('1', '2', '3');
CREATE TABLE computed (id INTEGER PRIMARY KEY, a INT, b INT AS (a + 1) STORED, c INT AS (a * 2) VIRTUAL, d TEXT AS ('x' || a));
INSERT INTO computed (id, a) VALUES (1, 1), (2, 2);
CREATE TABLE hidden_rowid (id TEXT, rowid INT, oid INT);
INSERT INTO hidden_rowid VALUES ('1', 2, 3), ('1', 2, 3);
CREATE TABLE only_key (id INTEGER PRIMARY KEY);
INSERT INTO only_key VALUES (1), (2);
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
INSERT INTO counted VALUES (10, 'a');
CREATE TABLE guarded (id INTEGER PRIMARY KEY, x INT);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER ignored BEFORE INSERT ON guarded WHEN NEW.x > 5 BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER "audit;it" AFTER UPDATE ON guarded BEGIN INSERT INTO audit VALUES ('changed ' || NEW.id); END;
INSERT INTO guarded VALUES (1, 1);
CREATE TABLE indexed (id INTEGER PRIMARY KEY, x INT, y TEXT);
CREATE UNIQUE INDEX over_expression ON indexed (x + 1);
CREATE INDEX partial ON indexed (y) WHERE x > 3;
INSERT INTO indexed VALUES (1, 1, 'a');
CREATE TABLE "dot.dot" ("a.b" TEXT PRIMARY KEY NOT NULL, "c.d" INT);
INSERT INTO "dot.dot" VALUES ('a', 1), ('b', 2);
CREATE VIEW broken AS SELECT nope FROM missing;
ANALYZE;)";
    script.changes += R"(
UPDATE wide SET c7 = 9, c299 = 1 WHERE id = 1; DELETE FROM wide WHERE id = 2; INSERT INTO wide (id, c0) VALUES (3, 3);
INSERT INTO nullable VALUES (NULL, 4); UPDATE nullable SET v = 5 WHERE rowid = 1; DELETE FROM nullable WHERE rowid = 2;
UPDATE nullable SET k = NULL WHERE k = 'y'; UPDATE nullable SET k = 'z' WHERE k = 'x'; INSERT OR REPLACE INTO nullable VALUES ('z', 6);
UPDATE nullable_pair SET v = 'z' WHERE rowid = 1; DELETE FROM nullable_pair WHERE rowid = 2;
INSERT OR REPLACE INTO nullable_pair VALUES ('x', 1, 'replaced'), ('x', NULL, 'another');
UPDATE backwards SET v = 'z'; DELETE FROM backwards WHERE a = 4; INSERT INTO backwards VALUES (9, 'c');
UPDATE exact SET v = '01', r = 0.1; INSERT INTO exact VALUES (2, 'b', '', -1e300, x'');
UPDATE clustered SET v = '9'; UPDATE clustered SET a = '5'; INSERT OR REPLACE INTO clustered VALUES ('5', '2', '8'), ('6', '2', '7');
UPDATE untyped SET c = '9' WHERE rowid = 1; DELETE FROM untyped WHERE rowid = 2; INSERT INTO untyped VALUES (NULL, '', '8');
UPDATE computed SET a = 7 WHERE id = 1; DELETE FROM computed WHERE id = 2; INSERT INTO computed (id, a) VALUES (3, 3);
UPDATE hidden_rowid SET rowid = 5 WHERE _rowid_ = 1; INSERT INTO hidden_rowid VALUES ('9', NULL, 1);
UPDATE only_key SET id = 5 WHERE id = 1; DELETE FROM only_key WHERE id = 2; INSERT INTO only_key VALUES (7);
INSERT INTO counted (v) VALUES ('b'); DELETE FROM counted WHERE id = 10;
INSERT INTO guarded VALUES (2, 9); INSERT INTO guarded VALUES (3, 2); UPDATE guarded SET x = 4;
UPDATE "dot.dot" SET "c.d" = 3 WHERE "a.b" = 'a'; DELETE FROM "dot.dot" WHERE "a.b" = 'b'; INSERT INTO "dot.dot" VALUES ('c', 4);
UPDATE indexed SET x = 4; INSERT INTO indexed VALUES (2, 7, 'b');)";
    for (const char* table : {"wide", "nullable", "nullable_pair", "backwards", "exact", "clustered", "untyped", "hidden_rowid", "only_key", "counted",
                              "guarded", "audit", "indexed"})
        script.tables.emplace_back(table);
}

/// Whether this SQLite has full-text search, whose virtual and shadow tables are not replicated.
bool add_virtual_table(SqliteDb& leader) {
    try {
        leader.exec("CREATE VIRTUAL TABLE found USING fts5 (words); INSERT INTO found VALUES ('a b c')");
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

struct Kind {
    Direction direction;
    const char* encoding;
    bool wal;
};

class OddSqliteTest : public StreamTest, public ::testing::WithParamInterface<Kind> {};

TEST_P(OddSqliteTest, ArrivesWholeAndStaysSo) {
    const auto [leader, follower] = make_pair_for(GetParam().direction);
    Script script;
    add_hostile_names(script);
    add_odd_tables(script);
    SqliteDb db{leader.path()};
    db.exec(fmt::format("PRAGMA encoding = '{}'; PRAGMA journal_mode = {}; PRAGMA application_id = 77; BEGIN;{};COMMIT", GetParam().encoding,
                        GetParam().wal ? "WAL" : "DELETE", script.setup));
    const bool searches = add_virtual_table(db);

    const RowferryResult first = run_until_current(leader, follower);
    ASSERT_TRUE(ended(first, 0));
    ASSERT_TRUE(same_rows(leader, follower, script.tables));
    EXPECT_EQ(first.err.find("main.found: virtual table, not replicated") != std::string::npos, searches) << first;
    // VACUUM gives the rows of tables without a key new rowids.
    db.exec("DELETE FROM untyped WHERE rowid = 1; INSERT INTO untyped VALUES ('1', '2', '3'); VACUUM");
    db.exec("BEGIN;" + script.changes + "; COMMIT");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    ASSERT_TRUE(same_rows(leader, follower, script.tables));
    for (const char* rows : {"SELECT id || ',' || a || ',' || b FROM computed ORDER BY id LIMIT 1",
                             R"(SELECT string_agg("a.b" || "c.d", ',') FROM (SELECT * FROM "dot.dot" ORDER BY 1) AS t)"})
        EXPECT_EQ(follower.value(follower.is_postgresql() ? rows : std::regex_replace(rows, std::regex{"string_agg"}, "group_concat")),
                  leader.value(std::regex_replace(rows, std::regex{"string_agg"}, "group_concat")));

    db.exec("VACUUM; DELETE FROM untyped; UPDATE nullable SET v = v + 1");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    ASSERT_TRUE(same_rows(leader, follower, script.tables));
    ASSERT_TRUE(ended(rowferry(command("drop", leader, follower)), 0));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, OddSqliteTest,
                         ::testing::Values(Kind{Direction::sqlite_to_pg, "UTF-8", true}, Kind{Direction::sqlite_to_pg, "UTF-16le", false},
                                           Kind{Direction::sqlite_to_sqlite, "UTF-8", false},
                                           Kind{Direction::sqlite_to_sqlite, "UTF-16be", true}),
                         [](const auto& info) {
                             std::string name = to_string(info.param.direction) + "_" + info.param.encoding;
                             std::erase(name, '-');
                             return name;
                         });

class OddRefusals : public StreamTest {
protected:
    /// The exit code and reason of a run of a leader made by `setup`.
    static testing::AssertionResult run(Direction direction, const std::string& setup, int exit_code, std::string_view reason) {
        const auto [leader, follower] = make_pair_for(direction);
        leader.exec(setup);
        const auto result = ended(run_until_current(leader, follower), exit_code, reason);
        if (result && exit_code == 3 && !leftovers(leader).empty()) return testing::AssertionFailure() << "something was left on the leader";
        return result;
    }
};

TEST_F(OddRefusals, NamesThatPostgresqlCannotHave) {
    const auto expect = [](const std::string& setup, std::string_view reason) { EXPECT_TRUE(run(Direction::sqlite_to_pg, setup, 3, reason)); };
    const std::string longest(63, 'n');
    EXPECT_TRUE(run(Direction::sqlite_to_pg, fmt::format("CREATE TABLE {0} ({0} INTEGER PRIMARY KEY, b TEXT); CREATE UNIQUE INDEX {0}{0} ON {0} (b)", longest), 0, ""));
    expect(fmt::format("CREATE TABLE {}n (a INTEGER PRIMARY KEY)", longest), "longer than the 63 bytes");
    // Two names that PostgreSQL would cut to one.
    expect(fmt::format("CREATE TABLE t (a INTEGER PRIMARY KEY, {0}x TEXT, {0}y TEXT)", longest), "longer than the 63 bytes");
    expect("CREATE TABLE t (a INTEGER PRIMARY KEY, \"\" TEXT)", "without a name");
    expect("CREATE TABLE \"\" (a INTEGER PRIMARY KEY)", "without a name");
    expect("CREATE TABLE t (a INTEGER PRIMARY KEY, ctid TEXT)", "a column ctid of its own");
    std::string columns;
    for (int i = 0; i < 1600; ++i) columns += fmt::format(", c{} INT", i);
    const std::string wide = fmt::format("CREATE TABLE t (a INTEGER PRIMARY KEY{});", columns);
    expect(wide, "1601 columns, a table of PostgreSQL at most 1600");
    EXPECT_TRUE(run(Direction::sqlite_to_sqlite, wide + fmt::format("CREATE TABLE {0}n ({0}x TEXT PRIMARY KEY, \"\" INT, ctid INT); CREATE TABLE \"\" (a)", longest), 0, ""));
}

TEST_F(OddRefusals, NamesThatAreNoTextAndTablesThatAreTooWide) {
    std::string columns = "c";
    for (int i = 0; i < 1200; ++i) columns += fmt::format(", c{} INT", i);
    // The name in the catalog's own text, as no statement of ours could spell it.
    const std::string invalid =
        "CREATE TABLE bad (id INTEGER PRIMARY KEY); PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = CAST(x'62ff64' AS TEXT), tbl_name = "
        "CAST(x'62ff64' AS TEXT), sql = 'CREATE TABLE ' || CAST(x'2262ff6422' AS TEXT) || ' (id INTEGER PRIMARY KEY)'";
    for (const Direction direction : {Direction::sqlite_to_pg, Direction::sqlite_to_sqlite}) {
        EXPECT_TRUE(run(direction, invalid, 3, "not valid UTF-8"));
        EXPECT_TRUE(run(direction, "CREATE TABLE t (" + columns + ")", 3, "give it a primary key"));
        EXPECT_TRUE(run(direction, "CREATE VIEW v AS SELECT 1", 3, "there is no table to replicate"));
        EXPECT_TRUE(run(direction, "CREATE TABLE t (a); PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = 'CREATE TABLE t ('", 7, "malformed"));
    }
}

/// SQLite itself would turn such a text into another one on its way to UTF-8.
TEST_F(OddRefusals, ATextThatIsNotUtf16IsAStop) {
    for (const Direction direction : {Direction::sqlite_to_pg, Direction::sqlite_to_sqlite}) {
        for (const bool big : {false, true}) {
            const std::string lone = big ? "CAST(x'd83d0061' AS TEXT)" : "CAST(x'3dd86100' AS TEXT)";
            const std::string pair = big ? "CAST(x'd83dde00' AS TEXT)" : "CAST(x'3dd800de' AS TEXT)";
            const std::string setup = fmt::format("PRAGMA encoding = 'UTF-16{}'; CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT);", big ? "be" : "le");
            EXPECT_TRUE(run(direction, setup + "INSERT INTO t VALUES (1, " + lone + ")", 7, "not valid UTF-16"));
            const auto [leader, follower] = make_pair_for(direction);
            leader.exec(setup + "INSERT INTO t VALUES (1, " + pair + ")");
            ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
            EXPECT_TRUE(same_rows(leader, follower));
            leader.exec("INSERT INTO t VALUES (2, " + lone + ")");
            EXPECT_TRUE(ended(run_until_current(leader, follower), 7, "of main.t"));
            EXPECT_EQ(follower.value("SELECT count(*) FROM t"), "1");
        }
    }
}

TEST_F(OddRefusals, WhatIsNoDatabase) {
    const auto [leader, follower] = make_pair_for(Direction::sqlite_to_sqlite);
    leader.exec("");
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "there is no table to replicate"));
    std::filesystem::remove(leader.path());
    std::filesystem::create_directory(leader.path());
    EXPECT_TRUE(ended(run_until_current(leader, follower), 3, "it is not a file"));
}

}  // namespace
}  // namespace rowferry::test
