#include "replication/apply_loop.h"

#include <random>

#include <gtest/gtest.h>

#include "replication/acknowledgement.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

using namespace std::chrono_literals;

Position at(std::uint64_t major) { return {major, 0}; }

TableSchema one_column_table() {
    TableSchema table;
    table.name = {"public", "t"};
    table.columns.resize(1);
    table.columns[0].name = "id";
    return table;
}
const TablePtr kTable = std::make_shared<const TableSchema>(one_column_table());

/// A batch in the words of a story.
struct Feed {
    Batch batch;
    Feed& begin(std::uint64_t after) {
        batch.add(Begin{at(after), 0, Boundary::exact});
        return *this;
    }
    Feed& begin_in_progress(std::uint64_t after) {
        batch.add(Begin{at(after), 0, Boundary::exact, true});
        return *this;
    }
    Feed& taken_back() {
        batch.add(TakenBack{});
        return *this;
    }
    Feed& row(std::int64_t id) {
        const auto cells = batch.arena().array<Cell>(1);
        cells[0] = Cell::integer(id);
        batch.add(Change{batch.keep(kTable), Operation::insert, {}, cells});
        return *this;
    }
    Feed& commit(std::uint64_t position) {
        batch.add(Commit{at(position), 1, "r"});
        return *this;
    }
    Feed& idle(std::uint64_t position) {
        batch.add_idle(at(position));
        return *this;
    }
};

/// A follower in memory: what was applied since the last commit is lost by a crash, and so is what was committed and not flushed.
class MemorySink : public Sink {
public:
    /// Commits need not be at once: flush() writes them to the disk.
    bool lazy = false;
    std::vector<std::int64_t> kept_rows;
    Position kept_position;
    void flush() {
        kept_rows = rows;
        kept_position = position;
    }
    void crash() {
        rollback();
        if (!lazy) return;
        rows = kept_rows;
        position = kept_position;
    }
    std::optional<Position> durable() override { return lazy ? std::optional{kept_position} : std::nullopt; }

    void apply(std::span<const Event> events) override {
        for (const Event& event : events)
            if (const auto* change = std::get_if<Change>(&event)) open.push_back(change->after[0].as_integer());
    }
    void commit(const CheckpointAdvance& advance) override {
        rows.insert(rows.end(), open.begin(), open.end());
        open.clear();
        EXPECT_GE(advance.position, position) << "the checkpoint went back";
        position = advance.position;
        if (advance.at_once) flush();
        ++commits;
    }
    void rollback() noexcept override { open.clear(); }

    std::vector<std::int64_t> rows;
    std::vector<std::int64_t> open;
    Position position;
    int commits = 0;
};

class ApplyLoopTest : public testing::Test {
protected:
    ApplyLoop& start(std::optional<Position> fence = std::nullopt, Position from = {}) {
        sink.position = from;
        sink.flush();
        loop.emplace(
            sink, from, fence, GroupLimits{}, [this](Position position, std::int64_t) { seen.push_back(position.major); },
            [this](Position position) { told.push_back(position.major); });
        return *loop;
    }
    bool feed(const Feed& feed, bool more_waiting = false) { return loop->apply(feed.batch, more_waiting, now); }

    MemorySink sink;
    std::optional<ApplyLoop> loop;
    std::vector<std::uint64_t> seen;
    std::vector<std::uint64_t> told;
    ApplyLoop::Clock::time_point now{std::chrono::hours{1}};
};

TEST_F(ApplyLoopTest, AWholeTransactionIsCommittedAtOnceWhenNothingWaits) {
    start();
    feed(Feed{}.begin(90).row(1).row(2).commit(100));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(sink.position, at(100));
    EXPECT_EQ(told, (std::vector<std::uint64_t>{100}));
}

TEST_F(ApplyLoopTest, TransactionsShareACommitWhileMoreIsWaiting) {
    start();
    feed(Feed{}.begin(90).row(1).commit(100).begin(100).row(2).commit(110), true);
    EXPECT_EQ(sink.commits, 0);
    feed(Feed{}.begin(110).row(3).commit(120), false);
    EXPECT_EQ(sink.commits, 1);
    EXPECT_EQ(sink.position, at(120));
}

