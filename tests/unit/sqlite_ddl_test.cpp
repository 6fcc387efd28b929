#include "schemas/sqlite_ddl.h"

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "tests/unit/sqlite_follower_fixture.h"

namespace rowferry::test {
namespace {

TEST(SqliteDdl, AnIntegerKeyOfPostgresqlBecomesTheRowid) {
    EXPECT_EQ(sqlite_create_table(*pg_users(), {}), "CREATE TABLE \"main\".\"users\" (\"id\" INTEGER PRIMARY KEY NOT NULL, \"name\" TEXT)");
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
    EXPECT_EQ(sqlite_create_table(table, {}), "CREATE TABLE \"main\".\"t\" (\"k\" TEXT NOT NULL COLLATE NOCASE, \"v\", PRIMARY KEY (\"k\")) WITHOUT ROWID");
    table = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}, {"v", "ANY"}}, {0});
    table.columns[0].auto_number = AutoNumber::by_default;
    table.columns[0].autoincrement = true;
    table.strict = true;
    EXPECT_EQ(sqlite_create_table(table, {}), "CREATE TABLE \"main\".\"t\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \"v\" ANY) STRICT");
}

TEST(SqliteDdl, AnIntegerKeyThatIsNotTheRowidStaysNone) {
    const TableSchema descending = table_of(Engine::sqlite, "t", {{"id", "INTEGER"}}, {0});
    EXPECT_EQ(sqlite_create_table(descending, {}), "CREATE TABLE \"main\".\"t\" (\"id\" INTEGER PRIMARY KEY DESC)");
    const TableSchema spelled = table_of(Engine::sqlite, "t", {{"id", "INT"}}, {0});
    EXPECT_EQ(sqlite_create_table(spelled, {}), "CREATE TABLE \"main\".\"t\" (\"id\" INT, PRIMARY KEY (\"id\"))");
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
    EXPECT_EQ(sqlite_create_table(table, {}), "CREATE TABLE \"main\".\"we\"\"ird; --\" (\"a b\" TEXT, \"ü\"\"\" TEXT, PRIMARY KEY (\"a b\"))");
}

TEST(SqliteDdl, WhatSqliteCannotHoldIsRefused) {
    EXPECT_THROW((void)sqlite_create_table(table_of(Engine::postgresql, "sqlite_x", {{"a", "text"}}, {}), {}), RefusedError);
    EXPECT_THROW((void)sqlite_create_table(table_of(Engine::postgresql, "empty", {}, {}), {}), RefusedError);
    TableSchema table = table_of(Engine::sqlite, "t", {{"a", "TEXT"}}, {});
    table.columns[0].collation = "GERMAN";
    EXPECT_THROW((void)sqlite_create_table(table, {}), RefusedError);
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
    const SqliteIndex index{"Idx", false, {1}, {false}, {""}};
    EXPECT_EQ(sqlite_index_name(table, index, {}), "Idx");
    EXPECT_EQ(sqlite_index_name(table, index, {"idx"}), "users_Idx");
    EXPECT_EQ(sqlite_index_name(table, index, {"idx", "users_idx"}), "users_Idx_2");
}

}  // namespace
}  // namespace rowferry::test
