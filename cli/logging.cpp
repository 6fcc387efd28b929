#include "cli/logging.h"

#include <atomic>
#include <cerrno>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "schemas/calendar.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Long enough for every message of ours, short enough for log collectors.
constexpr std::size_t kLongestMessage = 8000;
// How long a log line may wait for a full pipe before it is lost.
constexpr int kFullPipeMilliseconds = 200;

std::atomic<LogFormat> format_now{LogFormat::text};

std::string_view level_name(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace: return "trace";
        case spdlog::level::debug: return "debug";
        case spdlog::level::info: return "info";
        case spdlog::level::warn: return "warn";
        default: return "error";
    }
}

/// Standard error under another number: libpg_query points the usual one elsewhere for as long as it parses, and lines of other threads would go there.
int own_stderr() noexcept {
    static const int copy = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return copy >= 0 ? copy : STDERR_FILENO;
}

/// Best effort: gives up when nobody reads, without an error.
void write_to_stderr(std::string_view text) noexcept {
    while (!text.empty()) {
        pollfd ready{own_stderr(), POLLOUT, 0};
        if (::poll(&ready, 1, kFullPipeMilliseconds) == 0) return;
        // A pipe takes up to PIPE_BUF bytes without blocking once poll() said so.
        const ssize_t written = ::write(own_stderr(), text.data(), std::min<std::size_t>(text.size(), 4096));
        if (written < 0 && errno != EINTR && errno != EAGAIN) return;
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// Log lines and, on a terminal, a status line below them.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    void show_status(std::string_view line) {
        const std::lock_guard lock{mutex_};
        write_to_stderr(erased() + std::string{line});
        status_ = line;
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::string line = log_line(format_now, message.time, message.level, {message.payload.data(), message.payload.size()});
        write_to_stderr(erased() + line + '\n' + status_);
    }
    void flush_() override {}

private:
    /// Works on every terminal, also one without control sequences.
    [[nodiscard]] std::string erased() const { return status_.empty() ? "" : '\r' + std::string(status_.size(), ' ') + '\r'; }

    std::string status_;
};

std::shared_ptr<StderrSink>& the_sink() {
    static auto sink = std::make_shared<StderrSink>();
    return sink;
}

}  // namespace

std::string log_line(LogFormat format, std::chrono::system_clock::time_point time, spdlog::level::level_enum level, std::string_view message) {
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const std::string when = utc_time(microseconds, 3);
    if (format == LogFormat::text) return fmt::format("{} {:5} {}", when, level_name(level), printable(message, kLongestMessage));
    nlohmann::ordered_json line;
    line["time"] = when;
    line["level"] = level_name(level);
    line["message"] = message.substr(0, kLongestMessage);
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

LogFormat current_log_format() { return format_now; }

void start_logging(const LogOptions& options) {
    static_cast<void>(own_stderr());
    format_now = options.format;
    auto logger = std::make_shared<spdlog::logger>("rowferry", the_sink());
    logger->set_level(options.level);
    spdlog::set_default_logger(std::move(logger));
}

void log_reason(spdlog::level::level_enum level, const std::string& message) {
    show_status("");
    spdlog::default_logger()->set_level(std::min(level, spdlog::default_logger()->level()));
    spdlog::log(level, "{}", message);
}

void show_status(std::string_view line) { the_sink()->show_status(line); }

}  // namespace rowferry
