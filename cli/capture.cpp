#include "cli/capture.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/databases.h"
#include "decoder/sqlite_wal/sqlite_wal_leader.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/postgresql/pg_trigger_leader.h"

namespace rowferry {
namespace {

constexpr std::array kPostgresql{CaptureMethod::logical, CaptureMethod::triggers, CaptureMethod::statements};
constexpr std::array kSqlite{CaptureMethod::triggers, CaptureMethod::logical, CaptureMethod::statements};
constexpr std::array kMethods{CaptureMethod::logical, CaptureMethod::triggers, CaptureMethod::statements};

std::string listed(std::span<const CaptureMethod> methods) {
    std::string text;
    for (const CaptureMethod method : methods) text += fmt::format("{}{}", text.empty() ? "" : ", ", to_string(method));
    return text;
}

/// The log for who only looks, as nothing of it stays; triggers for a stream, which may be away.
CaptureMethod default_sqlite_capture(const Options& options) {
    if (!options.run.request.temporary) return CaptureMethod::triggers;
    const std::string obstacle = sqlite_log_obstacle(options.leader.target);
    if (obstacle.empty()) return CaptureMethod::logical;
    throw RefusedError{fmt::format("without --stream only the leader's write-ahead log will do, because capture by triggers leaves its changes on the leader until somebody has read them, and the log cannot be "
                                   "followed: {}. Mend that, or name the stream with --stream NAME",
                                   obstacle)};
}

/// For a stream that does not exist yet: the first method that works on this leader.
CaptureMethod default_capture(const Options& options) {
    if (options.leader.engine == Engine::sqlite) return default_sqlite_capture(options);
    const PgConninfo conninfo{options.leader.target};
    const std::string& stream = options.run.request.stream;
    if (is_captured_by_triggers(conninfo, stream)) return CaptureMethod::triggers;  // an unfinished start, or another follower's
    const std::string obstacle = logical_decoding_obstacle(conninfo, stream);
    if (obstacle.empty()) return CaptureMethod::logical;
    if (options.run.request.temporary)
        throw RefusedError{fmt::format("without --stream only logical decoding will do, because capture by triggers leaves its changes on the leader until somebody has read them, and logical "
                                       "decoding needs more: {}. Mend that, or name the stream with --stream NAME",
                                       obstacle)};
    if (options.command == Command::run || options.command == Command::tail)
        spdlog::info("changes will be captured by triggers: logical decoding needs more ({}). --capture logical insists on it", obstacle);
    return CaptureMethod::triggers;
}

}  // namespace

std::span<const CaptureMethod> capture_methods(Engine leader) {
    switch (leader) {
        case Engine::postgresql: return kPostgresql;
        case Engine::sqlite: return kSqlite;
    }
    throw std::logic_error{"engine"};
}

CaptureMethod parse_capture(Engine leader, std::string_view text) {
    const auto method = std::ranges::find(kMethods, text, [](CaptureMethod each) { return to_string(each); });
    if (method == kMethods.end()) throw UsageError{fmt::format("\"{}\" is none of {}", printable(text), listed(kMethods))};
    const auto offered = capture_methods(leader);
    if (std::ranges::find(offered, *method) == offered.end())
        throw UsageError{fmt::format("changes of a {} leader cannot be captured by {} yet, but by {}", to_string(leader), text, listed(offered))};
    return *method;
}

std::optional<CaptureMethod> captured_by(const Options& options, const StopSignal& stop) {
    if (!options.follower) return std::nullopt;
    const auto follower = follower_factory(*options.follower, stop)();
    if (!follower->exists()) return std::nullopt;
    follower->open(false);
    const auto checkpoint = follower->load_checkpoint(options.run.request.stream);
    return checkpoint ? std::optional{checkpoint->capture} : std::nullopt;
}

CaptureMethod choose_capture(const Options& options, const StopSignal& stop) {
    const auto present = captured_by(options, stop);
    if (present && options.capture && *present != *options.capture)
        throw RefusedError{fmt::format("stream {} is captured by {}, not by {}, and a stream keeps its method. To switch: `rowferry drop LEADER FOLLOWER --stream {}`, then `rowferry run` with "
                                       "--capture {} --on-existing truncate",
                                       options.run.request.stream, to_string(*present), to_string(*options.capture), options.run.request.stream, to_string(*options.capture))};
    if (present) return *present;
    return options.capture ? *options.capture : default_capture(options);
}

}  // namespace rowferry
