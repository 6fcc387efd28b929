#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rowferry {

enum class LogFormat : std::uint8_t { guess, stderr_lines, csv, json, syslog };

/// What is known of a statement log beside its bytes. Where the server is at hand, its settings say it.
struct LogSettings {
    std::vector<std::string> paths;  ///< Files or globs, `*.gz` and `*.bz2` among them; read in the order of their first entries' times.
    LogFormat format = LogFormat::guess;
    std::optional<std::string> line_prefix;  ///< log_line_prefix, for stderr and syslog; without: guessed from the first file.
    std::string database;                    ///< Only its transactions.
    bool only_database = false;              ///< The log has no other one's: asserted by the user where the prefix has no %d.
    /// log_statement is `all`, or every statement has its duration line (log_min_duration_statement = 0, no sampling), as the server says. Else it has to show in the log.
    bool complete = false;
    bool whole_parameters = false;  ///< log_parameter_max_length is -1, as the server says. Else a value that ends like a shortened one is a stop.
    std::string default_isolation = "read committed";  ///< default_transaction_isolation, as the server says.
    /// Processes that had a transaction open where reading begins; these transactions are not given out, their end is only watched for. Without: not known, so
    /// whatever a session that was there before does until a BEGIN is marked (LoggedTransaction::began_before_log).
    std::optional<std::vector<std::uint32_t>> open_at_begin;
    /// Their virtual ids, by process: what has another one is not of these transactions, which need not be blocks with a COMMIT.
    std::map<std::uint32_t, std::string> open_transactions;
    /// All processes of the database's sessions where reading begins. What such a session had set by then is known if the log has its beginning. Without: nobody's is of whom the log does not.
    std::optional<std::vector<std::uint32_t>> present_at_begin;
    /// The server's settings are what they are since then: what was logged before may lack statements. Microseconds since 1970.
    std::int64_t settled_since = 0;
    std::int64_t read_at = 0;  ///< By the leader's clock, when its settings were read; 0: it was not asked.
    /// Reading begins behind the first entry whose message holds this text; empty: at the first file's beginning.
    std::string begin_behind;
    std::uint64_t most_waiting = 256ULL << 20;  ///< Bytes of statements in memory of transactions that are open or wait for others. More is a stop.
    std::uint64_t snapshot_every = 1ULL << 20;  ///< Bytes of log between places where a reader can begin again.
    /// How far a duration line's time may lie behind the end that it measured. Only matters where lines before execution are missing.
    std::chrono::milliseconds clock_margin{10};
};

}  // namespace rowferry
