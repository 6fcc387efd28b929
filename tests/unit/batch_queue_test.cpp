#include "replication/batch_queue.h"

#include <thread>

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

}  // namespace
}  // namespace rowferry
