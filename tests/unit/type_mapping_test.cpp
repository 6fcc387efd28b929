#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "schemas/pg_type_name.h"
#include "tests/unit/type_cases.h"

namespace rowferry {
namespace {

ColumnMapping map_pg(const std::string& type) { return map_column(one_column(Engine::postgresql, type), 1, Engine::sqlite); }
std::string map_sqlite(const std::string& type, const ColumnProfile& profile) {
    return map_column(one_column(Engine::sqlite, type, profile), 1, Engine::postgresql).type;
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
    {"real", "FLOAT4_BLOB", Affinity::blob, Conversion::text_to_float4, false},
    {"double precision", "FLOAT8_BLOB", Affinity::blob, Conversion::text_to_real, false},
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
    {"time(3) with time zone", "TIMETZ_TEXT", Affinity::text, Conversion::identity, true},
    {"timestamp without time zone", "TIMESTAMP_TEXT", Affinity::text, Conversion::identity, true},
    {"timestamp(3) with time zone", "TIMESTAMPTZ_TEXT", Affinity::text, Conversion::identity, true},
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
        {"INTEGER", profile("ir", false), "public.sqlite_numeric"},
        {"INTEGER", profile("r", false), "public.sqlite_numeric"},
        {"INTEGER", profile("it", false), "public.sqlite_value"},
        {"INTEGER", profile("t", false), "text"},
        {"INTEGER", profile("b", false), "bytea"},
        {"POINT", profile("t", false), "text"},  // INTEGER affinity by its spelling
        {"REAL", profile(""), "double precision"},
        {"FLOAT", profile("r"), "double precision"},
        {"DOUBLE PRECISION", profile("r", false), "double precision"},
        {"REAL", profile("rt", true), "double precision"},  // NaN
        {"REAL", profile("t", false), "text"},
        {"REAL", profile("rt", false), "public.sqlite_value"},
        {"REAL", profile("rb"), "public.sqlite_value"},
        {"FLOAT8_BLOB", profile(""), "double precision"},
        {"FLOAT8_BLOB", profile("rt", true), "double precision"},
        {"FLOAT8_BLOB", profile("ir"), "public.sqlite_value"},
        {"FLOAT4_BLOB", profile(""), "real"},
        {"FLOAT4_BLOB", profile("rt", true), "real"},
        {"FLOAT4_BLOB", profile("r", false), "double precision"},
        {"NUMERIC", profile(""), "public.sqlite_numeric"},
        {"DECIMAL(10,2)", profile("ir", false), "public.sqlite_numeric"},
        {"DECIMAL(10,2)", profile("i"), "public.sqlite_numeric"},
        {"NUMERIC", only(&ColumnProfile::only_numbers), "text"},
        {"NUMERIC", profile("irt", true), "public.sqlite_numeric"},  // NaN
        {"NUMERIC", profile("irt", false), "public.sqlite_value"},
        {"NUMERIC", profile("ib"), "public.sqlite_value"},
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
        {"TIMESTAMPTZ_TEXT", profile("t", true), "timestamp with time zone"},  // infinity is of both kinds
        {"TIMESTAMP_TEXT", profile("t", true), "timestamp without time zone"},
        {"TIMESTAMPTZ_TEXT", profile(""), "timestamp with time zone"},
        {"TIMESTAMP_TEXT", profile(""), "timestamp without time zone"},
        {"DATE_TEXT", profile(""), "date"},
        {"TIME_TEXT", profile(""), "time without time zone"},
        {"TIMETZ_TEXT", profile("t", false), "text"},
        {"UUID_TEXT", profile(""), "uuid"},
        {"JSON_TEXT", profile(""), "json"},
        {"NUMERIC_TEXT(10,2)", profile(""), "numeric"},
        {"CHAR_TEXT(3)", profile(""), "character(3)"},
        {"CHAR_TEXT", profile("t"), "bpchar"},
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
        {"", profile(""), "public.sqlite_value"},
        {"", profile("i"), "bigint"},
        {"", profile("r"), "double precision"},
        {"", profile("t"), "text"},
        {"", profile("b"), "bytea"},
        {"ANY", profile("i"), "bigint"},
        {"STRING", profile("t", true), "text"},
        {"STRING", profile(""), "text"},
        {"STRING", profile("it"), "public.sqlite_value"},
        {"BOOLEAN", profile("it", false), "public.sqlite_value"},
        {"DATE", profile("it", false), "public.sqlite_value"},
        {"JSON", profile("tb", false), "public.sqlite_value"},
        {"UUID", profile("rt", false), "public.sqlite_value"},
        {"TEXT", profile("tb", false), "public.sqlite_value"},
        {"BLOB", profile("irtb", false), "public.sqlite_value"},
        {"", profile("ir"), "public.sqlite_value"},
    };
    for (const Case& c : cases) {
        const TableSchema table = one_column(Engine::sqlite, c.declared, c.profile);
        EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, c.type) << c.declared;
    }
}

