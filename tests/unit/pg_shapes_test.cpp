// The shapes of a stream's tables move by messages of the event triggers, and by what the catalog says of changes that came without one.

#include "decoder/pgoutput/pg_shapes.h"

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "tests/unit/pgoutput_bytes.h"

namespace rowferry::test {
namespace {

ColumnSchema column(std::uint16_t attribute, const std::string& name) {
    ColumnSchema result;
    result.name = name;
    result.type = result.base_type = "integer";
    result.type_oid = 23;
    result.attribute = attribute;
    return result;
}

class PgShapesTest : public ::testing::Test {
protected:
    PgShapesTest() {
        shape_.name = {"public", "t"};
        shape_.leader_id = kTable;
        shape_.file_node = 5;
        shape_.columns = {column(1, "id"), column(2, "a")};
        shape_.primary_key = shape_.identity = {0};
        Checkpoint checkpoint;
        checkpoint.stream = "s";
        checkpoint.position = {100, 0};
        checkpoint.tables = {{shape_.name, {100, 0}, shape_}};
        shapes_ = std::make_unique<PgShapes>(checkpoint, TableSelection{}, false);
        shapes_->read_catalog_with([this](std::uint32_t) -> std::optional<TableSchema> { return catalog_; });
        shapes_->begin(150);
    }

    /// A relation message with these integer columns, the first being the key.
    void announce(const std::vector<std::string>& columns) {
        Bytes bytes = Bytes{}.tag('R').u32(kTable).cstr("public").cstr("t").tag('d').i16(static_cast<std::int16_t>(columns.size()));
        bool key = true;
        for (const std::string& name : columns) bytes.u8(std::exchange(key, false) ? 1 : 0).cstr(name).u32(23).i32(-1);
        const HeapBytes heap{bytes};
        shapes_->announce(std::get<pgoutput::Relation>(pgoutput::decode_message(heap.span())));
    }
    void report(const std::string& json) {
        shapes_->report(pgoutput::parse_ddl_message({reinterpret_cast<const std::byte*>(json.data()), json.size()}), batch_);
    }
    static std::string told(const std::string& columns) {
        return R"({"tag":"ALTER TABLE","tables":[{"oid":16384,"schema":"public","name":"t","identity":"d","file":5,"key":[1],"columns":[)" + columns + "]}]}";
    }
    static std::string told_column(int number, const std::string& name, const std::string& more = {}) {
        return R"({"number":)" + std::to_string(number) + R"(,"name":")" + name + R"(","type":"integer","type_oid":23,"modifier":-1,"not_null":)" +
               (number == 1 ? "true" : "false") + R"(,"generated":"","auto":"","base_oid":23,"base":"integer","defaults":true)" + more + "}";
    }
    [[nodiscard]] const ShapeChange& change(std::size_t index = 0) const { return std::get<ShapeChange>(batch_.events()[index]); }
    [[nodiscard]] std::string halts(const std::function<void()>& action) const {
        try {
            action();
        } catch (const HaltError& error) {
            return error.what();
        }
        return {};
    }

