// What the triggers log, and what the source makes of it, for every kind of change an application can make.
#include "tests/unit/sqlite_leader_harness.h"

namespace rowferry::test {
namespace {

class SqliteCapture : public LeaderTest {
protected:
    void SetUp() override { open(); }
};

TEST_F(SqliteCapture, InsertUpdateDeleteAndKeyChange) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)");
    sql("INSERT INTO t VALUES(1,'before')");
    start();
    sql("INSERT INTO t VALUES(2,'two'),(3,'three')");
    sql("UPDATE t SET name='TWO' WHERE id=2");
    sql("UPDATE t SET id=30 WHERE id=3");
    sql("UPDATE t SET rowid=31 WHERE id=30");
    sql("DELETE FROM t WHERE id=1");
    catch_up();
    EXPECT_EQ(operations(), "IIUUUD");
    expect_equal("t");
}

TEST_F(SqliteCapture, AnUpdateSendsTheOldKeyOnlyWhenItChanged) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, UNIQUE(name))");
    sql("INSERT INTO t VALUES(1,'a')");
    start();
    sql("UPDATE t SET name='A'; UPDATE t SET id=2");
    Batch batch;
    source_->read(batch, 1 << 20, std::chrono::milliseconds{500});
    ASSERT_EQ(batch.events().size(), 4U);
    EXPECT_TRUE(std::get<Change>(batch.events()[1]).before.empty());
    const auto& moved = std::get<Change>(batch.events()[2]);
    ASSERT_EQ(moved.before.size(), 2U);
    EXPECT_EQ(moved.before[0].as_integer(), 1);
    EXPECT_EQ(moved.before[1].kind(), CellKind::absent);
    EXPECT_EQ(moved.after[0].as_integer(), 2);
}

TEST_F(SqliteCapture, RolledBackWorkIsNotSeen) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)");
    start();
    sql("BEGIN; INSERT INTO t VALUES(1,'x'); SAVEPOINT s; INSERT INTO t VALUES(2,'y'); ROLLBACK TO s; INSERT INTO t VALUES(3,'z'); COMMIT");
    sql("BEGIN; INSERT INTO t VALUES(4,'x'); ROLLBACK");
    EXPECT_FALSE(app_->try_exec("INSERT INTO t VALUES(5,'five'),(1,'dup')"));
    catch_up();
    EXPECT_EQ(operations(), "II");
    expect_equal("t");
}

TEST_F(SqliteCapture, EveryKindOfKey) {
    table("CREATE TABLE wr(a TEXT, b BLOB, v, PRIMARY KEY(b, a)) WITHOUT ROWID");
    table("CREATE TABLE composite(a TEXT NOT NULL, v, b INT NOT NULL, PRIMARY KEY(b, a))");
    table("CREATE TABLE nullable(a TEXT PRIMARY KEY, v)");
    table("CREATE TABLE uniq(v, code TEXT NOT NULL UNIQUE)");
    table("CREATE TABLE keyless(a, b)");
    table("CREATE TABLE backwards(id INTEGER PRIMARY KEY DESC, v)");
    sql("INSERT INTO keyless VALUES(1,1),(1,1),(NULL,'x')");
    start();
    std::map<std::string, ColumnIndexes> identities;
    for (const TableState& state : checkpoint_.tables) identities[state.name.name] = state.shape.identity;
    EXPECT_EQ(identities["wr"], (ColumnIndexes{0, 1}));
    EXPECT_EQ(identities["composite"], (ColumnIndexes{0, 2}));
    EXPECT_TRUE(identities["nullable"].empty());
    EXPECT_EQ(identities["uniq"], ColumnIndexes{1});
    EXPECT_TRUE(identities["keyless"].empty());
    EXPECT_TRUE(identities["backwards"].empty());  // not the rowid: NULLs are allowed
    sql("INSERT INTO wr VALUES('x',x'00',1),('y',x'00',2); UPDATE wr SET a='z' WHERE a='x'; UPDATE wr SET v=3; DELETE FROM wr WHERE a='y'");
    sql("INSERT INTO composite VALUES('x',1,1),('y',1,1); UPDATE composite SET b=2, a='q' WHERE a='x'; DELETE FROM composite WHERE a='y'");
    sql("INSERT INTO nullable VALUES(NULL,1),(NULL,2),('k',3); UPDATE nullable SET v=9 WHERE v=1; DELETE FROM nullable WHERE v=2");
    sql("INSERT INTO uniq VALUES(1,'a'),(2,'b'); UPDATE uniq SET code='c' WHERE v=1; DELETE FROM uniq WHERE v=2");
    sql("DELETE FROM keyless WHERE rowid=1; UPDATE keyless SET b='y' WHERE a IS NULL; INSERT INTO keyless DEFAULT VALUES");
    sql("INSERT INTO backwards VALUES(5,'v'),(NULL,'n'); UPDATE backwards SET v='w'");
    sql("VACUUM");
    catch_up();
    for (const char* name : {"wr", "composite", "nullable", "uniq", "keyless", "backwards"}) expect_equal(name);
}

