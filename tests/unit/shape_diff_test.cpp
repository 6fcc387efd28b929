// From one shape of a leader's table to the next: which steps a follower has to take, in which order, and what has to stop instead.

#include "schemas/shape_diff.h"

#include <gtest/gtest.h>

#include "schemas/pg_alter.h"
#include "schemas/sqlite_alter.h"
#include "tests/support/event_builder.h"

namespace rowferry::test {
namespace {

using Kind = ShapeStep::Kind;

ColumnSchema column(std::uint16_t attribute, const std::string& name, const std::string& type, std::uint32_t oid = 25) {
    ColumnSchema result;
    result.name = name;
    result.type = result.base_type = type;
    result.type_oid = oid;
    result.attribute = attribute;
    return result;
}

class ShapeDiffTest : public ::testing::Test {
protected:
    TableSchema before_ = [] {
        TableSchema table = pg_table("t", {}, {});
        table.columns = {column(1, "id", "integer", 23), column(2, "a", "text"), column(3, "b", "text")};
        table.primary_key = table.identity = {0};
        return table;
    }();
    TableSchema after_ = before_;

    [[nodiscard]] std::string diff() const { return describe_diff(diff_shapes(before_, after_), before_, after_); }
    [[nodiscard]] std::vector<std::string> sql() const {
        std::vector<std::string> statements;
        for (const ShapeStep& step : diff_shapes(before_, after_).steps)
            for (std::string& line : pg_alter(step, after_, before_, before_.name, step.type.empty() ? after_.columns[step.after].type : step.type))
                statements.push_back(std::move(line));
        return statements;
    }
    [[nodiscard]] std::vector<std::string> sqlite(const std::string& value = {}) const {
        std::vector<std::string> statements;
        for (const ShapeStep& step : diff_shapes(before_, after_).steps)
            for (std::string& line : sqlite_alter(step, after_, before_, "t", value)) statements.push_back(std::move(line));
        return statements;
    }
    using Lines = std::vector<std::string>;
};

TEST_F(ShapeDiffTest, TheSameShapeNeedsNothing) {
    after_.file_node = 7;  // VACUUM FULL
    after_.comment = "new";
    EXPECT_EQ(diff(), "");
}

TEST_F(ShapeDiffTest, AColumnIsAdded) {
    after_.columns.push_back(column(4, "c", "bigint", 20));
    EXPECT_EQ(diff(), "column c bigint was added");
    EXPECT_EQ(sql(), Lines{R"(ALTER TABLE "public"."t" ADD COLUMN "c" bigint)"});
    EXPECT_EQ(sqlite(), Lines{R"(ALTER TABLE "main"."t" ADD COLUMN "c" BIGINT)"});
}

TEST_F(ShapeDiffTest, OldRowsGetTheValueOfTheMomentAndNewOnesTheDefault) {
    after_.columns.push_back(column(4, "c", "timestamp with time zone", 1184));
    after_.columns[3].missing_value = "2026-11-20 10:00:00+00";
    after_.columns[3].default_expression = "now()";
    after_.columns[3].not_null = true;
    EXPECT_EQ(sql(), (Lines{R"(ALTER TABLE "public"."t" ADD COLUMN "c" timestamp with time zone DEFAULT '2026-11-20 10:00:00+00' NOT NULL)",
                            R"(ALTER TABLE "public"."t" ALTER COLUMN "c" SET DEFAULT now())"}));
    after_.columns[3].default_expression = "f('x')";
    EXPECT_EQ(sql().back(), R"(ALTER TABLE "public"."t" ALTER COLUMN "c" DROP DEFAULT)") << "a call does not travel";
    EXPECT_EQ(sqlite("'it''s'"), (Lines{R"(ALTER TABLE "main"."t" ADD COLUMN "c" TIMESTAMPTZ_TEXT)", R"(UPDATE "main"."t" SET "c" = 'it''s')"}));
}

TEST_F(ShapeDiffTest, DroppedAndAddedByTheSameNameIsAnotherColumn) {
    after_.columns[2] = column(4, "b", "text");
    after_.columns[2].missing_value = "7";
    EXPECT_EQ(diff(), "column b was dropped, column b text was added, with a value for old rows");
}

TEST_F(ShapeDiffTest, AColumnIsRenamedAndAnotherTakesItsName) {
    after_.columns[1].name = "b";
    after_.columns[2].name = "c";
    EXPECT_EQ(diff(), "column b was renamed to c, column a was renamed to b");
    EXPECT_EQ(sqlite(), (Lines{R"(ALTER TABLE "main"."t" RENAME COLUMN "b" TO "c")", R"(ALTER TABLE "main"."t" RENAME COLUMN "a" TO "b")"}));
    after_.columns[2].name = "a";
    EXPECT_EQ(diff_shapes(before_, after_).obstacle, "columns exchanged their names");
}

TEST_F(ShapeDiffTest, TheTableIsRenamed) {
    after_.name = {"shop", "orders"};
    EXPECT_EQ(sql(), (Lines{R"(ALTER TABLE "public"."t" SET SCHEMA "shop")", R"(ALTER TABLE "shop"."t" RENAME TO "orders")"}));
    EXPECT_EQ(sqlite(), Lines{R"(ALTER TABLE "main"."t" RENAME TO "shop__orders")"});
}

TEST_F(ShapeDiffTest, ATypeMayBecomeWider) {
    after_.columns[0] = column(1, "id", "bigint", 20);
    EXPECT_EQ(diff(), "the type of column id was changed from integer to bigint");
    EXPECT_EQ(sql(), Lines{R"(ALTER TABLE "public"."t" ALTER COLUMN "id" TYPE bigint)"});
    after_.columns[0] = column(1, "id", "smallint", 21);
    EXPECT_NE(diff_shapes(before_, after_).obstacle, "");
}

TEST(Widening, KeepsEveryValue) {
    for (const auto& [from, to] : {std::pair{"smallint", "integer"}, {"integer", "bigint"}, {"integer", "numeric"}, {"real", "double precision"},
                                   {"character varying(10)", "character varying(20)"}, {"character varying(10)", "text"}, {"text", "character varying"},
                                   {"numeric(8,2)", "numeric(10,2)"}, {"numeric(8,2)", "numeric"}, {"time(3) without time zone", "time(6) without time zone"},
                                   {"integer[]", "bigint[]"}, {"bit varying(3)", "bit varying(4)"}})
        EXPECT_TRUE(is_widening(from, to)) << from << " → " << to;
    for (const auto& [from, to] : {std::pair{"bigint", "integer"}, {"text", "integer"}, {"integer", "text"}, {"boolean", "text"}, {"character(3)", "character(5)"},
                                   {"numeric(8,2)", "numeric(8,3)"}, {"numeric", "numeric(8,2)"}, {"text", "character varying(5)"}, {"text", "text[]"},
                                   {"timestamp without time zone", "timestamp with time zone"}, {"double precision", "real"}, {"character(3)", "character varying"}})
        EXPECT_FALSE(is_widening(from, to)) << from << " → " << to;
}

TEST_F(ShapeDiffTest, LabelsOfAnEnum) {
    before_.columns[1].enum_labels = {"a", "c"};
    after_.columns[1].enum_labels = {"0", "a", "b", "c", "d"};
    before_.columns[1].type = before_.columns[1].base_type = after_.columns[1].type = after_.columns[1].base_type = "public.mood";
    EXPECT_EQ(sql(), (Lines{"ALTER TYPE public.mood ADD VALUE IF NOT EXISTS '0' BEFORE 'a'", "ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'b' AFTER 'a'",
                            "ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'd' AFTER 'c'"}));
    EXPECT_EQ(sqlite(), Lines{});
    after_.columns[1].enum_labels = {"a", "see"};
    EXPECT_EQ(sql(), Lines{"ALTER TYPE public.mood RENAME VALUE 'c' TO 'see'"});
    EXPECT_EQ(sqlite(), Lines{R"(UPDATE "main"."t" SET "a" = 'see' WHERE "a" = 'c')"});
    after_.columns[1].enum_labels = {"c", "a"};
    EXPECT_NE(diff_shapes(before_, after_).obstacle, "");
}

TEST_F(ShapeDiffTest, DefaultsAndConstraintsCanWait) {
    after_.columns[1].default_expression = "'x'::text";
    after_.columns[2].not_null = true;
    const ShapeDiff diff = diff_shapes(before_, after_);
    EXPECT_EQ(diff.steps.size(), 2U);
    EXPECT_FALSE(diff.needs_work());
    EXPECT_EQ(sql().front(), R"(ALTER TABLE "public"."t" ALTER COLUMN "a" SET DEFAULT 'x'::text)");
    std::swap(before_, after_);
    EXPECT_TRUE(diff_shapes(before_, after_).needs_work()) << "the follower would refuse the NULLs that may come";
}

TEST_F(ShapeDiffTest, AnotherKeyStops) {
    after_.identity = {1};
    EXPECT_NE(diff_shapes(before_, after_).obstacle, "");
    before_.insert_only = after_.insert_only = true;
    EXPECT_EQ(diff(), "");
}

TEST_F(ShapeDiffTest, AGeneratedColumnThatBecameAnOrdinaryOneStops) {
    before_.columns.erase(before_.columns.begin() + 1);
    EXPECT_NE(diff_shapes(before_, after_).obstacle.find("column a was there before"), std::string::npos);
}

TEST_F(ShapeDiffTest, ASqliteLeadersColumnsGoByTheirNames) {
    before_ = sqlite_table("t", {{"id", "INTEGER"}, {"a", "TEXT"}}, {0});
    after_ = sqlite_table("t", {{"id", "INTEGER"}, {"A", "TEXT"}, {"c", "TEXT"}}, {0});
    after_.columns[2].default_expression = "'it''s'";
    EXPECT_EQ(diff(), "column a was renamed to A, column c TEXT was added");
    EXPECT_EQ(old_value(after_, 2).text, "it's");
    after_.columns[2].default_expression = "(random())";
    EXPECT_EQ(old_value(after_, 2).kind, OldValue::Kind::unknown);
    after_.columns[2].default_expression = "5";
    EXPECT_EQ(old_value(after_, 2).kind, OldValue::Kind::unknown) << "kept as the text 5";
}

TEST_F(ShapeDiffTest, ASqliteLeadersColumnsGoByTheirPlacesWhereBothShapesKnowThem) {
    before_ = sqlite_table("t", {{"id", "INTEGER"}, {"a", "TEXT"}, {"b", "TEXT"}}, {0});
    after_ = sqlite_table("t", {{"id", "INTEGER"}, {"b", "TEXT"}, {"c", "TEXT"}, {"a", "TEXT"}}, {0});
    for (TableSchema* table : {&before_, &after_})
        for (std::size_t i = 0; i < table->columns.size(); ++i) table->columns[i].attribute = static_cast<std::uint16_t>(i + 1);
    EXPECT_EQ(diff(), "column b was renamed to c, column a was renamed to b, column a TEXT was added");
    for (ColumnSchema& column : before_.columns) column.attribute = 0;  // a checkpoint made before columns were numbered
    EXPECT_EQ(diff(), "column c TEXT was added");
}

TEST(PlainDefault, IsALiteralOrTheMoment) {
    for (const char* text : {"7", "-1.5", "'x'", "'it''s'::text", "'{}'::jsonb", "now()", "true", "'a'::public.mood", "'b'::character varying(10)"})
        EXPECT_TRUE(is_plain_default(text)) << text;
    for (const char* text : {"", "nextval('s')", "'x'; DROP TABLE t", "'x' || f()", "7::text || 1", "'", "-", ".", "'x'::text); DROP", "random()"})
        EXPECT_FALSE(is_plain_default(text)) << text;
}

TEST(SqliteLiteral, ReadsBackTheSame) {
    EXPECT_EQ(sqlite_literal(Cell::null()), "NULL");
    EXPECT_EQ(sqlite_literal(Cell::integer(-5)), "-5");
    EXPECT_EQ(sqlite_literal(Cell::real(5)), "5.0");
    EXPECT_EQ(sqlite_literal(Cell::real(0.1)), "0.1");
    EXPECT_EQ(sqlite_literal(Cell::real(1e16)), "10000000000000000.0");
    EXPECT_EQ(sqlite_literal(Cell::text("it's")), "'it''s'");
    EXPECT_EQ(sqlite_literal(Cell::blob("\x01\xff")), "x'01ff'");
}

}  // namespace
}  // namespace rowferry::test
