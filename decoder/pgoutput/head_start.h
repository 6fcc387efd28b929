#pragma once

#include <chrono>
#include <cstdint>

namespace rowferry {

/// Which transaction is handed over while it still runs on the leader (Begin::in_progress). One at most, as the events of a stream stand in the order of the
/// commits: it goes on only until anything else comes. One thread.
class HeadStart {
public:
    using Clock = std::chrono::steady_clock;
    /// The follower's transaction stays open meanwhile, and for no longer than this without news. The leader collects up to its
    /// logical_decoding_work_mem before it sends, which takes it a moment.
    static constexpr std::chrono::seconds kLongestSilence{2};

    [[nodiscard]] bool is_on() const noexcept { return xid_ != 0; }
    [[nodiscard]] std::uint32_t xid() const noexcept { return xid_; }

    /// May the next transaction have one? Where most come to nothing most of the work would be lost: fewer and fewer are tried.
    [[nodiscard]] bool is_worth_it() {
        if (pass_ == 0) return true;
        --pass_;
        return false;
    }
    void begin(std::uint32_t xid) {
        xid_ = xid;
        heard(Clock::now());
    }
    void heard(Clock::time_point now) noexcept { heard_ = now; }
    [[nodiscard]] bool is_silent(Clock::time_point now) const noexcept { return is_on() && now - heard_ >= kLongestSilence; }
    /// It came to its end.
    void succeeded() noexcept { xid_ = pass_ = misses_ = 0; }
    void taken_back() noexcept {
        xid_ = 0;
        pass_ = (1U << misses_) - 1;
        if (misses_ < kMostMisses) ++misses_;
    }

private:
    static constexpr std::uint32_t kMostMisses = 6;
    std::uint32_t xid_ = 0;
    std::uint32_t pass_ = 0;
    std::uint32_t misses_ = 0;
    Clock::time_point heard_{};
};

}  // namespace rowferry