TEST_F(SqliteCapture, UpsertLogsWhatHappened) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT)");
    sql("INSERT INTO t VALUES(1,'a',0),(2,'b',0)");
    start();
    sql("INSERT INTO t VALUES(1,'x',1) ON CONFLICT(id) DO UPDATE SET n=n+excluded.n");
    sql("INSERT INTO t VALUES(9,'b',1),(10,'c',1) ON CONFLICT(u) DO UPDATE SET n=n+10, id=excluded.id");
    sql("INSERT INTO t VALUES(1,'zz',1) ON CONFLICT DO NOTHING; INSERT OR IGNORE INTO t VALUES(1,'zz',1)");
    catch_up();
    EXPECT_EQ(operations(), "UUI");
    expect_equal("t");
}

TEST_F(SqliteCapture, ReplaceIsDisplacedByTheFollower) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT UNIQUE)");
    sql("INSERT INTO t VALUES(1,'a',1),(2,'b',2),(3,'c',3)");
    start();
    displace_ = true;
    sql("INSERT OR REPLACE INTO t VALUES(1,'b',9)");
    sql("UPDATE OR REPLACE t SET u='b' WHERE id=3");
    catch_up();
    EXPECT_EQ(operations(), "IU");
    expect_equal("t");
}

class SqliteExactReplace : public SqliteCapture {
protected:
    void SetUp() override {
        SqliteCapture::SetUp();
        request_.exact_replace = true;
    }
};

TEST_F(SqliteExactReplace, LogsTheRowsThatReplaceRemoves) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE, v INT UNIQUE)");
    sql("INSERT INTO t VALUES(-1,'m',-1),(1,'a',1),(2,'b',2),(3,'c',3),(4,'d',4)");
    start();
    sql("INSERT OR REPLACE INTO t VALUES(1,'B',9)");
    catch_up();
    EXPECT_EQ(operations(), "DDI");
    sql("UPDATE OR REPLACE t SET u='B' WHERE id=3");
    catch_up();
    EXPECT_EQ(operations(), "DU");
    sql("INSERT INTO t(u,v) VALUES('auto',77)");  // NEW.id is -1 in a BEFORE trigger, and there is a row -1
    catch_up();
    EXPECT_EQ(operations(), "I");
    sql("REPLACE INTO t VALUES(-1,'m',-1)");
    catch_up();
    EXPECT_EQ(operations(), "DI");
    expect_equal("t");
}

