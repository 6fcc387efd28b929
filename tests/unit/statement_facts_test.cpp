#include <gtest/gtest.h>

#include "statements/postgresql/function_kinds.h"
#include "statements/postgresql/key_value.h"
#include "statements/postgresql/sql_facts.h"

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
    EXPECT_EQ(read_sql("INSERT INTO t VALUES (' Now ')").clock_words.size(), 1U);
    EXPECT_EQ(read_sql("INSERT INTO t VALUES ('tomorrow 10:00'::timestamp)").clock_words.size(), 1U);
    EXPECT_TRUE(read_sql("INSERT INTO t VALUES ('nowhere')").clock_words.empty());
    EXPECT_EQ(read_sql("UPDATE t SET who = session_user").identity.size(), 1U);
    for (const char* sql : {"DELETE FROM t WHERE ctid = '(0,1)'", "INSERT INTO u SELECT DISTINCT ON (a) * FROM t", "INSERT INTO u SELECT array_agg(a) FROM t", "INSERT INTO u SELECT * FROM t TABLESAMPLE SYSTEM (1)",
                            "INSERT INTO u SELECT row_number() OVER () FROM t", "DELETE FROM t WHERE CURRENT OF c", "DELETE FROM t WHERE id IN (SELECT id FROM t FOR UPDATE SKIP LOCKED)"})
        EXPECT_EQ(read_sql(sql).weaknesses.size(), 1U) << sql;
    EXPECT_TRUE(read_sql("INSERT INTO u SELECT array_agg(a ORDER BY a) FROM t").weaknesses.empty());
    // Both sides of UNION count.
    EXPECT_EQ(read_sql("INSERT INTO u (SELECT a FROM t LIMIT 1) UNION ALL (SELECT a FROM t ORDER BY id LIMIT 1)").limits.size(), 2U);
}

TEST(StatementFacts, ARoutinesBodyIsTakenApart) {
    const RoutineBody body = read_plpgsql(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE x int := random(); BEGIN NEW.at := now(); INSERT INTO log VALUES (NEW.id); PERFORM g(); RETURN NEW; END$$");
    EXPECT_FALSE(body.opaque);
    std::string all;
    for (const std::string& statement : body.statements) all += statement + "\n";
    for (const char* part : {"random()", "now()", "INSERT INTO log", "g()"}) EXPECT_NE(all.find(part), std::string::npos) << part;
    EXPECT_TRUE(read_plpgsql("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM t'; END$$").opaque);
    EXPECT_EQ(read_sql_body("SELECT 1; DELETE FROM t").statements.size(), 2U);
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
}

TEST(StatementFacts, OwnFunctionsHaveTheirKinds) {
    EXPECT_EQ(function_kind("now", 's', 0), FunctionKind::clock);
    EXPECT_EQ(function_kind("age", 's', 1), FunctionKind::clock);
    EXPECT_EQ(function_kind("age", 'i', 2), FunctionKind::steady);
    EXPECT_EQ(function_kind("random", 'v', 0), FunctionKind::chance);
    EXPECT_EQ(function_kind("nextval", 'v', 1), FunctionKind::sequence);
    EXPECT_EQ(function_kind("lower", 'i', 1), FunctionKind::steady);
    EXPECT_EQ(function_kind("to_char", 's', 2), FunctionKind::steady);
    EXPECT_EQ(function_kind("pg_backend_pid", 's', 0), FunctionKind::server);
    EXPECT_EQ(function_kind("query_to_xml", 'v', 4), FunctionKind::sql);
}

}  // namespace
}  // namespace rowferry