    TableSchema shape_;
    std::optional<TableSchema> catalog_;
    std::unique_ptr<PgShapes> shapes_;
    Batch batch_;
};

TEST_F(PgShapesTest, AMessageChangesTheShapeAtItsPlace) {
    announce({"id", "a"});
    ASSERT_NE(shapes_->table(kTable, batch_), nullptr);
    EXPECT_TRUE(batch_.empty());
    report(told(told_column(1, "id") + "," + told_column(2, "a") + "," + told_column(3, "c", R"(,"missing":"7","default":"7")")));
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_EQ(change().before->columns.size(), 2U);
    EXPECT_EQ(change().after->columns.at(2).missing_value, "7");
    EXPECT_TRUE(change().obstacle.empty());
    announce({"id", "a", "c"});
    EXPECT_EQ((*shapes_->table(kTable, batch_))->columns.size(), 3U);
    EXPECT_EQ(batch_.events().size(), 1U) << "told once";
}

TEST_F(PgShapesTest, TheSameColumnsUnderOtherNumbersAreOtherColumns) {
    report(told(told_column(1, "id") + "," + told_column(3, "a", R"(,"missing":"7")")));
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_EQ(change().after->columns.at(1).attribute, 3);
}

TEST_F(PgShapesTest, ARewriteWithAnExpressionIsAnObstacle) {
    report(R"({"rewrite":16384,"reason":4,"above":null,"using":true})");
    report(told(told_column(1, "id") + "," + told_column(2, "a")));
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_FALSE(change().obstacle.empty());
}

TEST_F(PgShapesTest, ARewriteThatNothingExplainsIsAnObstacleAtTheEnd) {
    report(R"({"rewrite":16384,"reason":4,"using":false})");
    EXPECT_TRUE(batch_.empty());
    shapes_->finish(batch_);
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_FALSE(change().obstacle.empty());
}

TEST_F(PgShapesTest, WhatIsInTheCopyIsNotTakenTwice) {
    shapes_->begin(90);
    announce({"id", "older", "shape"});
    EXPECT_EQ(shapes_->table(kTable, batch_), nullptr);
    report(told(told_column(1, "id")));
    EXPECT_TRUE(batch_.empty());
}

TEST_F(PgShapesTest, ADroppedTableIsForgotten) {
    report(R"({"dropped":[{"oid":16384,"schema":"public","name":"t"},{"oid":1,"schema":"public","name":"other"}]})");
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_EQ(change().after, nullptr);
    EXPECT_TRUE(shapes_->oids().empty());
}

TEST_F(PgShapesTest, WithoutAMessageOnlyAColumnWithoutADefaultIsFollowed) {
    catalog_ = shape_;
    catalog_->columns.push_back(column(3, "c"));
    announce({"id", "a", "c"});
    ASSERT_NE(shapes_->table(kTable, batch_), nullptr);
    ASSERT_EQ(batch_.events().size(), 1U);
    EXPECT_EQ(change().after->columns.size(), 3U);
}

TEST_F(PgShapesTest, WithoutAMessageEverythingElseStops) {
    announce({"id", "a", "c"});
    const auto read = [&] { shapes_->table(kTable, batch_); };
    catalog_ = shape_;
    catalog_->columns.push_back(column(3, "c"));
    catalog_->columns.back().missing_value = "7";
    EXPECT_NE(halts(read).find("copy-table"), std::string::npos);
    catalog_->columns.back().missing_value.reset();
    catalog_->file_node = 6;
    EXPECT_NE(halts(read).find("copy-table"), std::string::npos) << "a rewrite may have filled it";
    catalog_->file_node = 5;
    catalog_->columns[1].attribute = 4;
    EXPECT_NE(halts(read).find("copy-table"), std::string::npos) << "dropped and added again";
    catalog_.reset();
    EXPECT_NE(halts(read).find("gone"), std::string::npos);
}

TEST_F(PgShapesTest, TheCatalogMayBeAheadAsLongAsTheLogGetsThere) {
    TableSchema now = shape_;
    now.columns.push_back(column(3, "c"));
    now.columns.back().missing_value = "7";
    shapes_->expect(kTable, now, 300);
    EXPECT_EQ(halts([&] { shapes_->check(299); }), "");
    report(told(told_column(1, "id") + "," + told_column(2, "a") + "," + told_column(3, "c", R"(,"missing":"7")")));
    EXPECT_EQ(halts([&] { shapes_->check(400); }), "");
}

TEST_F(PgShapesTest, WhatTheLogNeverShowedStopsWhereItShouldHaveBeen) {
    TableSchema now = shape_;
    now.columns.push_back(column(3, "e"));
    now.columns.back().missing_value = "9";
    shapes_->expect(kTable, now, 300);
    shapes_->expect(kTable, now, 500);  // the next look does not put it off
    EXPECT_NE(halts([&] { shapes_->check(300); }).find("copy-table"), std::string::npos);
}

TEST_F(PgShapesTest, ATableThatIsGoneWithoutAMessageStops) {
    shapes_->expect(kTable, std::nullopt, 300);
    EXPECT_NE(halts([&] { shapes_->check(300); }).find("dropped"), std::string::npos);
}

TEST_F(PgShapesTest, NewTablesAreToldOnce) {
    const std::string created =
        R"({"tag":"CREATE TABLE","tables":[{"oid":7,"schema":"public","name":"fresh","kind":"r","identity":"d","file":7,"columns":null}]})";
    report(created);
    report(created);
    EXPECT_EQ(shapes_->take_new_tables(), (std::vector<TableName>{{"public", "fresh"}}));
    EXPECT_TRUE(shapes_->take_new_tables().empty());
}

TEST_F(PgShapesTest, AMessageThatIsNotOursIsAnErrorAndNotACrash) {
    for (const char* text : {"", "{", "[]", R"({"tables":1})", R"({"tables":[{"oid":"x"}]})", R"({"dropped":[{}]})", R"({"rewrite":-1})"})
        EXPECT_NE(halts([&] { report(text); }), "") << text;
    report("{}");
    EXPECT_TRUE(batch_.empty());
}

}  // namespace
}  // namespace rowferry::test
