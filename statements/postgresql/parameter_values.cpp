#include "statements/postgresql/parameter_values.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include <arpa/inet.h>

#include "schemas/ascii.h"

namespace rowferry {
namespace {

/// Without the point, the exponent and zeros at either end.
std::string significant(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c == 'e' || c == 'E') break;
        if (is_digit(c) && (!digits.empty() || c != '0')) digits += c;
    }
    while (digits.ends_with('0')) digits.pop_back();
    return digits;
}

template <typename Number>
std::string shortest(Number number) {
    std::array<char, 64> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::scientific).ptr;
    return significant({text.data(), static_cast<std::size_t>(end - text.data())});
}

}  // namespace

std::optional<NumberText> NumberText::read(std::string_view text) {
    NumberText out;
    if (text == "NaN" || text == "Infinity" || text == "-Infinity") {
        out.special = true;
        return out;
    }
    std::size_t at = text.starts_with('-') ? 1 : 0;
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == first) return std::nullopt;
    out.integer = at == text.size();
    if (at < text.size() && text[at] == '.') {
        const std::size_t point = at++;
        while (at < text.size() && is_digit(text[at])) ++at;
        if (at == point + 1) return std::nullopt;
        out.padded = text[at - 1] == '0';
    }
    if (at < text.size() && text[at] == 'e') {
        out.exponent = true;
        ++at;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
        const std::size_t power = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        if (at == power) return std::nullopt;
    }
    if (at != text.size()) return std::nullopt;
    out.digits = significant(text);
    const std::string copy{text};
    out.value = std::strtod(copy.c_str(), nullptr);
    out.narrow = std::strtof(copy.c_str(), nullptr);
    return out;
}

// PostgreSQL prints floats of 10^15 and more, and float4 of 10^6 and more, with an exponent.
bool NumberText::may_be_float() const { return !special && !padded && (exponent || (value < 1e15 && value > -1e15)); }

bool NumberText::may_be_float4() const {
    return may_be_float() && digits.size() <= 9 && (exponent || (value < 1e6 && value > -1e6)) && shortest(narrow) == digits;
}

bool NumberText::may_be_float8() const { return may_be_float() && shortest(value) == digits; }

TimeText TimeText::read(std::string_view text) {
    TimeText out;
    const auto matches = [&](std::size_t at, std::string_view pattern) {
        if (text.size() < at + pattern.size()) return false;
        for (std::size_t i = 0; i < pattern.size(); ++i)
            if (pattern[i] == '0' ? !is_digit(text[at + i]) : text[at + i] != pattern[i]) return false;
        return true;
    };
    std::size_t at = 0;
    if (matches(0, "0000-00-00")) {
        out.has_date = true;
        at = 10;
        if (at < text.size() && (text[at] == ' ' || text[at] == 'T')) ++at;
    }
    if (matches(at, "00:00:00")) {
        out.has_clock = true;
        at += 8;
        if (at < text.size() && text[at] == '.')
            for (++at; at < text.size() && is_digit(text[at]);) ++at;
        if (matches(at, "+00") || matches(at, "-00")) {
            out.has_zone = true;
            for (at += 3; at < text.size() && (is_digit(text[at]) || text[at] == ':');) ++at;
        }
    }
    if (at != text.size() || (out.has_date && text.size() == 11)) return {};
    return out;
}

bool is_other_text(const std::string& text) {
    if (text == "t" || text == "f" || text.ends_with(' ') || text.starts_with("<?xml")) return true;
    std::array<unsigned char, 16> address{};
    return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 || ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool array_has_other_text(std::string_view array) {
    std::string element;
    for (const char c : array) {
        if (c != '{' && c != '}' && c != ',' && c != '"') {
            element += c;
            continue;
        }
        if (is_other_text(element)) return true;
        element.clear();
    }
    return is_other_text(element);
}

}  // namespace rowferry
