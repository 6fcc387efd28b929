#include "applier/postgresql/pg_types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace rowferry {
namespace {

int leading_number(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// `10,2` → 10 and 2.
std::pair<int, int> numeric_limits(std::string_view arguments) {
    const auto comma = arguments.find(',');
    return {leading_number(arguments), comma == std::string_view::npos ? 0 : leading_number(arguments.substr(comma + 1))};
}

std::optional<int> integer_rank(std::string_view name) {
    constexpr std::array<std::string_view, 3> kIntegers{"smallint", "integer", "bigint"};
    const auto found = std::find(kIntegers.begin(), kIntegers.end(), name);
    if (found == kIntegers.end()) return std::nullopt;
    return static_cast<int>(found - kIntegers.begin());
}

bool is_varying(std::string_view name) { return name == "character varying" || name == "text"; }

/// Digits of the widest value are 5, 10 and 19.
bool holds_integer(int rank, std::string_view limits) {
    constexpr std::array<int, 3> kDigits{5, 10, 19};
    const auto [precision, scale] = numeric_limits(limits);
    return scale == 0 && precision >= kDigits.at(static_cast<std::size_t>(rank));
}

bool is_clock(std::string_view name) { return name.starts_with("time") || name == "interval"; }

/// Microseconds where the type does not say.
int clock_digits(const PgTypeParts& type) { return type.arguments.empty() ? 6 : leading_number(type.arguments); }

/// `bit` is `bit(1)`.
int length_of_bits(const PgTypeParts& type) { return type.arguments.empty() ? 1 : leading_number(type.arguments); }

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

PgTypeParts split_type(std::string_view type) {
    PgTypeParts parts;
    if (type.ends_with("[]")) {
        parts.array = "[]";
        type.remove_suffix(2);
    }
    const auto open = type.find('(');
    const auto close = open == std::string_view::npos ? open : type.find(')', open);
    if (close == std::string_view::npos || type.find('"') != std::string_view::npos) {
        parts.name = type;
        return parts;
    }
    parts.name = type.substr(0, open);
    parts.name += type.substr(close + 1);
    parts.arguments = type.substr(open + 1, close - open - 1);
    return parts;
}

bool pg_type_holds(std::string_view leader, std::string_view follower) {
    // Any value's text form fits a text column without a limit, and comes out of it as it went in.
    if (leader == follower || follower == "text" || follower == "character varying") return true;
    const PgTypeParts from = split_type(leader);
    const PgTypeParts to = split_type(follower);
    if (from.array != to.array) return false;
    // Elements are quoted by what they contain, whatever their type; only boxes are separated by something else than commas.
    if (!from.array.empty()) return from.name != "box" && pg_type_holds(leader.substr(0, leader.size() - 2), follower.substr(0, follower.size() - 2));
    const auto from_rank = integer_rank(from.name);
    if (from_rank && to.name == "numeric") return to.arguments.empty() || holds_integer(*from_rank, to.arguments);
    if (const auto to_rank = integer_rank(to.name); from_rank && to_rank) return *from_rank <= *to_rank;
    if (is_varying(from.name) && to.name == "character varying")
        return !from.arguments.empty() && leading_number(from.arguments) <= leading_number(to.arguments);
    if (from.name == "bit" && to.name == "bit varying") return to.arguments.empty() || length_of_bits(from) <= length_of_bits(to);
    if (from.name != to.name) return false;
    if (is_clock(from.name)) return clock_digits(from) <= clock_digits(to);
    if (from.arguments.empty()) return false;
    // bpchar pads to its length, so another length is another value.
    if (to.arguments.empty()) return from.name != "character" && from.name != "bit";
    if (from.name == "numeric") {
        const auto [precision, scale] = numeric_limits(from.arguments);
        const auto [to_precision, to_scale] = numeric_limits(to.arguments);
        return scale == to_scale && precision <= to_precision;
    }
    if (from.name == "bit varying")
        return leading_number(from.arguments) <= leading_number(to.arguments);
    return false;
}

bool exceeds_modifier(std::string_view type, std::string_view value) {
    const PgTypeParts parts = split_type(type);
    if (parts.arguments.empty() || !parts.array.empty()) return false;
    const int limit = leading_number(parts.arguments);
    if (parts.name.starts_with("character")) return characters(value) > static_cast<std::size_t>(limit);
    if (parts.name.starts_with("bit")) return value.size() > static_cast<std::size_t>(limit);
    if (parts.name != "numeric") return false;
    const auto [precision, scale] = numeric_limits(parts.arguments);
    value.remove_prefix(std::min(value.find_first_not_of("+-0"), value.size()));
    const std::string_view whole = value.substr(0, value.find('.'));
    return static_cast<int>(whole.size()) > precision - scale;
}

}  // namespace rowferry
