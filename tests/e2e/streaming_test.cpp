// Large transactions, which a PostgreSQL leader sends before their end: side by side, with savepoints, aborted, with changes of shape in them,
// with rowferry killed in the middle. The leader's memory for decoding is the least there is, so that large is 64 kB.

#include <signal.h>

#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "tests/support/random.h"
#include "tests/support/stream_test.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

class StreamingTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    static void SetUpTestSuite() { PgCluster::shared().conf("logical_decoding_work_mem", "64kB"); }

    Pair pair_ = make_pair_for(GetParam());
    std::filesystem::path spool_ = new_temp_dir("spool");
    std::vector<std::string> options_{"--ddl", "apply", "--spool", spool_.string(), "--spool-memory", "128kB"};

    void begin(const std::string& sql) {
        pair_.leader.exec(sql);
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, options_), 0));
    }
    void catches_up() {
        if (HasFatalFailure()) return;
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, options_), 0));
        ASSERT_TRUE(same_rows(pair_.leader, pair_.follower));
    }
    /// How many transactions the leader has streamed so far, over all slots; its statistics come a moment late.
    [[nodiscard]] bool has_streamed() const {
        return wait_for_value(PgCluster::shared(), "postgres", "SELECT sum(stream_txns) > 0 FROM pg_stat_replication_slots", "t", std::chrono::seconds{5});
    }
};

/// The files of a process that have no name any more.
std::size_t nameless_files(pid_t pid, const std::filesystem::path& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator{fmt::format("/proc/{}/fd", pid)}) {
        std::error_code error;
        const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
        if (target.starts_with(directory.string()) && target.ends_with("(deleted)")) ++count;
    }
    return count;
}

const std::string kRows = "INSERT INTO t SELECT g, repeat(md5(g::text), 4), g / 7.0, NULL FROM generate_series({}, {}) g";
std::string rows(int from, int to) { return fmt::format(fmt::runtime(kRows), from, to); }
constexpr const char* kTable = "CREATE TABLE t (id int PRIMARY KEY, s text, n numeric, b text); ALTER TABLE t ALTER b SET STORAGE EXTERNAL";

