// `rowferry schema` prints what `rowferry run` makes: its text runs in an empty database as it stands, a stream accepts the tables, and both
// databases look the same to the engine's own tools.
#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class SchemaTest : public StreamTest {};

const char* kPgLeader = R"(
CREATE SCHEMA shop;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE shop.customer (
    id bigserial PRIMARY KEY, name text NOT NULL, code varchar(8) DEFAULT 'new' UNIQUE, mood mood DEFAULT 'sad', rank positive DEFAULT 1,
    credit numeric(10,2) DEFAULT 0, flag boolean DEFAULT true NOT NULL, created timestamptz DEFAULT now(), uid uuid DEFAULT gen_random_uuid(),
    shout text GENERATED ALWAYS AS (name || '!') STORED, kind char(2) DEFAULT 'A', tags text[] DEFAULT '{}',
    CONSTRAINT named CHECK (length(name) > 0), CONSTRAINT kinds CHECK (kind IN ('A', 'BB')), CONSTRAINT enough CHECK (credit >= 0), CONSTRAINT uneven CHECK (credit % 2 > -2));
COMMENT ON TABLE shop.customer IS 'who buys; */ -- really';
COMMENT ON COLUMN shop.customer.code IS E'two\nlines';
CREATE UNIQUE INDEX one_flag ON shop.customer (name) WHERE flag;
CREATE INDEX low ON shop.customer (lower(name));
CREATE INDEX plain ON shop.customer (created DESC, name);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint REFERENCES shop.customer ON DELETE CASCADE,
    placed date NOT NULL DEFAULT CURRENT_DATE, CHECK (id <> 13));
CREATE TABLE "odd ""name
DROP TABLE x; --" ("a b" int PRIMARY KEY, "Q" text DEFAULT 'it''s' CHECK ("Q" LIKE 'i%'));
CREATE TABLE empty_one (id serial PRIMARY KEY, x text);
SELECT setval('empty_one_id_seq', 41);
CREATE TABLE measure (at date, v int, PRIMARY KEY (at, v)) PARTITION BY RANGE (at);
CREATE TABLE measure_1 PARTITION OF measure FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE measure_2 PARTITION OF measure DEFAULT;
CREATE TABLE base (id int PRIMARY KEY, a text);
CREATE TABLE derived (b text, PRIMARY KEY (id)) INHERITS (base);
CREATE VIEW seen AS SELECT 1 AS one;
INSERT INTO shop.customer (name, code, flag) VALUES ('ann', 'a', true), ('bob', 'b', false);
INSERT INTO orders (customer) VALUES (1), (2), (NULL);
INSERT INTO "odd ""name
DROP TABLE x; --" VALUES (1);
INSERT INTO measure VALUES ('2020-05-05', 1), ('2024-05-05', 2);
INSERT INTO base VALUES (1, 'base');
INSERT INTO derived VALUES (2, 'derived', 'b');
)";

const char* kSqliteLeader = R"(
CREATE TABLE Customer (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL CHECK (length(name) > 0), nick TEXT COLLATE NOCASE UNIQUE, active BOOLEAN DEFAULT 1,
    credit DECIMAL(10,2) DEFAULT 0.5 CHECK (credit >= 0), kind TEXT DEFAULT plain CONSTRAINT kinds CHECK (kind IN ('plain', 'gold')),
    created DATETIME DEFAULT CURRENT_TIMESTAMP, seen INT DEFAULT (strftime('%s', 'now')), shout TEXT AS (name || '!'), odd TEXT DEFAULT (hex(randomblob(4))),
    CHECK (name GLOB 'a*' OR name <> "none"), CHECK (typeof(id) = 'integer'));
CREATE UNIQUE INDEX one_active ON Customer (name) WHERE active;
CREATE INDEX low ON Customer (lower(name) DESC, nick);
CREATE INDEX plain ON Customer (kind, created DESC);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer INT REFERENCES Customer (id) ON DELETE CASCADE, note BLOB);
CREATE TABLE "odd ""name
DROP TABLE x; --" ("a b" INT NOT NULL PRIMARY KEY, [Q] TEXT DEFAULT 'it''s' CHECK ("Q" LIKE 'i%')) WITHOUT ROWID;
CREATE TABLE empty_one (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);
INSERT INTO empty_one VALUES (41, 'x');
DELETE FROM empty_one;
CREATE VIEW seen AS SELECT 1;
CREATE VIRTUAL TABLE found USING fts5 (words);
CREATE TRIGGER watch AFTER INSERT ON "order" BEGIN SELECT 1; END;
INSERT INTO Customer (name, nick) VALUES ('ann', 'A'), ('bob', NULL);
INSERT INTO "order" VALUES (7, 1, x'00');
INSERT INTO "odd ""name
DROP TABLE x; --" VALUES (1, 'it');
)";

