// Translated expressions are asked of both engines, over the same rows: random values and those at the edges. What either says has to be the
// same, NULL included.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "schemas/conversion.h"
#include "schemas/expression.h"
#include "schemas/identifier.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

struct Column {
    const char* name;
    const char* pg;
    const char* sqlite;
    std::vector<std::string> values;  // as literals of both engines
};

TableSchema table_of(Engine engine, const std::vector<Column>& columns) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", "t"};
    for (const Column& column : columns) {
        ColumnSchema schema;
        schema.name = column.name;
        schema.type = schema.base_type = engine == Engine::sqlite ? column.sqlite : column.pg;
        schema.value_class = engine == Engine::sqlite ? sqlite_value_class(schema.type) : pg_value_class(schema.type);
        if (engine == Engine::sqlite) schema.collation = schema.name == "nick" ? "NOCASE" : "BINARY";
        table.columns.push_back(std::move(schema));
    }
    return table;
}

class ExpressionEngines : public ::testing::Test {
protected:
    ExpressionEngines() : random_{seed_}, pg_{cluster_.uri(cluster_.new_database())}, sqlite_{new_temp_dir("expressions") / "t.db"} {}

    /// The same rows in both databases.
    void fill(const std::vector<Column>& columns, int rows) {
        std::string pg;
        std::string sqlite;
        for (const Column& column : columns) {
            pg += fmt::format("{}{} {}", pg.empty() ? "" : ", ", column.name, column.pg);
            sqlite += fmt::format("{}{} {}{}", sqlite.empty() ? "" : ", ", column.name, column.sqlite, column.name == std::string{"nick"} ? " COLLATE NOCASE" : "");
        }
        pg_.exec(fmt::format("CREATE TABLE t (row int PRIMARY KEY, {})", pg));
        sqlite_.exec(fmt::format("CREATE TABLE t (row INTEGER PRIMARY KEY, {})", sqlite));
        std::string insert = "INSERT INTO t VALUES ";
        for (int row = 0; row < rows; ++row) {
            insert += fmt::format("{}({}", row == 0 ? "" : ", ", row);
            for (const Column& column : columns) {
                const std::size_t pick = random_() % (column.values.size() + 1);
                insert += ", " + (pick == column.values.size() ? std::string{"NULL"} : column.values[pick]);
            }
            insert += ")";
        }
        pg_.exec(insert);
        sqlite_.exec(insert);
    }

    std::vector<std::string> pg_says(const std::string& expression) {
        std::vector<std::string> result;
        for (const PgRow& row : pg_.query(fmt::format("SELECT CASE WHEN x THEN '1' WHEN NOT x THEN '0' ELSE 'null' END FROM (SELECT row, ({}) AS x FROM t) s ORDER BY row", expression)))
            result.push_back(row[0].value_or(""));
        return result;
    }
    std::vector<std::string> sqlite_says(const std::string& expression) {
        std::vector<std::string> result;
        for (const SqliteRow& row : sqlite_.query(fmt::format("SELECT CASE WHEN x THEN '1' WHEN NOT x THEN '0' ELSE 'null' END FROM (SELECT row, ({}) AS x FROM t) s ORDER BY row", expression)))
            result.push_back(std::get<std::string>(row[0]));
        return result;
    }

