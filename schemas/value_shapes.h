#pragma once

#include <cstddef>
#include <string_view>

namespace rowferry {

/// Shapes of text that survive a way through PostgreSQL byte for byte: a text has a shape exactly when PostgreSQL reads it as a value
/// of that type and prints the value back as the very same bytes (DateStyle ISO, TimeZone UTC, as every session of ours sets).
/// A SQLite column becomes a date, uuid … only when all its texts have the shape, and every later value is checked by the same
/// functions. Stricter than PostgreSQL's input on purpose. Pure, no allocation, any bytes allowed.

/// `YYYY-MM-DD`, a day that exists, 4714-11-24 BC to 5874897-12-31; years beyond 9999 have more digits, ` BC` stands at the end;
/// `infinity`, `-infinity`.
[[nodiscard]] bool is_date(std::string_view text) noexcept;

/// `HH:MM:SS` with up to six fractional digits that do not end in 0; 00:00:00 to 23:59:59.999999, and `24:00:00`.
[[nodiscard]] bool is_time(std::string_view text) noexcept;

/// `YYYY-MM-DD HH:MM:SS` with a fraction as in is_time, without 24:00:00, to the year 294276; `infinity`, `-infinity`.
[[nodiscard]] bool is_timestamp(std::string_view text) noexcept;

/// A timestamp followed by `+00`, PostgreSQL's own form in UTC; `infinity`, `-infinity`.
[[nodiscard]] bool is_zoned_timestamp(std::string_view text) noexcept;

/// 8-4-4-4-12 hexadecimal digits in lower case.
[[nodiscard]] bool is_uuid(std::string_view text) noexcept;

/// One JSON value (RFC 8259) with at most kMaxJsonDepth levels, valid UTF-8. Kept verbatim by type json, not by jsonb.
[[nodiscard]] bool is_json(std::string_view text) noexcept;
inline constexpr std::size_t kMaxJsonDepth = 1024;  ///< PostgreSQL's own limit (its stack) is a few thousand.

/// A decimal number as numeric prints it: no exponent, no plus sign, no leading zeros, no negative zero; `NaN`, `Infinity`, `-Infinity`.
[[nodiscard]] bool is_number(std::string_view text) noexcept;

/// Digits behind the decimal point of a text that is_number(), or behind the seconds of a time or timestamp.
[[nodiscard]] std::size_t fraction_digits(std::string_view text) noexcept;

/// Offset of the first byte that a PostgreSQL text cannot hold (NUL, or not UTF-8), npos when there is none.
[[nodiscard]] std::size_t find_bad_text(std::string_view text) noexcept;

/// find_bad_text() and count_characters() in one pass.
struct TextScan {
    std::size_t characters = 0;
    bool bad = false;
};
[[nodiscard]] TextScan scan_text(std::string_view text) noexcept;

/// Number of characters in valid UTF-8.
[[nodiscard]] std::size_t count_characters(std::string_view text) noexcept;

}  // namespace rowferry
