#pragma once

#include <memory>
#include <thread>

#include "db/stop_signal.h"
#include "replication/acknowledgement.h"
#include "replication/batch_queue.h"
#include "schemas/source.h"

namespace rowferry {

/// The thread that owns the source: reads batches into the queue and reports what is durable, also while the queue has no room. Ends by
/// closing the queue with its error; destruction stops and joins it, after a last report.
class Reader {
public:
    /// All references must outlive the reader. `progress` wakes it when the acknowledgement moved.
    Reader(std::unique_ptr<Source> source, BatchQueue& queue, const Acknowledgement& acknowledgement, Waker& progress);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// See Source::leader_waits_for_us(). Any thread.
    [[nodiscard]] bool leader_waits_for_us() const noexcept { return leader_waits_.load(std::memory_order_relaxed); }

private:
    void run() noexcept;
    void fill(Batch& batch);
    void read_until_cancelled();
    void last_report() noexcept;

    std::unique_ptr<Source> source_;
    BatchQueue& queue_;
    const Acknowledgement& acknowledgement_;
    Waker& progress_;
    std::size_t transaction_bytes_ = 0;  ///< What whole batches have held of the transaction that is being read.
    std::atomic<bool> leader_waits_{false};
    std::thread thread_;
};

}  // namespace rowferry
