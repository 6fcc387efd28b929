#include "schemas/conversion.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using namespace std::string_literals;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
constexpr auto kMin = std::numeric_limits<std::int64_t>::min();

class ConversionTest : public testing::Test {
protected:
    Cell run(Conversion conversion, const Cell& cell) { return convert(conversion, cell, arena_); }
    std::string text(Conversion conversion, const Cell& cell) {
        const Cell result = run(conversion, cell);
        EXPECT_EQ(result.kind(), CellKind::text);
        return std::string{result.bytes()};
    }
    /// The message of the ValueError, empty without one.
    std::string error(Conversion conversion, const Cell& cell) {
        try {
            run(conversion, cell);
        } catch (const ValueError& error) {
            return error.what();
        }
        return {};
    }
    Arena arena_;
};

const Conversion::Kind kAll[] = {
    Conversion::identity,   Conversion::text_to_integer, Conversion::text_to_boolean, Conversion::text_to_real, Conversion::text_to_float4,
    Conversion::hex_to_blob, Conversion::to_bigint,      Conversion::to_oid,          Conversion::to_boolean,   Conversion::to_double,
    Conversion::to_float4,  Conversion::to_numeric,      Conversion::to_text,         Conversion::to_char,      Conversion::to_bytea,
    Conversion::to_date,    Conversion::to_time,         Conversion::to_timestamp,    Conversion::to_timestamptz, Conversion::to_uuid,
    Conversion::to_json,    Conversion::to_other,        Conversion::sqlite_numeric_to_number, Conversion::sqlite_value_to_cell,
    Conversion::time_to_epoch, Conversion::asked_real,   Conversion::asked_number,    Conversion::asked_integer,
    Conversion::to_sqlite_numeric, Conversion::to_sqlite_value, Conversion::epoch_to_date, Conversion::epoch_to_timestamp,
    Conversion::epoch_to_timestamptz, Conversion::to_asked_integer, Conversion::to_asked_real, Conversion::to_asked_numeric};

TEST_F(ConversionTest, WhatIsNoValuePassesThrough) {
    for (const auto kind : kAll) {
        EXPECT_EQ(run(kind, Cell::null()).kind(), CellKind::null);
        EXPECT_EQ(run(kind, Cell::unchanged()).kind(), CellKind::unchanged);
        EXPECT_EQ(run(kind, Cell::absent()).kind(), CellKind::absent);
    }
}

TEST_F(ConversionTest, EveryClassIsTakenOrRefusedByName) {
    struct Row {
        Conversion::Kind kind;
        bool integer, real, text, blob;  // is 1, 1.0, '1', x'31' taken?
    };
    const Row rows[] = {
        {Conversion::identity, true, true, true, true},          {Conversion::text_to_integer, false, false, true, false},
        {Conversion::text_to_boolean, false, false, false, false}, {Conversion::text_to_real, false, false, true, false},
        {Conversion::text_to_float4, false, false, true, false}, {Conversion::hex_to_blob, false, false, false, false},
        {Conversion::to_bigint, true, false, false, false},      {Conversion::to_oid, true, false, false, false},
        {Conversion::to_boolean, true, false, false, false},     {Conversion::to_double, true, true, false, false},
        {Conversion::to_float4, true, true, false, false},       {Conversion::to_numeric, true, true, true, false},
        {Conversion::to_text, false, false, true, false},        {Conversion::to_bytea, false, false, false, true},
        {Conversion::to_date, false, false, false, false},       {Conversion::to_time, false, false, false, false},
        {Conversion::to_timestamp, false, false, false, false},  {Conversion::to_timestamptz, false, false, false, false},
        {Conversion::to_uuid, false, false, false, false},       {Conversion::to_json, false, false, true, false},
        {Conversion::to_other, false, false, true, false},
        {Conversion::sqlite_numeric_to_number, false, false, true, false}, {Conversion::sqlite_value_to_cell, false, false, false, false},
        {Conversion::asked_real, false, false, true, false},     {Conversion::asked_number, false, false, true, false},
        {Conversion::asked_integer, false, false, true, false},  {Conversion::to_sqlite_numeric, true, false, false, false},
        {Conversion::to_asked_integer, true, true, true, false}, {Conversion::to_asked_real, true, true, true, false},
        {Conversion::to_asked_numeric, true, true, true, false}, {Conversion::to_asked_other, true, true, true, false},
    };
    for (const Row& row : rows) {
        const auto kind = static_cast<int>(row.kind);
        EXPECT_EQ(error(row.kind, Cell::integer(1)).empty(), row.integer) << kind;
        EXPECT_EQ(error(row.kind, Cell::real(1.0)).empty(), row.real) << kind;
        EXPECT_EQ(error(row.kind, Cell::text("1")).empty(), row.text) << kind;
        EXPECT_EQ(error(row.kind, Cell::blob("1")).empty(), row.blob) << kind;
    }
}

