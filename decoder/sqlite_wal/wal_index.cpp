#include "decoder/sqlite_wal/wal_index.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Layout of a -shm: two copies of the header, then the state of checkpoints.
constexpr std::size_t kHeaderSize = 48;
constexpr std::size_t kSummedIndexHeader = 40;
constexpr std::uint64_t kBackfillAt = 96;
constexpr std::uint64_t kAttemptedAt = 128;
constexpr std::uint32_t kWalIndexVersion = 3007000;
constexpr int kTries = 20'000;
constexpr int kReadTriesAtOnce = 100;

template <typename Number>
Number number(std::span<const std::byte> bytes, std::size_t at) noexcept {
    Number value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

/// Salts are kept as the log has them, in big-endian order.
std::uint32_t from_big_endian(std::uint32_t value) noexcept { return std::endian::native == std::endian::big ? value : __builtin_bswap32(value); }

}  // namespace

std::optional<WalIndexHeader> parse_wal_index(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kHeaderSize || number<std::uint32_t>(bytes, 0) != kWalIndexVersion || number<std::uint8_t>(bytes, 12) == 0) return std::nullopt;
    const WalChecksum stored{number<std::uint32_t>(bytes, 40), number<std::uint32_t>(bytes, 44)};
    if (continue_checksum({}, bytes.first(kSummedIndexHeader), std::endian::native == std::endian::big) != stored) return std::nullopt;
    WalIndexHeader header;
    header.big_endian_checksums = number<std::uint8_t>(bytes, 13) != 0;
    header.changes = number<std::uint32_t>(bytes, 8);
    const auto size = number<std::uint16_t>(bytes, 14);  // 1 stands for 64 KiB
    header.page_size = (size & 0xFE00U) + ((size & 0x0001U) << 16);
    header.last_frame = number<std::uint32_t>(bytes, 16);
    header.pages = number<std::uint32_t>(bytes, 20);
    header.checksum = {number<std::uint32_t>(bytes, 24), number<std::uint32_t>(bytes, 28)};
    header.salts = {from_big_endian(number<std::uint32_t>(bytes, 32)), from_big_endian(number<std::uint32_t>(bytes, 36))};
    return header;
}

WalIndexHeader WalIndex::read() const {
    std::array<std::byte, 2 * kHeaderSize> bytes;
    for (int attempt = 0; attempt < kTries; ++attempt) {
        // The writer fills the second copy first: read in the other order, two that are the same are whole.
        const std::span<std::byte> all{bytes};
        const bool whole = file_.read(0, all.first(kHeaderSize)) == kHeaderSize && file_.read(kHeaderSize, all.subspan(kHeaderSize)) == kHeaderSize;
        if (whole && std::memcmp(bytes.data(), bytes.data() + kHeaderSize, kHeaderSize) == 0)
            if (const auto header = parse_wal_index(all.first(kHeaderSize))) return *header;
        if (attempt >= kReadTriesAtOnce) std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
    throw RetryableError{fmt::format("{}: the index of the write-ahead log stays incomplete: its writer may have died in the middle", printable(path_))};
}

WalBackfill WalIndex::backfill() const {
    const auto at = [&](std::uint64_t offset) {
        std::array<std::byte, sizeof(std::uint32_t)> bytes{};
        if (file_.read(offset, bytes) != bytes.size()) throw RetryableError{fmt::format("{}: it is too short", printable(path_))};
        return number<std::uint32_t>(bytes, 0);
    };
    return {at(kBackfillAt), at(kAttemptedAt)};
}

}  // namespace rowferry
