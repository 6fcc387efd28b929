#include "decoder/sqlite_wal/kept_file.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using FileKey = std::pair<dev_t, ino_t>;

/// Never closed. A file that was removed keeps its number as long as it is open, so a number is never that of another one.
int kept_descriptor(const std::string& path) {
    static auto* mutex = new std::mutex;  // outlive every static object
    static auto* known = new std::map<FileKey, int>;
    const std::lock_guard guard{*mutex};
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return -1;
    const auto found = known->find({info.st_dev, info.st_ino});
    if (found != known->end()) return found->second;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    // It may have been replaced between the two calls: what counts is what was opened.
    if (::fstat(fd, &info) != 0) return -1;
    return known->emplace(FileKey{info.st_dev, info.st_ino}, fd).first->second;
}

}  // namespace

KeptFile::KeptFile(const std::string& path) : fd_{kept_descriptor(path)} {
    if (fd_ < 0) throw RetryableError{fmt::format("{}: cannot be opened: {}", printable(path), std::strerror(errno))};
}

bool KeptFile::still_at(const std::string& path) const noexcept {
    struct stat ours {};
    struct stat theirs {};
    return ::fstat(fd_, &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

std::size_t KeptFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw RetryableError{fmt::format("reading the leader's file: {}", std::strerror(errno))};
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

}  // namespace rowferry