TEST_F(ConversionTest, ErrorsSayWhatButNotTheValue) {
    EXPECT_EQ(error(Conversion::to_bigint, Cell::text("secret")), "a text value of 6 bytes in a bigint column");
    EXPECT_EQ(error(Conversion::to_text, Cell::text("secret\xFF")), "a text value of 7 bytes that is not valid UTF-8 at byte offset 6");
    EXPECT_EQ(error(Conversion::to_text, Cell::text("se\0cret"s)),
              "a text value of 7 bytes with a NUL byte at byte offset 2, which PostgreSQL cannot hold");
    EXPECT_EQ(error(Conversion::to_text, Cell::integer(5)), "an integer value in a text column");
    EXPECT_EQ(error(Conversion::to_bytea, Cell::text("abc")), "a text value of 3 bytes in a bytea column");
    EXPECT_EQ(error(Conversion::to_boolean, Cell::integer(4711)), "an integer value other than 0 and 1 in a boolean column");
    EXPECT_EQ(error(Conversion::to_date, Cell::text("4711")),
              "a text value of 4 bytes in a date column that is not a date as PostgreSQL prints it (2024-05-31)");
    const std::string secret = "S3CR3T";
    for (const auto kind : kAll)
        EXPECT_EQ(error({kind, 2}, Cell::text(secret)).find(secret), std::string::npos) << static_cast<int>(kind);
}

TEST_F(ConversionTest, TextToInteger) {
    for (const std::int64_t value : {kMin, kMax, std::int64_t{0}, std::int64_t{-1}, std::int64_t{4294967295}, std::int64_t{-32768}}) {
        const Cell cell = run(Conversion::text_to_integer, Cell::text(std::to_string(value)));
        ASSERT_EQ(cell.kind(), CellKind::integer);
        EXPECT_EQ(cell.as_integer(), value);
    }
    for (const char* wrong : {"", " 1", "1 ", "+1", "1.0", "1e3", "9223372036854775808", "-9223372036854775809", "abc", "0x1"})
        EXPECT_FALSE(error(Conversion::text_to_integer, Cell::text(wrong)).empty()) << wrong;
}

