#include "schemas/conversion.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "schemas/error.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

TableSchema one_column(Engine engine, const std::string& type, const ColumnProfile& profile = {}) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", "things"};
    ColumnSchema key;
    key.name = "id";
    key.type = key.base_type = engine == Engine::sqlite ? "INTEGER" : "bigint";
    ColumnSchema column;
    column.name = "value";
    column.type = column.base_type = type;
    column.profile = profile;
    table.columns = {key, column};
    table.primary_key = table.identity = {0};
    return table;
}

ColumnMapping map_pg(const std::string& type) { return map_column(one_column(Engine::postgresql, type), 1, Engine::sqlite); }
std::string map_sqlite(const std::string& type, const ColumnProfile& profile) {
    return map_column(one_column(Engine::sqlite, type, profile), 1, Engine::postgresql).type;
}

/// Does `action` throw RefusedError? Its message otherwise unset.
std::optional<std::string> refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const RefusedError& error) {
        return error.what();
    }
    return std::nullopt;
}

struct PgCase {
    const char* type;
    const char* declared;
    Affinity affinity;
    Conversion::Kind conversion;
    bool noted;
};
const PgCase kPgCases[] = {
    {"smallint", "SMALLINT", Affinity::integer, Conversion::text_to_integer, false},
    {"integer", "INTEGER", Affinity::integer, Conversion::text_to_integer, false},
    {"bigint", "BIGINT", Affinity::integer, Conversion::text_to_integer, false},
    {"oid", "BIGINT", Affinity::integer, Conversion::text_to_integer, false},
    {"boolean", "BOOLEAN", Affinity::numeric, Conversion::text_to_boolean, false},
    {"real", "REAL", Affinity::real, Conversion::text_to_float4, false},
    {"double precision", "REAL", Affinity::real, Conversion::text_to_real, false},
    {"bytea", "BLOB", Affinity::blob, Conversion::hex_to_blob, false},
    {"text", "TEXT", Affinity::text, Conversion::identity, false},
    {"name", "TEXT", Affinity::text, Conversion::identity, false},
    {"xml", "TEXT", Affinity::text, Conversion::identity, false},
    {"character varying", "TEXT", Affinity::text, Conversion::identity, false},
    {"character varying(20)", "VARCHAR(20)", Affinity::text, Conversion::identity, false},
    {"character(3)", "CHAR_TEXT(3)", Affinity::text, Conversion::identity, false},
    {"bpchar", "CHAR_TEXT", Affinity::text, Conversion::identity, false},
    {"numeric", "NUMERIC_TEXT", Affinity::text, Conversion::identity, true},
    {"numeric(10,2)", "NUMERIC_TEXT(10,2)", Affinity::text, Conversion::identity, true},
    {"numeric(5,-2)", "NUMERIC_TEXT(5,-2)", Affinity::text, Conversion::identity, true},
    {"money", "MONEY_TEXT", Affinity::text, Conversion::identity, true},
    {"uuid", "UUID_TEXT", Affinity::text, Conversion::identity, true},
    {"date", "DATE_TEXT", Affinity::text, Conversion::identity, true},
    {"time without time zone", "TIME_TEXT", Affinity::text, Conversion::identity, true},
    {"time(3) with time zone", "TIME_TEXT", Affinity::text, Conversion::identity, true},
    {"timestamp without time zone", "TIMESTAMP_TEXT", Affinity::text, Conversion::identity, true},
    {"timestamp(3) with time zone", "TIMESTAMP_TEXT", Affinity::text, Conversion::identity, true},
    {"interval", "PERIOD_TEXT", Affinity::text, Conversion::identity, true},
    {"interval(3)", "PERIOD_TEXT", Affinity::text, Conversion::identity, true},
    {"interval day to second(3)", "PERIOD_TEXT", Affinity::text, Conversion::identity, true},
    {"json", "JSON_TEXT", Affinity::text, Conversion::identity, true},
    {"jsonb", "JSON_TEXT", Affinity::text, Conversion::identity, true},
    {"public.citext", "TEXT COLLATE NOCASE", Affinity::text, Conversion::identity, true},
    {"integer[]", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"timestamp without time zone[]", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"numeric(10,2)[]", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"public.citext[]", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"int4range", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"inet", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"point", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"bit varying(8)", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"tsvector", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"\"char\"", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"public.hstore", "PG_TEXT", Affinity::text, Conversion::identity, true},
    {"public.integer", "PG_TEXT", Affinity::text, Conversion::identity, true},  // a user's own type of that name
    {"app.\"date\"", "PG_TEXT", Affinity::text, Conversion::identity, true},
};

