// A PostgreSQL leader under load, and servers that go away and come back. ROWFERRY_LONG=1: the full sizes.

#include <signal.h>

#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

constexpr std::size_t kMegabyte = 1024 * 1024;
constexpr std::size_t kMostMemory = 200 * kMegabyte;

bool long_run() { return std::getenv("ROWFERRY_LONG") != nullptr; }

class PgLoadTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
};

TEST_P(PgLoadTest, OneBigTransactionInBoundedMemory) {
    const int rows = long_run() ? 2'000'000 : 200'000;
    pair_.leader.exec("CREATE TABLE big (id int PRIMARY KEY, a text, b text, n numeric); CREATE TABLE done (id int PRIMARY KEY)");
    const auto process = start_run(pair_.leader, pair_.follower);
    ASSERT_TRUE(becomes_ready(*process, pair_.follower));
    pair_.leader.exec(
        fmt::format("INSERT INTO big SELECT g, md5(g::text), repeat('x', g % 50), g / 7.0 FROM generate_series(1, {}) g", rows));
    pair_.leader.exec("INSERT INTO done VALUES (1)");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM done", "1", std::chrono::seconds{300}));
    pair_.leader.exec(
        "BEGIN; UPDATE big SET a = a || 'y' WHERE id % 2 = 0; UPDATE big SET id = -id WHERE id % 5 = 0; DELETE FROM big WHERE id % 7 = 0; "
        "COMMIT;"
        "INSERT INTO done VALUES (2)");
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM done", "2", std::chrono::seconds{600}));
    EXPECT_LT(process->peak_memory(), kMostMemory) << process->peak_memory() / kMegabyte << " MB";
    fmt::print("{} rows in one transaction: {} MB at most\n", rows, process->peak_memory() / kMegabyte);
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(PgLoadTest, ABigTableAsSnapshotInBoundedMemory) {
    const int rows = long_run() ? 2'000'000 : 200'000;
    pair_.leader.exec(fmt::format(
        "CREATE TABLE big (id int PRIMARY KEY, a text); INSERT INTO big SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, {}) g",
        rows));
    const auto process = start_run(pair_.leader, pair_.follower);
    ASSERT_TRUE(becomes_ready(*process, pair_.follower, std::chrono::seconds{600}));
    EXPECT_LT(process->peak_memory(), kMostMemory) << process->peak_memory() / kMegabyte << " MB";
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(PgLoadTest, ASignalInTheMiddleOfABigTransactionEndsItInTime) {
    pair_.leader.exec("CREATE TABLE big (id int PRIMARY KEY, a text)");
    auto process = start_run(pair_.leader, pair_.follower);
    ASSERT_TRUE(becomes_ready(*process, pair_.follower));
    pair_.leader.exec("INSERT INTO big SELECT g, md5(g::text) FROM generate_series(1, 300000) g");
    std::this_thread::sleep_for(std::chrono::milliseconds{150});
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    const std::string rows = pair_.follower.value("SELECT count(*) FROM big");
    EXPECT_TRUE(rows == "0" || rows == "300000") << rows;
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

/// pgbench's own tables; its history has no key.
class PgbenchTest : public PgLoadTest {
protected:
    void run_pgbench(const char* keyless) {
        const std::string pgbench = PgCluster::program("pgbench");
        ASSERT_NE(pgbench, "") << "pgbench belongs to the server package";
        const auto bench = [&](const std::vector<std::string>& options) {
            std::vector<std::string> arguments{pgbench, "-h",      "127.0.0.1", "-p", std::to_string(pair_.leader.cluster().port()),
                                               "-U",    "postgres"};
            arguments.insert(arguments.end(), options.begin(), options.end());
            arguments.push_back(pair_.leader.name());
            const Outcome outcome = run_program(arguments);
            ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
            if (options[0] == "-c") fmt::print("{}", outcome.out);
        };
        ASSERT_NO_FATAL_FAILURE(bench({"-i", "-q", "-s", long_run() ? "10" : "1"}));
        const std::vector<std::string> options{"--keyless", keyless};
        const auto process = start_run(pair_.leader, pair_.follower, options);
        std::size_t memory = 0;
        ASSERT_NO_FATAL_FAILURE(bench({"-c", "2", "-T", long_run() ? "60" : "2"}));
        ASSERT_TRUE(process->running()) << process->err();
        const std::string rows = pair_.leader.value("SELECT count(*) FROM pgbench_history");
        ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM pgbench_history", rows, std::chrono::seconds{120}));
        memory = process->peak_memory();
        EXPECT_LT(memory, kMostMemory) << memory / kMegabyte << " MB";
        process->kill(SIGTERM);
        ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, options), 0));
        EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    }
};

