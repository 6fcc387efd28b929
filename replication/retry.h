#pragma once

#include <chrono>
#include <optional>

#include "db/stop_signal.h"
#include "schemas/error.h"

namespace rowferry {

/// Backoff between attempts, and what is said about it: one warning when an outage begins, one line when it is over.
class Retry {
public:
    /// `retry_for`: how long one outage may last; nothing means for ever.
    Retry(std::optional<std::chrono::milliseconds> retry_for, const StopSignal& stop) : retry_for_{retry_for}, stop_{stop} {}

    /// Waits before the next attempt. False when there is none: the error may not be retried, the time is up, or the very first
    /// connection failed. Throws InterruptedError on stop.
    [[nodiscard]] bool wait_after(const Error& error);
    /// Both sides answered: from here on lost connections are retried.
    void connected() { ever_connected_ = true; }
    /// The stream is under way again: it has been for kSteadyAfter.
    void succeeded();
    static constexpr std::chrono::seconds kSteadyAfter{10};

private:
    std::optional<std::chrono::milliseconds> retry_for_;
    const StopSignal& stop_;
    std::optional<std::chrono::steady_clock::time_point> outage_start_;
    std::chrono::milliseconds delay_{0};
    int attempts_ = 0;
    bool ever_connected_ = false;
};

}  // namespace rowferry
