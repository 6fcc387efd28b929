#include "tail/output.h"

#include <cerrno>
#include <climits>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rowferry {
namespace {

constexpr std::size_t kBuffer = 64 * 1024;
// A pipe that can be written to takes this much without making us wait.
constexpr std::size_t kPiece = PIPE_BUF;
// After a stop signal the reader gets this long to take what is left of a line.
constexpr int kLastChanceMilliseconds = 500;

}  // namespace

Output::Output(int fd, const StopSignal& stop) : fd_{fd}, stop_{stop} {
    struct stat status {};
    is_file_ = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    buffer_.reserve(kBuffer);
}

void Output::write(std::string_view text) {
    if (buffer_.size() + text.size() < kBuffer) {
        buffer_ += text;
        return;
    }
    flush();
    if (text.size() >= kBuffer)
        drain(text);
    else
        buffer_ += text;
}

void Output::flush() {
    drain(buffer_);
    buffer_.clear();
}

/// Is there room? Waits for it, or for the stop signal.
bool Output::wait_writable(bool stopping) const {
    pollfd waits[] = {{fd_, POLLOUT, 0}, {stop_.fd(), POLLIN, 0}};
    ::poll(waits, stopping ? 1 : 2, stopping ? kLastChanceMilliseconds : -1);
    return waits[0].revents != 0;
}

void Output::drain(std::string_view text) {
    while (!text.empty()) {
        if (!is_file_ && !wait_writable(false) && stop_.requested() && !wait_writable(true))
            throw InterruptedError{"stopped by a signal while nobody took the output"};
        const ssize_t written = ::write(fd_, text.data(), is_file_ ? text.size() : std::min(text.size(), kPiece));
        if (written >= 0) {
            synced_ = false;
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            throw ReaderGoneError{};
        } else if (errno != EINTR && errno != EAGAIN) {
            throw RetryableError{fmt::format("standard output cannot be written to: {}", std::strerror(errno))};
        }
    }
}

void Output::sync() {
    if (!is_file_ || synced_) return;
    if (::fdatasync(fd_) != 0) throw RetryableError{fmt::format("standard output cannot be written to: {}", std::strerror(errno))};
    synced_ = true;
}

void Output::check_reader() const {
    pollfd end{fd_, 0, 0};
    if (::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0) throw ReaderGoneError{};
}

}  // namespace rowferry
