#include "schemas/sqlite_ddl.h"

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "schemas/sqlite_plan.h"
#include "tests/unit/sqlite_follower_fixture.h"

namespace rowferry::test {
namespace {

/// On one line.
std::string flat(std::string sql) {
    for (const auto& [from, to] : {std::pair{"(\n    ", "("}, std::pair{",\n    ", ", "}, std::pair{"\n)", ")"}})
        for (std::size_t at = 0; (at = sql.find(from, at)) != std::string::npos;) sql.replace(at, std::string_view{from}.size(), to);
    return sql;
}

TEST(SqliteDdl, AnIntegerKeyOfPostgresqlBecomesTheRowid) {
    EXPECT_EQ(flat(sqlite_create_table(*pg_users(), {})), "CREATE TABLE \"main\".\"users\" (\"id\" INTEGER PRIMARY KEY NOT NULL, \"name\" TEXT)");
}

TEST(SqliteDdl, OtherKeysStandBehindTheColumnsInKeyOrder) {
    TableSchema table = table_of(Engine::postgresql, "t", {{"a", "text", ValueClass::text, true}, {"b", "integer", ValueClass::integer, true}}, {1, 0});
    table.name.schema = "shop";
    const std::string sql = sqlite_create_table(table, {});
    EXPECT_HAS(sql, "\"main\".\"shop__t\"");
    EXPECT_HAS(sql, "PRIMARY KEY (\"b\", \"a\")");
    EXPECT_EQ(sql.find("INTEGER PRIMARY KEY"), std::string::npos);
}

TEST(SqliteDdl, ASqliteTableKeepsWhatItIs) {
    TableSchema table = table_of(Engine::sqlite, "t", {{"k", "TEXT", ValueClass::text, true}, {"v", ""}}, {0});
    table.columns[0].collation = "NOCASE";
    table.without_rowid = true;
    EXPECT_EQ(flat(sqlite_create_table(table, {})), "CREATE TABLE \"main\".\"t\" (\"k\" TEXT NOT NULL COLLATE NOCASE, \"v\", PRIMARY KEY (\"k\")) WITHOUT ROWID");
    table = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}, {"v", "ANY"}}, {0});
    table.columns[0].auto_number = AutoNumber::by_default;
    table.columns[0].autoincrement = true;
    table.strict = true;
    EXPECT_EQ(flat(sqlite_create_table(table, {})), "CREATE TABLE \"main\".\"t\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \"v\" ANY) STRICT");
}

TEST(SqliteDdl, AnIntegerKeyThatIsNotTheRowidStaysNone) {
    const TableSchema descending = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}}, {0});
    EXPECT_EQ(flat(sqlite_create_table(descending, {})), "CREATE TABLE \"main\".\"t\" (\"id\" INTEGER PRIMARY KEY DESC)");
    const TableSchema spelled = table_of(Engine::sqlite, "t", {{"id", "INT"}}, {0});
    EXPECT_EQ(flat(sqlite_create_table(spelled, {})), "CREATE TABLE \"main\".\"t\" (\"id\" INT, PRIMARY KEY (\"id\"))");
}

TEST(SqliteDdl, ForeignKeysPointAtTablesThatAreThere) {
    TableSchema table = table_of(Engine::postgresql, "items", {{"id", "bigint", ValueClass::integer, true}, {"o", "bigint", ValueClass::integer}}, {0});
    ForeignKey key;
    key.columns = {1};
    key.parent = {"shop", "Orders"};
    key.parent_columns = {"id"};
    key.on_delete = "CASCADE";
    key.deferrable = key.initially_deferred = true;
    table.foreign_keys = {key};
    EXPECT_HAS(sqlite_create_table(table, {"shop__orders"}),
               "FOREIGN KEY (\"o\") REFERENCES \"shop__Orders\" (\"id\") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED");
    EXPECT_EQ(sqlite_create_table(table, {}).find("FOREIGN"), std::string::npos);
    ASSERT_EQ(sqlite_notes(table, {}).size(), 1U);
    EXPECT_HAS(sqlite_notes(table, {})[0], "shop.Orders");
    table.foreign_keys[0].on_delete = "CASCADE); DROP TABLE x; --";
    EXPECT_THROW((void)sqlite_create_table(table, {"shop__orders"}), RefusedError);
}

