// What an expression becomes on the other engine: the text, or the reason why there is none. That translated ones mean the same is shown by
// tests/fault/expression_engines_test.cpp, which asks both engines.
#include "schemas/expression.h"

#include <gtest/gtest.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/expression_tree.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

struct Column {
    const char* name;
    const char* type;
    const char* follower;
};

TableSchema table_of(Engine engine, const std::vector<Column>& columns) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", "t"};
    for (const Column& column : columns) {
        ColumnSchema schema;
        schema.name = column.name;
        schema.type = schema.base_type = column.type;
        schema.value_class = engine == Engine::sqlite ? sqlite_value_class(column.type) : pg_value_class(column.type);
        table.columns.push_back(schema);
    }
    return table;
}

std::vector<std::string> followers(const std::vector<Column>& columns) {
    std::vector<std::string> types;
    for (const Column& column : columns) types.emplace_back(column.follower);
    return types;
}

const std::vector<Column> kPg{{"id", "integer", "INTEGER"},      {"n", "bigint", "BIGINT"},          {"flag", "boolean", "BOOLEAN"},
                              {"r", "double precision", "REAL"}, {"name", "text", "TEXT"},           {"code", "character varying(8)", "VARCHAR(8)"},
                              {"sex", "character(2)", "CHAR_TEXT(2)"}, {"price", "numeric(10,2)", "NUMERIC_TEXT(10,2)"}, {"mood", "mood", "ENUM_TEXT"},
                              {"born", "date", "DATE_TEXT"},     {"at", "timestamp with time zone", "TIMESTAMP_TEXT"}, {"uid", "uuid", "UUID_TEXT"},
                              {"local", "timestamp without time zone", "TIMESTAMP_TEXT"}, {"tags", "text[]", "PG_TEXT"}, {"doc", "jsonb", "JSON_TEXT"},
                              {"raw", "bytea", "BLOB"}, {"f4", "real", "REAL"}, {"ip", "inet", "PG_TEXT"}, {"clock", "time without time zone", "TIME_TEXT"}, {"amount", "numeric", "NUMERIC_TEXT"}};

TableSchema pg_table() {
    TableSchema table = table_of(Engine::postgresql, kPg);
    table.columns[8].enum_labels = {"sad", "happy"};
    return table;
}

const std::vector<Column> kSqlite{{"id", "INTEGER", "bigint"},    {"Name", "TEXT", "text"},         {"flag", "BOOLEAN", "boolean"},
                                  {"r", "REAL", "double precision"}, {"price", "DECIMAL(10,2)", "numeric"}, {"nick", "TEXT", "text"},
                                  {"born", "DATE", "date"},       {"at", "DATETIME", "timestamp without time zone"}, {"noted", "DATETIME", "text"},
                                  {"raw", "BLOB", "bytea"},       {"uid", "UUID", "uuid"},          {"doc", "JSON", "json"},
                                  {"code", "VARCHAR(5)", "character varying(5)"}};

TableSchema sqlite_table() {
    TableSchema table = table_of(Engine::sqlite, kSqlite);
    table.columns[5].collation = "NOCASE";
    return table;
}

std::string shown(const Translation& translation) { return translation.done() ? translation.text : "no: " + translation.reason; }

std::string to_sqlite(const std::string& expression) { return shown(ExpressionTranslator{pg_table(), Engine::sqlite, followers(kPg)}.condition(expression)); }
std::string to_pg(const std::string& expression) { return shown(ExpressionTranslator{sqlite_table(), Engine::postgresql, followers(kSqlite)}.condition(expression)); }

Translation pg_default(std::size_t column, const std::string& expression) {
    TableSchema table = pg_table();
    table.columns[column].default_expression = expression;
    return ExpressionTranslator{table, Engine::sqlite, followers(kPg)}.default_value(static_cast<std::uint16_t>(column));
}
Translation sqlite_default(std::size_t column, const std::string& expression, const char* type = nullptr) {
    TableSchema table = sqlite_table();
    table.columns[column].default_expression = expression;
    std::vector<std::string> types = followers(kSqlite);
    if (type != nullptr) types[column] = type;
    return ExpressionTranslator{table, Engine::postgresql, types}.default_value(static_cast<std::uint16_t>(column));
}

