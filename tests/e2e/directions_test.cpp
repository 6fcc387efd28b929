// The main job in all four directions, with an application that writes before, during and after the snapshot.

#include <signal.h>

#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

struct Case {
    Direction direction;
    const char* journal = "wal";   ///< Of a SQLite leader.
    bool exact_replace = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << to_string(c.direction) << (leads_postgresql(c.direction) ? "" : c.journal) << (c.exact_replace ? "_exact" : "");
}

class DirectionsTest : public StreamTest, public ::testing::WithParamInterface<Case> {};

WriterOptions writer_options(const Case& c) {
    WriterOptions options;
    options.workload = {.keys = 600, .keyless = leads_postgresql(c.direction), .raw_text = c.direction == Direction::sqlite_to_sqlite};
    options.threads = leads_postgresql(c.direction) ? 3 : 2;
    // Two sessions of a rollback-journal database starve each other; with one, whoever has to wait waits for rowferry.
    if (std::string{c.journal} == "delete") options.threads = 1;
    options.rate = 120;
    return options;
}

std::vector<std::string> run_options(const Case& c) {
    if (leads_postgresql(c.direction)) return {"--keyless", "insert"};
    return c.exact_replace ? std::vector<std::string>{"--exact-replace"} : std::vector<std::string>{};
}

TEST_P(DirectionsTest, FollowerIsEqualUnderAConcurrentWriter) {
    const Case& c = GetParam();
    const auto [leader, follower] = make_pair_for(c.direction);
    if (!leader.is_postgresql()) leader.exec(std::string{"PRAGMA journal_mode = "} + c.journal);
    const WriterOptions options = writer_options(c);
    Writer writer{leader, options};
    create_workload(leader, options.workload, writer.seed());

    writer.start();
    writer.wait_for_commits(50);
    const auto process = start_run(leader, follower, run_options(c));
    ASSERT_TRUE(becomes_ready(*process, follower));
    writer.wait_for_commits(400);

    // A clean stop and start while the application goes on.
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    writer.wait_for_commits(50);
    const auto again = start_run(leader, follower, run_options(c));
    writer.wait_for_commits(200);
    writer.stop();
    again->kill(SIGTERM);
    ASSERT_TRUE(ended(*again, 0, "", std::chrono::seconds{10}));

    ASSERT_TRUE(ended(run_until_current(leader, follower, run_options(c)), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    EXPECT_TRUE(writer.ledgers_agree(follower));
    const nlohmann::json report = positions(leader, &follower);
    EXPECT_EQ(report.at("caught_up"), true) << report;
    EXPECT_EQ(report.at("follower").at("state"), "ready");
}

INSTANTIATE_TEST_SUITE_P(All, DirectionsTest,
                         ::testing::Values(Case{Direction::pg_to_pg}, Case{Direction::pg_to_sqlite}, Case{Direction::sqlite_to_pg},
                                           Case{Direction::sqlite_to_sqlite}, Case{Direction::sqlite_to_pg, "delete"},
                                           Case{Direction::sqlite_to_sqlite, "delete"}, Case{Direction::sqlite_to_sqlite, "wal", true}),
                         ::testing::PrintToStringParamName());

class PrefixTest : public StreamTest, public ::testing::WithParamInterface<Direction> {};

/// Every transaction on the leader sets both numbers to the same value, one higher than before. A reader of the follower
/// must never see two different ones, nor one lower than it saw already.
TEST_P(PrefixTest, AReaderSeesOnlyWholeTransactionsInOrder) {
    const auto [leader, follower] = make_pair_for(GetParam());
    leader.exec(
        "CREATE TABLE one (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); CREATE TABLE two (id INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
        "INSERT INTO one VALUES (1, 0); INSERT INTO two VALUES (1, 0)");
    if (!leader.is_postgresql()) leader.exec("PRAGMA journal_mode = wal");
    const auto process = start_run(leader, follower);
    ASSERT_TRUE(becomes_ready(*process, follower));

    constexpr int kTransactions = 600;
    std::thread application{[&leader = leader] {
        for (int i = 1; i <= kTransactions; ++i) {
            const std::string n = std::to_string(i);
            leader.exec("BEGIN; UPDATE one SET n = " + n + "; UPDATE two SET n = " + n + "; COMMIT");
        }
    }};
    int last = 0;
    int different_values = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (last < kTransactions && std::chrono::steady_clock::now() < deadline && process->running()) {
        const std::string seen = follower.value("SELECT one.n || '=' || two.n FROM one, two");
        const std::size_t equals = seen.find('=');
        const int n = std::stoi(seen);
        ASSERT_EQ(seen.substr(0, equals), seen.substr(equals + 1));
        ASSERT_GE(n, last);
        if (n != last) ++different_values;
        last = n;
    }
    application.join();
    EXPECT_EQ(last, kTransactions) << process->err();
    EXPECT_GT(different_values, 3) << "the reader saw the follower only at its end";
}

INSTANTIATE_TEST_SUITE_P(All, PrefixTest, ::testing::ValuesIn(kDirections),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
