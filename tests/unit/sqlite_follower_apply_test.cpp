#include <cmath>

#include "tests/unit/sqlite_follower_fixture.h"

namespace rowferry::test {
namespace {

class Apply : public SqliteFollowerTest {};

TEST_F(Apply, CrashBeforeCommitThenResendAppliesOnce) {
    const TablePtr users = pg_users();
    follow({users});
    feed(begin(90), insert(users, {"1", "ann"}));
    crash();
    restart();
    EXPECT_EQ(rows("users"), "");
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));   // the leader sends it again after a reconnect
    feed(begin(100), insert(users, {"2", "bob"}), commit(110));  // begins exactly where the last one ended
    EXPECT_EQ(rows("users"), "1|ann\n2|bob");
    EXPECT_EQ(position(), "lsn:0/6E");
    EXPECT_EQ(value("SELECT acked FROM rowferry_checkpoint"), "lsn:0/6E");
}

TEST_F(Apply, ATransactionMaySpanBatches) {
    const TablePtr users = pg_users();
    follow({users});
    feed(begin(90), insert(users, {"1", "ann"}));
    EXPECT_EQ(rows("users"), "");
    feed(insert(users, {"2", "bob"}));
    feed(remove(users, {"1", absent}), commit(100));
    EXPECT_EQ(rows("users"), "2|bob");
}

TEST_F(Apply, RollbackTakesTheGroupBackAndTheSinkGoesOn) {
    const TablePtr users = pg_users();
    follow({users});
    feed(begin(90), insert(users, {"1", "ann"}));
    sink_->rollback();
    feed(begin(90), insert(users, {"1", "amy"}), commit(100));
    EXPECT_EQ(rows("users"), "1|amy");
}

TEST_F(Apply, IdleMovesTheCheckpointAndKeepsTheResumeBlob) {
    const TablePtr users = pg_users();
    follow({users});
    feed(begin(90), insert(users, {"1", "ann"}), commit(100, 5000));
    sink_->commit({{200, 0}, {}, 0, true, nullptr});
    EXPECT_EQ(position(), "lsn:0/C8");
    EXPECT_EQ(value("SELECT CAST(resume AS TEXT) FROM rowferry_checkpoint"), "resume");
    EXPECT_EQ(value("SELECT commit_time FROM rowferry_checkpoint"), "5000");
}

TEST_F(Apply, ALaterTimelineOfTheLeaderIsKept) {
    follow({pg_users()});
    const LeaderIdentity promoted{Engine::postgresql, "77", 2, "shop"};
    sink_->commit({{95, 0}, {}, 0, true, &promoted});
    EXPECT_EQ(follower_->load_checkpoint("default")->leader, promoted);
    sink_->commit({{96, 0}, {}, 0, true, nullptr});
    EXPECT_EQ(follower_->load_checkpoint("default")->leader, promoted);
}

TEST_F(Apply, ACheckpointThatSomebodyElseMovedIsAStop) {
    const TablePtr users = pg_users();
    follow({users});
    exec("UPDATE rowferry_checkpoint SET position = 'lsn:0/59'");
    EXPECT_HAS(halt(begin(90), insert(users, {"1", "ann"}), commit(100)), "another process has moved");
    EXPECT_EQ(rows("users"), "");
}

TEST_F(Apply, ANewTermFencesAPausedTwin) {
    const TablePtr users = pg_users();
    follow({users});
    exec("UPDATE rowferry_checkpoint SET term = 1");
    EXPECT_HAS(halt(begin(90), insert(users, {"1", "ann"}), commit(100)), "term 0");
}

TEST_F(Apply, AMissingRowNamesTableKeyAndPosition) {
    const TablePtr users = pg_users();
    follow({users});
    const std::string updated = halt(begin(90), update(users, {"7", "ann"}), commit(100));
    EXPECT_HAS(updated, "public.users");
    EXPECT_HAS(updated, "id='7'");
    EXPECT_HAS(updated, "lsn:0/64");
    EXPECT_HAS(updated, "missing");
    EXPECT_HAS(halt(begin(90), remove(users, {"8", absent}), commit(100)), "id='8'");
    EXPECT_EQ(position(), "lsn:0/5A");
}

