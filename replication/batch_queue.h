#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "schemas/batch.h"

namespace rowferry {

using BatchPtr = std::unique_ptr<Batch>;

/// Batches on their way from the reader to the applier, bounded by bytes; used ones go back and are filled again. One reader; one applier,
/// or several where the order does not matter.
class BatchQueue {
public:
    explicit BatchQueue(std::size_t max_bytes) : max_bytes_{max_bytes} {}

    /// An empty batch, recycled where possible. Reader.
    BatchPtr take_empty();
    /// False when there was no room within `wait` (the batch stays the caller's). A batch larger than the bound passes when the queue
    /// is empty. Reader.
    bool push(BatchPtr& batch, std::chrono::milliseconds wait);
    /// Waits at most `wait` until the applier has taken every batch, or given up; false when it has not. Reader.
    [[nodiscard]] bool wait_until_taken(std::chrono::microseconds wait);
    /// No batch follows. pop() rethrows `cause` once the queue is empty. Either side.
    void close(std::exception_ptr cause);
    /// closed, and every batch was taken.
    [[nodiscard]] bool closed() const;
    /// push() returns false at once from here on. Applier, when it gives up.
    void cancel();
    [[nodiscard]] bool cancelled() const;
    /// Reader, after close().
    void wait_until_cancelled();

    /// The next batch; null when none came within `wait`. Applier.
    BatchPtr pop(std::chrono::milliseconds wait);
    /// Is there more than idle positions in it? Applier.
    [[nodiscard]] bool has_work() const;
    /// Gives a batch back for reuse. Applier.
    void recycle(BatchPtr batch);

private:
    mutable std::mutex mutex_;
    std::condition_variable room_;
    std::condition_variable filled_;
    std::deque<BatchPtr> queue_;
    std::vector<BatchPtr> empty_;
    std::size_t bytes_ = 0;
    std::size_t with_work_ = 0;
    std::size_t max_bytes_;
    bool closed_ = false;
    bool cancelled_ = false;
    std::exception_ptr cause_;
};

}  // namespace rowferry
