// What a PostgreSQL follower looks like after rowferry made it: compared by pg_dump, and by rows that go on streaming into it.

#include <set>
#include <sstream>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

/// The statements of `pg_dump --schema-only`, each in one line, without what no follower has.
std::set<std::string> schema_of(const Database& database, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments{PgCluster::program("pg_dump"), "--schema-only", "--no-owner", "--no-privileges", "--no-publications",
                                       "--exclude-schema=rowferry", "-d", database.uri()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::set<std::string> statements;
    std::istringstream in{outcome.out};
    std::string statement;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line.starts_with("--") || line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config") || line.starts_with("\\")) continue;
        statement += (statement.empty() ? "" : " ") + line;
        if (!line.ends_with(';')) continue;
        // The event triggers that report shape changes are the stream's own.
        if (statement.find("EVENT TRIGGER rowferry_") == std::string::npos) statements.insert(statement);
        statement.clear();
    }
    return statements;
}

/// Statements that only one of the two has.
std::string difference(const std::set<std::string>& leader, const std::set<std::string>& follower) {
    std::string text;
    for (const std::string& statement : leader)
        if (!follower.contains(statement)) text += "only the leader: " + statement + "\n";
    for (const std::string& statement : follower)
        if (!leader.contains(statement)) text += "only the follower: " + statement + "\n";
    return text;
}

class PgSchemaTest : public StreamTest {
protected:
    Database leader_ = Database::postgresql(PgCluster::shared(), "schema_leader");
    Database follower_ = Database::postgresql(PgCluster::shared(), "schema_follower");

    RowferryResult run(const std::vector<std::string>& options = {}) { return run_until_current(leader_, follower_, options); }
    void expect_same_schema() { EXPECT_EQ(difference(schema_of(leader_), schema_of(follower_)), ""); }
    /// Copies, compares, writes more, follows, compares again.
    void replicate(const std::string& more, const std::vector<std::string>& options = {}) {
        ASSERT_TRUE(ended(run(options), 0));
        ASSERT_TRUE(same_rows(leader_, follower_));
        leader_.exec(more);
        ASSERT_TRUE(ended(run(options), 0));
        ASSERT_TRUE(same_rows(leader_, follower_));
    }
};