TEST_F(Apply, ARowAlreadyThereIsAStopForAPostgresqlLeader) {
    const TablePtr users = pg_users();
    follow({users}, {insert(users, {"1", "ann"})});
    const std::string text = halt(begin(90), insert(users, {"1", "bob"}), commit(100));
    EXPECT_HAS(text, "already there");
    EXPECT_HAS(text, "id=1");
    EXPECT_HAS(text, "lsn:0/64");
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Apply, AStrangeRowIsNotMistakenForTheLeadersInsert) {
    const TablePtr users = pg_users();
    follow({users});
    exec("INSERT INTO users VALUES (1, 'stranger')");
    EXPECT_HAS(halt(begin(90), insert(users, {"1", "ann"}), remove(users, {"1", absent}), commit(100)), "already there");
    EXPECT_HAS(halt(begin(90), insert(users, {"1", "ann"}), update(users, {"1", "amy"}), commit(100)), "already there");
    EXPECT_EQ(rows("users"), "1|stranger");
}

TEST_F(Apply, UnchangedCellsKeepWhatIsThere) {
    const TablePtr docs = share(table_of(Engine::postgresql, "docs", {{"id", "bigint", ValueClass::integer, true}, {"title", "text"}, {"body", "text"}}, {0}));
    follow({docs}, {insert(docs, {"1", "a", "long"})});
    feed(begin(90), update(docs, {"1", "b", unchanged}), commit(100));
    feed(begin(100), update(docs, {"1", unchanged, "longer"}), update(docs, {"1", unchanged, unchanged}), commit(110));
    EXPECT_EQ(rows("docs"), "1|b|longer");
}

TEST_F(Apply, AKeyUpdateMovesTheRow) {
    const TablePtr users = pg_users();
    follow({users}, {insert(users, {"1", "ann"}), insert(users, {"2", "bob"})});
    feed(begin(90), update(users, {"1", absent}, {"9", unchanged}), commit(100));
    EXPECT_EQ(rows("users"), "2|bob\n9|ann");
}

TEST_F(Apply, TruncateEmptiesEveryTableAndItsNumbers) {
    TableSchema numbered = table_of(Engine::sqlite, "numbered", {{"id", "INTEGER"}, {"v", "TEXT"}}, {0});
    numbered.columns[0].auto_number = AutoNumber::by_default;
    numbered.columns[0].autoincrement = true;
    const TablePtr table = share(numbered);
    const TablePtr users = sqlite_users();
    follow({table, users}, {insert(table, {7, "x"}), insert(users, {1, "ann"})});
    EXPECT_EQ(value("SELECT seq FROM sqlite_sequence"), "7");
    feed(begin(90), truncate({table, users}, true), insert(users, {3, "cy"}), commit(100));
    EXPECT_EQ(rows("numbered"), "");
    EXPECT_EQ(rows("users"), "3|cy");
    EXPECT_EQ(value("SELECT count(*) FROM sqlite_sequence"), "0");
}

TEST_F(Apply, KeylessDeleteTakesExactlyOneOfTwins) {
    const TablePtr log = share(table_of(Engine::sqlite, "log", {{"a", "TEXT"}, {"b", ""}}, {}));
    follow({log}, {insert(log, {"x", 1}), insert(log, {"x", 1}), insert(log, {"x", 1.0}), insert(log, {"x", "1"}), insert(log, {null, null})});
    feed(begin(90), remove(log, {"x", 1}), remove(log, {null, null}), update(log, {"x", 1.0}, {"y", blob("z")}), commit(100));
    EXPECT_EQ(rows("log", "a, typeof(b)"), "x|integer\nx|text\ny|blob");
    EXPECT_HAS(halt(begin(100), remove(log, {"X", 1}), commit(110)), "missing");
}

TEST_F(Apply, KeylessTwinsAreToldApartByTheSignOfAZero) {
    const TablePtr log = share(table_of(Engine::sqlite, "log", {{"a", "TEXT"}, {"b", ""}}, {}));
    follow({log}, {insert(log, {"x", 0.0}), insert(log, {"x", -0.0})});
    feed(begin(90), remove(log, {"x", -0.0}), commit(100));
    SqliteDb db{path_};
    const auto left = db.query("SELECT b FROM log");
    ASSERT_EQ(left.size(), 1U);
    EXPECT_FALSE(std::signbit(std::get<double>(left[0][0])));
}

