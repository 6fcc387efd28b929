// The shape of a leader table as the pragmas tell it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "db/sqlite_schema.h"
#include "tests/support/temp_dir.h"
#include "triggers/sqlite/trigger_check.h"

namespace rowferry {
namespace {

class SqliteSchema : public ::testing::Test {
protected:
    SqliteSchema() : db_{(test::new_temp_dir("schema") / "s.db").string(), SqliteDatabase::Mode::create} {}

    TableSchema read(const std::string& name) {
        auto table = read_sqlite_table(db_, name);
        EXPECT_TRUE(table) << name;
        rowid_name_ = table ? table->rowid_name : "";
        collations_ = table ? table->unique_collations : std::vector<std::vector<std::string>>{};
        return table ? table->schema : TableSchema{};
    }

    bool notes(const TableSchema& table, const std::string& part) {
        for (const std::string& note : table.not_carried)
            if (note.find(part) != std::string::npos) return true;
        return false;
    }

    SqliteDatabase db_;
    std::string rowid_name_;
    std::vector<std::vector<std::string>> collations_;
};

TEST_F(SqliteSchema, ColumnsAndRowidKey) {
    db_.execute("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(10) NOT NULL COLLATE NOCASE, x)");
    const TableSchema table = read("t");
    ASSERT_EQ(table.columns.size(), 3U);
    EXPECT_EQ(table.columns[0].auto_number, AutoNumber::by_default);
    EXPECT_TRUE(table.columns[0].autoincrement);
    EXPECT_TRUE(table.columns[0].not_null);
    EXPECT_EQ(table.columns[0].value_class, ValueClass::integer);
    EXPECT_EQ(table.columns[1].type, "VARCHAR(10)");
    EXPECT_EQ(table.columns[1].collation, "NOCASE");
    EXPECT_TRUE(table.columns[1].not_null);
    EXPECT_EQ(table.columns[2].type, "");
    EXPECT_EQ(table.columns[2].collation, "BINARY");
    EXPECT_EQ(table.primary_key, ColumnIndexes{0});
    EXPECT_EQ(table.identity, ColumnIndexes{0});
    EXPECT_EQ(table.unique_keys.size(), 1U);
    EXPECT_TRUE(table.indexes.empty());
    EXPECT_EQ(rowid_name_, "rowid");
}

TEST_F(SqliteSchema, KeysThatMayHoldNullAreUniqueConstraints) {
    db_.execute("CREATE TABLE t(a TEXT, b INT, PRIMARY KEY(b, a))");
    const TableSchema table = read("t");
    EXPECT_TRUE(table.primary_key.empty());
    EXPECT_TRUE(table.identity.empty());
    ASSERT_EQ(table.indexes.size(), 1U);
    EXPECT_TRUE(table.indexes[0].constraint);
    EXPECT_EQ(table.indexes[0].columns, (ColumnIndexes{1, 0}));
    EXPECT_TRUE(notes(table, "primary key allows NULL"));
    db_.execute("CREATE TABLE w(a TEXT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID");
    const TableSchema without = read("w");
    EXPECT_EQ(without.primary_key, (ColumnIndexes{1, 0}));
    EXPECT_EQ(without.identity, (ColumnIndexes{0, 1}));
    EXPECT_TRUE(without.without_rowid);
    EXPECT_EQ(rowid_name_, "");
}

TEST_F(SqliteSchema, UniqueKeysIndexesAndWhatIsLeftOut) {
    db_.execute(
        "CREATE TABLE t(a TEXT NOT NULL, b INT NOT NULL DEFAULT 1, c TEXT CHECK(c <> ''), g INT AS (b*2), UNIQUE(c), UNIQUE(b, a));"
        "CREATE UNIQUE INDEX ua ON t(a COLLATE NOCASE); CREATE INDEX part ON t(b) WHERE b > 1; CREATE UNIQUE INDEX expr ON t(lower(c));"
        "CREATE INDEX plain ON t(b DESC, c); CREATE INDEX gen ON t(g); CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END");
    const TableSchema table = read("t");
    EXPECT_EQ(table.unique_keys.size(), 3U);
    EXPECT_EQ(table.identity, ColumnIndexes{0});
    ASSERT_EQ(collations_.size(), 3U);
    EXPECT_EQ(collations_[2], std::vector<std::string>{"NOCASE"});
    ASSERT_EQ(table.indexes.size(), 4U);
    EXPECT_EQ(table.indexes[3].name, "plain");
    EXPECT_EQ(table.indexes[3].descending, (std::vector<bool>{true, false}));
    EXPECT_EQ(table.columns[1].default_expression, "1");
    EXPECT_EQ(table.checks, (std::vector<CheckConstraint>{{"", "c <> ''"}}));
    ASSERT_EQ(table.generated.size(), 1U);
    EXPECT_EQ(table.generated[0].expression, "b*2");
    EXPECT_EQ(table.generated[0].before, 3);
    EXPECT_FALSE(table.generated[0].stored);
    ASSERT_EQ(table.expression_indexes.size(), 3U);
    EXPECT_EQ(table.expression_indexes[0].name, "part");
    EXPECT_EQ(table.expression_indexes[0].keys[0].expression, "\"b\"");
    EXPECT_EQ(table.expression_indexes[0].predicate, "b > 1");
    EXPECT_TRUE(table.expression_indexes[1].unique);
    EXPECT_EQ(table.expression_indexes[1].keys[0].expression, "lower(c)");
    EXPECT_EQ(table.expression_indexes[2].keys[0].expression, "g");
}

TEST_F(SqliteSchema, ExpressionsComeFromTheTextOfTheSchema) {
    db_.execute(R"(CREATE TABLE [we"ird (check)] (
        id INTEGER PRIMARY KEY, -- CHECK (no)
        "check" TEXT DEFAULT 'CHECK (x)' CONSTRAINT "not empty" CHECK ("check" <> ''),
        `as` INT DEFAULT (1 + abs(-2)) CHECK (/* why ) */ `as` > 0 -- because
             AND "as" < 9),
        kind DEFAULT abc, late DEFAULT CURRENT_TIMESTAMP, quoted DEFAULT "dq", stored INT GENERATED ALWAYS AS (id + 1) STORED,
        total NUMERIC(10, 2) AS (CASE WHEN id > (1) THEN ')' ELSE "check" END) VIRTUAL,
        CONSTRAINT both CHECK (id <> "as"), CHECK (1)
    ))");
    db_.execute("CREATE INDEX deep ON [we\"ird (check)] (lower(\"check\" || ',') COLLATE NOCASE DESC, coalesce(kind, (1)), id) WHERE (kind IS NOT NULL) AND id > 0");
    const TableSchema table = read("we\"ird (check)");
    EXPECT_EQ(table.checks, (std::vector<CheckConstraint>{{"not empty", "\"check\" <> ''"}, {"", "`as` > 0 AND \"as\" < 9"}, {"both", "id <> \"as\""}, {"", "1"}}));
    ASSERT_EQ(table.columns.size(), 7U);
    EXPECT_EQ(table.columns[1].default_expression, "'CHECK (x)'");
    EXPECT_EQ(table.columns[2].default_expression, "1 + abs(-2)");
    EXPECT_EQ(table.columns[3].default_expression, "abc");
    EXPECT_EQ(table.columns[4].default_expression, "CURRENT_TIMESTAMP");
    EXPECT_EQ(table.columns[5].default_expression, "\"dq\"");
    EXPECT_EQ(table.columns[6].name, "stored");
    EXPECT_EQ(table.columns[6].default_expression, "");
    EXPECT_TRUE(notes(table, "column stored is generated"));
    ASSERT_EQ(table.generated.size(), 1U);
    EXPECT_EQ(table.generated[0].expression, "CASE WHEN id > (1) THEN ')' ELSE \"check\" END");
    ASSERT_EQ(table.expression_indexes.size(), 1U);
    const ExpressionIndex& index = table.expression_indexes[0];
    ASSERT_EQ(index.keys.size(), 3U);
    EXPECT_EQ(index.keys[0], (ExpressionIndex::Key{"lower(\"check\" || ',')", true, "NOCASE"}));
    EXPECT_EQ(index.keys[1], (ExpressionIndex::Key{"coalesce(kind, (1))", false, "BINARY"}));
    EXPECT_EQ(index.keys[2].expression, "\"id\"");
    EXPECT_EQ(index.predicate, "(kind IS NOT NULL) AND id > 0");
}

TEST_F(SqliteSchema, ForeignKeysAreSpelledLikeTheirParent) {
    db_.execute(
        "CREATE TABLE Parent(Id INTEGER PRIMARY KEY, Code TEXT UNIQUE, X, Y, UNIQUE(X, Y));"
        "CREATE TABLE child(a INT REFERENCES PARENT ON DELETE CASCADE, b TEXT REFERENCES parent(code) DEFERRABLE INITIALLY DEFERRED, c, d, "
        "e REFERENCES nowhere,"
        " FOREIGN KEY(c, d) REFERENCES parent(x, y) ON UPDATE SET NULL)");
    const TableSchema table = read("child");
    ASSERT_EQ(table.foreign_keys.size(), 3U);
    EXPECT_EQ(table.foreign_keys[0].parent.name, "Parent");
    EXPECT_TRUE(table.foreign_keys[0].parent_columns.empty());
    EXPECT_EQ(table.foreign_keys[0].on_delete, "CASCADE");
    EXPECT_FALSE(table.foreign_keys[0].deferrable);
    EXPECT_EQ(table.foreign_keys[1].parent_columns, std::vector<std::string>{"Code"});
    EXPECT_TRUE(table.foreign_keys[1].initially_deferred);
    EXPECT_EQ(table.foreign_keys[2].columns, (ColumnIndexes{2, 3}));
    EXPECT_EQ(table.foreign_keys[2].parent_columns, (std::vector<std::string>{"X", "Y"}));
    EXPECT_EQ(table.foreign_keys[2].on_update, "SET NULL");
    EXPECT_TRUE(notes(table, "foreign key to nowhere"));
}

TEST_F(SqliteSchema, OnlyOrdinaryTablesAreListed) {
    db_.execute(
        "CREATE TABLE t(a); CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE f USING fts5(x); CREATE TABLE rowferry_meta(a); CREATE TABLE "
        "Rowferry_x(a);"
        "CREATE TABLE ai(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE strict_one(a ANY, id INTEGER PRIMARY KEY) STRICT; CREATE VIEW "
        "broken AS SELECT * FROM gone");
    std::string names;
    for (const TableName& name : list_sqlite_tables(db_)) names += to_string(name) + " ";
    EXPECT_EQ(names, "main.ai main.strict_one main.t ");
    db_.execute("CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END; CREATE TRIGGER rowferry_1 AFTER INSERT ON t BEGIN SELECT 1; END");
    names.clear();
    for (const SqliteSkipped& object : list_sqlite_skipped(db_)) names += fmt::format("{} {} {},", object.kind, object.name, object.table);
    EXPECT_EQ(names,
              "virtual table f ,view broken ,view v ,shadow table of a virtual table f_config ,shadow table of a virtual table f_content ,"
              "shadow table of a virtual table f_data ,shadow table of a virtual table f_docsize ,shadow table of a virtual table f_idx ,trigger tr t,");
    EXPECT_TRUE(read("strict_one").strict);
    EXPECT_FALSE(read_sqlite_table(db_, "v"));
    EXPECT_FALSE(read_sqlite_table(db_, "nowhere"));
}

TEST_F(SqliteSchema, HiddenRowidNamesAreAvoided) {
    db_.execute("CREATE TABLE t(ROWID TEXT, _rowid_ TEXT); CREATE TABLE u(rowid, oid, _rowid_)");
    read("t");
    EXPECT_EQ(rowid_name_, "oid");
    read("u");
    EXPECT_EQ(rowid_name_, "");
}

}  // namespace
}  // namespace rowferry
