#include "cli/commands.h"

#include "cli/databases.h"
#include "cli/schema_text.h"
#include "replication/shaped.h"

namespace rowferry {

std::string schema_command(const Options& options, const StopSignal& stop) {
    const auto leader = copied_leader_factory(options.leader, stop)();
    StreamRequest request = options.run.request;
    request.one_off = true;
    request.need_profiles = leader->engine() == Engine::sqlite && options.schema_for == Engine::postgresql;
    const auto snapshot = shaped_snapshot(leader->snapshot(request), request.rules, *options.schema_for);
    SchemaText text = schema_text(snapshot->tables(), *snapshot, *options.schema_for);
    text.leader = leader->describe();
    text.skipped = leader->skipped(request);
    print(to_string(text));
    return {};
}

}  // namespace rowferry
