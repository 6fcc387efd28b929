#include "cli/commands.h"

#include "cli/databases.h"
#include "schemas/identifier.h"

namespace rowferry {

std::string drop_command(const Options& options, const StopSignal& stop) {
    const std::string& name = options.run.request.stream;
    const auto leader = leader_factory(options.leader, name, stop)();
    const auto follower = options.follower ? follower_factory(*options.follower, stop)() : nullptr;
    const auto removed = drop_stream(*leader, follower.get(), options.all ? std::nullopt : std::optional{name});
    std::string text;
    for (const std::string& line : removed) text += printable(line) + "\n";
    print(text.empty() ? "nothing to remove\n" : text);
    return {};
}

}  // namespace rowferry
