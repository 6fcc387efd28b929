#include "applier/sqlite/follower_lock.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/file_lock.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

struct FollowerLock::File {
    int fd = -1;
    std::set<std::int64_t> held;  // by this process; the descriptor alone would let it in twice
};

namespace {

std::mutex registry_mutex;

}  // namespace

FollowerLock::FollowerLock(const std::string& path, const std::string& stream) : offset_{stream_lock_byte(StreamRole::follower, stream)} {
    static auto* const registry = new std::map<std::pair<dev_t, ino_t>, File>;  // never destroyed, see file_
    const std::lock_guard guard{registry_mutex};
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw RefusedError{fmt::format("{}: cannot lock: {}", printable(path), std::strerror(errno))};
    File& file = (*registry)[{info.st_dev, info.st_ino}];
    if (file.fd < 0) {
        file.fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (file.fd < 0) throw RefusedError{fmt::format("{}: cannot lock: {}", printable(path), std::strerror(errno))};
    }
    const bool ours = file.held.contains(offset_);
    if (ours || !lock_byte(file.fd, offset_)) {
        if (!ours && errno != EAGAIN && errno != EACCES)
            throw RefusedError{fmt::format("{}: this file system does not lock: {}", printable(path), std::strerror(errno))};
        throw RefusedError{fmt::format("another rowferry process is already applying stream {} to {}", stream, printable(path))};
    }
    file.held.insert(offset_);
    file_ = &file;
}

FollowerLock::~FollowerLock() {
    const std::lock_guard guard{registry_mutex};
    unlock_byte(file_->fd, offset_);
    file_->held.erase(offset_);
}

}  // namespace rowferry
