#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decoder/pg_log/log_entry.h"
#include "decoder/pg_log/log_error.h"
#include "decoder/pg_log/log_file.h"
#include "decoder/pg_log/log_files.h"
#include "decoder/pg_log/log_sessions.h"
#include "decoder/pg_log/log_settings.h"

namespace rowferry {

/// Entries of all files of a log, one after the other, followed like `tail -F`: a file that was rotated away is read to its end before the next one. One thread.
class LogEntries {
public:
    explicit LogEntries(const LogSettings& settings);

    /// Goes to the entry at `offset` of a file, its line `line`. Throws LogError (missing_file).
    void seek(const LogFileId& file, std::uint64_t offset, std::uint64_t line);

    /// The next entry; none: nothing more right now. Its views live until the next call. Throws LogError.
    struct Next {
        LogEntry entry;
        LogPlace place;
        LogSpot spot;
    };
    [[nodiscard]] bool next(Next& next);
    /// Nothing is being written any more: what is there is whole.
    void finish() noexcept { finished_ = true; }

    /// Behind next() without an entry: everything that is in the files was given, the last entry only when it is known to be whole.
    [[nodiscard]] bool at_end() const;

    [[nodiscard]] const LogMakeup& makeup() const noexcept { return makeup_; }
    [[nodiscard]] const LogFileId& file() const noexcept { return id_; }
    [[nodiscard]] std::vector<std::string> take_warnings();
    /// The log's beginning shows that it has every statement, not only those that change something.
    [[nodiscard]] bool shows_completeness(std::size_t bytes);

private:
    using Clock = std::chrono::steady_clock;
    void choose_format();
    [[nodiscard]] std::unique_ptr<EntryDecoder> make_decoder() const;
    [[nodiscard]] std::optional<LogTime> first_time(std::string_view head) const;
    void open(const LogFiles::Found& found);
    [[nodiscard]] bool fill();
    [[nodiscard]] bool fill_or_go_on();
    [[nodiscard]] LogPlace place(std::uint64_t line, std::uint64_t offset) const { return {path_, line, offset}; }

    LogSettings settings_;
    LogFormat format_ = LogFormat::guess;
    std::string prefix_;
    LogMakeup makeup_;
    std::unique_ptr<LogFiles> files_;
    std::unique_ptr<EntryDecoder> decoder_;
    std::unique_ptr<LogFile> file_;
    LogFileId id_;
    std::shared_ptr<const std::string> path_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;  ///< Of what is in the buffer.
    BytePlace at_;                     ///< Of buffer_[begin_].
    bool last_ = false;                ///< What is in the buffer is whole.
    bool finished_ = false, warned_foreign_ = false;
    std::optional<LogFiles::Found> follower_;  ///< The file behind this one, once it is there.
    Clock::time_point grown_{}, looked_{};
    std::vector<std::string> warnings_;
};

}  // namespace rowferry
