#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/pg_log/log_entry.h"
#include "decoder/pg_log/log_time.h"

namespace rowferry {

/// What stands between a line's prefix and its text.
enum class LineLabel : std::uint8_t { severity, detail, statement, other };

/// A log_line_prefix, as a reader of lines that have it. One thread.
class LinePrefix {
public:
    /// Throws RefusedError for one with which lines cannot be told apart by session and time.
    /// `syslog`: the process id and, where the daemon writes it, the time may come from there.
    LinePrefix(std::string text, bool syslog);

    /// Fills what the prefix of `line` has; gives where the text after `LOG:  ` begins, or none when the line has not got this prefix.
    /// `strict`: names of users and databases have no spaces.
    [[nodiscard]] std::optional<std::size_t> match(std::string_view line, LogEntry& entry, LineLabel& label, bool strict = false);

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool has(char escape) const noexcept { return has_.find(escape) != std::string::npos; }

    /// The prefix that all of these lines have; none: no known one fits. Lines of other programs may be among them.
    [[nodiscard]] static std::optional<std::string> guess(const std::vector<std::string_view>& lines, bool syslog);

private:
    struct Token {
        char escape = 0;      ///< 0: a literal.
        bool padded = false;
        std::string literal;
    };
    [[nodiscard]] std::optional<std::size_t> match_from(std::size_t token, std::string_view line, std::size_t at, LogEntry& entry, LineLabel& label, bool spaces);
    [[nodiscard]] std::optional<std::size_t> match_value(const Token& token, std::string_view line, std::size_t at, LogEntry& entry);

    std::string text_, has_;
    std::vector<Token> tokens_;
    LogClock clock_, start_clock_;
};

/// The line has `LOG:  ` or its like somewhere: if it does not have the prefix, it is a line of the log that was not understood.
[[nodiscard]] bool looks_like_log(std::string_view line);

}  // namespace rowferry
