#include "applier/postgresql/pg_table_plan.h"

#include <gtest/gtest.h>

#include "applier/postgresql/pg_copy_stream.h"
#include "applier/postgresql/pg_types.h"
#include "schemas/error.h"
#include "tests/support/event_builder.h"

namespace rowferry {
namespace {
using test::Events;
using test::pg_table;
using test::share;
using test::sqlite_table;

PgTarget target(const std::string& name, const std::vector<std::pair<std::string, std::string>>& columns) {
    PgTarget table;
    table.name = {"public", name};
    table.plain = table.writable = true;
    std::uint32_t oid = 100;
    for (const auto& [column, type] : columns) {
        PgTargetColumn made;
        made.name = column;
        made.type = made.base_type = type;
        made.oid = oid++;
        table.columns.push_back(made);
    }
    return table;
}

const Change& only_change(const Events& events) { return std::get<Change>(events.get().front()); }

std::vector<PgParameter> after(std::initializer_list<std::uint16_t> columns) {
    std::vector<PgParameter> parameters;
    for (const auto column : columns) parameters.push_back({column, PgParameter::Image::after});
    return parameters;
}

const TableSchema kUsers = pg_table("users", {{"id", "integer"}, {"name", "text"}, {"n", "bigint"}}, {0});
const PgTarget kTarget = target("users", {{"id", "integer"}, {"name", "text"}, {"n", "bigint"}});

TEST(PgTablePlan, InsertAndDelete) {
    PgTablePlan plan{kUsers, kTarget, 7};
    EXPECT_EQ(plan.insert().sql, R"(INSERT INTO "public"."users" ("id", "name", "n") VALUES ($1, $2, $3))");
    EXPECT_EQ(plan.insert().name, "t7i");
    EXPECT_EQ(plan.insert().parameters, after({0, 1, 2}));
    EXPECT_EQ(plan.insert().types, (std::vector<std::uint32_t>{100, 101, 102}));
    EXPECT_EQ(plan.remove().sql, R"(DELETE FROM ONLY "public"."users" WHERE "id" = $1)");
    EXPECT_EQ(plan.copy(), R"(COPY "public"."users" ("id", "name", "n") FROM STDIN)");
}

/// The whole row tells it, the index of the key that allows NULL finds it.
TEST(PgTablePlan, AKeyThatAllowsNullFindsTheRow) {
    TableSchema pairs = sqlite_table("pairs", {{"a", "TEXT"}, {"v", "INTEGER"}}, {});
    pairs.unique_keys.push_back({"pairs_key", {0}});
    pairs.columns[0].value_class = ValueClass::text;
    PgTarget follower = target("pairs", {{"a", "text"}, {"v", "bigint"}});
    EXPECT_EQ(PgTablePlan(pairs, follower, 0).remove().sql,
              R"(DELETE FROM ONLY "public"."pairs" WHERE ctid = (SELECT ctid FROM ONLY "public"."pairs" WHERE "a"::text IS NOT DISTINCT FROM $1::text )"
              R"(AND "v"::text IS NOT DISTINCT FROM $2::text LIMIT 1))");
    follower.unique_keys.push_back({"a"});
    EXPECT_EQ(PgTablePlan(pairs, follower, 0).remove().sql,
              R"(DELETE FROM ONLY "public"."pairs" WHERE ctid = (SELECT ctid FROM ONLY "public"."pairs" WHERE "a"::text IS NOT DISTINCT FROM $1::text )"
              R"(AND "v"::text IS NOT DISTINCT FROM $2::text AND ("a" = $1 OR ("a" IS NULL AND $1 IS NULL)) LIMIT 1))");
}

TEST(PgTablePlan, AnUnchangedKeyIsNotSet) {
    PgTablePlan plan{kUsers, kTarget, 0};
    const auto table = share(kUsers);
    EXPECT_EQ(plan.update(only_change(Events{}.update(table, {"1", "ann", "5"}))).sql,
              R"(UPDATE ONLY "public"."users" SET "name" = $1, "n" = $2 WHERE "id" = $3)");
    // The same with the old key sent, which is what it was: the same statement.
    const PgStatement& again = plan.update(only_change(Events{}.update(table, {"1", test::absent(), test::absent()}, {"1", "ann", "5"})));
    EXPECT_EQ(again.name, "t0u0");
}

TEST(PgTablePlan, AChangedKeyIsSetAndFoundByTheOldOne) {
    PgTablePlan plan{kUsers, kTarget, 0};
    const PgStatement& update =
        plan.update(only_change(Events{}.update(share(kUsers), {"1", test::absent(), test::absent()}, {"2", "ann", "5"})));
    EXPECT_EQ(update.sql, R"(UPDATE ONLY "public"."users" SET "id" = $1, "name" = $2, "n" = $3 WHERE "id" = $4)");
    EXPECT_EQ(update.parameters.back(), (PgParameter{0, PgParameter::Image::key}));
}

TEST(PgTablePlan, UnchangedCellsAreLeftAloneAndMasksKeepTheirStatements) {
    PgTablePlan plan{kUsers, kTarget, 0};
    const auto table = share(kUsers);
    const std::string all = plan.update(only_change(Events{}.update(table, {"1", "ann", "5"}))).name;
    const PgStatement& part = plan.update(only_change(Events{}.update(table, {"1", test::unchanged(), "5"})));
    EXPECT_EQ(part.sql, R"(UPDATE ONLY "public"."users" SET "n" = $1 WHERE "id" = $2)");
    EXPECT_NE(part.name, all);
    EXPECT_EQ(plan.update(only_change(Events{}.update(table, {"1", "bob", "6"}))).name, all);
    // Nothing to write, but the row has to exist.
    EXPECT_EQ(plan.update(only_change(Events{}.update(table, {"1", test::unchanged(), test::unchanged()}))).sql,
              R"(SELECT 1 FROM ONLY "public"."users" WHERE "id" = $1)");
}

TEST(PgTablePlan, KeylessRowsAreFoundByTheirTextForm) {
    TableSchema keyless = pg_table("log", {{"a", "numeric"}, {"b", "json"}}, {});
    PgTablePlan plan{keyless, target("log", {{"a", "numeric"}, {"b", "json"}}), 0};
    const std::string where = R"(WHERE ctid = (SELECT ctid FROM ONLY "public"."log" WHERE "a"::text IS NOT DISTINCT FROM $1::text AND )"
                              R"("b"::text IS NOT DISTINCT FROM $2::text LIMIT 1))";
    EXPECT_EQ(plan.remove().sql, R"(DELETE FROM ONLY "public"."log" )" + where);
}

TEST(PgTablePlan, GeneratedAndIdentityColumns) {
    PgTarget follower = kTarget;
    follower.columns[0].identity = follower.columns[0].identity_always = true;
    follower.columns[2].generated = true;
    PgTablePlan plan{kUsers, follower, 0};
    EXPECT_EQ(plan.insert().sql, R"(INSERT INTO "public"."users" ("id", "name") OVERRIDING SYSTEM VALUE VALUES ($1, $2))");
    EXPECT_EQ(plan.copy(), R"(COPY "public"."users" ("id", "name") FROM STDIN)");
    const auto table = share(kUsers);
    EXPECT_EQ(plan.update(only_change(Events{}.update(table, {"1", "ann", "5"}))).sql,
              R"(UPDATE ONLY "public"."users" SET "name" = $1 WHERE "id" = $2)");
    EXPECT_THROW(
        static_cast<void>(plan.update(only_change(Events{}.update(table, {"1", test::absent(), test::absent()}, {"2", "ann", "5"})))),
        ValueError);
}

TEST(PgTablePlan, ASqliteInsertReplacesByEveryUniqueKey) {
    TableSchema leader = sqlite_table("users", {{"id", "INTEGER"}, {"name", "TEXT"}}, {0});
    leader.unique_keys.push_back({"by_name", {1}});
    PgTarget follower = target("users", {{"id", "bigint"}, {"name", "text"}});
    follower.unique_keys = {{"id"}};
    PgTablePlan plan{leader, follower, 0};
    EXPECT_EQ(
        plan.insert().sql,
        R"(WITH rowferry_gone AS (DELETE FROM ONLY "public"."users" WHERE ("id" = $1) OR ("name" = $2) RETURNING 1), )"
        R"(rowferry_n AS (SELECT count(*) AS rowferry_replaced FROM rowferry_gone) )"
        R"(INSERT INTO "public"."users" ("id", "name") SELECT $1, $2 FROM rowferry_n RETURNING (SELECT rowferry_replaced FROM rowferry_n))");
    EXPECT_TRUE(plan.insert().counts_replaced);
    EXPECT_FALSE(plan.copy_finds_conflicts());  // nothing on the follower makes `name` unique
    const PgStatement& update = plan.update(only_change(Events{}.update(share(leader), {1, test::absent()}, {1, "ann"})));
    EXPECT_EQ(update.sql,
              R"(WITH rowferry_gone AS (DELETE FROM ONLY "public"."users" WHERE (("name" = $1)) AND NOT ("id" = $2) RETURNING 1), )"
              R"(rowferry_n AS (SELECT count(*) AS rowferry_replaced FROM rowferry_gone) )"
              R"(UPDATE ONLY "public"."users" SET "name" = $1 FROM rowferry_n WHERE "id" = $2 RETURNING rowferry_replaced)");
}

TEST(PgTablePlan, ASqliteUpdateThatTouchesNoUniqueKeyIsPlain) {
    const TableSchema leader = sqlite_table("users", {{"id", "INTEGER"}, {"name", "TEXT"}}, {0});
    PgTarget follower = target("users", {{"id", "bigint"}, {"name", "text"}});
    follower.unique_keys = {{"id"}};
    PgTablePlan plan{leader, follower, 0};
    EXPECT_TRUE(plan.copy_finds_conflicts());
    EXPECT_EQ(plan.update(only_change(Events{}.update(share(leader), {1, test::absent()}, {1, "ann"}))).sql,
              R"(UPDATE ONLY "public"."users" SET "name" = $1 WHERE "id" = $2)");
}

TEST(PgTablePlan, DescribesKeysButNoOtherValue) {
    PgTablePlan plan{kUsers, kTarget, 0};
    EXPECT_EQ(plan.describe_key(only_change(Events{}.insert(share(kUsers), {"1\n", "secret", "5"}))), "key id=1");
    EXPECT_EQ(plan.describe_key(only_change(Events{}.remove(share(kUsers), {"4", test::absent(), test::absent()}))), "key id=4");
}

TEST(PgTablePlan, ChecksColumns) {
    PgTarget follower = target("users", {{"id", "integer"}, {"n", "integer"}, {"extra", "text"}});
    follower.columns[2].not_null = true;
    const auto problems = check_target_columns(kUsers, follower);
    ASSERT_EQ(problems.size(), 3U);
    EXPECT_NE(problems[0].find("no column name"), std::string::npos);
    EXPECT_NE(problems[1].find("public.users.n is integer"), std::string::npos);
    EXPECT_NE(problems[2].find("extra is NOT NULL"), std::string::npos);
}

TEST(PgTypes, HoldOnlyWhatIsExact) {
    for (const auto& [from, to] :
         std::vector<std::pair<std::string, std::string>>{{"integer", "integer"},
                                                          {"smallint", "bigint"},
                                                          {"bigint", "numeric"},
                                                          {"character varying(10)", "character varying(12)"},
                                                          {"character varying(10)", "text"},
                                                          {"numeric(10,2)", "numeric(12,2)"},
                                                          {"numeric(10,2)", "numeric"},
                                                          {"integer", "numeric(10,0)"},
                                                          {"smallint[]", "bigint[]"},
                                                          {"bigint[]", "numeric[]"},
                                                          {"character varying(3)[]", "text[]"},
                                                          {"timestamp with time zone", "timestamp(6) with time zone"},
                                                          {"time(2) without time zone", "time(3) without time zone"},
                                                          {"interval(2)", "interval"},
                                                          {"bit(3)", "bit varying(3)"},
                                                          {"character(3)", "text"},
                                                          {"timestamp(3) without time zone", "timestamp without time zone"},
                                                          {"public.mood", "public.mood"},
                                                          {"integer[]", "integer[]"}})
        EXPECT_TRUE(pg_type_holds(from, to)) << from << " → " << to;
    for (const auto& [from, to] :
         std::vector<std::pair<std::string, std::string>>{{"bigint", "integer"},
                                                          {"text", "character varying(10)"},
                                                          {"character varying(12)", "character varying(10)"},
                                                          {"numeric", "numeric(10,2)"},
                                                          {"numeric(10,2)", "numeric(10,3)"},
                                                          {"numeric(10,2)", "numeric(9,2)"},
                                                          {"double precision", "real"},
                                                          {"real", "double precision"},
                                                          {"bigint", "numeric(18,0)"},
                                                          {"integer", "numeric(12,2)"},
                                                          {"bigint[]", "integer[]"},
                                                          {"box[]", "text[]"},
                                                          {"interval", "interval(2)"},
                                                          {"bit(4)", "bit varying(3)"},
                                                          {"character(3)", "character(4)"},
                                                          {"timestamp without time zone", "timestamp(0) without time zone"},
                                                          {"timestamp without time zone", "timestamp with time zone"},
                                                          {"integer[]", "integer"},
                                                          {"json", "jsonb"}})
        EXPECT_FALSE(pg_type_holds(from, to)) << from << " → " << to;
}

TEST(PgTypes, FindTheValueThatExceedsAModifier) {
    EXPECT_TRUE(exceeds_modifier("character varying(3)", "abcd"));
    EXPECT_FALSE(exceeds_modifier("character varying(3)", "äöü"));
    EXPECT_TRUE(exceeds_modifier("numeric(5,2)", "-1234.5"));
    EXPECT_FALSE(exceeds_modifier("numeric(5,2)", "0123.55"));
    EXPECT_FALSE(exceeds_modifier("numeric", "123456"));
}

TEST(PgCopyText, EscapesWhatSeparates) {
    std::string out;
    append_copy_text(out, "a\tb\\N\r\nc");
    EXPECT_EQ(out, "a\\tb\\\\N\\r\\nc");
    // At every place of the eight bytes that are looked at together, beside bytes that need nothing.
    for (std::size_t length = 1; length < 20; ++length)
        for (std::size_t at = 0; at < length; ++at)
            for (const auto& [byte, escaped] : {std::pair{'\t', "\\t"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\\', "\\\\"}, {'\x1F', "\x1F"}, {'\xDC', "\xDC"}, {'\x80', "\x80"}}) {
                const std::string before(at, '\xFF');
                const std::string after(length - at - 1, ']');
                out.clear();
                append_copy_text(out, before + byte + after);
                EXPECT_EQ(out, before + escaped + after) << length << ' ' << at;
            }
}

}  // namespace
}  // namespace rowferry
