#include "tail/output.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include <fcntl.h>
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
    if (buffer_.size() >= kBuffer) flush();
    if (!std::exchange(begun_, true) && is_file_ && ends_within_a_line()) buffer_ += '\n';
    buffer_ += text;
}

void Output::flush() {
    std::size_t done = 0;
    try {
        while (done < buffer_.size()) done += write_some(std::string_view{buffer_}.substr(done));
    } catch (...) {
        buffer_.erase(0, done);
        throw;
    }
    buffer_.clear();
    if (buffer_.capacity() > 16 * kBuffer) buffer_ = {};
}

/// Of a file. One that we may not read may do so: an empty line harms nobody, half a line does.
bool Output::ends_within_a_line() const {
    struct stat status {};
    const off_t here = ::fstat(fd_, &status) == 0 && (::fcntl(fd_, F_GETFL) & O_APPEND) != 0 ? status.st_size : ::lseek(fd_, 0, SEEK_CUR);
    if (here <= 0) return false;
    // The descriptor itself is as a rule open for writing only.
    const int file = ::open(fmt::format("/proc/self/fd/{}", fd_).c_str(), O_RDONLY | O_CLOEXEC);
    char last = 0;
    const bool known = file >= 0 && ::pread(file, &last, 1, here - 1) == 1;
    if (file >= 0) ::close(file);
    return !known || last != '\n';
}

/// Is there room? Waits for it, or for the stop signal.
bool Output::wait_writable(bool stopping) const {
    pollfd waits[] = {{fd_, POLLOUT, 0}, {stop_.fd(), POLLIN, 0}};
    ::poll(waits, stopping ? 1 : 2, stopping ? kLastChanceMilliseconds : -1);
    return waits[0].revents != 0;
}

/// Returns how much of the text was written.
std::size_t Output::write_some(std::string_view text) {
    if (!is_file_ && !wait_writable(false) && stop_.requested() && !wait_writable(true))
        throw InterruptedError{"stopped by a signal while nobody took the output"};
    const ssize_t written = ::write(fd_, text.data(), is_file_ ? text.size() : std::min(text.size(), kPiece));
    if (written >= 0) {
        synced_ = false;
        return static_cast<std::size_t>(written);
    }
    if (errno == EPIPE) throw ReaderGoneError{};
    if (errno != EINTR && errno != EAGAIN) throw RetryableError{fmt::format("standard output cannot be written to: {}", std::strerror(errno))};
    return 0;
}

void Output::sync() {
    if (!is_file_ || synced_) return;
    // The kernel reports it once and forgets it, so that another attempt would succeed over what is lost.
    if (::fdatasync(fd_) != 0)
        throw HaltError{fmt::format("standard output cannot be made durable: {}. What was printed last may be missing there; the next start prints it again", std::strerror(errno))};
    synced_ = true;
}

void Output::check_reader() const {
    pollfd end{fd_, 0, 0};
    if (::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0) throw ReaderGoneError{};
}

}  // namespace rowferry
