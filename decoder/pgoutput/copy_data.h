#pragma once

// What travels in the CopyData of a replication connection (PQgetCopyData has taken the CopyData frame off). Integers are big-endian,
// clocks are i64, µs since 2000-01-01 00:00 UTC; every position is "last byte + 1".
//
//   from the server:  XLogData      := 'w' data_start:u64 wal_end:u64 clock:i64 payload
//                     Keepalive     := 'k' wal_end:u64 clock:i64 reply_requested:u8
//   from the client:  StatusUpdate  := 'r' written:u64 flushed:u64 applied:u64 clock:i64 reply_requested:u8

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "decoder/byte_reader.h"

namespace rowferry::pgoutput {

/// A view: the payload lives as long as the CopyData buffer.
struct XLogData {
    /// Both 0 on the extra messages of one change (Relation, Origin): take the maximum, never add the payload's length.
    std::uint64_t data_start = 0;
    std::uint64_t wal_end = 0;
    std::int64_t server_clock = 0;
    std::span<const std::byte> payload;  ///< One pgoutput message, see messages.h.
};

struct Keepalive {
    std::uint64_t wal_end = 0;  ///< How far the server has decoded, which is not the end of a transaction.
    std::int64_t server_clock = 0;
    bool reply_requested = false;
};

using CopyMessage = std::variant<XLogData, Keepalive>;

/// Decodes one CopyData message from the server. Throws DecodeError.
[[nodiscard]] CopyMessage decode_copy_data(std::span<const std::byte> data);

/// The bytes of libpq's buffer, as PQgetCopyData gives them.
[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view data) noexcept {
    return std::as_bytes(std::span{data.data(), data.size()});
}

inline constexpr std::size_t kStatusUpdateSize = 34;

/// Standby status update for PQputCopyData. `written`: received here; `flushed`: durable, the server may forget what is before;
/// `applied`: visible to readers. `clock_us_since_2000`: our clock, see unix_to_pg_us().
[[nodiscard]] std::array<char, kStatusUpdateSize> encode_status_update(std::uint64_t written, std::uint64_t flushed, std::uint64_t applied,
                                                                       std::int64_t clock_us_since_2000, bool reply_requested);

/// 2000-01-01 00:00 UTC in µs since 1970-01-01 00:00 UTC.
inline constexpr std::int64_t kPgEpochUs = 946'684'800'000'000;

/// Both throw DecodeError for a time that the other epoch cannot express.
[[nodiscard]] std::int64_t pg_to_unix_us(std::int64_t us_since_2000);
[[nodiscard]] std::int64_t unix_to_pg_us(std::int64_t us_since_1970);

}  // namespace rowferry::pgoutput
