#include "schemas/pg_plan.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "schemas/pg_type_ddl.h"
#include "tests/support/event_builder.h"

namespace rowferry {
namespace {
using test::pg_table;
using test::share;

UserType mood() {
    UserType type;
    type.name = {"public", "mood"};
    type.labels = {"sad", "it's ok"};
    return type;
}

UserType domain(const std::string& name, const std::string& base, std::vector<CheckConstraint> checks = {}) {
    UserType type;
    type.kind = UserType::Kind::domain;
    type.name = {"types", name};
    type.base = base;
    type.checks = std::move(checks);
    return type;
}

UserType extension_type(const std::string& extension) {
    UserType type;
    type.kind = UserType::Kind::extension;
    type.name = {"public", extension};
    type.extension = extension;
    return type;
}

std::vector<std::string> sql(const std::vector<PgDdlStep>& steps) {
    std::vector<std::string> result;
    for (const PgDdlStep& step : steps) result.push_back(step.sql);
    return result;
}

/// Two leaves below a root; the second has its columns in another order.
std::vector<TablePtr> partitions() {
    TableSchema root = pg_table("root", {{"id", "bigint", true}, {"k", "text"}}, {});
    root.partition_key = "LIST (k)";
    root.columns[0].auto_number = AutoNumber::by_default;
    root.indexes = {{"root_k", false, false, {1}, {false}, {}}};
    root.checks = {{"sane", "(id > 0)"}};
    root.comment = "the root";
    TableSchema a = root;
    a.name = {"public", "leaf_a"};
    a.partition_key.clear();
    a.partition_bound = "FOR VALUES IN ('a')";
    a.parents = {root.name};
    a.comment.clear();
    a.indexes[0].name = "leaf_a_k";
    a.checks[0].inherited = true;
    a.ancestors = {root};
    TableSchema b = a;
    b.name.name = "leaf_b";
    std::swap(b.columns[0], b.columns[1]);
    b.indexes[0] = {"leaf_b_k", false, false, {0}, {false}, {}};
    b.partition_bound = "DEFAULT";
    return {share(a), share(b)};
}

TEST(PgPlan, TypesComeOnceAndInTheirOrder) {
    TableSchema one = pg_table("one", {{"m", "public.mood[]"}, {"y", "types.year"}}, {});
    one.types = {mood(), domain("year", "integer", {{"c", "(VALUE > 1900)"}})};
    TableSchema two = one;
    two.name.name = "two";
    const PgMakePlan plan = plan_pg_tables({share(one), share(two)}, {});
    const auto steps = sql(pg_before_copy(plan));
    ASSERT_EQ(steps.size(), 5U);
    EXPECT_EQ(steps[0], R"(CREATE SCHEMA IF NOT EXISTS "types")");
    EXPECT_EQ(steps[1], R"(CREATE TYPE "public"."mood" AS ENUM ('sad', 'it''s ok'))");
    EXPECT_EQ(steps[2], R"(CREATE DOMAIN "types"."year" AS integer CONSTRAINT "c" CHECK ((VALUE > 1900)))");
    EXPECT_TRUE(steps[3].starts_with(R"(CREATE TABLE "public"."one")"));
    EXPECT_TRUE(steps[4].starts_with(R"(CREATE TABLE "public"."two")"));
}

TEST(PgPlan, ATypeThatIsThereHasToTakeTheLeadersValues) {
    TableSchema table = pg_table("t", {{"m", "public.mood"}}, {});
    table.types = {mood()};
    PgFollowerFacts facts;
    UserType theirs = mood();
    theirs.labels = {"it's ok", "more", "sad"};
    facts.types[theirs.name] = theirs;
    EXPECT_EQ(sql(pg_before_copy(plan_pg_tables({share(table)}, facts))).size(), 1U);
    theirs.labels = {"sad"};
    facts.types[theirs.name] = theirs;
    try {
        static_cast<void>(plan_pg_tables({share(table)}, facts));
        FAIL();
    } catch (const RefusedError& error) {
        EXPECT_NE(std::string{error.what()}.find("the label it's ok is missing there"), std::string::npos) << error.what();
    }
}

TEST(PgPlan, DifferencesOfTypes) {
    const UserType plain = domain("d", "integer", {{"c", "(VALUE > 0)"}});
    EXPECT_EQ(pg_type_difference(plain, domain("d", "integer")), "") << "a check less is none in the way";
    EXPECT_NE(pg_type_difference(domain("d", "integer"), plain), "");
    EXPECT_NE(pg_type_difference(plain, domain("d", "bigint")), "");
    EXPECT_NE(pg_type_difference(plain, mood()), "");
    UserType strict = plain;
    strict.not_null = true;
    EXPECT_NE(pg_type_difference(plain, strict), "");
    EXPECT_EQ(pg_type_difference(strict, plain), "");
    UserType pair;
    pair.kind = UserType::Kind::composite;
    pair.attributes = {{"a", "integer"}, {"b", "text"}};
    UserType other = pair;
    EXPECT_EQ(pg_type_difference(pair, other), "");
    other.attributes[1].type = "integer";
    EXPECT_NE(pg_type_difference(pair, other), "");
    other.attributes = {{"a", "integer"}};
    EXPECT_NE(pg_type_difference(pair, other), "");
    EXPECT_NE(pg_type_difference(other, pair), "");
}

TEST(PgPlan, ExtensionsAreInstalledWhereTheyCanBe) {
    TableSchema table = pg_table("t", {{"h", "public.hstore"}}, {});
    table.types = {extension_type("hstore")};
    PgFollowerFacts facts;
    EXPECT_EQ(sql(pg_before_copy(plan_pg_tables({share(table)}, facts)))[0], R"(CREATE EXTENSION IF NOT EXISTS "hstore" WITH SCHEMA "public" CASCADE)");
    facts.available_extensions.emplace();
    EXPECT_THROW(static_cast<void>(plan_pg_tables({share(table)}, facts)), RefusedError);
    facts.available_extensions = std::map<std::string, std::string>{{"hstore", "this role may not"}};
    EXPECT_THROW(static_cast<void>(plan_pg_tables({share(table)}, facts)), RefusedError);
    facts.available_extensions = std::map<std::string, std::string>{{"hstore", ""}};
    EXPECT_NO_THROW(static_cast<void>(plan_pg_tables({share(table)}, facts)));
    facts.extensions = {"hstore"};  // in another schema, as the type is not where the leader has it
    EXPECT_THROW(static_cast<void>(plan_pg_tables({share(table)}, facts)), RefusedError);
}

TEST(PgPlan, PartitionsAreMadeAloneAndAttached) {
    const PgMakePlan plan = plan_pg_tables(partitions(), {});
    EXPECT_EQ(sql(pg_before_copy(plan)),
              (std::vector<std::string>{
                  "CREATE TABLE \"public\".\"root\" (\n    \"id\" bigint GENERATED BY DEFAULT AS IDENTITY,\n    \"k\" text\n) PARTITION BY LIST (k)",
                  "CREATE TABLE \"public\".\"leaf_a\" (\n    \"id\" bigint NOT NULL,\n    \"k\" text\n)",
                  "CREATE TABLE \"public\".\"leaf_b\" (\n    \"k\" text,\n    \"id\" bigint NOT NULL\n)",
                  R"(ALTER TABLE "public"."root" ATTACH PARTITION "public"."leaf_a" FOR VALUES IN ('a'))",
                  R"(ALTER TABLE "public"."root" ATTACH PARTITION "public"."leaf_b" DEFAULT)"}));
    // The root's index takes those of the leaves along; its check goes down to them.
    EXPECT_EQ(sql(pg_after_copy(plan)), (std::vector<std::string>{R"(CREATE INDEX "leaf_a_k" ON "public"."leaf_a" ("k"))",
                                                                  R"(CREATE INDEX "leaf_b_k" ON "public"."leaf_b" ("k"))",
                                                                  R"(CREATE INDEX "root_k" ON "public"."root" ("k"))",
                                                                  R"(ALTER TABLE "public"."root" ADD CONSTRAINT "sane" CHECK ((id > 0)))",
                                                                  R"(COMMENT ON TABLE "public"."root" IS 'the root')"}));
}

TEST(PgPlan, ARootThatIsThereAlreadyStaysAsItIs) {
    PgFollowerFacts facts;
    facts.relations = facts.partitioned = {{"public", "root"}};
    const auto steps = pg_before_copy(plan_pg_tables(partitions(), facts));
    EXPECT_EQ(steps.size(), 4U);
    EXPECT_EQ(steps[2].what, "public.leaf_a: its place below public.root") << "what somebody else's table refuses is no reason to stop";
    facts.partitioned.clear();
    const PgMakePlan plan = plan_pg_tables(partitions(), facts);
    EXPECT_EQ(pg_before_copy(plan).size(), 2U);
    EXPECT_NE(std::ranges::find(plan.notes, "public.leaf_a: it stands alone, as public.root is not a partitioned table on the follower"), plan.notes.end());
}

TEST(PgPlan, ChildrenGetTheirParentsChecksFromThem) {
    TableSchema parent = pg_table("parent", {{"id", "integer"}}, {});
    parent.checks = {{"c", "(id > 0)"}};
    TableSchema child = parent;
    child.name.name = "child";
    child.parents = {parent.name};
    child.checks = {{"c", "(id > 0)", false, false, true}, {"own", "(id < 9)"}};
    const PgMakePlan plan = plan_pg_tables({share(child), share(parent)}, {});
    EXPECT_EQ(sql(pg_before_copy(plan)).back(), R"(ALTER TABLE "public"."child" INHERIT "public"."parent")");
    EXPECT_EQ(sql(pg_after_copy(plan)), (std::vector<std::string>{R"(ALTER TABLE "public"."child" ADD CONSTRAINT "own" CHECK ((id < 9)))",
                                                                  R"(ALTER TABLE "public"."parent" ADD CONSTRAINT "c" CHECK ((id > 0)))"}));
    const PgMakePlan alone = plan_pg_tables({share(child)}, {});
    EXPECT_EQ(sql(pg_before_copy(alone)).size(), 1U);
    EXPECT_EQ(sql(pg_after_copy(alone)).size(), 2U) << "without its parent it has the check by itself";
    EXPECT_EQ(pg_left_out(alone), (std::vector<std::string>{"public.child: no place below public.parent, which is not on the follower"}));
}

TEST(PgPlan, IndexNamesThatAreTakenGetANumber) {
    TableSchema table = pg_table("t", {{"a", "integer"}}, {});
    table.indexes = {{"i", false, false, {0}, {false}, {}}, {std::string(61, 'x'), false, false, {0}, {true}, {}}};
    PgFollowerFacts facts;
    facts.relations = {{"public", "i"}, {"public", "i_1"}, {"other", "i_2"}};
    EXPECT_EQ(sql(pg_after_copy(plan_pg_tables({share(table)}, facts))),
              (std::vector<std::string>{R"(CREATE INDEX "i_2" ON "public"."t" ("a"))", R"(CREATE INDEX ON "public"."t" ("a" DESC))"}));
}

TEST(PgPlan, NamesThatPostgresqlWouldCutAreRefused) {
    EXPECT_THROW(static_cast<void>(plan_pg_tables({share(pg_table(std::string(64, 'x'), {}, {}))}, {})), RefusedError);
    EXPECT_THROW(static_cast<void>(plan_pg_tables({share(pg_table("t", {{std::string(64, 'x'), "text"}}, {}))}, {})), RefusedError);
}

}  // namespace
}  // namespace rowferry
