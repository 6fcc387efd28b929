#include "decoder/pg_log/syslog_lines.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "schemas/ascii.h"

namespace rowferry {
namespace {

/// What the server cuts longer lines at (PG_SYSLOG_LIMIT). It looks for a space before that, and keeps characters whole.
constexpr std::size_t kCut = 900;
constexpr std::size_t kCharacter = 4;
/// A process sends the chunks of an entry one right after the other: when so many lines of others came between, no more do.
constexpr std::uint64_t kPatience = 1000;

/// `#011`: how daemons write control characters.
bool is_escape(std::string_view text, std::size_t at) {
    if (at + 4 > text.size() || text[at] != '#') return false;
    int value = 0;
    for (std::size_t i = at + 1; i < at + 4; ++i) {
        if (text[i] < '0' || text[i] > '7') return false;
        value = value * 8 + (text[i] - '0');
    }
    return value < 32 || value == 127;
}

template <typename Number>
bool take_number(std::string_view& text, Number& value, char behind) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data() + text.size() || *end != behind) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return true;
}

}  // namespace

SyslogLines::SyslogLines(LinePrefix prefix) : prefix_{std::move(prefix)} {}

std::optional<SyslogLines::Chunk> SyslogLines::take_apart(std::string_view line) {
    Chunk chunk;
    if (line.starts_with('<')) line.remove_prefix(std::min(line.find('>') + 1, line.size()));
    if (const auto time = read_syslog_time(line)) {
        chunk.time = time->time;
        line.remove_prefix(time->length);
    } else {
        if (line.size() < 17 || line[3] != ' ' || line[6] != ' ' || line[9] != ':' || line[12] != ':') return {};
        line.remove_prefix(15);
    }
    // " host ident[pid]: [n-m] text"
    const std::size_t bracket = line.find('[');
    if (line.empty() || line[0] != ' ' || bracket == std::string_view::npos) return {};
    line.remove_prefix(bracket + 1);
    if (!take_number(line, chunk.pid, ']') || !line.starts_with(": [")) return {};
    line.remove_prefix(3);
    if (!take_number(line, chunk.message, '-') || !take_number(line, chunk.number, ']') || chunk.number == 0) return {};
    if (line.starts_with(' ')) line.remove_prefix(1);
    chunk.text = line;
    return chunk;
}

Decoded SyslogLines::decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) {
    Decoded done;
    while (!give(entry, false)) {
        const void* newline = std::memchr(bytes + done.used, '\n', size - done.used);
        if (newline == nullptr) {
            done.found = last && give(entry, true);
            return done;
        }
        const std::string_view line{bytes + done.used, static_cast<std::size_t>(static_cast<const char*>(newline) - bytes) - done.used};
        const auto chunk = take_apart(line);
        try {
            if (chunk && chunk->number == 1)
                begin(*chunk, {at.line + done.lines, at.offset + done.used});
            else if (chunk)
                go_on(*chunk);
            else if (line.find("message repeated") != std::string_view::npos)
                throw LogBytesError{true, 0, "the syslog daemon left out messages that it took for the same (\"message repeated\"): switch that off"};
            else if (line.find(": LOG:  ") != std::string_view::npos || line.find(" LOG:  ") != std::string_view::npos)
                throw LogBytesError{false, 0, "a line of the server without [message-chunk] numbers: set syslog_sequence_numbers = on"};
            else
                ++foreign_;
        } catch (LogBytesError& error) {
            error.line += done.lines;
            throw;
        }
        ++rows_;
        ++done.lines;
        done.used += line.size() + 1;
    }
    done.found = true;
    return done;
}

