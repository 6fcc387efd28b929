#include "decoder/pg_log/log_time.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "schemas/ascii.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

/// `count` digits at `text[from]`, or -1.
int digits(std::string_view text, std::size_t from, std::size_t count) {
    if (from + count > text.size()) return -1;
    int value = 0;
    for (std::size_t i = from; i < from + count; ++i) {
        if (!is_digit(text[i])) return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/// `YYYY-MM-DD?HH:MM`, 16 bytes.
std::optional<LogTime> read_minute(std::string_view text, char between) {
    const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2), hour = digits(text, 11, 2), minute = digits(text, 14, 2);
    if (year < 1970 || month < 0 || day < 0 || hour < 0 || minute < 0 || hour > 23 || minute > 59) return {};
    if (text[4] != '-' || text[7] != '-' || text[10] != between || text[13] != ':') return {};
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)}, std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return {};
    const std::chrono::microseconds time = std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hour} + std::chrono::minutes{minute};
    return time.count();
}

constexpr LogTime kSecond = 1'000'000;
constexpr LogTime kMinute = 60 * kSecond;

struct Zone {
    std::string_view name;
    int minutes;  ///< East of UTC.
};
/// Names that mean one offset only wherever a server may stand. Not CST, IST, BST, PST and others: China or Chicago?
constexpr std::array kZones{Zone{"UTC", 0},    Zone{"GMT", 0},     Zone{"Z", 0},       Zone{"WET", 0},     Zone{"WEST", 60},   Zone{"CET", 60},    Zone{"CEST", 120},
                            Zone{"MET", 60},   Zone{"MEST", 120},  Zone{"EET", 120},   Zone{"EEST", 180},  Zone{"MSK", 180},   Zone{"EST", -300},  Zone{"EDT", -240},
                            Zone{"MDT", -360}, Zone{"AKST", -540}, Zone{"AKDT", -480}, Zone{"HST", -600},  Zone{"JST", 540},   Zone{"KST", 540},   Zone{"AEST", 600},
                            Zone{"AEDT", 660}, Zone{"ACST", 570},  Zone{"ACDT", 630},  Zone{"AWST", 480},  Zone{"NZST", 720},  Zone{"NZDT", 780},  Zone{"SAST", 120}};

/// `+01`, `-0330`, `+05:30`: as PostgreSQL writes zones without a name (east is positive), or one of the names.
std::optional<LogTime> zone_offset(std::string_view zone) {
    for (const Zone& known : kZones)
        if (known.name == zone) return known.minutes * kMinute;
    if (zone.size() < 3 || (zone[0] != '+' && zone[0] != '-')) return {};
    const int hours = digits(zone, 1, 2);
    int minutes = 0;
    if (zone.size() == 5) minutes = digits(zone, 3, 2);
    if (zone.size() == 6 && zone[3] == ':') minutes = digits(zone, 4, 2);
    if (hours < 0 || minutes < 0 || (zone.size() != 3 && zone.size() != 5 && zone.size() != 6)) return {};
    return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes) * kMinute;
}

}  // namespace

std::optional<LogClock::Read> LogClock::read(std::string_view text) {
    if (text.size() < 20) return {};
    if (minute_ != text.substr(0, 16)) {
        const auto minute = read_minute(text, ' ');
        if (!minute) return {};
        minute_ = text.substr(0, 16);
        at_minute_ = *minute;
    }
    const int seconds = digits(text, 17, 2);
    if (text[16] != ':' || seconds < 0 || seconds > 60) return {};
    std::size_t at = 19;
    LogTime fraction = 0;
    if (text[at] == '.') {
        const int milliseconds = digits(text, at + 1, 3);
        if (milliseconds < 0) return {};
        fraction = milliseconds * 1000;
        at += 4;
    }
    if (at + 1 >= text.size() || text[at] != ' ') return {};
    const std::size_t zone_at = ++at;
    while (at < text.size() && ((text[at] >= 'A' && text[at] <= 'Z') || is_digit(text[at]) || text[at] == '+' || text[at] == '-')) ++at;
    // A numeric zone may have a colon, which else is the prefix's.
    if (at + 2 < text.size() && at - zone_at == 3 && (text[zone_at] == '+' || text[zone_at] == '-') && text[at] == ':' && is_digit(text[at + 1]) && is_digit(text[at + 2])) at += 3;
    std::string_view zone = text.substr(zone_at, at - zone_at);
    while (!zone.empty() && (zone.back() == '-' || zone.back() == '+')) zone.remove_suffix(1);
    if (zone.empty()) return {};
    if (zone != zone_) {
        const auto offset = zone_offset(zone);
        if (!offset) {
            throw RefusedError{"the log's times are in a zone named \"" + std::string{zone} + "\", which can mean several: set log_timezone = 'UTC' on the server and begin with a new log"};
        }
        zone_ = zone;
        zone_offset_ = *offset;
    }
    return Read{at_minute_ + seconds * kSecond + fraction - zone_offset_, zone_at + zone.size()};
}

std::optional<LogClock::Read> read_syslog_time(std::string_view text) {
    if (text.size() < 20) return {};
    const auto minute = read_minute(text, 'T');
    const int seconds = digits(text, 17, 2);
    if (!minute || text[16] != ':' || seconds < 0 || seconds > 60) return {};
    std::size_t at = 19;
    LogTime fraction = 0;
    if (text[at] == '.') {
        LogTime unit = 100'000;
        for (++at; at < text.size() && is_digit(text[at]); ++at, unit /= 10) fraction += unit * (text[at] - '0');
    }
    const std::size_t zone_at = at;
    at = std::min(text.find(' ', at), text.size());
    const auto zone = zone_offset(text.substr(zone_at, at - zone_at));
    if (!zone) return {};
    return LogClock::Read{*minute + seconds * kSecond + fraction - *zone, at};
}

}  // namespace rowferry
