#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/conversion.h"
#include "schemas/error.h"

/// What the two directions of convert() share. For schemas/conversion*.cpp only.
namespace rowferry::conversion {

inline constexpr double kTwoTo63 = 9223372036854775808.0;

/// A ValueError that tells what is known about a value without telling it: "a text value of 5 bytes that is …".
[[noreturn]] void misfit(const Cell& cell, std::string_view why);

/// The bytes of a text cell, or a ValueError that names the column's kind.
[[nodiscard]] std::string_view text_of(const Cell& cell, std::string_view column);

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// The digits of a number, or its shortest form that reads back the same; a new text in `arena`.
template <typename Number>
Cell print(Number value, Arena& arena) {
    char buffer[64];
    const auto [end, failure] = std::to_chars(buffer, buffer + sizeof(buffer), value);
    if (failure != std::errc{}) throw std::logic_error{"a number does not fit into 64 characters"};
    return Cell::text(arena.copy({buffer, static_cast<std::size_t>(end - buffer)}));
}

/// The same with PostgreSQL's spelling of infinity.
[[nodiscard]] Cell print_double(double value, Arena& arena);
[[nodiscard]] Cell print_float(float value, Arena& arena);

/// Reads a decimal number in any of the usual spellings (sign, fraction, exponent), nearest; misfits beyond the range of a double.
[[nodiscard]] double nearest_double(const Cell& cell, std::string_view text);

/// Reads a whole number: digits with an optional sign, behind a decimal point nothing but zeros.
[[nodiscard]] bool parse_integer(std::string_view text, std::int64_t& value);

[[nodiscard]] Cell to_sqlite(Conversion conversion, const Cell& cell, Arena& arena);
[[nodiscard]] Cell to_postgresql(Conversion conversion, const Cell& cell, Arena& arena);

}  // namespace rowferry::conversion
