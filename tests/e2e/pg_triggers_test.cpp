// PostgreSQL captured by triggers: a server with wal_level = replica and a role that owns its tables and nothing else.

#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;
using Options = std::vector<std::string>;

PgCluster& replica_cluster() {
    static PgCluster cluster{{"wal_level = replica", "max_wal_senders = 0"}};
    return cluster;
}

/// A leader of a plain role, and a follower of either engine.
class PgTriggers : public StreamTest, public ::testing::WithParamInterface<bool> {
protected:
    PgTriggers() {
        PgCluster& cluster = replica_cluster();
        static const bool roles = [&] {
            cluster.exec("postgres", "CREATE ROLE keeper LOGIN; CREATE ROLE app LOGIN");
            return true;
        }();
        static_cast<void>(roles);
        leader_.exec(fmt::format("ALTER DATABASE \"{}\" OWNER TO keeper; ALTER SCHEMA public OWNER TO keeper; GRANT USAGE ON SCHEMA public TO app", leader_.name()));
        follower_ = new_follower();
    }
    [[nodiscard]] static Database new_follower() { return GetParam() ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower"); }

    [[nodiscard]] std::string from() const { return replica_cluster().uri(leader_.name(), "keeper"); }
    /// Statements of the tables' owner.
    void keeper(const std::string& sql) const { PgConnection{from()}.exec(sql); }
    /// Everything that the tests' superuser made becomes the owner's.
    void give_to_keeper() const {
        leader_.exec("DO $$ DECLARE r record; BEGIN FOR r IN SELECT oid::regclass AS t FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP "
                     "EXECUTE format('ALTER TABLE %s OWNER TO keeper', r.t); END LOOP; END $$");
    }
    [[nodiscard]] Options words(const std::string& name, const Options& options = {}) const { return words(name, follower_, options); }
    [[nodiscard]] Options words(const std::string& name, const Database& follower, const Options& options) const {
        Options result{name, from(), follower.endpoint()};
        result.insert(result.end(), options.begin(), options.end());
        return result;
    }
    [[nodiscard]] RowferryResult catch_up(Options options = {}) const {
        options.insert(options.end(), {"--until", "current"});
        return rowferry(words("run", options));
    }
    /// What `sql` does to the leader is seen on the follower, whose stream runs meanwhile; the databases' own output counts.
    void arrives(const std::string& sql) {
        keeper(sql);
        if (!process_) process_ = std::make_unique<Rowferry>(words("run"));
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        for (testing::AssertionResult same = testing::AssertionFailure();;) {
            ASSERT_TRUE(process_->running()) << sql << "\n" << process_->err();
            if (follower_.ready() && (same = same_rows(leader_, follower_))) return;
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << sql << same.message();
            std::this_thread::sleep_for(milliseconds{20});
        }
    }
    void stop_run() {
        process_->kill(SIGTERM);
        ASSERT_TRUE(ended(*process_, 0));
        process_.reset();
    }
    [[nodiscard]] std::string value(const std::string& sql) const { return leader_.value(sql); }

    Database leader_ = Database::postgresql(replica_cluster(), "leader");
    Database follower_ = Database::sqlite("unused");
    std::unique_ptr<Rowferry> process_;
};

INSTANTIATE_TEST_SUITE_P(To, PgTriggers, ::testing::Bool(), [](const auto& info) { return info.param ? "postgresql" : "sqlite"; });

TEST_P(PgTriggers, AreTheDefaultWhereLogicalDecodingCannotBeHad) {
    keeper("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    EXPECT_TRUE(ended(rowferry(words("run", {"--capture", "logical"})), 3, "wal_level"));
    EXPECT_EQ(leftovers(leader_), Options{});
    const RowferryResult first = catch_up();
    ASSERT_TRUE(ended(first, 0));
    EXPECT_NE(first.err.find("captured by triggers: logical decoding needs more (wal_level is replica"), std::string::npos) << first;
    const RowferryResult shown = rowferry(words("positions", {"--json"}));
    const auto report = nlohmann::json::parse(shown.out);
    EXPECT_EQ(report.at("capture"), "triggers");
    EXPECT_EQ(report.at("caught_up"), true) << report;
    EXPECT_EQ(report.at("leader").at("position"), report.at("follower").at("position"));
    EXPECT_TRUE(ended(rowferry(words("run", {"--capture", "logical"})), 3, "--capture logical --on-existing truncate"));
    ASSERT_TRUE(ended(rowferry(words("drop")), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
    EXPECT_EQ(leftovers(follower_), Options{});
}

TEST_P(PgTriggers, EveryOperationArrives) {
    keeper("CREATE TABLE t (id int PRIMARY KEY, s text, u int UNIQUE, g int GENERATED ALWAYS AS (id * 2) STORED);"
           "CREATE TABLE parents (id int PRIMARY KEY, s text); CREATE TABLE children (id int PRIMARY KEY, p int REFERENCES parents ON UPDATE CASCADE ON DELETE CASCADE);"
           "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE);"
           "CREATE TABLE loose (a int, b text); CREATE TABLE \"od\"\"d\" (\"k,1\" text, \"k 2\" int, v text, PRIMARY KEY (\"k 2\", \"k,1\"));"
           "INSERT INTO t (id, s, u) SELECT i, 'v' || i, i FROM generate_series(1, 50) i");
    arrives("INSERT INTO t (id, s, u) VALUES (100, NULL, NULL), (101, '', 101), (102, E'(a,\"b\"\\\\)\\n', 102) ON CONFLICT DO NOTHING");
    arrives("INSERT INTO t (id, s, u) SELECT i, 'again', i FROM generate_series(40, 60) i ON CONFLICT (id) DO UPDATE SET s = excluded.s || t.id");
    arrives("UPDATE t SET s = repeat(s, 3) WHERE id % 3 = 0; UPDATE t SET id = id + 1000 WHERE id < 10; DELETE FROM t WHERE id BETWEEN 20 AND 30; UPDATE t SET s = 'none' WHERE false");
    arrives("BEGIN; UPDATE t SET u = -u WHERE id IN (31, 32); UPDATE t SET u = CASE id WHEN 31 THEN 32 ELSE 31 END WHERE id IN (31, 32); COMMIT");
    arrives("BEGIN; UPDATE t SET id = -31 WHERE id = 31; UPDATE t SET id = 31 WHERE id = 32; UPDATE t SET id = 32 WHERE id = -31; COMMIT");
    arrives("BEGIN; INSERT INTO t VALUES (500, 'x'); SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; UPDATE t SET s = 'y' WHERE id = 500; DELETE FROM t WHERE id = 500; INSERT INTO t VALUES (500, 'z'); COMMIT");
    arrives("MERGE INTO t USING (VALUES (33, 'm'), (34, NULL), (900, 'new')) v(id, s) ON t.id = v.id WHEN MATCHED AND v.s IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET s = v.s "
            "WHEN NOT MATCHED THEN INSERT (id, s) VALUES (v.id, v.s)");
    arrives("WITH gone AS (DELETE FROM t WHERE id > 1000 RETURNING *) INSERT INTO t (id, s, u) SELECT id - 1000, s, u FROM gone");
    arrives("INSERT INTO parents SELECT i, 'p' FROM generate_series(1, 9) i; INSERT INTO children SELECT i, 1 + i % 9 FROM generate_series(1, 30) i; UPDATE parents SET id = id + 100 WHERE id < 4; "
            "DELETE FROM parents WHERE id BETWEEN 5 AND 6");
    arrives("INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 2), (5, NULL); UPDATE tree SET id = id + 10 WHERE id = 1; DELETE FROM tree WHERE id = 2");
    arrives("INSERT INTO loose VALUES (1, 'a'), (1, 'a'), (NULL, NULL), (2, 'b'); DELETE FROM loose WHERE ctid = (SELECT min(ctid) FROM loose); UPDATE loose SET b = 'c' WHERE a = 2");
    arrives("INSERT INTO \"od\"\"d\" VALUES ('x,', 1, 'v'), ('\"', 2, NULL); UPDATE \"od\"\"d\" SET \"k,1\" = 'y' WHERE \"k 2\" = 2; UPDATE \"od\"\"d\" SET v = 'w' WHERE \"k 2\" = 1");
    arrives("BEGIN; DELETE FROM t WHERE id = 33; TRUNCATE t, parents CASCADE; INSERT INTO t VALUES (1, 'after'); COMMIT; TRUNCATE loose; INSERT INTO loose VALUES (3, 'c')");
    arrives("INSERT INTO t (id, s) SELECT i, repeat('long ', i) FROM generate_series(1000, 1100) i; UPDATE t SET s = s || 'x' WHERE id >= 1000; UPDATE t SET id = id + 9000 WHERE id >= 1000; UPDATE t SET id = id - 9001 WHERE id >= 10000");
    EXPECT_TRUE(ended(rowferry(words("drop")), 3));
    EXPECT_TRUE(ended(rowferry({"drop", from()}), 3, "being read"));
    stop_run();
    ASSERT_TRUE(ended(rowferry(words("drop")), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
}

/// What the application's session has set must not show, and its role needs nothing of ours.
TEST_P(PgTriggers, ValuesAreExactWhateverTheSessionHasSet) {
    const std::string columns =
        "a timestamptz, b interval, c float8, d bytea, e date, f jsonb, g numeric, h text[], i float4, j uuid, k time with time zone, l json, m money, n regclass, o point, p inet, q bit varying, r int4range, t text, \"row\" text, number int, written int, rowferry_new text, rowferry_old int, tg_relid int";
    keeper("CREATE TYPE mood AS ENUM ('fine', 'not, so'); CREATE TABLE t (id int PRIMARY KEY, " + columns + ", z mood); GRANT INSERT, UPDATE, DELETE, SELECT ON t TO app;"
           "CREATE FUNCTION shown(t) RETURNS text LANGUAGE sql AS $$ SELECT 'not a row' $$; CREATE CAST (t AS text) WITH FUNCTION shown(t)");
    ASSERT_TRUE(ended(catch_up(), 0));
    PgConnection app{replica_cluster().uri(leader_.name(), "app")};
    const std::string values =
        "'2024-02-29 23:59:59.123456+05:30', '1 year -2 days 03:04:05.6', 0.1::float8 + 0.2, '\\x00ff5c22', '0044-03-15 BC', '{\"a\": [1, null, \"x,\\\"y\"]}', 1e-30, ARRAY['a,b', NULL, '\"', ''], "
        "1e38, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '04:05:06-08', '{\"b\" :  1, \"b\":2}', 12.34, 'pg_class', '(1.5,-2)', '10.0.0.0/8', B'101', '[1,5)', 't', 'row', 7, 8, 'new', 9, 10, 'not, so'";
    app.exec("SET DateStyle = 'German'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = -3; SET bytea_output = 'escape'; SET search_path = 'public'");
    app.exec("INSERT INTO t VALUES (1, " + values + ")");
    app.exec("INSERT INTO t VALUES (2)");
    app.exec("INSERT INTO t VALUES (3, 'infinity', NULL, 'NaN', '', '-infinity', 'null', 'NaN', '{}', '-Infinity')");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    app.exec("UPDATE t SET id = 10 - id, written = 1, c = -0.0, g = '-0.000', i = 1.1; DELETE FROM t WHERE id = 8");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    EXPECT_EQ(leader_.value("SELECT has_schema_privilege('app', 'rowferry', 'USAGE')"), "f");
    // A dropped stream leaves the application as it was.
    ASSERT_TRUE(ended(rowferry(words("drop")), 0));
    app.exec("INSERT INTO t VALUES (50)");
}

TEST_P(PgTriggers, PartitionsAndInheritanceArriveLeafByLeaf) {
    keeper("CREATE TABLE r (id int, k int, s text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k); CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (100);"
           "CREATE TABLE r2 (gone int, s text, k int NOT NULL, id int NOT NULL, PRIMARY KEY (id, k)); ALTER TABLE r2 DROP gone; ALTER TABLE r ATTACH PARTITION r2 FOR VALUES FROM (100) TO (200);"
           "CREATE TABLE base (id int PRIMARY KEY, s text); CREATE TABLE derived (more int, PRIMARY KEY (id)) INHERITS (base); INSERT INTO r SELECT i, i, 'x' FROM generate_series(1, 190) i;"
           "INSERT INTO derived VALUES (100, 'd', 1)");
    EXPECT_TRUE(ended(catch_up({"--partitions", "root"}), 3, "use --partitions leaf"));
    if (!GetParam()) {
        EXPECT_TRUE(ended(catch_up(), 3, "use --partitions leaf")) << "roots are the default for SQLite";
    }
    EXPECT_EQ(leftovers(leader_), Options{});
    const Options leaf{"--partitions", "leaf"};
    ASSERT_TRUE(ended(catch_up(leaf), 0));
    keeper("DELETE FROM r WHERE k > 160; INSERT INTO r SELECT i, i, 'y' FROM generate_series(1, 190) i ON CONFLICT (id, k) DO UPDATE SET s = excluded.s; UPDATE r SET k = 199 - k WHERE id < 30; DELETE FROM r WHERE id > 150;"
           "UPDATE r2 SET s = s || 'direct' WHERE id = 120; INSERT INTO base VALUES (1, 'b'), (2, 'c') ON CONFLICT (id) DO UPDATE SET s = 'b2'; UPDATE base SET s = s || '!'; "
           "DELETE FROM base WHERE id = 2");
    leader_.exec("COPY r (id, k, s) FROM PROGRAM 'echo 1000,150,copied; echo 1001,5,' (FORMAT csv)");
    ASSERT_TRUE(ended(catch_up(leaf), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    ASSERT_TRUE(ended(rowferry(words("copy-table", {"--table", "r1"})), 0));
    ASSERT_TRUE(ended(catch_up(leaf), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    // Partitions come as before, as the application's own statements.
    keeper("CREATE TABLE r3 PARTITION OF r FOR VALUES FROM (200) TO (300); INSERT INTO r VALUES (500, 250, 'late')");
    EXPECT_TRUE(ended(catch_up(leaf), 7, "r3 is a new partition"));
    ASSERT_TRUE(ended(rowferry(words("drop")), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
}

/// Who may make no schema may be given one.
TEST_P(PgTriggers, ASchemaThatSomebodyElseMadeWillDo) {
    keeper("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    leader_.exec(fmt::format("ALTER DATABASE \"{}\" OWNER TO CURRENT_USER", leader_.name()));
    EXPECT_TRUE(ended(catch_up(), 3, "CREATE SCHEMA rowferry AUTHORIZATION"));
    leader_.exec("CREATE SCHEMA rowferry AUTHORIZATION keeper");
    ASSERT_TRUE(ended(catch_up(), 0));
    keeper("INSERT INTO t VALUES (2)");
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
    ASSERT_TRUE(ended(rowferry(words("drop")), 0));
    EXPECT_EQ(leftovers(leader_), Options{});
}

/// Triggers of the application that change rows of the same table again before the statement is logged: the log has these in another order than they happened.
TEST_P(PgTriggers, TriggersThatChangeTheirOwnTableAreTakenInWhatTheyComeTo) {
    keeper("CREATE TABLE addresses (id int PRIMARY KEY, person int, main boolean, changes int DEFAULT 0); CREATE TABLE orders (id int PRIMARY KEY, total int); CREATE TABLE items (id int PRIMARY KEY, o int, n int);"
           "CREATE FUNCTION one_main() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE addresses SET main = false, changes = changes + 1 WHERE person = NEW.person AND id <> NEW.id AND main; RETURN NULL; END $$;"
           "CREATE TRIGGER a_first AFTER INSERT OR UPDATE OF id ON addresses FOR EACH ROW WHEN (NEW.main) EXECUTE FUNCTION one_main();"
           "CREATE FUNCTION replaced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM addresses WHERE id = NEW.id; RETURN NEW; END $$;"
           "CREATE TRIGGER replaced BEFORE INSERT ON addresses FOR EACH ROW EXECUTE FUNCTION replaced();"
           "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id < 100 THEN INSERT INTO addresses VALUES (OLD.id + 1, 9, false); END IF; RETURN NULL; END $$;"
           "CREATE TRIGGER zz AFTER DELETE ON addresses FOR EACH ROW WHEN (OLD.person = 5) EXECUTE FUNCTION again();"
           "CREATE FUNCTION summed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET total = total + NEW.n WHERE id = NEW.o; RETURN NULL; END $$;"
           "CREATE TRIGGER summed AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION summed()");
    arrives("INSERT INTO orders VALUES (100, 1)");
    arrives("INSERT INTO addresses SELECT i, i % 3, true FROM generate_series(1, 12) i");
    EXPECT_NE(value("SELECT sum(changes) FROM addresses"), "0");
    arrives("INSERT INTO addresses VALUES (1, 7, true), (2, 7, true), (1, 8, false)");
    arrives("UPDATE addresses SET main = true, id = id + 50 WHERE person = 7; UPDATE addresses SET id = -id");
    arrives("INSERT INTO addresses VALUES (20, 5, false), (21, 5, false), (22, 5, false); DELETE FROM addresses WHERE person = 5");
    arrives("BEGIN; INSERT INTO addresses VALUES (30, 5, true), (31, 5, true); TRUNCATE addresses; INSERT INTO addresses VALUES (30, 5, true), (31, 5, true), (32, 4, true); COMMIT");
    // A table without triggers of its own that another one's triggers write to, in one transaction with direct changes.
    arrives("BEGIN; INSERT INTO orders VALUES (1, 0), (2, 0); INSERT INTO items VALUES (1, 1, 5), (2, 2, 6), (3, 1, 7); UPDATE orders SET total = total * 2; INSERT INTO items VALUES (4, 1, 1); "
            "UPDATE orders SET id = id + 10; COMMIT");
    // One statement that changes both: what the trigger did to the orders stands in the log in front of what the statement did, and that has to be said.
    stop_run();
    keeper("CREATE OR REPLACE FUNCTION summed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET total = total + NEW.n; RETURN NULL; END $$");
    keeper("BEGIN; INSERT INTO items VALUES (50, 11, 1); UPDATE orders SET total = total + 1; WITH o AS (UPDATE orders SET total = 1000 RETURNING id) INSERT INTO items SELECT 100 + id, id, 1 FROM o; "
           "UPDATE orders SET total = total + 1; COMMIT");
    EXPECT_TRUE(ended(catch_up(), 7, "does not tell the order"));
    ASSERT_TRUE(ended(rowferry(words("copy-table", {"--table", "orders"})), 0));
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_));
}

/// Sessions that commit in any order, one that stays open for long, kills at any moment: seeded, and compared at the end.
TEST_P(PgTriggers, ConcurrentWritersAndKillsLoseNothing) {
    WriterOptions options;
    options.workload = {.keys = 300, .keyless = true};
    options.threads = 4;
    options.rate = 120;
    Writer writer{leader_, options};
    create_workload(leader_, options.workload, writer.seed());
    leader_.exec("CREATE TABLE slow (id int PRIMARY KEY, n int); INSERT INTO slow SELECT i, 0 FROM generate_series(1, 20) i");
    give_to_keeper();
    std::mt19937_64 random{writer.seed()};
    writer.start();
    writer.wait_for_commits(20);
    // Its triggers have to wait for the first one. The others are open over many batches: a part of them is in the log early, all of it counts late.
    PgConnection slow{leader_.uri()};
    slow.exec("BEGIN; UPDATE slow SET n = n + 1 WHERE id <= 5");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    std::unique_ptr<Rowferry> process = std::make_unique<Rowferry>(words("run"));
    std::this_thread::sleep_for(milliseconds{300});
    slow.exec("COMMIT");
    ASSERT_TRUE(becomes_ready(*process, follower_));
    slow.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE slow SET n = n + 1 WHERE id > 5");
    const char* wanted = std::getenv("ROWFERRY_KILLS");
    const int kills = wanted != nullptr ? std::stoi(wanted) : 6;
    for (int i = 0; i < kills; ++i) {
        std::this_thread::sleep_for(milliseconds{100 + static_cast<int>(random() % 500)});
        ASSERT_TRUE(process->running()) << process->err();
        process->kill(SIGKILL);
        ASSERT_EQ(process->wait(), 128 + SIGKILL);
        slow.exec(fmt::format("UPDATE slow SET n = n + {} WHERE id > 10", i));
        process = std::make_unique<Rowferry>(words("run"));
        if (i == kills / 2) slow.exec("COMMIT; BEGIN; UPDATE slow SET n = -n");
    }
    writer.wait_for_commits(50);
    writer.stop();
    slow.exec("COMMIT");
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    EXPECT_LT(std::chrono::steady_clock::now(), deadline + std::chrono::seconds{60});
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_)) << "seed " << writer.seed();
    EXPECT_TRUE(writer.ledgers_agree(follower_));
}

/// The same where triggers and foreign keys of the application change the tables again inside of its statements.
TEST_P(PgTriggers, RandomWritersOnTablesWithTriggersOfTheirOwn) {
    keeper("CREATE TABLE a (id int PRIMARY KEY, person int, main boolean, n int DEFAULT 0);"
           "CREATE FUNCTION one_main() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE a SET main = false, n = n + 1 WHERE person = NEW.person AND id <> NEW.id AND main; RETURN NULL; END $$;"
           "CREATE TRIGGER z AFTER INSERT OR UPDATE OF person ON a FOR EACH ROW WHEN (NEW.main) EXECUTE FUNCTION one_main();"
           "CREATE FUNCTION replaced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM a WHERE id = NEW.id; RETURN NEW; END $$; CREATE TRIGGER b BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION replaced();"
           "CREATE TABLE p (id int PRIMARY KEY, s text); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE, k int);"
           "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON UPDATE CASCADE ON DELETE CASCADE, n int);"
           "INSERT INTO a SELECT i, i % 20, false FROM generate_series(1, 100) i; INSERT INTO p SELECT i, 'p' FROM generate_series(1, 30) i; INSERT INTO c SELECT i, 1 + i % 30, 0 FROM generate_series(1, 100) i;"
           "INSERT INTO tree SELECT i, nullif(i / 2, 0), 0 FROM generate_series(1, 60) i");
    const std::uint64_t seed = choose_seed();
    Rowferry process{words("run")};
    std::atomic<int> done{0};
    const auto write = [&](std::uint64_t own_seed) {
        PgConnection session{from()};
        std::mt19937_64 random{own_seed};
        const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
        for (int i = 0; i < 200; ++i) {
            const int id = below(120), other = below(120), person = below(20);
            const std::string statements[] = {
                fmt::format("INSERT INTO a VALUES ({0}, {2}, true), ({1} + 1000, {2}, true)", id, other, person),
                fmt::format("UPDATE a SET main = true, person = {2} WHERE id IN ({0}, {1}, {1} + 1000)", id, other, person),
                fmt::format("UPDATE a SET id = {0} + 2000 WHERE id = {1}; DELETE FROM a WHERE id = {0} + 2000", id, other),
                fmt::format("INSERT INTO p VALUES ({1} + 60, 'n') ON CONFLICT (id) DO UPDATE SET s = p.s || 'x'; UPDATE p SET id = id + 1000 WHERE id = {1} + 60; "
                            "INSERT INTO c VALUES (1000 + {0}, {1}, 1) ON CONFLICT (id) DO UPDATE SET k = c.k + 1", id, person),
                fmt::format("DELETE FROM p WHERE id = {1} + 1060; UPDATE c SET k = k + 1 WHERE id BETWEEN {0} AND {0} + 5", id, person),
                fmt::format("INSERT INTO tree VALUES (1000 + {0}, {1}, 1) ON CONFLICT (id) DO UPDATE SET n = tree.n + 1; UPDATE tree SET id = id + 5000, n = n - 1 WHERE id IN (1000 + {0}, {1})", id, person),
                fmt::format("DELETE FROM tree WHERE id = 6000 + {0}; UPDATE a SET n = n + 1 WHERE id BETWEEN {0} AND {0} + 4", id)};
            // Two of them are one transaction; one that breaks a constraint or meets a deadlock leaves nothing.
            if (session.try_exec(statements[below(7)] + "; " + statements[below(7)])) ++done;
        }
    };
    std::vector<std::thread> writers;
    for (std::uint64_t i = 0; i < 4; ++i) writers.emplace_back(write, seed + i);
    for (std::thread& writer : writers) writer.join();
    EXPECT_GT(done.load(), 200);
    process.kill(SIGTERM);
    ASSERT_TRUE(ended(process, 0));
    ASSERT_TRUE(ended(catch_up(), 0));
    EXPECT_TRUE(same_rows(leader_, follower_)) << "seed " << seed;
}

}  // namespace
}  // namespace rowferry::test