    /// Random conditions joined from `atoms`; returns how many could be translated.
    template <typename Ask, typename AskTranslated>
    int compare(const ExpressionTranslator& translator, const std::vector<std::string>& atoms, int count, Ask ask, AskTranslated ask_translated) {
        int translated = 0;
        for (int i = 0; i < count + static_cast<int>(atoms.size()); ++i) {
            const auto atom = [&] { return atoms[random_() % atoms.size()]; };
            std::string expression = i < static_cast<int>(atoms.size()) ? atoms[static_cast<std::size_t>(i)] : fmt::format("({})", atom());
            for (std::size_t more = i < static_cast<int>(atoms.size()) ? 0 : random_() % 4; more > 0; --more) {
                switch (random_() % 4) {
                    case 0: expression = fmt::format("({} AND {})", expression, atom()); break;
                    case 1: expression = fmt::format("({} OR {})", expression, atom()); break;
                    case 2: expression = fmt::format("(NOT {})", expression); break;
                    default: expression = fmt::format("(CASE WHEN {} THEN {} ELSE {} END)", expression, atom(), atom()); break;
                }
            }
            const Translation translation = translator.condition(expression);
            EXPECT_TRUE(translation.done()) << expression << ": " << translation.reason;
            if (!translation.done()) continue;
            ++translated;
            EXPECT_EQ(ask(expression), ask_translated(translation.text)) << "seed " << seed_ << "\n" << expression << "\n" << translation.text;
        }
        return translated;
    }

    PgCluster& cluster_ = PgCluster::shared();
    std::uint64_t seed_ = choose_seed();
    std::mt19937_64 random_;
    PgConnection pg_;
    SqliteDb sqlite_;
};

const std::vector<std::string> kTexts{"''", "'a'", "'A'", "'ab'", "'Ab '", "'ä'", "'Ä'", "'_'", "'%'", "'a*b'", "'a[b'", "'a\\b'", "'z'", "'12'", "' 12'", "'ab%'", "'a_b'", "'日本'", "'''q'"};
const std::vector<std::string> kIntegers{"0", "1", "-1", "7", "100", "2147483647", "-2147483648"};

