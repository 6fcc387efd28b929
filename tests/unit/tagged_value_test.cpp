#include "schemas/tagged_value.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using namespace std::string_literals;

class TaggedValue : public testing::Test {
protected:
    std::string tagged(const Cell& cell) { return std::string{tag_value(cell, arena_).bytes()}; }
    Cell back(const std::string& text) { return untag_value(Cell::text(arena_.copy(text)), arena_); }
    bool refused(const std::string& text) {
        try {
            static_cast<void>(back(text));
        } catch (const ValueError&) {
            return true;
        }
        return false;
    }
    Arena arena_;
};

TEST_F(TaggedValue, EveryClassHasItsTag) {
    EXPECT_EQ(tagged(Cell::integer(42)), "i:42");
    EXPECT_EQ(tagged(Cell::integer(std::numeric_limits<std::int64_t>::min())), "i:-9223372036854775808");
    EXPECT_EQ(tagged(Cell::real(0.1)), "r:0.1");
    EXPECT_EQ(tagged(Cell::real(1.0)), "r:1");
    EXPECT_EQ(tagged(Cell::real(-0.0)), "r:-0");
    EXPECT_EQ(tagged(Cell::real(0.0)), "r:0");
    EXPECT_EQ(tagged(Cell::real(1e18)), "r:1000000000000000000");
    EXPECT_EQ(tagged(Cell::real(1e300)), "r:1e+300");
    EXPECT_EQ(tagged(Cell::real(-HUGE_VAL)), "r:-Infinity");
    EXPECT_EQ(tagged(Cell::text("")), "t:");
    EXPECT_EQ(tagged(Cell::text("i:42")), "t:i:42");
    EXPECT_EQ(tagged(Cell::text("ü\n")), "t:ü\n");
    EXPECT_EQ(tagged(Cell::text("\xFF"
                                "A")),
              "x:ff41");
    EXPECT_EQ(tagged(Cell::text("a\0b"s)), "x:610062");
    EXPECT_EQ(tagged(Cell::blob("hello")), "b:68656c6c6f");
    EXPECT_EQ(tagged(Cell::blob("")), "b:");
}

TEST_F(TaggedValue, EveryValueComesBack) {
    std::mt19937_64 random{4711};  // a fixed seed: the same values every time
    for (int i = 0; i < 50'000; ++i) {
        arena_.clear();
        const auto integer = static_cast<std::int64_t>(random() >> (random() % 64));
        EXPECT_EQ(back(tagged(Cell::integer(integer))).as_integer(), integer);
        const auto real = i % 2 == 0 ? std::bit_cast<double>(random()) : static_cast<double>(integer);
        if (std::isnan(real)) continue;
        const Cell cell = back(tagged(Cell::real(real)));
        ASSERT_EQ(cell.kind(), CellKind::real);
        ASSERT_EQ(std::bit_cast<std::uint64_t>(cell.as_real()), std::bit_cast<std::uint64_t>(real));
        std::string bytes;
        for (auto size = random() % 20; size > 0; --size) bytes += static_cast<char>(random() % (i % 2 == 0 ? 256 : 128));
        ASSERT_EQ(back(tagged(Cell::text(bytes))).bytes(), bytes);
        ASSERT_EQ(back(tagged(Cell::text(bytes))).kind(), CellKind::text);
        ASSERT_EQ(back(tagged(Cell::blob(bytes))).bytes(), bytes);
        ASSERT_EQ(back(tagged(Cell::blob(bytes))).kind(), CellKind::blob);
    }
}

/// So that two rows with equal values have equal texts, and a text that somebody else wrote is not taken for something similar.
TEST_F(TaggedValue, OnlyTheOneFormOfAValueIsTaken) {
    for (const char* wrong : {"", "i", "i:", "i:+1", "i:01", "i:1.0", "i:9223372036854775808", "i: 1", "r:", "r:1.0", "r:0.10", "r:1e300", "r:inf",
                              "r:NaN", "r:1e+400", "r:100000000000000000000000", "b:f", "b:FF", "b:0x", "x:41", "x:", "x:f", "t", "T:a", "n:", "abc"})
        EXPECT_TRUE(refused(wrong)) << wrong;
}

}  // namespace
}  // namespace rowferry