TEST_P(PgbenchTest, KeylessFull) { run_pgbench("full"); }
TEST_P(PgbenchTest, KeylessInsert) { run_pgbench("insert"); }

/// Leader on one server, follower on another; both go away under load.
class RestartTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Database leader_ = Database::postgresql(PgCluster::shared_second(), "leader");
    Database follower_ =
        follows_postgresql(GetParam()) ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower");

    void SetUp() override { uses_second_cluster(); }
    /// `disturb` is called three times while the application writes.
    template <typename Disturb>
    void undisturbed_by(Disturb disturb) {
        WriterOptions options;
        options.workload = {.keys = 200, .keyless = true};
        options.rate = 60;
        Writer writer{leader_, options};
        create_workload(leader_, options.workload, writer.seed());
        const std::vector<std::string> run_options{"--keyless", "insert"};
        const auto process = start_run(leader_, follower_, run_options);
        ASSERT_TRUE(becomes_ready(*process, follower_));
        writer.start();
        for (int i = 0; i < 3; ++i) {
            writer.wait_for_commits(60);
            disturb(i);
        }
        writer.wait_for_commits(60);
        writer.stop();
        leader_.exec("INSERT INTO trail VALUES ('the end', 1)");
        EXPECT_TRUE(shows(*process, follower_, "SELECT count(*) FROM trail WHERE token = 'the end'", "1", std::chrono::seconds{60}));
        process->kill(SIGTERM);
        ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
        ASSERT_TRUE(ended(run_until_current(leader_, follower_, run_options), 0));
        EXPECT_TRUE(same_rows(leader_, follower_));
        EXPECT_TRUE(writer.ledgers_agree(follower_));
    }
};

TEST_P(RestartTest, TheLeaderRestartsFastImmediatelyAndAfterAKill) {
    undisturbed_by([](int i) {
        PgCluster& cluster = PgCluster::shared_second();
        if (i == 0) cluster.restart(StopMode::fast);
        if (i == 1) cluster.restart(StopMode::immediate);
        if (i == 2) {
            cluster.kill9();
            std::this_thread::sleep_for(std::chrono::seconds{2});
            cluster.start();
        }
    });
}

TEST_P(RestartTest, TheFollowerGoesAway) {
    undisturbed_by([this](int i) {
        if (follower_.is_postgresql()) {
            PgCluster& cluster = PgCluster::shared();
            if (i == 0) cluster.restart(StopMode::fast);
            if (i == 1) cluster.restart(StopMode::immediate);
            if (i == 2) {
                cluster.kill9();
                cluster.start();
            }
            return;
        }
        SqliteDb other{follower_.path()};  // somebody holds the file's write lock for a while
        other.exec("BEGIN IMMEDIATE");
        std::this_thread::sleep_for(std::chrono::seconds{i == 1 ? 8 : 1});
        other.exec("ROLLBACK");
    });
}

TEST_P(RestartTest, ConnectionsAreCut) {
    undisturbed_by([this](int) {
        leader_.exec(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name LIKE 'rowferry%'");
        if (follower_.is_postgresql())
            follower_.exec(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()");
    });
}

INSTANTIATE_TEST_SUITE_P(All, PgLoadTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });
INSTANTIATE_TEST_SUITE_P(All, PgbenchTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });
INSTANTIATE_TEST_SUITE_P(All, RestartTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

TEST(Clients, ManyWithTouchingCommitRecords) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_sqlite);
    WriterOptions options;
    options.workload = {.keys = 300, .keyless = true};
    options.threads = 8;
    options.rate = 0;
    options.small = true;
    Writer writer{leader, options};
    create_workload(leader, options.workload, writer.seed());
    const auto process = start_run(leader, follower, {"--keyless", "insert"});
    writer.start();
    std::this_thread::sleep_for(std::chrono::seconds{long_run() ? 10 : 2});
    writer.stop();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--keyless", "insert"}), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    EXPECT_TRUE(writer.ledgers_agree(follower));
    fmt::print("{} transactions\n", writer.committed());
    PgCluster::shared().drop_all_slots();
}

}  // namespace
}  // namespace rowferry::test
