#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/common.h>

namespace rowferry {

enum class LogFormat { text, json };

struct LogOptions {
    spdlog::level::level_enum level = spdlog::level::info;
    LogFormat format = LogFormat::text;
};

/// Sends spdlog's default logger to standard error: a line each, UTC, control characters escaped so that no message can forge a line.
/// A closed or full standard error loses lines, never the stream.
void start_logging(const LogOptions& options);

/// The last line of the program, whatever the level is.
void log_reason(spdlog::level::level_enum level, const std::string& message);

/// A line that stands below the log on a terminal and is redrawn in place. Empty removes it.
void show_status(std::string_view line);

/// One log line without its end, in the current format. For threads that must not wait for a lock.
[[nodiscard]] std::string log_line(LogFormat format, std::chrono::system_clock::time_point time, spdlog::level::level_enum level,
                                   std::string_view message);
[[nodiscard]] LogFormat current_log_format();

}  // namespace rowferry
