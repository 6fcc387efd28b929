#include <algorithm>
#include <thread>

#include "replication/stream.h"

namespace rowferry {
namespace {

// A running stream moves its checkpoint at least once a second, also when only the log's end moved.
constexpr std::chrono::milliseconds kMovesWithin{2000};
constexpr std::chrono::milliseconds kPollInterval{100};

/// Waits for a running stream to reach the position that the leader had when it was asked. The log of a busy server never stands still, so a
/// later position says nothing.
bool reaches(Follower& follower, const PositionsReport& report, std::optional<Checkpoint>& checkpoint) {
    const Position before = checkpoint->position;
    for (auto waited = std::chrono::milliseconds{0}; waited < kMovesWithin; waited += kPollInterval) {
        if (checkpoint && checkpoint->position >= report.leader_position) return true;
        std::this_thread::sleep_for(kPollInterval);
        checkpoint = follower.load_checkpoint(report.stream);
        // Nobody is applying: it will not get there while we look.
        if (waited >= kMovesWithin / 2 && checkpoint && checkpoint->position == before) return false;
    }
    return false;
}

}  // namespace

PositionsReport positions(Leader& leader, Follower* follower, const StreamRequest& request) {
    PositionsReport report;
    report.stream = request.stream;
    report.capture = leader.capture();
    report.kind = leader.position_kind();
    report.leader = leader.identify();
    report.leader_position = leader.current_position();
    if (follower == nullptr || !follower->exists()) return report;
    follower->open(false);
    report.follower = follower->load_checkpoint(request.stream);
    if (report.follower) report.quarantined = follower->quarantined(request.stream);
    if (!report.follower || report.follower->state != CheckpointState::ready) return report;
    report.capture = report.follower->capture;
    if (!report.follower->leader.same_system(report.leader)) return report;
    report.caught_up = leader.caught_up(request, *report.follower) || reaches(*follower, report, report.follower);
    return report;
}

std::vector<std::string> drop_stream(std::span<const std::unique_ptr<Leader>> leaders, Follower* follower, const std::optional<std::string>& stream) {
    if (follower != nullptr && !follower->exists()) follower = nullptr;
    if (follower != nullptr) {
        follower->open(false);
        static_cast<void>(follower->drop(stream, true));
    }
    for (const auto& leader : leaders) static_cast<void>(leader->drop(stream, true));
    std::vector<std::string> removed;
    for (const auto& leader : leaders) std::ranges::copy(leader->drop(stream, false), std::back_inserter(removed));
    if (follower != nullptr) std::ranges::copy(follower->drop(stream, false), std::back_inserter(removed));
    return removed;
}

}  // namespace rowferry