TEST(TypeMapping, PostgresqlToSqlite) {
    for (const PgCase& c : kPgCases) {
        const TableSchema table = one_column(Engine::postgresql, c.type);
        const ColumnMapping mapping = map_column(table, 1, Engine::sqlite);
        EXPECT_EQ(mapping.type, c.declared) << c.type;
        EXPECT_EQ(sqlite_affinity(mapping.type), c.affinity) << c.type;
        EXPECT_EQ(!mapping.note.empty(), c.noted) << c.type << ": " << mapping.note;
        EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, mapping.type).kind, c.conversion) << c.type;
    }
}

TEST(TypeMapping, EnumsAndDomains) {
    TableSchema table = one_column(Engine::postgresql, "public.mood");
    table.columns[1].enum_labels = {"sad", "ok"};
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "ENUM_TEXT");
    table = one_column(Engine::postgresql, "public.positive");
    table.columns[1].base_type = "integer";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "INTEGER");
    table.columns[1].base_type = "numeric(4,1)";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "NUMERIC_TEXT(4,1)");
    table.columns[1].base_type.clear();
    table.columns[1].type = "uuid";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "UUID_TEXT");
}

TEST(TypeMapping, SameEngineKeepsTheType) {
    for (const char* type :
         {"integer", "numeric(10,2)", "timestamp(3) with time zone", "public.mood", "public.\"My, \"\"Type\"\"\"[]", "\"char\"",
          "double precision", "interval day to second(3)", "public.geometry(Point,4326)", "character varying(20)[]", "bit varying(8)"}) {
        const ColumnMapping mapping = map_column(one_column(Engine::postgresql, type), 1, Engine::postgresql);
        EXPECT_EQ(mapping.type, type);
        EXPECT_EQ(mapping.note, "");
        EXPECT_EQ(resolve_conversion(one_column(Engine::postgresql, type), 1, Engine::postgresql, "anything").kind, Conversion::identity);
    }
    for (const char* type : {"", "INTEGER", "VARCHAR(20)", "DECIMAL(10, -2)", "UNSIGNED BIG INT", "DATETIME", "ANY"}) {
        const ColumnMapping mapping = map_column(one_column(Engine::sqlite, type), 1, Engine::sqlite);
        EXPECT_EQ(mapping.type, type);
        EXPECT_EQ(mapping.note, "");
    }
}

TEST(TypeMapping, NothingButATypeGoesIntoDdl) {
    for (const char* type : {"integer); DROP TABLE x; --", "integer DEFAULT f()", "integer, y text", "text COLLATE \"C\"", "", "\"open",
                             "integer(", "integer)", "a.b.c", "int--", "int/**/", "numeric(1); x", "integer[] DEFAULT 1", "(1)", "public.",
                             ".x", "a 'b'", "numeric(f())", "integer GENERATED"})
        EXPECT_TRUE(refusal([&] { static_cast<void>(map_column(one_column(Engine::postgresql, type), 1, Engine::postgresql)); })) << type;
    for (const char* type : {"INT); DROP TABLE x; --", "INT -- x", "INT /* x */", "INT, y TEXT", "INT\n", "INT(1", "INT)", "(1)",
                             "INT(1)(2)", "a'b", "x\"y", "INT(1) DEFAULT 1"}) {
        const std::string mapped = map_column(one_column(Engine::sqlite, type), 1, Engine::sqlite).type;
        EXPECT_TRUE(mapped.starts_with('"') && mapped.ends_with('"')) << type;
        EXPECT_EQ(sqlite_affinity(mapped), sqlite_affinity(type)) << type;
    }
}

