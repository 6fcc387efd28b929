#include <gtest/gtest.h>

#include "db/create_sql.h"
#include "schemas/error.h"
#include "triggers/sqlite/change_table.h"
#include "triggers/sqlite/replace_tracker.h"

namespace rowferry {
namespace {

TableSchema items() {
    TableSchema table;
    table.engine = Engine::sqlite;
    table.name = {"main", "my \"items\";\n"};
    table.leader_id = 7;
    for (const char* name : {"id", "a'b", "c"}) {
        ColumnSchema column;
        column.name = name;
        table.columns.push_back(column);
    }
    table.identity = {0};
    return table;
}

TEST(ChangeTable, PlainTriggersCopyColumnsAndNothingElse) {
    const TableSchema table = items();
    EXPECT_EQ(plain_trigger_sql(table, TriggerKind::insert),
              "CREATE TRIGGER \"rowferry_7_insert\" AFTER INSERT ON \"my \"\"items\"\";\n\" BEGIN "
              "INSERT INTO rowferry_change(tag,tbl,op,n0,n1,n2) VALUES(random(),7,'I',NEW.\"id\",NEW.\"a'b\",NEW.\"c\"); END");
    EXPECT_EQ(
        plain_trigger_sql(table, TriggerKind::update),
        "CREATE TRIGGER \"rowferry_7_update\" AFTER UPDATE ON \"my \"\"items\"\";\n\" BEGIN "
        "INSERT INTO rowferry_change(tag,tbl,op,k0,n0,n1,n2) VALUES(random(),7,'U',OLD.\"id\",NEW.\"id\",NEW.\"a'b\",NEW.\"c\"); END");
    EXPECT_EQ(plain_trigger_sql(table, TriggerKind::remove),
              "CREATE TRIGGER \"rowferry_7_delete\" AFTER DELETE ON \"my \"\"items\"\";\n\" BEGIN "
              "INSERT INTO rowferry_change(tag,tbl,op,k0) VALUES(random(),7,'D',OLD.\"id\"); END");
}

TEST(ChangeTable, TablesWithoutKeyLogTheWholeOldRow) {
    TableSchema table = items();
    table.name.name = "t";
    table.identity.clear();
    EXPECT_EQ(plain_trigger_sql(table, TriggerKind::remove),
              "CREATE TRIGGER \"rowferry_7_delete\" AFTER DELETE ON \"t\" BEGIN "
              "INSERT INTO rowferry_change(tag,tbl,op,k0,k1,k2) VALUES(random(),7,'D',OLD.\"id\",OLD.\"a'b\",OLD.\"c\"); END");
}

TEST(ChangeTable, ReplaceTriggersLookForEachUniqueKey) {
    TableSchema table = items();
    table.name.name = "t";
    const std::vector<ReplaceKey> keys{{{0}, {"BINARY"}}, {{1, 2}, {"NOCASE", "BINARY"}}};
    EXPECT_EQ(replace_trigger_sql(table, TriggerKind::before_insert, keys, "rowid"),
              "CREATE TRIGGER \"rowferry_7_before_insert\" BEFORE INSERT ON \"t\" BEGIN "
              "INSERT INTO rowferry_change(tag,tbl,op,k0,n0,n1,n2) SELECT random(),7,'i0',r.\"id\",NEW.\"id\",NEW.\"a'b\",NEW.\"c\" FROM "
              "\"t\" AS r "
              "WHERE r.\"id\" = NEW.\"id\" COLLATE \"BINARY\"; "
              "INSERT INTO rowferry_change(tag,tbl,op,k0,n0,n1,n2) SELECT random(),7,'i1,2',r.\"id\",NEW.\"id\",NEW.\"a'b\",NEW.\"c\" FROM "
              "\"t\" AS r "
              "WHERE r.\"a'b\" = NEW.\"a'b\" COLLATE \"NOCASE\" AND r.\"c\" = NEW.\"c\" COLLATE \"BINARY\"; END");
    EXPECT_NE(replace_trigger_sql(table, TriggerKind::before_update, keys, "rowid").find("AND NOT (r.\"id\" IS OLD.\"id\"); END"),
              std::string::npos);
    table.identity.clear();
    EXPECT_NE(replace_trigger_sql(table, TriggerKind::before_update, keys, "oid").find("AND r.oid <> OLD.oid; END"), std::string::npos);
}

TEST(ChangeTable, NumberListsRoundTripAndRefuseGarbage) {
    EXPECT_EQ(join_numbers({0, 12, 3}), "0,12,3");
    EXPECT_EQ(split_numbers("0,12,3"), (std::vector<std::uint16_t>{0, 12, 3}));
    EXPECT_TRUE(split_numbers("").empty());
    EXPECT_EQ(split_number_lists("0;1,3"), (std::vector<std::vector<std::uint16_t>>{{0}, {1, 3}}));
    for (const char* bad : {"x", "1,", "1;2", "70000", "-1", "1 2"}) EXPECT_THROW((void)split_numbers(bad), HaltError) << bad;
}

TEST(CreateSql, FindsDeferralsAndChecksOutsideQuotesAndComments) {
    const CreateTableFacts facts = read_create_table(
        "CREATE TABLE \"REFERENCES x\" (a REFERENCES p(id) /* REFERENCES q */, b INT REFERENCES q DEFERRABLE INITIALLY DEFERRED, -- CHECK "
        "(1)\n"
        "[CHECK] TEXT DEFAULT 'CHECK', FOREIGN KEY (a) REFERENCES r NOT DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (b) REFERENCES s "
        "DEFERRABLE)");
    ASSERT_EQ(facts.foreign_keys.size(), 4U);
    EXPECT_FALSE(facts.foreign_keys[0].deferrable);
    EXPECT_TRUE(facts.foreign_keys[1].deferrable && facts.foreign_keys[1].initially_deferred);
    EXPECT_FALSE(facts.foreign_keys[2].deferrable || facts.foreign_keys[2].initially_deferred);
    EXPECT_TRUE(facts.foreign_keys[3].deferrable);
    EXPECT_FALSE(facts.foreign_keys[3].initially_deferred);
    EXPECT_TRUE(facts.checks.empty());
    EXPECT_EQ(read_create_table("create table t(a check(a > 0))").checks.size(), 1U);
}

std::string packed(const Cell& cell) {
    std::string text;
    append_packed(text, cell);
    return text;
}

TEST(ReplaceTracker, ConfirmsOnlyARowWithTheSameValues) {
    ReplaceTracker tracker;
    std::vector<std::string> removed;
    const auto insert = [&](std::int64_t value) {
        tracker.confirm(
            1, false, [&](std::uint16_t) { return Cell::integer(value); }, [&](std::string_view key) { removed.emplace_back(key); });
    };
    tracker.add(1, false, {0}, packed(Cell::integer(5)), "row 5");
    tracker.add(1, false, {0}, packed(Cell::integer(5)), "row 5");
    insert(6);
    EXPECT_TRUE(removed.empty());
    insert(5);
    EXPECT_EQ(removed, std::vector<std::string>{"row 5"});
    EXPECT_TRUE(tracker.empty());
    tracker.add(1, true, {0}, packed(Cell::integer(5)), "row 5");
    tracker.add(2, false, {0}, packed(Cell::integer(5)), "row 5");
    tracker.add(1, false, {0}, packed(Cell::integer(5)), "row 7");
    tracker.forget(1, "row 7");
    insert(5);
    EXPECT_EQ(removed.size(), 1U);
}

TEST(ReplaceTracker, CellsComeBackExactly) {
    Arena arena;
    std::string bytes;
    const std::string nul("a\0b", 3);
    for (const Cell& cell : {Cell::null(), Cell::integer(INT64_MIN), Cell::real(-0.0), Cell::text(nul), Cell::blob("")})
        append_packed(bytes, cell);
    const std::vector<Cell> cells = unpack_cells(bytes, arena);
    ASSERT_EQ(cells.size(), 5U);
    std::string again;
    for (const Cell& cell : cells) append_packed(again, cell);
    EXPECT_EQ(again, bytes);
    EXPECT_NE(packed(Cell::real(-0.0)), packed(Cell::real(0.0)));
    EXPECT_NE(packed(Cell::text("x")), packed(Cell::blob("x")));
}

}  // namespace
}  // namespace rowferry
