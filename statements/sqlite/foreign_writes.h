#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "statements/sqlite/file_trail.h"
#include "statements/sqlite/scratch_copy.h"
#include "statements/sqlite/statement_log.h"

namespace rowferry {

/// Looks for what was written to a leader without `rowferry exec`: such changes are not in its statement log. Commits that are not explained by a write of ours (FileTrail) hold the stream
/// back in front of them until leader and scratch copy have been compared, row by row, at the end of the log: equal, the stream goes on, and otherwise it stops there. One thread.
class ForeignWrites {
public:
    /// `scratch` outlives this.
    ForeignWrites(const std::string& leader, ScratchCopy& scratch, const StopSignal& stop);

    /// More of the log was run: what is known about commits between its transactions.
    void refresh();
    /// May the follower be given the transaction at this position?
    [[nodiscard]] bool allows(Position position) const;
    /// Everything up to transaction `last` was run. Compares where it has to; true when something was settled by that. Throws HaltError.
    bool look(std::int64_t last);

private:
    using Clock = std::chrono::steady_clock;
    [[nodiscard]] bool compare(const std::string& moment, std::int64_t last, bool wal);
    void settle(SqliteDatabase& leader, const std::string& moment);

    SqliteDatabase db_;
    FileTrail trail_;
    ScratchCopy& scratch_;
    const StopSignal& stop_;
    std::vector<LogGap> gaps_;       ///< Not settled.
    std::int64_t settled_;           ///< Up to this gap.
    std::string compared_;           ///< The leader's last commit when it was compared last.
    std::string looked_at_;          ///< And when it was looked at last, with nothing to compare.
    Clock::time_point next_compare_{};
};

}  // namespace rowferry
