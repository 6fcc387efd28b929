#include "cli/commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/capture.h"
#include "cli/databases.h"
#include "schemas/calendar.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Counts up when a field changes its meaning or goes away.
constexpr int kJsonVersion = 1;

}  // namespace

std::string positions_json(const PositionsReport& report) {
    using nlohmann::ordered_json;
    ordered_json leader;
    leader["identity"] = to_string(report.leader);
    leader["position"] = to_string(report.kind, report.leader_position);
    ordered_json follower;
    if (report.follower) {
        const Checkpoint& checkpoint = *report.follower;
        follower["state"] = to_string(checkpoint.state);
        follower["position"] = to_string(checkpoint.position_kind, checkpoint.position);
        follower["acked"] = to_string(checkpoint.position_kind, checkpoint.acked);
        follower["commit_time"] = nullptr;
        if (checkpoint.commit_time_us != 0) follower["commit_time"] = utc_time(checkpoint.commit_time_us);
        ordered_json quarantined = ordered_json::array();
        for (const QuarantinedTable& table : report.quarantined)
            quarantined.push_back(ordered_json{{"schema", table.name.schema}, {"table", table.name.name}, {"keys", table.keys}});
        follower["quarantined"] = std::move(quarantined);
    }
    ordered_json root;
    root["version"] = kJsonVersion;
    root["stream"] = report.stream;
    root["capture"] = to_string(report.capture);
    root["leader"] = std::move(leader);
    root["follower"] = std::move(follower);
    root["caught_up"] = report.caught_up;
    return root.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string positions_text(const PositionsReport& report, bool with_follower) {
    std::string text = fmt::format("stream    {} ({})\n", report.stream, to_string(report.capture));
    text += fmt::format("leader    {}\n          at {}\n", printable(to_string(report.leader)), to_string(report.kind, report.leader_position));
    if (report.follower) {
        const Checkpoint& checkpoint = *report.follower;
        text += fmt::format("follower  {} at {}, acknowledged {}\n", to_string(checkpoint.state),
                            to_string(checkpoint.position_kind, checkpoint.position), to_string(checkpoint.position_kind, checkpoint.acked));
        if (checkpoint.commit_time_us != 0) text += fmt::format("          last commit {}\n", utc_time(checkpoint.commit_time_us));
        text += report.caught_up ? "          caught up\n" : "          behind\n";
        for (const QuarantinedTable& table : report.quarantined)
            text += fmt::format("          {} key(s) of {} in quarantine\n", table.keys, to_string(table.name));
    } else if (with_follower) {
        text += "follower  has no checkpoint for this stream\n";
    }
    return text;
}

std::string positions_command(const Options& options, const StopSignal& stop) {
    const auto leader = leader_factory(options, choose_capture(options, stop), stop)();
    const auto follower = options.follower ? follower_factory(*options.follower, stop)() : nullptr;
    const PositionsReport report = positions(*leader, follower.get(), options.run.request);
    print(options.json ? positions_json(report) : positions_text(report, follower != nullptr));
    return {};
}

}  // namespace rowferry