TEST_F(ExpressionEngines, PostgresqlConditionsSayTheSameOnSqlite) {
    SCOPED_TRACE(fmt::format("ROWFERRY_SEED={}", seed_));
    const std::vector<Column> columns{{"i", "integer", "INTEGER", kIntegers},
                                      {"n", "bigint", "BIGINT", {"0", "1", "7", "9007199254740993", "-9223372036854775807", "9223372036854775807"}},
                                      {"r", "double precision", "REAL", {"0", "0.1", "-0.5", "1e308", "-1e308", "1e-320", "7"}},
                                      {"a", "text", "TEXT", kTexts},
                                      {"b", "character varying(20)", "VARCHAR(20)", kTexts},
                                      {"s", "character(3)", "CHAR_TEXT(3)", {"'   '", "'a  '", "'ab '", "'abc'", "'ä  '", "' a '"}},
                                      {"d", "date", "DATE_TEXT", {"'2020-01-01'", "'infinity'", "'0044-03-15 BC'"}},
                                      {"p", "numeric(10,2)", "NUMERIC_TEXT(10,2)", {"'0.00'", "'0.01'", "'-0.01'", "'12.50'", "'-12.50'", "'100.00'", "'99999999.99'", "'NaN'"}},
                                      {"u", "numeric", "NUMERIC_TEXT", {"'0'", "'0.000'", "'0.0001'", "'-0.10'", "'10'", "'100.0'", "'NaN'", "'Infinity'", "'-Infinity'",
                                                                         "'123456789012345678901234567890.5'", "'-0.00000000000000000000000000000001'"}}};
    fill(columns, 150);
    const TableSchema table = table_of(Engine::postgresql, columns);
    std::vector<std::string> types;
    for (const Column& column : columns) types.emplace_back(column.sqlite);
    const ExpressionTranslator translator{table, Engine::sqlite, types};
    const std::vector<std::string> atoms{
        "i > 0", "i <> '-1'::integer", "i = ANY (ARRAY[1, 7, 100])", "(i)::numeric <= 0.5", "i IS DISTINCT FROM 7", "i BETWEEN '-1'::integer AND 7", "n > 9007199254740992",
        "n <> (i)::bigint", "n IS NOT DISTINCT FROM 7", "r > (0.1)::double precision", "r <= (0)::double precision", "r = (7)::double precision", "r IS NULL", "a = 'a'::text",
        "a <> (b)::text", "a = ANY (ARRAY['a'::text, 'Ä'::text, ' 12'::text])", "(b)::text <> ALL ((ARRAY['A'::character varying, '%'::character varying])::text[])",
        "a ~~ 'a%'::text", "a ~~ '_'::text", "a ~~ 'a[%'::text", "a ~~ 'a*_'::text", "a !~~ '%\\%'::text", "a ~~ 'a\\_b'::text", "(b)::text ~~ '%B'::text", "length(a) > 1",
        "char_length((b)::text) = 2", "(a || 'x'::text) = 'ax'::text", "((i || a) || (b)::text) <> '1'::text", "btrim(a) <> ''::text", "ltrim((b)::text) = a", "rtrim(a) = (b)::text",
        "replace(a, 'a'::text, 'b'::text) = 'b'::text", "substr(a, 2) = ''::text", "\"substring\"(a, 1, 1) = (b)::text", "COALESCE(a, (b)::text) IS NOT NULL", "COALESCE(i, 0) > 1",
        "NULLIF(a, 'a'::text) IS NULL", "NULLIF(i, 7) > 5", "abs((i)::bigint) > 1", "(i + 1) > 7", "((i * 2) - n) < 100", "s = 'a'::bpchar", "s = ANY (ARRAY['ab'::bpchar, ' a'::bpchar, 'toolong'::bpchar])",
        "(s)::text = 'a'::text", "length((s)::text) = 2", "d = '2020-01-01'::date", "d IS NOT NULL", "(a COLLATE \"C\") > 'a'::text", "lower((a COLLATE \"C\")) = 'ab'::text",
        "CASE i WHEN 1 THEN 'a'::text ELSE (b)::text END = 'a'::text", "(i > 1) IS NOT TRUE", "(i > 1) = (a = 'a'::text)", "(i < 7) IS UNKNOWN", "p >= (0)::numeric", "p > (0)::numeric", "p = (0)::numeric", "p <> (0)::numeric", "p < (0)::numeric", "p <= (0)::numeric", "(0)::numeric < p",
        "p > 12.5", "p >= 12.50", "p = 12.5", "p <> 12.5", "p < 12.51", "p <= '-12.5'::numeric", "(100)::numeric >= p", "p < 99999999.99", "(p >= 0.01) AND (p <= 99999999.99)",
        "u >= (0)::numeric", "u > (0)::numeric", "u = (0)::numeric", "u <> 0.00", "u < (0)::numeric", "u <= (0)::numeric", "(0)::numeric >= u", "(0)::numeric <> u"};
    pg_.exec("UPDATE t SET n = n / 4, i = i / 4 WHERE row % 2 = 0");  // where both sides can add and multiply
    sqlite_.exec("UPDATE t SET n = n / 4, i = i / 4 WHERE row % 2 = 0");
    pg_.exec("DELETE FROM t WHERE abs(i::numeric * 2 - n) > 9000000000000000000 OR abs(i::numeric * 2) > 2147483647 OR i = 2147483647");
    sqlite_.exec("DELETE FROM t WHERE row NOT IN (" + pg_.value("SELECT coalesce(string_agg(row::text, ','), '-1') FROM t") + ")");
    EXPECT_GT(compare(translator, atoms, 150, [&](const auto& e) { return pg_says(e); }, [&](const auto& e) { return sqlite_says(e); }), 150);
    // A real column keeps NaN as a text, which is greater than every number there too.
    pg_.exec("UPDATE t SET r = 'NaN'");
    sqlite_.exec("UPDATE t SET r = 'NaN'");
    for (const char* expression : {"r > (0.1)::double precision", "r <= (0)::double precision", "r = (7)::double precision", "r <> (7)::double precision"})
        EXPECT_EQ(pg_says(expression), sqlite_says(translator.condition(expression).text)) << expression;
}

