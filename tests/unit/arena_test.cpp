#include "schemas/arena.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schemas/cell.h"

namespace rowferry {
namespace {

TEST(Arena, CopiesEndInNul) {
    Arena arena;
    for (const std::string& text : {std::string{}, std::string{"x"}, std::string{"a\0b", 3}, std::string(1000, 'y')}) {
        const std::string_view copy = arena.copy(text);
        EXPECT_EQ(copy, text);
        EXPECT_NE(copy.data(), text.data());
        EXPECT_EQ(copy.data()[copy.size()], '\0');
    }
}

TEST(Arena, ValuesStayWhereTheyAreAcrossChunks) {
    Arena arena;
    std::vector<std::pair<std::string, std::string_view>> copies;
    // Sizes around and far above a chunk, mixed with small ones.
    for (int i = 0; i < 3000; ++i) {
        std::string value(i % 100 == 7 ? 300'000U : static_cast<std::size_t>(i % 977), static_cast<char>('a' + i % 26));
        const std::string_view copy = arena.copy(value);
        copies.emplace_back(std::move(value), copy);
    }
    for (const auto& [value, copy] : copies) {
        ASSERT_EQ(copy, value);
        ASSERT_EQ(copy.data()[copy.size()], '\0');
    }
}

TEST(Arena, ArraysAreAlignedAndZero) {
    Arena arena;
    for (int i = 1; i < 2000; ++i) {
        arena.copy(std::string(static_cast<std::size_t>(i % 13), 'x'));
        const auto cells = arena.array<Cell>(static_cast<std::size_t>(i % 50));
        const auto numbers = arena.array<std::uint64_t>(3);
        if (!cells.empty()) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(cells.data()) % alignof(Cell), 0U);
        }
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(numbers.data()) % alignof(std::uint64_t), 0U);
        for (const Cell& cell : cells) EXPECT_EQ(cell.kind(), CellKind::absent);
        for (const auto number : numbers) EXPECT_EQ(number, 0U);
        std::memset(numbers.data(), 0xFF, numbers.size_bytes());  // the next use of the memory must not see this
        if (i % 500 == 0) arena.clear();
    }
    EXPECT_TRUE(arena.array<Cell>(0).empty());
}

TEST(Arena, ClearTakesEverythingBackAndReusesChunks) {
    Arena arena;
    const char* first = arena.copy("first").data();
    arena.copy(std::string(1'000'000, 'x'));
    EXPECT_GE(arena.used(), 1'000'005U);
    arena.clear();
    EXPECT_EQ(arena.used(), 0U);
    EXPECT_EQ(arena.copy("again").data(), first);
}

TEST(Arena, MovingKeepsTheViews) {
    Arena arena;
    const std::string_view copy = arena.copy("kept");
    Arena moved = std::move(arena);
    EXPECT_EQ(copy, "kept");
    EXPECT_EQ(moved.copy("next"), "next");
    EXPECT_EQ(copy, "kept");
}

TEST(Cell, KindsAreDifferentThings) {
    EXPECT_EQ(Cell{}.kind(), CellKind::absent);
    EXPECT_FALSE(Cell::absent().is_sent());
    EXPECT_FALSE(Cell::unchanged().is_sent());
    EXPECT_FALSE(Cell::unchanged().is_null());
    EXPECT_TRUE(Cell::null().is_sent());
    EXPECT_TRUE(Cell::null().is_null());
    EXPECT_TRUE(Cell::text("").is_sent());
    EXPECT_EQ(Cell::integer(-5).as_integer(), -5);
    EXPECT_EQ(Cell::blob("\x01\x02").bytes().size(), 2U);
}

}  // namespace
}  // namespace rowferry
