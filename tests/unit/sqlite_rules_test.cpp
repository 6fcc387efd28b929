// The subset that a stream carries of a SQLite leader: columns, and rows by a filter that SQLite itself evaluates in our reader.

#include <random>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/table_subset.h"
#include "tests/unit/sqlite_leader_harness.h"
#include "db/row_filter.h"

namespace rowferry::test {
namespace {

TableRule rule_for(const std::string& table, const std::string& filter, std::vector<std::string> columns = {}) {
    TableRule rule{TablePattern{table}, std::move(columns), {}, {}, {}, {}, {}};
    if (!filter.empty()) rule.filter = filter;
    return rule;
}

class SqliteRules : public LeaderTest {
protected:
    void SetUp() override { open(); }

    void filter(const std::string& expression, std::vector<std::string> columns = {}) {
        request_.rules.rules.push_back(rule_for("t", expression, std::move(columns)));
        expression_ = expression;
    }

    std::string refusal() {
        try {
            leader_->check(request_, leader_->select_tables(request_));
        } catch (const RefusedError& error) {
            return error.what();
        }
        return "accepted";
    }

    /// The replica holds exactly the rows of the leader for which the leader's own SQLite says that the filter is true.
    void expect_subset(const std::string& columns = "*") {
        SqliteDatabase leader{path_, SqliteDatabase::Mode::read_write};
        std::vector<std::string> rows;
        SqliteStatement select = leader.prepare("SELECT " + columns + " FROM t" + where_clause(expression_));
        while (select.step()) rows.push_back(Replica::packed(select));
        std::sort(rows.begin(), rows.end());
        const std::vector<std::string> got = replica_->dump("t", columns);
        EXPECT_EQ(got.size(), rows.size());
        EXPECT_TRUE(got == rows) << "the replica is not the filtered leader";
    }

