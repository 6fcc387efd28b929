#include <gtest/gtest.h>

#include "schemas/error.h"
#include "statements/postgresql/leader_settings.h"
#include "statements/postgresql/parameter_types.h"
#include "statements/postgresql/parameter_uses.h"

namespace rowferry {
namespace {

using Place = ParameterUse::Place;

/// `number:place:column` of each parameter, in order.
std::string uses(const std::string& sql) {
    std::string text;
    for (const ParameterUse& use : parameter_uses(sql)) {
        const char* const place = use.place == Place::assigned   ? "assigned"
                                  : use.place == Place::compared ? "compared"
                                  : use.place == Place::matched  ? "matched"
                                  : use.place == Place::added    ? "added"
                                  : use.place == Place::cast     ? "cast"
                                                                 : "other";
        text += (text.empty() ? "" : " ") + std::to_string(use.number) + ":" + place + ":" + (use.column.empty() && use.place == Place::assigned ? "#" + std::to_string(use.index) : use.column);
    }
    return text;
}

bool same(Place place, const std::string& type, const std::string& value, FloatText floats = FloatText::unknown, int digits = 0) {
    ParameterType is;
    is.name = type;
    is.digits = digits;
    return parameter_doubt(place, is, value, floats).empty();
}

TEST(ParameterUses, AColumnSaysTheType) {
    EXPECT_EQ(uses("INSERT INTO t (a, b) VALUES ($1, $2), ($3, DEFAULT)"), "1:assigned:a 2:assigned:b 3:assigned:a");
    EXPECT_EQ(uses("INSERT INTO t VALUES ($1, 7, $2)"), "1:assigned:#0 2:assigned:#2");
    EXPECT_EQ(uses("UPDATE t SET a = $1, b = b + $2 WHERE id = $3 AND t.c IN ($4, $5) AND d BETWEEN $6 AND $7"),
              "1:assigned:a 2:added:b 3:compared:id 4:compared:c 5:compared:c 6:compared:d 7:compared:d");
    EXPECT_EQ(uses("DELETE FROM t x WHERE $1 < x.a OR NOT (b LIKE $2)"), "1:compared:a 2:matched:b");
    EXPECT_EQ(uses("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET n = t.n + $2 WHERE t.n < $3"), "1:assigned:a 2:added:n 3:compared:n");
    EXPECT_EQ(uses("UPDATE t SET a = $1::uuid, b = lower($2::text)"), "1:cast:uuid 2:cast:text");
    // pgbench's.
    EXPECT_EQ(uses("UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2"), "1:added:abalance 2:compared:aid");
}

TEST(ParameterUses, WhereSomethingElseDecidesItIsSaid) {
    for (const char* sql : {"INSERT INTO t SELECT $1", "INSERT INTO t VALUES (f($1))", "INSERT INTO t VALUES ($1 || 'x')", "INSERT INTO t (a[1]) VALUES ($1)", "INSERT INTO t VALUES ($1) ORDER BY 1", "UPDATE t SET a = a * $1",
                            "UPDATE t SET a = b + $1", "UPDATE t SET (a, b) = ROW($1, 2)", "DELETE FROM t WHERE a = $1 + 1", "DELETE FROM t WHERE lower(a) = $1", "DELETE FROM t WHERE a = ANY ($1)",
                            "DELETE FROM t WHERE a IN ($1, 1)", "DELETE FROM t WHERE a IN (SELECT b FROM u WHERE c = $1)", "UPDATE t SET a = 1 FROM u WHERE b = $1", "DELETE FROM t WHERE a OPERATOR(s.=) $1",
                            "UPDATE t SET a = $1::numeric(5, 2)", "UPDATE t SET a = $1::s.mine", "SELECT f($1)", "DELETE FROM t WHERE a @> $1"})
        EXPECT_NE(uses(sql).find("1:other:"), std::string::npos) << sql << ": " << uses(sql);
}

TEST(ParameterTypes, WhatComesToTheSameForEachTypeIsDetermined) {
    EXPECT_TRUE(same(Place::assigned, "int4", "7"));
    EXPECT_TRUE(same(Place::compared, "int8", "7"));
    EXPECT_TRUE(same(Place::added, "int4", "-7"));
    EXPECT_TRUE(same(Place::assigned, "bool", "t"));
    EXPECT_TRUE(same(Place::compared, "uuid", "0f0e0d0c-0b0a-0908-0706-050403020100"));
    EXPECT_TRUE(same(Place::assigned, "jsonb", "{\"a\": 1}"));
    EXPECT_TRUE(same(Place::assigned, "text", "some text"));
    EXPECT_TRUE(same(Place::compared, "text", "t"));
    EXPECT_TRUE(same(Place::matched, "varchar", "a%"));
    EXPECT_TRUE(same(Place::assigned, "_text", "{a,\"b c\"}"));
    EXPECT_TRUE(same(Place::assigned, "timestamptz", "2026-11-20 23:00:00.123+00"));
    EXPECT_TRUE(same(Place::compared, "date", "2026-11-20"));
}

/// Each of these is stored, or found, otherwise when the driver said another type that is printed like this.
TEST(ParameterTypes, WhatAnotherTypeWouldHaveMadeOfItIsADoubt) {
    EXPECT_FALSE(same(Place::assigned, "text", "t")) << "a boolean becomes 'true'";
    EXPECT_FALSE(same(Place::assigned, "text", "10.0.0.1")) << "an inet becomes '10.0.0.1/32'";
    EXPECT_FALSE(same(Place::assigned, "varchar", "padded ")) << "a character(n) loses its spaces";
    EXPECT_FALSE(same(Place::assigned, "_text", "{a,t}"));
    EXPECT_FALSE(same(Place::assigned, "numeric", "12345.67")) << "a float4 becomes 12345.7";
    EXPECT_TRUE(same(Place::assigned, "numeric", "12345.60")) << "no float is printed with a zero at its end";
    EXPECT_TRUE(same(Place::assigned, "numeric", "1234567.89")) << "a float4 would have an exponent";
    EXPECT_FALSE(same(Place::assigned, "numeric", "0.30000000000000004")) << "a float8 becomes 0.3";
    EXPECT_FALSE(same(Place::compared, "numeric", "0.1", FloatText::unknown, 10)) << "0.1 as float4 is none of the column's values";
    EXPECT_FALSE(same(Place::compared, "numeric", "5")) << "as float8 it is also 5.00000000000000000001";
    EXPECT_TRUE(same(Place::compared, "numeric", "5", FloatText::unknown, 10));
    EXPECT_FALSE(same(Place::compared, "date", "2026-11-20 10:00:00")) << "a timestamp is no date's midnight";
    EXPECT_FALSE(same(Place::compared, "timestamp", "2026-11-20 10:00:00+00"));
    EXPECT_FALSE(same(Place::assigned, "timestamptz", "2026-11-20 10:00:00")) << "the zone is the session's";
    EXPECT_FALSE(same(Place::assigned, "date", "20.11.2026"));
    EXPECT_FALSE(same(Place::assigned, "time", "24:00:00")) << "an interval of a day is midnight";
    EXPECT_FALSE(same(Place::added, "int8", "1")) << "with a float8 the sum loses digits";
    EXPECT_FALSE(same(Place::added, "numeric", "1"));
    EXPECT_FALSE(same(Place::cast, "int4", "101")) << "a bit string is another number";
    EXPECT_FALSE(same(Place::assigned, "polygon", "((0,0),(1,1))")) << "a box has four corners";
    EXPECT_FALSE(same(Place::assigned, "money", "1"));
    EXPECT_FALSE(same(Place::other, "int4", "1"));
    ParameterType own;
    own.name = "int4";
    own.own_casts = true;
    EXPECT_FALSE(parameter_doubt(Place::assigned, own, "1", FloatText::exact).empty()) << "somebody made a cast to it";
}

TEST(ParameterTypes, ARoundedFloatIsADoubt) {
    EXPECT_FALSE(same(Place::assigned, "float8", "0.1"));
    EXPECT_FALSE(same(Place::assigned, "float8", "0.5", FloatText::rounded));
    EXPECT_TRUE(same(Place::assigned, "float8", "0.5", FloatText::exact));
    EXPECT_FALSE(same(Place::assigned, "float8", "0.1", FloatText::exact)) << "of a float4 it is 0.10000000149011612";
    EXPECT_TRUE(same(Place::assigned, "float8", "0.30000000000000004")) << "nobody rounds to 17 digits";
    EXPECT_FALSE(same(Place::assigned, "numeric", "5", FloatText::rounded));
    EXPECT_FALSE(same(Place::compared, "int4", "5", FloatText::rounded));
    EXPECT_TRUE(same(Place::assigned, "float8", "NaN"));
}

/// A role's own TimeZone is of no use where the log does not say whose a statement is.
TEST(LeaderSettings, RolesWithSettingsNeedALogThatNamesThem) {
    LogSettings settings;
    settings.paths = {"/var/log/postgresql/pg.log"};
    settings.line_prefix = "%m [%p] %c %l %x %d ";
    EXPECT_NO_THROW(check_shows_users(settings, {}));
    EXPECT_THROW(check_shows_users(settings, {{"app", {{"TimeZone", "'Asia/Tokyo'"}}}}), RefusedError);
    settings.line_prefix = "%m [%p] %c %l %x %u@%d ";
    EXPECT_NO_THROW(check_shows_users(settings, {{"app", {{"TimeZone", "'Asia/Tokyo'"}}}}));
    settings.line_prefix = "%m ";
    settings.paths = {"/var/log/postgresql/*.csv"};
    EXPECT_NO_THROW(check_shows_users(settings, {{"app", {{"TimeZone", "'Asia/Tokyo'"}}}}));
}

}  // namespace
}  // namespace rowferry
