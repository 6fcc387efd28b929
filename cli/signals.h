#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "cli/exit_code.h"
#include "db/stop_signal.h"

namespace rowferry {

/// Turns SIGTERM and SIGINT into a stop request, from a thread of its own. Make it before any other thread, so that they all have the
/// signals blocked. A process that has not ended some seconds after the first signal, or sees a second one, ends at once: the checkpoint
/// commits together with the rows, so no moment is a wrong one. SIGHUP asks for the end too when the program runs in a terminal (it
/// closed), otherwise it only says that nothing can be reloaded.
class SignalThread {
public:
    /// `code`: what a forced end exits with.
    SignalThread(StopSignal& stop, ExitCode code);
    ~SignalThread();
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;

private:
    using Clock = std::chrono::steady_clock;
    void watch();
    void handle(int signal);
    [[noreturn]] void end_now(const char* why) const;

    StopSignal& stop_;
    ExitCode code_;
    bool in_terminal_;
    int fd_ = -1;
    std::optional<Clock::time_point> asked_;  // When the first signal came. Only the thread touches it.
    Waker finished_;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

/// Opens /dev/null in place of standard descriptors that are closed: the next file or socket would get their number, and log lines with it.
void keep_standard_descriptors();

}  // namespace rowferry
