#include "db/file_watch.h"

#include <array>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace rowferry {

FileWatch::FileWatch(const std::string& path) : database_{path}, wal_{path + "-wal"}, fd_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
    watch_files();
}

FileWatch::~FileWatch() {
    if (fd_ >= 0) ::close(fd_);
}

void FileWatch::watch_files() noexcept {
    // Watching a file that is watched already changes nothing, and a WAL that was deleted and made again is another file.
    if (fd_ < 0) return;
    ::inotify_add_watch(fd_, database_.c_str(), IN_MODIFY);
    ::inotify_add_watch(fd_, wal_.c_str(), IN_MODIFY);
}

bool FileWatch::wait(std::chrono::milliseconds timeout, const StopSignal& stop) {
    watch_files();
    std::array<pollfd, 2> waited{pollfd{stop.fd(), POLLIN, 0}, pollfd{fd_, POLLIN, 0}};
    ::poll(waited.data(), fd_ < 0 ? 1 : 2, static_cast<int>(timeout.count()));
    return drain();
}

bool FileWatch::drain() noexcept {
    if (fd_ < 0) return false;
    std::array<char, 4096> events;
    bool any = false;
    while (::read(fd_, events.data(), events.size()) > 0) any = true;
    return any;
}

}  // namespace rowferry
