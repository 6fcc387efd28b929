// The first copy of large tables: in parts side by side, under an application that writes, with lost connections and kills.

#include <signal.h>

#include <thread>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

class ParallelCopyTest : public StreamTest {
protected:
    /// Few rows in many blocks: enough for several parts.
    static void create_big_table(const Database& leader, int rows) {
        leader.exec("CREATE TABLE big (id bigint PRIMARY KEY, a int NOT NULL, b text, c numeric(12,2), d timestamptz, e boolean) WITH (fillfactor = 10)");
        leader.exec("INSERT INTO big SELECT n, n % 1000, CASE WHEN n % 7 > 0 THEN E'tab\\t back\\\\slash\\n ' || repeat(md5(n::text), 7) END, n / 100.0, "
                    "timestamptz '2020-02-02' + n * interval '1 second', n % 2 = 0 FROM generate_series(1, " + std::to_string(rows) + ") n");
    }
    /// Follower with the table, where a row of `id` waits for some seconds on its way in.
    static Database follower_that_waits_at(int id) {
        const Database follower = Database::postgresql(PgCluster::shared(), "follower");
        follower.exec("CREATE FUNCTION wait_at(bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS "
                      "'BEGIN IF $1 = " + std::to_string(id) + " THEN PERFORM pg_sleep(2); END IF; RETURN true; END'");
        follower.exec("CREATE TABLE big (id bigint PRIMARY KEY, a int NOT NULL, b text, c numeric(12,2), d timestamptz, e boolean, CHECK (wait_at(id)))");
        return follower;
    }
    static constexpr const char* kLanes =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rowferry_default_copy' AND wait_event = 'PgSleep'";
};

TEST_F(ParallelCopyTest, PartsSideBySideUnderAWriter) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_pg);
    create_big_table(leader, 30'000);
    for (int i = 0; i < 20; ++i) {
        const std::string name = "small" + std::to_string(i);
        leader.exec("CREATE TABLE " + name + " (id int PRIMARY KEY, t text); INSERT INTO " + name + " SELECT n, n::text FROM generate_series(1, " + std::to_string(i * 3) + ") n");
    }
    std::atomic<bool> stop{false};
    std::thread application{[&] {
        for (int i = 0; !stop; ++i) {
            leader.exec("UPDATE big SET a = a + 1 WHERE id % 3001 = " + std::to_string(i % 3001) + "; DELETE FROM big WHERE id = " + std::to_string(7 * i + 1) +
                        "; INSERT INTO big VALUES (" + std::to_string(1'000'000 + i) + ", 1); INSERT INTO small3 VALUES (" + std::to_string(100 + i) + ", 'x')");
        }
    }};
    const auto process = start_run(leader, follower, {"--copy-jobs", "3", "--log-level", "debug"});
    const auto ready = becomes_ready(*process, follower);
    stop = true;
    application.join();
    ASSERT_TRUE(ready);
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    EXPECT_NE(process->err().find("3 at a time"), std::string::npos) << process->err();
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_F(ParallelCopyTest, APartWhoseConnectionIsLostIsCopiedAgain) {
    const Database leader = Database::postgresql(PgCluster::shared(), "leader");
    create_big_table(leader, 20'000);
    const Database follower = follower_that_waits_at(15'000);
    const auto process = start_run(leader, follower);
    ASSERT_TRUE(shows(*process, follower, kLanes, "1"));
    follower.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rowferry_default_copy' AND "
                  "wait_event = 'PgSleep'");
    ASSERT_TRUE(becomes_ready(*process, follower));
    EXPECT_NE(process->err().find("a part of public.big is copied again"), std::string::npos) << process->err();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_F(ParallelCopyTest, AKilledCopyBeginsAnewThoughItsSessionsLinger) {
    const Database leader = Database::postgresql(PgCluster::shared(), "leader");
    create_big_table(leader, 20'000);
    const Database follower = follower_that_waits_at(15'000);
    {
        const auto process = start_run(leader, follower);
        ASSERT_TRUE(shows(*process, follower, kLanes, "1"));
        process->kill(SIGKILL);
        ASSERT_EQ(process->wait(), 128 + SIGKILL);
    }
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_F(ParallelCopyTest, AValueThatTheFollowerRefusesEndsTheWholeCopy) {
    const Database leader = Database::postgresql(PgCluster::shared(), "leader");
    create_big_table(leader, 20'000);
    const Database follower = Database::postgresql(PgCluster::shared(), "follower");
    follower.exec("CREATE TABLE big (id bigint PRIMARY KEY, a int NOT NULL, b text, c numeric(12,2), d timestamptz, e boolean, CHECK (id <> 12345))");
    const RowferryResult result = run_until_current(leader, follower);
    EXPECT_TRUE(ended(result, 7, "id=12345"));
    follower.exec("ALTER TABLE big DROP CONSTRAINT big_id_check");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_F(ParallelCopyTest, SeveralWritersForOneReaderOfASqliteLeader) {
    const auto [leader, follower] = make_pair_for(Direction::sqlite_to_pg);
    leader.exec("CREATE TABLE big (id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL)");
    leader.exec("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60000) INSERT INTO big SELECT n, n % 1000, 'row ' || n || char(9, 10, 92), n / 3.0 FROM s");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

}  // namespace
}  // namespace rowferry::test
