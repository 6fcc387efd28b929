#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/pg_log/log_error.h"
#include "decoder/pg_log/log_settings.h"
#include "decoder/pg_log/logged_transaction.h"

namespace rowferry {

/// A session whose last statement may still be running, as far as the log tells: no entry of it came after.
struct UnprovenSession {
    std::string id;
    std::uint32_t pid = 0;
    LogTime since = 0;  ///< Time of that statement's entry.
};

/// PostgreSQL server logs in, committed transactions in commit order out (docs/capture.md says which order that is and why it can be relied on). Follows
/// files that grow and rotate. One thread. Errors: LogError where the log cannot be read on, RefusedError (from the constructor) for a log that can never
/// be used; after a LogError the reader is only good for destruction.
class LogReader {
public:
    /// `touches` outlives the reader. `resume`: what resume() gave, to go on behind that transaction; empty: from the log's beginning.
    LogReader(LogSettings settings, Touches& touches, std::string_view resume = {});
    ~LogReader();

    /// The next transaction. None: there is nothing more right now; never blocks for longer than reading some megabytes takes, so that none can also
    /// mean "ask again": at_end() tells these apart.
    [[nodiscard]] std::optional<LoggedTransaction> next();

    /// Everything that is in the files was read.
    [[nodiscard]] bool at_end() const;

    /// What is needed to go on behind the last transaction that next() gave: keep it with that one's position. Text, a few kilobytes (JSON).
    [[nodiscard]] std::string resume() const;
    /// Behind the last transaction that next() gave.
    [[nodiscard]] Position position() const;

    /// The last statement of a session that goes idle is only known to have returned when the session's next line comes. Whoever knows it from elsewhere
    /// (pg_stat_activity said idle or nothing, and everything that was logged before that was read: at_end() after a later moment) may say so.
    [[nodiscard]] std::vector<UnprovenSession> unproven() const;
    void prove(std::string_view session_id);
    /// The log ends here, and no session runs any more: what has a commit and no error is committed, what is open is gone. next() then gives the rest.
    void finish();

    /// One sentence each, given once: what the log cannot show (lost lines without session line numbers …). After the constructor and after next().
    [[nodiscard]] std::vector<std::string> take_warnings();

    /// When the server last began, as far as was read; 0: not in what was read.
    [[nodiscard]] LogTime server_started() const;

    /// Entries of other databases, rolled back transactions …: for messages and tests.
    struct Counters {
        std::uint64_t entries = 0;
        std::uint64_t transactions = 0;
        std::uint64_t rolled_back = 0;
    };
    [[nodiscard]] Counters counters() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace rowferry
