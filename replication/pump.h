#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "db/stop_signal.h"
#include "replication/acknowledgement.h"
#include "replication/apply_loop.h"
#include "replication/batch_queue.h"
#include "replication/reader.h"
#include "replication/retry.h"
#include "replication/stream.h"

namespace rowferry {

/// Brings the changes of a source to a sink until one of them fails, or the fence is reached: the reader's thread, the queue behind it, and on the calling thread the loop
/// that applies. What was committed is told to the source, to the observer, and to the retry, whose outage is over then.
class Pump {
public:
    /// Begins to read; the source goes on after `from`. What may wait between reader and loop (`queue_bytes`) bounds, with the batches in hand, the memory of the stream. Sink,
    /// retry and observer have to outlive it.
    Pump(std::unique_ptr<Source> source, Sink& sink, Position from, std::optional<Position> fence, std::size_t queue_bytes, Retry& retry, Observer& observer);

    [[nodiscard]] ApplyLoop& loop() noexcept { return loop_; }
    [[nodiscard]] const ApplyLoop& loop() const noexcept { return loop_; }
    [[nodiscard]] bool leader_waits_for_us() const noexcept { return reader_.leader_waits_for_us(); }

    /// `look` is called in front of each batch, at least five times a second, and `arrived` with each before it is applied. Rolls the sink back when anything throws.
    void run(const StopSignal& stop, const std::function<void()>& look, const std::function<void(const Batch&)>& arrived = {});

private:
    BatchPtr next_batch();

    Sink& sink_;
    Retry& retry_;
    Acknowledgement acknowledgement_;
    Waker progress_;
    BatchQueue queue_;
    ApplyLoop loop_;
    Reader reader_;
};

}  // namespace rowferry
