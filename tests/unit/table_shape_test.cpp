// What the rules of a stream make of a leader's tables and rows, without any database.

#include <gtest/gtest.h>

#include "replication/event_shaper.h"
#include "replication/shaped.h"
#include "schemas/digest.h"
#include "schemas/error.h"
#include "schemas/row_mask.h"
#include "schemas/table_shape.h"
#include "schemas/table_subset.h"
#include "tests/unit/batch_builder.h"

namespace rowferry::test {
namespace {

ColumnSchema column(const std::string& name, const std::string& type, ValueClass value_class) {
    ColumnSchema result;
    result.name = name;
    result.type = result.base_type = type;
    result.value_class = value_class;
    return result;
}

/// customers(id integer primary key, email text unique, name text, phone text, total numeric(10,2))
TableSchema customers() {
    TableSchema table;
    table.name = {"public", "customers"};
    table.columns = {column("id", "integer", ValueClass::integer), column("email", "text", ValueClass::text), column("name", "text", ValueClass::text),
                     column("phone", "text", ValueClass::text), column("total", "numeric(10,2)", ValueClass::numeric)};
    table.primary_key = table.identity = {0};
    table.unique_keys = {{"customers_pkey", {0}}, {"customers_email_key", {1}}};
    table.indexes = {{"customers_email_key", true, true, {1}, {false}, {}}, {"by_total", false, false, {4}, {false}, {}}};
    table.checks = {{"positive", "total > 0"}, {"named", "length(name) > 0"}};
    table.generated = {{"shout", "text", "upper(name)", true, false, 3}};
    return table;
}

/// orders(id, customer → customers(id), mail → customers(email))
TableSchema orders() {
    TableSchema table;
    table.name = {"public", "orders"};
    table.columns = {column("id", "integer", ValueClass::integer), column("customer", "integer", ValueClass::integer), column("mail", "text", ValueClass::text)};
    table.primary_key = table.identity = {0};
    table.unique_keys = {{"orders_pkey", {0}}};
    ForeignKey by_id;
    by_id.name = "orders_customer";
    by_id.columns = {1};
    by_id.parent = {"public", "customers"};
    by_id.parent_columns = {"id"};
    ForeignKey by_mail = by_id;
    by_mail.name = "orders_mail";
    by_mail.columns = {2};
    by_mail.parent_columns = {"email"};
    table.foreign_keys = {by_id, by_mail};
    return table;
}

TablePtr shared(TableSchema table) { return std::make_shared<const TableSchema>(std::move(table)); }

ColumnRule column_rule(const std::string& name, Mask::Kind mask = Mask::Kind::none) {
    ColumnRule rule;
    rule.column = name;
    rule.mask.kind = mask;
    return rule;
}

TableRule table_rule(const std::string& pattern, std::vector<ColumnRule> columns = {}) { return {TablePattern{pattern}, {}, {}, {}, {}, {}, std::move(columns)}; }

TableRules rules_of(std::vector<TableRule> list) {
    TableRules rules;
    rules.rules = std::move(list);
    rules.salt = "salt";
    return rules;
}

template <typename Action>
std::string refusal(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

std::string shape_refusal(const TableRules& rules, std::vector<TablePtr> tables = {shared(customers()), shared(orders())}, Engine follower = Engine::postgresql) {
    return refusal([&] { (void)shape_tables(rules, tables, follower); });
}

TEST(TableSubset, WhatStandsOnAColumnGoesWithIt) {
    RulesOfTable rules;
    rules.columns = {"total", "id", "phone"};
    const TableSchema whole = customers();
    const TableSchema part = with_columns(whole, carried_columns(rules, whole));
    EXPECT_EQ(column_list(part), "id, phone, total");
    EXPECT_EQ(part.primary_key, ColumnIndexes{0});
    ASSERT_EQ(part.unique_keys.size(), 1U);
    ASSERT_EQ(part.indexes.size(), 1U);
    EXPECT_EQ(part.indexes[0].columns, ColumnIndexes{2});
    ASSERT_EQ(part.checks.size(), 1U);
    EXPECT_EQ(part.checks[0].name, "positive");
    EXPECT_TRUE(part.generated.empty());
    EXPECT_EQ(part.not_carried.size(), 3U);
    rules.columns = {"phone"};
    EXPECT_NE(refusal([&] { (void)with_columns(whole, carried_columns(rules, whole)); }).find("column id is part of the key"), std::string::npos);
}

TEST(TableSubset, ContradictionsAreRefused) {
    const TableSchema whole = customers();
    RulesOfTable rules;
    rules.columns = {"id", "email"};
    rules.column_rules = {column_rule("email", Mask::Kind::drop)};
    EXPECT_NE(refusal([&] { (void)carried_columns(rules, whole); }).find("listed among the columns and dropped"), std::string::npos);
    rules.columns = {"id"};
    rules.column_rules = {column_rule("email", Mask::Kind::sha256)};
    EXPECT_NE(refusal([&] { (void)carried_columns(rules, whole); }).find("which the columns of the table leave out"), std::string::npos);
    rules.columns.clear();
    rules.column_rules = {column_rule("email", Mask::Kind::drop)};
    rules.column_rules[0].rename = "mail";
    EXPECT_NE(refusal([&] { (void)carried_columns(rules, whole); }).find("is dropped, so there can be no other rule"), std::string::npos);
}

TEST(TableSubset, MentionsSaysYesTooOftenRatherThanTooRarely) {
    EXPECT_TRUE(mentions("length(name) > 0", "name"));
    EXPECT_TRUE(mentions("\"Name\" > 0", "name"));
    EXPECT_FALSE(mentions("length(surname) > 0", "name"));
    EXPECT_FALSE(mentions("name_2 > 0", "name"));
    EXPECT_TRUE(mentions("x \"\" y", "a\"b"));
    EXPECT_FALSE(mentions("", "name"));
}

TEST(TableShape, NamesTypesAndMasks) {
    TableRule rule = table_rule("customers", {column_rule("email", Mask::Kind::sha256), column_rule("name", Mask::Kind::constant), column_rule("total")});
    rule.rename = "crm.people";
    rule.column_rules[0].rename = "email_digest";
    rule.column_rules[2].type = "real";
    TableRule child = table_rule("orders", {column_rule("mail", Mask::Kind::sha256)});
    const auto tables = shape_tables(rules_of({rule, child}), {shared(customers()), shared(orders())}, Engine::postgresql);
    const TableSchema& people = *tables[0];
    EXPECT_EQ(people.name, (TableName{"public", "customers"}));
    EXPECT_EQ(people.renamed_to, (TableName{"crm", "people"}));
    EXPECT_EQ(people.columns[1].name, "email_digest");
    EXPECT_EQ(people.columns[1].leader_name, "email");
    EXPECT_EQ(people.columns[1].type, "text");
    EXPECT_EQ(people.columns[4].wanted_type, "real");
    ASSERT_EQ(people.checks.size(), 1U);
    EXPECT_EQ(people.checks[0].name, "positive") << "a check over a masked column judges values that are not there";
    EXPECT_TRUE(people.generated.empty());
    EXPECT_EQ(people.unique_keys.size(), 2U);
    const TableSchema& shop = *tables[1];
    EXPECT_FALSE(shop.renamed_to);
    ASSERT_EQ(shop.foreign_keys.size(), 2U);
    EXPECT_EQ(shop.foreign_keys[0].parent_renamed_to, (TableName{"crm", "people"}));
    EXPECT_EQ(shop.foreign_keys[1].parent_columns, std::vector<std::string>{"email_digest"});
}

TEST(TableShape, ATableWhoseMisfitsBecomeNullStopsForItsKeys) {
    TableSchema lite = customers();
    lite.engine = Engine::sqlite;
    lite.columns[3].not_null = true;
    TableRule rule = table_rule("customers", {column_rule("total")});
    rule.on_mismatch = OnMismatch::null_value;
    rule.column_rules[0].on_mismatch = OnMismatch::quarantine;
    const TablePtr shaped = shape_tables(rules_of({rule}), {shared(lite)}, Engine::postgresql)[0];
    const std::vector<OnMismatch> expected{OnMismatch::stop, OnMismatch::stop, OnMismatch::null_value, OnMismatch::stop, OnMismatch::quarantine};
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(shaped->columns[i].on_mismatch, expected[i]) << i;
}

TEST(TableShape, ATypeOfTheLeaderIsOverriddenEverywhere) {
    TableRules rules;
    rules.types = {{"NUMERIC", "real", TimeEncoding::none}};
    EXPECT_EQ(shape_tables(rules, {shared(customers())}, Engine::sqlite)[0]->columns[4].wanted_type, "real");
    TableRule rule = table_rule("customers", {column_rule("total")});
    rule.column_rules[0].type = "text";
    rules.rules = {rule};
    EXPECT_EQ(shape_tables(rules, {shared(customers())}, Engine::sqlite)[0]->columns[4].wanted_type, "text");
}

TEST(TableShape, AForeignKeyToAFilteredTableIsLeftOut) {
    TableRule rule = table_rule("customers");
    rule.filter = "id > 5";
    const auto tables = shape_tables(rules_of({rule}), {shared(customers()), shared(orders())}, Engine::postgresql);
    EXPECT_TRUE(tables[1]->foreign_keys.empty());
    EXPECT_EQ(tables[1]->not_carried.size(), 2U);
}

TEST(TableShape, WhatWouldMakeRowsCollideOrLoseTheirPartnersIsRefused) {
    const auto masked = [](const std::string& table, const std::string& name, Mask::Kind kind) { return rules_of({table_rule(table, {column_rule(name, kind)})}); };
    EXPECT_NE(shape_refusal(masked("customers", "id", Mask::Kind::truncate)).find("part of a key"), std::string::npos);
    EXPECT_NE(shape_refusal(masked("customers", "email", Mask::Kind::constant)).find("part of a key"), std::string::npos);
    EXPECT_NE(shape_refusal(masked("customers", "total", Mask::Kind::truncate)).find("only texts can be truncated"), std::string::npos);
    EXPECT_NE(shape_refusal(masked("customers", "email", Mask::Kind::sha256)).find("mask both it and public.customers.email with sha256"), std::string::npos);
    EXPECT_NE(shape_refusal(masked("orders", "mail", Mask::Kind::sha256)).find("with sha256, or neither"), std::string::npos);
    TableRules unsalted = masked("customers", "name", Mask::Kind::sha256);
    unsalted.salt.clear();
    EXPECT_NE(shape_refusal(unsalted).find("ROWFERRY_MASK_SALT"), std::string::npos);
    TableRules typed = masked("customers", "name", Mask::Kind::sha256);
    typed.rules[0].column_rules[0].type = "varchar(64)";
    EXPECT_NE(shape_refusal(typed).find("there can be no other type"), std::string::npos);
    TableRules constant = masked("customers", "total", Mask::Kind::constant);
    constant.rules[0].column_rules[0].mask.text = "x";
    EXPECT_NE(shape_refusal(constant).find("not a number"), std::string::npos);
    TableRules null = masked("customers", "id", Mask::Kind::none);
    null.rules[0].column_rules[0].on_mismatch = OnMismatch::null_value;
    TableSchema lite = customers();
    lite.engine = Engine::sqlite;
    EXPECT_NE(shape_refusal(null, {shared(lite)}).find("on-mismatch null"), std::string::npos);
    EXPECT_NE(shape_refusal(null).find("for SQLite leaders"), std::string::npos);
    TableRules twin = masked("customers", "name", Mask::Kind::none);
    twin.rules[0].column_rules[0].rename = "Phone";
    EXPECT_EQ(shape_refusal(twin), "accepted");
    EXPECT_NE(shape_refusal(twin, {shared(customers())}, Engine::sqlite).find("another column has that name"), std::string::npos);
    TableRules renamed = rules_of({table_rule("customers")});
    renamed.rules[0].rename = "crm.people";
    EXPECT_NE(shape_refusal(renamed, {shared(customers())}, Engine::sqlite).find("SQLite has none but main"), std::string::npos);
}

TEST(TableShape, RulesHaveToNameWhatIsThere) {
    const TableSchema one = customers();
    const TableSchema two = orders();
    const std::vector<const TableSchema*> all{&one, &two};
    EXPECT_NE(refusal([&] { check_rules(rules_of({table_rule("nobody")}), all); }).find("public.customers, public.orders"), std::string::npos);
    EXPECT_NE(refusal([&] { check_rules(rules_of({table_rule("orders", {column_rule("total")})}), all); }).find("it has id, customer, mail"), std::string::npos);
    EXPECT_NE(refusal([&] { check_rules(rules_of({table_rule("customers", {column_rule("shout")})}), all); }).find("is generated"), std::string::npos);
    EXPECT_EQ(refusal([&] { check_rules(rules_of({table_rule("*", {column_rule("total")})}), all); }), "accepted");
    TableRules both = rules_of({table_rule("*")});
    both.rules[0].rename = "x";
    EXPECT_NE(refusal([&] { check_rules(both, all); }).find("one new name to 2 tables"), std::string::npos);
}

TEST(RowMask, DigestsAreThoseOfEverybodyElse) {
    // printf 'abc' | sha256sum
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char hex[kSha256HexLength];
    SaltedDigest{"a"}.hex("bc", hex);
    EXPECT_EQ(std::string(hex, sizeof hex), sha256_hex("abc"));
    char buffer[32];
    EXPECT_EQ(digest_input(Cell::real(1.0), buffer), "1");
    EXPECT_EQ(digest_input(Cell::integer(1), buffer), "1");
    EXPECT_EQ(digest_input(Cell::real(-0.0), buffer), "0");
    EXPECT_EQ(digest_input(Cell::real(0.1), buffer), "0.1");
    EXPECT_EQ(first_characters("äöü€", 3), "äöü");
    EXPECT_EQ(first_characters("ab", 3), "ab");
    EXPECT_EQ(first_characters("\xFF\xFE" "a", 2), "\xFF\xFE");
}

TEST(EventShaper, MasksBothImagesAndNothingElse) {
    TableRule rule = table_rule("customers", {column_rule("email", Mask::Kind::sha256), column_rule("name", Mask::Kind::constant), column_rule("phone", Mask::Kind::truncate)});
    rule.column_rules[1].mask.text = "nobody";
    rule.column_rules[2].mask.length = 2;
    const TablePtr leader = shared(customers());
    EventShaper shaper{rules_of({rule}), {leader}, Engine::postgresql};
    Batch batch;
    add_step(batch, begin(1));
    add_step(batch, insert(leader, {"1", "a@b", "Ann", "äbc", "2.50"}));
    const std::size_t first = batch.events().size();
    add_step(batch, update(leader, {"1", absent, absent, absent, absent}, {"2", unchanged, null, "x", "3"}));
    add_step(batch, truncate({leader}));
    shaper.shape(batch, first);
    const auto& untouched = std::get<Change>(batch.events()[1]);
    EXPECT_EQ(untouched.table, leader.get());
    EXPECT_EQ(untouched.after[1].bytes(), "a@b");
    EXPECT_EQ(std::get<Truncate>(batch.events()[first + 1]).tables[0], shaper.shaped(leader).get());

    Batch again;
    add_step(again, insert(leader, {"1", "a@b", "Ann", "äbc", "2.50"}));
    shaper.shape(again, 0);
    const auto& row = std::get<Change>(again.events()[0]);
    EXPECT_EQ(row.table, shaper.shaped(leader).get());
    EXPECT_EQ(row.after[0].bytes(), "1");
    EXPECT_EQ(row.after[1].bytes(), sha256_hex("salta@b"));
    EXPECT_EQ(row.after[1].bytes().data()[kSha256HexLength], '\0');
    EXPECT_EQ(row.after[2].bytes(), "nobody");
    EXPECT_EQ(row.after[3].bytes(), "äb");
    EXPECT_EQ(row.after[4].bytes(), "2.50");
}

TEST(EventShaper, UnchangedAbsentAndNullStayWhatTheyAre) {
    TableRule rule = table_rule("customers", {column_rule("email", Mask::Kind::sha256), column_rule("name", Mask::Kind::constant)});
    const TablePtr leader = shared(customers());
    EventShaper shaper{rules_of({rule}), {leader}, Engine::postgresql};
    Batch batch;
    add_step(batch, update(leader, {"1", absent, absent, absent, absent}, {"2", unchanged, null, "x", "3"}));
    shaper.shape(batch, 0);
    const auto& change = std::get<Change>(batch.events()[0]);
    EXPECT_EQ(change.before[1].kind(), CellKind::absent);
    EXPECT_EQ(change.after[1].kind(), CellKind::unchanged);
    EXPECT_EQ(change.after[2].kind(), CellKind::null);
}

TEST(EventShaper, AConstantIsWhatASqliteColumnWouldStore) {
    TableSchema table = customers();
    table.engine = Engine::sqlite;
    table.name = {"main", "customers"};
    table.columns[4].type = "NUMERIC";
    TableRule rule = table_rule("customers", {column_rule("total", Mask::Kind::constant), column_rule("email", Mask::Kind::sha256)});
    rule.column_rules[0].mask.text = "0";
    for (ColumnSchema& c : table.columns) c.collation = "BINARY";
    const TablePtr leader = shared(table);
    EventShaper shaper{rules_of({rule}), {leader}, Engine::sqlite};
    Batch batch;
    add_step(batch, insert(leader, {1, 5, "Ann", null, 2.5}));
    shaper.shape(batch, 0);
    const auto& row = std::get<Change>(batch.events()[0]);
    EXPECT_EQ(row.after[4].kind(), CellKind::integer);
    EXPECT_EQ(row.after[4].as_integer(), 0);
    EXPECT_EQ(row.after[1].bytes(), sha256_hex("salt5"));
    EXPECT_EQ(row.table->columns[1].type, "TEXT");
}

TEST(EventShaper, AnotherShapeOfTheTableIsShapedAsWell) {
    TableRule rule = table_rule("customers", {column_rule("email", Mask::Kind::sha256)});
    rule.rename = "people";
    const TablePtr leader = shared(customers());
    EventShaper shaper{rules_of({rule}), {leader}, Engine::postgresql};
    TableSchema wider = customers();
    wider.columns.push_back(column("added", "text", ValueClass::text));
    const TablePtr after = shared(wider);
    Batch batch;
    batch.add(ShapeChange{batch.keep(leader), batch.keep(after), nullptr, {}});
    add_step(batch, insert(after, {"1", "a", "b", "c", "1", "d"}));
    shaper.shape(batch, 0);
    const auto& change = std::get<ShapeChange>(batch.events()[0]);
    EXPECT_EQ(change.before->columns.size(), 5U);
    EXPECT_EQ(change.after->columns.size(), 6U);
    EXPECT_EQ(change.after->renamed_to, (TableName{"public", "people"}));
    EXPECT_EQ(change.leader_after->renamed_to, (TableName{"public", "people"})) << "the checkpoint says where the follower has it";
    EXPECT_EQ(change.leader_after->columns, after->columns);
    EXPECT_EQ(std::get<Change>(batch.events()[1]).after[1].bytes(), sha256_hex("salta"));
}

/// A transaction, and then the connection is lost.
class LostSource : public Source {
public:
    explicit LostSource(TablePtr table) : table_{std::move(table)} {}
    void read(Batch& batch, std::size_t, std::chrono::milliseconds) override {
        batch.add(Begin{});
        add_step(batch, insert(table_, {"1", "a@example.org", "b", "c", "1"}));
        batch.add(Commit{});
        throw RetryableError{"the leader ended the replication stream"};
    }
    void report(Position) override {}

private:
    TablePtr table_;
};

TEST(ShapedSource, WhatCameBeforeAFailureIsMaskedAsWell) {
    const TablePtr leader = shared(customers());
    TableState state;
    state.name = leader->name;
    state.shape = *leader;
    const auto source = shaped_source(std::make_unique<LostSource>(leader), rules_of({table_rule("customers", {column_rule("email", Mask::Kind::sha256)})}), {state}, Engine::postgresql);
    Batch batch;
    EXPECT_THROW(source->read(batch, 1000, std::chrono::milliseconds{0}), RetryableError);
    ASSERT_EQ(batch.events().size(), 3U) << "it is applied, so that the stream goes on from the last good place";
    EXPECT_EQ(std::get<Change>(batch.events()[1]).after[1].bytes(), sha256_hex("salta@example.org"));
}

}  // namespace
}  // namespace rowferry::test
