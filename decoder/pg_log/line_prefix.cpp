#include "decoder/pg_log/line_prefix.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "schemas/error.h"

namespace rowferry {
namespace {

struct Label {
    std::string_view word;
    LineLabel label;
    Severity severity;
};
constexpr std::array kLabels{Label{"LOG", LineLabel::severity, Severity::log},           Label{"ERROR", LineLabel::severity, Severity::error},
                             Label{"STATEMENT", LineLabel::statement, Severity::log},    Label{"DETAIL", LineLabel::detail, Severity::log},
                             Label{"WARNING", LineLabel::severity, Severity::warning},   Label{"FATAL", LineLabel::severity, Severity::fatal},
                             Label{"NOTICE", LineLabel::severity, Severity::notice},     Label{"PANIC", LineLabel::severity, Severity::panic},
                             Label{"CONTEXT", LineLabel::other, Severity::log},          Label{"HINT", LineLabel::other, Severity::log},
                             Label{"LOCATION", LineLabel::other, Severity::log},         Label{"QUERY", LineLabel::other, Severity::log},
                             Label{"BACKTRACE", LineLabel::other, Severity::log},        Label{"INFO", LineLabel::severity, Severity::notice},
                             Label{"DEBUG", LineLabel::severity, Severity::debug},       Label{"DEBUG1", LineLabel::severity, Severity::debug},
                             Label{"DEBUG2", LineLabel::severity, Severity::debug},      Label{"DEBUG3", LineLabel::severity, Severity::debug},
                             Label{"DEBUG4", LineLabel::severity, Severity::debug},      Label{"DEBUG5", LineLabel::severity, Severity::debug}};

/// `LOG:  ` at `line[at]`.
std::optional<std::size_t> match_label(std::string_view line, std::size_t at, LogEntry& entry, LineLabel& label) {
    const std::string_view rest = line.substr(at);
    for (const Label& one : kLabels) {
        const std::size_t size = one.word.size();
        if (rest.size() < size + 2 || rest[0] != one.word[0] || rest[size] != ':' || rest.substr(0, size) != one.word) continue;
        // An empty message leaves the two spaces at the line's end, which editors and daemons like to cut off.
        std::size_t text = size + 1;
        for (int spaces = 0; spaces < 2 && text < rest.size() && rest[text] == ' '; ++spaces) ++text;
        label = one.label;
        if (one.label == LineLabel::severity) entry.severity = one.severity;
        return at + text;
    }
    return {};
}

template <typename Number>
std::optional<std::size_t> number(std::string_view line, std::size_t at, Number& value, int base = 10) {
    const auto [end, error] = std::from_chars(line.data() + at, line.data() + line.size(), value, base);
    if (error != std::errc{}) return {};
    return static_cast<std::size_t>(end - line.data());
}

/// Session ids are `seconds.pid`, both in hexadecimal.
std::optional<std::size_t> read_session_id(std::string_view line, std::size_t at, LogEntry& entry) {
    std::uint64_t seconds = 0;
    std::uint32_t pid = 0;
    const auto dot = number(line, at, seconds, 16);
    if (!dot || *dot >= line.size() || line[*dot] != '.' || seconds > (1ULL << 40)) return {};
    const auto end = number(line, *dot + 1, pid, 16);
    if (!end) return {};
    entry.session = line.substr(at, *end - at);
    entry.session_start = static_cast<LogTime>(seconds) * 1'000'000;
    if (entry.pid == 0) entry.pid = pid;
    return end;
}

/// Escapes whose text has no form of its own: it goes on to the literal behind them.
constexpr bool is_free(char escape) { return std::string_view{"audrhbiPQe"}.find(escape) != std::string_view::npos; }

}  // namespace

LinePrefix::LinePrefix(std::string text, bool syslog) : text_{std::move(text)} {
    std::string literal;
    const auto end_literal = [&] {
        if (!literal.empty()) tokens_.push_back({0, false, std::exchange(literal, {})});
    };
    for (std::size_t i = 0; i < text_.size(); ++i) {
        if (text_[i] != '%' || i + 1 == text_.size()) {
            literal += text_[i];
            continue;
        }
        bool padded = false;
        for (++i; i < text_.size() && (text_[i] == '-' || (text_[i] >= '0' && text_[i] <= '9')); ++i) padded = true;
        if (i == text_.size()) break;
        const char escape = text_[i];
        if (escape == '%') {
            literal += '%';
        } else if (std::string_view{"audrhbpPtmnisceQvxlq"}.find(escape) != std::string_view::npos) {
            end_literal();
            tokens_.push_back({escape, padded, {}});
            has_ += escape;
        }  // The server ignores others.
    }
    end_literal();
    if (!has('c') && !has('p') && !syslog) {
        throw RefusedError{"log_line_prefix \"" + text_ + "\" has neither %c nor %p, so the sessions of the log cannot be told apart: set log_line_prefix = '%m [%p] %c %l %v %x %q%u@%d '"};
    }
    if (!has('m') && !has('t') && !has('n') && !syslog) {
        throw RefusedError{"log_line_prefix \"" + text_ + "\" has no time (%m): set log_line_prefix = '%m [%p] %c %l %v %x %q%u@%d '"};
    }
}

std::optional<std::size_t> LinePrefix::match(std::string_view line, LogEntry& entry, LineLabel& label, bool strict) {
    LogEntry read = entry;
    auto found = match_from(0, line, 0, read, label, false);
    if (!found && !strict) {
        read = entry;
        found = match_from(0, line, 0, read, label, true);
    }
    if (found) entry = read;
    return found;
}

/// Tokens from `token` on. A free text ends where what follows matches; `spaces`: it may have spaces in it, which names seldom have.
std::optional<std::size_t> LinePrefix::match_from(std::size_t token, std::string_view line, std::size_t at, LogEntry& entry, LineLabel& label, bool spaces) {
    for (; token < tokens_.size(); ++token) {
        const Token& one = tokens_[token];
        if (one.escape == 0) {
            if (line.substr(at, one.literal.size()) != one.literal) return {};
            at += one.literal.size();
            continue;
        }
        if (one.escape == 'q') {
            // Processes that serve no session stop here, the others go on.
            const LogEntry before = entry;
            if (const auto found = match_from(token + 1, line, at, entry, label, spaces)) return found;
            entry = before;
            return match_label(line, at, entry, label);
        }
        if (one.padded)
            while (at < line.size() && line[at] == ' ') ++at;
        if (is_free(one.escape)) {
            // Application names and command tags have spaces as a rule.
            const bool may_have_spaces = spaces || one.escape == 'a' || one.escape == 'i' || one.escape == 'b' || one.padded;
            for (std::size_t end = at; end <= line.size(); ++end) {
                LogEntry before = entry;
                std::string_view value = line.substr(at, end - at);
                if (one.padded)
                    while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
                if (value == "[unknown]") value = {};
                if (one.escape == 'a') before.application = value;
                if (one.escape == 'u') before.user = value;
                if (one.escape == 'd') before.database = value;
                if (one.escape == 'i') before.activity = value;
                if (const auto found = match_from(token + 1, line, end, before, label, spaces)) {
                    entry = before;
                    return found;
                }
                if (end < line.size() && line[end] == ' ' && !may_have_spaces) return {};
            }
            return {};
        }
        const auto end = match_value(one, line, at, entry);
        if (!end) return {};
        at = *end;
        const std::string_view next = token + 1 < tokens_.size() ? std::string_view{tokens_[token + 1].literal} : std::string_view{};
        while (one.padded && at < line.size() && line[at] == ' ' && !line.substr(at).starts_with(next)) ++at;
    }
    return match_label(line, at, entry, label);
}

std::optional<std::size_t> LinePrefix::match_value(const Token& token, std::string_view line, std::size_t at, LogEntry& entry) {
    switch (token.escape) {
        case 'm':
        case 't': {
            const auto time = clock_.read(line.substr(at));
            if (!time) return {};
            entry.time = time->time;
            return at + time->length;
        }
        case 's': {
            const auto time = start_clock_.read(line.substr(at));
            if (!time) return {};
            entry.session_start = time->time;
            return at + time->length;
        }
        case 'n': {
            std::int64_t seconds = 0;
            std::uint32_t milliseconds = 0;
            const auto dot = number(line, at, seconds);
            if (!dot || *dot >= line.size() || line[*dot] != '.' || seconds < 0 || seconds > (1LL << 40)) return {};
            const auto end = number(line, *dot + 1, milliseconds);
            if (!end || *end - *dot != 4) return {};
            entry.time = seconds * 1'000'000 + milliseconds * 1000LL;
            return end;
        }
        case 'c': return read_session_id(line, at, entry);
        case 'p': return number(line, at, entry.pid);
        case 'l': return number(line, at, entry.number);
        case 'x': return number(line, at, entry.xid);
        case 'v': {
            // Empty for processes without one.
            std::uint32_t part = 0;
            const auto slash = number(line, at, part);
            if (!slash || *slash >= line.size() || line[*slash] != '/') return at;
            const auto end = number(line, *slash + 1, part);
            if (!end) return {};
            entry.transaction = line.substr(at, *end - at);
            return end;
        }
        default: return {};
    }
}

std::optional<std::string> LinePrefix::guess(const std::vector<std::string_view>& lines, bool syslog) {
    // The server's default, Debian's, those that documentation, hosting services and pgBadger tell people to set, and ours. Of several that fit, the one that has most.
    constexpr std::array kKnown{"%m [%p] %c %l %v %x %q%u@%d ", "%m [%p] %c %l %v %x %q%u@%d %a ", "%m [%p] %q%u@%d ", "%m [%p] %q%u@%d %a ", "%m [%p] ",
                                "%m [%p] %u@%d ", "%m [%p] %d ", "%m [%p] %c %l ", "%m [%p] %c %l %v %x ", "%m [%p] %c-%l %q%u@%d ", "%m [%p-%l] %q%u@%d ", "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
                                "%m [%p]: [%l-1] db=%d,user=%u ", "%m [%p]: ", "%m [%p]: [%l] ", "%m [%p]: [%l-1] %u@%d ", "%m [%c] ", "%m %c ", "%m %p ", "%m:%p:%u@%d:", "%m|%u|%d|%c|", "%m|%u|%d|%c|%l|%v|%x|",
                                "%m %u@%d %c %l %v %x ", "%m [%c:%l] %u@%d ", "%m;%p;%u;%d;", "%n [%p] %c %l %v %x %q%u@%d ", "%n [%p] %q%u@%d ", "%n [%p] ",
                                "%t [%p] ", "%t [%p]: ", "%t [%p]: [%l-1] ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "%t [%p]: [%l-1] user=%u,db=%d ", "%t [%p]: [%l-1] %u@%d ", "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
                                "%t [%p-%l] %q%u@%d ", "%t [%p] %q%u@%d ", "%t [%p]: db=%d,user=%u ", "%t:%r:%u@%d:[%p]:", "%t-%c-", "%t %c ", "%t-%p-%u-%d-", "%t %u@%d [%p] ", "%t [%c] ", "%t:%h:%u@%d:[%p]:",
                                "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:", "%m:%r:%u@%d:[%p]:"};
    constexpr std::array kSyslogToo{"", "user=%u,db=%d,app=%a,client=%h ", "user=%u,db=%d ", "%u@%d ", "%q%u@%d ", "[%l-1] user=%u,db=%d,app=%a,client=%h ", "%c %l %v %x %q%u@%d "};
    std::vector<std::string> candidates{kKnown.begin(), kKnown.end()};
    if (syslog) candidates.insert(candidates.end(), kSyslogToo.begin(), kSyslogToo.end());
    std::optional<std::string> best;
    std::size_t best_fits = 0, best_size = 0;
    for (const std::string& text : candidates) {
        LinePrefix prefix{text, syslog};
        std::size_t fits = 0, misfits = 0;
        for (const std::string_view line : lines) {
            LogEntry entry;
            LineLabel label{};
            if (prefix.match(line, entry, label, true))
                ++fits;
            else if (looks_like_log(line))
                ++misfits;
        }
        if (misfits == 0 && (fits > best_fits || (fits == best_fits && fits > 0 && prefix.tokens_.size() > best_size))) {
            best = text;
            best_fits = fits;
            best_size = prefix.tokens_.size();
        }
    }
    return best;
}

bool looks_like_log(std::string_view line) {
    for (const Label& one : kLabels) {
        for (std::size_t at = line.find(one.word); at != std::string_view::npos; at = line.find(one.word, at + 1))
            if (line.substr(at + one.word.size(), 3) == ":  ") return true;
    }
    return false;
}

}  // namespace rowferry
