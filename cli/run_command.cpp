#include "cli/commands.h"

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

}  // namespace

std::string run_command(const Options& options, const LogOptions& log, const StopSignal& stop) {
    const PositionKind kind = position_kind(options.leader.engine);
    const bool for_ever = options.run.until.kind == Until::Kind::never;
    Progress progress{progress_mode(options.progress, log.format), kind};
    try {
        run_stream(leader_factory(options.leader, options.run.request.stream, stop), follower_factory(*options.follower, stop), options.run,
                   stop, progress);
    } catch (const InterruptedError&) {
        if (for_ever) return stopped(progress, kind);
        throw InterruptedError{stopped(progress, kind) + ", before --until was reached"};
    }
    return for_ever ? stopped(progress, kind) : reached(options, progress, kind);
}

}  // namespace rowferry
