#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "db/pg_session.h"
#include "statements/postgresql/statement_gate.h"
#include "tests/support/pg_cluster.h"

namespace rowferry {
namespace {

using test::PgCluster;
using Fate = Verdict::Fate;
using Parameters = std::vector<std::optional<std::string>>;
using Settings = std::vector<std::pair<std::string, std::string>>;

const char* const kTables = R"(
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE account (id int PRIMARY KEY, owner text UNIQUE, amount numeric(12,2), n int, rate float8, price numeric, note text, parent int REFERENCES parent, at timestamptz, day date, ts timestamp, span interval);
CREATE TABLE copy (LIKE account);
CREATE TABLE nullable (a int UNIQUE, b int);
CREATE TABLE log (what text, who int);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE feelings (id int PRIMARY KEY, m mood, j jsonb, data bytea);
)";

/// A gate on a database of its own, whose rows nobody looks at: it only asks the catalog.
class PgStatementGate : public ::testing::Test {
protected:
    PgStatementGate() : session_{PgConninfo{PgCluster::shared().uri(PgCluster::shared().new_database("gate"))}, PgRole::follower, "gate_test"}, gate_{session_} {
        session_.query("RESET ALL");  // as the scratch's own session: names are found in public
        session_.query(kTables);
    }

    void make(const std::string& sql) {
        session_.query(sql);
        gate_.forget();
    }
    Verdict judge(const std::string& sql, const Parameters& parameters = {}, const std::string& prepared = {}) {
        LoggedStatement statement;
        statement.sql = sql;
        statement.parameters = parameters;
        statement.prepared = prepared;
        statement.extended = extended_;
        LoggedSession session;
        session.id = "1.1";
        session.user = "postgres";
        session.settings = settings_;
        return gate_.judge(statement, session);
    }
    ::testing::AssertionResult fate(Fate wanted, const std::string& reason, const std::string& sql, const Parameters& parameters = {}, const std::string& prepared = {}) {
        static const std::map<Fate, std::string> names{{Fate::run, "run"}, {Fate::skip, "skip"}, {Fate::undetermined, "undetermined"}, {Fate::refused, "refused"}};
        const Verdict verdict = judge(sql, parameters, prepared);
        if (verdict.fate == wanted && verdict.reason.find(reason) != std::string::npos) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure() << sql << ": " << names.at(verdict.fate) << " because of " << verdict.reason;
    }
    ::testing::AssertionResult runs(const std::string& sql, const Parameters& parameters = {}, const std::string& prepared = {}) { return fate(Fate::run, "", sql, parameters, prepared); }
    ::testing::AssertionResult skips(const std::string& sql) { return fate(Fate::skip, "", sql); }
    ::testing::AssertionResult stops(const std::string& reason, const std::string& sql, const Parameters& parameters = {}, const std::string& prepared = {}) {
        return fate(Fate::undetermined, reason, sql, parameters, prepared);
    }
    ::testing::AssertionResult refuses(const std::string& reason, const std::string& sql, const Parameters& parameters = {}, const std::string& prepared = {}) {
        return fate(Fate::refused, reason, sql, parameters, prepared);
    }
    void all_run(const std::vector<std::string>& statements) {
        for (const std::string& sql : statements) EXPECT_TRUE(runs(sql));
    }
    void all_stop(const std::string& reason, const std::vector<std::string>& statements) {
        for (const std::string& sql : statements) EXPECT_TRUE(stops(reason, sql));
    }

