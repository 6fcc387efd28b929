// PostgreSQL's text forms as SQLite values.

#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "schemas/calendar.h"
#include "schemas/conversion_parts.h"
#include "schemas/tagged_value.h"

namespace rowferry::conversion {
namespace {


Cell text_to_integer(const Cell& cell) {
    std::int64_t value = 0;
    if (!parse_whole(text_of(cell, "PostgreSQL integer"), value)) misfit(cell, "that is not a 64-bit integer");
    return Cell::integer(value);
}

Cell text_to_boolean(const Cell& cell) {
    const std::string_view text = text_of(cell, "PostgreSQL boolean");
    if (text != "t" && text != "f") misfit(cell, "that is not a PostgreSQL boolean (t or f)");
    return Cell::integer(text == "t" ? 1 : 0);
}

/// `Float` is the type PostgreSQL printed: its shortest form is exact only when read as that type.
template <typename Float>
Cell text_to_float(const Cell& cell) {
    const std::string_view text = text_of(cell, "PostgreSQL floating-point");
    if (text == "NaN") return cell;
    if (text == "Infinity") return Cell::real(std::numeric_limits<double>::infinity());
    if (text == "-Infinity") return Cell::real(-std::numeric_limits<double>::infinity());
    Float value = 0;
    if (!parse_whole(text, value) || !std::isfinite(value)) misfit(cell, "that is not a floating-point number PostgreSQL prints");
    return Cell::real(static_cast<double>(value));
}

constexpr std::array<std::int8_t, 256> hex_digits() {
    std::array<std::int8_t, 256> digits{};
    digits.fill(-1);
    for (int i = 0; i < 10; ++i) digits[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i) {
        digits[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
        digits[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
    }
    return digits;
}
constexpr std::array<std::int8_t, 256> kHexDigits = hex_digits();

Cell hex_to_blob(const Cell& cell, Arena& arena) {
    const std::string_view text = text_of(cell, "PostgreSQL bytea");
    if (!text.starts_with("\\x") || text.size() % 2 != 0) misfit(cell, "that is not bytea in hex form");
    const std::size_t size = (text.size() - 2) / 2;
    char* bytes = arena.bytes(size);
    int all = 0;  // negative as soon as one digit is not one
    for (std::size_t i = 0; i < size; ++i) {
        const int high = kHexDigits[static_cast<unsigned char>(text[2 + 2 * i])];
        const int low = kHexDigits[static_cast<unsigned char>(text[3 + 2 * i])];
        all |= high | low;
        bytes[i] = static_cast<char>(static_cast<unsigned>(high) << 4 | static_cast<unsigned>(low));
    }
    if (all < 0) misfit(cell, "that is not bytea in hex form");
    return Cell::blob({bytes, size});
}

// A double in shortest form has at most 17 digits that count.
constexpr std::size_t kMostDigits = 17;

/// The digits of a decimal number between its first and last that is not zero, and where the point stands behind the first of them.
struct Decimal {
    std::array<char, kMostDigits> digits{};
    std::size_t count = 0;
    std::int64_t point = 0;
    bool negative = false;
    friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// False when there are more digits than any shortest form has. `text`: sign, digits, fraction, exponent.
bool read_decimal(std::string_view text, Decimal& decimal) {
    decimal.negative = text.starts_with('-');
    if (decimal.negative) text.remove_prefix(1);
    const std::size_t exponent_at = std::min(text.find('e'), text.size());
    if (exponent_at < text.size()) {
        std::string_view exponent = text.substr(exponent_at + 1);
        if (exponent.starts_with('+')) exponent.remove_prefix(1);
        if (!parse_whole(exponent, decimal.point)) return false;
    }
    const std::string_view mantissa = text.substr(0, exponent_at);
    const std::size_t point_at = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t first = mantissa.find_first_not_of("0.");
    if (first == std::string_view::npos) return true;  // zero
    const std::size_t last = mantissa.find_last_not_of("0.");
    for (std::size_t i = first; i <= last; ++i) {
        if (i == point_at) continue;
        if (decimal.count == kMostDigits) return false;
        decimal.digits[decimal.count++] = mantissa[i];
    }
    const auto distance = static_cast<std::int64_t>(point_at) - static_cast<std::int64_t>(first);
    decimal.point += distance > 0 ? distance - 1 : distance;
    return true;
}

/// What SQLite had in a column of NUMERIC affinity: an integer where it is one, else the double whose shortest form this is.
Cell sqlite_numeric_to_number(const Cell& cell) {
    const std::string_view text = text_of(cell, "sqlite_numeric");
    if (text == "NaN") return cell;
    std::int64_t whole = 0;
    if (parse_whole(text, whole)) return Cell::integer(whole);
    const double value = nearest_double(cell, text);
    if (std::isinf(value)) return Cell::real(value);
    // In this affinity the doubles between the limits of an integer have fractions: 5.0 would become the integer 5, 1.50 the double 1.5.
    const bool fraction = text.find('.') != std::string_view::npos;
    const bool limit = value == -kTwoTo63 && text == "-9223372036854775808.0";
    char shortest[64];
    const auto end = std::to_chars(shortest, shortest + sizeof(shortest), value).ptr;
    Decimal given;
    Decimal kept;
    const std::string_view printed{shortest, static_cast<std::size_t>(end - shortest)};
    const bool same = text == printed || (read_decimal(text, given) && read_decimal(printed, kept) && given == kept);
    if (!limit && (!same || (fraction && text.back() == '0')))
        misfit(cell, "in a sqlite_numeric column that is neither a 64-bit integer nor the shortest form of a double, so SQLite would change it");
    return Cell::real(value);
}

Cell time_to_epoch(const Cell& cell, Conversion conversion, Arena& arena) {
    const auto encoding = static_cast<TimeEncoding>(conversion.limit);
    PointInTime time;
    if (!read_time(text_of(cell, "date or timestamp"), time)) misfit(cell, "that is no point in time, in a column of numbers for times");
    if (encoding == TimeEncoding::julian_day) {
        double number = 0;
        if (!to_julian_day(time, number)) misfit(cell, "that is not a whole millisecond of the years 0 to 9999, so no exact Julian day");
        return conversion.digits == 1 ? print_double(number, arena) : Cell::real(number);
    }
    std::int64_t count = 0;
    if (!to_epoch(time, encoding, count)) misfit(cell, "that is no whole number of the unit the column counts in");
    return conversion.digits == 1 ? print(count, arena) : Cell::integer(count);
}

Cell asked_real(const Cell& cell) {
    const std::string_view text = text_of(cell, "number");
    if (text == "NaN") return cell;
    return Cell::real(nearest_double(cell, text));
}

Cell asked_number(const Cell& cell) {
    std::int64_t whole = 0;
    return parse_integer(text_of(cell, "number"), whole) ? Cell::integer(whole) : asked_real(cell);
}

Cell asked_integer(const Cell& cell) {
    const std::string_view text = text_of(cell, "number");
    std::int64_t whole = 0;
    if (text == "t" || text == "f") return Cell::integer(text == "t" ? 1 : 0);
    if (!parse_integer(text, whole)) misfit(cell, "that is not a whole number of 64 bits");
    return Cell::integer(whole);
}

}  // namespace

Cell to_sqlite(Conversion conversion, const Cell& cell, Arena& arena) {
    switch (conversion.kind) {
        case Conversion::text_to_integer: return text_to_integer(cell);
        case Conversion::text_to_boolean: return text_to_boolean(cell);
        case Conversion::text_to_real: return text_to_float<double>(cell);
        case Conversion::text_to_float4: return text_to_float<float>(cell);
        case Conversion::hex_to_blob: return hex_to_blob(cell, arena);
        case Conversion::sqlite_numeric_to_number: return sqlite_numeric_to_number(cell);
        case Conversion::sqlite_value_to_cell: return untag_value(cell, arena);
        case Conversion::time_to_epoch: return time_to_epoch(cell, conversion, arena);
        case Conversion::asked_real: return asked_real(cell);
        case Conversion::asked_number: return asked_number(cell);
        case Conversion::asked_integer: return asked_integer(cell);
        default: throw std::logic_error{"conversion"};
    }
}

}  // namespace rowferry::conversion