TEST(SqliteDdl, NamesAreQuotedWhateverTheyHold) {
    const TableSchema table = table_of(Engine::sqlite, "we\"ird; --", {{"a b", "TEXT"}, {"ü\"", "TEXT"}}, {0});
    EXPECT_EQ(flat(sqlite_create_table(table, {})), "CREATE TABLE \"main\".\"we\"\"ird; --\" (\"a b\" TEXT, \"ü\"\"\" TEXT, PRIMARY KEY (\"a b\"))");
}

TEST(SqliteDdl, WhatSqliteCannotHoldIsRefused) {
    EXPECT_THROW((void)sqlite_create_table(table_of(Engine::postgresql, "sqlite_x", {{"a", "text"}}, {}), {}), RefusedError);
    EXPECT_THROW((void)sqlite_create_table(table_of(Engine::postgresql, "empty", {}, {}), {}), RefusedError);
    TableSchema table = table_of(Engine::sqlite, "t", {{"a", "TEXT"}}, {});
    table.columns[0].collation = "GERMAN";
    EXPECT_THROW((void)sqlite_create_table(table, {}), RefusedError);
}

TEST(SqliteDdl, WhatMeansTheSameIsCarried) {
    TableSchema table = table_of(Engine::postgresql, "t", {{"id", "bigint", ValueClass::integer, true}, {"n", "numeric(8,2)", ValueClass::numeric}, {"s", "text", ValueClass::text}}, {0});
    table.columns[0].auto_number = AutoNumber::always;
    table.columns[0].default_expression = "nextval('t_id_seq'::regclass)";
    table.columns[1].default_expression = "0";
    table.columns[2].default_expression = "(now())::text";
    table.columns[2].comment = "two\nlines */ and an end";
    table.comment = "all of them";
    table.checks = {{"positive", "(id > 0)"}, {"cheap", "(n < (5)::numeric)"}, {"even", "((n % (2)::numeric) = (0)::numeric)"}};
    table.generated = {{"shout", "text", "(s || '!'::text)", true, false, 1}, {"half", "numeric", "(n / (2)::numeric)", true, false, 3}};
    table.expression_indexes = {{"open", true, {{"id", false, ""}, {"shout", false, ""}}, "(s IS NULL)", "btree"},
                                {"words", false, {{"s", false, ""}}, "", "gin"},
                                {"low", false, {{"lower(s)", false, ""}}, "", "btree"}};
    EXPECT_EQ(flat(sqlite_create_table(table, {})),
              "CREATE TABLE \"main\".\"t\" /* all of them */ (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
              "\"shout\" TEXT GENERATED ALWAYS AS ((\"s\" || '!')) STORED, \"n\" NUMERIC_TEXT(8,2) DEFAULT '0.00', "
              "\"s\" TEXT /* two lines * / and an end */, CONSTRAINT \"positive\" CHECK ((\"id\" > 0)), "
              "CONSTRAINT \"cheap\" CHECK (((CAST(\"n\" AS REAL) < 5) AND \"n\" <> 'NaN')))");
    const SqliteParts parts = sqlite_parts(table);
    ASSERT_EQ(parts.indexes.size(), 1U);
    EXPECT_EQ(sqlite_create_index(table, parts.indexes[0], "open"), "CREATE UNIQUE INDEX \"main\".\"open\" ON \"t\" (\"id\", \"shout\") WHERE (\"s\" IS NULL)");
    std::string notes;
    for (const std::string& note : sqlite_notes(table, {})) notes += note + "\n";
    for (const char* part : {"the default of s is left out", "the CHECK even is left out", "the generated column half is left out", "SQLite has no gin indexes", "the index low is left out"})
        EXPECT_HAS(notes, part);
}