    std::string expression_;
};

TEST_F(SqliteRules, UpdatesThatCrossTheFilterBecomeInsertsAndDeletes) {
    table("CREATE TABLE t(region TEXT, id INTEGER, v TEXT, PRIMARY KEY(region, id)) WITHOUT ROWID");
    filter("region = 'EU'");
    sql("INSERT INTO t VALUES('EU',1,'a'),('US',2,'b')");
    start();
    expect_subset();
    sql("INSERT INTO t VALUES('US',3,'c')");
    catch_up();
    EXPECT_EQ(operations(), "");
    sql("INSERT INTO t VALUES('EU',4,'d')");
    sql("UPDATE t SET v = 'e' WHERE id IN (1, 2)");
    catch_up();
    EXPECT_EQ(operations(), "IU");
    sql("UPDATE t SET region = 'EU' WHERE id = 2");
    catch_up();
    EXPECT_EQ(operations(), "I");
    sql("UPDATE t SET region = 'US' WHERE id = 1");
    catch_up();
    EXPECT_EQ(operations(), "D");
    sql("DELETE FROM t");
    catch_up();
    EXPECT_EQ(operations(), "DD");
    expect_subset();
}

TEST_F(SqliteRules, KeylessTablesAreFilteredByAnyColumn) {
    table("CREATE TABLE t(a, b TEXT)");
    filter("a > 1 OR b IS NULL");
    sql("INSERT INTO t VALUES(1,'x'),(2,'y'),(2,'y'),('text','z'),(NULL,NULL)");
    start();
    expect_subset();
    sql("UPDATE t SET a = 0 WHERE rowid = 2; UPDATE t SET b = NULL WHERE a = 1; INSERT INTO t VALUES(5,'q'); DELETE FROM t WHERE a = 'text'");
    catch_up();
    expect_subset();
}

TEST_F(SqliteRules, OnlyTheChosenColumnsAreCarried) {
    sql("CREATE TABLE t(secret TEXT, id INTEGER PRIMARY KEY, a INT, b TEXT)");
    replica_->make_table("CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT)");
    filter("", {"b", "ID"});
    sql("INSERT INTO t VALUES('s',1,10,'x')");
    start();
    sql("INSERT INTO t VALUES('s',2,20,'y'); UPDATE t SET secret = 'other' WHERE id = 1; UPDATE t SET id = 9, b = 'z' WHERE id = 2");
    catch_up();
    expect_subset("id, b");
    for (const TableState& state : checkpoint_.tables) EXPECT_EQ(column_list(state.shape), "id, b");
    follow();
    sql("DELETE FROM t WHERE id = 9");
    catch_up();
    expect_subset("id, b");
}

TEST_F(SqliteRules, ValuesMeanInTheFilterWhatTheyMeanOnTheLeader) {
    // NOCASE columns, numbers in TEXT columns and texts in numeric ones, dates as text, blobs, big integers, infinities.
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE, d DATE, num NUMERIC, txt TEXT, r REAL, i INT, x, b BLOB)");
    const std::vector<std::string> values{"NULL", "'eu'", "'EU'", "'10'", "10", "10.0", "9", "'9'", "' 10'", "x'3130'", "'2026-01-31'", "9223372036854775807", "-1.5e300",
                                          "9e999", "'abc'", "'äb'", "''", "1", "0", "'1x'"};
    int id = 0;
    for (const std::string& value : values) {
        const std::string v = value;
        sql(fmt::format("INSERT INTO t VALUES({},{},{},{},{},{},{},{},{})", ++id, v, v, v, v, v, v, v, v));
    }
    SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
    const auto table = read_sqlite_table(db, "t");
    const std::vector<std::string> expressions{"n = 'EU'", "n > 'a'", "txt = 10", "num = '10'", "i < '10'", "d >= '2026-01-01'", "x = 10", "x", "txt", "n LIKE 'e%'", "r = 10",
                                               "b = x'3130'", "typeof(i) = 'integer'", "typeof(r) = 'real'", "x IN (1, '9', 10)", "length(txt) > 2", "n = txt COLLATE BINARY",
                                               "txt BETWEEN '1' AND '2'", "CASE WHEN i > 5 THEN txt ELSE 0 END", "NOT n", "coalesce(x, 1) -- with a remark", "i + num > 15",
                                               "instr(txt, '1')", "d < date('2026-06-01')", "i IS NOT x"};
    for (const std::string& expression : expressions) {
        RowFilter filter{table->schema, expression, "UTF-8"};
        SqliteStatement rows = db.prepare(fmt::format("SELECT ({}\n) IS TRUE, * FROM t ORDER BY id", expression));
        while (rows.step())
            EXPECT_EQ(filter.passes([&](std::uint16_t column) { return rows.cell(1 + column); }), rows.integer(0) != 0) << expression << " of row " << rows.integer(1);
    }
}

TEST_F(SqliteRules, ExpressionsThatCannotBeKeptAreRefusedAndLeaveNothingBehind) {
    sql("CREATE TABLE other(id INTEGER PRIMARY KEY); CREATE TABLE t(region TEXT, id INTEGER, v TEXT, g AS (v || 'x'), PRIMARY KEY(region, id)) WITHOUT ROWID");
    const std::string before = schema_of_file();
    const std::vector<std::pair<std::string, std::string>> refused{
        {"regoin = 'EU'", "no such column: regoin"},
        {"region = \"EU\"", "no such column: EU"},
        {"region = 'EU' AND", "syntax error"},
        {"region IN (SELECT id FROM other)", "other"},
        {"id IN (SELECT 1)", "subquer"},
        {"random() > 0", "non-deterministic"},
        {"id > count(*)", "misuse of aggregate"},
        {"my_function(id)", "no such function: my_function"},
        {"id = ?1", "parameter"},
        {"1), (2", "not one expression"},
        {"id > 0); DROP TABLE t; --", ""},
        {"region < date('now')", "depends on the time"},
        {"id < unixepoch()", "non-deterministic"},
        {"region < CURRENT_DATE", "non-deterministic"},
        {"rowid > 3", "no such column: rowid"},
        {"g = 'x'", "no such column: g"},
        {"t.id = 1", "operator prohibited"},
        {"v = 'x'", "column v, which is not part of the key (region, id)"},
        {"region = 'EU' COLLATE mine", "no such collation"},
    };
    for (const auto& [expression, reason] : refused) {
        request_.rules.rules.clear();
        filter(expression);
        const std::string message = refusal();
        EXPECT_NE(message, "accepted") << expression;
        EXPECT_NE(message.find(reason), std::string::npos) << expression << ": " << message;
        EXPECT_NE(message.find("main.t"), std::string::npos) << message;
    }
    EXPECT_EQ(schema_of_file(), before);
}

TEST_F(SqliteRules, RulesThatNameWhatIsNotThereAreRefused) {
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, email TEXT UNIQUE, v TEXT)");
    filter("", {"id", "nope"});
    EXPECT_NE(refusal().find("has no column nope (a rule for t names it); it has id, email, v"), std::string::npos) << refusal();
    request_.rules.rules = {rule_for("elsewhere", "1")};
    EXPECT_NE(refusal().find("matches none of the replicated tables: main.t"), std::string::npos) << refusal();
    request_.rules.rules = {rule_for("t", "", {"v", "email"})};
    EXPECT_NE(refusal().find("column id is part of the key"), std::string::npos) << refusal();
    // Without the column a follower could not see what REPLACE removed by it.
    request_.rules.rules = {rule_for("t", "", {"id", "v"})};
    EXPECT_NE(refusal().find("--exact-replace"), std::string::npos) << refusal();
    request_.exact_replace = true;
    EXPECT_EQ(refusal(), "accepted");
}

TEST_F(SqliteRules, AFilterThatFailsForARowStopsTheStreamAndNotTheApplication) {
    table("CREATE TABLE t(a TEXT, b)");
    filter("json_extract(a, '$.x') = 1");
    sql("INSERT INTO t VALUES('{\"x\":1}', 1)");
    start();
    sql("INSERT INTO t VALUES('no json', 2)");
    EXPECT_NE(halt_message().find("the filter cannot be evaluated"), std::string::npos);
}

