#include "schemas/pg_type_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "schemas/conversion.h"

namespace rowferry {
namespace {

/// `10,2`; nothing when one of them is not a number (`Point,4326`).
std::vector<int> parse_modifiers(std::string_view text) {
    std::vector<int> modifiers;
    for (;;) {
        const std::size_t comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        while (item.starts_with(' ')) item.remove_prefix(1);
        int value = 0;
        const auto [end, failure] = std::from_chars(item.data(), item.data() + item.size(), value);
        if (item.empty() || failure != std::errc{} || end != item.data() + item.size()) return {};
        modifiers.push_back(value);
        if (comma == std::string_view::npos) return modifiers;
        text.remove_prefix(comma + 1);
    }
}

/// End of a double-quoted part that begins at `at`; npos when it does not end.
std::size_t quoted_end(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] != '"') continue;
        if (i + 1 < text.size() && text[i + 1] == '"')
            ++i;
        else
            return i + 1;
    }
    return std::string_view::npos;
}

bool is_name_byte(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || byte >= 0x80;
}

/// The only words that format_type() prints with a space between them.
constexpr std::array<std::string_view, 18> kMultiWords = {"double", "precision", "character", "bit",   "varying", "time",   "timestamp", "with",   "without",
                                                          "zone",   "interval",  "year",      "month", "day",     "hour",   "minute",    "second", "to"};

}  // namespace

PgTypeName parse_pg_type(std::string_view type) {
    PgTypeName result;
    std::size_t at = 0;
    while (at < type.size()) {
        const char c = type[at];
        if (c == '"') {
            const std::size_t end = std::min(quoted_end(type, at), type.size());
            result.name += type.substr(at, end - at);
            at = end;
        } else if (c == '(') {
            const std::size_t close = std::min(type.find(')', at), type.size());
            result.modifiers = parse_modifiers(type.substr(at + 1, close - at - 1));
            at = std::min(close + 1, type.size());
        } else if (c == '.') {
            result.schema = std::move(result.name);
            result.name.clear();
            ++at;
        } else if (c == '[') {
            result.array = true;
            break;
        } else {
            result.name += c;
            ++at;
        }
    }
    if (result.schema == "pg_catalog") result.schema.clear();
    return result;
}

const std::string& base_type_of(const ColumnSchema& column) { return column.base_type.empty() ? column.type : column.base_type; }

bool is_plain_pg_type(std::string_view type) {
    // type := word (' ' word)* | name ('.' name)?, with '(' modifiers ')' behind a word and '[]' at the end
    std::vector<std::string_view> words;
    bool qualified = false;
    std::size_t at = 0;
    while (at < type.size()) {
        const char c = type[at];
        if (c == '"' || is_name_byte(c)) {
            std::size_t end = at;
            if (c == '"')
                end = quoted_end(type, at);
            else
                while (end < type.size() && is_name_byte(type[end])) ++end;
            if (end == std::string_view::npos) return false;
            words.push_back(type.substr(at, end - at));
            at = end;
        } else if (c == '(') {
            const std::size_t close = type.find(')', at);
            if (words.empty() || close == std::string_view::npos) return false;
            const std::string_view inside = type.substr(at + 1, close - at - 1);
            if (!std::all_of(inside.begin(), inside.end(), [](char m) { return is_name_byte(m) || m == ',' || m == '-' || m == ' '; })) return false;
            if (inside.find("--") != std::string_view::npos) return false;
            at = close + 1;
        } else if (type.substr(at, 2) == "[]") {
            return !words.empty() && type.find_first_not_of("[]", at) == std::string_view::npos;
        } else if (c == '.' && !qualified && words.size() == 1) {
            qualified = true;
            ++at;
        } else if (c == ' ' && !qualified) {
            ++at;
        } else {
            return false;
        }
    }
    if (qualified) return words.size() == 2;
    if (words.size() == 1) return true;
    return !words.empty() && std::all_of(words.begin(), words.end(), [](std::string_view word) {
        return std::find(kMultiWords.begin(), kMultiWords.end(), word) != kMultiWords.end();
    });
}

ValueClass pg_value_class(std::string_view base_type) {
    struct NamedClass {
        std::string_view name;
        ValueClass value_class;
    };
    static constexpr std::array kClasses = {
        NamedClass{"smallint", ValueClass::integer},
        NamedClass{"integer", ValueClass::integer},
        NamedClass{"bigint", ValueClass::integer},
        NamedClass{"oid", ValueClass::integer},
        NamedClass{"boolean", ValueClass::boolean},
        NamedClass{"real", ValueClass::real},
        NamedClass{"double precision", ValueClass::real},
        NamedClass{"numeric", ValueClass::numeric},
        NamedClass{"text", ValueClass::text},
        NamedClass{"character varying", ValueClass::text},
        NamedClass{"character", ValueClass::text},
        NamedClass{"bpchar", ValueClass::text},
        NamedClass{"name", ValueClass::text},
        NamedClass{"xml", ValueClass::text},
        NamedClass{"bytea", ValueClass::bytes},
        NamedClass{"date", ValueClass::date},
        NamedClass{"time without time zone", ValueClass::time},
        NamedClass{"timestamp without time zone", ValueClass::timestamp},
        NamedClass{"timestamp with time zone", ValueClass::timestamptz},
        NamedClass{"uuid", ValueClass::uuid},
        NamedClass{"json", ValueClass::json},
        NamedClass{"jsonb", ValueClass::json},
    };
    const PgTypeName type = parse_pg_type(base_type);
    if (type.array || !type.schema.empty()) return ValueClass::other;
    const auto found = std::find_if(kClasses.begin(), kClasses.end(), [&](const NamedClass& c) { return c.name == type.name; });
    return found == kClasses.end() ? ValueClass::other : found->value_class;
}

bool pg_is_time(std::string_view base_type) {
    const ValueClass value_class = pg_value_class(base_type);
    return value_class == ValueClass::date || value_class == ValueClass::timestamp || value_class == ValueClass::timestamptz;
}

}  // namespace rowferry