TEST_F(ApplyLoopTest, OfABacklogAGroupIsFilledThoughNothingWaits) {
    start().set_catching_up(true);
    feed(Feed{}.begin(90).row(1).commit(100).begin(100).row(2));
    feed(Feed{}.row(3).commit(110));
    EXPECT_EQ(sink.commits, 0);
    EXPECT_LE(loop->next_settle(now), 5ms) << "nobody knows that more will come";
    loop->nothing_came(now);
    EXPECT_EQ(sink.commits, 1);
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(sink.position, at(110));
    feed(Feed{}.begin(110).row(4).commit(120).begin(120).row(5));
    loop->nothing_came(now);
    EXPECT_EQ(sink.commits, 1) << "the leader is inside a transaction";
    loop->set_catching_up(false);
    feed(Feed{}.commit(130));
    EXPECT_EQ(sink.commits, 2);
}

TEST_F(ApplyLoopTest, OfABacklogASmallHeadJoinsAndALargeOneDoesNot) {
    start().set_catching_up(true);
    feed(Feed{}.begin(90).row(1).commit(100).begin(100).row(2));
    EXPECT_EQ(sink.commits, 0);
    EXPECT_TRUE(loop->mixed()) << "whoever fails now takes row 1 back with it";
    feed(Feed{}.row(3).commit(110));
    Feed large;
    large.begin(110);
    for (int i = 0; i < 2000; ++i) large.row(100 + i);
    feed(large);
    EXPECT_EQ(sink.commits, 1) << "what is complete does not wait for the long one";
    EXPECT_EQ(sink.position, at(110));
    EXPECT_FALSE(loop->mixed());
    feed(Feed{}.commit(120));
    loop->nothing_came(now);
    loop->set_at_once(true);
    feed(Feed{}.begin(120).row(4).commit(130).begin(130).row(5));
    EXPECT_EQ(sink.position, at(130)) << "somebody on the leader waits for it";
}

TEST_F(ApplyLoopTest, ATransactionThatSpansBatchesNeverCommitsHalf) {
    start();
    feed(Feed{}.begin(90).row(1).commit(100).begin(100).row(2));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1})) << "what is complete does not wait for the long one";
    EXPECT_EQ(sink.position, at(100));
    feed(Feed{}.row(3));
    EXPECT_EQ(sink.commits, 1);
    feed(Feed{}.row(4).commit(200));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(sink.position, at(200));
}

TEST_F(ApplyLoopTest, ATransactionInProgressIsAppliedAndCommittedWhenTheLeaderHas) {
    start().set_catching_up(true);
    feed(Feed{}.begin(90).row(1).commit(100).begin_in_progress(100).row(2), true);
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1})) << "what is whole never waits for it";
    EXPECT_EQ(sink.open, (std::vector<std::int64_t>{2}));
    EXPECT_TRUE(loop->mixed());
    loop->nothing_came(now += 10s);
    EXPECT_EQ(sink.commits, 1);
    loop->set_catching_up(false);
    feed(Feed{}.row(3).commit(200));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(told, (std::vector<std::uint64_t>{100, 200}));
    EXPECT_FALSE(loop->mixed());
}

TEST_F(ApplyLoopTest, WhatIsTakenBackWasNeverThere) {
    start();
    feed(Feed{}.begin_in_progress(90).row(1));
    EXPECT_EQ(sink.open, (std::vector<std::int64_t>{1}));
    feed(Feed{}.row(2).taken_back().begin(90).row(3).commit(100));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{3}));
    feed(Feed{}.begin_in_progress(100).row(4).taken_back().idle(110));
    EXPECT_TRUE(sink.open.empty());
    EXPECT_FALSE(loop->mixed());
    loop->settle(now += 2s);
    EXPECT_EQ(sink.position, at(110));
}

TEST_F(ApplyLoopTest, AStopDoesNotWaitForATransactionInProgress) {
    start();
    feed(Feed{}.begin(90).row(1).commit(100).begin_in_progress(100).row(2));
    loop->stop_soon();
    EXPECT_TRUE(loop->settle(now));
    EXPECT_TRUE(sink.open.empty());
    EXPECT_EQ(sink.position, at(100));
}

