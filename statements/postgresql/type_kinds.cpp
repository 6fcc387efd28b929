#include "statements/postgresql/type_kinds.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/ascii.h"
#include "schemas/holds.h"

namespace rowferry::type_kinds {
namespace {

constexpr std::array<std::string_view, 6> kTimes{"date", "timestamp", "timestamptz", "time", "timetz", "interval"};
constexpr std::array<std::string_view, 6> kTimeRanges{"daterange", "tsrange", "tstzrange", "datemultirange", "tsmultirange", "tstzmultirange"};
constexpr std::array<std::string_view, 4> kZoned{"timestamptz", "timetz", "tstzrange", "tstzmultirange"};
constexpr std::array<std::string_view, 6> kTexts{"text", "varchar", "bpchar", "name", "char", "citext"};
// Text in, text out, whatever the session's settings are.
constexpr std::array<std::string_view, 42> kAlike{
    "bool", "int2", "int4", "int8", "numeric", "text", "varchar", "bpchar", "char", "name", "citext", "uuid", "json", "jsonb", "jsonpath", "enum", "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit",
    "oid", "hstore", "ltree", "int4range", "int8range", "numrange", "int4multirange", "int8multirange", "nummultirange", "tsvector", "tsquery", "pg_lsn", "xid", "xid8", "cid", "tid", "void", "xml", "unknown",
    "vector"};
constexpr std::array<std::string_view, 17> kExact{"bool", "int2", "int4", "int8", "text", "varchar", "char", "name", "uuid", "date", "timestamp", "timestamptz", "time", "bytea", "enum", "oid", "pg_lsn"};
// Polymorphic ones stand for their arguments, which are looked at.
constexpr std::array<std::string_view, 12> kAny{"anyelement", "anyarray", "anynonarray", "anyenum", "anyrange", "anymultirange", "anycompatible", "anycompatiblearray", "anycompatiblenonarray",
                                                "anycompatiblerange", "anycompatiblemultirange", "any"};

std::string_view element(std::string_view type) {
    if (type.starts_with('_')) type.remove_prefix(1);
    return type;
}


/// 'now', ' Today ', '[yesterday,tomorrow 10:00]': the input of dates and times knows these words. It takes no more than 128 characters, but for arrays and ranges.
bool has_clock_word(std::string_view value) {
    const auto begin = value.find_first_not_of(" \t\n");
    const bool many = begin != std::string_view::npos && std::string_view{"{[("}.find(value[begin]) != std::string_view::npos;
    if (value.size() > 128 && !many) return false;
    std::string word;
    const auto special = [&] { return word == "now" || word == "today" || word == "tomorrow" || word == "yesterday"; };
    for (const char c : value) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else {
            if (special()) return true;
            word.clear();
        }
    }
    return special();
}

/// 2026-11-20, perhaps with a time: 2026-11-20T10:00:00.5+01:30. `offset`: it says how far from UTC.
bool is_iso(std::string_view value, bool& offset) {
    offset = false;
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    if (value.ends_with(" BC")) value.remove_suffix(3);
    std::size_t years = 0;
    while (years < value.size() && is_digit(value[years])) ++years;
    if (years < 4 || years > 6 || value.size() < years + 6) return false;
    const std::string_view day = value.substr(years, 6);
    if (day[0] != '-' || !is_digit(day[1]) || !is_digit(day[2]) || day[3] != '-' || !is_digit(day[4]) || !is_digit(day[5])) return false;
    value.remove_prefix(years + 6);
    if (value.empty()) return true;
    if (value.front() != ' ' && value.front() != 'T') return false;
    value.remove_prefix(1);
    const auto clock = value.find_first_not_of("0123456789:.");
    if (clock == 0) return false;
    if (clock == std::string_view::npos) return value.size() >= 5 && value[2] == ':';
    if (clock < 5 || value[2] != ':') return false;
    value.remove_prefix(clock);
    offset = true;
    if (value == "Z" || value == "z") return true;
    return (value.front() == '+' || value.front() == '-') && value.size() >= 3 && value.find_first_not_of("0123456789:", 1) == std::string_view::npos;
}

bool is_endless(std::string_view value) { return value == "infinity" || value == "-infinity" || value == "epoch"; }

/// Might be read as a date or a time, if that is what is wanted.
bool looks_timely(std::string_view value, bool quoted) {
    std::size_t digits = 0;
    std::size_t marks = 0;
    bool letters = false;
    for (const char c : value) {
        digits += is_digit(c) ? 1 : 0;
        marks += c == ':' || c == '/' ? 2 : c == '-' || c == '.' || c == ' ' || c == ',' ? 1 : 0;
        letters = letters || std::isalpha(static_cast<unsigned char>(c)) != 0;
    }
    if (digits == 0) return false;
    if (!letters && marks == 0) return quoted && digits > 3;
    const bool number = value.find_first_not_of("0123456789.", value.starts_with('-') || value.starts_with('+') ? 1 : 0) == std::string_view::npos && std::ranges::count(value, '.') <= 1;
    if (number) return false;
    return letters || marks > 1;
}

std::optional<std::string> time_doubt(std::string_view type, std::string_view value, bool zone_known) {
    bool offset = false;
    const bool iso = is_iso(value, offset);
    if (type == "date" || type == "timestamp" || type == "timestamptz") {
        if (has_clock_word(value)) return "the clock ('now', 'today' … as a date or time)";
        if (!iso && !is_endless(value)) return "a date or time that is not written as 2026-11-20 (its meaning depends on the session)";
        if (type == "timestamptz" && iso && !offset && !zone_known) return "a time without its zone (the log does not say the session's TimeZone)";
        return std::nullopt;
    }
    if (type == "interval") {
        const bool one_field = std::ranges::count(value, ' ') <= 1 && value.find(':') == std::string_view::npos;
        if (value.find('-') != std::string_view::npos && !one_field) return "an interval with a sign (its meaning depends on the session's IntervalStyle)";
        return std::nullopt;
    }
    if (has_clock_word(value)) return "the clock ('now', 'today' … as a date or time)";
    if (value.size() < 4 || value.find_first_not_of("0123456789:.") != std::string_view::npos) {
        const auto clock = value.find_first_not_of("0123456789:.");
        const bool numeric = type == "timetz" && clock != std::string_view::npos && clock >= 5 && (value[clock] == '+' || value[clock] == '-') &&
                             value.find_first_not_of("0123456789:", clock + 1) == std::string_view::npos;
        if (!numeric) return "a time of day that is not written as 10:00:00";
        return std::nullopt;
    }
    if (type == "timetz") return "a time without its zone";
    return std::nullopt;
}

}  // namespace