// SQLite → PostgreSQL.

/// The storage classes seen as letters; `shapes`: every shape flag.
ColumnProfile profile(std::string_view seen, bool shapes = true) {
    ColumnProfile p;
    p.integers = seen.find('i') != std::string_view::npos;
    p.reals = seen.find('r') != std::string_view::npos;
    p.texts = seen.find('t') != std::string_view::npos;
    p.blobs = seen.find('b') != std::string_view::npos;
    p.only_zero_or_one = p.only_dates = p.only_times = p.only_timestamps = p.only_zoned_timestamps = p.only_uuids = p.only_json =
        p.only_numbers = shapes;
    return p;
}
ColumnProfile only(bool ColumnProfile::*flag) {
    ColumnProfile p = profile("t", false);
    p.*flag = true;
    return p;
}

TEST(TypeMapping, SqliteToPostgresql) {
    struct Case {
        const char* declared;
        ColumnProfile profile;
        const char* type;
    };
    const Case cases[] = {
        {"INTEGER", profile(""), "bigint"},
        {"INT", profile("i", false), "bigint"},
        {"TINYINT(1)", profile("i"), "bigint"},
        {"INTEGER", profile("ir", false), "numeric"},
        {"INTEGER", profile("t", false), "text"},
        {"INTEGER", profile("b", false), "bytea"},
        {"POINT", profile("t", false), "text"},  // INTEGER affinity by its spelling
        {"REAL", profile(""), "double precision"},
        {"FLOAT", profile("r"), "double precision"},
        {"DOUBLE PRECISION", profile("r", false), "double precision"},
        {"REAL", profile("rt", true), "double precision"},  // NaN
        {"REAL", profile("t", false), "text"},
        {"NUMERIC", profile(""), "numeric"},
        {"DECIMAL(10,2)", profile("ir", false), "numeric"},
        {"NUMERIC", only(&ColumnProfile::only_numbers), "numeric"},
        {"NUMERIC", profile("irt", true), "numeric"},
        {"NUMERIC", profile("t", false), "text"},
        {"NUMERIC_TEXT(10,2)", only(&ColumnProfile::only_numbers), "numeric"},
        {"TEXT", profile(""), "text"},
        {"VARCHAR(20)", profile("t", false), "text"},
        {"NVARCHAR(160)", profile("t", false), "text"},
        {"CLOB", profile("b", false), "bytea"},
        {"BLOB", profile(""), "bytea"},
        {"BLOB", profile("b", false), "bytea"},
        {"BLOB", profile("t", false), "text"},
        {"BLOB", profile("i", false), "bigint"},
        {"BOOLEAN", profile(""), "boolean"},
        {"BOOL", profile("i", true), "boolean"},
        {"BOOLEAN", profile("i", false), "bigint"},
        {"BOOLEAN", profile("t", false), "text"},
        {"DATE", profile(""), "text"},
        {"DATE", only(&ColumnProfile::only_dates), "date"},
        {"DATE", only(&ColumnProfile::only_timestamps), "timestamp without time zone"},
        {"DATE", only(&ColumnProfile::only_times), "text"},
        {"DATE", profile("t", false), "text"},
        {"DATE", profile("i", false), "bigint"},
        {"DATE", profile("r", false), "double precision"},
        {"TIME", only(&ColumnProfile::only_times), "time without time zone"},
        {"TIME", only(&ColumnProfile::only_timestamps), "text"},
        {"DATETIME", profile(""), "text"},
        {"DATETIME", only(&ColumnProfile::only_timestamps), "timestamp without time zone"},
        {"datetime(6)", only(&ColumnProfile::only_timestamps), "timestamp without time zone"},
        {"DATETIME", only(&ColumnProfile::only_dates), "text"},
        {"TIMESTAMP", only(&ColumnProfile::only_zoned_timestamps), "timestamp with time zone"},
        {"TIMESTAMPTZ", only(&ColumnProfile::only_timestamps), "timestamp without time zone"},
        {"Timestamp With Time Zone", only(&ColumnProfile::only_zoned_timestamps), "timestamp with time zone"},
        {"TIMESTAMP", profile("t", false), "text"},
        {"TIMESTAMP_TEXT", only(&ColumnProfile::only_zoned_timestamps), "timestamp with time zone"},
        {"DATE_TEXT", only(&ColumnProfile::only_dates), "date"},
        {"UUID", profile(""), "text"},
        {"UUID", only(&ColumnProfile::only_uuids), "uuid"},
        {"UUID", profile("t", false), "text"},
        {"GUID", profile("b", false), "bytea"},
        {"UUID_TEXT", only(&ColumnProfile::only_uuids), "uuid"},
        {"JSON", profile(""), "text"},
        {"JSON", only(&ColumnProfile::only_json), "json"},
        {"JSON", profile("t", false), "text"},
        {"JSONB", profile("b", false), "bytea"},
        {"PG_TEXT", profile("t", true), "text"},
        {"MONEY_TEXT", profile("t", true), "text"},
        {"", profile(""), "text"},
        {"", profile("i"), "bigint"},
        {"", profile("r"), "double precision"},
        {"", profile("t"), "text"},
        {"", profile("b"), "bytea"},
        {"ANY", profile("i"), "bigint"},
        {"STRING", profile("t", true), "text"},
        {"STRING", profile(""), "text"},
    };
    for (const Case& c : cases) {
        const TableSchema table = one_column(Engine::sqlite, c.declared, c.profile);
        EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, c.type) << c.declared;
    }
}

