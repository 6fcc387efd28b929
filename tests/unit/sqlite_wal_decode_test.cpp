// One commit after the other out of the write-ahead log: what SQLite did to pages, and what must come out as row changes. Databases are made by SQLite itself.

#include "tests/unit/sqlite_wal_harness.h"

namespace rowferry::test {
namespace {

using Lines = std::vector<std::string>;

Lines sorted(Lines lines) {
    std::sort(lines.begin(), lines.end());
    return lines;
}

/// A leader with a schema, and a follower that stands behind it.
class Followed {
public:
    explicit Followed(const std::string& schema, const std::string& setup = {}, const DecodeLimits& limits = {}) : leader{setup} {
        leader.db().exec(schema);
        leader.start();
        replica.emplace(leader, limits);
    }
    std::vector<std::string> after(const std::string& sql, std::size_t budget = 4096) {
        leader.db().exec(sql);
        std::vector<std::string> lines = replica->lines(budget);
        replica->expect_equal();
        return lines;
    }
    WalLeader leader;
    std::optional<WalReplica> replica;
};

std::string numbers(int from, int to) { return fmt::format("WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {})", from, to); }

TEST(SqliteWalDecode, EveryStorageClassArrivesAsItIs) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v)"};
    EXPECT_EQ(f.after("INSERT INTO t VALUES (1, 5), (2, -9223372036854775808), (3, 0.1), (4, 'a''b'), (5, x'00ff'), (6, NULL)"), (Lines{"I t i1 i5", "I t i2 i-9223372036854775808", "I t i3 r3fb999999999999a", "I t i4 ta'b", std::string("I t i5 b\0\xff", 10), "I t i6 null"}));
    EXPECT_EQ(f.after("UPDATE t SET v = 'x' WHERE id = 3; DELETE FROM t WHERE id = 4"), (Lines{"U t i3 tx", "D t i4 ta'b"}));
}

TEST(SqliteWalDecode, IntegersOfEverySizeArrive) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v)"};
    std::string values;
    for (int bits = 0; bits < 63; ++bits)
        for (const int by : {-1, 0, 1}) values += fmt::format(",(NULL,{0}),(NULL,-{0})", (std::int64_t{1} << bits) + by);
    f.after("INSERT INTO t VALUES " + values.substr(1));
}

TEST(SqliteWalDecode, WhatATransactionTakesBackIsNoChange) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b')"};
    EXPECT_EQ(f.after("BEGIN; INSERT INTO t VALUES (3, 'c'); DELETE FROM t WHERE id = 3; UPDATE t SET v = 'x' WHERE id = 1; UPDATE t SET v = 'a' WHERE id = 1; "
                        "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'b'); COMMIT"), Lines{});
    EXPECT_EQ(f.after("BEGIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; UPDATE t SET v = 'y' WHERE id = 2; COMMIT"), (Lines{"U t i2 ty"}));
}

TEST(SqliteWalDecode, ReplaceShowsWhatItRemoved) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, w UNIQUE); INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')"};
    EXPECT_EQ(f.after("INSERT OR REPLACE INTO t VALUES (4, 'a', 'y')"), (Lines{"D t i1 ta tx", "D t i2 tb ty", "I t i4 ta ty"}));
    EXPECT_EQ(f.after("UPDATE OR REPLACE t SET u = 'c' WHERE id = 4"), (Lines{"D t i3 tc tz", "U t i4 tc ty"}));
}

TEST(SqliteWalDecode, RowsThatSwapAUniqueValueGoAndComeAgain) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, v); INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0)"};
    EXPECT_EQ(f.after("BEGIN; UPDATE t SET u = 'tmp' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2; UPDATE t SET u = 'b' WHERE id = 1; UPDATE t SET v = 1 WHERE id = 3; COMMIT"), (Lines{"D t i1 ta i0", "D t i2 tb i0", "U t i3 tc i1", "I t i1 tb i0", "I t i2 ta i0"}));
    EXPECT_EQ(f.after("UPDATE t SET u = 'd' WHERE id = 3"), (Lines{"U t i3 td i1"})) << "one alone is in nobody's way";
}

