#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/pg_log/log_entry.h"

namespace rowferry {

/// What an entry says about its session, or about the server.
enum class MessageKind : std::uint8_t {
    other,             ///< Nothing that tells where the session is: notices, warnings, lock waits, plans.
    statement,         ///< Before a simple query string is executed.
    execute,           ///< Before a prepared statement (extended protocol) is executed.
    after_statement,   ///< The same, after it, with its duration.
    after_execute,
    step,              ///< After PARSE or BIND, or one more FETCH of what was executed before: with a duration, or of log_statement.
    duration,          ///< A duration alone: what was logged before is done.
    error,             ///< The statement failed.
    fatal,             ///< And the session ended.
    disconnection,
    connection,
    function_call,     ///< The fast path.
    starting, was_shut_down, was_interrupted, is_shut_down, immediate_shutdown, crash,
    other_language,
};

struct LogMessage {
    MessageKind kind = MessageKind::other;
    std::string_view text;      ///< SQL.
    std::int64_t duration = 0;  ///< Microseconds.
};

[[nodiscard]] LogMessage read_message(const LogEntry& entry);

/// `Parameters: $1 = 'it''s', $2 = NULL` in DETAIL. None: it is something else.
[[nodiscard]] std::optional<std::vector<std::optional<std::string>>> read_parameters(std::string_view detail);

/// `prepare: PREPARE p AS …` in DETAIL; else empty.
[[nodiscard]] std::string_view read_prepared(std::string_view detail);

}  // namespace rowferry