TEST(TypeMapping, MixedStorageClassesAreRefusedByName) {
    const std::pair<const char*, const char*> cases[] = {{"INTEGER", "it"}, {"TEXT", "tb"},    {"NUMERIC", "ib"}, {"", "ir"},
                                                         {"", "it"},        {"DATE", "it"},    {"JSON", "it"},    {"BLOB", "tb"},
                                                         {"REAL", "rb"},    {"BOOLEAN", "it"}, {"STRING", "it"},  {"UUID", "rt"}};
    for (const auto& [declared, seen] : cases) {
        const auto why = refusal([&, type = declared, classes = seen] { static_cast<void>(map_sqlite(type, profile(classes, false))); });
        ASSERT_TRUE(why) << declared << " " << seen;
        EXPECT_NE(why->find("main.things.value"), std::string::npos) << *why;
        EXPECT_NE(why->find("--exclude-table things"), std::string::npos) << *why;
    }
    const auto why = refusal([] { static_cast<void>(map_sqlite("", profile("irtb"))); });
    EXPECT_NE(why->find("INTEGER, REAL, TEXT, BLOB"), std::string::npos);
    EXPECT_TRUE(refusal([] { static_cast<void>(map_sqlite("NUMERIC", profile("it", false))); }));
    EXPECT_TRUE(refusal([] { static_cast<void>(map_sqlite("REAL", profile("rt", false))); }));
}

TEST(TypeMapping, JsonIsTextWhereItWouldHaveToBeCompared) {
    TableSchema table = one_column(Engine::sqlite, "JSON", only(&ColumnProfile::only_json));
    EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, "json");
    TableSchema keyless = table;
    keyless.identity.clear();
    EXPECT_EQ(map_column(keyless, 1, Engine::postgresql).type, "text");
    TableSchema unique = table;
    unique.unique_keys = {{"u", {1}}};
    EXPECT_EQ(map_column(unique, 1, Engine::postgresql).type, "text");
    TableSchema indexed = table;
    indexed.indexes.resize(1);
    indexed.indexes[0].columns = {1};
    EXPECT_EQ(map_column(indexed, 1, Engine::postgresql).type, "text");
}