TEST_F(SqliteRules, AReplaceByARowOutsideTheFilterRemovesWhatItDisplaced) {
    for (const bool exact : {false, true}) {
        open();
        request_.rules.rules.clear();
        request_.exact_replace = exact;
        displace_ = !exact;
        table("CREATE TABLE t(region TEXT, id INTEGER, u INT UNIQUE, PRIMARY KEY(region, id)) WITHOUT ROWID");
        filter("region = 'EU'");
        sql("INSERT INTO t VALUES('EU',1,10),('EU',2,20),('EU',3,30),('US',4,40)");
        start();
        sql("INSERT OR REPLACE INTO t VALUES('US',1,10)");               // displaces EU 1
        sql("UPDATE OR REPLACE t SET u = 20 WHERE id = 4");              // displaces EU 2, stays outside
        sql("UPDATE OR REPLACE t SET region = 'US', u = 50 WHERE id = 3");  // leaves
        catch_up();
        expect_subset();
        EXPECT_EQ(replica_->dump("t", "*").size(), 0U);
    }
}

class SqliteFilterProperty : public SqliteRules, public ::testing::WithParamInterface<std::tuple<const char*, const char*, bool>> {};

/// Whatever the application does, the follower holds the filtered view of the leader.
TEST_P(SqliteFilterProperty, TheFollowerIsTheFilteredLeader) {
    const auto& [ddl, expression, exact] = GetParam();
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random{seed};
    const auto pick = [&](const std::vector<std::string>& choices) { return choices[random() % choices.size()]; };
    const auto key = [&] { return std::to_string(random() % 12); };
    const auto region = [&] { return pick({"'EU'", "'eu'", "'US'", "'us'", "'Eu'"}); };
    const auto unique = [&] { return pick({"NULL", key(), key(), "'" + key() + "'", key() + ".0"}); };
    request_.exact_replace = exact;
    displace_ = !exact;
    table(ddl);
    filter(expression);
    for (int i = 0; i < 10; ++i) app_->try_exec(fmt::format("INSERT OR REPLACE INTO t VALUES({},{},{},1)", region(), key(), unique()));
    start();
    for (int round = 0; round < 12; ++round) {
        sql("BEGIN");
        for (int i = 0; i < 15; ++i) {
            const std::string how = pick({"", "OR REPLACE ", "OR REPLACE ", "OR IGNORE "});
            switch (random() % 6) {
                case 0:
                case 1: app_->try_exec(fmt::format("INSERT {}INTO t VALUES({},{},{},{})", how, region(), key(), unique(), random() % 100)); break;
                case 2: app_->try_exec(fmt::format("UPDATE {}t SET region = {} WHERE id = {}", how, region(), key())); break;
                case 3: app_->try_exec(fmt::format("UPDATE {}t SET id = {}, u = {} WHERE id = {}", how, key(), unique(), key())); break;
                case 4: app_->try_exec(fmt::format("UPDATE {}t SET v = v + 1, u = {} WHERE id % 4 = {}", how, unique(), random() % 4)); break;
                default: app_->try_exec(fmt::format("DELETE FROM t WHERE id = {}", key()));
            }
        }
        sql(random() % 5 == 0 ? "ROLLBACK" : "COMMIT");
        if (random() % 3 == 0) follow();
        catch_up(random() % 2 == 0 ? 500 : 1 << 20);
        expect_subset();
        if (HasFailure()) break;
    }
}

constexpr const char* kPlainKey = "CREATE TABLE t(region TEXT NOT NULL, id INTEGER NOT NULL, u, v INT, PRIMARY KEY(region, id))";
constexpr const char* kFoldedKey = "CREATE TABLE t(region TEXT NOT NULL COLLATE NOCASE, id NOT NULL, u INT UNIQUE, v INT, PRIMARY KEY(region, id)) WITHOUT ROWID";
constexpr const char* kUntypedUnique = "CREATE TABLE t(region TEXT NOT NULL, id INTEGER NOT NULL, u UNIQUE, v INT, PRIMARY KEY(id, region))";
constexpr const char* kKeyless = "CREATE TABLE t(region TEXT, id INT, u INT, v INT)";
constexpr const char* kKeylessUnique = "CREATE TABLE t(region TEXT, id INT, u UNIQUE, v INT)";

INSTANTIATE_TEST_SUITE_P(All, SqliteFilterProperty,
                         ::testing::Values(std::tuple{kPlainKey, "region = 'EU'", false}, std::tuple{kPlainKey, "id % 3 <> 0 AND region > 'US'", true},
                                           std::tuple{kFoldedKey, "region = 'EU'", false}, std::tuple{kFoldedKey, "region = 'EU' COLLATE BINARY OR id > 9", false},
                                           std::tuple{kFoldedKey, "region = 'EU'", true}, std::tuple{kUntypedUnique, "region IN ('EU', 'us')", false},
                                           std::tuple{kUntypedUnique, "id BETWEEN 3 AND 8", true}, std::tuple{kKeyless, "region = 'us' OR u > 5", false},
                                           std::tuple{kKeylessUnique, "typeof(u) = 'integer' OR v > 50", false}));

}  // namespace
}  // namespace rowferry::test
