#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "replication/batch_queue.h"
#include "schemas/follower.h"

namespace rowferry {

/// Writes the rows of one table on threads of their own, one per target, while the caller reads more of them. Rows reach the targets in no
/// particular order. One caller's thread.
class CopyWriters {
public:
    explicit CopyWriters(std::vector<std::unique_ptr<CopyTarget>> targets);
    /// Gives up what is not finished: the targets take it back.
    ~CopyWriters();
    CopyWriters(const CopyWriters&) = delete;
    CopyWriters& operator=(const CopyWriters&) = delete;

    [[nodiscard]] BatchPtr take_empty() { return queue_.take_empty(); }
    /// Waits for room; `waiting` is called now and then meanwhile and may throw. Rethrows what a writer has met.
    void write(BatchPtr rows, const std::function<void()>& waiting);
    /// Every row is in, every target finished. Rethrows what a writer has met.
    void finish(const std::function<void()>& waiting);

private:
    void work(CopyTarget& target);
    void rethrow_failure();

    std::vector<std::unique_ptr<CopyTarget>> targets_;
    BatchQueue queue_;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::exception_ptr failure_;
    std::size_t working_ = 0;
    std::vector<std::thread> threads_;
};

}  // namespace rowferry
