#include "cli/commands.h"

#include <fmt/format.h>

#include "cli/capture.h"
#include "cli/databases.h"
#include "cli/progress.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

std::string stopped(const Progress& progress, PositionKind kind) {
    return progress.position() ? "stopped at " + to_string(kind, *progress.position()) : "stopped; nothing was applied in this run";
}

std::string reached(const Options& options, const Progress& progress, PositionKind kind) {
    if (options.run.until.kind == Until::Kind::position) return "done: the follower is at " + to_string(kind, options.run.until.position);
    if (!progress.position()) return "done: the follower holds everything that was committed when the command started";
    return "done: the follower holds everything up to " + to_string(kind, *progress.position());
}

void check_until(const Options& options, CaptureMethod capture, PositionKind kind) {
    if (options.run.until.kind == Until::Kind::position && options.run.until.position_kind != kind)
        throw UsageError{fmt::format("--until: a {} leader that is captured by {} has positions like {}", to_string(options.leader.engine), to_string(capture),
                                     to_string(kind, Position{42, 0}))};
}

}  // namespace

std::string run_command(const Options& options, const LogOptions& log, const StopSignal& stop) {
    const CaptureMethod capture = choose_capture(options, stop);
    const PositionKind kind = position_kind(options.leader.engine, capture);
    check_until(options, capture, kind);
    const bool for_ever = options.run.until.kind == Until::Kind::never;
    Progress progress{progress_mode(options.progress, log.format), kind};
    try {
        run_stream(leader_factory(options, capture, stop), follower_factory(*options.follower, stop), options.run,
                   stop, progress);
    } catch (const InterruptedError&) {
        if (for_ever) return stopped(progress, kind);
        throw InterruptedError{stopped(progress, kind) + ", before --until was reached"};
    }
    return for_ever ? stopped(progress, kind) : reached(options, progress, kind);
}

}  // namespace rowferry
