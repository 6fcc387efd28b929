#include "replication/batch_queue.h"

#include <algorithm>

namespace rowferry {
namespace {
// More than a full queue of ordinary batches, one being filled and one being applied: a backlog allocates nothing once it runs. Batches that
// come and go between the other allocations of two threads leave holes that the C library cannot give back.
constexpr std::size_t kKeptBatches = 32;

bool is_work(const Batch& batch) {
    return std::ranges::any_of(batch.events(), [](const Event& event) { return !std::holds_alternative<Idle>(event); });
}
}  // namespace

BatchPtr BatchQueue::take_empty() {
    const std::lock_guard lock{mutex_};
    if (empty_.empty()) return std::make_unique<Batch>();
    BatchPtr batch = std::move(empty_.back());
    empty_.pop_back();
    return batch;
}

bool BatchQueue::push(BatchPtr& batch, std::chrono::milliseconds wait) {
    const std::size_t size = batch->size_bytes();
    std::unique_lock lock{mutex_};
    const bool fits = room_.wait_for(lock, wait, [&] { return cancelled_ || queue_.empty() || bytes_ + size <= max_bytes_; });
    if (!fits || cancelled_) return false;
    bytes_ += size;
    with_work_ += is_work(*batch) ? 1 : 0;
    queue_.push_back(std::move(batch));
    lock.unlock();  // whoever wakes up takes it at once
    filled_.notify_one();
    return true;
}

bool BatchQueue::wait_until_taken(std::chrono::microseconds wait) {
    std::unique_lock lock{mutex_};
    return room_.wait_for(lock, wait, [&] { return cancelled_ || queue_.empty(); });
}

void BatchQueue::close(std::exception_ptr cause) {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    cause_ = std::move(cause);
    filled_.notify_all();
}

bool BatchQueue::closed() const {
    const std::lock_guard lock{mutex_};
    return closed_ && queue_.empty();
}

void BatchQueue::cancel() {
    const std::lock_guard lock{mutex_};
    cancelled_ = true;
    room_.notify_all();
}

void BatchQueue::wait_until_cancelled() {
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return cancelled_; });
}

bool BatchQueue::cancelled() const {
    const std::lock_guard lock{mutex_};
    return cancelled_;
}

BatchPtr BatchQueue::pop(std::chrono::milliseconds wait) {
    std::unique_lock lock{mutex_};
    filled_.wait_for(lock, wait, [&] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) {
        if (closed_ && cause_) std::rethrow_exception(cause_);
        return nullptr;
    }
    BatchPtr batch = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= batch->size_bytes();
    with_work_ -= is_work(*batch) ? 1 : 0;
    lock.unlock();
    room_.notify_one();
    return batch;
}

bool BatchQueue::has_work() const {
    const std::lock_guard lock{mutex_};
    return with_work_ > 0;
}

void BatchQueue::recycle(BatchPtr batch) {
    batch->clear();
    const std::lock_guard lock{mutex_};
    if (empty_.size() < kKeptBatches) empty_.push_back(std::move(batch));
}

}  // namespace rowferry
