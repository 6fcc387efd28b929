#include "applier/sqlite/follower_lock.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

struct FollowerLock::File {
    int fd = -1;
    std::set<long long> held;  // by this process; the descriptor alone would let it in twice
};

namespace {

// SQLite locks bytes around 1 GiB; nothing lies out here, and a lock needs no bytes to be there.
constexpr long long kLockArea = (1LL << 62) + (1LL << 24);
constexpr std::uint64_t kLockBytes = 1U << 20;

long long lock_offset(std::string_view stream) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a: the same in every version of rowferry
    for (const char c : stream) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return kLockArea + static_cast<long long>(hash % kLockBytes);
}

bool set_lock(int fd, short type, long long offset) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = offset;
    lock.l_len = 1;
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

std::mutex registry_mutex;

}  // namespace

FollowerLock::FollowerLock(const std::string& path, const std::string& stream) : offset_{lock_offset(stream)} {
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
    if (ours || !set_lock(file.fd, F_WRLCK, offset_)) {
        if (!ours && errno != EAGAIN && errno != EACCES)
            throw RefusedError{fmt::format("{}: this file system does not lock: {}", printable(path), std::strerror(errno))};
        throw RefusedError{fmt::format("another rowferry process is already applying stream {} to {}", stream, printable(path))};
    }
    file.held.insert(offset_);
    file_ = &file;
}

FollowerLock::~FollowerLock() {
    const std::lock_guard guard{registry_mutex};
    set_lock(file_->fd, F_UNLCK, offset_);
    file_->held.erase(offset_);
}

}  // namespace rowferry
