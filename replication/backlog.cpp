#include "replication/backlog.h"

#include <chrono>
#include <ranges>

namespace rowferry {
namespace {
constexpr std::chrono::milliseconds kAge{200};
}  // namespace

bool is_backlog(const Batch& batch) {
    for (const Event& event : batch.events() | std::views::reverse)
        if (const auto* commit = std::get_if<Commit>(&event))
            return commit->time_us != 0 && std::chrono::system_clock::now().time_since_epoch() - std::chrono::microseconds{commit->time_us} > kAge;
    return false;
}

}  // namespace rowferry
