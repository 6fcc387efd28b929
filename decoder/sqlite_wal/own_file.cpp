#include "decoder/sqlite_wal/own_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {
// A mapping may reach beyond the end of its file, so it rarely has to be made again.
constexpr std::uint64_t kLeastMapping = 64ULL << 20;
}  // namespace

OwnFile::OwnFile(std::string path, const std::string& folder) : path_{std::move(path)} {
    if (path_.empty()) {
        path_ = folder + "/rowferry-XXXXXX";
        fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
        if (fd_ >= 0) ::unlink(path_.c_str());
    } else {
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    struct stat info {};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0) fail("cannot be opened", errno);
    size_ = static_cast<std::uint64_t>(info.st_size);
}

OwnFile::~OwnFile() {
    if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
    if (fd_ >= 0) ::close(fd_);
}

OwnFile::OwnFile(OwnFile&& other) noexcept
    : path_{std::move(other.path_)}, fd_{std::exchange(other.fd_, -1)}, size_{other.size_}, mapping_{std::exchange(other.mapping_, nullptr)}, mapped_{other.mapped_} {}

void OwnFile::fail(const char* doing, int error) const {
    const std::string text = fmt::format("{}: {}: {}", printable(path_), doing, std::strerror(error));
    if (error == ENOSPC || error == EDQUOT) throw RetryableError{text};
    throw HaltError{text};
}

void OwnFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("cannot be written", errno);
        done += static_cast<std::size_t>(count);
    }
    size_ = std::max(size_, offset + bytes.size());
}

void OwnFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("cannot be read", errno);
        if (count == 0) fail("cannot be read to its end", EIO);
        done += static_cast<std::size_t>(count);
    }
}

void OwnFile::truncate(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail("cannot be cut", errno);
    size_ = size;
}

void OwnFile::sync() const {
    if (::fdatasync(fd_) != 0) fail("cannot be written to disk", errno);
}

std::span<const std::byte> OwnFile::bytes(std::uint64_t offset, std::size_t count) const {
    if (offset + count > size_ || offset + count > mapped_) throw std::logic_error{"bytes that are not mapped"};
    return {mapping_ + offset, count};
}

void OwnFile::map() {
    if (mapped_ >= size_ && mapping_ != nullptr) return;
    if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
    mapping_ = nullptr;
    mapped_ = std::max(kLeastMapping, 2 * size_);
    void* const place = ::mmap(nullptr, mapped_, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd_, 0);
    if (place == MAP_FAILED) {
        mapped_ = 0;
        fail("cannot be mapped", errno);
    }
    mapping_ = static_cast<const std::byte*>(place);
}

void OwnFile::forget() const noexcept {
    if (mapping_ != nullptr) ::madvise(const_cast<std::byte*>(mapping_), mapped_, MADV_DONTNEED);
}

void sync_folder(const std::string& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);  // some file systems know no such thing
    ::close(fd);
}

void replace_file(const std::string& path, const std::string& content) {
    const std::string next = path + ".new";
    {
        OwnFile file{next};
        file.truncate(0);
        file.write(0, std::as_bytes(std::span{content}));
        file.sync();
    }
    if (::rename(next.c_str(), path.c_str()) != 0) throw HaltError{fmt::format("{}: cannot be put in place: {}", printable(path), std::strerror(errno))};
    sync_folder(std::filesystem::path{path}.parent_path().string());
}

}  // namespace rowferry
