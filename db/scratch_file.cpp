#include "db/scratch_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// Not every file system makes files without a name; there it is taken away again at once.
int open_and_unlink(const std::string& directory) {
    std::string path = directory + "/rowferry-spool-XXXXXX";
    const int fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(path.c_str());
    return fd;
}

}  // namespace

ScratchFile::ScratchFile(std::string directory) : directory_{std::move(directory)} {
    fd_ = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) fd_ = open_and_unlink(directory_);
    if (fd_ < 0) fail("cannot make a file", errno);
}

ScratchFile::~ScratchFile() {
    if (fd_ >= 0) ::close(fd_);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : directory_{std::move(other.directory_)}, fd_{std::exchange(other.fd_, -1)}, size_{std::exchange(other.size_, 0)} {}

void ScratchFile::append(std::span<const char> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail("cannot write", errno);
        size_ += static_cast<std::uint64_t>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

void ScratchFile::read(std::uint64_t offset, std::span<char> bytes) const {
    while (!bytes.empty()) {
        const ssize_t got = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) fail("cannot read back", got == 0 ? ENODATA : errno);
        offset += static_cast<std::uint64_t>(got);
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
}

void ScratchFile::truncate(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail("cannot shorten a file", errno);
    size_ = size;
}

void ScratchFile::fail(const char* doing, int error) const {
    const std::string what = fmt::format("spool directory {}: {} ({} bytes are in it): {}. Make room, or give another directory with --spool DIR",
                                         printable(directory_), doing, size_, std::strerror(error));
    if (error == ENOSPC || error == EDQUOT || error == EFBIG || error == EMFILE || error == ENFILE) throw RetryableError{what};
    throw HaltError{what};
}

}  // namespace rowferry