/// The database's own word for what is in it, rowferry's things apart.
std::string own_schema(const Database& database) {
    if (!database.is_postgresql()) {
        std::string text;
        SqliteDb db{database.path()};
        for (const SqliteRow& row : db.query("SELECT type || ' ' || name || ' on ' || tbl_name || ': ' || coalesce(sql, '-') FROM sqlite_master "
                                             "WHERE name NOT LIKE 'rowferry%' AND tbl_name NOT LIKE 'rowferry%' ORDER BY type, name"))
            text += std::get<std::string>(row[0]) + "\n";
        return text;
    }
    const Outcome dump = run_program({PgCluster::program("pg_dump"), "--schema-only", "--no-owner", "--exclude-schema=rowferry", database.uri()}, true);
    EXPECT_EQ(dump.exit_code, 0) << dump.err;
    std::string text;
    for (std::size_t at = 0; at < dump.out.size();) {
        const std::size_t end = std::min(dump.out.find('\n', at), dump.out.size());
        const std::string line = dump.out.substr(at, end - at);
        if (!line.starts_with("\\") && !line.starts_with("--") && !line.empty()) text += line + "\n";
        at = end + 1;
    }
    return text;
}

Database new_database(bool postgresql) { return postgresql ? Database::postgresql(PgCluster::shared()) : Database::sqlite(); }

class EveryDirection : public SchemaTest, public ::testing::WithParamInterface<Direction> {};

TEST_P(EveryDirection, TheSchemaIsPrintedAsItIsMade) {
    const bool from_pg = leads_postgresql(GetParam());
    const bool to_pg = follows_postgresql(GetParam());
    const Database leader = new_database(from_pg);
    leader.exec(from_pg ? kPgLeader : kSqliteLeader);
    const RowferryResult printed = rowferry({"schema", leader.endpoint(), "--for", to_pg ? "postgresql" : "sqlite"});
    ASSERT_TRUE(ended(printed, 0));
    EXPECT_EQ(printed.out, rowferry({"schema", leader.endpoint(), "--for", to_pg ? "postgresql" : "sqlite"}).out);
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});

    const Database by_hand = new_database(to_pg);
    by_hand.exec(printed.out);
    ASSERT_TRUE(ended(run_until_current(leader, by_hand, {"--stream", "hand"}), 0));
    const Database made = new_database(to_pg);
    ASSERT_TRUE(ended(run_until_current(leader, made, {"--stream", "made"}), 0));
    EXPECT_EQ(own_schema(by_hand), own_schema(made)) << printed.out;
    EXPECT_NE(own_schema(made), "");

    // Numbers go on where the leader's would, in tables without rows as well.
    const std::string next = "INSERT INTO empty_one (x) VALUES ('next') RETURNING id";
    EXPECT_EQ(by_hand.value(next), "42");
    EXPECT_EQ(made.value(next), "42");
    for (const char* table : {"seen", "x; --"}) EXPECT_NE(printed.out.find(table), std::string::npos) << table;
    // No name ends a comment.
    for (std::size_t at = printed.out.find("DROP TABLE x"); at != std::string::npos; at = printed.out.find("DROP TABLE x", at + 1))
        EXPECT_FALSE(at >= 1 && printed.out[at - 1] == '\n' && printed.out.rfind("--", at) > printed.out.rfind('"', at)) << printed.out;
}

INSTANTIATE_TEST_SUITE_P(Directions, EveryDirection, ::testing::ValuesIn(kDirections), [](const auto& direction) { return to_string(direction.param); });

