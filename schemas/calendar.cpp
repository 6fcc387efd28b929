#include "schemas/calendar.h"

#include <charconv>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

#include "schemas/ascii.h"

namespace rowferry {
namespace {

/// Two digits at `at`, or -1.
int two_digits(std::string_view text, std::size_t at) noexcept {
    if (text.size() < at + 2 || !is_digit(text[at]) || !is_digit(text[at + 1])) return -1;
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

struct Civil {
    std::int64_t year;
    int month;
    int day;
};

// Both by Howard Hinnant's algorithms: a year begins in March, so that the leap day is its last; an era has 400 years.
constexpr std::int64_t kDaysPerEra = 146'097;
constexpr std::int64_t kToMarchOfYear0 = 719'468;

std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept { return a / b - (a % b < 0 ? 1 : 0); }

Civil civil_of(std::int64_t days) noexcept {
    days += kToMarchOfYear0;
    const std::int64_t era = floor_div(days, kDaysPerEra);
    const std::int64_t day_of_era = days - era * kDaysPerEra;
    const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month = (5 * day_of_year + 2) / 153;  // 0 is March
    const int calendar_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
    return {year_of_era + era * 400 + (calendar_month <= 2 ? 1 : 0), calendar_month, static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1)};
}

char* print_padded(char* to, std::int64_t value, int width) noexcept {
    char digits[20];
    char* const end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    for (auto missing = width - (end - digits); missing > 0; --missing) *to++ = '0';
    for (const char* digit = digits; digit != end; ++digit) *to++ = *digit;
    return to;
}

/// `2024-05-31`; the era comes behind everything else.
char* print_day(char* to, const Civil& civil) noexcept {
    to = print_padded(to, civil.year > 0 ? civil.year : 1 - civil.year, 4);
    *to++ = '-';
    to = print_padded(to, civil.month, 2);
    *to++ = '-';
    return print_padded(to, civil.day, 2);
}

char* print_era(char* to, const Civil& civil) noexcept {
    if (civil.year <= 0)
        for (const char c : {' ', 'B', 'C'}) *to++ = c;
    return to;
}

char* print_clock(char* to, std::int64_t microseconds) noexcept {
    const std::int64_t seconds = microseconds / 1'000'000;
    to = print_padded(to, seconds / 3600, 2);
    *to++ = ':';
    to = print_padded(to, seconds / 60 % 60, 2);
    *to++ = ':';
    to = print_padded(to, seconds % 60, 2);
    const std::int64_t fraction = microseconds % 1'000'000;
    if (fraction == 0) return to;
    *to++ = '.';
    to = print_padded(to, fraction, 6);
    while (to[-1] == '0') --to;
    return to;
}

/// Year, month and day at the front of `text`, which is cut there. `before_christ`: the year counts backwards.
bool read_day(std::string_view& text, bool before_christ, std::int64_t& days) noexcept {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || dash < 4 || dash > 7 || (dash > 4 && text[0] == '0')) return false;
    std::int64_t year = 0;
    for (const char c : text.substr(0, dash)) {
        if (!is_digit(c)) return false;
        year = year * 10 + (c - '0');
    }
    if (year == 0 || text.size() < dash + 6 || text[dash + 3] != '-') return false;
    if (before_christ) year = 1 - year;
    const int month = two_digits(text, dash + 1);
    const int day = two_digits(text, dash + 4);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    text.remove_prefix(dash + 6);
    days = days_of(year, month, day);
    return true;
}

std::int64_t units_per_day(TimeEncoding unit) noexcept {
    return unit == TimeEncoding::epoch_s ? 86'400 : unit == TimeEncoding::epoch_ms ? 86'400'000 : kMicrosecondsPerDay;
}

// SQLite counts milliseconds from noon of -4713-11-24; these are those of 0000-01-01 and the end of 9999.
constexpr std::int64_t kMillisecondsPerDay = 86'400'000;
constexpr std::int64_t kJulianEpoch = 210'866'760'000'000;  // 1970-01-01
constexpr std::int64_t kFirstJulian = 148'699'540'800'000;
constexpr std::int64_t kLastJulian = 464'269'060'799'999;

}  // namespace