TEST_F(PgSchemaTest, TypesDefaultsGeneratedColumnsChecksIndexesAndComments) {
    leader_.exec(R"(
CREATE EXTENSION hstore; CREATE EXTENSION btree_gist; CREATE EXTENSION citext; CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Odd ""Schema"; CREATE SCHEMA types;
CREATE TYPE types.mood AS ENUM ('sad', 'it''s ok', '');
CREATE DOMAIN types.year AS integer DEFAULT 2000 CONSTRAINT year_check CHECK (VALUE BETWEEN 1901 AND 2155);
CREATE DOMAIN types.leap AS types.year NOT NULL CHECK (VALUE % 4 = 0);
CREATE TYPE types."Pair" AS (a types.mood, "B b" text COLLATE "C", c types.leap[]);
CREATE TYPE types.nest AS (p types."Pair", q numeric(10,2)[]);
CREATE TYPE types.floats AS RANGE (SUBTYPE = double precision, MULTIRANGE_TYPE_NAME = types.many_floats);
CREATE TABLE types.everything (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5 MINVALUE 10 MAXVALUE 100000 CYCLE),
  m types.mood DEFAULT 'sad', y types.year, l types.leap, p types."Pair", n types.nest[], f types.floats, ff types.many_floats, h public.hstore, c public.citext,
  t text DEFAULT 'a''b' || chr(10) NOT NULL, at timestamptz DEFAULT now(), d date DEFAULT CURRENT_DATE, u uuid DEFAULT gen_random_uuid(),
  j jsonb DEFAULT '{"a": [1]}'::jsonb, a integer[] DEFAULT ARRAY[1, 2], price numeric(10,2) DEFAULT 0.10,
  gross numeric GENERATED ALWAYS AS (price * 1.19) STORED, words tsvector GENERATED ALWAYS AS (to_tsvector('english', t)) STORED,
  s text COLLATE "C", during tsrange,
  CONSTRAINT everything_key PRIMARY KEY (id), CONSTRAINT price_ok CHECK (price >= 0 AND price < 1000), CHECK (t <> s) NO INHERIT,
  CONSTRAINT apart EXCLUDE USING gist ((c::text) WITH =, during WITH &&));
ALTER TABLE types.everything ADD CONSTRAINT old_ones CHECK (length(t) < 50) NOT VALID;
CREATE INDEX by_lower ON types.everything (lower(t) COLLATE "C" text_pattern_ops DESC NULLS LAST, s);
CREATE UNIQUE INDEX one_sad ON types.everything (t) WHERE m = 'sad';
CREATE UNIQUE INDEX by_pair ON types.everything (y, s) INCLUDE (price) NULLS NOT DISTINCT;
CREATE INDEX by_word ON types.everything USING gin (words); CREATE INDEX by_json ON types.everything USING gin (j jsonb_path_ops) WITH (fastupdate='off');
CREATE INDEX by_trigram ON types.everything USING gin (t public.gin_trgm_ops);
CREATE INDEX by_time ON types.everything USING brin (at) WITH (pages_per_range='32'); CREATE INDEX by_hash ON types.everything USING hash (u);
CREATE INDEX by_gross ON types.everything (gross);
COMMENT ON TABLE types.everything IS 'all; of ''it'''; COMMENT ON COLUMN types.everything.gross IS 'with tax'; COMMENT ON COLUMN types.everything.t IS 'text';
CREATE TABLE "Odd ""Schema"."odd; table" ("the ""id""" integer GENERATED BY DEFAULT AS IDENTITY, e bigint, "2" text,
  CONSTRAINT "odd pk" PRIMARY KEY ("the ""id""", "2"), CONSTRAINT "odd fk" FOREIGN KEY (e) REFERENCES types.everything ON UPDATE CASCADE ON DELETE SET NULL
  DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "odd unique" UNIQUE ("2", e) DEFERRABLE);
CREATE INDEX "odd index" ON "Odd ""Schema"."odd; table" (e DESC, "2");
INSERT INTO types.everything (m, y, l, p, n, f, ff, h, c, t, during) VALUES
  ('it''s ok', 1999, 2000, ROW('sad', 'x', '{2004,2008}'), ARRAY[ROW(ROW('', 'y', '{}'), '{1.10}')::types.nest], '[1.5,2)', '{[1,2),[3,4]}', 'a=>1,b=>NULL', 'Cit', 'one', '[2020-01-01,2020-02-01)'),
  ('sad', NULL, 2004, NULL, '{}', 'empty', '{}', '', 'cit', 'two', '[2020-02-01,2020-03-01)');
INSERT INTO "Odd ""Schema"."odd; table" VALUES (1, 100, 'x'), (2, NULL, 'y'))");
    replicate(R"(
INSERT INTO types.everything (m, l, s, p, c, t, during) SELECT 'it''s ok', 2000, 's' || g, ROW('sad', g::text, NULL)::text::types."Pair", 'k' || g, 'text ' || g, '[2021-01-01,2021-02-01)' FROM generate_series(1, 50) g;
BEGIN; UPDATE types.everything SET during = '[2022-01-01,2022-02-01)' WHERE c = 'k1'; UPDATE types.everything SET c = 'k1' WHERE c = 'k2'; COMMIT;
UPDATE types.everything SET y = 1950, p.a = 'it''s ok' WHERE id > 200; DELETE FROM types.everything WHERE c = 'k7';
INSERT INTO "Odd ""Schema"."odd; table" (e, "2") VALUES (105, 'z'))");
    expect_same_schema();
    // Once more from the start: what is there is found to fit.
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    ASSERT_TRUE(ended(run({"--on-existing", "truncate"}), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    expect_same_schema();
}

TEST_F(PgSchemaTest, PartitionsStayPartitions) {
    leader_.exec(R"(
CREATE SCHEMA parts; CREATE TABLE person (id int PRIMARY KEY);
CREATE TABLE log (id bigint GENERATED BY DEFAULT AS IDENTITY, day date NOT NULL, region text NOT NULL, person int REFERENCES person, note text DEFAULT 'none',
  CONSTRAINT log_key PRIMARY KEY (id, day, region), CONSTRAINT sane CHECK (id > 0)) PARTITION BY RANGE (day);
CREATE INDEX log_by_person ON log (person); CREATE INDEX log_by_note ON log (lower(note)) WHERE note IS NOT NULL;
CREATE TABLE parts.log_2020 PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2021-01-01');
CREATE TABLE parts.log_2021 PARTITION OF log FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (region);
CREATE TABLE parts.log_2021_eu PARTITION OF parts.log_2021 FOR VALUES IN ('eu', 'uk');
CREATE TABLE parts.log_2021_rest PARTITION OF parts.log_2021 DEFAULT;
CREATE TABLE "Later" (note text, region text NOT NULL, person int, day date NOT NULL, id bigint NOT NULL, CONSTRAINT sane CHECK (id > 0));
ALTER TABLE "Later" ALTER note SET DEFAULT 'none';
ALTER TABLE log ATTACH PARTITION "Later" FOR VALUES FROM ('2022-01-01') TO (MAXVALUE);
CREATE INDEX only_here ON "Later" (region DESC); ALTER TABLE "Later" ADD CONSTRAINT here CHECK (region <> '');
CREATE TABLE hashed (a int, b text, PRIMARY KEY (b, a)) PARTITION BY HASH (b, a);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
COMMENT ON TABLE log IS 'the root';
INSERT INTO person SELECT generate_series(1, 5);
INSERT INTO log (day, region, person) SELECT '2019-12-01'::date + g * 10, (ARRAY['eu', 'us', 'uk'])[1 + g % 3], 1 + g % 5 FROM generate_series(1, 150) g;
INSERT INTO hashed SELECT g, 'h' || g FROM generate_series(1, 40) g)");
    replicate("UPDATE log SET day = day + 200 WHERE id % 3 = 0; DELETE FROM log WHERE id % 7 = 0; INSERT INTO log (day, region) VALUES ('2021-06-06', 'jp');"
              "UPDATE hashed SET a = a + 100");
    expect_same_schema();
    for (const char* query : {"SELECT count(*) || ' ' || sum(hashtext(log::text)) FROM log", "SELECT count(*) || ' ' || sum(hashtext(hashed::text)) FROM hashed"})
        EXPECT_EQ(follower_.value(query), leader_.value(query));
    EXPECT_EQ(follower_.value("INSERT INTO log (day, region) VALUES ('2021-01-01', 'eu') RETURNING id"),
              leader_.value("SELECT last_value + 1 - 1 FROM log_id_seq"))
        << "primed when it was copied: the row that came in later has the same number";
    leader_.exec("TRUNCATE person CASCADE");
    ASSERT_TRUE(ended(run(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(follower_.value("SELECT count(*) FROM log"), "0");
    // A second copy empties what the first one made, foreign key of the root and all.
    leader_.exec("INSERT INTO person VALUES (1); INSERT INTO log (day, region, person) VALUES ('2021-06-06', 'jp', 1)");
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    ASSERT_TRUE(ended(run({"--on-existing", "truncate"}), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    expect_same_schema();
}

TEST_F(PgSchemaTest, WhatNoFollowerGetsIsListed) {
    leader_.exec(R"(
CREATE TABLE t (id int PRIMARY KEY, s text); CREATE VIEW v AS SELECT 1 AS one; CREATE SEQUENCE free; CREATE EXTENSION hstore;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE nothing AS ON INSERT TO t WHERE NEW.id < 0 DO INSTEAD NOTHING; CREATE POLICY pol ON t USING (true); CREATE UNLOGGED TABLE u (a int))");
    const RowferryResult result = run();
    ASSERT_TRUE(ended(result, 0));
    for (const char* line : {"public.v is a view: not replicated", "public.u is an unlogged table: not replicated", "function public.touch: not carried",
                             "trigger tr of public.t: not carried", "rule nothing of public.t: not carried", "policy pol of public.t: not carried",
                             "sequence public.free: not carried"})
        EXPECT_NE(result.err.find(line), std::string::npos) << line << "\n" << result.err;
    EXPECT_EQ(result.err.find("hstore"), std::string::npos) << "what an extension brings is not listed";
}

/// Small print of keys and ranges that a follower's own schema does not have: said, not dropped.
TEST_F(PgSchemaTest, SmallPrintThatIsNotCarriedIsListed) {
    leader_.exec(R"(
CREATE TABLE parent (a int, b int, x text, PRIMARY KEY (a, b) INCLUDE (x));
CREATE TABLE child (id serial PRIMARY KEY, a int, b int, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parent MATCH FULL ON DELETE SET NULL);
CREATE TABLE other (id int PRIMARY KEY, a int NOT NULL, b int, CONSTRAINT fk_set FOREIGN KEY (a, b) REFERENCES parent ON DELETE SET NULL (b));
CREATE TYPE floats AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE r (id bigserial PRIMARY KEY, f floats); INSERT INTO parent VALUES (1, 1, 'x'), (2, 2, 'y'); INSERT INTO child (a, b) VALUES (1, 1), (2, 2);
INSERT INTO other VALUES (1, 1, 1); INSERT INTO r VALUES (9223372036854775807, '[1,2)'); SELECT setval('r_id_seq', 9223372036854775807);
SELECT setval('child_id_seq', 2147483647))");
    const RowferryResult result = run();
    ASSERT_TRUE(ended(result, 0));
    for (const char* line : {"INCLUDE of the primary key", "MATCH FULL of foreign key fk", "ON DELETE SET NULL (b) of foreign key fk_set", "the subtype_diff of the range public.floats"})
        EXPECT_NE(result.err.find(line), std::string::npos) << line << "\n" << result.err;
    leader_.exec("DELETE FROM parent WHERE a = 1");
    ASSERT_TRUE(ended(run(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    // What has no next number on the leader has none on the follower either.
    EXPECT_FALSE(PgConnection{follower_.uri()}.try_exec("INSERT INTO r (f) VALUES ('[3,4)')"));
    EXPECT_FALSE(PgConnection{follower_.uri()}.try_exec("INSERT INTO child (a) VALUES (NULL), (NULL)"));
}

TEST_F(PgSchemaTest, PartitionsThatAreLeftOutBesideOthersAreListed) {
    leader_.exec(R"(
CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); CREATE TABLE q (k int PRIMARY KEY) PARTITION BY LIST (k); CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
INSERT INTO p VALUES (1, 1), (2, 2))");
    const RowferryResult result = run({"--table", "p1"});
    ASSERT_TRUE(ended(result, 0));
    EXPECT_NE(result.err.find("public.p2 is a partition of public.p and not selected"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("q1"), std::string::npos) << result.err;
    const Database whole = Database::postgresql(PgCluster::shared(), "schema_whole");
    EXPECT_EQ(rowferry(command("clone", leader_, whole)).err.find("not selected"), std::string::npos);
}

}  // namespace
}  // namespace rowferry::test
