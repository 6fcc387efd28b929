#pragma once

#include <chrono>
#include <vector>

#include "schemas/batch.h"

namespace rowferry {

/// Yields a leader's committed transactions in commit order, whole ones only, beginning after the position it was opened at.
/// Owned and called by one thread, the reader. Errors: RetryableError when the leader went away, HaltError for a gap, another
/// history, a changed shape; after either the source is only good for destruction.
class Source {
public:
    virtual ~Source() = default;

    /// Appends events to `batch` until its size reaches `budget` bytes or the leader has nothing more right now. Blocks at most
    /// `wait` for the first of them; may return without one. A transaction may go on in the next batch.
    /// Also does whatever keeps the connection alive.
    virtual void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) = 0;

    /// Everything up to `durable` is on the follower and survives a crash, and the follower's checkpoint says so: the leader may
    /// be told, now or when it is cheap. Never goes back. Called between reads, and while the queue has no room instead of
    /// reading, at least once a second: sends due feedback and answers keepalives.
    virtual void report(Position durable) = 0;

    /// Before the first read: a read that would wait returns early while `fd` is readable, so that a fresh durable position is
    /// reported at once. Sources that gain nothing from it ignore it.
    virtual void wake_on([[maybe_unused]] int fd) {}

    /// Before the first read: a merged transaction must not span this position if it can be cut there (see Boundary).
    virtual void cut_at([[maybe_unused]] Position fence) {}

    /// Tables that were made on the leader since the stream began and that its patterns select; each is given once. After a read.
    [[nodiscard]] virtual std::vector<TableName> take_new_tables() { return {}; }

    /// True when somebody on the leader waits for our acknowledgement (synchronous replication): idle positions are then
    /// made durable at once instead of once a second.
    [[nodiscard]] virtual bool leader_waits_for_us() const { return false; }
};

}  // namespace rowferry
