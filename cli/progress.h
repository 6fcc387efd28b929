#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/logging.h"
#include "replication/stream.h"

namespace rowferry {

/// Shows how the copy goes: a line redrawn in place on a terminal, a log line now and then elsewhere. Remembers where the stream is.
/// One thread.
class Progress final : public Observer {
public:
    enum class Mode { none, log, line };
    Progress(Mode mode, PositionKind kind) : mode_{mode}, kind_{kind} {}

    void copying(const CopyProgress& progress) override;
    void following(Position position, std::int64_t commit_time_us) override;

    /// The last position known to be on the follower; nothing before the copy is complete.
    [[nodiscard]] std::optional<Position> position() const noexcept { return position_; }

private:
    using Clock = std::chrono::steady_clock;
    /// True, and counts as shown, when the last time is longer ago than `interval`.
    bool due(std::chrono::milliseconds interval);
    void draw(std::string line);

    Mode mode_;
    PositionKind kind_;
    std::optional<Position> position_;
    std::optional<Clock::time_point> shown_;
};

/// `--[no-]progress`, or by what standard error is. JSON lines are never mixed with a line redrawn in place.
[[nodiscard]] Progress::Mode progress_mode(std::optional<bool> wanted, LogFormat format);

/// `copying: 3/11 tables, now public.orders, 120000 of about 500000 rows, 45000 rows/s, 8 s left`.
[[nodiscard]] std::string copy_line(const CopyProgress& progress);

}  // namespace rowferry
