#include "replication/retry.h"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace rowferry {
namespace {
constexpr std::chrono::milliseconds kFirstDelay{100};
constexpr std::chrono::milliseconds kLongestDelay{5000};
}  // namespace

bool Retry::wait_after(const Error& error) {
    const auto now = std::chrono::steady_clock::now();
    if (error.kind() != ErrorKind::retryable || !ever_connected_) return false;
    if (!outage_start_) {
        outage_start_ = now;
        delay_ = kFirstDelay;
        attempts_ = 0;
    }
    if (retry_for_ && now - *outage_start_ >= *retry_for_) return false;
    if (attempts_ == 0)
        spdlog::warn("{}; retrying", error.what());
    else
        spdlog::debug("attempt {}: {}", attempts_, error.what());
    ++attempts_;
    if (!stop_.sleep(delay_)) throw InterruptedError{"stopped by a signal while waiting to reconnect"};
    delay_ = std::min(delay_ * 2, kLongestDelay);
    return true;
}

void Retry::succeeded() {
    if (!outage_start_) return;
    const auto outage = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - *outage_start_);
    spdlog::info("back after {} ms and {} attempt(s)", outage.count(), attempts_);
    outage_start_.reset();
}

}  // namespace rowferry
