#include "cli/signals.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/logging.h"

namespace rowferry {
namespace {

// Whoever waits for the end of a service gives it 10 s.
constexpr std::chrono::seconds kGrace{8};
// `timeout` and terminals send one signal to the process and to its group: two within this time are one.
constexpr std::chrono::milliseconds kSameSignal{500};

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

const char* signal_name(int signal) { return signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGHUP"; }

}  // namespace

SignalThread::SignalThread(StopSignal& stop, ExitCode code) : stop_{stop}, code_{code}, in_terminal_{::isatty(STDERR_FILENO) == 1} {
    const sigset_t signals = our_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "signalfd"};
    thread_ = std::thread{[this] { watch(); }};
}

SignalThread::~SignalThread() {
    done_ = true;
    finished_.wake();
    thread_.join();
    // What came in the meantime has nothing left to stop, and would replace the exit code.
    signalfd_siginfo late{};
    while (::read(fd_, &late, sizeof late) > 0) continue;
    ::close(fd_);
    const sigset_t signals = our_signals();
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void SignalThread::watch() {
    while (!done_) {
        pollfd waits[] = {{fd_, POLLIN, 0}, {finished_.fd(), POLLIN, 0}};
        int timeout = -1;
        if (asked_) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*asked_ + kGrace - Clock::now()).count();
            if (left <= 0) end_now("did not end in time after a signal");
            timeout = static_cast<int>(left) + 1;
        }
        ::poll(waits, 2, timeout);
        signalfd_siginfo info{};
        while (::read(fd_, &info, sizeof info) == sizeof info) handle(static_cast<int>(info.ssi_signo));
    }
}

void SignalThread::handle(int signal) {
    if (signal == SIGHUP && !in_terminal_) {
        spdlog::warn("SIGHUP: settings cannot be reloaded while running; restart instead, the stream goes on where it is");
        return;
    }
    if (asked_ && Clock::now() - *asked_ < kSameSignal) return;
    if (asked_) end_now("ended at once by a second signal");
    asked_ = Clock::now();
    stop_.request();
    spdlog::info("{}: stopping at the next committed position", signal_name(signal));
}

void SignalThread::end_now(const char* why) const {
    // Not through the logger: the thread that does not end may hold its lock.
    const std::string line = log_line(current_log_format(), std::chrono::system_clock::now(), spdlog::level::warn,
                                      fmt::format("{}; the follower is at its last committed position", why)) + '\n';
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 1) [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(static_cast<int>(code_));
}

void keep_standard_descriptors() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        // open() takes the lowest free number, which is this one.
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) [[maybe_unused]] const int opened = ::open("/dev/null", O_RDWR);
    }
}

}  // namespace rowferry
