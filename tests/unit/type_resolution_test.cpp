#include <optional>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/unit/type_cases.h"

namespace rowferry {
namespace {

TEST(TypeResolution, PostgresqlIntoAnExistingSqliteColumn) {
    struct Case {
        const char* type;
        const char* target;
        std::optional<Conversion::Kind> conversion;
    };
    const Case cases[] = {
        {"numeric(10,2)", "NUMERIC", std::nullopt},
        {"numeric(10,2)", "DECIMAL(10,2)", std::nullopt},
        {"numeric", "TEXT", Conversion::identity},
        {"numeric", "BLOB", Conversion::identity},
        {"numeric", "", Conversion::identity},
        {"numeric", "REAL", std::nullopt},
        {"date", "DATE", std::nullopt},
        {"date", "DATE_TEXT", Conversion::identity},
        {"uuid", "UUID", std::nullopt},
        {"json", "JSON", std::nullopt},
        {"text", "STRING", std::nullopt},
        {"text", "VARCHAR(3)", Conversion::identity},
        {"text", "INTEGER", std::nullopt},
        {"interval", "INTERVAL", std::nullopt},
        {"bigint", "INTEGER", Conversion::text_to_integer},
        {"bigint", "NUMERIC", Conversion::text_to_integer},
        {"bigint", "", Conversion::text_to_integer},
        {"bigint", "REAL", std::nullopt},
        {"bigint", "TEXT", Conversion::identity},
        {"boolean", "INTEGER", Conversion::text_to_boolean},
        {"boolean", "BOOLEAN", Conversion::text_to_boolean},
        {"boolean", "REAL", std::nullopt},
        {"double precision", "DOUBLE", Conversion::text_to_real},
        {"double precision", "NUMERIC", std::nullopt},
        {"double precision", "INTEGER", std::nullopt},
        {"double precision", "TEXT", Conversion::identity},
        {"real", "FLOAT", Conversion::text_to_float4},
        {"bytea", "TEXT", Conversion::hex_to_blob},
        {"bytea", "NUMERIC", Conversion::hex_to_blob},
        {"public.hstore", "NUMERIC", std::nullopt},
    };
    for (const Case& c : cases) {
        const TableSchema table = one_column(Engine::postgresql, c.type);
        std::optional<Conversion::Kind> kind;
        const auto why = refusal([&] { kind = resolve_conversion(table, 1, Engine::sqlite, c.target).kind; });
        EXPECT_EQ(kind, c.conversion) << c.type << " into " << c.target << ": " << why.value_or("");
        EXPECT_TRUE(!why || why->find("public.things.value") != std::string::npos) << *why;
    }
}

TEST(TypeResolution, SqliteIntoAnExistingPostgresqlColumn) {
    struct Case {
        const char* declared;
        ColumnProfile profile;
        const char* target;
        std::optional<Conversion::Kind> conversion;
        std::int32_t limit = -1;
    };
    const auto t = profile("t", false);
    const auto number = only(&ColumnProfile::only_numbers);
    ColumnProfile large = profile("i");
    large.most_integer = 32768;
    ColumnProfile three = t;
    three.shortest_text = three.longest_text = 3;
    ColumnProfile longer = three;
    longer.longest_text = 21;
    const Case cases[] = {
        {"INTEGER", profile("i"), "smallint", Conversion::to_bigint, 2},
        {"INTEGER", {}, "integer", Conversion::to_bigint, 4},
        {"INTEGER", {}, "oid", Conversion::to_oid},
        {"INTEGER", {}, "text", std::nullopt},
        {"INTEGER", profile("it"), "bigint", std::nullopt},
        {"INTEGER", profile("i", false), "boolean", std::nullopt},
        {"INTEGER", profile("i"), "boolean", Conversion::to_boolean},
        {"INTEGER", {}, "numeric", Conversion::to_numeric},
        {"INTEGER", {}, "double precision", Conversion::to_double},
        {"REAL", profile("r"), "real", Conversion::to_float4},
        {"REAL", profile("r"), "bigint", std::nullopt},
        {"REAL", profile("r"), "numeric(10,2)", Conversion::to_numeric, 2},
        {"NUMERIC_TEXT(10,2)", number, "numeric(10,2)", Conversion::to_numeric, 2},
        {"NUMERIC_TEXT(10)", number, "numeric(10)", Conversion::to_numeric, 0},
        {"TEXT", number, "numeric", Conversion::to_numeric},
        {"TEXT", t, "numeric", std::nullopt},
        {"NUMERIC", {}, "numeric(5,-2)", std::nullopt},
        {"TEXT", t, "text", Conversion::to_text},
        {"TEXT", t, "public.citext", Conversion::to_text},
        {"TEXT", t, "character varying(20)", Conversion::to_text, 20},
        {"TEXT", t, "character varying", Conversion::to_text},
        {"TEXT", three, "character(3)", Conversion::to_char, 3},
        {"TEXT", longer, "character(3)", std::nullopt},
        {"TEXT", longer, "character varying(20)", std::nullopt},
        {"INTEGER", large, "smallint", std::nullopt},
        {"INTEGER", large, "integer", Conversion::to_bigint, 4},
        {"NUMERIC", profile("ir"), "public.sqlite_numeric", Conversion::to_sqlite_numeric},
        {"NUMERIC", profile("it", false), "public.sqlite_numeric", std::nullopt},
        {"", profile("irtb", false), "public.sqlite_value", Conversion::to_sqlite_value},
        {"", profile("r"), "double precision", Conversion::to_double, 0},
        {"", profile("ir"), "double precision", Conversion::to_double},
        {"TEXT", t, "bpchar", Conversion::to_text},
        {"TEXT", t, "name", std::nullopt},
        {"TEXT", t, "\"char\"", std::nullopt},
        {"TEXT", t, "bytea", std::nullopt},
        {"TEXT", {}, "bigint", std::nullopt},
        {"BLOB", profile("b"), "bytea", Conversion::to_bytea},
        {"BLOB", profile("b"), "uuid", std::nullopt},
        {"TEXT", only(&ColumnProfile::only_uuids), "uuid", Conversion::to_uuid},
        {"TEXT", t, "uuid", std::nullopt},
        {"TEXT", only(&ColumnProfile::only_json), "json", Conversion::to_json},
        {"TEXT", only(&ColumnProfile::only_json), "jsonb", std::nullopt},
        {"JSON_TEXT", only(&ColumnProfile::only_json), "jsonb", Conversion::to_json},
        {"DATE", {}, "date", Conversion::to_date},
        {"DATE", only(&ColumnProfile::only_timestamps), "date", std::nullopt},
        {"TEXT", only(&ColumnProfile::only_times), "time(3) without time zone", Conversion::to_time, 3},
        {"DATETIME", only(&ColumnProfile::only_timestamps), "timestamp(0) without time zone", Conversion::to_timestamp, 0},
        {"DATETIME", only(&ColumnProfile::only_timestamps), "timestamp with time zone", std::nullopt},
        {"DATETIME", only(&ColumnProfile::only_zoned_timestamps), "timestamp with time zone", Conversion::to_timestamptz},
        {"TEXT", t, "money", std::nullopt},
        {"MONEY_TEXT", t, "money", Conversion::to_other},
        {"PERIOD_TEXT", t, "interval", Conversion::to_other},
        {"PERIOD_TEXT", t, "interval day to second(3)", Conversion::to_other},
        {"TEXT", t, "interval", std::nullopt},
        {"TIME_TEXT", t, "time with time zone", Conversion::to_other},
        {"TIMETZ_TEXT", t, "time with time zone", Conversion::to_other},
        {"PG_TEXT", t, "integer[]", Conversion::to_other},
        {"ENUM_TEXT", t, "public.mood", Conversion::to_other},
        {"TEXT", t, "inet", Conversion::to_other},
        {"INTEGER", profile("i"), "inet", std::nullopt},
    };
    for (const Case& c : cases) {
        const TableSchema table = one_column(Engine::sqlite, c.declared, c.profile);
        std::optional<Conversion> conversion;
        const auto why = refusal([&] { conversion = resolve_conversion(table, 1, Engine::postgresql, c.target); });
        EXPECT_EQ(conversion.has_value(), c.conversion.has_value()) << c.declared << " into " << c.target << ": " << why.value_or("");
        if (!conversion || !c.conversion) continue;
        EXPECT_EQ(conversion->kind, *c.conversion) << c.declared << " into " << c.target;
        EXPECT_EQ(conversion->limit, c.limit) << c.declared << " into " << c.target;
    }
}

TEST(TypeResolution, SqliteIntoAnExistingSqliteColumn) {
    const std::tuple<const char*, const char*, bool> cases[] = {
        {"INTEGER", "BIGINT", true}, {"INTEGER", "NUMERIC", true}, {"DATETIME", "NUMERIC", true}, {"TEXT", "VARCHAR(5)", true},
        {"REAL", "DOUBLE", true},    {"TEXT", "BLOB", true},       {"INTEGER", "", true},         {"REAL", "BLOB", true},
        {"", "BLOB", true},          {"TEXT", "NUMERIC", false},   {"TEXT", "INTEGER", false},    {"BLOB", "TEXT", false},
        {"", "NUMERIC", false},      {"INTEGER", "REAL", false},   {"REAL", "NUMERIC", false},    {"INTEGER", "TEXT", false},
        {"DATETIME", "TEXT", false}, {"ANY", "NUMERIC", true},
    };
    for (const auto& [from, into, taken] : cases) {
        const TableSchema table = one_column(Engine::sqlite, from);
        const auto why =
            refusal([&, target = into] { EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, target).kind, Conversion::identity); });
        EXPECT_EQ(!why, taken) << from << " into " << into;
    }
    TableSchema strict = one_column(Engine::sqlite, "ANY");
    strict.strict = true;
    EXPECT_FALSE(refusal([&] { static_cast<void>(resolve_conversion(strict, 1, Engine::sqlite, "any")); }));
    EXPECT_FALSE(refusal([&] { static_cast<void>(resolve_conversion(strict, 1, Engine::sqlite, "")); }));
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(strict, 1, Engine::sqlite, "NUMERIC")); }));
}

}  // namespace
}  // namespace rowferry
