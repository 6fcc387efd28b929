#include "decoder/sqlite_wal/wal_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

// SQLite takes no locks on a -wal, so unlike the database's its descriptors may be closed.
WalFile::~WalFile() {
    if (fd_ >= 0) ::close(fd_);
}

void WalFile::open() {
    struct stat ours {};
    struct stat theirs {};
    if (fd_ >= 0 && ::fstat(fd_, &ours) == 0 && ::stat(path_.c_str(), &theirs) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) return;
    if (fd_ >= 0) ::close(fd_);
    named_ = false;
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw RetryableError{fmt::format("{}: cannot be opened: {}", printable(path_), std::strerror(errno))};
}

std::size_t WalFile::read_some(std::uint64_t offset, std::span<std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw RetryableError{fmt::format("{}: {}", printable(path_), std::strerror(errno))};
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

void WalFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
    if (const std::size_t done = read_some(offset, bytes); done < bytes.size())
        throw DecodeError{fmt::format("{}: it ends at byte {}, and its index says that more is committed: the log was cut", printable(path_), offset + done)};
}

void WalFile::begin(const WalIndexHeader& index, std::uint32_t frame, WalChecksum checksum) {
    salts_ = index.salts;
    big_endian_ = index.big_endian_checksums;
    frame_ = frame;
    checksum_ = checksum;
    // A place that was reached by a comparison, or behind a frame without a checksum.
    adrift_ = frame != 0 && checksum == WalChecksum{};
    if (frame != 0) open();
}

/// A log that began anew gets its header with its first frame.
void WalFile::read_header() {
    open();
    std::array<std::byte, kWalHeaderSize> bytes;
    read_at(0, bytes);
    const auto header = parse_wal_header(bytes);
    if (!header) throw DecodeError{fmt::format("{}: it has no valid header, and its index says that it holds commits", printable(path_))};
    if (header->page_size != page_size_)
        throw DecodeError{fmt::format("{}: its pages have {} bytes, and its index says {}", printable(path_), header->page_size, page_size_)};
    checksum_ = header->checksum;
}

std::span<const std::byte> WalFile::read(std::uint32_t last, std::vector<std::byte>& buffer, std::size_t most) {
    if (frame_ == 0) read_header();
    const std::size_t count = std::min<std::size_t>(last - frame_, std::max<std::size_t>(most / frame_size(), 1));
    if (buffer.size() < count * frame_size()) buffer.resize(count * frame_size());
    const std::span<std::byte> frames{buffer.data(), count * frame_size()};
    read_at(frame_offset(frame_ + 1, page_size_), frames);
    return frames;
}

void WalFile::take(std::span<const std::byte> frames) {
    for (std::size_t at = 0; at < frames.size(); at += frame_size()) {
        ++frame_;
        const auto bytes = frames.subspan(at, frame_size());
        const FrameHeader header = parse_frame_header(bytes);
        if (header.page == 0) throw DecodeError{fmt::format("{}: frame {} has no page number: the log is damaged", printable(path_), frame_)};
        if (header.salts == WalSalts{} && header.checksum == WalChecksum{} && !(salts_ == WalSalts{})) {
            adrift_ = true;
            ++unsummed_;
            continue;
        }
        const WalChecksum summed = continue_checksum(continue_checksum(checksum_, bytes.first(8), big_endian_), bytes.subspan(kFrameHeaderSize), big_endian_);
        // Behind a frame without a checksum only the salts tell; from here on it can be gone on from.
        if (!(header.salts == salts_) || (!adrift_ && !(summed == header.checksum)))
            throw DecodeError{fmt::format("{}: frame {} (page {}): its {} wrong, although its index calls it committed: the log is damaged", printable(path_), frame_, header.page,
                                          header.salts == salts_ ? "checksum is" : "salts are")};
        checksum_ = header.checksum;
        adrift_ = false;
    }
}