/// Whatever map_column chooses, resolve_conversion must take: the one makes the table, the other fills it.
TEST(TypeMapping, EveryMappedColumnResolves) {
    int resolved = 0;
    for (const char* declared : {"",     "INTEGER",   "REAL",      "NUMERIC",     "NUMERIC_TEXT(10,2)", "TEXT",        "VARCHAR(5)",
                                 "BLOB", "BOOLEAN",   "DATE",      "TIME",        "DATETIME",           "TIMESTAMPTZ", "UUID",
                                 "JSON", "DATE_TEXT", "JSON_TEXT", "PERIOD_TEXT", "MONEY_TEXT",         "TIME_TEXT",   "STRING",
                                 "ANY",  "POINT"}) {
        for (unsigned classes = 0; classes < 16; ++classes) {
            for (unsigned flags = 0; flags < 256; ++flags) {
                const auto bit = [&](unsigned n) { return (flags >> n & 1) != 0; };
                const ColumnProfile seen{(classes & 1) != 0, (classes & 2) != 0, (classes & 4) != 0, (classes & 8) != 0,
                                         bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7)};
                for (const bool strict : {false, true}) {
                    TableSchema table = one_column(Engine::sqlite, declared, seen);
                    table.strict = strict;
                    std::string type;
                    try {
                        type = map_column(table, 1, Engine::postgresql).type;
                    } catch (const RefusedError&) {
                        continue;
                    }
                    const auto why = refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, type)); });
                    ASSERT_FALSE(why) << *why;
                    ++resolved;
                }
            }
        }
    }
    EXPECT_GT(resolved, 10'000);
}

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
    const Case cases[] = {
        {"INTEGER", profile("i"), "smallint", Conversion::to_bigint},
        {"INTEGER", {}, "integer", Conversion::to_bigint},
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
        {"TEXT", t, "character(3)", Conversion::to_char, 3},
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

TEST(PgTypeName, IsTakenApart) {
    const auto parts = [](const char* text) { return parse_pg_type(text); };
    EXPECT_EQ(parts("numeric(10,2)").name, "numeric");
    EXPECT_EQ(parts("numeric(10,2)").modifiers, (std::vector<int>{10, 2}));
    EXPECT_EQ(parts("time(3) without time zone").name, "time without time zone");
    EXPECT_EQ(parts("time(3) without time zone").modifiers, (std::vector<int>{3}));
    EXPECT_EQ(parts("public.citext").schema, "public");
    EXPECT_EQ(parts("pg_catalog.int4").schema, "");
    EXPECT_TRUE(parts("public.\"a[].b(1)\"[]").array);
    EXPECT_FALSE(parts("public.\"a[].b(1)\"").array);
    EXPECT_EQ(parts("public.\"a[].b(1)\"").name, "\"a[].b(1)\"");
    EXPECT_TRUE(parts("public.geometry(Point,4326)").modifiers.empty());
    for (const char* damaged : {"", "(", "numeric(", "numeric(1", "\"", "\"a", ".", "[", "a.b.c", "numeric(99999999999999999999)"})
        static_cast<void>(parts(damaged));
}

// SQLite itself is the judge of affinities.

class SqliteJudge {
public:
    SqliteJudge() { EXPECT_EQ(sqlite3_open(":memory:", &db_), SQLITE_OK); }
    ~SqliteJudge() { sqlite3_close(db_); }
    SqliteJudge(const SqliteJudge&) = delete;
    SqliteJudge& operator=(const SqliteJudge&) = delete;

    /// How a column of that type stores the integer 5, the text '5', the text '1.50', the real 2.0 and a blob.
    std::string stored(const std::string& type) {
        const std::string sql = "DROP TABLE IF EXISTS t; CREATE TABLE t(v " + type +
                                "); INSERT INTO t VALUES (5), ('5'), ('1.50'), (2.0), (x'35');";
        char* error = nullptr;
        EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << type << ": " << (error != nullptr ? error : "");
        sqlite3_free(error);
        std::string classes;
        const auto add = [](void* out, int, char** values, char**) {
            *static_cast<std::string*>(out) += values[0];
            return 0;
        };
        sqlite3_exec(db_, "SELECT group_concat(substr(typeof(v), 1, 1), '') FROM t", add, &classes, nullptr);
        return classes;
    }

private:
    sqlite3* db_ = nullptr;
};

const char* stored_by(Affinity affinity) {
    switch (affinity) {
        case Affinity::integer:
        case Affinity::numeric: return "iirib";
        case Affinity::text: return "ttttb";
        case Affinity::blob: return "ittrb";
        case Affinity::real: return "rrrrb";
    }
    return "";
}

TEST(SqliteAffinity, AgreesWithSqlite) {
    SqliteJudge judge;
    for (const char* type : {"",
                             "INT",
                             "INTEGER",
                             "POINT",
                             "INTERVAL",
                             "INTERVAL TEXT",
                             "charint",
                             "STRING",
                             "UUID",
                             "JSON",
                             "JSONB",
                             "DATE",
                             "TIMESTAMPTZ",
                             "INET",
                             "BYTEA",
                             "MONEY",
                             "BOOLEAN",
                             "ANY",
                             "NUMERIC TEXT(10,2)",
                             "numeric_text",
                             "CITEXT",
                             "BLOB",
                             "blobtext",
                             "TEXTBLOB",
                             "REALBLOB",
                             "BLOBREAL",
                             "textreal",
                             "REALTEXT",
                             "REAL",
                             "FLOAT",
                             "Double Precision",
                             "DECIMAL(10,2)",
                             "CLOB",
                             "NVARCHAR(160)",
                             "\"weird INT\"",
                             "\"x TEXT\"",
                             "UNIQUEIDENTIFIER"})
        EXPECT_EQ(judge.stored(type), stored_by(sqlite_affinity(type))) << type;
}

TEST(SqliteAffinity, EveryMappedTypeStoresItsValuesUnchanged) {
    SqliteJudge judge;
    for (const PgCase& c : kPgCases) {
        const std::string declared = map_pg(c.type).type;
        EXPECT_EQ(judge.stored(declared), stored_by(c.affinity)) << declared;
        EXPECT_EQ(c.conversion == Conversion::identity, judge.stored(declared) == "ttttb") << declared;
    }
}

TEST(SqliteValueClass, FollowsTheDeclaredType) {
    const std::pair<const char*, ValueClass> cases[] = {{"", ValueClass::any},
                                                        {"INT", ValueClass::integer},
                                                        {"text", ValueClass::text},
                                                        {"BLOB", ValueClass::bytes},
                                                        {"double", ValueClass::real},
                                                        {"decimal(10, 2)", ValueClass::numeric},
                                                        {"Boolean", ValueClass::boolean},
                                                        {"date", ValueClass::date},
                                                        {"TIME", ValueClass::time},
                                                        {"DATETIME", ValueClass::timestamp},
                                                        {"TIMESTAMP  WITH\tTIME ZONE", ValueClass::timestamptz},
                                                        {"uuid", ValueClass::uuid},
                                                        {"JSON", ValueClass::json},
                                                        {"STRING", ValueClass::any},
                                                        {"ANY", ValueClass::any},
                                                        {"NUMERIC_TEXT(10,2)", ValueClass::numeric},
                                                        {"CHAR_TEXT(3)", ValueClass::text},
                                                        {"DATE INT", ValueClass::integer},
                                                        {"DATE CHAR", ValueClass::text},
                                                        {"PG_TEXT", ValueClass::text},
                                                        {"MONEY", ValueClass::numeric}};
    for (const auto& [declared, expected] : cases) EXPECT_EQ(sqlite_value_class(declared), expected) << declared;
}

TEST(PgValueClass, FollowsTheBaseType) {
    const std::pair<const char*, ValueClass> cases[] = {{"oid", ValueClass::integer},
                                                        {"real", ValueClass::real},
                                                        {"numeric(4,1)", ValueClass::numeric},
                                                        {"character varying(3)", ValueClass::text},
                                                        {"timestamp(3) with time zone", ValueClass::timestamptz},
                                                        {"jsonb", ValueClass::json},
                                                        {"integer[]", ValueClass::other},
                                                        {"public.text", ValueClass::other},
                                                        {"pg_catalog.text", ValueClass::text},
                                                        {"interval", ValueClass::other},
                                                        {"", ValueClass::other}};
    for (const auto& [type, expected] : cases) EXPECT_EQ(pg_value_class(type), expected) << type;
}

}  // namespace
}  // namespace rowferry
