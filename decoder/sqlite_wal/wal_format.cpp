#include "decoder/sqlite_wal/wal_format.h"

#include <bit>
#include <cstring>
#include <stdexcept>

namespace rowferry {
namespace {

constexpr std::uint32_t kLogMagic = 0x377F0682;
constexpr std::uint32_t kLogVersion = 3007000;
constexpr std::size_t kSummedLogHeader = 24;

std::uint32_t swapped(std::uint32_t value) noexcept { return __builtin_bswap32(value); }

std::uint32_t word(const std::byte* bytes, bool big_endian) noexcept {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return big_endian == (std::endian::native == std::endian::big) ? value : swapped(value);
}

void put_word(std::byte* bytes, std::uint32_t value) noexcept {
    if (std::endian::native != std::endian::big) value = swapped(value);
    std::memcpy(bytes, &value, sizeof value);
}

}  // namespace

WalChecksum continue_checksum(WalChecksum checksum, std::span<const std::byte> bytes, bool big_endian) noexcept {
    std::uint32_t a = checksum.first;
    std::uint32_t b = checksum.second;
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        a = (a + word(&bytes[i], big_endian)) + b;
        b = (b + word(&bytes[i + 4], big_endian)) + a;
    }
    return {a, b};
}

bool is_page_size(std::uint32_t size) noexcept { return size >= 512 && size <= 65536 && std::has_single_bit(size); }

std::optional<WalHeader> parse_wal_header(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kWalHeaderSize) return std::nullopt;
    const std::uint32_t magic = word(&bytes[0], true);
    if ((magic & ~1U) != kLogMagic || word(&bytes[4], true) != kLogVersion) return std::nullopt;
    WalHeader header;
    header.big_endian_checksums = (magic & 1U) != 0;
    header.page_size = word(&bytes[8], true);
    header.salts = {word(&bytes[16], true), word(&bytes[20], true)};
    header.checksum = {word(&bytes[24], true), word(&bytes[28], true)};
    if (!is_page_size(header.page_size)) return std::nullopt;
    if (continue_checksum({}, bytes.first(kSummedLogHeader), header.big_endian_checksums) != header.checksum) return std::nullopt;
    return header;
}

FrameHeader parse_frame_header(std::span<const std::byte> bytes) {
    if (bytes.size() < kFrameHeaderSize) throw std::logic_error{"frame header"};
    return {word(&bytes[0], true), word(&bytes[4], true), {word(&bytes[8], true), word(&bytes[12], true)}, {word(&bytes[16], true), word(&bytes[20], true)}};
}

void write_frame_header(const FrameHeader& header, std::span<std::byte> bytes) {
    if (bytes.size() < kFrameHeaderSize) throw std::logic_error{"frame header"};
    put_word(&bytes[0], header.page);
    put_word(&bytes[4], header.pages_after_commit);
    put_word(&bytes[8], header.salts.first);
    put_word(&bytes[12], header.salts.second);
    put_word(&bytes[16], header.checksum.first);
    put_word(&bytes[20], header.checksum.second);
}

}  // namespace rowferry