TEST(Expression, PostgresqlConditionsForSqlite) {
    EXPECT_EQ(to_sqlite("(id > 0)"), "(\"id\" > 0)");
    EXPECT_EQ(to_sqlite("(id >= '-5'::integer)"), "(\"id\" >= -5)");
    EXPECT_EQ(to_sqlite("(id >= (-5))"), "(\"id\" >= -5)");  // libpg_query 15 drops the number here
    EXPECT_EQ(to_sqlite("((id)::numeric > 0.5)"), "(\"id\" > 0.5)");
    EXPECT_EQ(to_sqlite("((code)::text = ANY ((ARRAY['a'::character varying, 'b''c'::character varying])::text[]))"), "(\"code\" IN ('a', 'b''c'))");
    EXPECT_EQ(to_sqlite("((name <> ALL (ARRAY['x'::text])) AND (flag IS NOT TRUE))"), "((NOT (\"name\" IN ('x'))) AND (NOT (\"flag\" IS TRUE)))");
    EXPECT_EQ(to_sqlite("(sex = ANY (ARRAY['M'::bpchar, 'FF'::bpchar]))"), "(\"sex\" IN ('M ', 'FF'))");
    EXPECT_EQ(to_sqlite("((sex)::text = 'M'::text)"), "(rtrim(\"sex\", ' ') = 'M')");
    EXPECT_EQ(to_sqlite("(mood = 'sad'::mood)"), "(\"mood\" = 'sad')");
    EXPECT_EQ(to_sqlite("(flag = true)"), "(\"flag\" = 1)");
    EXPECT_EQ(to_sqlite("(NOT flag)"), "(NOT \"flag\")");
    EXPECT_EQ(to_sqlite("(born IS NOT NULL)"), "(\"born\" IS NOT NULL)");
    EXPECT_EQ(to_sqlite("(tags IS NULL)"), "(\"tags\" IS NULL)");
    EXPECT_EQ(to_sqlite("(name ~~ 'a*%\\_z_'::text)"), "(\"name\" GLOB 'a[*]*_z?')");
    EXPECT_EQ(to_sqlite("(length(TRIM(BOTH FROM name)) > 2)"), "(length(trim(\"name\")) > 2)");
    EXPECT_EQ(to_sqlite("(COALESCE(name, ''::text) <> ''::text)"), "(coalesce(\"name\", '') <> '')");
    EXPECT_EQ(to_sqlite("CASE WHEN flag THEN (id > 1) ELSE (n IS DISTINCT FROM (id)::bigint) END"),
              "(CASE WHEN \"flag\" THEN (\"id\" > 1) ELSE (\"n\" IS NOT \"id\") END)");
    EXPECT_EQ(to_sqlite("((id + n) < 100)"), "((\"id\" + \"n\") < 100)");
    EXPECT_EQ(to_sqlite("(r > (0.5)::double precision)"), "(\"r\" > 0.5)");
    EXPECT_EQ(to_sqlite("(id BETWEEN 1 AND 3)"), "((\"id\" >= 1) AND (\"id\" <= 3))");
    EXPECT_EQ(to_sqlite("(amount >= (0)::numeric)"), "(substr(\"amount\", 1, 1) <> '-')");
    EXPECT_EQ(to_sqlite("((0)::numeric < amount)"), "(substr(\"amount\", 1, 1) <> '-' AND trim(\"amount\", '0') NOT IN ('', '.'))");
    EXPECT_EQ(to_sqlite("(price <= 99.5)"), "((CAST(\"price\" AS REAL) <= 99.5) AND \"price\" <> 'NaN')");
    EXPECT_EQ(to_sqlite("(uid <> '00000000-0000-0000-0000-000000000000'::uuid)"), "(\"uid\" <> '00000000-0000-0000-0000-000000000000')");
}