bool is_leap_year(std::int64_t year) noexcept { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in_month(std::int64_t year, int month) noexcept {
    if (month == 2) return is_leap_year(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

std::int64_t days_of(std::int64_t year, int month, int day) noexcept {
    if (month <= 2) --year;
    const std::int64_t era = floor_div(year, 400);
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * kDaysPerEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - kToMarchOfYear0;
}

char* print_date(char* to, std::int64_t days) noexcept {
    const Civil civil = civil_of(days);
    return print_era(print_day(to, civil), civil);
}

char* print_timestamp(char* to, const PointInTime& time, bool zoned) noexcept {
    const Civil civil = civil_of(time.days);
    to = print_day(to, civil);
    *to++ = ' ';
    to = print_clock(to, time.microseconds);
    if (zoned)
        for (const char c : {'+', '0', '0'}) *to++ = c;
    return print_era(to, civil);
}

bool read_clock(std::string_view text, std::int64_t& microseconds) noexcept {
    if (text.size() < 8 || text[2] != ':' || text[5] != ':') return false;
    const int hour = two_digits(text, 0);
    const int minute = two_digits(text, 3);
    const int second = two_digits(text, 6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    std::int64_t fraction = 0;
    if (text.size() > 8) {
        const std::string_view digits = text.substr(9);
        if (text[8] != '.' || digits.empty() || digits.size() > 6 || digits.back() == '0') return false;
        for (std::size_t i = 0; i < 6; ++i) {
            if (i < digits.size() && !is_digit(digits[i])) return false;
            fraction = fraction * 10 + (i < digits.size() ? digits[i] - '0' : 0);
        }
    }
    microseconds = (hour * 3600LL + minute * 60 + second) * 1'000'000 + fraction;
    return true;
}

bool read_time(std::string_view text, PointInTime& time) noexcept {
    const bool before_christ = text.ends_with(" BC");
    if (before_christ) text.remove_suffix(3);
    if (!read_day(text, before_christ, time.days)) return false;
    if (text.ends_with("+00")) text.remove_suffix(3);
    time.microseconds = 0;
    if (text.empty()) return true;
    if (text[0] != ' ') return false;
    return read_clock(text.substr(1), time.microseconds);
}

PointInTime from_epoch(std::int64_t count, TimeEncoding unit) noexcept {
    const std::int64_t per_day = units_per_day(unit);
    // The remainder, and not a difference: the day of the least number begins below it.
    const std::int64_t rest = count % per_day;
    return {floor_div(count, per_day), (rest < 0 ? rest + per_day : rest) * (kMicrosecondsPerDay / per_day)};
}

bool to_epoch(const PointInTime& time, TimeEncoding unit, std::int64_t& count) noexcept {
    const std::int64_t per_day = units_per_day(unit);
    const std::int64_t step = kMicrosecondsPerDay / per_day;
    if (time.microseconds % step != 0) return false;
    // Towards zero first: the day of the least number begins below it.
    const bool negative = time.days < 0;
    const std::int64_t rest = time.microseconds / step - (negative ? per_day : 0);
    return !__builtin_mul_overflow(time.days + (negative ? 1 : 0), per_day, &count) && !__builtin_add_overflow(count, rest, &count);
}

bool from_julian_day(double number, PointInTime& time) noexcept {
    if (!(number >= 0 && number < 5'373'485)) return false;
    const auto milliseconds = static_cast<std::int64_t>(number * static_cast<double>(kMillisecondsPerDay) + 0.5);
    if (milliseconds < kFirstJulian || milliseconds > kLastJulian) return false;
    time = from_epoch(milliseconds - kJulianEpoch, TimeEncoding::epoch_ms);
    double back = 0;
    return to_julian_day(time, back) && back == number;
}

bool to_julian_day(const PointInTime& time, double& number) noexcept {
    std::int64_t milliseconds = 0;
    if (!to_epoch(time, TimeEncoding::epoch_ms, milliseconds) || __builtin_add_overflow(milliseconds, kJulianEpoch, &milliseconds) ||
        milliseconds < kFirstJulian || milliseconds > kLastJulian)
        return false;
    number = static_cast<double>(milliseconds) / static_cast<double>(kMillisecondsPerDay);
    return true;
}

std::string utc_time(std::int64_t microseconds, int digits) {
    std::int64_t seconds = microseconds / 1'000'000;
    std::int64_t rest = microseconds % 1'000'000;
    if (rest < 0) {
        rest += 1'000'000;
        --seconds;
    }
    const auto whole = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    for (int digit = 6; digit > digits; --digit) rest /= 10;
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:0{}}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec, rest, digits);
}

}  // namespace rowferry
