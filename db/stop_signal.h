#pragma once

#include <atomic>
#include <chrono>

namespace rowferry {

/// Lets one thread ask all others to end, and wakes those that wait on a file descriptor. request() is async-signal-safe.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    void request() noexcept;
    [[nodiscard]] bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }
    /// Readable for ever once requested.
    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// Throws InterruptedError once requested.
    void check() const;
    /// Sleeps; false when the stop came first.
    bool sleep(std::chrono::milliseconds time) const;

private:
    std::atomic<bool> requested_{false};
    int fd_ = -1;
};

/// Wakes a thread that polls fd(). Any thread may wake; the owner clears.
class Waker {
public:
    Waker();
    ~Waker();
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    void wake() noexcept;
    void clear() noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_ = -1;
};

}  // namespace rowferry