TEST_F(SqliteExactReplace, IgnoredAndUpsertedRowsRemoveNothing) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT)");
    sql("INSERT INTO t VALUES(1,'a',0),(2,'b',0)");
    start();
    sql("BEGIN; INSERT OR IGNORE INTO t VALUES(1,'q',5); INSERT INTO t VALUES(1,'x',1) ON CONFLICT(id) DO UPDATE SET n=n+1;"
        "INSERT OR IGNORE INTO t VALUES(7,'b',5); DELETE FROM t WHERE id=2; INSERT INTO t VALUES(8,'b',6); COMMIT");
    sql("BEGIN; INSERT OR IGNORE INTO t VALUES(9,'b',5); REPLACE INTO t VALUES(8,'y',0); INSERT INTO t VALUES(9,'b',1); COMMIT");
    EXPECT_FALSE(app_->try_exec("INSERT INTO t VALUES(1,'dup',1)"));
    sql("UPDATE OR IGNORE t SET u='b' WHERE id=8");
    catch_up();
    EXPECT_EQ(operations(), "UDIDII");
    expect_equal("t");
}

TEST_F(SqliteExactReplace, AgreesWithRecursiveTriggers) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE)");
    sql("INSERT INTO t VALUES(1,'a'),(2,'b'); PRAGMA recursive_triggers = 1");
    start();
    sql("REPLACE INTO t VALUES(1,'b')");
    catch_up();
    EXPECT_EQ(operations(), "DDI");
    expect_equal("t");
}

TEST_F(SqliteExactReplace, WithCascadesUserTriggersAndNoKey) {
    sql("PRAGMA foreign_keys = 1");
    table("CREATE TABLE parent(id INTEGER PRIMARY KEY, u TEXT UNIQUE)");
    table("CREATE TABLE child(id INTEGER PRIMARY KEY, p INT REFERENCES parent ON DELETE CASCADE)");
    table("CREATE TABLE nokey(a INT, b TEXT UNIQUE)");
    table("CREATE TABLE audit(what TEXT)");
    sql("CREATE TRIGGER note BEFORE INSERT ON parent BEGIN INSERT INTO audit VALUES('new ' || NEW.u); END");
    sql("INSERT INTO parent VALUES(1,'a'),(2,'b'); INSERT INTO child VALUES(1,1),(2,2),(3,2); INSERT INTO nokey "
        "VALUES(1,'x'),(1,'y'),(NULL,NULL)");
    start();
    sql("REPLACE INTO parent VALUES(3,'b')");
    sql("REPLACE INTO nokey VALUES(2,'x'); UPDATE OR REPLACE nokey SET b='y' WHERE b='x'; UPDATE nokey SET b='y2' WHERE b='y'");
    catch_up();
    for (const char* name : {"parent", "child", "nokey", "audit"}) expect_equal(name);
}

TEST_F(SqliteCapture, UserTriggersAndCascades) {
    sql("PRAGMA foreign_keys = 1");
    table("CREATE TABLE parent(id INTEGER PRIMARY KEY, total INT DEFAULT 0)");
    table("CREATE TABLE child(id INTEGER PRIMARY KEY, p INT REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, v INT)");
    sql("CREATE TRIGGER sum AFTER INSERT ON child BEGIN UPDATE parent SET total=total+NEW.v WHERE id=NEW.p; END");
    sql("CREATE TRIGGER self AFTER INSERT ON parent BEGIN UPDATE parent SET total=100 WHERE id=NEW.id; END");
    start();
    sql("INSERT INTO parent(id) VALUES(1),(2); INSERT INTO child VALUES(1,1,5),(2,1,6),(3,2,7)");
    catch_up();
    EXPECT_EQ(operations(), "IUIUIUIUIU");  // the row itself before what the user's trigger makes of it
    sql("UPDATE parent SET id=10 WHERE id=1; DELETE FROM parent WHERE id=2");
    catch_up();
    expect_equal("parent");
    expect_equal("child");
}

