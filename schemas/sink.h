#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "schemas/batch.h"
#include "schemas/identity.h"

namespace rowferry {

/// Where a group of leader transactions ends, and what its checkpoint says. Views live during the call.
struct CheckpointAdvance {
    Position position;            ///< New position; `acked` is set to the same, as it is reported only after the commit.
    std::string_view resume;
    std::int64_t commit_time_us = 0;  ///< 0 leaves the stored one.
    bool keep_resume = false;     ///< Idle progress: the stored resume blob stays.
    const LeaderIdentity* leader = nullptr;  ///< Set when the leader's identity moved on (a later timeline): stored as well.
    /// Has to survive a crash of the follower when commit() returns; else it may become so later (see Sink::durable()).
    bool at_once = true;
};

/// How large a follower transaction may grow before it is committed at the next end of a leader transaction. While the queue is empty a
/// group is committed at once, so that grouping costs no latency.
struct GroupLimits {
    std::size_t events = 50'000;
    std::size_t bytes = 16 * 1024 * 1024;
    std::chrono::milliseconds time{200};
};

/// Makes events durable on a follower together with the position they reach. Owned and called by one thread, the applier.
/// Errors: RetryableError when the follower went away (the caller opens a new sink and reads the checkpoint again, which is also the
/// answer after a commit whose outcome is unknown); HaltError for conflicts, values that do not fit, and a checkpoint that somebody
/// else moved. After an error only rollback() and destruction are allowed. Without one, and where no table has rows set aside that do not fit, the sink can be
/// used on after rollback().
class Sink {
public:
    virtual ~Sink() = default;

    /// Applies the events in order inside the open follower transaction, and opens one if there is none. The events are a
    /// contiguous part of one batch, which need not outlive the call. Begin, Commit and Idle change no rows; they give errors their place.
    virtual void apply(std::span<const Event> events) = 0;

    /// Ends the group: writes the checkpoint (compare-and-set on the old position and term) and commits: readers see it on return.
    /// Works without a preceding apply() too (idle progress).
    virtual void commit(const CheckpointAdvance& advance) = 0;

    /// The same as apply() and commit(), perhaps with fewer round trips.
    virtual void apply_and_commit(std::span<const Event> events, const CheckpointAdvance& advance) {
        apply(events);
        commit(advance);
    }

    /// The highest committed position that survives a crash of the follower, with everything before it, as far as it is known without
    /// waiting for a disk. Nothing: all that was committed does, always. Between calls, also inside a group.
    [[nodiscard]] virtual std::optional<Position> durable() { return std::nullopt; }

    /// Takes the open group back. Never throws; does nothing without one.
    virtual void rollback() noexcept = 0;

    /// What suits this follower under a backlog.
    [[nodiscard]] virtual GroupLimits group_limits() const { return {}; }

    /// Rows that an insert or update had to displace because the leader's capture does not see REPLACE; since the sink was opened.
    [[nodiscard]] virtual std::uint64_t replaced_rows() const { return 0; }
};

}  // namespace rowferry
