#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "decoder/pg_log/logged_transaction.h"

namespace rowferry {

/// Reads the times of a log: `2026-11-20 19:48:00.123 CET`, with or without milliseconds. Remembers the last minute and zone, as most entries share them. One thread.
class LogClock {
public:
    /// The time at the beginning of `text`, and how many bytes it has, the zone included. None: it is no time; throws RefusedError for a zone's name that
    /// nobody knows (log_timezone): names are not unique.
    struct Read {
        LogTime time;
        std::size_t length;
    };
    [[nodiscard]] std::optional<Read> read(std::string_view text);

private:
    std::string minute_, zone_;
    LogTime at_minute_ = 0, zone_offset_ = 0;
};

/// `2026-11-20T19:48:00.123456+01:00`, as syslog daemons write it.
[[nodiscard]] std::optional<LogClock::Read> read_syslog_time(std::string_view text);

}  // namespace rowferry
