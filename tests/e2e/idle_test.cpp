// A stream on which nothing happens, in a server where much does.

#include <signal.h>

#include <thread>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class IdleTest : public StreamTest, public ::testing::WithParamInterface<Direction> {};

TEST_P(IdleTest, TheSlotMovesWithTheTrafficOfAnotherDatabase) {
    const auto [leader, follower] = make_pair_for(GetParam());
    const Database busy = Database::postgresql(PgCluster::shared(), "busy");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    busy.exec("CREATE TABLE u (i int, s text)");
    auto process = start_run(leader, follower);
    ASSERT_TRUE(becomes_ready(*process, follower));

    const std::string start = leader.value("SELECT pg_current_wal_lsn()");
    busy.exec("INSERT INTO u SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g");
    const std::string end = busy.value("SELECT pg_current_wal_lsn()");
    const std::string moved =
        "SELECT confirmed_flush_lsn >= '" + end + "' FROM pg_replication_slots WHERE database = '" + leader.name() + "'";
    EXPECT_TRUE(wait_for_value(leader, moved, "t", std::chrono::seconds{40}))
        << "from " << start << " to " << end << ", confirmed "
        << leader.value("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()") << "\n"
        << process->err();

    // However it ends, the next start takes that for what it is: nobody moved the slot but rowferry itself.
    for (const int signal : {SIGTERM, SIGKILL, SIGTERM}) {
        busy.exec("INSERT INTO u SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g");
        std::this_thread::sleep_for(std::chrono::milliseconds{1500});
        process->kill(signal);
        ASSERT_TRUE(ended(*process, signal == SIGTERM ? 0 : 128 + SIGKILL, "", std::chrono::seconds{10}));
        process = start_run(leader, follower);
        leader.exec("INSERT INTO t SELECT max(id) + 1 FROM t");
        ASSERT_TRUE(shows(*process, follower, "SELECT max(id) FROM t", leader.value("SELECT max(id) FROM t")));
    }
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    EXPECT_TRUE(same_rows(leader, follower));
}

INSTANTIATE_TEST_SUITE_P(All, IdleTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
