#include "replication/copy_writers.h"

#include <chrono>

namespace rowferry {
namespace {
constexpr std::size_t kCopyQueueBytes = 8 * 1024 * 1024;
constexpr std::chrono::milliseconds kLookAtWriters{100};
}  // namespace

CopyWriters::CopyWriters(std::vector<std::unique_ptr<CopyTarget>> targets)
    : targets_{std::move(targets)}, queue_{kCopyQueueBytes}, working_{targets_.size()} {
    for (const auto& target : targets_) threads_.emplace_back([this, &target] { work(*target); });
}

CopyWriters::~CopyWriters() {
    queue_.cancel();
    queue_.close(nullptr);
    for (std::thread& thread : threads_)
        if (thread.joinable()) thread.join();
}

void CopyWriters::work(CopyTarget& target) {
    try {
        while (!queue_.cancelled()) {
            BatchPtr rows = queue_.pop(kLookAtWriters);
            if (rows) {
                target.write(rows->events());
                queue_.recycle(std::move(rows));
            } else if (queue_.closed()) {
                target.finish();
                break;
            }
        }
    } catch (...) {
        const std::lock_guard lock{mutex_};
        if (!failure_) failure_ = std::current_exception();
        queue_.cancel();
    }
    const std::lock_guard lock{mutex_};
    --working_;
    ended_.notify_all();
}

void CopyWriters::rethrow_failure() {
    const std::lock_guard lock{mutex_};
    if (failure_) std::rethrow_exception(failure_);
}

void CopyWriters::write(BatchPtr rows, const std::function<void()>& waiting) {
    while (!queue_.push(rows, kLookAtWriters)) {
        rethrow_failure();
        waiting();
    }
}

void CopyWriters::finish(const std::function<void()>& waiting) {
    queue_.close(nullptr);
    for (std::unique_lock lock{mutex_}; working_ > 0;) {
        ended_.wait_for(lock, kLookAtWriters, [&] { return working_ == 0; });
        lock.unlock();
        waiting();
        lock.lock();
    }
    for (std::thread& thread : threads_) thread.join();
    rethrow_failure();
}

}  // namespace rowferry
