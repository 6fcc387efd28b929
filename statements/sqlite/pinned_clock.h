#pragma once

#include <cstdint>
#include <optional>

namespace rowferry {

/// A VFS of SQLite that is the default one but for its clock. All of SQLite's "now" comes from there: CURRENT_TIMESTAMP, datetime('now'), strftime('%s'), also in
/// defaults, triggers and views. For sqlite3_open_v2(); any thread.
[[nodiscard]] const char* pinned_clock_vfs();

/// While one of these lives, SQLite's clock stands still for connections on that VFS that this thread uses.
class PinnedClock {
public:
    /// `instant_ms`: ms since 1970-01-01 UTC. Nothing: nobody knows it; whoever asks is noticed.
    explicit PinnedClock(std::optional<std::int64_t> instant_ms);
    ~PinnedClock();
    PinnedClock(const PinnedClock&) = delete;
    PinnedClock& operator=(const PinnedClock&) = delete;

    /// Has anybody looked at the clock?
    [[nodiscard]] bool asked() const noexcept { return asked_; }
    /// For the VFS. False: it cannot be told.
    [[nodiscard]] bool read(std::int64_t& instant_ms) noexcept;

private:
    std::optional<std::int64_t> instant_ms_;
    bool asked_ = false;
    PinnedClock* outer_;
};

/// From here on SQLite refuses 'localtime' and 'utc' in this process: what they give depends on the machine's time zone.
void forbid_local_time();

}  // namespace rowferry
