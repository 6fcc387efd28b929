#include "db/stop_signal.h"

#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

int make_eventfd() {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
    return fd;
}

void post(int fd) noexcept {
    const std::uint64_t one = 1;
    // The counter cannot overflow in practice, and a failed write means that it is readable already.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

}  // namespace

StopSignal::StopSignal() : fd_{make_eventfd()} {}
StopSignal::~StopSignal() { ::close(fd_); }

void StopSignal::request() noexcept {
    requested_.store(true, std::memory_order_release);
    post(fd_);
}

void StopSignal::check() const {
    if (requested()) throw InterruptedError{"stopped by a signal"};
}

bool StopSignal::sleep(std::chrono::milliseconds time) const {
    pollfd waited{fd_, POLLIN, 0};
    ::poll(&waited, 1, static_cast<int>(time.count()));
    return !requested();
}

Waker::Waker() : fd_{make_eventfd()} {}
Waker::~Waker() { ::close(fd_); }
void Waker::wake() noexcept { post(fd_); }
void Waker::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

}  // namespace rowferry
