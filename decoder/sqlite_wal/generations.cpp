#include "decoder/sqlite_wal/generations.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::uint64_t kSlotMagic = 0x31'4E'47'46'52'4F'57'52;
constexpr off_t kSlotDistance = 4096;  // two slots that no torn write damages at once

struct Slot {
    std::uint64_t magic = kSlotMagic;
    std::uint64_t number = 0;
    WalSalts salts;
    WalChecksum checksum;
};

WalChecksum sum_of(const Slot& slot) {
    return continue_checksum({1, 1}, std::as_bytes(std::span{&slot, 1}).first(offsetof(Slot, checksum)), false);
}

class LockedFile {
public:
    LockedFile(const std::string& path, bool write) : path_{path} {
        fd_ = ::open(path.c_str(), write ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0644);
        if (fd_ < 0 && !write && errno == ENOENT) return;
        if (fd_ < 0 || ::flock(fd_, write ? LOCK_EX : LOCK_SH) != 0) fail(errno);
    }
    ~LockedFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    LockedFile(const LockedFile&) = delete;
    LockedFile& operator=(const LockedFile&) = delete;

    /// The newer of the two slots. A file that has none is new.
    [[nodiscard]] std::optional<Slot> newest() const {
        if (fd_ < 0) return std::nullopt;
        std::optional<Slot> best;
        struct stat info {};
        for (const off_t at : {off_t{0}, kSlotDistance}) {
            Slot slot;
            if (::pread(fd_, &slot, sizeof slot, at) != static_cast<ssize_t>(sizeof slot) || slot.magic != kSlotMagic || sum_of(slot) != slot.checksum) continue;
            if (!best || slot.number > best->number) best = slot;
        }
        if (!best && ::fstat(fd_, &info) == 0 && info.st_size > kSlotDistance)
            throw HaltError{fmt::format("{}: it is not what rowferry wrote there; remove it only together with the streams of this leader", printable(path_))};
        return best;
    }

    void write(const WalSalts& salts, std::uint64_t number) const {
        Slot slot;
        slot.number = number;
        slot.salts = salts;
        slot.checksum = sum_of(slot);
        if (::pwrite(fd_, &slot, sizeof slot, number % 2 == 0 ? 0 : kSlotDistance) != static_cast<ssize_t>(sizeof slot)) fail(errno);
        if (::fdatasync(fd_) != 0) fail(errno);
    }

private:
    [[noreturn]] void fail(int error) const {
        const std::string text = fmt::format("{}: {}", printable(path_), std::strerror(error));
        if (error == ENOSPC || error == EDQUOT) throw RetryableError{text};
        throw HaltError{text};
    }
    std::string path_;
    int fd_ = -1;
};

std::uint64_t number_after(const std::optional<Slot>& newest, const WalSalts& salts, std::uint64_t at_least) {
    if (!newest) return std::max<std::uint64_t>(at_least, 1);
    return std::max(newest->salts == salts ? newest->number : newest->number + 1, at_least);
}

}  // namespace

std::uint64_t Generations::number(const WalSalts& salts, std::uint64_t at_least) {
    std::error_code failure;
    std::filesystem::create_directory(folder_, failure);
    if (failure)
        throw RefusedError{fmt::format("{}: the folder for what rowferry keeps of this leader cannot be made: {}; name another one with --shadow DIR, or use --capture triggers",
                                       printable(folder_), failure.message())};
    const LockedFile file{path(), true};
    const auto newest = file.newest();
    const std::uint64_t number = number_after(newest, salts, at_least);
    if (!newest || newest->number != number || !(newest->salts == salts)) file.write(salts, number);
    return number;
}

std::uint64_t Generations::look(const WalSalts& salts) const { return number_after(LockedFile{path(), false}.newest(), salts, 1); }

}  // namespace rowferry