TEST_F(SchemaTest, FromPostgresqlToSqlite) {
    const Database leader = new_database(true);
    leader.exec(kPgLeader);
    const Database follower = Database::sqlite();
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    const std::string schema = own_schema(follower);
    for (const char* part :
         {"\"shop__customer\" /* who buys; * / -- really */", "\"id\" INTEGER PRIMARY KEY AUTOINCREMENT", "\"code\" VARCHAR(8) DEFAULT 'new' /* two lines */", "\"mood\" ENUM_TEXT DEFAULT 'sad'",
          "\"rank\" INTEGER DEFAULT 1", "\"credit\" NUMERIC_TEXT(10,2) DEFAULT '0.00'", "\"flag\" BOOLEAN NOT NULL DEFAULT 1", "strftime('%Y-%m-%d %H:%M:%f', 'now')",
          "\"shout\" TEXT GENERATED ALWAYS AS ((\"name\" || '!')) STORED", "\"kind\" CHAR_TEXT(2) DEFAULT 'A '", "CONSTRAINT \"named\" CHECK ((length(\"name\") > 0))",
          "CHECK ((\"kind\" IN ('A ', 'BB')))", "CHECK ((\"rank\" > 0))", "CONSTRAINT \"enough\" CHECK ((substr(\"credit\", 1, 1) <> '-'))", "CREATE UNIQUE INDEX \"one_flag\" ON \"shop__customer\" (\"name\") WHERE \"flag\"",
          "REFERENCES \"shop__customer\" (\"id\") ON DELETE CASCADE", "\"measure\"", "CHECK ((\"Q\" GLOB 'i*'))"})
        EXPECT_NE(schema.find(part), std::string::npos) << part << "\n" << schema;
    for (const char* part : {"uneven", "\"low\"", "\"measure_1\"", "gen_random_uuid"}) EXPECT_EQ(schema.find(part), std::string::npos) << part;
    EXPECT_EQ(follower.value("SELECT group_concat(shout, ' ') FROM (SELECT shout FROM shop__customer ORDER BY id)"), "ann! bob!");
    EXPECT_EQ(follower.value("SELECT count(*) FROM measure"), "2");
    EXPECT_EQ(follower.value("SELECT group_concat(id) FROM base"), "1");
    // Somebody else's rows are looked at, and get the defaults; the stream's go on.
    EXPECT_FALSE(SqliteDb{follower.path()}.try_exec("INSERT INTO shop__customer (name) VALUES ('')"));
    EXPECT_EQ(follower.value("INSERT INTO shop__customer (name, flag) VALUES ('own', 0) RETURNING id || code || credit || kind"), "3new0.00A ");
    follower.exec("DELETE FROM shop__customer WHERE name = 'own'");
    leader.exec("ALTER TABLE shop.customer DROP CONSTRAINT named; INSERT INTO shop.customer (name, code, flag) VALUES ('', 'c', false)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_EQ(follower.value("SELECT count(*) FROM shop__customer WHERE name = ''"), "1");

    const std::string printed = rowferry({"schema", leader.endpoint(), "--for", "sqlite"}).out;
    for (const char* part : {"the CHECK uneven is left out: ", "the index low is left out: ", "the default of uid is left out: SQLite has no gen_random_uuid()", "public.seen is a view"})
        EXPECT_NE(printed.find(part), std::string::npos) << part << "\n" << printed;
}

TEST_F(SchemaTest, FromSqliteToPostgresql) {
    const Database leader = new_database(false);
    leader.exec(kSqliteLeader);
    const Database follower = new_database(true);
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    const std::string schema = own_schema(follower);
    for (const char* part : {"active boolean DEFAULT true", "credit public.sqlite_numeric DEFAULT 0.5", "kind text DEFAULT 'plain'::text", "seen bigint DEFAULT ", "shout text GENERATED ALWAYS AS ((name || '!'::text)) STORED",
                             "CREATE UNIQUE INDEX one_active ON public.\"Customer\" USING btree (name) WHERE active", "CHECK ((length(name) > 0))", "'gold'::text", ">= (0)::numeric"})
        EXPECT_NE(schema.find(part), std::string::npos) << part << "\n" << schema;
    EXPECT_EQ(follower.value("INSERT INTO \"Customer\" (name, active) VALUES ('own', false) RETURNING id || kind || credit || shout || (abs(seen - extract(epoch FROM now())) < 60)"),
              "3plain0.5own!true");
    const std::string printed = rowferry({"schema", leader.endpoint(), "--for", "postgresql"}).out;
    for (const char* part : {"the CHECK without a name is left out: typeof()", "the default of odd is left out: hex()", "main.found: virtual table", "shadow table", "trigger watch", "main.seen: view"})
        EXPECT_NE(printed.find(part), std::string::npos) << part << "\n" << printed;
}

TEST_F(SchemaTest, BetweenSqliteDatabasesTheTextIsKept) {
    const Database leader = new_database(false);
    leader.exec(kSqliteLeader);
    const Database follower = Database::sqlite();
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    const std::string schema = own_schema(follower);
    for (const char* part : {"DEFAULT (hex(randomblob(4)))", "CHECK (name GLOB 'a*' OR name <> \"none\")", "CHECK (typeof(id) = 'integer')", "CONSTRAINT \"kinds\" CHECK", "AS (name || '!') VIRTUAL",
                             "(lower(name) COLLATE BINARY DESC, \"nick\" COLLATE NOCASE)", "WHERE active", "WITHOUT ROWID"})
        EXPECT_NE(schema.find(part), std::string::npos) << part << "\n" << schema;
    EXPECT_EQ(follower.value("SELECT group_concat(shout, ' ') FROM Customer"), "ann! bob!");
}

TEST_F(SchemaTest, NamesThatMeetInSqliteAreRefused) {
    const Database leader = new_database(true);
    leader.exec("CREATE SCHEMA a; CREATE SCHEMA a__b; CREATE TABLE a.b__c (id int PRIMARY KEY); CREATE TABLE a__b.C (id int PRIMARY KEY)");
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint(), "--for", "sqlite"}), 3, "would both be the table"));
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint(), "--for", "sqlite", "--exclude-table", "a.b__c"}), 0));
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint(), "--for", "postgresql"}), 0));
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint()}), 2, "--for is missing"));
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint(), "--for", "oracle"}), 2, "none of postgresql, sqlite"));
    EXPECT_TRUE(ended(rowferry({"schema", leader.endpoint(), "--for", "sqlite", "--table", "nothing"}), 3, "nothing"));
}

}  // namespace
}  // namespace rowferry::test