bool is_timely(std::string_view type) {
    const std::string_view one = element(type);
    return holds(kTimes, one) || holds(kTimeRanges, one) || one.starts_with('?') || one.starts_with("reg") || one == "money";
}

bool is_zoned(std::string_view type) { return holds(kZoned, element(type)) || element(type).starts_with('?'); }

bool prints_alike(std::string_view type) { return holds(kAlike, element(type)) || holds(kAny, type) || type == "record" || type == "trigger"; }

bool is_exact(std::string_view type) { return holds(kExact, type); }

bool is_text(std::string_view type) { return holds(kTexts, element(type)); }

bool is_written_time(std::string_view value) {
    bool offset = false;
    return is_iso(value, offset);
}

bool has_array_null(std::string_view value) {
    if (value.find('{') == std::string_view::npos) return false;
    constexpr std::string_view kSpaces = " \t\n\r\v\f";
    bool found = false;
    for (std::size_t at = value.find_first_of("{,"); at != std::string_view::npos && !found; at = value.find_first_of("{,", at + 1)) {
        const auto from = value.find_first_not_of(kSpaces, at + 1);
        if (from == std::string_view::npos || value.size() - from < 5) continue;
        std::string word{value.substr(from, 4)};
        std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto end = value.find_first_not_of(kSpaces, from + 4);
        found = word == "null" && end != std::string_view::npos && (value[end] == ',' || value[end] == '}');
    }
    return found && !nlohmann::json::accept(value);
}

std::optional<std::string> literal_doubt(std::string_view type, std::string_view value, bool zone_known, bool quoted) {
    if (!type.empty() && !is_timely(type)) return std::nullopt;
    if (holds(kTimes, type)) return time_doubt(type, value, zone_known);
    if (type == "money") return "an amount of money (its meaning depends on the session's lc_monetary)";
    if (type.starts_with("reg")) return fmt::format("the number of an object ({})", type);
    if (has_clock_word(value)) return "the clock ('now', 'today' … as a date or time)";
    bool offset = false;
    if (is_iso(value, offset) && (offset || zone_known || (!type.empty() && !is_zoned(type)))) return std::nullopt;
    if (looks_timely(value, quoted)) return "a constant that may be a date or a time (its meaning depends on the session)";
    return std::nullopt;
}

std::optional<std::string> conversion_doubt(std::string_view from, std::string_view to, bool zone_known) {
    if (from == to && !from.starts_with('?')) return std::nullopt;
    const bool unknown = to.starts_with('?');
    if (element(to).starts_with("reg") || element(to) == "oid" || element(from).starts_with("reg")) return "the number of an object (oid)";
    if ((is_text(to) || unknown || element(to) == "json" || element(to) == "jsonb" || element(to) == "xml" || to.starts_with('_')) && !prints_alike(from) && element(from) != element(to))
        return fmt::format("how the session writes {} as text", from.starts_with('?') ? from.substr(1) : from);
    const bool timely = is_timely(to) && !unknown;
    if (timely && (is_text(from) || from.starts_with('?') || element(from) == "json" || element(from) == "jsonb")) return "a text that is read as a date or a time";
    if (!zone_known && (is_zoned(from) || is_zoned(to)) && is_timely(from) && is_timely(to)) return "the session's TimeZone, which the log does not say";
    if (to == "money" || from == "money") return "the session's lc_monetary";
    return std::nullopt;
}

}  // namespace rowferry::type_kinds