TEST_F(ExpressionEngines, SqliteConditionsSayTheSameOnPostgresql) {
    SCOPED_TRACE(fmt::format("ROWFERRY_SEED={}", seed_));
    const std::vector<Column> columns{{"i", "bigint", "INTEGER", {"0", "1", "-1", "7", "9223372036854775807", "-9223372036854775808"}},
                                      {"r", "double precision", "REAL", {"0.0", "0.1", "-0.5", "1e308", "7.0", "'Infinity'", "'NaN'"}},
                                      {"p", "numeric", "DECIMAL(10,2)", {"0", "9.5", "-3", "0.1", "100000000000000000", "'NaN'", "'Infinity'", "'-Infinity'"}},
                                      {"a", "text", "TEXT", kTexts},
                                      {"nick", "text", "TEXT", kTexts},
                                      {"w", "text", "DATETIME", {"'soon'", "''", "'2020-01-01T00:00:00'"}},
                                      {"d", "date", "DATE", {"'2020-01-01'", "'infinity'", "'-infinity'", "'0001-01-01'", "'9999-12-31'"}},
                                      {"t", "timestamp without time zone", "TIMESTAMP", {"'2020-01-01 00:00:00'", "'2020-01-01 00:00:00.5'", "'infinity'", "'-infinity'"}}};
    fill(columns, 150);
    sqlite_.exec("UPDATE t SET r = 9e999 WHERE r = 'Infinity'");
    const TableSchema table = table_of(Engine::sqlite, columns);
    std::vector<std::string> types;
    for (const Column& column : columns) types.emplace_back(column.pg);
    const ExpressionTranslator translator{table, Engine::postgresql, types};
    const std::vector<std::string> atoms{
        "i > 0", "NOT (NOT i)", "i IN (1, 7)", "i IS 7", "i IS NOT 1", "i NOT BETWEEN 0 AND 7", "i <= 0.5", "i <> 9223372036854775807", "r > 0", "r <= 0.1", "r = 7", "r IN (7, 0.1)",
        "p > 0", "p >= 0.1", "p < 9.5", "p <= -3", "0 < p", "0 >= p", "p = 9.5", "p <> 0", "p IN (0, -3)", "p NOT IN (9.5)", "a = 'A'", "a > 'a'", "a < 'Ä'", "a = nick", "nick = a",
        "nick = 'AB '", "nick IN ('A', 'ÄX', 'Z')", "nick <> 'ä'", "nick < a", "nick >= 'B'", "a = 'AB' COLLATE NOCASE", "a = nick COLLATE NOCASE", "coalesce(nick, '') = 'AB'", "nick || '' = 'A'", "lower(nick) = nick", "trim(nick) = 'Ab'", "CASE WHEN i THEN nick END = 'a'", "a = 'Ab' COLLATE RTRIM", "a LIKE 'A%'", "a LIKE '_b%'",
        "a LIKE 'a\\%'", "a LIKE 'ab!%' ESCAPE '!'", "a NOT LIKE '%B'", "a LIKE 'ä'", "nick LIKE 'a_B'", "a GLOB 'a*'", "a GLOB '?'", "a GLOB 'a_b'", "a GLOB '*%'", "w = 'soon'", "w > ''",
        "d > '2020-01-01'", "d <= '0001-01-01'", "d = 'infinity'", "t < '2020-01-01 00:00:00.5'", "t >= '2020-01-01 00:00:00'", "length(a) > 1", "lower(a) = 'ab'", "upper(nick) = 'Ä'",
        "trim(a) <> ''", "ltrim(a) = rtrim(a)", "replace(a, 'a', 'b') = 'b'", "substr(a, 2, 1) = 'b'", "a || 'x' = 'ax'", "i || a = '1a'", "ifnull(a, '') = ''", "coalesce(i, 0) > 1",
        "nullif(a, 'a') IS NULL", "CASE i WHEN 1 THEN 'a' ELSE a END = 'a'", "(i > 1) IS NOT TRUE", "i > 1 = (a = 'a')", "abs(coalesce(nullif(i, -9223372036854775808), 1)) > 1"};
    EXPECT_GT(compare(translator, atoms, 150, [&](const auto& e) { return sqlite_says(e); }, [&](const auto& e) { return pg_says(e); }), 150);
}