TEST(Expression, WhatMeansAnotherThingOnSqliteIsRefused) {
    for (const char* expression :
         {"(name > 'a'::text)", "(price IS DISTINCT FROM (0)::numeric)", "(amount > (1)::numeric)", "(price > amount)", "((id / 2) > 1)", "((id % 2) = 0)", "(lower(name) = 'x'::text)", "(name ~ '^a'::text)",
          "(name ~~* 'a'::text)", "(born > '2000-01-01'::date)", "(mood > 'sad'::mood)", "(mood = 'angry'::mood)", "(id = NULL)", "(n > r)",
          "((name COLLATE \"de_DE\") = 'x'::text)", "(id IN (SELECT 1))", "(gone > 1)", "(t.id > 1)", "(other.f(id))", "((doc ->> 'a'::text) = 'b'::text)",
          "id; DROP TABLE t", "id) , (id", "(id > 1) FROM t", "", "(r > 'NaN'::double precision)", "(raw = '\\x00'::bytea)", "id", "(cardinality(tags) > 0)",
          "(id > 99999999999999999999)", "(n = 1.0000000000000001)", "(at > now())", "(1 = 1)"})
        EXPECT_EQ(to_sqlite(expression).substr(0, 4), "no: ") << expression << " became " << to_sqlite(expression);
    EXPECT_EQ(to_sqlite(std::string(20000, '(')).substr(0, 4), "no: ");
    std::string deep = "id > 0";
    for (int i = 0; i < 1000; ++i) deep = "(" + deep + ") AND flag";
    EXPECT_EQ(to_sqlite(deep).substr(0, 4), "no: ");
}

TEST(Expression, TextsInTheOrderOfTheirBytes) {
    EXPECT_EQ(to_sqlite("((name COLLATE \"C\") > 'a'::text)"), "(\"name\" > 'a')");
    EXPECT_EQ(to_sqlite("(lower((name COLLATE \"C\")) = 'x'::text)"), "(lower(\"name\") = 'x')");
    EXPECT_EQ(to_pg("Name > 'a'"), "((\"Name\" COLLATE \"C\") > 'a')");
}

TEST(Expression, SqliteConditionsForPostgresql) {
    EXPECT_EQ(to_pg("id > 0 AND NOT id = 7 or flag"), "(((\"id\" > 0) AND (NOT (\"id\" = 7))) OR \"flag\")");
    EXPECT_EQ(to_pg("NAME <> \"\""), "(\"Name\" <> '')");
    EXPECT_EQ(to_pg("[Name] == 'it''s' /* so */ -- yes"), "(\"Name\" = 'it''s')");
    EXPECT_EQ(to_pg("`Name` IN ('a','b')"), "(\"Name\" IN ('a', 'b'))");
    EXPECT_EQ(to_pg("nick = 'Ab'"), "(lower(\"nick\" COLLATE \"C\") = lower('Ab' COLLATE \"C\"))");
    EXPECT_EQ(to_pg("name = 'Ab ' COLLATE RTRIM"), "(rtrim(\"Name\", ' ') = rtrim('Ab ', ' '))");
    EXPECT_EQ(to_pg("flag IN (0, 1)"), "(\"flag\" IN (FALSE, TRUE))");
    EXPECT_EQ(to_pg("flag = TRUE AND id IS NOT TRUE"), "((\"flag\" = TRUE) AND (NOT ((\"id\" <> 0) IS TRUE)))");
    EXPECT_EQ(to_pg("id"), "(\"id\" <> 0)");
    EXPECT_EQ(to_pg("price >= 0"), "((\"price\" >= 0) OR (\"price\" = '-Infinity'))");
    EXPECT_EQ(to_pg("0 < price"), "((0 < \"price\") OR (\"price\" = '-Infinity'))");
    EXPECT_EQ(to_pg("price <= 9.5"), "((\"price\" <= 9.5) AND (\"price\" <> '-Infinity'))");
    EXPECT_EQ(to_pg("name LIKE 'A_%'"), "(lower(\"Name\" COLLATE \"C\") LIKE 'a_%' ESCAPE '')");
    EXPECT_EQ(to_pg("name NOT LIKE 'A!%%' ESCAPE '!'"), "(NOT (lower(\"Name\" COLLATE \"C\") LIKE 'a!%%' ESCAPE '!'))");
    EXPECT_EQ(to_pg("name GLOB 'a*_?'"), "(\"Name\" LIKE 'a%\\__')");
    EXPECT_EQ(to_pg("id IS 5 OR id ISNULL OR name NOTNULL OR id IS NOT NULL"),
              "((((\"id\" IS NOT DISTINCT FROM 5) OR (\"id\" IS NULL)) OR (\"Name\" IS NOT NULL)) OR (\"id\" IS NOT NULL))");
    EXPECT_EQ(to_pg("id NOT BETWEEN 1 AND 3 AND length(name) <= 20"),
              "((NOT ((\"id\" >= 1) AND (\"id\" <= 3))) AND (length(\"Name\") <= 20))");
    EXPECT_EQ(to_pg("born >= '2000-01-01'"), "(\"born\" >= '2000-01-01')");
    EXPECT_EQ(to_pg("lower(name) = 'x'"), "(lower(\"Name\" COLLATE \"C\") = 'x')");
    EXPECT_EQ(to_pg("CASE id WHEN 1 THEN flag ELSE ifnull(name, 'n') = 'n' END"),
              "(CASE WHEN (\"id\" = 1) THEN \"flag\" ELSE (coalesce(\"Name\", 'n') = 'n') END)");
}

