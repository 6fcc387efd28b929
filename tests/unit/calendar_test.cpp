#include "schemas/calendar.h"

#include <cmath>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace rowferry {
namespace {

std::string printed(const PointInTime& time) {
    char buffer[kLongestTime];
    return {buffer, print_timestamp(buffer, time, true)};
}

// What PostgreSQL itself says of these days.
TEST(Calendar, DaysAsPostgresqlCountsThem) {
    const std::pair<std::int64_t, const char*> cases[] = {{0, "1970-01-01 00:00:00+00"},
                                                          {-1, "1969-12-31 00:00:00+00"},
                                                          {kFirstDay, "4714-11-24 00:00:00+00 BC"},
                                                          {kLastTimestamp, "294276-12-31 00:00:00+00"},
                                                          {-719162, "0001-01-01 00:00:00+00"},
                                                          {-719163, "0001-12-31 00:00:00+00 BC"},
                                                          {-735160, "0044-03-15 00:00:00+00 BC"},
                                                          {11016, "2000-02-29 00:00:00+00"}};
    for (const auto& [days, text] : cases) {
        EXPECT_EQ(printed({days, 0}), text);
        PointInTime read;
        ASSERT_TRUE(read_time(text, read)) << text;
        EXPECT_EQ(read, (PointInTime{days, 0})) << text;
    }
    char buffer[kLongestTime];
    EXPECT_EQ(std::string(buffer, print_date(buffer, kLastDate)), "5874897-12-31");
    EXPECT_EQ(printed({0, 1}), "1970-01-01 00:00:00.000001+00");
    EXPECT_EQ(printed({0, kMicrosecondsPerDay - 100'000}), "1970-01-01 23:59:59.9+00");
}

TEST(Calendar, EveryPrintedTimeIsReadAsItself) {
    std::mt19937_64 random{4711};  // a fixed seed: the same times every time
    std::uniform_int_distribution<std::int64_t> day{kFirstDay, kLastTimestamp};
    std::uniform_int_distribution<std::int64_t> clock{0, kMicrosecondsPerDay - 1};
    for (int i = 0; i < 100'000; ++i) {
        const PointInTime time{day(random), i % 2 == 0 ? clock(random) : clock(random) / 1'000'000 * 1'000'000};
        PointInTime read;
        ASSERT_TRUE(read_time(printed(time), read)) << printed(time);
        ASSERT_EQ(read, time) << printed(time);
    }
}

TEST(Calendar, EpochsAreExact) {
    EXPECT_EQ(printed(from_epoch(1'700'000'000, TimeEncoding::epoch_s)), "2023-11-14 22:13:20+00");
    EXPECT_EQ(printed(from_epoch(-1, TimeEncoding::epoch_ms)), "1969-12-31 23:59:59.999+00");
    EXPECT_EQ(printed(from_epoch(1'700'000'000'123'456, TimeEncoding::epoch_us)), "2023-11-14 22:13:20.123456+00");
    for (const TimeEncoding unit : {TimeEncoding::epoch_s, TimeEncoding::epoch_ms, TimeEncoding::epoch_us}) {
        for (const std::int64_t count : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}, std::int64_t{86'400'000}}) {
            std::int64_t back = 1;
            EXPECT_TRUE(to_epoch(from_epoch(count, unit), unit, back));
            EXPECT_EQ(back, count);
        }
    }
    std::int64_t count = 0;
    EXPECT_FALSE(to_epoch({0, 1}, TimeEncoding::epoch_ms, count));
    EXPECT_FALSE(to_epoch({0, 1000}, TimeEncoding::epoch_s, count));
    EXPECT_FALSE(to_epoch({kLastTimestamp, kMicrosecondsPerDay - 1}, TimeEncoding::epoch_us, count));  // beyond 64 bits
}

// SQLite's own julianday() is the judge.
TEST(Calendar, JulianDaysAreThoseOfSqlite) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(":memory:", &db), SQLITE_OK);
    sqlite3_stmt* ask = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, "SELECT julianday(?1), strftime('%Y-%m-%d %H:%M:%f', julianday(?1))", -1, &ask, nullptr), SQLITE_OK);
    for (const char* text : {"2024-05-31 23:59:59.999", "1970-01-01 00:00:00.000", "0000-01-01 00:00:00.000", "9999-12-31 23:59:59.999",
                             "1858-11-17 12:00:00.001", "2000-02-29 07:08:09.010"}) {
        sqlite3_reset(ask);
        sqlite3_bind_text(ask, 1, text, -1, SQLITE_STATIC);
        ASSERT_EQ(sqlite3_step(ask), SQLITE_ROW);
        const double number = sqlite3_column_double(ask, 0);
        PointInTime time;
        ASSERT_TRUE(from_julian_day(number, time)) << text;
        double back = 0;
        ASSERT_TRUE(to_julian_day(time, back)) << text;
        EXPECT_EQ(back, number) << text;
        if (std::string_view{text}.starts_with("0000")) continue;  // PostgreSQL calls that year 1 BC
        std::string expected{text};
        while (expected.back() == '0') expected.pop_back();
        if (expected.back() == '.') expected.pop_back();
        EXPECT_EQ(printed(time), expected + "+00");
    }
    sqlite3_finalize(ask);
    sqlite3_close(db);
    PointInTime time;
    for (const double wrong : {-1.0, 1e300, std::nan(""), 2460000.00000001, 5373485.0}) EXPECT_FALSE(from_julian_day(wrong, time)) << wrong;
}

TEST(Calendar, ReadsNothingElse) {
    PointInTime time;
    for (const char* wrong : {"", "infinity", "2024", "2024-13-01", "2024-01-01 ", "2024-01-01 00:00", " 2024-01-01", "2024-01-01 00:00:00.",
                              "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00.x", "2024-01-01 24:00:00", "12345678-01-01", "-2024-01-01"})
        EXPECT_FALSE(read_time(wrong, time)) << wrong;
}

}  // namespace
}  // namespace rowferry