/// Two rows that become each other are no change; that must not depend on how many others there are.
TEST(SqliteWalDecode, RowsThatExchangeAllTheyHaveAreNoChangeAmongManyEither) {
    for (const DecodeLimits& limits : {DecodeLimits{}, DecodeLimits{.changes = 2}}) {
        Followed f{"CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, v); INSERT INTO t VALUES ('a', 0), ('b', 0), ('c', 1), ('d', 1), ('e', 1)", {}, limits};
        EXPECT_EQ(f.after("BEGIN; UPDATE t SET k = 'tmp' WHERE k = 'a'; UPDATE t SET k = 'a' WHERE k = 'b'; UPDATE t SET k = 'b' WHERE k = 'tmp'; UPDATE t SET v = 2 WHERE v = 1; COMMIT"),
                  (Lines{"U t tc i2", "U t td i2", "U t te i2"}))
            << "room for " << limits.changes;
    }
}

TEST(SqliteWalDecode, RowsMoveBetweenPagesInSilence) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "PRAGMA page_size = 512"};
    EXPECT_EQ(f.after(numbers(1, 3000) + " INSERT INTO t SELECT i * 2, 'row ' || i FROM n").size(), 3000U);
    EXPECT_EQ(f.after("INSERT INTO t VALUES (3001, zeroblob(300))"), (Lines{"I t i3001 b" + std::string(300, '\0')}));
    for (const char* gone : {"id % 3 = 0 AND id < 5000", "id BETWEEN 100 AND 5900"}) {
        const std::size_t lines = f.after(fmt::format("DELETE FROM t WHERE {}", gone)).size();
        EXPECT_EQ(lines, static_cast<std::size_t>(sqlite3_changes(f.leader.db().get())));
    }
}

TEST(SqliteWalDecode, AnOverflowPageRewrittenInPlaceChangesItsRow) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, zeroblob(20000)), (2, zeroblob(20000))"};
    sqlite3_blob* blob = nullptr;
    ASSERT_EQ(sqlite3_blob_open(f.leader.db().get(), "main", "t", "v", 2, 1, &blob), SQLITE_OK);
    ASSERT_EQ(sqlite3_blob_write(blob, "Z", 1, 15000), SQLITE_OK);
    sqlite3_blob_close(blob);
    std::string value(20000, '\0');
    value[15000] = 'Z';
    EXPECT_EQ(f.after(""), (Lines{"U t i2 b" + value}));
}

TEST(SqliteWalDecode, AnOverflowPageIsFoundAgainAfterItsCellMoved) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "PRAGMA page_size = 1024"};
    f.after(numbers(1, 40) + " INSERT INTO t SELECT i * 10, zeroblob(5000) FROM n");
    f.after(numbers(1, 40) + " INSERT INTO t SELECT i * 10 + 1, zeroblob(400) FROM n");  // pages split: cells with overflow move
    f.after("DELETE FROM t WHERE id % 10 = 1");
    for (int id = 10; id <= 400; id += 10) {
        sqlite3_blob* blob = nullptr;
        ASSERT_EQ(sqlite3_blob_open(f.leader.db().get(), "main", "t", "v", id, 1, &blob), SQLITE_OK);
        ASSERT_EQ(sqlite3_blob_write(blob, "Z", 1, 4321), SQLITE_OK);
        sqlite3_blob_close(blob);
        ASSERT_EQ(f.after("").size(), 1U) << id;
    }
}

