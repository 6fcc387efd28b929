#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowferry::pg_capture {

/// A numbered snapshot of the leader: a position. The tag tells it from a tick of the same number in another history.
struct Tick {
    std::uint64_t number = 0;
    std::string tag;       ///< A UUID.
    std::string snapshot;  ///< pg_snapshot's text form.
    std::int64_t made_us = 0;  ///< The leader's clock, µs since 1970; 0 for one that a checkpoint kept.
};

/// Which transactions a snapshot sees: those below `xmax` that are not in `running`.
struct SnapshotBounds {
    std::uint64_t xmin = 0;
    std::uint64_t xmax = 0;
    std::vector<std::uint64_t> running;

    [[nodiscard]] bool sees(std::uint64_t xid) const;
    /// `{7,9}`, for SQL.
    [[nodiscard]] std::string running_array() const;
};

/// `xmin:xmax:xip,xip`. Throws HaltError for anything else.
[[nodiscard]] SnapshotBounds parse_snapshot(std::string_view text);

/// What a checkpoint keeps of the tick it stands at (Checkpoint::resume).
[[nodiscard]] std::string resume_text(const Tick& tick);
/// Throws HaltError.
[[nodiscard]] Tick parse_resume(std::uint64_t number, std::string_view text);

/// SQL condition for rows of the log: seen by `to`, not by `from`. Written as two ranges, each of which an index finds, however long a transaction stays open.
[[nodiscard]] std::string between_snapshots(std::string_view columns, std::string_view and_where, const SnapshotBounds& from, const SnapshotBounds* to);

}  // namespace rowferry::pg_capture
