#include "triggers/sqlite/leader_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using FileKey = std::pair<dev_t, ino_t>;

std::optional<FileKey> key_of(const struct stat& info) { return FileKey{info.st_dev, info.st_ino}; }

/// Descriptors that are not in use. Never emptied (see the header).
class DescriptorPool {
public:
    static DescriptorPool& instance() {
        static auto* pool = new DescriptorPool;  // outlives every static object
        return *pool;
    }

    int borrow(const std::string& path) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0)
            throw RefusedError{fmt::format("{}: {}", printable(path), errno == ENOENT ? "no such file" : std::strerror(errno))};
        const std::lock_guard guard{mutex_};
        auto& free = free_[*key_of(info)];
        if (!free.empty()) {
            const int fd = free.back();
            free.pop_back();
            return fd;
        }
        const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (fd < 0)
            throw RefusedError{fmt::format("{}: cannot be opened for writing, which capture by triggers needs: {}", printable(path),
                                           std::strerror(errno))};
        return fd;
    }

    void give_back(int fd) {
        struct stat info {};
        if (::fstat(fd, &info) != 0) return;
        const std::lock_guard guard{mutex_};
        free_[*key_of(info)].push_back(fd);
    }

private:
    std::mutex mutex_;
    std::map<FileKey, std::vector<int>> free_;
};

constexpr std::int64_t kLockArea = std::int64_t{1} << 62;
constexpr std::uint64_t kLockBytes = std::uint64_t{1} << 40;  // wide enough that two names never meet

std::int64_t lock_byte(const std::string& stream) {
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const char c : stream) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return kLockArea + static_cast<std::int64_t>(hash % kLockBytes);
}

bool set_lock(int fd, std::int64_t at, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = at;
    lock.l_len = 1;
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

LeaderFile::LeaderFile(std::string path) : path_{std::move(path)}, fd_{DescriptorPool::instance().borrow(path_)} {}

LeaderFile::~LeaderFile() {
    if (locked_) set_lock(fd_, *locked_, F_UNLCK);
    try {
        DescriptorPool::instance().give_back(fd_);
    } catch (...) {
        // Out of memory: the descriptor stays open, which is what matters.
    }
}

bool LeaderFile::still_there() const noexcept {
    struct stat ours {};
    struct stat theirs {};
    return ::fstat(fd_, &ours) == 0 && ::stat(path_.c_str(), &theirs) == 0 && key_of(ours) == key_of(theirs);
}

std::optional<LeaderFile::Header> LeaderFile::header() const noexcept {
    std::array<unsigned char, 28> bytes{};
    if (::pread(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
    Header header;
    header.wal = bytes[18] == 2;
    for (std::size_t i = 24; i < 28; ++i) header.change_counter = header.change_counter << 8 | bytes[i];
    return header;
}

bool LeaderFile::try_lock_stream(const std::string& stream) {
    const std::int64_t at = lock_byte(stream);
    if (!set_lock(fd_, at, F_WRLCK)) return false;
    locked_ = at;
    return true;
}

}  // namespace rowferry