TEST_P(StreamingTest, SeveralSideBySideInTheOrderOfTheirCommits) {
    begin(kTable);
    PgConnection first{pair_.leader.uri()}, second{pair_.leader.uri()}, third{pair_.leader.uri()};
    for (PgConnection* application : {&first, &second, &third}) application->exec("BEGIN");
    for (int i = 0; i < 5; ++i) {
        first.exec(rows(1000 * i, 1000 * i + 999));
        second.exec(rows(10'000 + 1000 * i, 10'000 + 1000 * i + 999));
        third.exec(rows(20'000 + 1000 * i, 20'000 + 1000 * i + 999));
        pair_.leader.exec(fmt::format("INSERT INTO t VALUES ({}, 'small', 1, NULL)", 100'000 + i));
    }
    second.exec("UPDATE t SET s = 'second' WHERE id < 0");
    second.exec("COMMIT");
    // What a transaction of before has left is changed by those that commit after it.
    third.exec("UPDATE t SET n = n + 1 WHERE id BETWEEN 10000 AND 12000");
    third.exec("COMMIT");
    first.exec("DELETE FROM t WHERE id BETWEEN 500 AND 11000");
    first.exec("UPDATE t SET id = -id WHERE id BETWEEN 11001 AND 12000");
    catches_up();
    first.exec("COMMIT");
    catches_up();
    EXPECT_TRUE(has_streamed());
    EXPECT_TRUE(std::filesystem::is_empty(spool_));
}

TEST_P(StreamingTest, SavepointsThatAreRolledBackTakeExactlyTheirChanges) {
    begin(kTable);
    PgConnection application{pair_.leader.uri()};
    application.exec("BEGIN");
    application.exec(rows(1, 2000));
    application.exec("SAVEPOINT a");
    application.exec(rows(2001, 4000));
    application.exec("SAVEPOINT b");
    application.exec("UPDATE t SET s = s || 'b' WHERE id % 2 = 0");
    application.exec("RELEASE b");
    application.exec("SAVEPOINT c");
    application.exec("DELETE FROM t WHERE id % 3 = 0");
    application.exec("ROLLBACK TO c");
    application.exec(rows(4001, 5000));
    application.exec("ROLLBACK TO a");
    application.exec("UPDATE t SET s = s || 'a' WHERE id % 5 = 0");
    application.exec(rows(6001, 8000));
    application.exec("SAVEPOINT d");
    application.exec("DELETE FROM t WHERE id % 7 = 0");
    application.exec("RELEASE d");
    application.exec("COMMIT");
    // Many small ones, as exceptions in PL/pgSQL make them.
    application.exec(
        "DO $$ BEGIN FOR i IN 1..3000 LOOP BEGIN UPDATE t SET n = n + 1, s = s || 'x' WHERE id = i; "
        "IF i % 3 = 0 THEN RAISE EXCEPTION 'no'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$");
    catches_up();
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t WHERE id BETWEEN 2001 AND 5000"), "0");
    EXPECT_TRUE(has_streamed());
}

TEST_P(StreamingTest, AnAbortedTransactionLeavesNothing) {
    begin(kTable);
    PgConnection aborted{pair_.leader.uri()}, lost{pair_.leader.uri()};
    aborted.exec("BEGIN");
    aborted.exec(rows(1, 5000));
    lost.exec("BEGIN");
    lost.exec(rows(5001, 9000));
    const auto process = start_run(pair_.leader, pair_.follower, options_);
    pair_.leader.exec(rows(20'000, 20'000));
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM t", "1"));
    aborted.exec("ROLLBACK");
    pair_.leader.exec(fmt::format("SELECT pg_terminate_backend({})", lost.value("SELECT pg_backend_pid()")));
    pair_.leader.exec(rows(1, 3000));
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM t", "3001"));
    // One that is still open at the end of a run is sent again in the next.
    PgConnection open{pair_.leader.uri()};
    open.exec("BEGIN");
    open.exec(rows(30'000, 34'000));
    pair_.leader.exec(rows(20'001, 20'001));
    ASSERT_TRUE(shows(*process, pair_.follower, "SELECT count(*) FROM t", "3002"));
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    open.exec(rows(40'000, 40'000));
    open.exec("COMMIT");
    catches_up();
    EXPECT_TRUE(has_streamed());
}

TEST_P(StreamingTest, ChangesOfShapeInsideStandAtTheirPlace) {
    begin(std::string{kTable} + "; CREATE TABLE u (id int PRIMARY KEY, s text); INSERT INTO u SELECT g, 'u' FROM generate_series(1, 100) g");
    PgConnection application{pair_.leader.uri()}, other{pair_.leader.uri()};
    other.exec("BEGIN");
    other.exec("INSERT INTO u SELECT g, repeat('o', 100) FROM generate_series(1000, 3000) g");
    application.exec("BEGIN");
    application.exec(rows(1, 2000));
    application.exec("ALTER TABLE t ADD COLUMN c int");
    application.exec("UPDATE t SET c = id WHERE id % 2 = 0");
    application.exec("SAVEPOINT a");
    application.exec("ALTER TABLE t ADD COLUMN gone text");
    application.exec("UPDATE t SET gone = s");
    application.exec("ROLLBACK TO a");
    application.exec("UPDATE t SET s = 'after' WHERE id % 3 = 0");
    application.exec("ALTER TABLE t RENAME COLUMN c TO d");
    application.exec("INSERT INTO t SELECT g, repeat('n', 100), 1, NULL, g FROM generate_series(3001, 5000) g");
    application.exec("COMMIT");
    catches_up();
    application.exec("BEGIN");
    application.exec("INSERT INTO t SELECT g, repeat('n', 100), 1, NULL, g FROM generate_series(6001, 8000) g");
    application.exec("TRUNCATE t");
    application.exec("INSERT INTO t SELECT g, repeat('m', 100), 1, NULL, g FROM generate_series(1, 2000) g");
    application.exec("COMMIT");
    other.exec("UPDATE u SET s = 'both' WHERE id < 50");
    other.exec("COMMIT");
    application.exec("INSERT INTO t VALUES (0, 'z', 1, NULL, 1); UPDATE u SET s = 'end' WHERE id = 1");
    catches_up();
    EXPECT_TRUE(has_streamed());
}

TEST_P(StreamingTest, LargeValuesThatDidNotChangeStayWhatTheyWere) {
    begin(kTable);
    pair_.leader.exec("INSERT INTO t SELECT g, 's', g, (SELECT string_agg(md5((g * i)::text), '') FROM generate_series(1, 200) i) FROM generate_series(1, 200) g");
    PgConnection application{pair_.leader.uri()};
    application.exec("BEGIN");
    application.exec("UPDATE t SET s = repeat('a', 500) || id");
    application.exec("UPDATE t SET id = -id WHERE id % 2 = 0");
    application.exec("SAVEPOINT a");
    application.exec("UPDATE t SET b = b || 'never'");
    application.exec("ROLLBACK TO a");
    application.exec("UPDATE t SET b = b || 'changed' WHERE id % 5 = 0");
    application.exec("UPDATE t SET n = n + 1");
    application.exec("COMMIT");
    catches_up();
    EXPECT_TRUE(has_streamed());
}

TEST_P(StreamingTest, KilledInTheMiddleItLeavesNoFileAndBeginsAgain) {
    begin(kTable);
    PgConnection application{pair_.leader.uri()};
    application.exec("BEGIN");
    application.exec(rows(1, 10'000));
    auto process = start_run(pair_.leader, pair_.follower, options_);
    for (int tries = 0; nameless_files(process->pid(), spool_) == 0; ++tries) {
        ASSERT_LT(tries, 300) << "no file in use\n" << process->err();
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    EXPECT_TRUE(std::filesystem::is_empty(spool_));
    process->kill(SIGKILL);
    ASSERT_TRUE(process->wait());
    process = start_run(pair_.leader, pair_.follower, options_);
    application.exec(rows(10'001, 12'000));
    application.exec("COMMIT");
    // Killed again, where the transaction is being applied or just has been.
    std::this_thread::sleep_for(std::chrono::milliseconds{150});
    process->kill(SIGKILL);
    ASSERT_TRUE(process->wait());
    EXPECT_TRUE(std::filesystem::is_empty(spool_));
    catches_up();
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t"), "12000");
}

TEST_P(StreamingTest, ASpoolThatCannotBeWrittenIsRefusedAtTheStart) {
    pair_.leader.exec(kTable);
    const RowferryResult refused = run_until_current(pair_.leader, pair_.follower, {"--spool", "/nowhere/at/all"});
    EXPECT_TRUE(ended(refused, 3, "spool directory /nowhere/at/all")) << refused.err;
    EXPECT_TRUE(leftovers(pair_.leader).empty());
    begin("INSERT INTO t VALUES (1, 'x', 1, NULL)");
    // A stream that exists needs it as well.
    const RowferryResult halted = run_until_current(pair_.leader, pair_.follower, {"--spool", "/nowhere/at/all", "--ddl", "apply"});
    EXPECT_TRUE(ended(halted, 7, "--spool DIR")) << halted.err;
    catches_up();
}

/// Rows go to the follower while the leader's transaction runs, as long as nothing else commits there.
class HeadStartTest : public StreamingTest {
protected:
    PgConnection application_{pair_.leader.uri()};
    std::unique_ptr<Rowferry> process_;

    /// The stream runs, and in the application's open transaction there are 5000 rows of which the follower holds some.
    void begin_with_a_head_start() {
        begin(kTable);
        process_ = start_run(pair_.leader, pair_.follower, options_);
        application_.exec("BEGIN");
        application_.exec(rows(1, 5000));
        ASSERT_TRUE(becomes(true));
    }
    /// A transaction of the applier's is open that has written.
    [[nodiscard]] bool follower_is_written_to() const {
        if (pair_.follower.is_postgresql())
            return pair_.follower.value("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL") == "t";
        SqliteDb other{pair_.follower.path()};
        sqlite3_busy_timeout(other.get(), 0);
        return !other.try_exec("BEGIN IMMEDIATE");
    }
    [[nodiscard]] testing::AssertionResult becomes(bool written, std::chrono::seconds timeout = std::chrono::seconds{20}) {
        const auto end = std::chrono::steady_clock::now() + timeout;
        while (follower_is_written_to() != written) {
            if (std::chrono::steady_clock::now() > end || !process_->running())
                return testing::AssertionFailure() << (written ? "nothing is applied" : "the transaction stays open") << '\n' << process_->err();
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
        }
        return testing::AssertionSuccess();
    }
};

TEST_P(HeadStartTest, OfATransactionAloneTheRowsAreThereBeforeItsEnd) {
    ASSERT_NO_FATAL_FAILURE(begin_with_a_head_start());
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t"), "0") << "nobody sees them";
    application_.exec("UPDATE t SET n = n + 1 WHERE id % 3 = 0");
    application_.exec("DELETE FROM t WHERE id % 7 = 0");
    application_.exec("COMMIT");
    ASSERT_TRUE(shows(*process_, pair_.follower, "SELECT count(*) FROM t", "4286"));
    ASSERT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(HeadStartTest, WhatCommitsBeforeItComesFirst) {
    ASSERT_NO_FATAL_FAILURE(begin_with_a_head_start());
    pair_.leader.exec(rows(9000, 9000));
    ASSERT_TRUE(shows(*process_, pair_.follower, "SELECT count(*) FROM t", "1"));
    EXPECT_TRUE(becomes(false));
    application_.exec("UPDATE t SET s = 'seen' WHERE id IN (7, 9000)");
    application_.exec("COMMIT");
    ASSERT_TRUE(shows(*process_, pair_.follower, "SELECT count(*) FROM t", "5001"));
    ASSERT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(HeadStartTest, ATransactionThatPausesHoldsNobodyUp) {
    ASSERT_NO_FATAL_FAILURE(begin_with_a_head_start());
    EXPECT_TRUE(becomes(false, std::chrono::seconds{8})) << "the application thinks, and the follower's lock is held";
    application_.exec(rows(5001, 7000));
    application_.exec("COMMIT");
    ASSERT_TRUE(shows(*process_, pair_.follower, "SELECT count(*) FROM t", "7000"));
}

TEST_P(HeadStartTest, AFailureInWhatTheLeaderRollsBackIsNone) {
    begin(std::string{kTable} + "; INSERT INTO t VALUES (0, 'x', 1, NULL), (-1, 'y', 1, NULL)");
    pair_.follower.exec("DELETE FROM t WHERE id = 0");
    process_ = start_run(pair_.leader, pair_.follower, options_);
    application_.exec("BEGIN");
    application_.exec("UPDATE t SET s = 'z' WHERE id = 0");
    application_.exec(rows(1, 5000));
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
    application_.exec("ROLLBACK");
    pair_.leader.exec("UPDATE t SET s = 'after' WHERE id = -1");
    ASSERT_TRUE(shows(*process_, pair_.follower, "SELECT s FROM t WHERE id = -1", "after"));
    // Committed it is one.
    pair_.leader.exec("BEGIN; UPDATE t SET s = 'z' WHERE id = 0; " + rows(1, 5000) + "; COMMIT");
    EXPECT_TRUE(ended(*process_, 7, "table"));
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t"), "1");
}

TEST_P(HeadStartTest, WhateverRunsSideBySideTheFollowerIsEqual) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random{seed};
    begin(kTable);
    process_ = start_run(pair_.leader, pair_.follower, options_);
    std::vector<std::unique_ptr<PgConnection>> sessions;
    for (int i = 0; i < 3; ++i) sessions.push_back(std::make_unique<PgConnection>(pair_.leader.uri()));
    std::vector<int> depth(sessions.size(), 0);
    int next = 0;
    for (int step = 0; step < 150; ++step) {
        // One after the other most of the time, each with rows of its own.
        const auto who = static_cast<std::size_t>(random.chance(80) ? step / 20 % 3 : random.below(3));
        PgConnection& session = *sessions[who];
        if (depth[who] == 0) session.exec("BEGIN");
        depth[who] = std::max(depth[who], 1);
        const std::string mine = fmt::format("id % 3 = {}", who);
        switch (random.below(8)) {
            case 0: session.exec(fmt::format("UPDATE t SET n = n + 1, s = s || 'u' WHERE {} AND id % 5 = {}", mine, random.below(5))); break;
            case 1: session.exec(fmt::format("DELETE FROM t WHERE {} AND id % 11 = {}", mine, random.below(11))); break;
            case 2: session.exec(fmt::format("SAVEPOINT s{}", depth[who]++)); break;
            case 3:
                if (depth[who] > 1) session.exec(fmt::format("ROLLBACK TO s{}", --depth[who]));
                break;
            case 4:
                session.exec(random.chance(75) ? "COMMIT" : "ROLLBACK");
                depth[who] = 0;
                break;
            default:
                next += 300;
                session.exec(fmt::format("INSERT INTO t SELECT 3 * g + {}, repeat(md5(g::text), 2), g, NULL FROM generate_series({}, {}) g", who, next, next + random.below(300)));
        }
        if (random.chance(4)) {
            process_->kill(SIGKILL);
            ASSERT_TRUE(process_->wait());
            process_ = start_run(pair_.leader, pair_.follower, options_);
        }
    }
    for (std::size_t i = 0; i < sessions.size(); ++i)
        if (depth[i] > 0) sessions[i]->exec("COMMIT");
    process_->kill(SIGKILL);
    ASSERT_TRUE(process_->wait());
    catches_up();
}

INSTANTIATE_TEST_SUITE_P(Followers, HeadStartTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

INSTANTIATE_TEST_SUITE_P(Followers, StreamingTest, ::testing::Values(Direction::pg_to_pg, Direction::pg_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
