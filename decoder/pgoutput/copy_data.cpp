#include "decoder/pgoutput/copy_data.h"

#include <fmt/format.h>

namespace rowferry::pgoutput {
namespace {

XLogData read_xlog_data(std::span<const std::byte> data) {
    ByteReader in{data, "XLogData"};
    in.u8();  // the tag
    XLogData m;
    m.data_start = in.u64();
    m.wal_end = in.u64();
    m.server_clock = in.i64();
    m.payload = in.take(in.remaining());
    return m;
}

Keepalive read_keepalive(std::span<const std::byte> data) {
    ByteReader in{data, "Keepalive"};
    in.u8();  // the tag
    Keepalive m;
    m.wal_end = in.u64();
    m.server_clock = in.i64();
    const std::uint8_t reply = in.u8();
    if (reply > 1) in.fail_at(fmt::format("unknown reply request {:#04x}", reply), in.offset() - 1);
    m.reply_requested = reply == 1;
    in.expect_end();
    return m;
}

char* put_u64(char* to, std::uint64_t value) noexcept {
    for (int shift = 56; shift >= 0; shift -= 8) *to++ = static_cast<char>(static_cast<unsigned char>(value >> shift));
    return to;
}

}  // namespace

CopyMessage decode_copy_data(std::span<const std::byte> data) {
    const std::uint8_t tag = ByteReader{data, "replication CopyData"}.u8();
    switch (static_cast<char>(tag)) {
        case 'w': return read_xlog_data(data);
        case 'k': return read_keepalive(data);
        default: throw DecodeError{fmt::format("replication CopyData: unknown tag {:#04x} at byte 0", tag)};
    }
}

std::array<char, kStatusUpdateSize> encode_status_update(std::uint64_t written, std::uint64_t flushed, std::uint64_t applied,
                                                         std::int64_t clock_us_since_2000, bool reply_requested) {
    std::array<char, kStatusUpdateSize> message{};
    char* to = message.data();
    *to++ = 'r';
    for (const std::uint64_t value : {written, flushed, applied, static_cast<std::uint64_t>(clock_us_since_2000)}) to = put_u64(to, value);
    *to = reply_requested ? 1 : 0;
    return message;
}

std::int64_t pg_to_unix_us(std::int64_t us_since_2000) {
    std::int64_t result = 0;
    if (__builtin_add_overflow(us_since_2000, kPgEpochUs, &result)) throw DecodeError{"a PostgreSQL clock is beyond what 64 bits can hold"};
    return result;
}

std::int64_t unix_to_pg_us(std::int64_t us_since_1970) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(us_since_1970, kPgEpochUs, &result)) throw DecodeError{"a clock is beyond what PostgreSQL can hold"};
    return result;
}

}  // namespace rowferry::pgoutput
