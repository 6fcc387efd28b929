#include "db/file_watch.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};  // safety net below inotify
constexpr std::chrono::milliseconds kCommitTime{200};
constexpr std::chrono::milliseconds kCommitInterval{1};

}  // namespace

FileWatch::FileWatch(const std::string& path) : database_{path}, wal_{path + "-wal"}, fd_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
    watch_files();
}

FileWatch::~FileWatch() {
    if (fd_ >= 0) ::close(fd_);
}

/// For one write each: the kernel tells of it while the writer waits, and a writer that does not pause would pay for every page.
void FileWatch::watch_files() noexcept {
    // Watching a file that is watched already changes nothing, and a WAL that was deleted and made again is another file.
    if (fd_ < 0) return;
    ::inotify_add_watch(fd_, database_.c_str(), IN_MODIFY | IN_ONESHOT);
    ::inotify_add_watch(fd_, wal_.c_str(), IN_MODIFY | IN_ONESHOT);
}

bool FileWatch::wait(std::chrono::milliseconds timeout, const StopSignal& stop) {
    watch_files();
    std::array<pollfd, 2> waited{pollfd{stop.fd(), POLLIN, 0}, pollfd{fd_, POLLIN, 0}};
    ::poll(waited.data(), fd_ < 0 ? 1 : 2, static_cast<int>(timeout.count()));
    const bool written = drain();
    // Of what is written until the next call it has to know.
    if (written) watch_files();
    return written;
}

bool FileWatch::drain() noexcept {
    if (fd_ < 0) return false;
    alignas(inotify_event) std::array<char, 4096> events;
    bool written = false;
    for (ssize_t size; (size = ::read(fd_, events.data(), events.size())) > 0;)
        for (ssize_t at = 0; at < size;) {
            // The end of a watch comes as an event too.
            inotify_event event;
            std::memcpy(&event, events.data() + at, sizeof event);
            written |= (event.mask & (IN_MODIFY | IN_Q_OVERFLOW)) != 0;
            at += static_cast<ssize_t>(sizeof event) + event.len;
        }
    return written;
}

bool CommitWatch::expects_commit() const { return std::chrono::steady_clock::now() - last_write_ < kCommitTime; }

void CommitWatch::wait(std::chrono::milliseconds longest, bool wal, const StopSignal& stop) {
    if (writes_.wait(std::min(wal && expects_commit() ? kCommitInterval : kLookAgain, longest), stop)) saw_write();
}

}  // namespace rowferry
