#include "schemas/pg_binary.h"

#include <gtest/gtest.h>

namespace rowferry::pg_binary {
namespace {

constexpr std::string_view operator""_b(const char* bytes, std::size_t size) { return {bytes, size}; }

TEST(PgBinary, KeysAreSaidAsPeopleReadThem) {
    EXPECT_EQ(describe(23, "\0\0\1\2"_b), "258");
    EXPECT_EQ(describe(23, "\xFF\xFF\xFF\xFE"_b), "-2");
    EXPECT_EQ(describe(21, "\x80\0"_b), "-32768");
    EXPECT_EQ(describe(20, "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"_b), "9223372036854775807");
    EXPECT_EQ(describe(26, "\xFF\xFF\xFF\xFF"_b), "4294967295");
    EXPECT_EQ(describe(25, "Änne"), "Änne");
    EXPECT_EQ(describe(16, "\1"_b), "t");
    EXPECT_EQ(describe(2950, "\x01\x23\x45\x67\x89\xAB\xCD\xEF\x01\x23\x45\x67\x89\xAB\xCD\xEF"_b), "01234567-89ab-cdef-0123-456789abcdef");
    EXPECT_EQ(describe(1082, "\0\0\0\1"_b), "x'00000001'");
}

TEST(PgBinary, BytesThatAreNotOfTheTypeAreShownAsTheyAre) {
    EXPECT_EQ(describe(23, ""), "x''");
    EXPECT_EQ(describe(20, "\0\1"_b), "x'0001'");
    EXPECT_EQ(describe(17, std::string(1000, 'a')), "x'" + [] { std::string hex; for (int i = 0; i < 40; ++i) hex += "61"; return hex; }() + "'…");
}

TEST(PgBinary, OnlyBuiltInTypesWithoutASettingBehindThem) {
    for (const std::uint32_t oid : {16U, 17U, 20U, 21U, 23U, 25U, 114U, 700U, 701U, 1042U, 1043U, 1082U, 1114U, 1184U, 1700U, 2950U, 3802U})
        EXPECT_TRUE(is_portable(oid)) << oid;
    for (const std::uint32_t oid : {0U, 790U /* money */, 142U /* xml */, 1007U /* int[] */, 1186U /* interval */, 2249U /* record */, 3904U /* int4range */, 16384U})
        EXPECT_FALSE(is_portable(oid)) << oid;
}

}  // namespace
}  // namespace rowferry::pg_binary
