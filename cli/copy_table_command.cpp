#include "cli/commands.h"

#include "cli/capture.h"
#include "cli/databases.h"
#include "cli/progress.h"

namespace rowferry {

std::string copy_table_command(const Options& options, const LogOptions& log, const StopSignal& stop) {
    const CaptureMethod capture = choose_capture(options, stop);
    Progress progress{progress_mode(options.progress, log.format), position_kind(options.leader.engine, capture)};
    return "done: " + copy_table(leader_factory(options, capture, stop), follower_factory(*options.follower, stop), options.run,
                                 options.tables_to_copy, stop, progress);
}

}  // namespace rowferry