TEST_F(ApplyLoopTest, FullGroupsAreCommittedInsideABatch) {
    start();
    Feed many;
    for (std::uint64_t i = 0; i < 40'000; ++i) many.begin(i * 10).row(static_cast<std::int64_t>(i)).commit(i * 10 + 5);
    feed(many, true);
    EXPECT_GE(sink.commits, 2);
}

TEST_F(ApplyLoopTest, IdlePositionsMoveOnceASecond) {
    start();
    feed(Feed{}.idle(50));
    EXPECT_EQ(sink.position, at(50));
    feed(Feed{}.idle(60));
    EXPECT_EQ(sink.position, at(50)) << "too soon";
    now += 1100ms;
    loop->settle(now);
    EXPECT_EQ(sink.position, at(60));
}

TEST_F(ApplyLoopTest, IdlePositionsMoveAtOnceWhenTheLeaderWaits) {
    start().set_idle_interval(0ms);
    feed(Feed{}.idle(50));
    feed(Feed{}.idle(60));
    EXPECT_EQ(sink.position, at(60));
}

TEST_F(ApplyLoopTest, AnIdlePositionBehindTheLastCommitIsNothingNew) {
    start().set_idle_interval(0ms);
    feed(Feed{}.begin(90).row(1).commit(100).idle(95));
    EXPECT_EQ(sink.position, at(100));
    EXPECT_EQ(sink.commits, 1);
}

TEST_F(ApplyLoopTest, AFenceStopsAfterExactlyItsTransaction) {
    start(at(110));
    EXPECT_TRUE(feed(Feed{}.begin(90).row(1).commit(100).begin(100).row(2).commit(110).begin(110).row(3).commit(120), true));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(sink.position, at(110));
}

TEST_F(ApplyLoopTest, AFenceBetweenTransactionsStopsBeforeTheNextOne) {
    start(at(105));
    EXPECT_TRUE(feed(Feed{}.begin(90).row(1).commit(100).begin(106).row(2).commit(110)));
    EXPECT_EQ(sink.rows, (std::vector<std::int64_t>{1}));
    EXPECT_EQ(sink.position, at(105));
}

TEST_F(ApplyLoopTest, AFenceIsReachedByAnIdleLeader) {
    start(at(105), at(100));
    EXPECT_TRUE(feed(Feed{}.idle(300)));
    EXPECT_EQ(sink.position, at(105)) << "exactly the fence, not what lies behind it";
}

TEST_F(ApplyLoopTest, AFenceAlreadyBehindUsIsReachedWithoutABatch) {
    start(at(100), at(100));
    EXPECT_TRUE(loop->settle(now));
}

TEST_F(ApplyLoopTest, WhatMayBeLostIsNotTold) {
    sink.lazy = true;
    start();
    feed(Feed{}.begin(90).row(1).commit(100));
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{100}));
    EXPECT_TRUE(told.empty());
    now += 150ms;
    loop->settle(now);
    EXPECT_TRUE(told.empty());
    sink.flush();
    now += 150ms;
    loop->settle(now);
    EXPECT_EQ(told, (std::vector<std::uint64_t>{100}));
}

TEST_F(ApplyLoopTest, ALeaderThatWaitsIsToldAtOnce) {
    sink.lazy = true;
    start().set_at_once(true);
    feed(Feed{}.begin(90).row(1).commit(100));
    EXPECT_EQ(told, (std::vector<std::uint64_t>{100}));
}

TEST_F(ApplyLoopTest, TheEndIsDurable) {
    sink.lazy = true;
    start();
    feed(Feed{}.begin(90).row(1).commit(100));
    loop->stop_soon();
    EXPECT_TRUE(loop->settle(now));
    EXPECT_EQ(told, (std::vector<std::uint64_t>{100}));
    EXPECT_EQ(sink.kept_rows, (std::vector<std::int64_t>{1}));

    start(at(110), at(100));
    EXPECT_TRUE(feed(Feed{}.begin(100).row(2).commit(110), true));
    EXPECT_EQ(sink.kept_position, at(110));
}