TEST(TypeMapping, SeveralStorageClassesAreTaggedAndAnnounced) {
    const ColumnMapping mapping = map_column(one_column(Engine::sqlite, "", profile("irtb")), 1, Engine::postgresql);
    EXPECT_EQ(mapping.type, kSqliteValue);
    EXPECT_NE(mapping.note.find("INTEGER, REAL, TEXT, BLOB"), std::string::npos) << mapping.note;
}

TEST(TypeMapping, TextsThatPostgresqlCannotHoldAreTagged) {
    ColumnProfile bad = profile("t", false);
    bad.bad_texts = true;
    for (const char* declared : {"TEXT", "", "DATE", "CHAR_TEXT(3)", "NUMERIC"}) {
        const TableSchema table = one_column(Engine::sqlite, declared, bad);
        EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, kSqliteValue) << declared;
        EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, "text")); })) << declared;
    }
}

TEST(TypeMapping, PaddedTextsBecomeCharacterAgain) {
    ColumnProfile padded = profile("t", false);
    padded.shortest_text = padded.longest_text = 3;
    EXPECT_EQ(map_sqlite("CHAR_TEXT(3)", padded), "character(3)");
    padded.shortest_text = 2;
    EXPECT_EQ(map_sqlite("CHAR_TEXT(3)", padded), "text");
}

TEST(TypeMapping, DomainsOfOurOwnGoBackToSqlite) {
    TableSchema table = one_column(Engine::postgresql, "public.sqlite_value");
    table.columns[1].base_type = "text";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "");
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "").kind, Conversion::sqlite_value_to_cell);
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "TEXT").kind, Conversion::identity);
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::sqlite, "INTEGER")); }));
    table.columns[1].base_type = "integer";  // a user's own type of that name
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "INTEGER");
    table = one_column(Engine::postgresql, "public.sqlite_numeric");
    table.columns[1].base_type = "numeric";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "NUMERIC");
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "NUMERIC").kind, Conversion::sqlite_numeric_to_number);
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::sqlite, "REAL")); }));
}

TEST(TypeMapping, WhatTheRulesAskForIsTaken) {
    TableSchema table = one_column(Engine::postgresql, "numeric");
    table.columns[1].wanted_type = "REAL";
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "REAL");
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "REAL").kind, Conversion::asked_real);
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "DECIMAL").kind, Conversion::asked_number);
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "INT").kind, Conversion::asked_integer);
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "TEXT").kind, Conversion::identity);
    for (const char* type : {"interval", "integer[]", "public.mood", "date"}) {
        table.columns[1].type = table.columns[1].base_type = type;
        EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::sqlite, "REAL")); })) << type;
    }
    table = one_column(Engine::sqlite, "NUMERIC", profile("irt", false));
    table.columns[1].wanted_type = "double precision";
    EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, "double precision");
    EXPECT_EQ(resolve_conversion(table, 1, Engine::postgresql, "double precision").kind, Conversion::to_asked_real);
    table.columns[1].wanted_type = "sqlite_value";
    EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, kSqliteValue);
    table.columns[1].wanted_type = "integer; DROP TABLE x";
    EXPECT_TRUE(refusal([&] { static_cast<void>(map_column(table, 1, Engine::postgresql)); }));
    table.columns[1].profile = profile("b");
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, "numeric")); }));
}

