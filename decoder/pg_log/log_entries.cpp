#include "decoder/pg_log/log_entries.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "decoder/pg_log/csv_lines.h"
#include "decoder/pg_log/json_lines.h"
#include "decoder/pg_log/stderr_lines.h"
#include "decoder/pg_log/syslog_lines.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::size_t kRead = 1UL << 20;
/// The server writes an entry with one call: what is there after this time is all of it, whether a next entry follows or not.
constexpr std::chrono::milliseconds kQuiet{250};
/// How often the folder is looked at for the next file.
constexpr std::chrono::milliseconds kLook{200};
constexpr std::size_t kGuessed = 256UL << 10;

std::vector<std::string_view> lines_of(std::string_view text, std::size_t most) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size() && out.size() < most;) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) break;
        if (text[at] != '\t' && end > at) out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

LogFormat guess_format(std::string_view head) {
    for (const std::string_view line : lines_of(head, 1000)) {
        if (line.starts_with("{\"timestamp\":\"")) return LogFormat::json;
        if (SyslogLines::take_apart(line)) return LogFormat::syslog;
        LogClock clock;
        if (const auto time = clock.read(line); time && line.size() > time->length && line[time->length] == ',' && std::count(line.begin(), line.end(), ',') > 10) return LogFormat::csv;
    }
    return LogFormat::stderr_lines;
}

}  // namespace

LogEntries::LogEntries(const LogSettings& settings) : settings_{settings}, format_{settings.format}, buffer_(2 * kRead) {
    choose_format();
    decoder_ = make_decoder();
    makeup_ = {decoder_->has_numbers(), decoder_->numbers_from_one(), decoder_->has_sessions(), decoder_->has_database(), decoder_->has_transactions()};
    if (!makeup_.database && !settings_.only_database) {
        throw RefusedError{fmt::format("log_line_prefix \"{}\" does not say which database an entry is about (%d): set log_line_prefix = '%m [%p] %c %l %v %x %q%u@%d ', or say that the log "
                                       "has statements of one database only",
                                       prefix_)};
    }
    if (!makeup_.numbers) warnings_.push_back("log_line_prefix has no session line numbers (%l): a lost line cannot be noticed");
    if (!makeup_.sessions && !makeup_.numbers_from_one)
        warnings_.push_back("log_line_prefix has no session ids (%c): a process number that is used again for another session cannot be noticed, unless log_disconnections is on");
    files_ = std::make_unique<LogFiles>(settings_.paths, [this](std::string_view head) { return first_time(head); });
}

void LogEntries::choose_format() {
    const std::vector<std::string> paths = LogFiles::matching(settings_.paths);
    if (paths.empty()) throw RefusedError{fmt::format("no file matches {}", fmt::join(settings_.paths, ", "))};
    std::string head;
    for (auto path = paths.begin(); path != paths.end() && head.empty(); ++path) head = LogFiles::head(*path, kGuessed);
    if (format_ == LogFormat::guess) {
        if (head.find('\n') == std::string::npos) throw RefusedError{fmt::format("{}: nothing in it that tells the log's format", paths.front())};
        format_ = guess_format(head);
    }
    if (format_ == LogFormat::csv || format_ == LogFormat::json) return;
    if (settings_.line_prefix) {
        prefix_ = *settings_.line_prefix;
        return;
    }
    const bool syslog = format_ == LogFormat::syslog;
    std::vector<std::string_view> lines = lines_of(head, 2000);
    if (syslog) {
        // Chunks that go on another one have no prefix of their own.
        std::vector<std::string_view> texts;
        for (const std::string_view line : lines)
            if (const auto chunk = SyslogLines::take_apart(line); chunk && chunk->number == 1) texts.push_back(chunk->text);
        lines = std::move(texts);
    }
    const auto guessed = LinePrefix::guess(lines, syslog);
    if (!guessed) throw RefusedError{fmt::format("{}: the lines have no log_line_prefix that can be guessed: give it, as the server's configuration has it", paths.front())};
    prefix_ = *guessed;
}

