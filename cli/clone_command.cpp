#include "cli/commands.h"

#include "cli/databases.h"
#include "cli/progress.h"
#include "schemas/error.h"

namespace rowferry {

std::string clone_command(const Options& options, const LogOptions& log, const StopSignal& stop) {
    Progress progress{progress_mode(options.progress, log.format), position_kind(options.leader.engine, CaptureMethod::logical)};
    try {
        clone(copied_leader_factory(options.leader, stop), follower_factory(*options.follower, stop), options.run, stop,
              progress);
    } catch (const InterruptedError&) {
        throw InterruptedError{"stopped before the copy was complete; the follower was left as it was"};
    }
    return "done: the copy is complete";
}

}  // namespace rowferry
