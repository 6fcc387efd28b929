#include "replication/batch_queue.h"

#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "db/stop_signal.h"
#include "replication/reader.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

using namespace std::chrono_literals;

BatchPtr batch_of(BatchQueue& queue, std::size_t bytes) {
    BatchPtr batch = queue.take_empty();
    static_cast<void>(batch->arena().bytes(bytes));
    batch->add(Idle{{1, 0}});
    return batch;
}

TEST(BatchQueue, AFullQueueMakesTheReaderWait) {
    BatchQueue queue{1000};
    BatchPtr first = batch_of(queue, 900);
    EXPECT_TRUE(queue.push(first, 0ms));
    BatchPtr second = batch_of(queue, 900);
    EXPECT_FALSE(queue.push(second, 5ms));
    EXPECT_NE(second, nullptr) << "the batch stays the reader's";
    queue.recycle(queue.pop(0ms));
    EXPECT_TRUE(queue.push(second, 0ms));
}

TEST(BatchQueue, ABatchLargerThanTheBoundPassesAnEmptyQueue) {
    BatchQueue queue{10};
    BatchPtr huge = batch_of(queue, 1'000'000);
    EXPECT_TRUE(queue.push(huge, 0ms));
}

TEST(BatchQueue, TheCauseComesAfterTheBatches) {
    BatchQueue queue{1000};
    BatchPtr batch = batch_of(queue, 10);
    ASSERT_TRUE(queue.push(batch, 0ms));
    queue.close(std::make_exception_ptr(RetryableError{"gone"}));
    EXPECT_NE(queue.pop(0ms), nullptr);
    EXPECT_THROW(static_cast<void>(queue.pop(0ms)), RetryableError);
}

TEST(BatchQueue, AnIdlePositionIsNoWork) {
    // A keepalive right behind every commit made the applier believe in a backlog, and wait for the follower twice.
    BatchQueue queue{1000};
    BatchPtr idle = batch_of(queue, 10);
    BatchPtr work = queue.take_empty();
    work->add(Begin{});
    ASSERT_TRUE(queue.push(idle, 0ms));
    EXPECT_FALSE(queue.has_work());
    ASSERT_TRUE(queue.push(work, 0ms));
    EXPECT_TRUE(queue.has_work());
    queue.recycle(queue.pop(0ms));
    queue.recycle(queue.pop(0ms));
    EXPECT_FALSE(queue.has_work());
}

TEST(BatchQueue, UsedBatchesAreFilledAgain) {
    BatchQueue queue{1000};
    BatchPtr batch = queue.take_empty();
    const Batch* address = batch.get();
    queue.recycle(std::move(batch));
    EXPECT_EQ(queue.take_empty().get(), address);
}

/// Yields numbered commits as fast as it can, and remembers what it was told.
class CountingSource : public Source {
public:
    explicit CountingSource(std::uint64_t last) : last_{last} {}
    void read(Batch& batch, std::size_t, std::chrono::milliseconds) override {
        if (next_ == last_) throw RetryableError{"the end"};
        batch.add(Commit{{++next_, 0}, 0, {}});
        static_cast<void>(batch.arena().bytes(100));
    }
    void report(Position durable) override {
        EXPECT_LE(durable.major, next_) << "told more than was read";
        EXPECT_GE(durable.major, told_) << "went back";
        told_ = durable.major;
    }

private:
    std::uint64_t next_ = 0;
    std::uint64_t last_;
    std::uint64_t told_ = 0;
};

TEST(Reader, HandsEverythingOverInOrderAndThenItsError) {
    BatchQueue queue{4096};
    Acknowledgement acknowledgement{{}};
    Waker waker;
    Reader reader{std::make_unique<CountingSource>(5000), queue, acknowledgement, waker};
    std::uint64_t seen = 0;
    try {
        for (;;) {
            BatchPtr batch = queue.pop(1000ms);
            ASSERT_NE(batch, nullptr);
            for (const Event& event : batch->events()) EXPECT_EQ(std::get<Commit>(event).position.major, ++seen);
            acknowledgement.committed({seen, 0});
            acknowledgement.flushed({seen, 0});
            waker.wake();
            queue.recycle(std::move(batch));
        }
    } catch (const RetryableError&) {
    }
    EXPECT_EQ(seen, 5000U);
}

