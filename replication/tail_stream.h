#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "replication/stream.h"
#include "schemas/stream_state.h"

namespace rowferry {

/// Where `tail` begins.
struct From {
    enum class Kind {
        next,      ///< A new stream: now. One that exists: behind what it has confirmed, which is all that the leader keeps for it.
        now,       ///< What is committed when the command starts is passed over.
        position,  ///< Behind this position.
    };
    Kind kind = Kind::next;
    PositionKind position_kind = PositionKind::lsn;
    Position position;
};

struct TailOptions {
    StreamRequest request;  ///< follower_id is filled in. With `temporary` there is no state.
    From from;
    Until until;
    std::optional<std::chrono::milliseconds> retry_for;  ///< As in RunOptions; a temporary stream is not tried again once it is under way.
};

/// What the stream goes into, and what it has to be told on the way. Lives over all connections.
class TailTarget {
public:
    virtual ~TailTarget() = default;
    /// For one connection. The checkpoint is where it begins.
    virtual std::unique_ptr<Sink> open(const Checkpoint& checkpoint) = 0;
    /// Transactions that end at or before `position` are to be passed over.
    virtual void skip_to(Position position) = 0;
    /// Between groups, several times a second. May throw to end the stream.
    virtual void look() = 0;
};

/// Follows a leader without copying a row. `state`: null for a temporary stream, which leaves nothing on the leader however it ends, short of
/// kill -9 and of a leader that cannot be reached for ten seconds (docs/capture.md says what is left then and who removes it). Returns and throws as run_stream().
void tail_stream(const LeaderFactory& make_leader, StreamState* state, TailTarget& target, const TailOptions& options, const StopSignal& stop,
                 Observer& observer);

}  // namespace rowferry
