#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/stop_signal.h"
#include "schemas/follower.h"
#include "schemas/leader.h"

namespace rowferry {

/// When `run` is done.
struct Until {
    enum class Kind {
        never,     ///< Until a signal comes.
        current,   ///< Once the follower holds everything that was committed on the leader when the run began.
        position,  ///< After exactly this position.
    };
    Kind kind = Kind::never;
    PositionKind position_kind = PositionKind::lsn;
    Position position;
};

struct RunOptions {
    StreamRequest request;  ///< follower_id is filled in from the checkpoint, or made.
    FollowerOptions follower;
    Until until;
    std::optional<std::chrono::milliseconds> retry_for;  ///< Nothing: for ever. Zero: not at all.
    std::size_t copy_jobs = 2;  ///< Parts of the first copy that are copied side by side, each with a connection to either database.
    bool copies_only = false;  ///< End once no copy of single tables is waiting (see TableCopy). The stream has to exist.
};

struct CopyProgress {
    std::string table;
    std::size_t tables_done = 0;
    std::size_t tables = 0;
    std::uint64_t rows = 0;                      ///< All tables so far.
    std::optional<std::uint64_t> rows_expected;  ///< All tables; an estimate.
    std::chrono::milliseconds elapsed{0};
    bool finished = false;                       ///< The copy is complete, `table` is empty.
};

/// Is told how the stream goes, on the thread that called run_stream().
class Observer {
public:
    virtual ~Observer() = default;
    virtual void copying(const CopyProgress&) {}
    /// After each group that readers of the follower see: the position, and the leader's commit time there (µs since 1970, 0 where unknown).
    virtual void following(Position, std::int64_t /*commit_time_us*/) {}
};

/// A new Leader or Follower for each attempt to connect.
using LeaderFactory = std::function<std::unique_ptr<Leader>()>;
using FollowerFactory = std::function<std::unique_ptr<Follower>()>;

/// Bootstraps the follower if it has no complete copy, then follows the leader. Returns when `until` is reached, or when the stop signal
/// comes and `until` is never. Throws otherwise: InterruptedError when the signal came first, RetryableError when the very first
/// connection failed or `retry_for` ran out, RefusedError, HaltError.
void run_stream(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options, const StopSignal& stop,
                Observer& observer);

/// Copies the tables that the patterns match into a stream that exists, again or for the first time, while it runs or not: whoever holds
/// the stream's lock does it, else this process. Returns what was copied. Throws RefusedError, HaltError as the copy failed;
/// InterruptedError at the stop signal, after it took the request back if nobody had begun.
std::string copy_table(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options,
                       const std::vector<std::string>& patterns, const StopSignal& stop, Observer& observer);

/// One consistent copy, nothing else. Options `until` and `retry_for` have no effect.
void clone(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options, const StopSignal& stop,
           Observer& observer);

struct PositionsReport {
    std::string stream;
    CaptureMethod capture = CaptureMethod::logical;
    LeaderIdentity leader;
    PositionKind kind = PositionKind::lsn;
    Position leader_position;
    std::optional<Checkpoint> follower;  ///< Nothing without a follower, or when it has no checkpoint for the stream.
    std::vector<QuarantinedTable> quarantined;  ///< Tables of the follower with rows that do not fit.
    bool caught_up = false;
};
/// `follower` may be null.
PositionsReport positions(Leader& leader, Follower* follower, const StreamRequest& request);

/// Removes what the stream (nothing: every stream) made on both sides. Checks both before it touches either. One line per removed object.
/// `leaders`: the same database, once for each capture method.
std::vector<std::string> drop_stream(std::span<const std::unique_ptr<Leader>> leaders, Follower* follower, const std::optional<std::string>& stream);

}  // namespace rowferry
