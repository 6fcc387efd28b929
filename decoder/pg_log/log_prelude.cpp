#include "decoder/pg_log/log_prelude.h"

#include "decoder/pg_log/log_error.h"

namespace rowferry {

LogPrelude::LogPrelude(const LogSettings& settings, const LogMakeup& makeup)
    : order_{touches_, settings.default_isolation}, sessions_{without_begin(settings), makeup, order_} {
    sessions_.gathering();
}

LogSettings LogPrelude::without_begin(LogSettings settings) {
    settings.open_at_begin.reset();
    settings.present_at_begin.reset();
    return settings;
}

void LogPrelude::take(const LogEntries::Next& next) {
    if (lost_) return;
    try {
        sessions_.entry(next.entry, {next.place, next.spot, ++count_});
        std::vector<TransactionPtr> released;
        order_.release(released);
        for (const TransactionPtr& one : released) sessions_.given(one->bytes);
    } catch (const LogError&) {
        lost_ = true;
    }
}

std::vector<SessionState> LogPrelude::sessions() const { return lost_ ? std::vector<SessionState>{} : sessions_.states(); }

}  // namespace rowferry