TEST_F(Apply, ReplaceDisplacesRowsOnEveryUniqueKeyAndCountsThem) {
    TableSchema schema = table_of(Engine::sqlite, "users", {{"id", "INTEGER"}, {"email", "TEXT"}}, {0});
    schema.columns[0].auto_number = AutoNumber::by_default;
    schema.columns[1].collation = "NOCASE";
    schema.unique_keys.push_back({"", {1}});
    schema.indexes.push_back({"sqlite_autoindex_users_1", true, true, {1}, {false}, {"NOCASE"}});
    const TablePtr users = share(schema);
    follow({users}, {insert(users, {1, "a"}), insert(users, {2, "b"}), insert(users, {3, "c"})});
    feed(begin(90), insert(users, {1, "B"}), commit(100));  // replaces 1 by its id and 2 by its email
    EXPECT_EQ(rows("users"), "1|B\n3|c");
    EXPECT_EQ(sink_->replaced_rows(), 2U);
    feed(begin(100), update(users, {3, absent}, {3, "b"}), commit(110));  // UPDATE OR REPLACE
    EXPECT_EQ(rows("users"), "3|b");
    EXPECT_EQ(sink_->replaced_rows(), 3U);
    feed(begin(110), update(users, {3, absent}, {3, "B"}), commit(120));  // conflicts with itself only
    EXPECT_EQ(rows("users"), "3|B");
    EXPECT_EQ(sink_->replaced_rows(), 3U);
}

TEST_F(Apply, AUniqueKeyOfTheFollowersOwnIsNotReplaced) {
    const TablePtr users = sqlite_users();
    exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE ON CONFLICT REPLACE)");
    follow({users}, {insert(users, {1, "ann"})});
    ASSERT_FALSE(notes_.empty());
    EXPECT_HAS(notes_[0], "unique key");
    halt(begin(90), insert(users, {2, "ann"}), commit(100));
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Apply, AValueThatDoesNotFitNamesRowAndColumn) {
    const TablePtr users = share(table_of(Engine::postgresql, "users", {{"id", "integer", ValueClass::integer, true}, {"age", "bigint", ValueClass::integer}}, {0}));
    follow({users});
    const std::string text = halt(begin(90), insert(users, {"1", "9999999999999999999999"}), commit(100));
    EXPECT_HAS(text, "age");
    EXPECT_HAS(text, "id='1'");
    EXPECT_HAS(text, "public.users");
    EXPECT_HAS(text, "lsn:0/64");
    EXPECT_EQ(text.find("999999"), std::string::npos) << "a value in a message: " << text;
}

TEST_F(Apply, ANegativeZeroThatSqliteWouldChangeIsAStop) {
    const TablePtr t = share(table_of(Engine::postgresql, "t", {{"id", "integer", ValueClass::integer, true}, {"d", "double precision", ValueClass::real}}, {0}));
    exec("CREATE TABLE t (id INTEGER PRIMARY KEY, d REAL)");
    follow({t});
    EXPECT_HAS(halt(begin(90), insert(t, {"1", "-0"}), commit(100)), "column d");
}

/// SQLite's primary keys take NULL where they do not say NOT NULL, so a follower that says so is accepted.
TEST_F(Apply, ANullInANotNullColumnNamesTheRow) {
    TableSchema lax = *sqlite_users();
    lax.primary_key.clear();
    lax.identity = {0, 1};
    lax.indexes.push_back({"sqlite_autoindex_users_1", true, true, {0, 1}, {false, false}, {"BINARY", "BINARY"}});
    const TablePtr users = share(lax);
    exec("CREATE TABLE users (id INTEGER, name TEXT NOT NULL, PRIMARY KEY (id, name))");
    follow({users});
    EXPECT_HAS(halt(begin(90), insert(users, {"4", null}), commit(100)), "name");
}