std::unique_ptr<EntryDecoder> LogEntries::make_decoder() const {
    switch (format_) {
        case LogFormat::csv: return std::make_unique<CsvLines>();
        case LogFormat::json: return std::make_unique<JsonLines>();
        case LogFormat::syslog: return std::make_unique<SyslogLines>(LinePrefix{prefix_, true});
        case LogFormat::stderr_lines:
        case LogFormat::guess: break;
    }
    return std::make_unique<StderrLines>(LinePrefix{prefix_, false});
}

/// Of the first line that has one: other programs may have written before.
std::optional<LogTime> LogEntries::first_time(std::string_view head) const {
    LogClock clock;
    std::optional<LinePrefix> prefix;
    if (format_ != LogFormat::csv && format_ != LogFormat::json) prefix.emplace(prefix_, format_ == LogFormat::syslog);
    for (std::string_view line : lines_of(head, 1000)) {
        LogEntry entry;
        LineLabel label{};
        if (format_ == LogFormat::csv) {
            if (const auto time = clock.read(line)) return time->time;
        } else if (format_ == LogFormat::json) {
            constexpr std::string_view kBegin = "{\"timestamp\":\"";
            if (!line.starts_with(kBegin)) continue;
            line.remove_prefix(kBegin.size());
            if (const auto time = clock.read(line)) return time->time;
        } else if (format_ == LogFormat::syslog) {
            const auto chunk = SyslogLines::take_apart(line);
            if (!chunk || chunk->number != 1) continue;
            if (chunk->time != 0) return chunk->time;
            if (prefix->match(chunk->text, entry, label) && entry.time != 0) return entry.time;
        } else if (prefix->match(line, entry, label)) {
            return entry.time;
        }
    }
    return {};
}

void LogEntries::open(const LogFiles::Found& found) {
    file_ = std::make_unique<LogFile>(found.path);
    path_ = std::make_shared<const std::string>(found.path);
    id_ = found.id;
    at_ = {};
    begin_ = end_ = 0;
    last_ = false;
    follower_.reset();
    grown_ = Clock::now();
}

void LogEntries::seek(const LogFileId& file, std::uint64_t offset, std::uint64_t line) {
    const auto found = files_->find(file);
    if (!found) {
        throw LogError{LogStop::missing_file, {std::make_shared<const std::string>(fmt::format("{}", fmt::join(settings_.paths, ", "))), 0, 0},
                       "the file to go on from is not there any more, under whatever name: what was written to it since is lost; copy the tables again"};
    }
    open(*found);
    if (!file_->skip(offset)) throw LogError{LogStop::truncated, place(0, offset), "the file is shorter than it was: it was cut or overwritten"};
    at_ = {line, offset};
}

/// More bytes of this file.
bool LogEntries::fill() {
    if (begin_ > 0 && (begin_ == end_ || buffer_.size() - end_ < kRead / 2)) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    // An entry that is larger than the buffer: reading twice as much each time keeps the repeated looking at it cheap.
    if (buffer_.size() - end_ < kRead / 2) {
        if (buffer_.size() > 2 * settings_.most_waiting + (4UL << 20)) throw LogError{LogStop::too_large, place(at_.line, at_.offset), "an entry that is larger than all that may wait in memory"};
        buffer_.resize(buffer_.size() * 2);
    }
    const std::size_t got = file_->read(buffer_.data() + end_, buffer_.size() - end_);
    end_ += got;
    if (got > 0) grown_ = Clock::now();
    return got > 0;
}

