#include "cli/rule_text.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

template <typename Value, std::size_t count>
Value by_name(const std::string& text, const std::array<Value, count>& values, std::string_view what) {
    std::string names;
    for (const Value value : values) {
        if (text == to_string(value)) return value;
        names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(value));
    }
    throw UsageError{fmt::format("\"{}\" is no {}: expected {}", printable(text, 100), what, names)};
}

}  // namespace

OnMismatch parse_on_mismatch(const std::string& text) {
    return by_name(text, std::array{OnMismatch::stop, OnMismatch::quarantine, OnMismatch::null_value}, "way to treat a value that does not fit");
}

TimeEncoding parse_encoding(const std::string& text) {
    return by_name(text, std::array{TimeEncoding::epoch_s, TimeEncoding::epoch_ms, TimeEncoding::epoch_us, TimeEncoding::julian_day}, "encoding of time");
}

Mask::Kind parse_mask_kind(const std::string& text) {
    return by_name(text, std::array{Mask::Kind::drop, Mask::Kind::constant, Mask::Kind::sha256, Mask::Kind::truncate}, "mask");
}

Mask parse_mask(const std::string& text) {
    const std::size_t colon = text.find(':');
    Mask mask;
    mask.kind = parse_mask_kind(text.substr(0, colon));
    const bool has_value = colon != std::string::npos;
    const std::string value = has_value ? text.substr(colon + 1) : "";
    if (mask.kind == Mask::Kind::constant) {
        if (!has_value) throw UsageError{"the mask constant needs a value: constant:TEXT"};
        mask.text = value;
    } else if (mask.kind == Mask::Kind::truncate) {
        const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), mask.length);
        if (failure != std::errc{} || end != value.data() + value.size() || mask.length == 0)
            throw UsageError{"the mask truncate needs a number of characters: truncate:8"};
    } else if (has_value) {
        throw UsageError{fmt::format("the mask {} takes no value", to_string(mask.kind))};
    }
    return mask;
}

std::pair<std::string, TimeEncoding> parse_wanted_type(const std::string& text) {
    if (text.empty()) throw UsageError{"a type is empty"};
    const std::size_t colon = text.rfind(':');
    // `schema::type` is nobody's type name, `a:b` is nobody's either.
    if (colon == std::string::npos) return {text, TimeEncoding::none};
    return {text.substr(0, colon), parse_encoding(text.substr(colon + 1))};
}

std::vector<std::string> split_unquoted(std::string_view text, char separator) {
    std::vector<std::string> parts(1);
    bool quoted = false;
    for (const char c : text) {
        if (c == '"') quoted = !quoted;
        if (c == separator && !quoted)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    if (quoted) throw UsageError{fmt::format("a double quote in {} is not closed", printable(text, 100))};
    return parts;
}

std::string plain_name(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    std::string name;
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        text = text.substr(1, text.size() - 2);
        for (std::size_t i = 0; i < text.size(); ++i) {
            name += text[i];
            if (text[i] == '"' && i + 1 < text.size() && text[i + 1] == '"') ++i;
        }
    } else {
        name = text;
    }
    if (name.empty()) throw UsageError{"a name is empty"};
    return name;
}

}  // namespace rowferry
