#pragma once

#include <vector>

#include "decoder/pg_log/commit_order.h"
#include "decoder/pg_log/log_entries.h"
#include "decoder/pg_log/log_sessions.h"

namespace rowferry {

/// The part of a log before the place where reading begins: nothing is wanted of it but what its sessions had set by the end. One thread.
class LogPrelude {
public:
    LogPrelude(const LogSettings& settings, const LogMakeup& makeup);

    void take(const LogEntries::Next& next);
    /// Those that are known; none where the log cannot be followed up to there.
    [[nodiscard]] std::vector<SessionState> sessions() const;

private:
    class NoTouches : public Touches {
        [[nodiscard]] std::vector<Touch> touches(const LoggedTransaction& /*transaction*/) override { return {}; }
    };
    static LogSettings without_begin(LogSettings settings);

    NoTouches touches_;
    CommitOrder order_;
    LogSessions sessions_;
    LogOrder count_ = 0;
    bool lost_ = false;
};

}  // namespace rowferry
