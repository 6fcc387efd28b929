#include <gtest/gtest.h>

#include "statements/postgresql/function_kinds.h"
#include "statements/postgresql/key_value.h"
#include "statements/postgresql/sql_facts.h"
#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

using Names = std::vector<std::string>;

TEST(StatementFacts, AnUpdateByItsKeySaysWhichRow) {
    const SqlFacts facts = read_sql("UPDATE shop.account AS a SET amount = amount - 5 WHERE a.id = 7 AND $1 = region");
    ASSERT_EQ(facts.targets.size(), 1U);
    const SqlTarget& target = facts.targets.front();
    EXPECT_EQ(target.table, (SqlName{"shop", "account"}));
    EXPECT_EQ(target.columns, Names{"amount"});
    ASSERT_EQ(target.pins.size(), 2U);
    EXPECT_EQ(target.pins[0].column, "id");
    EXPECT_EQ(target.pins[0].value.text, "7");
    EXPECT_EQ(target.pins[1].value.number, 1);
    EXPECT_TRUE(target.only_pins);
}

TEST(StatementFacts, AnyOtherPredicateIsNoPin) {
    for (const char* where : {"id = 1 OR id = 2", "id > 1", "id = 1 AND n < 3", "id = (SELECT 1)", "id IN (1)", "NOT id = 1", "id = NULL"}) {
        const SqlFacts facts = read_sql(std::string{"DELETE FROM t WHERE "} + where);
        EXPECT_FALSE(facts.targets.at(0).only_pins) << where;
    }
    EXPECT_FALSE(read_sql("DELETE FROM t").targets.at(0).only_pins);
    // The other table's column is none of the target's.
    const SqlFacts joined = read_sql("UPDATE t SET a = u.a FROM u WHERE u.id = 1 AND t.id = u.t");
    EXPECT_TRUE(joined.targets.at(0).pins.empty());
    EXPECT_EQ(joined.targets.at(0).joined, (std::vector<SqlName>{{"", "u"}}));
}

TEST(StatementFacts, ChangingStatementsAreFoundWhereverTheyStand) {
    const SqlFacts facts = read_sql("WITH gone AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM gone");
    ASSERT_EQ(facts.targets.size(), 2U);
    EXPECT_TRUE(facts.targets[1].from_query || facts.targets[0].from_query);
    EXPECT_TRUE(facts.common.contains("gone"));
    EXPECT_EQ(read_sql("EXPLAIN (ANALYZE) DELETE FROM t").targets.size(), 1U);
    EXPECT_TRUE(read_sql("EXPLAIN DELETE FROM t").explains);
}

TEST(StatementFacts, WhatDependsOnTheMomentIsNamed) {
    EXPECT_EQ(read_sql("INSERT INTO t VALUES (CURRENT_TIMESTAMP)").clock, Names{"CURRENT_TIMESTAMP"});
    EXPECT_EQ(read_sql("INSERT INTO t VALUES (current_timestamp(3))").clock, Names{"CURRENT_TIMESTAMP"});
    EXPECT_EQ(read_sql("UPDATE t SET who = session_user").identity.size(), 1U);
    for (const char* sql : {"DELETE FROM t WHERE ctid = '(0,1)'", "INSERT INTO u SELECT DISTINCT ON (a) * FROM t", "INSERT INTO u SELECT ARRAY(SELECT a FROM t)", "INSERT INTO u SELECT * FROM t TABLESAMPLE SYSTEM (1)",
                            "INSERT INTO u SELECT row_number() OVER () FROM t", "DELETE FROM t WHERE CURRENT OF c", "DELETE FROM t WHERE id IN (SELECT id FROM t FOR UPDATE SKIP LOCKED)"})
        EXPECT_EQ(read_sql(sql).weaknesses.size(), 1U) << sql;
    // Both sides of UNION count.
    EXPECT_EQ(read_sql("INSERT INTO u (SELECT a FROM t LIMIT 1) UNION ALL (SELECT a FROM t ORDER BY id LIMIT 1)").limits.size(), 2U);
}

