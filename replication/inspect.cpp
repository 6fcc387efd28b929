#include <algorithm>

#include "replication/stream.h"

namespace rowferry {

PositionsReport positions(Leader& leader, Follower* follower, const StreamRequest& request) {
    PositionsReport report;
    report.stream = request.stream;
    report.capture = leader.capture();
    report.kind = leader.position_kind();
    report.leader = leader.identify();
    report.leader_position = leader.current_position();
    if (follower == nullptr) return report;
    follower->open(false);
    report.follower = follower->load_checkpoint(request.stream);
    if (!report.follower || report.follower->state != CheckpointState::ready) return report;
    report.capture = report.follower->capture;
    report.caught_up = report.follower->leader.same_system(report.leader) && leader.caught_up(request, *report.follower);
    return report;
}

std::vector<std::string> drop_stream(Leader& leader, Follower* follower, const std::optional<std::string>& stream) {
    if (follower != nullptr) {
        follower->open(false);
        static_cast<void>(follower->drop(stream, true));
    }
    static_cast<void>(leader.drop(stream, true));
    std::vector<std::string> removed = leader.drop(stream, false);
    if (follower != nullptr) std::ranges::copy(follower->drop(stream, false), std::back_inserter(removed));
    return removed;
}

}  // namespace rowferry