TEST(TypeMapping, TimesAsNumbers) {
    TableSchema table = one_column(Engine::sqlite, "INTEGER", profile("i", false));
    table.columns[1].encoding = TimeEncoding::epoch_ms;
    EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, "timestamp with time zone");
    const Conversion epoch = resolve_conversion(table, 1, Engine::postgresql, "timestamp with time zone");
    EXPECT_EQ(epoch.kind, Conversion::epoch_to_timestamptz);
    EXPECT_EQ(epoch.limit, static_cast<int>(TimeEncoding::epoch_ms));
    EXPECT_EQ(resolve_conversion(table, 1, Engine::postgresql, "date").kind, Conversion::epoch_to_date);
    for (const char* target : {"text", "bigint", "time without time zone", "timestamp(0) with time zone"})
        EXPECT_TRUE(refusal([&, target] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, target)); })) << target;
    table.columns[1].profile.texts = true;
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, "date")); }));

    table = one_column(Engine::postgresql, "timestamp with time zone");
    table.columns[1].encoding = TimeEncoding::epoch_us;
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "INTEGER");
    EXPECT_EQ(map_column(table, 1, Engine::postgresql).type, "bigint");
    EXPECT_EQ(resolve_conversion(table, 1, Engine::sqlite, "INTEGER").kind, Conversion::time_to_epoch);
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::sqlite, "TEXT")); }));
    table.columns[1].encoding = TimeEncoding::julian_day;
    EXPECT_EQ(map_column(table, 1, Engine::sqlite).type, "REAL");
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::sqlite, "INTEGER")); }));
    table = one_column(Engine::postgresql, "text");
    table.columns[1].encoding = TimeEncoding::epoch_s;
    EXPECT_TRUE(refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, "date")); }));
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
                                 "ANY",  "POINT", "FLOAT8_BLOB", "FLOAT4_BLOB", "CHAR_TEXT(3)", "TIMESTAMPTZ_TEXT", "UUID_TEXT"}) {
        for (unsigned classes = 0; classes < 16; ++classes) {
            for (unsigned flags = 0; flags < 256; flags += 5) {
                const auto bit = [&](unsigned n) { return (flags >> n & 1) != 0; };
                ColumnProfile seen{(classes & 1) != 0, (classes & 2) != 0, (classes & 4) != 0, (classes & 8) != 0,
                                   bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7)};
                seen.only_nan = seen.only_numbers && bit(0);
                seen.bad_texts = seen.texts && flags == 0;
                seen.only_floats = bit(2);
                seen.least_integer = seen.integers ? -5'000'000'000 : 0;
                seen.shortest_text = seen.longest_text = seen.texts ? (bit(3) ? 3 : 5) : 0;
                for (const bool strict : {false, true}) {
                    if (strict && declared != std::string_view{"ANY"}) continue;
                    TableSchema table = one_column(Engine::sqlite, declared, seen);
                    table.strict = strict;
                    const std::string type = map_column(table, 1, Engine::postgresql).type;
                    const auto why = refusal([&] { static_cast<void>(resolve_conversion(table, 1, Engine::postgresql, type)); });
                    ASSERT_FALSE(why) << *why;
                    ++resolved;
                }
            }
        }
    }
    EXPECT_GT(resolved, 20'000);
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
        EXPECT_TRUE(c.conversion != Conversion::identity || judge.stored(declared) == "ttttb") << declared;
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