TEST(Expression, SqlitesOperatorsBindAsSqliteSays) {
    EXPECT_EQ(to_pg("name || 'a' || nick = 'b'"), "(((\"Name\" || 'a') || \"nick\") = 'b')");
    EXPECT_EQ(to_pg("id = 1 IS NOT NULL"), "((\"id\" = 1) IS NOT NULL)");
    EXPECT_EQ(to_pg("NOT id > 1 AND id < 3"), "((NOT (\"id\" > 1)) AND (\"id\" < 3))");
    EXPECT_EQ(to_pg("id < 3 = flag"), "((\"id\" < 3) = \"flag\")");
    EXPECT_EQ(to_pg("id > -2 * 3 + 1"), "(\"id\" > -5)");
}

TEST(Expression, WhatMeansAnotherThingOnPostgresqlIsRefused) {
    for (const char* expression :
         {"id + 1 > 2", "id = 'a'", "name = 5", "typeof(id) = 'integer'", "name GLOB '[a-z]*'", "name REGEXP 'a'", "id IN (SELECT 1)", "id IN other",
          "EXISTS (SELECT 1)", "gone = 1", "t.id = 1", "CAST(id AS TEXT) = '1'", "raw = x'00'", "doc = '{}'", "price = r", "noted = '12'", "born > 'soon'",
          "name", "price", "id & 1", "~id", "id -> 1", "id = ?", "'a", "id = 1 2", "json_valid(doc)", "id > 0x10", "random() > 1", "name LIKE nick", "uid > 'a'",
          "max(id, 1) = 1", "price > 1e400", "RAISE(ABORT, 'x')", "name COLLATE GERMAN = 'x'", "(id, flag) = (1, 1)", "", "iif(id, 1)"})
        EXPECT_EQ(to_pg(expression).substr(0, 4), "no: ") << expression << " became " << to_pg(expression);
}