TEST_F(ConversionTest, TextToBoolean) {
    EXPECT_EQ(run(Conversion::text_to_boolean, Cell::text("t")).as_integer(), 1);
    EXPECT_EQ(run(Conversion::text_to_boolean, Cell::text("f")).as_integer(), 0);
    for (const char* wrong : {"", "true", "T", "1", "0"})
        EXPECT_FALSE(error(Conversion::text_to_boolean, Cell::text(wrong)).empty()) << wrong;
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST_F(ConversionTest, TextToRealIsExact) {
    const std::pair<const char*, double> cases[] = {
        {"0", 0.0}, {"-0", -0.0}, {"1", 1.0}, {"0.1", 0.1}, {"0.30000000000000004", 0.1 + 0.2}, {"1e+300", 1e300},
        {"1.7976931348623157e+308", std::numeric_limits<double>::max()}, {"2.2250738585072014e-308", std::numeric_limits<double>::min()},
        {"5e-324", std::numeric_limits<double>::denorm_min()}, {"-5e-324", -std::numeric_limits<double>::denorm_min()},
        {"9007199254740993", 9007199254740992.0}, {"Infinity", kInfinity}, {"-Infinity", -kInfinity}};
    for (const auto& [printed, value] : cases) {
        const Cell cell = run(Conversion::text_to_real, Cell::text(printed));
        ASSERT_EQ(cell.kind(), CellKind::real) << printed;
        EXPECT_EQ(bits(cell.as_real()), bits(value)) << printed;
    }
    EXPECT_EQ(text(Conversion::text_to_real, Cell::text("NaN")), "NaN");
    EXPECT_EQ(text(Conversion::text_to_float4, Cell::text("NaN")), "NaN");
    for (const char* wrong : {"", "nan", "inf", "-inf", "infinity", "1e400", "1e-400", " 1", "1 ", "0x1p3", "1,5", "abc"})
        EXPECT_FALSE(error(Conversion::text_to_real, Cell::text(wrong)).empty()) << wrong;
}

TEST_F(ConversionTest, Float4IsReadAsAFloatThenWidened) {
    EXPECT_EQ(bits(run(Conversion::text_to_float4, Cell::text("0.1")).as_real()), bits(static_cast<double>(0.1F)));
    EXPECT_NE(bits(run(Conversion::text_to_float4, Cell::text("0.1")).as_real()), bits(0.1));
    EXPECT_EQ(bits(run(Conversion::text_to_float4, Cell::text("1e-45")).as_real()),
              bits(static_cast<double>(std::numeric_limits<float>::denorm_min())));
    EXPECT_EQ(bits(run(Conversion::text_to_float4, Cell::text("3.4028235e+38")).as_real()),
              bits(static_cast<double>(std::numeric_limits<float>::max())));
    EXPECT_EQ(bits(run(Conversion::text_to_float4, Cell::text("-0")).as_real()), bits(-0.0));
    EXPECT_EQ(run(Conversion::text_to_float4, Cell::text("-Infinity")).as_real(), -kInfinity);
    EXPECT_FALSE(error(Conversion::text_to_float4, Cell::text("1e39")).empty());
}

TEST_F(ConversionTest, DoublesAndFloatsComeBack) {
    std::mt19937_64 random{4711};
    for (int i = 0; i < 100'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (std::isnan(value)) continue;
        const Cell back = run(Conversion::text_to_real, run(Conversion::to_double, Cell::real(value)));
        ASSERT_EQ(bits(back.as_real()), bits(value));
        const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        if (std::isnan(narrow)) continue;
        const Cell float_back = run(Conversion::text_to_float4, run(Conversion::to_float4, Cell::real(static_cast<double>(narrow))));
        ASSERT_EQ(bits(float_back.as_real()), bits(static_cast<double>(narrow)));
        if (i % 1000 == 0) arena_.clear();
    }
}

TEST_F(ConversionTest, HexToBlobTakesEveryByte) {
    std::string bytes;
    std::string hex = "\\x";
    for (int i = 0; i < 256; ++i) {
        bytes += static_cast<char>(i);
        hex += fmt::format("{:02x}", i);
    }
    const Cell cell = run(Conversion::hex_to_blob, Cell::text(hex));
    ASSERT_EQ(cell.kind(), CellKind::blob);
    EXPECT_EQ(cell.bytes(), bytes);
    EXPECT_EQ(cell.bytes().data()[256], '\0');
    EXPECT_EQ(run(Conversion::hex_to_blob, Cell::text("\\x")).bytes(), "");
    EXPECT_EQ(run(Conversion::hex_to_blob, Cell::text("\\x")).kind(), CellKind::blob);
    for (const char* wrong : {"", "\\", "x00", "\\x0", "\\x0g", "\\xg0", "\\x00\\x00", "abc", "\\000", "\\x 0", "\\x\xC3\xA9"})
        EXPECT_FALSE(error(Conversion::hex_to_blob, Cell::text(wrong)).empty()) << wrong;
}

TEST_F(ConversionTest, ToIntegers) {
    EXPECT_EQ(text(Conversion::to_bigint, Cell::integer(kMin)), "-9223372036854775808");
    EXPECT_EQ(text(Conversion::to_bigint, Cell::integer(kMax)), "9223372036854775807");
    EXPECT_EQ(text(Conversion::to_oid, Cell::integer(4294967295)), "4294967295");
    EXPECT_FALSE(error(Conversion::to_oid, Cell::integer(-1)).empty());
    EXPECT_EQ(text(Conversion::to_boolean, Cell::integer(0)), "f");
    EXPECT_EQ(text(Conversion::to_boolean, Cell::integer(1)), "t");
    EXPECT_FALSE(error(Conversion::to_boolean, Cell::integer(-1)).empty());
}

TEST_F(ConversionTest, ResultsEndInNul) {
    const auto ends = [](const Cell& cell) { return cell.bytes().data()[cell.bytes().size()] == '\0'; };
    EXPECT_TRUE(ends(run(Conversion::to_bigint, Cell::integer(5))));
    EXPECT_TRUE(ends(run(Conversion::to_boolean, Cell::integer(1))));
    EXPECT_TRUE(ends(run(Conversion::to_double, Cell::real(0.1))));
    EXPECT_TRUE(ends(run(Conversion::to_double, Cell::real(kInfinity))));
    EXPECT_TRUE(ends(run(Conversion::to_numeric, Cell::real(0.1))));
}

TEST_F(ConversionTest, ToDouble) {
    const std::pair<double, const char*> cases[] = {{0.1, "0.1"},
                                                    {0.1 + 0.2, "0.30000000000000004"},
                                                    {-0.0, "-0"},
                                                    {1e22, "1e+22"},
                                                    {5e-324, "5e-324"},
                                                    {kInfinity, "Infinity"},
                                                    {-kInfinity, "-Infinity"},
                                                    {1.7976931348623157e308, "1.7976931348623157e+308"}};
    for (const auto& [value, printed] : cases) EXPECT_EQ(text(Conversion::to_double, Cell::real(value)), printed);
    EXPECT_EQ(text(Conversion::to_double, Cell::text("NaN")), "NaN");
    EXPECT_FALSE(error(Conversion::to_double, Cell::text("Infinity")).empty());
    EXPECT_EQ(std::stod(text(Conversion::to_double, Cell::integer(9007199254740992))), 9007199254740992.0);
    EXPECT_EQ(std::stod(text(Conversion::to_double, Cell::integer(kMin))), -9223372036854775808.0);
    EXPECT_FALSE(error(Conversion::to_double, Cell::integer(9007199254740993)).empty());
    EXPECT_FALSE(error(Conversion::to_double, Cell::integer(kMax)).empty());
}

TEST_F(ConversionTest, ToFloat4) {
    EXPECT_EQ(text(Conversion::to_float4, Cell::real(static_cast<double>(0.1F))), "0.1");
    EXPECT_EQ(text(Conversion::to_float4, Cell::real(-0.0)), "-0");
    EXPECT_EQ(text(Conversion::to_float4, Cell::real(kInfinity)), "Infinity");
    EXPECT_EQ(text(Conversion::to_float4, Cell::text("NaN")), "NaN");
    for (const double wrong : {0.1, 1e300, 1e-60, -1e39, 16777217.0})
        EXPECT_FALSE(error(Conversion::to_float4, Cell::real(wrong)).empty()) << wrong;
    EXPECT_FALSE(error(Conversion::to_float4, Cell::integer(16777217)).empty());
}

TEST_F(ConversionTest, ToNumeric) {
    EXPECT_EQ(text(Conversion::to_numeric, Cell::integer(kMin)), "-9223372036854775808");
    EXPECT_EQ(text(Conversion::to_numeric, Cell::real(0.1)), "0.1");
    EXPECT_EQ(text(Conversion::to_numeric, Cell::real(1e-7)), "1e-07");  // read by PostgreSQL as 0.0000001
    EXPECT_EQ(text(Conversion::to_numeric, Cell::real(kInfinity)), "Infinity");
    EXPECT_EQ(text(Conversion::to_numeric, Cell::real(0.0)), "0");
    EXPECT_FALSE(error(Conversion::to_numeric, Cell::real(-0.0)).empty());
    for (const char* number : {"0", "1.50", "-0.001", "NaN", "Infinity", "-Infinity", "12345678901234567890.123456789"})
        EXPECT_EQ(text(Conversion::to_numeric, Cell::text(number)), number);
    for (const char* wrong : {"", "-0", "01", "1e3", " 1", "abc", ".5"})
        EXPECT_FALSE(error(Conversion::to_numeric, Cell::text(wrong)).empty()) << wrong;
}

TEST_F(ConversionTest, ScaleIsNeverRoundedNorPadded) {
    const Conversion money{Conversion::to_numeric, 2};
    EXPECT_EQ(text(money, Cell::text("1.50")), "1.50");
    EXPECT_EQ(text(money, Cell::text("NaN")), "NaN");
    EXPECT_EQ(text(money, Cell::integer(7)), "7");
    EXPECT_EQ(text(money, Cell::real(0.99)), "0.99");
    EXPECT_EQ(text(money, Cell::real(1.5)), "1.5");
    EXPECT_EQ(text(money, Cell::real(1e22)), "1e+22");
    EXPECT_EQ(text(money, Cell::real(1.5e300)), "1.5e+300");
    for (const char* wrong : {"1.5", "1.500", "1"}) EXPECT_FALSE(error(money, Cell::text(wrong)).empty()) << wrong;
    for (const double wrong : {0.999, 0.1 + 0.2, 1e-7, 1.25e-1}) EXPECT_FALSE(error(money, Cell::real(wrong)).empty()) << wrong;
    EXPECT_EQ(text({Conversion::to_numeric, 8}, Cell::real(1.5e-7)), "1.5e-07");
    EXPECT_FALSE(error({Conversion::to_numeric, 7}, Cell::real(1.5e-7)).empty());
    EXPECT_EQ(text({Conversion::to_numeric, 0}, Cell::real(2.0)), "2");
    EXPECT_FALSE(error({Conversion::to_numeric, 0}, Cell::real(2.5)).empty());
}

TEST_F(ConversionTest, ToText) {
    for (const char* good : {"", "abc", "ü🚢", "\x01\x7F"}) EXPECT_EQ(text(Conversion::to_text, Cell::text(good)), good);
    const Cell cell = Cell::text("stays where it is");
    EXPECT_EQ(run(Conversion::to_text, cell).bytes().data(), cell.bytes().data());
    const Conversion varchar3{Conversion::to_text, 3};
    EXPECT_EQ(text(varchar3, Cell::text("ü🚢ü")), "ü🚢ü");
    EXPECT_FALSE(error(varchar3, Cell::text("abc ")).empty());  // PostgreSQL would cut the space
    const Conversion char3{Conversion::to_char, 3};
    EXPECT_EQ(text(char3, Cell::text("ab ")), "ab ");
    EXPECT_FALSE(error(char3, Cell::text("ab")).empty());
    EXPECT_FALSE(error(char3, Cell::text("abcd")).empty());
    EXPECT_FALSE(error(char3, Cell::text("ab\xFF")).empty());
    EXPECT_FALSE(error(Conversion::to_other, Cell::text("{1,\0}"s)).empty());
    EXPECT_EQ(text(Conversion::to_other, Cell::text("{1,2}")), "{1,2}");
}

TEST_F(ConversionTest, ToBytea) {
    const Cell cell = run(Conversion::to_bytea, Cell::blob("\0\xFF"s));
    EXPECT_EQ(cell.kind(), CellKind::blob);
    EXPECT_EQ(cell.bytes().size(), 2U);
}

TEST_F(ConversionTest, Shapes) {
    EXPECT_EQ(text(Conversion::to_date, Cell::text("2024-02-29")), "2024-02-29");
    EXPECT_FALSE(error(Conversion::to_date, Cell::text("2023-02-29")).empty());
    EXPECT_EQ(text(Conversion::to_time, Cell::text("24:00:00")), "24:00:00");
    EXPECT_EQ(text(Conversion::to_timestamp, Cell::text("0001-01-01 00:00:00.000001")), "0001-01-01 00:00:00.000001");
    EXPECT_FALSE(error(Conversion::to_timestamp, Cell::text("2024-01-01T00:00:00")).empty());
    EXPECT_EQ(text(Conversion::to_timestamptz, Cell::text("2024-01-01 00:00:00+00")), "2024-01-01 00:00:00+00");
    EXPECT_FALSE(error(Conversion::to_timestamptz, Cell::text("2024-01-01 00:00:00")).empty());
    EXPECT_EQ(text(Conversion::to_uuid, Cell::text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    EXPECT_FALSE(error(Conversion::to_uuid, Cell::text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")).empty());
    EXPECT_EQ(text(Conversion::to_json, Cell::text("{\"a\": 1, \"a\": 2}")), "{\"a\": 1, \"a\": 2}");
    EXPECT_FALSE(error(Conversion::to_json, Cell::text("{a:1}")).empty());
    // A precision of the target would round.
    EXPECT_EQ(text({Conversion::to_timestamp, 3}, Cell::text("2024-01-01 00:00:00.123")), "2024-01-01 00:00:00.123");
    EXPECT_FALSE(error({Conversion::to_timestamp, 3}, Cell::text("2024-01-01 00:00:00.1234")).empty());
    EXPECT_FALSE(error({Conversion::to_time, 0}, Cell::text("23:59:59.5")).empty());
}

TEST_F(ConversionTest, RangesOfTheTargetAreKnownHere) {
    EXPECT_EQ(text({Conversion::to_bigint, 2}, Cell::integer(-32768)), "-32768");
    EXPECT_EQ(error({Conversion::to_bigint, 2}, Cell::integer(32768)), "an integer value outside the range of a smallint column");
    EXPECT_EQ(text({Conversion::to_bigint, 4}, Cell::integer(2147483647)), "2147483647");
    EXPECT_EQ(error({Conversion::to_bigint, 4}, Cell::integer(-2147483649)), "an integer value outside the range of an integer column");
    EXPECT_EQ(error(Conversion::to_oid, Cell::integer(4294967296)), "an integer value outside the range of an oid column");
    const Conversion numeric52{Conversion::to_numeric, 2, 3};
    EXPECT_EQ(text(numeric52, Cell::text("999.99")), "999.99");
    EXPECT_EQ(text(numeric52, Cell::text("-0.50")), "-0.50");
    EXPECT_FALSE(error(numeric52, Cell::text("1000.00")).empty());
    EXPECT_FALSE(error(numeric52, Cell::integer(1000)).empty());
    EXPECT_FALSE(error(numeric52, Cell::real(1e22)).empty());
    EXPECT_EQ(text(numeric52, Cell::real(0.25)), "0.25");
    EXPECT_FALSE(error({Conversion::to_double, 0}, Cell::integer(5)).empty());
    EXPECT_EQ(text({Conversion::to_double, 0}, Cell::real(5)), "5");
}

TEST_F(ConversionTest, SqliteNumericComesBackAsWhatItWas) {
    const auto there_and_back = [&](const Cell& cell, const std::string& stored) {
        EXPECT_EQ(text(Conversion::to_sqlite_numeric, cell), stored);
        return run(Conversion::sqlite_numeric_to_number, Cell::text(arena_.copy(stored)));
    };
    for (const std::int64_t value : {kMin, kMax, std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 53}) {
        const Cell cell = there_and_back(Cell::integer(value), std::to_string(value));
        ASSERT_EQ(cell.kind(), CellKind::integer);
        EXPECT_EQ(cell.as_integer(), value);
    }
    // NUMERIC affinity keeps these as reals: fractions, and what is at the limits of an integer or beyond.
    const std::pair<double, const char*> reals[] = {{0.1, "0.1"}, {-2.5, "-2.5"}, {1e-7, "1e-07"}, {1e300, "1e+300"}, {5e-324, "5e-324"},
                                                    {9223372036854775808.0, "9223372036854775808"}, {-9223372036854775808.0, "-9223372036854775808.0"},
                                                    {kInfinity, "Infinity"}, {-kInfinity, "-Infinity"}};
    for (const auto& [value, stored] : reals) {
        const Cell cell = there_and_back(Cell::real(value), stored);
        ASSERT_EQ(cell.kind(), CellKind::real) << stored;
        EXPECT_EQ(bits(cell.as_real()), bits(value)) << stored;
    }
    // PostgreSQL prints numeric without an exponent.
    const auto real = [&](const std::string& number) { return run(Conversion::sqlite_numeric_to_number, Cell::text(arena_.copy(number))).as_real(); };
    EXPECT_EQ(real("0.0000001"), 1e-7);
    EXPECT_EQ(real("1" + std::string(300, '0')), 1e300);
    EXPECT_EQ(real("100000000000000000000000"), 1e23);
    EXPECT_EQ(real("0." + std::string(323, '0') + "5"), 5e-324);
    EXPECT_EQ(text(Conversion::sqlite_numeric_to_number, Cell::text("NaN")), "NaN");
    EXPECT_EQ(text(Conversion::to_sqlite_numeric, Cell::text("NaN")), "NaN");
    for (const char* wrong : {"1.50", "5.0", "0.1000000000000000055511151231257827", "99999999999999991611392", "1e400", "abc", "", "9223372036854775809"})
        EXPECT_FALSE(error(Conversion::sqlite_numeric_to_number, Cell::text(wrong)).empty()) << wrong;
    for (const double whole : {5.0, -0.0, 9007199254740992.0}) EXPECT_FALSE(error(Conversion::to_sqlite_numeric, Cell::real(whole)).empty()) << whole;
    EXPECT_FALSE(error(Conversion::to_sqlite_numeric, Cell::text("5")).empty());
}

TEST_F(ConversionTest, AskedTypesLoseWhatWasAsked) {
    EXPECT_EQ(run(Conversion::asked_real, Cell::text("19.90")).as_real(), 19.9);
    EXPECT_EQ(run(Conversion::asked_real, Cell::text("0.1000000000000000055511151231257827")).as_real(), 0.1);
    EXPECT_EQ(text(Conversion::asked_real, Cell::text("NaN")), "NaN");
    EXPECT_EQ(run(Conversion::asked_number, Cell::text("19.00")).as_integer(), 19);
    EXPECT_EQ(run(Conversion::asked_number, Cell::text("-19.25")).as_real(), -19.25);
    EXPECT_EQ(run(Conversion::asked_integer, Cell::text("7.000")).as_integer(), 7);
    EXPECT_EQ(run(Conversion::asked_integer, Cell::text("t")).as_integer(), 1);
    for (const char* wrong : {"7.5", "7.", "abc", "", "1e3", "99999999999999999999"}) EXPECT_FALSE(error(Conversion::asked_integer, Cell::text(wrong)).empty()) << wrong;
    for (const char* wrong : {"1e400", "abc", "", "0x10", "1,5"}) EXPECT_FALSE(error(Conversion::asked_real, Cell::text(wrong)).empty()) << wrong;

    EXPECT_EQ(text({Conversion::to_asked_real, 4}, Cell::real(0.1)), "0.1");
    EXPECT_EQ(text(Conversion::to_asked_real, Cell::integer(kMax)), "9223372036854775808");
    EXPECT_EQ(text(Conversion::to_asked_real, Cell::text("1.50")), "1.5");
    EXPECT_FALSE(error({Conversion::to_asked_real, 4}, Cell::real(1e300)).empty());
    EXPECT_EQ(text({Conversion::to_asked_integer, 4}, Cell::real(7)), "7");
    EXPECT_EQ(text({Conversion::to_asked_integer, 4}, Cell::text("7.00")), "7");
    EXPECT_FALSE(error({Conversion::to_asked_integer, 2}, Cell::text("40000")).empty());
    EXPECT_FALSE(error(Conversion::to_asked_integer, Cell::real(7.5)).empty());
    EXPECT_EQ(text(Conversion::to_asked_numeric, Cell::real(-0.0)), "-0");
    EXPECT_EQ(text(Conversion::to_asked_numeric, Cell::text("1e3")), "1e3");
    EXPECT_FALSE(error(Conversion::to_asked_numeric, Cell::text("abc")).empty());
    EXPECT_EQ(text(Conversion::to_asked_other, Cell::integer(5)), "5");
    EXPECT_EQ(text(Conversion::to_asked_other, Cell::real(0.1)), "0.1");
    EXPECT_FALSE(error(Conversion::to_asked_other, Cell::blob("x")).empty());
}

TEST_F(ConversionTest, TimesAsNumbers) {
    const auto of = [](Conversion::Kind kind, TimeEncoding encoding, int digits = -1) { return Conversion{kind, static_cast<std::int32_t>(encoding), digits}; };
    const Conversion ms = of(Conversion::epoch_to_timestamptz, TimeEncoding::epoch_ms);
    EXPECT_EQ(text(ms, Cell::integer(1700000000123)), "2023-11-14 22:13:20.123+00");
    EXPECT_EQ(text(ms, Cell::real(1700000000123.0)), "2023-11-14 22:13:20.123+00");
    EXPECT_EQ(text(ms, Cell::integer(-62198755200000)), "0002-01-01 00:00:00+00 BC");
    EXPECT_FALSE(error(ms, Cell::real(0.5)).empty());
    EXPECT_FALSE(error(ms, Cell::integer(kMax)).empty());
    EXPECT_FALSE(error(ms, Cell::integer(kMin)).empty());
    EXPECT_FALSE(error(ms, Cell::text("1700000000123")).empty());
    EXPECT_EQ(text(of(Conversion::epoch_to_timestamp, TimeEncoding::epoch_us), Cell::integer(1)), "1970-01-01 00:00:00.000001");
    EXPECT_EQ(text(of(Conversion::epoch_to_timestamp, TimeEncoding::epoch_s, 1), Cell::text("1")), "1970-01-01 00:00:01");
    EXPECT_EQ(text(of(Conversion::epoch_to_date, TimeEncoding::epoch_s), Cell::integer(-86400)), "1969-12-31");
    EXPECT_FALSE(error(of(Conversion::epoch_to_date, TimeEncoding::epoch_s), Cell::integer(1)).empty());
    EXPECT_EQ(text(of(Conversion::epoch_to_timestamp, TimeEncoding::julian_day), Cell::real(2440587.5)), "1970-01-01 00:00:00");
    EXPECT_FALSE(error(of(Conversion::epoch_to_timestamp, TimeEncoding::julian_day), Cell::real(2440587.50000000047)).empty());

    EXPECT_EQ(run(of(Conversion::time_to_epoch, TimeEncoding::epoch_ms), Cell::text("2023-11-14 22:13:20.123+00")).as_integer(), 1700000000123);
    EXPECT_EQ(run(of(Conversion::time_to_epoch, TimeEncoding::epoch_s), Cell::text("0001-01-01 BC")).as_integer(), -62167219200);
    EXPECT_EQ(text(of(Conversion::time_to_epoch, TimeEncoding::epoch_us, 1), Cell::text("1970-01-01 00:00:00.000001")), "1");
    EXPECT_EQ(run(of(Conversion::time_to_epoch, TimeEncoding::julian_day), Cell::text("1970-01-01 12:00:00")).as_real(), 2440588.0);
    for (const char* wrong : {"2023-11-14 22:13:20.1234+00", "infinity", "now"})
        EXPECT_FALSE(error(of(Conversion::time_to_epoch, TimeEncoding::epoch_ms), Cell::text(wrong)).empty()) << wrong;
}

}  // namespace
}  // namespace rowferry