/// More bytes of this file or the next one. False: there are none right now, though what is in the buffer may be known to be whole by now.
bool LogEntries::fill_or_go_on() {
    if (file_ && fill()) {
        last_ = false;
        return true;
    }
    if (file_ && file_->was_truncated()) throw LogError{LogStop::truncated, place(at_.line, at_.offset), "the file became shorter while it was read: what was in it is lost (copytruncate?); copy the tables again"};
    const auto now = Clock::now();
    if (!follower_ && (now - looked_ >= kLook || !file_ || finished_ || !file_->grows())) {
        looked_ = now;
        follower_ = files_->after(id_);
        if (follower_ && file_) return fill_or_go_on();  // whatever came before the next file was there
    }
    if (!follower_) {
        if (!file_) return false;
        const bool whole = finished_ || !file_->grows() || now - grown_ >= kQuiet;
        if (!whole || last_) return false;
        last_ = true;
        return true;
    }
    if (file_ && !last_) {
        last_ = true;
        return true;
    }
    if (file_ && begin_ < end_) throw LogError{LogStop::cut, place(at_.line, at_.offset), "the file ends within an entry, and another one follows"};
    const LogFiles::Found next = *follower_;
    open(next);
    return fill_or_go_on();
}

bool LogEntries::next(Next& next) {
    for (;;) {
        if (file_) {
            Decoded decoded;
            try {
                decoded = decoder_->decode(buffer_.data() + begin_, end_ - begin_, last_, at_, next.entry);
            } catch (const LogBytesError& error) {
                throw LogError{error.cut ? LogStop::cut : LogStop::format, place(at_.line + error.line, at_.offset), error.what};
            }
            begin_ += decoded.used;
            at_.offset += decoded.used;
            at_.line += decoded.lines;
            if (decoded.found) {
                next.place = place(next.entry.line, next.entry.offset);
                next.spot = {id_.number, next.entry.offset};
                return true;
            }
            if (decoded.used > 0) {
                if (const std::uint64_t foreign = decoder_->take_foreign(); foreign > 0 && format_ == LogFormat::stderr_lines && !warned_foreign_) {
                    warned_foreign_ = true;
                    warnings_.push_back(fmt::format("{}: lines without the log_line_prefix, of other programs as it seems, are passed over", to_string(place(at_.line - 1, at_.offset))));
                }
                if (begin_ < end_) continue;
            }
        }
        if (!fill_or_go_on()) {
            if (finished_ && file_ && begin_ < end_) throw LogError{LogStop::cut, place(at_.line, at_.offset), "the log ends within an entry"};
            return false;
        }
    }
}

bool LogEntries::at_end() const {
    if (!file_) return true;
    const bool given = last_ || (begin_ == end_ && (format_ == LogFormat::csv || format_ == LogFormat::json));
    return given && !follower_ && looked_ >= grown_;
}

std::vector<std::string> LogEntries::take_warnings() { return std::exchange(warnings_, {}); }

bool LogEntries::shows_completeness(std::size_t bytes) {
    const auto first = files_->after({});
    if (!first) return false;
    std::string head = LogFiles::head(first->path, bytes);
    const auto decoder = make_decoder();
    LogEntry entry;
    std::vector<SqlStatement> statements;
    for (std::size_t at = 0;;) {
        Decoded decoded;
        try {
            decoded = decoder->decode(head.data() + at, head.size() - at, true, {}, entry);
        } catch (const LogBytesError&) {
            return false;  // reading will say it better
        }
        if (!decoded.found && decoded.used == 0) return false;
        at += decoded.used;
        if (!decoded.found) continue;
        const LogMessage message = read_message(entry);
        if ((message.kind == MessageKind::after_statement || message.kind == MessageKind::after_execute) && message.duration < 1000) return true;
        if (message.kind != MessageKind::statement && message.kind != MessageKind::execute) continue;
        split_sql(message.text, false, statements);
        for (const SqlStatement& one : statements)
            if (one.kind != SqlKind::other && one.kind != SqlKind::copy_from_stdin) return true;
    }
    return false;
}

}  // namespace rowferry
