#include "db/leader_file.h"

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

#include "db/file_lock.h"
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
            throw RefusedError{fmt::format("{}: cannot be opened for writing, which capture needs: {}", printable(path),
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

}  // namespace

LeaderFile::LeaderFile(std::string path) : path_{std::move(path)}, fd_{DescriptorPool::instance().borrow(path_)} {}

LeaderFile::~LeaderFile() {
    if (locked_) unlock_byte(fd_, *locked_);
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
    const std::int64_t at = stream_lock_byte(StreamRole::leader, stream);
    if (!lock_byte(fd_, at)) return false;
    locked_ = at;
    return true;
}

}  // namespace rowferry
