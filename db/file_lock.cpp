#include "db/file_lock.h"

#include <fcntl.h>

namespace rowferry {
namespace {

constexpr std::int64_t kLeaderArea = std::int64_t{1} << 62;
constexpr std::uint64_t kAreaBytes = std::uint64_t{1} << 40;  // wide enough that two names practically never meet
constexpr std::int64_t kFollowerArea = kLeaderArea + static_cast<std::int64_t>(kAreaBytes);

bool set_lock(int fd, short type, std::int64_t offset) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = offset;
    lock.l_len = 1;
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

std::int64_t stream_lock_byte(StreamRole role, std::string_view stream) {
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const char c : stream) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return (role == StreamRole::leader ? kLeaderArea : kFollowerArea) + static_cast<std::int64_t>(hash % kAreaBytes);
}

bool lock_byte(int fd, std::int64_t offset) noexcept { return set_lock(fd, F_WRLCK, offset); }
void unlock_byte(int fd, std::int64_t offset) noexcept { set_lock(fd, F_UNLCK, offset); }

}  // namespace rowferry