TEST_F(SqliteCapture, OddNames) {
    table(
        "CREATE TABLE \"we\"\"ird; DROP TABLE t; --\n\" (\"a\"\"b\" INTEGER PRIMARY KEY, \"c;d\n'e\" TEXT, \"ROWID\" TEXT, \"select\" "
        "TEXT)");
    table("CREATE TABLE \"group\"(\"order\" TEXT NOT NULL, [space here] INT, `ünï` BLOB, PRIMARY KEY(\"order\"))");
    start();
    sql("INSERT INTO \"we\"\"ird; DROP TABLE t; --\n\" VALUES(1,'x','r','s'); UPDATE \"we\"\"ird; DROP TABLE t; --\n\" SET \"a\"\"b\"=2");
    sql("INSERT INTO \"group\" VALUES('a',1,x'00'),('b',2,x''); DELETE FROM \"group\" WHERE \"order\"='a'");
    catch_up();
    expect_equal("we\"ird; DROP TABLE t; --\n");
    expect_equal("group");
}

TEST_F(SqliteCapture, EveryValueArrivesBitByBit) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, n NUMERIC, u)");
    start();
    SqliteDatabase writer{path_, SqliteDatabase::Mode::read_write};
    SqliteStatement insert = writer.prepare("INSERT INTO t(i,r,t,b,n,u) VALUES(?1,?1,?1,?1,?1,?1)");
    const std::string nul("a\0b", 3);
    for (const Cell& cell :
         {Cell::null(), Cell::integer(INT64_MAX), Cell::integer(INT64_MIN), Cell::integer(9007199254740993), Cell::real(0.1 + 0.2),
          Cell::real(-0.0), Cell::real(5e-324), Cell::real(1e308 * 10), Cell::real(1.7976931348623157e308), Cell::real(3.0), Cell::text(""),
          Cell::text(nul), Cell::text("\xFF\xFE"), Cell::text("\xED\xA0\x80"), Cell::text("007"), Cell::text("1e3"), Cell::blob(""),
          Cell::blob(nul), Cell::blob("text")}) {
        insert.bind(1, cell);
        insert.run();
    }
    writer.execute("UPDATE t SET id = id + 100");
    catch_up();
    expect_equal("t");
}

TEST_F(SqliteCapture, GeneratedColumns) {
    sql("CREATE TABLE g(id INTEGER PRIMARY KEY, a INT, v INT AS (a*2) VIRTUAL, s INT AS (a*3) STORED UNIQUE)");
    replica_->make_table("CREATE TABLE g(id INTEGER PRIMARY KEY, a INT, s INT)");
    start();
    EXPECT_EQ(describe_columns(checkpoint_.tables[0].shape), "id INTEGER, a INT, s INT");
    sql("INSERT INTO g(a) VALUES(1),(2); UPDATE g SET a=7 WHERE a=1");
    catch_up();
    expect_equal("g", "id, a, s");
}

TEST_F(SqliteCapture, WhatTheApplicationSeesIsNotDisturbed) {
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    start();
    sql("INSERT INTO t VALUES(41,'x'),(42,'y')");
    EXPECT_EQ(app_->value("SELECT last_insert_rowid() || ' ' || changes()"), "42 2");
    EXPECT_EQ(app_->value("DELETE FROM t WHERE id=41 RETURNING id"), "41");
}