void SyslogLines::begin(const Chunk& chunk, const BytePlace& at) {
    if (const auto newest = newest_.find(chunk.pid); newest != newest_.end() && newest->second >= given_) waiting_[newest->second - given_].whole = true;
    newest_[chunk.pid] = given_ + waiting_.size();
    Message& message = waiting_.emplace_back();
    message.number = chunk.message;
    message.row = rows_;
    message.last_length = chunk.text.size();
    message.prefix = chunk.text;
    LogEntry& entry = message.entry;
    entry.time = chunk.time;
    entry.pid = chunk.pid;
    LineLabel label{};
    const auto text = prefix_.match(message.prefix, entry, label);
    if (!text || label != LineLabel::severity) throw LogBytesError{false, 0, "the text of a syslog line does not begin with the log_line_prefix"};
    if (entry.time == 0) throw LogBytesError{false, 0, "no time: the daemon's has no year, and log_line_prefix none at all (%m)"};
    if (!prefix_.has('l')) entry.number = chunk.message;
    entry.line = at.line;
    entry.offset = at.offset;
    message.parts.push_back({label, message.prefix.substr(*text)});
    message.prefix.resize(*text);
}

void SyslogLines::go_on(const Chunk& chunk) {
    const auto newest = newest_.find(chunk.pid);
    if (newest == newest_.end()) return;  // of an entry that began before the place where reading began
    if (newest->second < given_ || waiting_[newest->second - given_].number != chunk.message || waiting_[newest->second - given_].chunks + 1 != chunk.number) {
        throw LogBytesError{true, 0, "a chunk of a syslog message that does not go on what came before: lines were lost or came too late"};
    }
    Message& message = waiting_[newest->second - given_];
    ++message.chunks;
    const std::size_t before = std::exchange(message.last_length, chunk.text.size());
    LogEntry ignored;
    LineLabel label{};
    if (const auto text = prefix_.match(chunk.text, ignored, label); text && label != LineLabel::severity) {
        message.parts.push_back({label, std::string{chunk.text.substr(*text)}});
        if (prefix_.has('l')) ++message.entry.numbers;
        return;
    }
    if (chunk.text.starts_with('\t')) raw_ = true;
    const std::size_t tab = chunk.text.starts_with('\t') ? 1 : is_escape(chunk.text, 0) && chunk.text.starts_with("#011") ? 4 : 0;
    std::string& text = message.parts.back().text;
    if (tab > 0) {
        // A new line, unless the line before was cut at this tab, for what follows did not fit any more.
        std::size_t word = tab;
        while (word < chunk.text.size() && !is_space(chunk.text[word])) ++word;
        if (before + word + kCharacter >= kCut) {
            throw LogBytesError{false, 0, "a long line that was cut at a tab, or a new one: syslog does not tell these apart; log to csvlog, or set syslog_split_messages = off"};
        }
        text += '\n';
    }
    text += chunk.text.substr(tab);
}

/// The first of the waiting ones, if it is whole.
bool SyslogLines::give(LogEntry& entry, bool last) {
    if (waiting_.empty()) return false;
    if (!last && !waiting_.front().whole && rows_ - waiting_.front().row < kPatience) return false;
    // Views into short strings do not survive a move: what they look at is read again at its new place.
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
    ++given_;
    LogEntry read;
    LineLabel label{};
    read.pid = current_.entry.pid;
    (void)prefix_.match(current_.prefix, read, label);
    read.time = current_.entry.time;
    read.number = current_.entry.number;
    read.numbers = current_.entry.numbers;
    read.line = current_.entry.line;
    read.offset = current_.entry.offset;
    for (const Part& part : current_.parts) {
        for (std::size_t at = raw_ ? std::string::npos : part.text.find('#'); at != std::string::npos; at = part.text.find('#', at + 1)) {
            if (part.label != LineLabel::other && is_escape(part.text, at)) {
                throw LogBytesError{false, 0, "#011 or its like in a message: a control character that the syslog daemon escaped, or text that looks like it; switch the escaping off, or log to csvlog"};
            }
        }
        if (part.label == LineLabel::severity) read.message = part.text;
        if (part.label == LineLabel::detail) read.detail = part.text;
        if (part.label == LineLabel::statement) {
            read.statement = part.text;
            read.has_statement = true;
        }
    }
    entry = read;
    return true;
}

}  // namespace rowferry