TEST(Reader, IsStoppedWhileItWaitsForRoom) {
    BatchQueue queue{1};
    Acknowledgement acknowledgement{{}};
    Waker waker;
    const auto start = std::chrono::steady_clock::now();
    {
        Reader reader{std::make_unique<CountingSource>(1'000'000), queue, acknowledgement, waker};
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 900ms);
}

/// Yields transactions of some changes each, one event for every read, as a leader sends them message by message.
class DrippingSource : public Source {
public:
    DrippingSource(std::uint64_t transactions, int changes) : last_{transactions}, changes_{changes} {}
    void read(Batch& batch, std::size_t, std::chrono::milliseconds) override {
        if (at_ == 0 && number_ == last_) throw RetryableError{"the end"};
        if (at_++ == 0) return batch.add(Begin{{number_, 0}});
        if (at_ <= changes_ + 1) return batch.add(Change{&table_, Operation::insert, {}, batch.arena().array<Cell>(30)});
        at_ = 0;
        batch.add(Commit{{++number_, 0}, 0, {}});
    }
    void report(Position) override {}

private:
    TableSchema table_;
    std::uint64_t number_ = 0;
    std::uint64_t last_;
    int changes_;
    int at_ = 0;
};

/// Batches that a reader makes of a source while the applier takes each at once, and the events in them.
std::pair<std::size_t, std::size_t> batches_of(std::unique_ptr<Source> source) {
    BatchQueue queue{1'000'000};
    Acknowledgement acknowledgement{{}};
    Waker waker;
    Reader reader{std::move(source), queue, acknowledgement, waker};
    std::size_t batches = 0;
    std::size_t events = 0;
    try {
        while (BatchPtr batch = queue.pop(5000ms)) {
            ++batches;
            events += batch->events().size();
            queue.recycle(std::move(batch));
        }
    } catch (const RetryableError&) {
    }
    return {batches, events};
}

TEST(Reader, TakesALargeTransactionInFewPieces) {
    // Of more than half a kilobyte per change only the first ones are handed over as they come.
    const auto [batches, events] = batches_of(std::make_unique<DrippingSource>(1, 100));
    EXPECT_EQ(events, 102U);
    EXPECT_LE(batches, 30U);
}

/// A leader that says one thing at first and then nothing more for the time being.
class QuietSource : public Source {
public:
    explicit QuietSource(std::atomic<int>& reads) : reads_{reads} {}
    void read(Batch& batch, std::size_t, std::chrono::milliseconds wait) override {
        if (++reads_ <= 2) return batch.add(Idle{{static_cast<std::uint64_t>(reads_.load()), 0}});
        if (batch.empty()) std::this_thread::sleep_for(std::min(wait, 10ms));  // with something in hand a source returns at once
    }
    void report(Position) override {}

private:
    std::atomic<int>& reads_;
};

TEST(Reader, SleepsWhileTheApplierIsBusyAndTheLeaderQuiet) {
    // It turned in circles there, and took from the follower's server a core that both had to share.
    BatchQueue queue{1'000'000};
    Acknowledgement acknowledgement{{}};
    Waker waker;
    std::atomic<int> reads = 0;
    {
        Reader reader{std::make_unique<QuietSource>(reads), queue, acknowledgement, waker};
        std::this_thread::sleep_for(100ms);
        EXPECT_LE(reads, 450) << "a look every quarter of a millisecond is enough";
        EXPECT_NE(queue.pop(0ms), nullptr);
        EXPECT_NE(queue.pop(20ms), nullptr) << "the applier is free: what was collected comes at once";
        queue.cancel();
        waker.wake();
    }
}

TEST(Reader, DoesNotHoldASmallTransactionBack) {
    const auto start = std::chrono::steady_clock::now();
    const auto [batches, events] = batches_of(std::make_unique<DrippingSource>(1000, 3));
    EXPECT_EQ(events, 5000U);
    EXPECT_GE(batches, 1U);
    // Waiting for each would take a second and more.
    EXPECT_LT(std::chrono::steady_clock::now() - start, 900ms);
}

}  // namespace
}  // namespace rowferry