TEST_F(SqliteCapture, RandomHistoryWithUpsertsAndReplaces) {
    table("CREATE TABLE t(a TEXT NOT NULL, b INT NOT NULL, c TEXT UNIQUE, d INT, PRIMARY KEY(a, b))");
    start();
    displace_ = true;
    unsigned seed = 12345;
    const auto random = [&](unsigned below) { return (seed = seed * 1103515245U + 12345U) / 65536U % below; };
    for (int round = 0; round < 40; ++round) {
        sql("BEGIN");
        for (int i = 0; i < 20; ++i) {
            const std::string a = "'" + std::string(1, static_cast<char>('a' + random(6))) + "'";
            const std::string b = std::to_string(random(4));
            const std::string c = random(5) == 0 ? "NULL" : "'c" + std::to_string(random(12)) + "'";
            const std::string values = a + "," + b + "," + c + "," + std::to_string(random(1000));
            switch (random(7)) {
                case 0: sql("INSERT OR REPLACE INTO t VALUES(" + values + ")"); break;
                case 1: sql("INSERT OR IGNORE INTO t VALUES(" + values + ")"); break;
                case 2:
                    app_->try_exec("INSERT INTO t VALUES(" + values +
                                   ") ON CONFLICT(a,b) DO UPDATE SET d=excluded.d+1 ON CONFLICT(c) DO UPDATE SET d=-1, a='z'||a");
                    break;
                case 3: sql("UPDATE OR REPLACE t SET c=" + c + ", b=b+1 WHERE a=" + a); break;
                case 4: sql("UPDATE OR IGNORE t SET a=" + a + " WHERE b=" + b); break;
                case 5: sql("DELETE FROM t WHERE a=" + a + " AND b=" + b); break;
                default: sql("INSERT OR IGNORE INTO t VALUES(" + values + ")"); break;
            }
        }
        sql(random(4) == 0 ? "ROLLBACK" : "COMMIT");
        catch_up(random(2) == 0 ? 300 : 1 << 20);
        expect_equal("t");
    }
}

TEST_F(SqliteExactReplace, RandomHistoryIsExactWithoutDisplacing) {
    table("CREATE TABLE t(a TEXT NOT NULL, b INT NOT NULL, c TEXT UNIQUE, d INT, PRIMARY KEY(a, b))");
    table("CREATE TABLE r(id INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE UNIQUE, d INT UNIQUE)");
    start();
    unsigned seed = 777;
    const auto random = [&](unsigned below) { return (seed = seed * 1103515245U + 12345U) / 65536U % below; };
    const auto word = [&] {
        return random(5) == 0 ? std::string{"NULL"} : std::string{random(2) == 0 ? "'c" : "'C"} + std::to_string(random(12)) + "'";
    };
    for (int round = 0; round < 60; ++round) {
        sql("BEGIN");
        for (int i = 0; i < 20; ++i) {
            const std::string a = "'" + std::string(1, static_cast<char>('a' + random(6))) + "'";
            const std::string b = std::to_string(random(4));
            const std::string id = random(3) == 0 ? "NULL" : std::to_string(static_cast<int>(random(8)) - 1);
            switch (random(9)) {
                case 0: sql("INSERT OR REPLACE INTO t VALUES(" + a + "," + b + "," + word() + ",1)"); break;
                case 1: sql("INSERT OR IGNORE INTO t VALUES(" + a + "," + b + "," + word() + ",2)"); break;
                case 2:
                    sql("INSERT OR IGNORE INTO t VALUES(" + a + "," + b + "," + word() +
                        ",3) ON CONFLICT(a,b) DO UPDATE SET d=excluded.d+1");
                    break;
                case 3: sql("UPDATE OR REPLACE t SET c=" + word() + ", b=b+1 WHERE a=" + a); break;
                case 4: sql("DELETE FROM t WHERE a=" + a + " AND b=" + b); break;
                case 5: sql("INSERT OR REPLACE INTO r VALUES(" + id + "," + word() + "," + std::to_string(random(20)) + ")"); break;
                case 6: sql("INSERT OR IGNORE INTO r VALUES(" + id + "," + word() + "," + std::to_string(random(20)) + ")"); break;
                case 7: sql("UPDATE OR REPLACE r SET id=id+1, d=d-1 WHERE d>" + std::to_string(random(20))); break;
                default: sql("INSERT OR REPLACE INTO r SELECT id+1, c, d FROM r WHERE id % 2 = " + std::to_string(random(2))); break;
            }
        }
        sql(random(4) == 0 ? "ROLLBACK" : "COMMIT");
        ASSERT_NO_THROW(catch_up(random(2) == 0 ? 300 : 1 << 20)) << "round " << round;
        expect_equal("t");
        expect_equal("r");
    }
}

}  // namespace
}  // namespace rowferry::test