TEST_F(Apply, PostgresqlTextBecomesSqlitesStorageClasses) {
    const TablePtr t = share(table_of(Engine::postgresql, "t",
                                      {{"id", "bigint", ValueClass::integer, true},
                                       {"ok", "boolean", ValueClass::boolean},
                                       {"d", "double precision", ValueClass::real},
                                       {"n", "numeric(10,2)", ValueClass::numeric},
                                       {"b", "bytea", ValueClass::bytes},
                                       {"w", "timestamp with time zone", ValueClass::timestamptz},
                                       {"j", "jsonb", ValueClass::json},
                                       {"u", "uuid", ValueClass::uuid},
                                       {"o", "inet", ValueClass::other}},
                                      {0}));
    follow({t});
    feed(begin(90), insert(t, {"9223372036854775807", "t", "0.1", "19.90", "\\x00ff", "2024-02-29 12:00:00+00", "1.0", "00000000-0000-0000-0000-000000000001", "10.0.0.0/8"}),
         insert(t, {"2", null, "NaN", "NaN", "\\x", null, "{\"a\": 1}", null, null}), commit(100));
    EXPECT_EQ(rows("t", "id, typeof(ok), typeof(d), typeof(n), n, typeof(b), hex(b), typeof(w), j, typeof(u), o"),
              "2|null|text|text|NaN|blob||null|{\"a\": 1}|null|NULL\n"
              "9223372036854775807|integer|real|text|19.90|blob|00FF|text|1.0|text|10.0.0.0/8");
    SqliteDb db{path_};
    EXPECT_EQ(std::get<double>(db.query("SELECT d FROM t WHERE typeof(d) = 'real'")[0][0]), 0.1);
    feed(begin(100), update(t, {"2", "f", "0", "1", "\\x01", null, "2", null, null}), remove(t, {"9223372036854775807", absent, absent, absent, absent, absent, absent, absent, absent}), commit(110));
    EXPECT_EQ(rows("t", "id, ok, n"), "2|0|1");
}

TEST_F(Apply, SqliteValuesKeepTheirStorageClass) {
    const TablePtr t = share(table_of(Engine::sqlite, "t", {{"k", "TEXT"}, {"v", "BLOB"}, {"n", "NUMERIC"}}, {0}));
    follow({t});
    const std::string odd{"a\0b\xff", 4};
    feed(begin(90), insert(t, {odd, blob(odd), "x"}), insert(t, {blob("k"), "text", 5}), insert(t, {null, 1.5, null}), commit(100));
    EXPECT_EQ(rows("t", "typeof(k), typeof(v), typeof(n), hex(k)"), "blob|text|integer|6B\nnull|real|null|\ntext|blob|text|610062FF");
    feed(begin(100), remove(t, {odd, absent, absent}), remove(t, {null, absent, absent}), commit(110));
    EXPECT_EQ(rows("t", "typeof(k), v"), "blob|text");
}

TEST_F(Apply, KeysThatDifferInCaseOnlyAreDifferentRows) {
    const TablePtr t = share(table_of(Engine::postgresql, "t", {{"k", "text", ValueClass::text, true}, {"v", "text"}}, {0}));
    exec("CREATE TABLE t (k TEXT NOT NULL COLLATE NOCASE, v TEXT)");
    follow({t}, {});
    feed(begin(90), insert(t, {"a", "1"}), insert(t, {"A", "2"}), commit(100));
    feed(begin(100), update(t, {"A", "3"}), remove(t, {"a", absent}), commit(110));
    EXPECT_EQ(rows("t"), "A|3");
}

TEST_F(Apply, ATableThatIsDroppedUnderUsIsAStop) {
    const TablePtr users = pg_users();
    follow({users});
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));
    exec("ALTER TABLE users RENAME TO other");
    EXPECT_HAS(halt(begin(100), insert(users, {"2", "bob"}), commit(110)), "gone");
}

TEST_F(Apply, ATriggerMadeWhileWeFollowIsAStop) {
    const TablePtr users = pg_users();
    follow({users});
    exec("CREATE TRIGGER mine AFTER INSERT ON users BEGIN SELECT 1; END");
    EXPECT_HAS(halt(begin(90), insert(users, {"1", "ann"}), commit(100)), "mine");
    options_.fire_triggers = true;
    restart();
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Apply, AnAddedColumnOfTheLeaderIsAStop) {
    const TablePtr users = pg_users();
    follow({users});
    const TablePtr wider = share(table_of(Engine::postgresql, "users", {{"id", "integer", ValueClass::integer, true}, {"name", "text"}, {"age", "text"}}, {0}));
    EXPECT_HAS(halt(begin(90), insert(wider, {"1", "ann", "7"}), commit(100)), "age");
    exec("ALTER TABLE users ADD COLUMN age TEXT");
    feed(begin(90), insert(wider, {"1", "ann", "7"}), commit(100));
    EXPECT_EQ(rows("users"), "1|ann|7");
}

}  // namespace
}  // namespace rowferry::test
