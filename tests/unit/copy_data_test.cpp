#include "decoder/pgoutput/copy_data.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/pgoutput_bytes.h"

namespace rowferry::pgoutput {
namespace {

using test::Bytes;
using test::HeapBytes;

const Bytes kData = Bytes{}.tag('w').u64(0x1000).u64(0x2000).i64(-5).raw("payload");
const Bytes kPing = Bytes{}.tag('k').u64(0x3000).i64(77).u8(1);

TEST(CopyData, DecodesXLogData) {
    const HeapBytes bytes{kData};
    const auto m = std::get<XLogData>(decode_copy_data(bytes.span()));
    EXPECT_EQ(m.data_start, 0x1000U);
    EXPECT_EQ(m.wal_end, 0x2000U);
    EXPECT_EQ(m.server_clock, -5);
    EXPECT_EQ(ByteReader::as_text(m.payload), "payload");
    EXPECT_EQ(m.payload.data(), bytes.span().data() + 25) << "the payload is a view";
}

TEST(CopyData, DecodesKeepalives) {
    const auto ping = std::get<Keepalive>(decode_copy_data(HeapBytes{kPing}.span()));
    EXPECT_EQ(ping.wal_end, 0x3000U);
    EXPECT_EQ(ping.server_clock, 77);
    EXPECT_TRUE(ping.reply_requested);
    const auto quiet = std::get<Keepalive>(decode_copy_data(HeapBytes{Bytes{}.tag('k').u64(1).i64(2).u8(0)}.span()));
    EXPECT_FALSE(quiet.reply_requested);
}

TEST(CopyData, EveryTruncationOfTheHeaderIsAnError) {
    for (std::size_t cut = 0; cut < 25; ++cut) EXPECT_THROW((void)decode_copy_data(HeapBytes{kData.first(cut)}.span()), DecodeError) << cut;
    EXPECT_TRUE(std::get<XLogData>(decode_copy_data(HeapBytes{kData.first(25)}.span())).payload.empty());
    for (std::size_t cut = 0; cut < kPing.size(); ++cut)
        EXPECT_THROW((void)decode_copy_data(HeapBytes{kPing.first(cut)}.span()), DecodeError) << cut;
}

TEST(CopyData, RefusesWhatItDoesNotKnow) {
    EXPECT_THROW((void)decode_copy_data(HeapBytes{Bytes{kPing}.u8(0)}.span()), DecodeError) << "bytes behind a keepalive";
    EXPECT_THROW((void)decode_copy_data(HeapBytes{Bytes{}.tag('k').u64(1).i64(2).u8(2)}.span()), DecodeError) << "a reply flag of 2";
    for (int tag = 0; tag < 256; ++tag) {
        if (tag == 'w' || tag == 'k') continue;
        EXPECT_THROW((void)decode_copy_data(HeapBytes{Bytes{}.u8(static_cast<std::uint8_t>(tag)).raw(std::string(40, '\0'))}.span()),
                     DecodeError)
            << tag;
    }
}

TEST(StatusUpdate, HasTheLayoutOfTheProtocol) {
    const auto message = encode_status_update(0x0102030405060708, 0x1112131415161718, 0xF1F2F3F4F5F6F7F8, -2, true);
    EXPECT_EQ(std::string(message.data(), message.size()), Bytes::hex("72"
                                                                      "0102030405060708"
                                                                      "1112131415161718"
                                                                      "f1f2f3f4f5f6f7f8"
                                                                      "fffffffffffffffe"
                                                                      "01")
                                                               .data());
    EXPECT_EQ(encode_status_update(0, 0, 0, 0, false).back(), 0);
}

TEST(PgClock, TurnsBetweenTheEpochs) {
    EXPECT_EQ(pg_to_unix_us(0), 946'684'800'000'000);
    EXPECT_EQ(unix_to_pg_us(0), -946'684'800'000'000);
    EXPECT_EQ(pg_to_unix_us(unix_to_pg_us(1'767'225'600'000'001)), 1'767'225'600'000'001);
    EXPECT_EQ(pg_to_unix_us(820'540'800'000'000), 1'767'225'600'000'000) << "2026-01-01 00:00 UTC";
}

TEST(PgClock, NeverWrapsAround) {
    EXPECT_THROW((void)pg_to_unix_us(std::numeric_limits<std::int64_t>::max()), DecodeError);
    EXPECT_THROW((void)unix_to_pg_us(std::numeric_limits<std::int64_t>::min()), DecodeError);
    EXPECT_EQ(pg_to_unix_us(std::numeric_limits<std::int64_t>::min()), std::numeric_limits<std::int64_t>::min() + kPgEpochUs);
}

}  // namespace
}  // namespace rowferry::pgoutput