TEST(SqliteWalDecode, TablesWithoutRowidAreKnownByTheirKeys) {
    Followed f{"CREATE TABLE t (v, k2 INT, k1 TEXT, w REAL, PRIMARY KEY (k1, k2 DESC)) WITHOUT ROWID", "PRAGMA page_size = 512"};
    EXPECT_EQ(sorted(f.after("INSERT INTO t VALUES ('x', 1, 'a', 2), ('y', 2, 'a', 2.5)")), sorted({"I t tx i1 ta r4000000000000000", "I t ty i2 ta r4004000000000000"}));
    EXPECT_EQ(f.after("UPDATE t SET v = 'z' WHERE k2 = 2"), (Lines{"U t tz i2 ta r4004000000000000"}));
    EXPECT_EQ(f.after("UPDATE t SET k2 = 3 WHERE k2 = 2"), (Lines{"D t tz i2 ta r4004000000000000", "I t tz i3 ta r4004000000000000"}));
    EXPECT_EQ(f.after(numbers(1, 2000) + " INSERT INTO t SELECT zeroblob(i % 700), i, 'key ' || (i * 7919 % 2000), i FROM n").size(), 2000U);
    EXPECT_EQ(f.after("DELETE FROM t WHERE k2 % 2 = 0").size(), 1000U);
    EXPECT_EQ(f.after("UPDATE t SET w = w + 1 WHERE k2 % 5 = 0").size(), 200U);
}

TEST(SqliteWalDecode, VacuumIsSilentAlsoWhereItNumbersRowsAnew) {
    Followed f{"CREATE TABLE plain (v); CREATE TABLE named (k TEXT PRIMARY KEY, v); CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE INDEX i ON plain (v)"};
    for (const char* table : {"plain (v)", "named (k)", "t (v)"}) f.after(numbers(1, 3000) + " INSERT INTO " + table + " SELECT 'value ' || i FROM n");
    for (const char* table : {"plain", "named", "t"}) f.after(fmt::format("DELETE FROM {} WHERE rowid % 3 = 0", table));
    EXPECT_EQ(f.after("VACUUM"), Lines{});
    EXPECT_EQ(f.after("UPDATE plain SET v = 'x' WHERE rowid = 7"), (Lines{"U plain tx"}));
}

TEST(SqliteWalDecode, ARowOfATableWithoutKeyThatGoesAndComesAgainIsNoChange) {
    Followed f{"CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y')"};
    EXPECT_EQ(f.after("BEGIN; DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES (1, 'x'), (3, 'z'); COMMIT"), (Lines{"I t i3 tz"}));
    EXPECT_EQ(f.after("DELETE FROM t WHERE rowid = 2"), (Lines{"D t i1 tx"}));
}

TEST(SqliteWalDecode, ShapesChangeInOrder) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x'), (2, 'y')"};
    EXPECT_EQ(f.after("ALTER TABLE t ADD COLUMN b INT DEFAULT 7"), (Lines{"S t (id INTEGER, a) -> t (id INTEGER, a, b INT)"}));
    EXPECT_EQ(f.after("UPDATE t SET a = 'z' WHERE id = 1"), (Lines{"U t i1 tz i7"}));
    EXPECT_EQ(f.after("ALTER TABLE t RENAME COLUMN a TO c"), (Lines{"S t (id INTEGER, a, b INT) -> t (id INTEGER, c, b INT)"}));
    EXPECT_EQ(f.after("ALTER TABLE t RENAME TO u"), (Lines{"S t (id INTEGER, c, b INT) -> u (id INTEGER, c, b INT)"}));
    EXPECT_EQ(f.after("BEGIN; DELETE FROM u WHERE id = 2; INSERT INTO u VALUES (3, 'q', 1); ALTER TABLE u DROP COLUMN c; COMMIT"), (Lines{"D u i2 ty i7", "S u (id INTEGER, c, b INT) -> u (id INTEGER, b INT)", "I u i3 i1"}));
    EXPECT_EQ(sorted(f.after("CREATE TABLE fresh AS SELECT * FROM u")), sorted({"I fresh i1 i7", "I fresh i3 i1"}));
    EXPECT_EQ(f.after("DROP TABLE u"), (Lines{"S u (id INTEGER, b INT) -> "}));
    EXPECT_EQ(f.after("CREATE VIEW w AS SELECT 1; CREATE INDEX i ON fresh (b)"), Lines{});
}

TEST(SqliteWalDecode, ATableThatIsMadeAnewUnderItsNameIsComparedRowByRow) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT); INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z')"};
    EXPECT_EQ(f.after("BEGIN; CREATE TABLE n (id INTEGER PRIMARY KEY, a, b TEXT, c INT DEFAULT 5); INSERT INTO n (id, a, b) SELECT id, a, b FROM t; DROP TABLE t; "
                        "ALTER TABLE n RENAME TO t; UPDATE t SET c = 6 WHERE id = 2; COMMIT"), (Lines{"S t (id INTEGER, a, b TEXT) -> t (id INTEGER, a, b TEXT, c INT)", "U t i2 i2 ty i6"}));
}