TEST_F(ExpressionEngines, DefaultsGiveTheTextThatACopiedValueWouldHave) {
    // What PostgreSQL stores and prints, and what SQLite stores for the translated default.
    const std::vector<std::tuple<const char*, const char*, const char*>> cases{
        {"integer", "INTEGER", "'-1'::integer"}, {"numeric(10,2)", "NUMERIC_TEXT(10,2)", "0.5"}, {"numeric", "NUMERIC_TEXT", "1.50"}, {"text", "TEXT", "'it''s'"},
        {"character(4)", "CHAR_TEXT(4)", "'ä'::bpchar"}, {"date", "DATE_TEXT", "'2020-02-29'::date"}, {"bytea", "BLOB", "'\\x00ff'::bytea"}, {"jsonb", "JSON_TEXT", "'{\"a\": 1}'::jsonb"},
        {"timestamp with time zone", "TIMESTAMP_TEXT", "'2020-01-01 00:00:00.5+00'::timestamp with time zone"}, {"integer", "INTEGER", "(60 * 60)"}};
    pg_.exec("SET timezone = 'UTC'");
    int number = 0;
    for (const auto& [pg_type, sqlite_type, expression] : cases) {
        const std::vector<Column> columns{{"x", pg_type, sqlite_type, {}}};
        TableSchema table = table_of(Engine::postgresql, columns);
        table.columns[0].default_expression = expression;
        const Translation translation = ExpressionTranslator{table, Engine::sqlite, {sqlite_type}}.default_value(0);
        ASSERT_TRUE(translation.done()) << expression << ": " << translation.reason;
        const std::string name = fmt::format("d{}", number++);
        pg_.exec(fmt::format("CREATE TABLE {0} (k int, x {1} DEFAULT {2}); INSERT INTO {0} VALUES (1)", name, pg_type, expression));
        sqlite_.exec(fmt::format("CREATE TABLE {0} (k int, x {1} DEFAULT ({2})); INSERT INTO {0}(k) VALUES (1)", name, sqlite_type, translation.text));
        const std::string stored = sqlite_.value(fmt::format("SELECT CASE typeof(x) WHEN 'blob' THEN '\\x' || lower(hex(x)) ELSE x END FROM {}", name));
        // As COPY sends it: a padded text keeps its blanks.
        EXPECT_EQ(pg_.copy_out(fmt::format("COPY (SELECT x FROM {}) TO STDOUT (DELIMITER '~')", name)).at(0), stored.starts_with("\\x") ? "\\" + stored : stored) << expression;
    }
    // The time of now, in the form of a copied value.
    TableSchema table = table_of(Engine::postgresql, {{"x", "timestamp with time zone", "TIMESTAMP_TEXT", {}}});
    table.columns[0].default_expression = "now()";
    const std::string now = sqlite_.value("SELECT " + ExpressionTranslator{table, Engine::sqlite, {"TIMESTAMP_TEXT"}}.default_value(0).text);
    EXPECT_EQ(pg_.value(fmt::format("SELECT abs(extract(epoch FROM now() - {0}::timestamptz)) < 60 AND {0}::timestamptz::text = {0}", quote_literal(now))), "t") << now;
    TableSchema back = table_of(Engine::sqlite, {{"x", "timestamp without time zone", "DATETIME", {}}});
    back.columns[0].default_expression = "CURRENT_TIMESTAMP";
    const std::string there = pg_.value("SELECT (" + ExpressionTranslator{back, Engine::postgresql, {"timestamp without time zone"}}.default_value(0).text + ")::text");
    EXPECT_EQ(sqlite_.value("SELECT abs(julianday('now') - julianday(" + quote_literal(there) + ")) < 0.001 AND length(" + quote_literal(there) + ") = 19"), "1") << there;
}

}  // namespace
}  // namespace rowferry::test