    PgSession session_;
    StatementGate gate_;
    Settings settings_;
    bool extended_ = false;  ///< What is judged came by the extended protocol.
};

TEST_F(PgStatementGate, WhatApplicationsDoEveryDayIsRun) {
    all_run({"INSERT INTO account (id, owner, amount, n) VALUES (1, 'ann', 10.00, 2), (2, 'the note of today', 1, NULL)",
             "INSERT INTO account VALUES (1, 'ann', 10.00, 2, 1.5, 2.25, 'now and then 10:00', 1, '2026-11-20 10:00:00+00', '2026-11-20', '2026-11-20 10:00:00', '1 day')",
             "UPDATE account SET n = n + 1, amount = amount - 2.50, at = '2026-11-20T10:00:00Z' WHERE id = 1", "UPDATE account SET note = upper(note) || ' 10:00' WHERE owner = 'ann' AND n IN (1, 2, 3)",
             "DELETE FROM account WHERE id = 7", "DELETE FROM account WHERE at < '2026-11-20 10:00:00+00' AND n BETWEEN 1 AND 3",
             "INSERT INTO account (id, owner, n) VALUES (1, 'ann', 2) ON CONFLICT (id) DO UPDATE SET n = account.n + excluded.n, owner = excluded.owner RETURNING *",
             "INSERT INTO account (id, owner) VALUES (1, 'ann') ON CONFLICT DO NOTHING", "INSERT INTO copy SELECT * FROM account WHERE n > 5", "INSERT INTO log (what, who) SELECT owner, id FROM account WHERE n > 5",
             "INSERT INTO copy (id, at, day) SELECT id, at, day FROM account", "UPDATE account SET owner = p.name FROM parent p WHERE p.id = account.parent",
             "DELETE FROM account a USING parent p WHERE p.id = a.parent AND p.name = 'x'", "UPDATE account SET n = (SELECT max(n) FROM copy WHERE copy.id = account.id) WHERE id = 3",
             "UPDATE account SET n = CASE WHEN at IS NULL THEN 0 ELSE coalesce(n, 0) END", "INSERT INTO log SELECT owner, count(*) FROM account GROUP BY owner",
             "UPDATE parent SET name = (SELECT sum(amount)::text FROM account WHERE parent = parent.id)", "INSERT INTO feelings VALUES (1, 'sad', '{\"a\": \"now\"}', '\x41')",
             "UPDATE feelings SET j = jsonb_set(j, '{a}', '5'), m = 'ok' WHERE j ->> 'a' = 'today'", "DELETE FROM account WHERE id IN (SELECT id FROM account WHERE n = 1 ORDER BY id LIMIT 3)",
             "WITH gone AS (DELETE FROM account WHERE n = 1 RETURNING owner, id) INSERT INTO log SELECT owner, id FROM gone", "TRUNCATE copy",
             "CREATE TABLE later (id int PRIMARY KEY, t text DEFAULT 'x', at timestamptz DEFAULT now())", "CREATE INDEX ON account (n)", "CREATE INDEX CONCURRENTLY ON account (lower(owner))",
             "ALTER TABLE account ADD COLUMN state text NOT NULL DEFAULT 'new'", "ALTER TABLE account ADD COLUMN k int DEFAULT 0", "ALTER TABLE account ALTER COLUMN n TYPE int8", "DROP TABLE copy"});
    EXPECT_TRUE(runs("UPDATE account SET n = n + $1, at = $2, note = $3 WHERE id = $4", {"15000", "2026-11-20 10:00:00.5+01", "today at 10:00", "7"}));
    EXPECT_TRUE(runs("INSERT INTO account (id, owner, day) VALUES ($1, $2, $3)", {"1", "yesterday", "2026-11-20"}));
    for (const char* sql : {"SELECT now(), random()", "SELECT * FROM account ORDER BY at LIMIT 3", "SELECT pg_try_advisory_lock(1)", "SELECT 'a\\b'", "EXPLAIN DELETE FROM account"}) EXPECT_TRUE(skips(sql));
}

TEST_F(PgStatementGate, PgbenchRunsButForItsHistoryOfTimes) {
    make("CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)); CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));"
         "CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)); CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));"
         "ALTER TABLE pgbench_tellers ADD FOREIGN KEY (bid) REFERENCES pgbench_branches; ALTER TABLE pgbench_accounts ADD FOREIGN KEY (bid) REFERENCES pgbench_branches;"
         "ALTER TABLE pgbench_history ADD FOREIGN KEY (bid) REFERENCES pgbench_branches, ADD FOREIGN KEY (tid) REFERENCES pgbench_tellers, ADD FOREIGN KEY (aid) REFERENCES pgbench_accounts");
    EXPECT_TRUE(runs("UPDATE pgbench_accounts SET abalance = abalance + -4711 WHERE aid = 12345"));
    EXPECT_TRUE(runs("UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2", {"-4711", "12345"}));
    EXPECT_TRUE(runs("INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, '2026-11-20')", {"1", "2", "3", "4"}));
    EXPECT_TRUE(stops("CURRENT_TIMESTAMP", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP)"));
    // A parent that nobody changes is nobody's conflict: the child's row is its own.
    LoggedTransaction transaction;
    auto session = std::make_shared<LoggedSession>();
    session->id = "1.1";
    transaction.session = session;
    transaction.statements.emplace_back().sql = "INSERT INTO pgbench_history (tid, bid, aid, delta) VALUES (1, 2, 3, 4)";
    for (const Touch& touch : gate_.touches(transaction)) {
        if (touch.object == kDefinitionsObject)
            EXPECT_FALSE(touch.writes);
        else
            EXPECT_EQ(touch.object, "public.pgbench_history");
    }
}

TEST_F(PgStatementGate, TheArgumentsOfExecuteCount) {
    const std::string prepared = "PREPARE p (int, timestamptz) AS INSERT INTO account (id, at) VALUES ($1, $2)";
    EXPECT_TRUE(runs("EXECUTE p(1, '2026-11-20 10:00:00+00')", {}, prepared));
    EXPECT_TRUE(stops("the clock", "EXECUTE p(1, 'now')", {}, prepared));
    EXPECT_TRUE(stops("EXECUTE", "EXECUTE p(1, now())", {}, prepared));
    EXPECT_TRUE(stops("EXECUTE", "EXECUTE p((random() * 5)::int, NULL)", {}, prepared));
    EXPECT_TRUE(stops("the clock", "EXECUTE q('today')", {}, "PREPARE q AS UPDATE account SET at = $1 WHERE id = 1"));
    EXPECT_TRUE(stops("the clock", "EXECUTE q('today')", {}, "PREPARE q(timestamp) AS UPDATE account SET n = 1 WHERE ts < $1"));
    EXPECT_TRUE(refuses("PREPARE", "EXECUTE p(1)"));
}

TEST_F(PgStatementGate, ConstantsOfPreparedStatementsWereReadUnderOtherSettings) {
    settings_ = {{"timezone", "SET timezone = 'Europe/Berlin'"}, {"standard_conforming_strings", "SET standard_conforming_strings = on"}, {"array_nulls", "SET array_nulls = on"}};
    const std::string sql = "INSERT INTO account (id, at) VALUES (1, '2026-11-20 10:00:00')";
    EXPECT_TRUE(runs(sql));
    EXPECT_TRUE(stops("without its zone", "EXECUTE p", {}, "PREPARE p AS " + sql));
    EXPECT_TRUE(refuses("backslash", "EXECUTE p", {}, "PREPARE p AS INSERT INTO log VALUES ('a\\b', 1)"));
    EXPECT_TRUE(runs("EXECUTE p('2026-11-20 10:00:00')", {}, "PREPARE p AS INSERT INTO account (id, at) VALUES (1, $1)"));
    make("CREATE TABLE lists (id int PRIMARY KEY, a text[], j jsonb)");
    EXPECT_TRUE(runs("INSERT INTO lists (id, a) VALUES (1, '{NULL}')"));
    EXPECT_TRUE(stops("array_nulls", "EXECUTE p", {}, "PREPARE p AS INSERT INTO lists (id, a) VALUES (1, '{NULL}')"));
    // A driver that keeps a statement prepares it once, and sets its zone later.
    extended_ = true;
    EXPECT_TRUE(stops("without its zone", sql));
    EXPECT_TRUE(refuses("backslash", "INSERT INTO log VALUES ('a\\b', 1)"));
    EXPECT_TRUE(runs("INSERT INTO account (id, at) VALUES (1, $1)", {"2026-11-20 10:00:00"}));
    EXPECT_TRUE(runs("INSERT INTO account (id, at) VALUES (1, '2026-11-20 10:00:00+01')"));
    extended_ = false;
    // A session keeps the plans of its functions.
    make("CREATE FUNCTION dated() RETURNS int LANGUAGE plpgsql AS $$BEGIN UPDATE account SET at = '2026-11-20 10:00:00' WHERE id = 1; RETURN 1; END$$");
    EXPECT_TRUE(stops("without its zone", "SELECT dated()"));
}

TEST_F(PgStatementGate, WhatNullsMeanIsUpToSettingsThatNoLogHas) {
    all_stop("= NULL", {"UPDATE account SET n = 3 WHERE note = NULL", "UPDATE account SET n = 3 WHERE NULL = note"});
    EXPECT_TRUE(refuses("= NULL", "CREATE VIEW v AS SELECT * FROM account WHERE note = NULL"));
    make("CREATE TABLE lists (id int PRIMARY KEY, a text[], j jsonb)");
    all_stop("array_nulls", {"INSERT INTO lists (id, a) VALUES (1, '{NULL}')", "INSERT INTO account (id, note) VALUES (1, ('{x, null }'::text[])[1])", "UPDATE lists SET a = a || '{a,Null,b}' WHERE id = 1",
                             "INSERT INTO log VALUES (array_to_string('{NULL}', ','), 1)", "UPDATE lists SET a = (SELECT what FROM log WHERE who = 1)::text[] WHERE id = 1"});
    EXPECT_TRUE(stops("array_nulls", "INSERT INTO lists (id, a) VALUES (1, $1)", {"{NULL}"}));
    all_run({"INSERT INTO lists VALUES (1, '{\"NULL\",nullable}', '{\"a\": null, \"b\": [1, null]}')", "INSERT INTO account (id, note) VALUES (1, '{NULL}')", "UPDATE lists SET a = ARRAY[NULL, 'x'] WHERE id = 1"});
}

TEST_F(PgStatementGate, WhatIsPutIntoAViewTakesTheDefaultsOfItsTable) {
    make("CREATE TABLE t (id int PRIMARY KEY, created timestamptz DEFAULT now(), name text); CREATE VIEW v AS SELECT id, name FROM t; CREATE VIEW w AS SELECT id, name AS created FROM t;"
         "CREATE VIEW all_of_it AS SELECT id, created, name FROM t; CREATE VIEW plain AS SELECT id, owner FROM account");
    all_stop("the clock", {"INSERT INTO v VALUES (1, 'x')", "INSERT INTO w (id, created) VALUES (1, 'x')", "UPDATE all_of_it SET created = DEFAULT WHERE id = 1"});
    EXPECT_TRUE(runs("INSERT INTO plain VALUES (1, 'x')"));
    EXPECT_TRUE(runs("UPDATE v SET name = 'x' WHERE id = 1"));
}

TEST_F(PgStatementGate, ANameThatASubqueryGivesIsNoColumnOfThatName) {
    make("CREATE TABLE tot (id int PRIMARY KEY, f float8, n int); CREATE FUNCTION rows_of() RETURNS TABLE (price float8) LANGUAGE sql AS 'SELECT rate FROM account ORDER BY id'");
    all_stop("floating-point", {"WITH x AS (SELECT id, price::float8 AS price FROM account) UPDATE tot SET f = (SELECT sum(price) FROM x) WHERE id = 1",
                                "WITH x AS (SELECT id, price::float8 FROM account) UPDATE tot SET f = (SELECT sum(price) FROM x) WHERE id = 1",
                                "UPDATE tot SET f = (SELECT sum(price) FROM (SELECT price::float8 FROM account) s) WHERE id = 1",
                                "WITH x (id, price) AS (SELECT id, rate FROM account) UPDATE tot SET f = (SELECT sum(price) FROM x) WHERE id = 1",
                                "UPDATE tot SET f = (SELECT sum(price) FROM (SELECT id, rate FROM account) s (id, price)) WHERE id = 1",
                                "UPDATE tot SET f = (SELECT sum(x.price) FROM rows_of() x, account WHERE account.id = 1) WHERE id = 1"});
    all_stop("as text", {"INSERT INTO log SELECT note::text, 1 FROM (SELECT at AS note FROM account) s", "DELETE FROM account WHERE id IN (SELECT id FROM (SELECT id, at AS note FROM account) s WHERE 'x' || note = 'x')"});
    all_run({"INSERT INTO log SELECT n::text, count(*) AS id FROM account GROUP BY n", "UPDATE tot SET n = (SELECT max(n) AS n FROM account) WHERE id = 1", "UPDATE parent SET name = (SELECT n::text FROM account WHERE id = 1) WHERE id = 1",
             "INSERT INTO log SELECT 'n' || g, g FROM generate_series(1, 3) g", "INSERT INTO log SELECT s.owner, s.many FROM (SELECT owner, count(*) AS many FROM account GROUP BY owner) s"});
}

TEST_F(PgStatementGate, VariablesThatAQueryFillsAreTextWhereTheyAreDeclaredSo) {
    make("CREATE FUNCTION told(i int) RETURNS text LANGUAGE plpgsql AS $$DECLARE x text; BEGIN SELECT at INTO STRICT x FROM account WHERE id = i; RETURN x; END$$;"
         "CREATE FUNCTION walked() RETURNS int LANGUAGE plpgsql AS $$DECLARE x text; BEGIN FOR x IN SELECT rate FROM account ORDER BY id LOOP INSERT INTO log VALUES (x, 1); END LOOP; RETURN 1; END$$;"
         "CREATE FUNCTION fields() RETURNS int LANGUAGE plpgsql AS $$DECLARE r record; x text; BEGIN FOR r IN SELECT id, at FROM account ORDER BY id LOOP x := r.at; INSERT INTO log VALUES (x, 1); END LOOP; RETURN 1; END$$;"
         "CREATE FUNCTION returned() RETURNS int LANGUAGE plpgsql AS $$DECLARE x text; BEGIN UPDATE account SET n = 1 WHERE id = 1 RETURNING ts INTO x; INSERT INTO log VALUES (x, 1); RETURN 1; END$$;"
         "CREATE FUNCTION plain(i int) RETURNS int LANGUAGE plpgsql AS $$DECLARE x text; k int; BEGIN SELECT owner, n INTO STRICT x, k FROM account WHERE id = i; INSERT INTO log VALUES (x, k); RETURN k; END$$");
    all_stop("as text", {"INSERT INTO log SELECT told(1), 1", "SELECT walked()", "SELECT fields()", "SELECT returned()"});
    EXPECT_TRUE(runs("SELECT plain(1)"));
}

TEST_F(PgStatementGate, GeneratedColumnsMayGoThroughTheTextOfTheSession) {
    make("CREATE TABLE g (id int PRIMARY KEY, f float8, t text GENERATED ALWAYS AS (f::text) STORED)");
    make("CREATE TABLE implied (id int PRIMARY KEY, f float8, t text GENERATED ALWAYS AS (f) STORED)");
    make("CREATE TABLE fine (id int PRIMARY KEY, a text, n numeric, day date, low text GENERATED ALWAYS AS (lower(a)) STORED, twice numeric GENERATED ALWAYS AS (n * 2) STORED, "
         "label text GENERATED ALWAYS AS (a || n::text) STORED, words tsvector GENERATED ALWAYS AS (to_tsvector('english', a)) STORED, y numeric GENERATED ALWAYS AS (extract(year FROM day)) STORED)");
    all_stop("as text", {"INSERT INTO g (id, f) VALUES (1, 0.1)", "UPDATE g SET f = 0.1 WHERE id = 1", "INSERT INTO implied (id, f) VALUES (1, 0.1)"});
    all_run({"INSERT INTO fine (id, a, n, day) VALUES (1, 'x', 1.5, '2026-11-20')", "UPDATE fine SET a = 'y' WHERE id = 1"});
}

TEST_F(PgStatementGate, FunctionsOfAnyTypeGoThroughTheTextOfTheSession) {
    make("CREATE EXTENSION hstore; CREATE TABLE audit (id int, was hstore); CREATE FUNCTION audits() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit VALUES (NEW.id, hstore(NEW)); RETURN NEW; END$$");
    all_stop("as text", {"INSERT INTO audit SELECT id, hstore(account) FROM account", "INSERT INTO copy SELECT (populate_record(c, 'at=>now')).* FROM account c", "INSERT INTO copy SELECT (c #= 'at=>now').* FROM account c",
                         "DELETE FROM account WHERE quote_literal(at) = 'x'", "DELETE FROM account WHERE 'd' || day = 'd2026-11-20'", "DELETE FROM account WHERE rate || '' = '0.1'"});
    all_run({"INSERT INTO audit VALUES (1, 'a=>1')", "UPDATE audit SET was = was || hstore('a', 'b') WHERE was -> 'a' = '1'", "DELETE FROM audit WHERE was ? 'x'", "UPDATE account SET note = quote_literal(owner) WHERE 'd' || n = 'd1'"});
    make("CREATE TRIGGER a AFTER UPDATE ON account FOR EACH ROW EXECUTE FUNCTION audits()");
    all_stop("as text", {"UPDATE account SET n = 1 WHERE id = 1"});
}

TEST_F(PgStatementGate, AKeyUnderAnotherCollationIsNone) {
    make("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    all_stop("LIMIT", {"INSERT INTO log SELECT note, n FROM account WHERE owner COLLATE nocase = 'a' LIMIT 1", "INSERT INTO log SELECT note, n FROM account WHERE owner = 'a' COLLATE nocase LIMIT 1",
                       "DELETE FROM account WHERE id = (SELECT id FROM account WHERE owner OPERATOR(pg_catalog.=) 'a' LIMIT 1)"});
    EXPECT_TRUE(runs("DELETE FROM account WHERE id = (SELECT id FROM account WHERE owner = 'a' LIMIT 1)"));
    EXPECT_TRUE(runs("INSERT INTO log SELECT string_agg(note, ',' ORDER BY id), 1 FROM account"));
}

TEST_F(PgStatementGate, TextsThatAreDatesOrTimesAreFoundWhereverTheyStand) {
    all_stop("the clock", {"UPDATE account SET n = 1 WHERE at < 'now'", "DELETE FROM account WHERE ts BETWEEN 'yesterday' AND '2026-11-20'", "DELETE FROM account WHERE day IN ('today', '2026-11-20')",
                           "UPDATE account SET at = coalesce(at, 'tomorrow 10:00')", "UPDATE account SET ts = 'now'::text::timestamp", "INSERT INTO account (id, at) SELECT 1, ' Now '", "DELETE FROM account WHERE 'today' = day",
                           "INSERT INTO account (id, day) VALUES (1, CASE WHEN true THEN 'today' END::date)", "DELETE FROM account WHERE daterange(day, day) && '[yesterday,today)'",
                           "DELETE FROM account WHERE day = ANY('{today}')", "DELETE FROM account WHERE at < timestamptz 'now'"});
    EXPECT_TRUE(stops("the clock", "DELETE FROM account WHERE date_part('day', ts - $1) > 3", {"now"}));
    all_stop("depends on the session", {"INSERT INTO account (id, day) VALUES (1, '01/02/2026')", "DELETE FROM account WHERE day < '1.2.2026'", "DELETE FROM account WHERE day < 'Nov 20 2026'",
                                        "UPDATE account SET span = '-1 day 02:00'"});
    all_stop("TimeZone", {"UPDATE account SET at = '2026-11-20 10:00:00' WHERE id = 1", "DELETE FROM account WHERE at < '2026-11-20'", "UPDATE account SET day = at::date", "UPDATE account SET day = at",
                          "UPDATE account SET at = ts", "DELETE FROM account WHERE at < day", "DELETE FROM account WHERE at + '1 day' < '2026-11-20 10:00:00+00'", "UPDATE account SET ts = date_trunc('day', at)",
                          "UPDATE account SET n = extract(hour FROM at)", "INSERT INTO copy (id, ts) SELECT id, at FROM account", "UPDATE account SET ts = at AT TIME ZONE 'UTC', at = day AT TIME ZONE 'UTC'"});
    all_stop("= NULL", {"DELETE FROM account WHERE n = NULL"});
    all_stop("as text", {"UPDATE account SET note = at::text", "UPDATE account SET note = 'since ' || day", "UPDATE account SET note = rate", "INSERT INTO log SELECT ts, id FROM account",
                         "UPDATE account SET note = concat(owner, rate)", "UPDATE feelings SET j = to_jsonb(data)", "INSERT INTO log SELECT s.x::text, 1 FROM (SELECT at AS x FROM account) s"});
    all_stop("read as a date", {"UPDATE account SET at = ('no' || 'w')::timestamptz", "UPDATE account SET day = ('2026-11-' || n)::date", "UPDATE account SET day = (CASE WHEN n = 1 THEN 'epoch' ELSE 'infinity' END)::date",
                                "UPDATE account SET at = note::timestamptz", "UPDATE account SET day = owner::date"});
    EXPECT_TRUE(stops("to_char()", "UPDATE account SET note = to_char(at, 'YYYY')"));
    // With the zone known they are what they were.
    settings_ = {{"timezone", "SET TIME ZONE 'Europe/Berlin'"}};
    all_run({"UPDATE account SET at = '2026-11-20 10:00:00' WHERE id = 1", "UPDATE account SET day = at::date", "DELETE FROM account WHERE at < day", "UPDATE account SET ts = date_trunc('day', at)"});
    EXPECT_TRUE(refuses("takes settings", "RESET timezone"));
    EXPECT_TRUE(refuses("takes settings", "SET timezone TO DEFAULT"));
    EXPECT_TRUE(refuses("takes settings", "RESET ALL"));
}

TEST_F(PgStatementGate, OrdersThatOnlyTheHeapKnowsStop) {
    all_stop("ARRAY(SELECT", {"UPDATE parent SET name = array_to_string(ARRAY(SELECT owner FROM account), ',')"});
    all_stop("total ORDER BY", {"INSERT INTO log SELECT string_agg(owner, ','), 1 FROM account", "INSERT INTO log SELECT string_agg(owner, ',' ORDER BY n), 1 FROM account",
                                "UPDATE feelings SET j = (SELECT jsonb_agg(n) FROM account)", "UPDATE feelings SET j = (SELECT json_object_agg(owner, n) FROM account)"});
    all_run({"INSERT INTO log SELECT string_agg(owner, ',' ORDER BY owner), 1 FROM account", "INSERT INTO log SELECT string_agg(note, ',' ORDER BY id), 1 FROM account"});
    all_stop("WITHIN GROUP", {"UPDATE parent SET name = (SELECT mode() WITHIN GROUP (ORDER BY owner) FROM account)"});
    all_stop("floating-point", {"UPDATE account SET n = (SELECT sum(rate) FROM copy)", "UPDATE account SET n = (SELECT sum(n::float8) FROM copy)", "UPDATE account SET n = (SELECT avg(sqrt(n)) FROM copy)"});
    all_stop("equal values", {"UPDATE account SET price = (SELECT min(price) FROM copy)", "INSERT INTO log SELECT DISTINCT price, 1 FROM account", "INSERT INTO log SELECT price, count(*) FROM account GROUP BY price", "INSERT INTO log SELECT price, n FROM account EXCEPT ALL SELECT price, n FROM copy",
                              "INSERT INTO log (SELECT price, 1 FROM account UNION SELECT price, 2 FROM copy)"});
    all_stop("LIMIT", {"INSERT INTO log SELECT note, n FROM account LIMIT 1", "DELETE FROM nullable WHERE a IN (SELECT a FROM nullable ORDER BY a LIMIT 1)",
                       "INSERT INTO log SELECT owner, n AS id FROM account ORDER BY id LIMIT 1", "WITH account AS (SELECT 1 AS id, owner FROM copy) INSERT INTO log SELECT owner, 1 FROM account ORDER BY id LIMIT 1"});
    all_stop("UPDATE", {"UPDATE account SET owner = p.name FROM parent p WHERE p.id = p.id", "UPDATE account SET note = p.name FROM parent p WHERE id = 5"});
    all_stop("several changes", {"WITH a AS (UPDATE account SET n = 1 WHERE id = 1) UPDATE account SET n = 2 WHERE id = 1"});
    make("CREATE AGGREGATE first_of (text) (SFUNC = textcat, STYPE = text)");
    all_stop("aggregate", {"INSERT INTO log SELECT first_of(owner), 1 FROM account"});
}

TEST_F(PgStatementGate, RoutinesAreLookedIntoWhateverTheyDeclare) {
    make("CREATE FUNCTION lies() RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT random()';"
         "CREATE FUNCTION pick() RETURNS int LANGUAGE plpgsql AS $$DECLARE x int; BEGIN SELECT id INTO x FROM account; RETURN x; END$$;"
         "CREATE FUNCTION pick_key(k int) RETURNS int LANGUAGE plpgsql AS $$DECLARE x int; BEGIN SELECT n INTO x FROM account WHERE id = k; RETURN x; END$$;"
         "CREATE FUNCTION walk() RETURNS int LANGUAGE plpgsql AS $$DECLARE r record; x int := 0; BEGIN FOR r IN SELECT * FROM account LOOP x := x * 2 + r.n; END LOOP; RETURN x; END$$;"
         "CREATE FUNCTION walk_keys() RETURNS int LANGUAGE plpgsql AS $$DECLARE r record; x int := 0; BEGIN FOR r IN SELECT n FROM account ORDER BY id LOOP x := x * 2 + r.n; END LOOP; RETURN x; END$$;"
         "CREATE FUNCTION catches() RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO parent VALUES (1); RETURN 1; EXCEPTION WHEN unique_violation THEN RETURN 0; END$$;"
         "CREATE FUNCTION notes(k int) RETURNS int LANGUAGE plpgsql AS $$BEGIN UPDATE parent SET name = 'x' WHERE id = k; RETURN k; END$$;"
         "CREATE FUNCTION quietly() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('TimeZone', 'UTC', false); END$$;"
         "CREATE FUNCTION seen() RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT count(*) FROM account); END$$;"
         "CREATE FUNCTION tries() RETURNS int LANGUAGE plpgsql AS $$BEGIN IF pg_try_advisory_xact_lock(1) THEN INSERT INTO log VALUES ('x', 1); END IF; RETURN 1; END$$;"
         "CREATE FUNCTION locks() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(1); INSERT INTO log VALUES ('x', 1); RETURN 1; END$$;");
    all_stop("random()", {"UPDATE account SET rate = lies()"});
    all_stop("first", {"UPDATE account SET n = pick() WHERE id = 1", "UPDATE account SET n = walk() WHERE id = 1"});
    all_run({"UPDATE account SET n = pick_key(3) WHERE id = 1", "UPDATE account SET n = walk_keys() WHERE id = 1", "SELECT locks()", "SELECT notes(1)"});
    all_stop("catches errors", {"SELECT catches()"});
    make("CREATE FUNCTION spells() RETURNS int LANGUAGE plpgsql AS $$DECLARE v timestamptz; BEGIN v := 'no' || 'w'; UPDATE account SET at = v; RETURN 1; END$$;"
         "CREATE FUNCTION spells_late() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RETURN 'no' || 'w'; END$$;"
         "CREATE FUNCTION turns() RETURNS int LANGUAGE plpgsql AS $$DECLARE v date; BEGIN v := (SELECT at FROM account WHERE id = 1); UPDATE account SET day = v; RETURN 1; END$$;"
         "CREATE FUNCTION reads() RETURNS int LANGUAGE plpgsql AS $$DECLARE v timestamp; BEGIN SELECT note INTO v FROM account WHERE id = 1; UPDATE account SET ts = v; RETURN 1; END$$;"
         "CREATE FUNCTION casts() RETURNS date LANGUAGE sql AS $$SELECT at FROM account WHERE id = 1$$;"
         "CREATE FUNCTION given(t timestamptz DEFAULT now()) RETURNS timestamptz LANGUAGE sql AS $$SELECT t$$;"
         "CREATE FUNCTION adds_up(a int) RETURNS int LANGUAGE plpgsql AS $$DECLARE x int := a; y numeric := 2.5; t text; BEGIN x := x + 1; t := 'n' || x; UPDATE parent SET name = t WHERE id = x; RETURN x; END$$");
    all_stop("date or", {"SELECT spells()", "UPDATE account SET at = spells_late() WHERE id = 1", "SELECT reads()"});
    all_stop("TimeZone", {"SELECT turns()", "UPDATE account SET day = casts() WHERE id = 1"});
    all_stop("the clock (now())", {"UPDATE account SET at = given() WHERE id = 1"});
    EXPECT_TRUE(runs("SELECT adds_up(3)"));
    all_stop("order of the rows", {"SELECT notes(id) FROM account", "UPDATE account SET n = seen()"});
    all_stop("pg_try_advisory", {"SELECT tries()"});
    EXPECT_TRUE(refuses("settings", "INSERT INTO log SELECT 'x', 1 FROM quietly()"));
    EXPECT_TRUE(skips("SELECT quietly()"));
    EXPECT_TRUE(refuses("set_config", "DELETE FROM log"));
}

TEST_F(PgStatementGate, SideEffectsAreFoundWhereverTheyHide) {
    make("CREATE FUNCTION adds() RETURNS int LANGUAGE sql AS $$INSERT INTO log VALUES ('x', 1) RETURNING 1$$; CREATE VIEW adding AS SELECT adds() AS n");
    EXPECT_TRUE(runs("SELECT adds()"));
    EXPECT_TRUE(runs("SELECT * FROM adding"));
    EXPECT_TRUE(runs("EXPLAIN ANALYZE SELECT adds()"));
    EXPECT_TRUE(refuses("cursor", "DECLARE c CURSOR FOR SELECT adds()"));
    EXPECT_TRUE(refuses("cursor", "DECLARE c CURSOR FOR SELECT * FROM adding"));
    EXPECT_TRUE(refuses("COPY", "COPY (SELECT adds()) TO STDOUT"));
    EXPECT_TRUE(skips("DECLARE c CURSOR FOR SELECT * FROM account"));
    EXPECT_TRUE(skips("COPY (SELECT * FROM account) TO STDOUT"));
    EXPECT_TRUE(refuses("outlives", "SELECT * INTO TEMP t FROM account"));
    EXPECT_TRUE(refuses("outlives", "CREATE TEMP TABLE t AS SELECT * FROM account"));
    EXPECT_TRUE(refuses("outlives", "CREATE TABLE pg_temp.t (id int)"));
    EXPECT_TRUE(refuses("clock", "CREATE TABLE t AS SELECT now() AS at"));
    EXPECT_TRUE(stops("random()", "DELETE FROM account WHERE id = 1 AND random() < 2 RETURNING *"));
    EXPECT_TRUE(runs("DELETE FROM account WHERE id = 1 RETURNING now()"));
}

TEST_F(PgStatementGate, TriggersSeeTheRowsInAnOrder) {
    make("CREATE FUNCTION totals() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := (SELECT count(*) FROM account); RETURN NEW; END$$;"
         "CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (NEW.owner, NEW.id); RETURN NEW; END$$;"
         "CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE parent SET name = NEW.owner WHERE id = NEW.parent; RETURN NEW; END$$;"
         "CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := TG_RELID::int; RETURN NEW; END$$;"
         "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION logs()");
    all_run({"INSERT INTO account (id) VALUES (1), (2)", "UPDATE account SET n = 1 WHERE note = 'x'"});
    make("CREATE TRIGGER b BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION totals()");
    make("CREATE TRIGGER only_changes BEFORE UPDATE ON account FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION logs()");
    EXPECT_TRUE(runs("INSERT INTO account (id) VALUES (1)"));
    EXPECT_TRUE(runs("UPDATE account SET note = 'x' WHERE id = 1"));
    all_stop("order of the rows", {"UPDATE account SET n = 1 WHERE note = 'x'", "INSERT INTO account SELECT * FROM copy"});
    make("DROP TRIGGER b ON account; CREATE TRIGGER c AFTER INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION moves()");
    EXPECT_TRUE(runs("UPDATE account SET note = 'x' WHERE id = 1"));
    all_stop("order in which", {"UPDATE account SET n = 1 WHERE note = 'x'"});
    make("DROP TRIGGER c ON account; CREATE CONSTRAINT TRIGGER d AFTER INSERT ON account DEFERRABLE FOR EACH ROW EXECUTE FUNCTION logs()");
    all_stop("wait for the commit", {"INSERT INTO account (id) VALUES (1)"});
    make("DROP TRIGGER d ON account; CREATE TRIGGER e BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION number()");
    all_stop("tg_relid", {"INSERT INTO account (id) VALUES (1)"});
}

TEST_F(PgStatementGate, ChecksDomainsAndGeneratedColumnsRunFunctionsToo) {
    make("CREATE FUNCTION odd(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + (random() * 3)::int'; CREATE TABLE made (id int PRIMARY KEY, g int GENERATED ALWAYS AS (odd(id)) STORED);"
         "CREATE TABLE checked (id int PRIMARY KEY CHECK (odd(id) > 0)); CREATE DOMAIN small AS int DEFAULT floor(random() * 3)::int; CREATE DOMAIN fine AS int CHECK (odd(VALUE) > 0); CREATE TABLE domains (id int, d fine);"
         "CREATE TABLE indexed (id int); CREATE INDEX ON indexed (odd(id))");
    for (const char* table : {"made", "checked", "domains", "indexed"}) EXPECT_TRUE(stops("random()", std::string{"INSERT INTO "} + table + " (id) VALUES (1)"));
    EXPECT_TRUE(stops("random()", "ALTER TABLE account ADD COLUMN s small"));
}

TEST_F(PgStatementGate, NewColumnsThatNumberExistingRowsStop) {
    all_stop("numbered", {"ALTER TABLE account ADD COLUMN k serial", "ALTER TABLE account ADD COLUMN k int GENERATED ALWAYS AS IDENTITY"});
    all_stop("", {"ALTER TABLE account ADD COLUMN k int DEFAULT (random() * 5)::int", "ALTER TABLE account ALTER COLUMN ts TYPE timestamptz", "ALTER TABLE account ALTER COLUMN note TYPE date USING note::date",
                  "ALTER TABLE account ALTER COLUMN at TYPE text"});
    // A default is read when it is given, and stays so.
    for (const char* sql : {"CREATE TABLE t (at timestamptz DEFAULT 'now')", "ALTER TABLE account ALTER COLUMN at SET DEFAULT 'today'", "ALTER TABLE account ADD COLUMN z timestamptz DEFAULT '2026-11-20 10:00'",
                            "CREATE VIEW v AS SELECT * FROM account WHERE at > 'now'"})
        EXPECT_EQ(judge(sql).fate == Fate::refused || judge(sql).fate == Fate::undetermined, true) << sql;
    EXPECT_TRUE(runs("ALTER TABLE account ADD COLUMN c int DEFAULT 5 CHECK (c > 0)"));
    make("CREATE TABLE by_day (id int, at date) PARTITION BY RANGE (at); CREATE TABLE by_time (id int, at timestamptz) PARTITION BY RANGE (at)");
    EXPECT_TRUE(runs("CREATE TABLE november PARTITION OF by_day FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"));
    EXPECT_TRUE(refuses("constant", "CREATE TABLE november PARTITION OF by_time FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"));
    EXPECT_TRUE(runs("CREATE TABLE november PARTITION OF by_time FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')"));
    EXPECT_TRUE(refuses("event trigger", "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()"));
    make("CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION seen()");
    EXPECT_TRUE(refuses("event trigger", "CREATE TABLE t (id int)"));
}

TEST_F(PgStatementGate, SettingsThatChangeWhatStatementsMeanStop) {
    EXPECT_TRUE(refuses("backslash", "INSERT INTO log VALUES ('a\\b', 1)"));
    EXPECT_TRUE(runs("INSERT INTO log VALUES (E'a\\b', 1)"));
    EXPECT_TRUE(runs("INSERT INTO log VALUES ($1, 1)", {"a\\b"}));
    EXPECT_TRUE(refuses("string constants", "SET standard_conforming_strings = off"));
    EXPECT_TRUE(refuses("triggers", "SET session_replication_role = replica"));
    EXPECT_TRUE(refuses("later", "ALTER ROLE postgres SET timezone = 'UTC'"));
    EXPECT_TRUE(refuses("later", "ALTER DATABASE x RESET ALL"));
    EXPECT_TRUE(skips("ALTER ROLE postgres SET work_mem = '1GB'"));
    settings_ = {{"session_replication_role", "SET session_replication_role TO replica"}};
    EXPECT_TRUE(refuses("triggers", "DELETE FROM log"));
    settings_ = {{"standard_conforming_strings", "SET standard_conforming_strings TO off"}};
    EXPECT_TRUE(refuses("string constants", "DELETE FROM log"));
    settings_ = {{"standard_conforming_strings", "SET standard_conforming_strings TO on"}};
    EXPECT_TRUE(runs("INSERT INTO log VALUES ('a\\b', 1)"));
    settings_ = {};
    make("CREATE SCHEMA other; CREATE TABLE other.log (what text, who int); CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'");
    EXPECT_TRUE(refuses("several schemas", "DELETE FROM log"));
    EXPECT_TRUE(refuses("several schemas", "UPDATE account SET n = f()"));
    settings_ = {{"search_path", "SET search_path TO \"$user\", other"}};
    EXPECT_TRUE(refuses("several schemas", "DELETE FROM log"));
    settings_ = {{"search_path", "SET search_path TO other, public"}};
    EXPECT_TRUE(runs("DELETE FROM log"));
    EXPECT_TRUE(runs("UPDATE account SET n = f()"));
    settings_ = {};
    // Whose schema comes first, only the connection knows.
    for (const char* sql : {"CREATE TABLE t (id int)", "DROP TABLE log", "CREATE VIEW other.v AS SELECT * FROM log", "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f()"})
        EXPECT_TRUE(refuses("several schemas", sql));
    for (const char* sql : {"CREATE TABLE public.t (id int)", "DROP TABLE other.log", "CREATE VIEW other.v AS SELECT * FROM account", "CREATE INDEX ON other.log (who)", "DROP FUNCTION other.f()",
                            "DROP TRIGGER x ON public.account", "CREATE SCHEMA third", "ALTER TABLE public.account RENAME COLUMN n TO m"})
        EXPECT_TRUE(runs(sql));
    EXPECT_TRUE(runs("SELECT set_config('search_path', 'other', true)"));
    EXPECT_TRUE(skips("SELECT set_config('session_replication_role', 'replica', true)"));
    EXPECT_TRUE(refuses("set_config", "CREATE TABLE public.t (id int)"));
}

TEST_F(PgStatementGate, DefaultsAreFoundWhereverTheyAreAskedFor) {
    make("CREATE TABLE d (id int PRIMARY KEY, k int DEFAULT (random() * 5)::int, z int GENERATED BY DEFAULT AS IDENTITY, f int DEFAULT 3, m text); CREATE TABLE child (id int PRIMARY KEY, d int DEFAULT (random() * 3)::int "
         "REFERENCES d ON DELETE SET DEFAULT)");
    all_stop("", {"INSERT INTO d (id) VALUES (1)", "INSERT INTO d DEFAULT VALUES", "INSERT INTO d VALUES (1, DEFAULT, 3)", "INSERT INTO d VALUES (1, 2)", "INSERT INTO d OVERRIDING USER VALUE VALUES (1, 2, 3, 4)",
                  "UPDATE d SET k = DEFAULT", "UPDATE d SET (f, k) = (1, DEFAULT)", "INSERT INTO d VALUES (1, 2, 3) ON CONFLICT (id) DO UPDATE SET k = DEFAULT", "DELETE FROM d WHERE id = 1",
                  "MERGE INTO d USING account a ON a.id = d.id WHEN NOT MATCHED THEN INSERT VALUES (a.id, DEFAULT, 1)"});
    all_run({"INSERT INTO d VALUES (1, 2, 3)", "UPDATE d SET f = DEFAULT", "UPDATE d SET (f, k) = (DEFAULT, 1)"});
    EXPECT_TRUE(runs("INSERT INTO account (id, at, note) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET at = $2, note = $3", {"1", "2026-11-20 10:00:00+00", "came at 10:00, today"}));
    EXPECT_TRUE(stops("the clock", "INSERT INTO account (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET at = $2", {"1", "now"}));
    EXPECT_TRUE(stops("TimeZone", "DELETE FROM account WHERE at < $1 - interval '1 day'", {"2026-11-20 10:00:00+00"}));
}

TEST_F(PgStatementGate, WhatTriggersMayMoveIsTheWholeTable) {
    const auto keys = [&](const std::string& sql) {
        LoggedTransaction transaction;
        auto session = std::make_shared<LoggedSession>();
        session->id = "1.1";
        transaction.session = session;
        transaction.statements.emplace_back().sql = sql;
        std::string all;
        for (const Touch& touch : gate_.touches(transaction))
            if (touch.object != kDefinitionsObject) all += touch.object + ":" + touch.value + " ";
        return all;
    };
    EXPECT_EQ(keys("UPDATE feelings SET m = 'ok' WHERE id = 7"), "public.feelings:1:7 ");
    EXPECT_EQ(keys("INSERT INTO feelings VALUES (7)"), "public.feelings:1:7 ");
    make("CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := 3; RETURN NEW; END'; CREATE TRIGGER a BEFORE INSERT OR UPDATE ON feelings FOR EACH ROW EXECUTE FUNCTION moves()");
    EXPECT_EQ(keys("UPDATE feelings SET m = 'ok' WHERE id = 7"), "public.feelings: ");
    EXPECT_EQ(keys("INSERT INTO feelings VALUES (7)"), "public.feelings: ");
    EXPECT_EQ(keys("DELETE FROM feelings WHERE id = 7"), "public.feelings:1:7 ");
}

TEST_F(PgStatementGate, DefinitionsAndTruncateHaveAnOrderWithEverythingElse) {
    const auto touched = [&](const std::string& sql) {
        LoggedTransaction transaction;
        auto session = std::make_shared<LoggedSession>();
        session->id = "1.1";
        transaction.session = session;
        transaction.statements.emplace_back().sql = sql;
        std::set<std::string> all;
        for (const Touch& touch : gate_.touches(transaction)) all.insert((touch.writes ? "writes " : "reads ") + touch.object);
        return all;
    };
    const std::string defines = std::string{"writes "} + kDefinitionsObject, depends = std::string{"reads "} + kDefinitionsObject;
    EXPECT_TRUE(touched("TRUNCATE parent CASCADE").contains("writes public.account"));
    EXPECT_TRUE(touched("TRUNCATE log").contains("writes public.log"));
    for (const char* sql : {"INSERT INTO log VALUES ('x', 1)", "DELETE FROM account WHERE id = 1", "TRUNCATE log"}) {
        EXPECT_TRUE(touched(sql).contains(depends)) << sql;
        EXPECT_FALSE(touched(sql).contains(defines)) << sql;
    }
    make("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER old BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION f(); CREATE DOMAIN dom AS int");
    for (const char* sql : {"CREATE TRIGGER a BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION f()", "DROP TRIGGER old ON log", "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
                            "CREATE RULE r AS ON INSERT TO log DO INSTEAD NOTHING", "ALTER DOMAIN dom SET DEFAULT 1", "CREATE OR REPLACE VIEW v AS SELECT * FROM log", "DROP TABLE copy", "ALTER TABLE copy RENAME TO copied",
                            "CREATE UNIQUE INDEX ON log (who)", "ALTER TABLE log ADD COLUMN more int"})
        EXPECT_TRUE(touched(sql).contains(defines)) << sql;
    // Who needs a new table names it; an index holds nobody off.
    EXPECT_EQ(touched("CREATE TABLE fresh (id int PRIMARY KEY)"), (std::set<std::string>{depends, "writes (table) fresh"}));
    EXPECT_TRUE(touched("INSERT INTO fresh VALUES (1)").contains("reads (table) fresh"));
    EXPECT_EQ(touched("CREATE INDEX ON log (who)"), (std::set<std::string>{depends}));
    EXPECT_FALSE(touched("CREATE TABLE IF NOT EXISTS log (what text)").contains(defines));
    const std::uint64_t before = gate_.generation();
    gate_.forget();
    EXPECT_GT(gate_.generation(), before) << "what was said before a definition does not hold behind it";
}

TEST_F(PgStatementGate, WhatTheLogDoesNotShowOfLaterSessionsIsRefused) {
    for (const char* sql : {"ALTER ROLE postgres SET log_statement = 'none'", "ALTER DATABASE x SET default_transaction_isolation = 'repeatable read'", "ALTER ROLE postgres SET lc_monetary = 'C'",
                            "ALTER SYSTEM SET log_min_messages = 'panic'", "ALTER SYSTEM RESET ALL", "ALTER ROLE ALL RESET ALL"})
        EXPECT_TRUE(refuses("later", sql));
    for (const char* sql : {"ALTER ROLE postgres SET statement_timeout = '5s'", "ALTER SYSTEM SET max_wal_size = '4GB'", "ALTER DATABASE x SET enable_seqscan = off"}) EXPECT_TRUE(skips(sql));
    EXPECT_TRUE(refuses("subscription", "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p"));
    EXPECT_TRUE(refuses("subscription", "ALTER SUBSCRIPTION s ENABLE"));
    EXPECT_TRUE(skips("DROP SUBSCRIPTION s"));
    EXPECT_TRUE(refuses("version", "CREATE EXTENSION hstore"));
    EXPECT_TRUE(refuses("version", "ALTER EXTENSION hstore UPDATE"));
    EXPECT_TRUE(runs("CREATE EXTENSION hstore VERSION '1.8'"));
    for (const char* name : {"log_statement", "Log_Min_Messages", "transaction_isolation", "session_authorization", "log_parameter_max_length"})
        EXPECT_TRUE(refuses("on which the log depends", std::string{"SELECT set_config('"} + name + "', 'x', true)"));
    EXPECT_TRUE(refuses("on which the log depends", "SELECT set_config($1, 'none', true)", {"log_statement"}));
    EXPECT_TRUE(refuses("does not say which", "SELECT set_config(what, 'none', true) FROM log"));
    EXPECT_TRUE(skips("SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'"));
    EXPECT_TRUE(refuses("on which the log depends", "SELECT set_config(name, 'none', false) FROM pg_settings WHERE name = 'log_statement'"));
    EXPECT_TRUE(runs("SELECT set_config('app.tenant', $1, true)", {"7"}));
}

TEST_F(PgStatementGate, TemporaryObjectsWithoutTheWordAreRefused) {
    EXPECT_TRUE(refuses("pg_temp", "SET search_path = pg_temp, public"));
    for (const char* sql : {"CREATE TYPE pg_temp.t AS ENUM ('a')", "CREATE DOMAIN pg_temp.d AS int", "CREATE SEQUENCE pg_temp.s"}) EXPECT_TRUE(refuses("outlives", sql));
    settings_ = {{"search_path", "SET search_path TO pg_temp, public"}};
    EXPECT_TRUE(refuses("pg_temp", "CREATE TABLE account2 (id int)"));
    EXPECT_TRUE(refuses("pg_temp", "DELETE FROM log"));
}

TEST_F(PgStatementGate, NumbersOfObjectsAndMaterializedViewsStop) {
    all_stop("", {"UPDATE account SET n = 'account'::regclass::oid::int", "INSERT INTO log SELECT tableoid::text, 1 FROM account", "INSERT INTO log SELECT relname, 1 FROM pg_class"});
    make("CREATE MATERIALIZED VIEW stale AS SELECT * FROM account");
    all_stop("materialized", {"INSERT INTO copy SELECT * FROM stale", "DELETE FROM account WHERE id IN (SELECT id FROM stale)"});
    EXPECT_TRUE(skips("REFRESH MATERIALIZED VIEW stale"));
}

}  // namespace
}  // namespace rowferry