TEST(StatementFacts, ARoutinesBodyIsTakenApart) {
    const RoutineBody body = read_plpgsql(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE x int := random(); BEGIN NEW.at := now(); INSERT INTO log VALUES (NEW.id); PERFORM g(); RETURN NEW; END$$");
    EXPECT_EQ(body.opaque, "");
    std::string all;
    for (const std::string& statement : body.statements) all += statement + "\n";
    for (const char* part : {"random()", "now()", "INSERT INTO log", "g()"}) EXPECT_NE(all.find(part), std::string::npos) << part;
    EXPECT_TRUE(read_plpgsql("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM t'; END$$").opaque.size() > 0);
    EXPECT_EQ(read_sql_body("SELECT 1; DELETE FROM t").statements.size(), 2U);
}

TEST(StatementFacts, WhatAConstantIsReadAsIsToldByItsPlace) {
    const SqlFacts facts = read_sql("UPDATE t SET a = b + $1 WHERE c < '5' AND d = ANY(ARRAY['x']::text[]) AND f('y', e) AND '6'::text::date = g");
    ASSERT_EQ(facts.literals.size(), 5U);
    for (const SqlLiteral& literal : facts.literals) {
        const bool parameter = literal.value.kind == SqlOperand::Kind::parameter;
        const std::string column = parameter ? "b" : literal.value.text == "5" ? "c" : "";
        const std::size_t casts = literal.value.text == "x" ? 1 : literal.value.text == "6" ? 2 : 0;
        EXPECT_EQ(literal.column, column) << literal.value.text;
        EXPECT_EQ(literal.casts.size(), casts) << literal.value.text;
        EXPECT_FALSE(parameter && literal.compared);
    }
}

TEST(StatementFacts, ABackslashCountsInAnOrdinaryStringOnly) {
    for (const char* sql : {"SELECT 'a\\b'", "SELECT 1 /* ' */, 'a\\'", "SELECT $1, 'a''\\'", "SELECT e'x', 'a\\b'", "SELECT \"'\", 'a\\b'"}) EXPECT_TRUE(read_sql(sql).backslashes) << sql;
    for (const char* sql : {"SELECT E'a\\b'", "SELECT 1 -- 'a\\b'\n", "SELECT 'a' /* '\\' */", "SELECT $$a\\b'\\$$", "SELECT $x$ ' \\ ' $x$", "SELECT \"a\\b\"", "SELECT E'\\'', 1"}) EXPECT_FALSE(read_sql(sql).backslashes) << sql;
}

TEST(StatementFacts, AConstantThatDependsOnTheSessionIsFound) {
    using type_kinds::literal_doubt;
    for (const char* text : {"2026-11-20", "2026-11-20 10:00", "2026-11-20T10:00:00.5+01:30", "0044-03-15 BC", "infinity", "12026-01-01 00:00:00-08"}) EXPECT_FALSE(literal_doubt("timestamp", text, false, true)) << text;
    for (const char* text : {"now", " NOW ", "today 10:00", "11/20/2026", "20.11.2026", "26-11-20", "20261120", "Nov 20 2026", "2026-11-20 now", "2026-11-20 10:00 PST", "J2451187", ""})
        EXPECT_TRUE(literal_doubt("timestamptz", text, false, true)) << text;
    EXPECT_TRUE(literal_doubt("timestamptz", "2026-11-20 10:00", false, true));
    EXPECT_FALSE(literal_doubt("timestamptz", "2026-11-20 10:00", true, true));
    EXPECT_FALSE(literal_doubt("timestamptz", "2026-11-20 10:00Z", false, true));
    EXPECT_TRUE(literal_doubt("tstzrange", "[now,)", true, true));
    EXPECT_TRUE(literal_doubt("_date", "{2026-11-20,today}", true, true));
    EXPECT_TRUE(literal_doubt("money", "1", true, true));
    // Where it may be anything, what cannot be a date is none.
    for (const char* text : {"active", "7", "-12.5", "hello world", "{1,2}", "abc"}) EXPECT_FALSE(literal_doubt("", text, false, true)) << text;
    for (const char* text : {"01/02/2026", "20261120", "today", "10:00", "Nov 20 26", "{2026-11-20}"}) EXPECT_TRUE(literal_doubt("", text, false, true)) << text;
    for (const char* type : {"text", "int4", "jsonb", "bool", "enum"}) EXPECT_FALSE(literal_doubt(type, "now", false, true)) << type;
}

TEST(StatementFacts, OfPlPgSqlOnlyWhatIsKnownPasses) {
    const auto body = [](const std::string& text) { return read_plpgsql("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$DECLARE x int; r record; BEGIN " + text + " RETURN 1; END$$"); };
    EXPECT_EQ(body("FOR r IN SELECT * FROM t LOOP x := 1; END LOOP;").ordered.size(), 1U);
    EXPECT_EQ(body("SELECT a INTO x FROM t;").ordered.size(), 1U);
    EXPECT_TRUE(body("SELECT a INTO STRICT x FROM t;").ordered.empty());
    EXPECT_EQ(body("GET DIAGNOSTICS x = ROW_COUNT;").opaque, "");
    EXPECT_EQ(body("IF x > 1 THEN x := 2; ELSE RAISE NOTICE 'x'; END IF; WHILE x < 3 LOOP x := x + 1; EXIT; END LOOP; PERFORM 1;").opaque, "");
    for (const char* text : {"GET DIAGNOSTICS x = PG_CONTEXT;", "BEGIN x := 1; EXCEPTION WHEN OTHERS THEN x := 2; END;", "COMMIT;", "FOR r IN EXECUTE 'SELECT 1' LOOP END LOOP;"})
        EXPECT_NE(body(text).opaque, "") << text;
}

TEST(StatementFacts, NoConstantReachesAMessage) {
    EXPECT_EQ(without_constants("UPDATE t SET a = 'secret' WHERE id = 4711"), "UPDATE t SET a = $1 WHERE id = $2");
    EXPECT_EQ(without_constants("ALTER ROLE r PASSWORD 'secret'").find("secret"), std::string::npos);
    try {
        static_cast<void>(read_sql("INSERT INTO t VALUES ('secret' oops"));
        FAIL();
    } catch (const StatementError& error) {
        EXPECT_EQ(error.what.find("secret"), std::string::npos);
    }
}

TEST(StatementFacts, EqualKeysHaveOneForm) {
    using Kind = SqlOperand::Kind;
    const CatalogTable::Column number{"id", "int8", true, false, {}};
    EXPECT_EQ(key_value(number, {Kind::number, "7"}, {}), "7");
    EXPECT_EQ(key_value(number, {Kind::string, " +07"}, {}), "7");
    EXPECT_EQ(key_value(number, {Kind::parameter, "", 1}, {"7"}), "7");
    EXPECT_EQ(key_value(number, {Kind::parameter, "", 2}, {"7"}), std::nullopt);
    EXPECT_EQ(key_value(number, {Kind::other}, {}), std::nullopt);
    const CatalogTable::Column uuid{"u", "uuid", true, false, {}};
    EXPECT_EQ(key_value(uuid, {Kind::string, "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"}, {}), key_value(uuid, {Kind::string, "a0eebc999c0b4ef8bb6d6bb9bd380a11"}, {}));
    // 1.0 and 1.00 are one value, and a collation may take two texts for one.
    EXPECT_EQ(key_value({"n", "numeric", true, false, {}}, {Kind::number, "1.0"}, {}), std::nullopt);
    EXPECT_EQ(key_value({"t", "text", false, false, {}}, {Kind::string, "a"}, {}), std::nullopt);
    EXPECT_EQ(key_value({"t", "text", true, false, {}}, {Kind::string, "a"}, {}), "a");
    EXPECT_EQ(key_value({"t", "varchar", true, false, {}}, {Kind::string, "abc  "}, {}), "abc");
    EXPECT_EQ(key_value({"t", "text", true, false, {}}, {Kind::string, "abc  "}, {}), "abc  ");
    // Other than what stands there.
    EXPECT_EQ(read_sql("DELETE FROM t WHERE a = 'abc'::varchar(2)").targets.at(0).pins.size(), 0U);
    EXPECT_EQ(read_sql("DELETE FROM t WHERE a = '7'::int").targets.at(0).pins.size(), 1U);
}

TEST(StatementFacts, OwnFunctionsHaveTheirKinds) {
    EXPECT_EQ(function_kind("now", 's', 0), FunctionKind::clock);
    EXPECT_EQ(function_kind("age", 's', 1), FunctionKind::clock);
    EXPECT_EQ(function_kind("age", 'i', 2), FunctionKind::steady);
    EXPECT_EQ(function_kind("random", 'v', 0), FunctionKind::chance);
    EXPECT_EQ(function_kind("nextval", 'v', 1), FunctionKind::sequence);
    EXPECT_EQ(function_kind("lower", 'i', 1), FunctionKind::steady);
    // Of stable ones only those that are known.
    EXPECT_EQ(function_kind("to_char", 's', 2), FunctionKind::server);
    EXPECT_EQ(function_kind("date_trunc", 's', 2), FunctionKind::zone);
    EXPECT_EQ(function_kind("pg_try_advisory_lock", 'v', 1), FunctionKind::server);
    EXPECT_EQ(function_kind("pg_advisory_xact_lock", 'v', 1), FunctionKind::harmless);
    EXPECT_EQ(function_kind("count", 'i', 0, 'a'), FunctionKind::steady);
    EXPECT_EQ(function_kind("max", 'i', 1, 'a'), FunctionKind::choice);
    EXPECT_EQ(function_kind("any_value", 'i', 1, 'a'), FunctionKind::order);
    EXPECT_EQ(function_kind("pg_backend_pid", 's', 0), FunctionKind::server);
    EXPECT_EQ(function_kind("query_to_xml", 'v', 4), FunctionKind::sql);
}

}  // namespace
}  // namespace rowferry