TEST(Expression, ToTheSameEngineAsItStands) {
    TableSchema table = pg_table();
    const ExpressionTranslator pg{table, Engine::postgresql, {}};
    EXPECT_EQ(shown(pg.condition("(name ~ '^a'::text)")), "(name ~ '^a'::text)");
    EXPECT_EQ(shown(pg.condition("shop.fine(id)")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(pg.condition("(id > nextval('s'::regclass))")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(pg.condition("id > 1) OR (true")), "id > 1) OR (true");  // one expression, in parentheses as we write it
    EXPECT_EQ(shown(pg.condition("id); DROP TABLE x; --")).substr(0, 4), "no: ");
    table.columns[0].leader_name = "id";
    table.columns[0].name = "Number";
    EXPECT_EQ(shown(pg.condition("((id > 0) AND (id < 9))")), "((\"Number\" > 0) AND (\"Number\" < 9))");
    EXPECT_EQ(shown(ExpressionTranslator(table, Engine::sqlite, followers(kPg)).condition("(id > 0)")), "(\"Number\" > 0)");

    TableSchema own = sqlite_table();
    const ExpressionTranslator sqlite{own, Engine::sqlite, {}};
    EXPECT_EQ(shown(sqlite.condition("typeof(id) = 'integer' AND name <> \"x\"")), "typeof(id) = 'integer' AND name <> \"x\"");
    EXPECT_EQ(shown(sqlite.condition("valid_iban(name)")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(sqlite.condition("name REGEXP 'a'")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(sqlite.condition("name = 'x' COLLATE german")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(sqlite.condition("CAST(id AS VARCHAR(10)) <> ''")), "CAST(id AS VARCHAR(10)) <> ''");
    EXPECT_EQ(shown(sqlite.condition("gone > 1")).substr(0, 4), "no: ");
    EXPECT_EQ(shown(sqlite.condition("id > 1); DROP TABLE x; --")).substr(0, 4), "no: ");
    own.columns[1].leader_name = "Name";
    own.columns[1].name = "label";
    EXPECT_EQ(shown(sqlite.condition("length(NAME) > 1 AND 'name' <> [Name]")), "length(\"label\") > 1 AND 'name' <> \"label\"");
    own.columns[3].default_expression = "abc";
    EXPECT_EQ(sqlite.default_value(3).text, "'abc'");
    own.columns[3].default_expression = "strftime('%s','now') + 1";
    EXPECT_EQ(sqlite.default_value(3).text, "strftime('%s','now') + 1");
    own.columns[3].default_expression = "my_id()";
    EXPECT_FALSE(sqlite.default_value(3).done());
}

TEST(Expression, PostgresqlDefaultsForSqlite) {
    const std::vector<std::tuple<int, const char*, const char*>> cases{
        {0, "'-1'::integer", "-1"}, {0, "(60 * 60)", "(60 * 60)"}, {2, "true", "1"}, {3, "'0'::double precision", "0"}, {3, "'1.5e-7'::double precision", "1.5e-7"},
        {3, "'0.30000000000000004'::double precision", "(1351079888211149.0/(1<<52))"}, {4, "'it''s'::text", "'it''s'"},
        {5, "'new'::character varying", "'new'"}, {6, "'M'::bpchar", "'M '"}, {7, "0", "'0.00'"}, {7, "4.990", "'4.99'"}, {7, "'-0.5'::numeric", "'-0.50'"},
        {8, "'sad'::mood", "'sad'"}, {9, "'2020-02-29'::date", "'2020-02-29'"}, {9, "'0044-03-15 BC'::date", "'0044-03-15 BC'"}, {9, "CURRENT_DATE", "date('now')"}, {9, "('now'::text)::date", "date('now')"},
        {10, "now()", "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.') || '+00'"},
        {12, "timezone('utc'::text, now())", "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.')"},
        {12, "(now() AT TIME ZONE 'utc'::text)", "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.')"},
        {13, "'{}'::text[]", "'{}'"}, {13, "ARRAY[]::text[]", "'{}'"}, {14, "'{\"a\": 1}'::jsonb", "'{\"a\": 1}'"}, {15, "'\\x00ff'::bytea", "x'00ff'"},
        {0, "NULL::integer", ""}, {0, "", ""}, {17, "'10.0.0.1'::inet", "'10.0.0.1'"}, {18, "'12:00:00'::time without time zone", "'12:00:00'"}};
    for (const auto& [column, expression, expected] : cases)
        EXPECT_EQ(shown(pg_default(static_cast<std::size_t>(column), expression)), expected) << expression;
    EXPECT_NE(pg_default(12, "now()").note.find("UTC"), std::string::npos);
    EXPECT_EQ(pg_default(10, "now()").note, "");
    const std::vector<std::pair<int, const char*>> refused{
        {0, "nextval('s'::regclass)"}, {11, "gen_random_uuid()"}, {7, "0.001"}, {7, "123456789.00"}, {4, "now()"}, {4, "CURRENT_USER"}, {5, "'too long for it'::text"},
        {3, "'NaN'::double precision"}, {10, "(now() + '1 day'::interval)"}, {0, "shop.next()"}, {4, "lower('A'::text)"},
        {8, "'angry'::mood"}, {16, "0.123456789"}, {17, "'10.0.0.1'::text"}, {12, "timezone('Europe/Berlin'::text, now())"}};
    for (const auto& [column, expression] : refused)
        EXPECT_FALSE(pg_default(static_cast<std::size_t>(column), expression).done()) << expression << " " << pg_default(static_cast<std::size_t>(column), expression).text;
}

TEST(Expression, SqliteDefaultsForPostgresql) {
    const std::vector<std::tuple<int, const char*, const char*>> cases{
        {0, "5", "5"}, {0, "-5", "-5"}, {0, "'7'", "7"}, {0, "(1+2)*3", "9"}, {1, "'it''s'", "'it''s'"}, {1, "abc", "'abc'"}, {1, "\"abc\"", "'abc'"}, {1, "5", "'5'"},
        {2, "0", "false"}, {2, "TRUE", "true"}, {3, "1.5", "1.5"}, {4, "0", "0"}, {4, "0.50", "0.5"}, {6, "'2020-01-01'", "'2020-01-01'"},
        {6, "CURRENT_DATE", "(timezone('UTC', now()))::date"}, {7, "CURRENT_TIMESTAMP", "date_trunc('second', timezone('UTC', now()))"},
        {7, "datetime('now')", "date_trunc('second', timezone('UTC', now()))"},
        {8, "CURRENT_TIMESTAMP", "to_char(timezone('UTC', now()), 'YYYY-MM-DD HH24:MI:SS')"},
        {1, "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", "to_char(timezone('UTC', now()), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"},
        {0, "strftime('%s','now')", "(floor(extract(epoch FROM now())))::bigint"}, {0, "unixepoch()", "(floor(extract(epoch FROM now())))::bigint"},
        {0, "cast(strftime('%s', 'now') as int)", "(floor(extract(epoch FROM now())))::bigint"}, {9, "x'00FF'", "'\\x00ff'"}, {1, "NULL", ""},
        {10, "'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000000'"}, {11, "'{}'", "'{}'"}, {12, "''", "''"}};
    for (const auto& [column, expression, expected] : cases)
        EXPECT_EQ(shown(sqlite_default(static_cast<std::size_t>(column), expression)), expected) << expression;
    const std::vector<std::pair<int, const char*>> refused{
        {0, "'a'"}, {0, "1.5"}, {0, "julianday('now')"}, {1, "1.50"}, {1, "datetime('now','localtime')"}, {2, "2"}, {6, "'today'"}, {7, "CURRENT_DATE"}, {8, "5"},
        {1, "my_function()"}, {4, "'abc'"}, {0, "9223372036854775808"}, {12, "'too long'"}, {1, "'\xff'"}, {9, "'a'"}, {1, "hex(randomblob(4))"}, {1, "1; DROP TABLE x"}};
    for (const auto& [column, expression] : refused)
        EXPECT_FALSE(sqlite_default(static_cast<std::size_t>(column), expression).done())
            << expression << " " << sqlite_default(static_cast<std::size_t>(column), expression).text;
    EXPECT_EQ(sqlite_default(0, "70000", "smallint").done(), false);
    EXPECT_EQ(sqlite_default(4, "0", "numeric(10,2)").text, "0.00");
}

TEST(Expression, GeneratedColumnsAndKeys) {
    const TableSchema table = pg_table();
    const ExpressionTranslator translator{table, Engine::sqlite, followers(kPg)};
    EXPECT_EQ(shown(translator.generated({"g", "text", "((name || ' '::text) || (code)::text)"}, "TEXT")), "((\"name\" || ' ') || \"code\")");
    EXPECT_EQ(shown(translator.generated({"g", "integer", "(id * 2)"}, "INTEGER")), "(\"id\" * 2)");
    EXPECT_FALSE(translator.generated({"g", "numeric", "(price * 2)"}, "NUMERIC_TEXT").done());
    EXPECT_FALSE(translator.generated({"g", "character varying(3)", "name"}, "VARCHAR(3)").done());
    EXPECT_FALSE(translator.generated({"g", "double precision", "(id * 2)"}, "REAL").done());
    EXPECT_EQ(shown(translator.key("price")), "\"price\"");
    EXPECT_FALSE(translator.key("lower(name)").done());
    EXPECT_FALSE(translator.key("5").done());
    const TableSchema own = sqlite_table();
    const ExpressionTranslator back{own, Engine::postgresql, followers(kSqlite)};
    EXPECT_EQ(shown(back.key("lower(name)")), "lower(\"Name\" COLLATE \"C\")");
    EXPECT_EQ(shown(back.generated({"g", "TEXT", "name || '!'"}, "text")), "(\"Name\" || '!')");
    EXPECT_FALSE(back.generated({"g", "INTEGER", "name || '!'"}, "bigint").done());
}

TEST(Expression, DomainsBringTheirChecksAndDefaults) {
    TableSchema table = pg_table();
    table.columns[0].type = "shop.\"Even\"";
    UserType outer;
    outer.kind = UserType::Kind::domain;
    outer.name = {"shop", "Even"};
    outer.base = "positive";
    UserType inner = outer;
    inner.name = {"public", "positive"};
    inner.base = "integer";
    inner.default_expression = "2";
    inner.checks = {{"positive_check", "(VALUE > 0)"}};
    table.types = {inner, outer};
    const ExpressionTranslator translator{table, Engine::sqlite, followers(kPg)};
    ASSERT_EQ(translator.domains(0).size(), 2U);
    EXPECT_EQ(translator.domains(0)[1]->name.name, "positive");
    EXPECT_EQ(shown(translator.domain_check(0, "(VALUE > 0)")), "(\"id\" > 0)");
    EXPECT_EQ(translator.default_value(0).text, "2");
    EXPECT_TRUE(translator.domains(1).empty());
}

TEST(Expression, NamesTheColumnsItNeeds) {
    EXPECT_EQ(expression_columns(Engine::postgresql, "((a > 1) AND (\"B c\" = 'd'::text) AND (a < 5))"), (std::vector<std::string>{"a", "B c"}));
    EXPECT_EQ(expression_columns(Engine::sqlite, "a > 1 AND \"B c\" = 'd' AND lower(A) AND CAST(x AS INT) COLLATE NOCASE"),
              (std::vector<std::string>{"a", "B c", "x"}));
    EXPECT_THROW((void)expression_columns(Engine::postgresql, "a > (SELECT 1)"), RefusedError);
    EXPECT_THROW((void)expression_columns(Engine::sqlite, "a > (SELECT 1)"), RefusedError);
}

TEST(SqliteTokens, AsSqliteTakesThemApart) {
    const auto kinds = [](std::string_view sql) {
        std::string text;
        for (const SqliteToken& token : sqlite_tokens(sql)) text += std::to_string(static_cast<int>(token.kind)) + token.value + " ";
        return text;
    };
    EXPECT_EQ(kinds("a\"b\"\"c\"`d`[e]'f''g'x'0f'"), "0a 1b\"c 1d 1e 2f'g 30f ");
    EXPECT_EQ(kinds("1.5e-3 .5 0x1F 12a 1_000"), "41.5e-3 4.5 40x1F 612a 41_000 ");
    EXPECT_EQ(kinds("a<>b||c->>d--x\n/*y*/e"), "0a 5<> 0b 5|| 0c 5->> 0d 0e ");
    EXPECT_EQ(kinds("'open"), "6open ");
    EXPECT_EQ(kinds("x'0'"), "60 ");
    EXPECT_EQ(kinds("/* open"), "");
}

// A unique index with this predicate held rows on a SQLite follower that the leader's did not: ROW(1, NULL) is neither NULL nor NOT NULL.
TEST(Expression, ACompositeValueIsNullByItsFields) {
    TableSchema table = table_of(Engine::postgresql, {{"pair", "public.pair", "PG_TEXT"}, {"pairs", "public.pair[]", "PG_TEXT"}});
    UserType pair;
    pair.kind = UserType::Kind::composite;
    pair.name = {"public", "pair"};
    table.types.push_back(pair);
    const ExpressionTranslator translator{table, Engine::sqlite, {"PG_TEXT", "PG_TEXT"}};
    EXPECT_FALSE(translator.condition("pair IS NOT NULL").done());
    EXPECT_FALSE(translator.condition("pair IS NULL").done());
    EXPECT_EQ(translator.condition("pairs IS NOT NULL").text, R"(("pairs" IS NOT NULL))");
}

}  // namespace
}  // namespace rowferry
