#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "db/pg_session.h"

namespace rowferry::pg_capture {

/// Acknowledges on the leader and keeps its log small: partitions whose content every stream has are emptied by TRUNCATE, which leaves nothing to vacuum. It never waits for a lock,
/// so that nobody waits behind it. One thread.
class LogPruner {
public:
    LogPruner(PgSession& session, std::string stream, std::string follower_id);

    /// Tells the leader; the snapshot is that of the tick.
    void acknowledge(std::uint64_t tick, const std::string& snapshot);
    /// Does what is due: the partition that is written changes at 64 MB, those behind it are emptied, old ticks are removed. Warns about a stream of which nothing was heard for long.
    void prune();
    /// There are partitions left to be emptied.
    [[nodiscard]] bool more_to_prune() const noexcept { return more_to_prune_; }

private:
    void rotate();
    /// False when it cannot be yet.
    [[nodiscard]] bool empty_slot(int slot);
    void look_for_abandoned();

    PgSession& session_;
    std::string stream_;
    std::string follower_id_;
    bool more_to_prune_ = false;
    std::chrono::steady_clock::time_point next_abandoned_{};
    std::chrono::steady_clock::time_point next_ticks_{};
};

}  // namespace rowferry::pg_capture
