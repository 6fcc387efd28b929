#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decoder/sqlite_wal/kept_file.h"
#include "decoder/sqlite_wal/page_map.h"
#include "decoder/sqlite_wal/wal_format.h"
#include "decoder/sqlite_wal/wal_index.h"

namespace rowferry {

inline constexpr std::size_t kReadBytes = 4U << 20;      ///< Of the log at once.
inline constexpr std::uint32_t kPagesPerLook = 256;  ///< After so many pages whoever reads looks whether to stop.

/// The -wal of a leader, read beside SQLite. Only frames that the wal-index calls committed are ever asked for. One thread.
/// Errors: RetryableError where reading fails, DecodeError for bytes that cannot be what SQLite wrote.
class WalFile {
public:
    WalFile(std::string path, std::uint32_t page_size) : path_{std::move(path)}, page_size_{page_size} {}
    ~WalFile();
    WalFile(const WalFile&) = delete;
    WalFile& operator=(const WalFile&) = delete;

    /// Begins to read the log that the index speaks of, behind `frame` whose checksum is given; 0: from the beginning.
    void begin(const WalIndexHeader& index, std::uint32_t frame, WalChecksum checksum);
    [[nodiscard]] std::uint32_t frame() const noexcept { return frame_; }
    [[nodiscard]] WalSalts salts() const noexcept { return salts_; }

    /// The frames behind frame() up to `last`, at most `most` bytes of them or one, with their headers. The caller makes sure, by asking the wal-index again, that
    /// the log did not begin anew meanwhile, and then calls take().
    std::span<const std::byte> read(std::uint32_t last, std::vector<std::byte>& buffer, std::size_t most);
    /// Moves frame() on. Throws DecodeError, naming the frame, when a frame's salts or checksum are wrong. Frames that SQLite committed without a checksum are let pass
    /// and counted: they are what it does after ROLLBACK TO in a transaction that had spilled (3.40.1, perhaps others).
    void take(std::span<const std::byte> frames);
    [[nodiscard]] std::uint64_t unsummed() const noexcept { return unsummed_; }

    /// For a log that began anew since: the frames behind frame() up to the last commit that it had, which stand in the file until the new ones reach them. Nothing: they cannot be
    /// told with certainty, or are more than `most` bytes. Only right when the caller finds them in the database, too: whoever begins a log anew copied all of it there before; and when it let go
    /// of the log a moment ago, when the file had `size_before` bytes.
    [[nodiscard]] std::optional<std::span<const std::byte>> read_rest(std::vector<std::byte>& buffer, std::size_t most, std::uint64_t size_before) const;
    /// Of the file, in bytes; 0 when it was not opened yet.
    [[nodiscard]] std::uint64_t size() const noexcept;

    /// Header of any frame of the log.
    [[nodiscard]] FrameHeader header_of(std::uint32_t frame) const;
    void read_page(std::uint32_t frame, std::span<std::byte> page) const;
    /// Waits until what was read is on the leader's disk. Throws RetryableError.
    void sync();
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    void open();
    void read_header();
    void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
    [[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::byte> bytes) const;
    [[nodiscard]] bool still_has_its_end() const;
    [[nodiscard]] std::size_t frame_size() const noexcept { return kFrameHeaderSize + page_size_; }

    std::string path_;
    std::uint32_t page_size_;
    int fd_ = -1;
    bool named_ = false;               ///< Its name is on the disk.
    WalSalts salts_;
    bool big_endian_ = false;
    std::uint32_t frame_ = 0;          ///< The last one that was read.
    WalChecksum checksum_;
    bool adrift_ = false;              ///< The frame before had no checksum to go on from.
    std::uint64_t unsummed_ = 0;
};

/// The leader as one read transaction sees it: its file, and over it the log's frames up to that transaction's. The transaction is held meanwhile.
class LivePages {
public:
    LivePages(const KeptFile& database, const WalFile& wal, const WalIndexHeader& snapshot, std::uint32_t pages);
    [[nodiscard]] std::uint32_t page_count() const noexcept { return pages_; }
    void read(std::uint32_t number, std::span<std::byte> page) const;

private:
    const KeptFile& database_;
    const WalFile& wal_;
    std::uint32_t pages_;
    PageMap frames_;
};

}  // namespace rowferry