/// The promise of exactly once: whatever batches a history is cut into, wherever a crash comes, and although the leader resends everything after
/// what it was told, the follower ends with the history, once, in order; and nothing is ever acknowledged that a crash could take back.
TEST(ApplyLoopProperty, EveryCutAndEveryCrashGivesTheSameRowsOnce) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    for (int round = 0; round < 300; ++round) {
        struct Transaction {
            std::uint64_t after, end;
            std::vector<std::int64_t> rows;
            bool in_progress = false;
        };
        std::vector<Transaction> history;
        std::vector<std::int64_t> expected;
        std::uint64_t lsn = 10;
        for (int i = 0, count = static_cast<int>(random() % 30); i < count; ++i) {
            Transaction tx{lsn, 0, {}};
            for (int r = 0, rows = static_cast<int>(random() % 6); r < rows; ++r) {
                tx.rows.push_back(static_cast<std::int64_t>(expected.size()));
                expected.push_back(tx.rows.back());
            }
            tx.in_progress = random() % 4 == 0;
            tx.end = lsn + 5;
            lsn = tx.end + (random() % 3) * 4;  // neighbours touch, often
            history.push_back(tx);
        }
        MemorySink sink;
        sink.lazy = round % 2 == 1;
        for (int crash = 0; crash < 6; ++crash) {
            const bool last = crash == 5;
            const Position checkpoint = sink.position;
            Acknowledgement acknowledgement{checkpoint};
            ApplyLoop loop{sink, checkpoint, std::nullopt, GroupLimits{random() % 8 + 1, 1u << 20, 200ms},
                           [&](Position position, std::int64_t) { acknowledgement.committed(position); },
                           [&](Position position) { acknowledgement.flushed(position); }};
            loop.set_idle_interval(0ms);
            auto now = ApplyLoop::Clock::time_point{std::chrono::hours{1}};
            Feed feed;
            bool dead = false;
            const auto maybe_cut = [&] {
                if (random() % 4 != 0) return;
                loop.set_catching_up(random() % 3 == 0);
                loop.apply(feed.batch, random() % 2 == 0, now);
                EXPECT_LE(acknowledgement.durable(), sink.lazy ? sink.kept_position : sink.position);
                if (random() % 4 == 0) sink.flush();
                if (random() % 4 == 0) random() % 2 == 0 ? loop.settle(now += 150ms) : loop.nothing_came(now += 5ms);
                feed.batch.clear();
                dead = !last && random() % 10 == 0;
            };
            for (const Transaction& tx : history) {
                if (dead) break;
                if (tx.after < checkpoint.major) continue;  // resent: the source drops it
                if (tx.in_progress && random() % 2 == 0) {  // something comes in between
                    feed.begin_in_progress(tx.after);
                    for (int r = static_cast<int>(random() % 4); r > 0 && !dead; --r) {
                        feed.row(-1);
                        maybe_cut();
                    }
                    if (dead) break;
                    feed.taken_back();
                    maybe_cut();
                    if (dead) break;
                }
                if (tx.in_progress)
                    feed.begin_in_progress(tx.after);
                else
                    feed.begin(tx.after);
                for (const std::int64_t id : tx.rows) {
                    maybe_cut();
                    if (dead) break;
                    feed.row(id);
                }
                if (dead) break;
                feed.commit(tx.end);
                if (random() % 3 == 0) feed.idle(tx.end);
                maybe_cut();
            }
            if (!dead) {
                loop.apply(feed.batch, false, now);
                feed.idle(lsn);
                loop.nothing_came(now);
            }
            const Position told = acknowledgement.durable();
            if (!sink.lazy) {
                EXPECT_EQ(told, sink.position);
            }
            if (last) sink.flush();
            sink.crash();
            EXPECT_LE(told, sink.position) << "the leader was told more than the follower kept";
        }
        ASSERT_EQ(sink.rows, expected) << "round " << round;
    }
}

}  // namespace
}  // namespace rowferry