TEST(SqliteDdl, BetweenSqliteDatabasesTheTextIsCarried) {
    TableSchema table = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}, {"s", "TEXT"}}, {0});
    table.columns[0].auto_number = AutoNumber::by_default;
    table.columns[1].default_expression = "datetime('now')";
    table.checks = {{"", "typeof(id) = 'integer' AND s GLOB '[a-z]*'"}, {"", "valid(s)"}};
    table.generated = {{"a", "TEXT", "app(s)", false, false, 2}, {"b", "TEXT", "upper(a)", false, false, 2}, {"c", "", "s || id", false, false, 2}};
    table.expression_indexes = {{"i", false, {{"lower(s)", true, "NOCASE"}}, "id > 1"}, {"j", false, {{"b", false, ""}}, ""}};
    EXPECT_EQ(flat(sqlite_create_table(table, {})),
              "CREATE TABLE \"main\".\"t\" (\"id\" INTEGER PRIMARY KEY, \"s\" TEXT DEFAULT (datetime('now')), \"c\" GENERATED ALWAYS AS (s || id) VIRTUAL, "
              "CHECK (typeof(id) = 'integer' AND s GLOB '[a-z]*'))");
    const SqliteParts parts = sqlite_parts(table);
    ASSERT_EQ(parts.indexes.size(), 1U);
    EXPECT_EQ(parts.indexes[0].body, "(lower(s) COLLATE NOCASE DESC) WHERE id > 1");
    EXPECT_EQ(parts.notes.size(), 4U);
}

TEST(SqliteDdl, NamesThatWouldMeetAreRefused) {
    const auto named = [](const char* schema, const char* name) {
        TableSchema table = table_of(Engine::postgresql, name, {{"a", "text"}}, {});
        table.name.schema = schema;
        return std::make_shared<const TableSchema>(table);
    };
    EXPECT_THROW(check_sqlite_names({named("a__b", "c"), named("a", "b__c")}), RefusedError);
    EXPECT_THROW(check_sqlite_names({named("public", "T"), named("public", "t")}), RefusedError);
    EXPECT_NO_THROW(check_sqlite_names({named("a", "t"), named("b", "t"), named("public", "t")}));
    const SqliteMakePlan plan = plan_sqlite_tables({named("a", "t"), named("public", "t")});
    ASSERT_EQ(plan.tables.size(), 2U);
    EXPECT_HAS(plan.tables[0], "\"a__t\"");
}

TEST(SqliteDdl, EveryUniqueKeyGetsOneIndex) {
    TableSchema table = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}, {"a", "TEXT"}, {"b", "TEXT"}}, {0});
    table.columns[1].collation = "NOCASE";
    table.unique_keys.push_back({"", {1}});
    table.unique_keys.push_back({"t_ab", {1, 2}});
    table.indexes.push_back({"sqlite_autoindex_t_1", true, true, {1}, {false}, {"NOCASE"}});
    table.indexes.push_back({"by_b", false, false, {2, 0}, {true, false}, {"RTRIM", "BINARY"}});
    const auto indexes = sqlite_indexes(table);
    ASSERT_EQ(indexes.size(), 3U);
    // The column has its collation already.
    EXPECT_EQ(sqlite_create_index(table, indexes[0], indexes[0].wanted_name), "CREATE UNIQUE INDEX \"main\".\"t_a_key\" ON \"t\" (\"a\")");
    EXPECT_HAS(sqlite_create_index(table, indexes[0], indexes[0].wanted_name, {"BINARY", "BINARY", "BINARY"}), "(\"a\" COLLATE NOCASE)");
    EXPECT_EQ(sqlite_create_index(table, indexes[1], indexes[1].wanted_name), "CREATE INDEX \"main\".\"by_b\" ON \"t\" (\"b\" COLLATE RTRIM DESC, \"id\")");
    EXPECT_HAS(sqlite_create_index(table, indexes[2], indexes[2].wanted_name), "CREATE UNIQUE INDEX \"main\".\"t_ab\"");
}

TEST(SqliteDdl, AnIndexNameThatIsTakenGetsTheTablesInFront) {
    const TableSchema table = *pg_users();
        EXPECT_EQ(sqlite_index_name(table, "Idx", {}), "Idx");
    EXPECT_EQ(sqlite_index_name(table, "Idx", {"idx"}), "users_Idx");
    EXPECT_EQ(sqlite_index_name(table, "Idx", {"idx", "users_idx"}), "users_Idx_2");
}

}  // namespace
}  // namespace rowferry::test
