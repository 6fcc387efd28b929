#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/table_schema.h"

namespace rowferry {

/// Points in time as PostgreSQL prints them (DateStyle ISO, TimeZone UTC) and as numbers. Proleptic Gregorian calendar, no leap seconds,
/// astronomical years: 0 is 1 BC. Pure, no allocation.

/// A day and the time on it.
struct PointInTime {
    std::int64_t days = 0;          ///< Since 1970-01-01.
    std::int64_t microseconds = 0;  ///< Since midnight, below 24 hours.
    friend bool operator==(const PointInTime&, const PointInTime&) = default;
};

inline constexpr std::int64_t kMicrosecondsPerDay = 86'400'000'000;

// PostgreSQL's limits.
inline constexpr std::int64_t kFirstDay = -2'440'588;        ///< 4714-11-24 BC.
inline constexpr std::int64_t kLastDate = 2'145'042'905;     ///< 5874897-12-31.
inline constexpr std::int64_t kLastTimestamp = 106'762'939;  ///< 294276-12-31: the last day of a timestamp.

[[nodiscard]] bool is_leap_year(std::int64_t year) noexcept;
[[nodiscard]] int days_in_month(std::int64_t year, int month) noexcept;
[[nodiscard]] std::int64_t days_of(std::int64_t year, int month, int day) noexcept;

/// Room for any text that the functions below print.
inline constexpr std::size_t kLongestTime = 48;

/// `2024-05-31`, `0044-03-15 BC`. Returns the end.
char* print_date(char* to, std::int64_t days) noexcept;
/// `2024-05-31 23:59:59.5`, with `+00` behind the time when `zoned`.
char* print_timestamp(char* to, const PointInTime& time, bool zoned) noexcept;

/// Below 24:00:00, `HH:MM:SS` with up to six fractional digits that do not end in 0. PostgreSQL would read second 60 and carry it over.
[[nodiscard]] bool read_clock(std::string_view text, std::int64_t& microseconds) noexcept;

/// Reads what the two print: a text that is_date(), is_timestamp() or is_zoned_timestamp(), but for the infinities. False for others.
[[nodiscard]] bool read_time(std::string_view text, PointInTime& time) noexcept;

/// A number of seconds, milliseconds or microseconds since 1970 as a point in time.
[[nodiscard]] PointInTime from_epoch(std::int64_t count, TimeEncoding unit) noexcept;
/// False when the point is no whole number of the unit, or does not fit.
[[nodiscard]] bool to_epoch(const PointInTime& time, TimeEncoding unit, std::int64_t& count) noexcept;

/// Julian days as SQLite's own functions give and take them: in whole milliseconds, years 0000 to 9999. False for any other number.
[[nodiscard]] bool from_julian_day(double number, PointInTime& time) noexcept;
[[nodiscard]] bool to_julian_day(const PointInTime& time, double& number) noexcept;

/// `2026-03-01T12:00:00.123456Z`: microseconds since 1970 as UTC.
[[nodiscard]] std::string utc_time(std::int64_t microseconds, int digits = 6);

}  // namespace rowferry