TEST(SqliteWalDecode, TablesExchangeTheirNames) {
    Followed f{"CREATE TABLE a (id INTEGER PRIMARY KEY, v); CREATE TABLE b (id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES (1, 'x'), (2, 'y'); INSERT INTO b VALUES (1, 'x')"};
    EXPECT_EQ(f.after("BEGIN; ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b; COMMIT"), (Lines{"D a i2 ty", "I b i2 ty"}));
}

/// No page of the tables themselves is written: they only belong to others.
TEST(SqliteWalDecode, LargeTablesExchangeTheirNames) {
    Followed f{"CREATE TABLE a (id INTEGER PRIMARY KEY, v); CREATE TABLE b (id INTEGER PRIMARY KEY, v)", "PRAGMA page_size = 512"};
    f.after(numbers(1, 1000) + " INSERT INTO a SELECT i, 'row ' || i FROM n");
    f.after(numbers(501, 1200) + " INSERT INTO b SELECT i, 'row ' || (i / 2 * 2) FROM n");
    EXPECT_EQ(f.after("BEGIN; ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b; COMMIT").size(), 2U * (500 + 250 + 200));
    EXPECT_EQ(f.after("BEGIN; ALTER TABLE a RENAME TO old; CREATE TABLE a (id INTEGER PRIMARY KEY, v); INSERT INTO a SELECT * FROM old WHERE id < 1000; COMMIT").size(), 201U + 700U);
    f.after("UPDATE old SET v = 'x' WHERE id % 100 = 0; UPDATE a SET v = 'y' WHERE id % 100 = 0; UPDATE b SET v = 'z' WHERE id % 100 = 0");
}

TEST(SqliteWalDecode, DefaultsOfAddedColumnsAreWhatSqliteMakesOfThem) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)"};
    for (const char* column : {"a INT DEFAULT '12'", "b TEXT DEFAULT 12", "c REAL DEFAULT 3", "d DEFAULT x'0102'", "e DEFAULT -1.5", "f DEFAULT 'it''s'", "g DEFAULT TRUE", "h TEXT DEFAULT abc",
                               "i DEFAULT \"quoted\"", "j DEFAULT (CAST('7' AS INT))", "k DEFAULT (+5)", "l"})
        f.after(fmt::format("ALTER TABLE t ADD COLUMN {}", column));
    f.after("UPDATE t SET l = 'touched'");
}

TEST(SqliteWalDecode, GeneratedColumns) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, v INT AS (a * 2) VIRTUAL, s TEXT AS ('s' || a) STORED, z REAL DEFAULT 1)"};
    EXPECT_EQ(f.after("INSERT INTO t (a, z) VALUES (4, 2)"), (Lines{"I t i1 i4 ts4 r4000000000000000"}));
}

class SqliteWalEncoding : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, SqliteWalEncoding, ::testing::Values("UTF-8", "UTF-16le", "UTF-16be"));

TEST_P(SqliteWalEncoding, TextsAndNamesAndDefaultsArriveAsUtf8) {
    Followed f{"CREATE TABLE \"täble\" (id INTEGER PRIMARY KEY, \"nâme\" TEXT UNIQUE)", fmt::format("PRAGMA encoding = '{}'", GetParam())};
    EXPECT_EQ(f.after("INSERT INTO \"täble\" VALUES (1, 'aß日🦊'), (2, '')"), (Lines{"I täble i1 taß日🦊", "I täble i2 t"}));
    f.after("ALTER TABLE \"täble\" ADD COLUMN d TEXT DEFAULT 'dé'");
    EXPECT_EQ(f.after("UPDATE \"täble\" SET \"nâme\" = 'x' WHERE id = 2"), (Lines{"U täble i2 tx tdé"}));
}