std::uint64_t WalFile::size() const noexcept {
    struct stat info {};
    return fd_ >= 0 && ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

/// Frames are written one behind the other: while the last one that we have read stands there, so do all that were behind it.
bool WalFile::still_has_its_end() const {
    std::array<std::byte, kFrameHeaderSize> bytes;
    if (frame_ == 0 || adrift_ || read_some(frame_offset(frame_, page_size_), bytes) != bytes.size()) return false;
    const FrameHeader header = parse_frame_header(bytes);
    return header.salts == salts_ && header.checksum == checksum_;
}

std::optional<std::span<const std::byte>> WalFile::read_rest(std::vector<std::byte>& buffer, std::size_t most, std::uint64_t size_before) const {
    if (!still_has_its_end()) return std::nullopt;
    buffer.resize(std::max(most / frame_size(), std::size_t{1}) * frame_size());
    const std::size_t size = read_some(frame_offset(frame_ + 1, page_size_), buffer);
    if (!still_has_its_end()) return std::nullopt;
    WalChecksum checksum = checksum_;
    std::size_t committed = 0;
    for (std::size_t at = 0;; at += frame_size()) {
        if (at == buffer.size()) return std::nullopt;
        if (at + frame_size() > size) {
            // The file's end. With a journal_size_limit it was perhaps cut there when the log began anew: such a limit lies within a frame.
            if (at != size || this->size() < size_before) return std::nullopt;
            break;
        }
        const auto bytes = std::span<const std::byte>{buffer}.subspan(at, frame_size());
        const FrameHeader header = parse_frame_header(bytes);
        // One without a checksum may be committed all the same; one that does not continue the others may be an end that was rolled back, or not.
        if (header.salts == WalSalts{}) return std::nullopt;
        if (!(header.salts == salts_)) break;  // of an older log
        checksum = continue_checksum(continue_checksum(checksum, bytes.first(8), big_endian_), bytes.subspan(kFrameHeaderSize), big_endian_);
        if (!(checksum == header.checksum) || header.page == 0) return std::nullopt;
        if (header.commits()) committed = at + frame_size();
    }
    return std::span<const std::byte>{buffer}.first(committed);
}

FrameHeader WalFile::header_of(std::uint32_t frame) const {
    std::array<std::byte, kFrameHeaderSize> bytes;
    read_at(frame_offset(frame, page_size_), bytes);
    return parse_frame_header(bytes);
}

void WalFile::read_page(std::uint32_t frame, std::span<std::byte> page) const { read_at(frame_offset(frame, page_size_) + kFrameHeaderSize, page); }

void WalFile::sync() {
    const auto check = [&](int result) {
        if (result != 0) throw RetryableError{fmt::format("{}: cannot be synced: {}", printable(path_), std::strerror(errno))};
    };
    if (fd_ < 0) return;
    check(::fdatasync(fd_));
    if (std::exchange(named_, true)) return;
    // SQLite leaves the name of a log that it made to its own first sync, which may come late.
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(fd < 0 ? -1 : 0);
    const int result = ::fsync(fd);
    ::close(fd);
    check(result);
}

LivePages::LivePages(const KeptFile& database, const WalFile& wal, const WalIndexHeader& snapshot, std::uint32_t pages)
    : database_{database}, wal_{wal}, pages_{pages} {
    for (std::uint32_t frame = 1; frame <= snapshot.last_frame; ++frame) frames_.put(wal.header_of(frame).page, frame);
}

void LivePages::read(std::uint32_t number, std::span<std::byte> page) const {
    if (const std::uint64_t* frame = frames_.find(number)) return wal_.read_page(static_cast<std::uint32_t>(*frame), page);
    const std::size_t count = database_.read(std::uint64_t{number - 1} * page.size(), page);
    std::fill(page.begin() + static_cast<std::ptrdiff_t>(count), page.end(), std::byte{0});
}

}  // namespace rowferry
