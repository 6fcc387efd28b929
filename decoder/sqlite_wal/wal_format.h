#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace rowferry {

// The write-ahead log of SQLite (https://www.sqlite.org/fileformat2.html#the_write_ahead_log):
//
//   wal    := header(32) frame*
//   header := magic:u32 version:u32 page_size:u32 checkpoint:u32 salt1:u32 salt2:u32 checksum1:u32 checksum2:u32
//   frame  := page:u32 pages_after_commit:u32 salt1:u32 salt2:u32 checksum1:u32 checksum2:u32  byte[page_size]
//
// Big-endian. `pages_after_commit` is 0 but in the last frame of a transaction. The checksum runs from the header through all frames; the
// magic's lowest bit says in which byte order its words are read.

inline constexpr std::size_t kWalHeaderSize = 32;
inline constexpr std::size_t kFrameHeaderSize = 24;

/// Two random numbers that are others after every restart of a log.
struct WalSalts {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    friend bool operator==(const WalSalts&, const WalSalts&) = default;
};

struct WalChecksum {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    friend bool operator==(const WalChecksum&, const WalChecksum&) = default;
};

struct WalHeader {
    bool big_endian_checksums = false;
    std::uint32_t page_size = 0;
    WalSalts salts;
    WalChecksum checksum;
};

struct FrameHeader {
    std::uint32_t page = 0;
    std::uint32_t pages_after_commit = 0;  ///< 0: the transaction goes on.
    WalSalts salts;
    WalChecksum checksum;
    [[nodiscard]] bool commits() const noexcept { return pages_after_commit != 0; }
};

/// Goes on with a checksum over `bytes`, of which there are a multiple of 8.
[[nodiscard]] WalChecksum continue_checksum(WalChecksum checksum, std::span<const std::byte> bytes, bool big_endian) noexcept;

/// Nothing when it is not a whole, valid header.
[[nodiscard]] std::optional<WalHeader> parse_wal_header(std::span<const std::byte> bytes) noexcept;

/// `bytes` has kFrameHeaderSize of them, at least.
[[nodiscard]] FrameHeader parse_frame_header(std::span<const std::byte> bytes);
void write_frame_header(const FrameHeader& header, std::span<std::byte> bytes);

/// Of the frame with this number, from 1.
[[nodiscard]] constexpr std::uint64_t frame_offset(std::uint32_t frame, std::uint32_t page_size) noexcept {
    return kWalHeaderSize + std::uint64_t{frame - 1} * (page_size + kFrameHeaderSize);
}

[[nodiscard]] bool is_page_size(std::uint32_t size) noexcept;

}  // namespace rowferry