TEST(SqliteWalDecode, HalfACharacterInUtf16HasNoExactForm) {
    Followed f{"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "PRAGMA encoding = 'UTF-16le'"};
    f.leader.db().exec("INSERT INTO t VALUES (1, CAST(x'00D84100' AS TEXT))");
    EXPECT_THROW(f.replica->follow(), ValueError);
}

TEST(SqliteWalDecode, ReservedBytesAreNotPartOfAPage) {
    WalLeader leader{"PRAGMA page_size = 1024"};
    int reserve = 32;
    ASSERT_EQ(sqlite3_file_control(leader.db().get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve), SQLITE_OK);
    leader.db().exec("PRAGMA journal_mode = delete; VACUUM; PRAGMA journal_mode = wal");
    leader.db().exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, zeroblob(5000))");
    leader.start();
    ASSERT_EQ(std::to_integer<int>(leader.pages().page(1)[20]), 32);
    WalReplica replica{leader};
    leader.db().exec(numbers(1, 300) + " INSERT INTO t SELECT NULL, zeroblob(i * 9) FROM n");
    EXPECT_EQ(replica.lines().size(), 300U);
    replica.expect_equal();
}

TEST(SqliteWalDecode, AutoVacuumMovesPagesAndRoots) {
    for (const char* mode : {"full", "incremental"}) {
        Followed f{"CREATE TABLE a (v); CREATE TABLE b (id INTEGER PRIMARY KEY, v)", fmt::format("PRAGMA page_size = 512; PRAGMA auto_vacuum = {}", mode)};
        f.after(numbers(1, 2000) + " INSERT INTO a SELECT 'a row ' || i FROM n");
        f.after(numbers(1, 500) + " INSERT INTO b SELECT i, zeroblob(i * 3) FROM n");
        f.after("CREATE TABLE c (x); INSERT INTO c VALUES ('in a root that others had to leave')");
        EXPECT_EQ(f.after("DELETE FROM a WHERE rowid % 4 > 0").size(), 1500U);
        EXPECT_EQ(f.after("PRAGMA incremental_vacuum(50)"), Lines{});
        EXPECT_EQ(f.after("DELETE FROM b WHERE id % 2 = 0").size(), 250U);
        EXPECT_EQ(f.after("DROP TABLE a").size(), 1U);
        f.after("INSERT INTO c SELECT v FROM b");
    }
}

/// The trigger capture reads them from the file: the two must not differ in anything.
TEST_P(SqliteWalEncoding, ShapesAreThoseThatTheFileItselfGives) {
    WalLeader leader{fmt::format("PRAGMA encoding = '{}'", GetParam())};
    sqlite3_create_function(leader.db().get(), "theirs", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, [](sqlite3_context* c, int, sqlite3_value** v) { sqlite3_result_value(c, v[0]); }, nullptr,
                            nullptr);
    leader.db().exec(R"(
        CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, "näme" TEXT COLLATE NOCASE UNIQUE, r REAL DEFAULT 1.5 CHECK (r > 0), "odd "" name" BLOB);
        CREATE TABLE child (k TEXT, n INT NOT NULL, p INT REFERENCES Parent (ID) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY (n DESC, k)) WITHOUT ROWID, STRICT;
        CREATE TABLE made (a, v INT AS (a + 1) VIRTUAL, s TEXT AS ('s' || a) STORED UNIQUE, CONSTRAINT c CHECK (a <> 'é'));
        CREATE TABLE nullable (k TEXT PRIMARY KEY, d DATETIME DEFAULT CURRENT_TIMESTAMP, CHECK (k > ''));
        CREATE UNIQUE INDEX partial ON parent (r) WHERE r > 5; CREATE INDEX over ON parent (lower("näme"), r DESC); CREATE UNIQUE INDEX theirs_index ON made (theirs(a));
        CREATE VIEW w AS SELECT 1; CREATE TRIGGER g AFTER INSERT ON made BEGIN DELETE FROM made; END; CREATE VIRTUAL TABLE f USING fts5 (x);
        ALTER TABLE parent ADD COLUMN late TEXT DEFAULT 'dé'; ALTER TABLE made RENAME TO remade; ANALYZE)");
    leader.start();
    CarryAll chooser;
    const CommitDecoder decoder{leader.pages(), chooser};
    SqliteDatabase file{leader.path().string(), SqliteDatabase::Mode::read_only};
    const std::vector<TableName> names = list_sqlite_tables(file);
    ASSERT_EQ(names.size(), 4U);
    const std::vector<TablePtr> tables = decoder.tables();
    ASSERT_EQ(tables.size(), names.size());
    for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(to_json(*tables[i]), to_json(read_sqlite_table(file, names[i].name)->schema));
    EXPECT_EQ(chooser.unreadable_tables, Lines{});
}

