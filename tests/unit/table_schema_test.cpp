#include "schemas/table_schema.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "schemas/error.h"

namespace rowferry {
namespace {

/// No member has its default value, so that one that is not carried shows.
TableSchema full_table() {
    TableSchema table;
    table.engine = Engine::sqlite;
    table.name = {"we\"ird.schema", "tab\tle\nname 'x' \\ ü 🚢"};
    table.file_node = 16777;
    table.leader_id = 4294967295U;
    ColumnSchema id;
    id.name = "id";
    id.type = "INTEGER";
    id.type_oid = 20;
    id.type_modifier = 655366;
    id.value_class = ValueClass::integer;
    id.not_null = true;
    id.autoincrement = true;
    id.auto_number = AutoNumber::always;
    id.collation = "NOCASE";
    id.base_type = "bigint";
    id.enum_labels = {"", "a,b", "\"", "\\"};
    id.profile = {true, true, true, true, false, false, false, false, false, false, false, false};
    id.attribute = 7;
    id.default_expression = "nextval('s')";
    id.missing_value = "";
    id.comment = "c";
    id.pg_collation = "pg_catalog.\"C\"";
    id.numbering = Numbering{-1, -2, -9223372036854775807 - 1, 9223372036854775807, true};
    id.leader_name = "ID";
    id.wanted_type = "text";
    id.encoding = TimeEncoding::julian_day;
    id.on_mismatch = OnMismatch::null_value;
    ColumnSchema other;
    other.name = "";
    other.type = "numeric(10,2)";
    other.value_class = ValueClass::any;
    table.columns = {id, other};
    table.primary_key = {1, 0};
    table.identity = {0, 1};
    table.unique_keys = {{"key \"1\"", {1, 0}}, {"", {0}}};
    table.indexes = {{"index", true, true, {0, 1}, {true, false}, {"BINARY", "RTRIM"}, true, true, "btree (a) INCLUDE (b)", {"x"}}};
    table.foreign_keys = {{"fk", {0}, {"p.q", "parent\""}, {"id\""}, "CASCADE", "SET NULL", true, true}};
    table.not_carried = {"view v", "trigger \"t\""};
    table.insert_only = true;
    table.without_rowid = true;
    table.strict = true;
    table.generated = {{"g", "integer", "a + 1", false, true, 1, "c", "why"}};
    table.checks = {{"positive", "id > 0", true, true, true}};
    table.expression_indexes = {{"e", true, {{"lower(a)", true, "NOCASE"}}, "a IS NOT NULL", "gin", "gin (a)", true, {"x"}}};
    table.comment = "what it is";
    table.types = {{UserType::Kind::range, {"s", "t"}, "x", {"l"}, "integer", true, "1", {{"c", "VALUE > 0", true, true, true}}, {{"a", "text", "c"}}, "c", "m", {"n"}}};
    table.primary_key_name = "pk";
    table.partition_key = "RANGE (a)";
    table.partition_bound = "FOR VALUES FROM (1) TO (2)";
    table.parents = {{"s", "p"}, {"s", "q"}};
    table.ancestors.emplace_back();
    table.ancestors.front().comment = "above";
    table.renamed_to = TableName{"s", "n"};
    return table;
}

TEST(TableSchema, JsonCarriesEveryMember) {
    const TableSchema table = full_table();
    const std::string json = to_json(table);
    EXPECT_EQ(json.find('\n'), std::string::npos);
    EXPECT_EQ(table_from_json(json), table);
    EXPECT_EQ(to_json(table_from_json(json)), json);
    const TableSchema empty;
    EXPECT_EQ(table_from_json(to_json(empty)), empty);
    EXPECT_NE(table_from_json(to_json(empty)), table);
}

TEST(TableSchema, ANulByteInANameSurvives) {
    TableSchema table;
    table.columns.resize(1);
    table.columns[0].name = std::string{"a\0b", 3};
    EXPECT_EQ(table_from_json(to_json(table)), table);
}

TEST(TableSchema, ANameThatIsNotUtf8IsHalt) {
    TableSchema table = full_table();
    table.columns[1].name = "\xFF";
    EXPECT_THROW(static_cast<void>(to_json(table)), HaltError);
}

TEST(TableSchema, EveryCutOfTheJsonIsHalt) {
    const std::string json = to_json(full_table());
    for (std::size_t cut = 0; cut < json.size(); ++cut)
        EXPECT_THROW(static_cast<void>(table_from_json(json.substr(0, cut))), HaltError) << "cut at byte " << cut;
}

TEST(TableSchema, EveryMissingMemberIsHalt) {
    const nlohmann::json whole = nlohmann::json::parse(to_json(full_table()));
    for (const auto& [name, value] : whole.items()) {
        nlohmann::json part = whole;
        part.erase(name);
        EXPECT_THROW(static_cast<void>(table_from_json(part.dump())), HaltError) << name;
        part[name] = nlohmann::json::object({{"unexpected", 1}});
        EXPECT_THROW(static_cast<void>(table_from_json(part.dump())), HaltError) << name;
    }
}

TEST(TableSchema, FindsColumns) {
    const TableSchema table = full_table();
    EXPECT_EQ(table.column_index("id"), 0);
    EXPECT_EQ(table.column_index(""), 1);
    EXPECT_EQ(table.column_index("ID"), std::nullopt);
    TableSchema keyed;
    keyed.identity = {2};
    EXPECT_TRUE(keyed.in_identity(2));
    EXPECT_FALSE(keyed.in_identity(0));
}

TEST(TableSchema, MessagesHoldNoControlCharacters) {
    const TableSchema table = full_table();
    EXPECT_EQ(to_string(table.name), "we\"ird.schema.tab\\x09le name 'x' \\ ü 🚢");
    EXPECT_EQ(describe_columns(table), "id INTEGER,  numeric(10,2)");
}

}  // namespace
}  // namespace rowferry
