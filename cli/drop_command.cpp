#include "cli/commands.h"

#include <fmt/format.h>

#include "cli/capture.h"
#include "cli/databases.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

std::string drop_command(const Options& options, const StopSignal& stop) {
    const std::string& name = options.run.request.stream;
    if (options.leader.engine == Engine::postgresql && !options.statements.scratch && captured_by(options, stop) == CaptureMethod::statements)
        throw RefusedError{fmt::format("stream {} is captured by statements, which are run again in a scratch: name it with --scratch DATABASE, so that it is emptied, too", name)};
    // By whatever method the stream was captured.
    std::vector<std::unique_ptr<Leader>> leaders;
    for (const CaptureMethod capture : capture_methods(options.leader.engine)) leaders.push_back(leader_factory(options, capture, stop)());
    const auto follower = options.follower ? follower_factory(*options.follower, stop)() : nullptr;
    const auto removed = drop_stream(leaders, follower.get(), options.all ? std::nullopt : std::optional{name});
    std::string text;
    for (const std::string& line : removed) text += printable(line) + "\n";
    print(text.empty() ? "nothing to remove\n" : text);
    return {};
}

}  // namespace rowferry