TEST(SqliteWalDecode, ATableThatOurSqliteCannotParseLeavesTheOthersAlone) {
    WalLeader leader;
    leader.db().exec("CREATE TABLE good (id INTEGER PRIMARY KEY); CREATE TABLE odd (id INTEGER PRIMARY KEY, v)");
    sqlite3_db_config(leader.db().get(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    leader.db().exec("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = 'CREATE TABLE odd (id INTEGER PRIMARY KEY, v) WITH NEWS' WHERE name = 'odd'");
    leader.start();
    CarryAll chooser;
    CommitDecoder decoder{leader.pages(), chooser};
    ASSERT_EQ(decoder.tables().size(), 1U);
    EXPECT_EQ(decoder.tables()[0]->name.name, "good");
    ASSERT_EQ(chooser.unreadable_tables.size(), 1U);
    EXPECT_TRUE(chooser.unreadable_tables[0].starts_with("odd: ")) << chooser.unreadable_tables[0];
}

/// Some columns and rows.
class Part : public CarryAll {
public:
    struct OddOnly : RowTest {
        bool passes(std::span<const Cell> row) override { return row[2].kind() == CellKind::integer && row[2].as_integer() % 2 == 1; }
    };
    CarriedTable appeared(const SqliteTable& table) override {
        CarriedTable use;
        if (table.schema.name.name != "t") return use;
        auto schema = std::make_shared<TableSchema>(table.schema);
        schema->columns.erase(schema->columns.begin() + 1);
        use.carried = schema;
        use.columns = {0, 2};
        use.test = std::make_shared<OddOnly>();
        return use;
    }
};

TEST(SqliteWalDecode, APartOfATable) {
    WalLeader leader;
    leader.db().exec("CREATE TABLE other (x); CREATE TABLE t (id INTEGER PRIMARY KEY, hidden, n); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)");
    leader.start();
    Part part;
    CommitDecoder decoder{leader.pages(), part};
    const auto after = [&](const std::string& sql) {
        leader.db().exec(sql);
        std::vector<std::string> lines;
        for (const WalCommit& commit : leader.take()) {
            const MemoryPages now{&leader.pages(), commit.pages, commit.page_count};
            const auto changed = commit.numbers();
            decoder.begin(leader.pages(), now, changed);
            Batch batch;
            EXPECT_TRUE(decoder.fill(batch, 1'000'000));
            for (const Event& event : batch.events()) {
                const auto& change = std::get<Change>(event);
                lines.push_back(fmt::format("{}: {} > {}", static_cast<int>(change.operation), fmt::join(packed(change.before), " "), fmt::join(packed(change.after), " ")));
            }
            leader.pages().commit(commit.pages, commit.page_count);
        }
        return lines;
    };
    EXPECT_EQ(after("INSERT INTO other VALUES (1)"), Lines{});
    EXPECT_EQ(after("INSERT INTO t VALUES (3, 'c', 3), (4, 'd', 4)"), (Lines{"0:  > i3 i3"}));
    EXPECT_EQ(after("UPDATE t SET hidden = 'z'"), Lines{});
    EXPECT_EQ(after("UPDATE t SET n = n + 1 WHERE id < 3"), (Lines{"2: i1 i1 > ", "0:  > i2 i3"}));
    EXPECT_EQ(after("UPDATE t SET n = n + 2"), (Lines{"1: i2 i3 > i2 i5", "1: i3 i3 > i3 i5"}));
}

}  // namespace
}  // namespace rowferry::test
