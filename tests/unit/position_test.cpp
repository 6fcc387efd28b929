#include "schemas/position.h"

#include <limits>

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

TEST(Position, LsnHasPostgresqlsForm) {
    EXPECT_EQ(lsn_to_string(0), "0/0");
    EXPECT_EQ(lsn_to_string(0x16B374D848), "16/B374D848");
    EXPECT_EQ(lsn_to_string(std::numeric_limits<std::uint64_t>::max()), "FFFFFFFF/FFFFFFFF");
    EXPECT_EQ(lsn_to_string(0x100000001), "1/1");
}

TEST(Position, EveryLsnReadsBack) {
    for (const std::uint64_t lsn : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xFFFFFFFF}, std::uint64_t{0x100000000},
                                    std::uint64_t{0x16B374D848}, std::numeric_limits<std::uint64_t>::max()})
        EXPECT_EQ(parse_lsn(lsn_to_string(lsn)), lsn);
    EXPECT_EQ(parse_lsn("a/bC"), 0xA000000BCU);
}

TEST(Position, WhatIsNoLsnIsUsageError) {
    for (const char* text :
         {"", "/", "1", "1/", "/1", "1/2/3", "G/1", "1/G", " 1/1", "1/1 ", "-1/1", "0x1/1", "100000000/0", "0/100000000"})
        EXPECT_THROW(static_cast<void>(parse_lsn(text)), UsageError) << text;
}

TEST(Position, TextFormRoundTrips) {
    const auto max = std::numeric_limits<std::uint64_t>::max();
    for (const auto kind : {PositionKind::lsn, PositionKind::sequence}) {
        for (const std::uint64_t major : {std::uint64_t{0}, std::uint64_t{42}, max}) {
            const ParsedPosition parsed = parse_position(to_string(kind, {major, 0}));
            EXPECT_EQ(parsed.kind, kind);
            EXPECT_EQ(parsed.position, (Position{major, 0}));
        }
    }
    EXPECT_EQ(to_string(PositionKind::lsn, {0x16B374D848, 0}), "lsn:16/B374D848");
    EXPECT_EQ(to_string(PositionKind::sequence, {42, 0}), "seq:42");
    EXPECT_EQ(to_string(PositionKind::frame, {3, 1507}), "wal:3:1507");
    EXPECT_EQ(parse_position("wal:3:1507").kind, PositionKind::frame);
    EXPECT_EQ(to_string(PositionKind::log, {2, 81920}), "log:2:81920");
    EXPECT_EQ(parse_position("log:2:18446744073709551615").position, (Position{2, max}));
    EXPECT_EQ(parse_position("wal:18446744073709551615:0").position, (Position{max, 0}));
}

TEST(Position, WhatIsNoPositionIsUsageError) {
    for (const char* text : {"", "42", "16/B374D848", "seq:", "seq:-1", "seq:+1", "seq:1 ", "seq:0x1", "seq:18446744073709551616",
                             "lsn:", "lsn:42", "LSN:0/1", "log:", "log:1", "log:1:", "log:1:2:3", "wal:", "wal:1", "wal::1", "wal:1:", "wal:1:2:3", "wal:1:4294967296"})
        EXPECT_THROW(static_cast<void>(parse_position(text)), UsageError) << text;
}

TEST(Position, OrderIsMajorThenMinor) {
    EXPECT_LT((Position{}), (Position{0, 1}));
    EXPECT_LT((Position{1, 9}), (Position{2, 0}));
    EXPECT_EQ((Position{3, 4}), (Position{3, 4}));
    EXPECT_GT((Position{std::numeric_limits<std::uint64_t>::max(), 0}), (Position{1, 0}));
}

}  // namespace
}  // namespace rowferry
