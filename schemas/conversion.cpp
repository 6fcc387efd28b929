#include "schemas/conversion.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

/// What is known about a value without telling it.
std::string describe(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return "an integer value";
        case CellKind::real: return "a real value";
        case CellKind::text: return fmt::format("a text value of {} bytes", cell.bytes().size());
        case CellKind::blob: return fmt::format("a blob value of {} bytes", cell.bytes().size());
        case CellKind::null:
        case CellKind::unchanged:
        case CellKind::absent: break;
    }
    throw std::logic_error{"a cell without a value has no description"};
}

[[noreturn]] void misfit(const Cell& cell, std::string_view why) { throw ValueError{fmt::format("{} {}", describe(cell), why)}; }

/// The bytes of a text cell, or a ValueError that names the column's kind.
std::string_view text_of(const Cell& cell, std::string_view column) {
    if (cell.kind() != CellKind::text) misfit(cell, fmt::format("in a {} column", column));
    return cell.bytes();
}

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// PostgreSQL text → SQLite.

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

// SQLite → PostgreSQL.

template <typename Number>
Cell print(Number value, Arena& arena) {
    char buffer[64];
    const auto [end, failure] = std::to_chars(buffer, buffer + sizeof(buffer), value);
    if (failure != std::errc{}) throw std::logic_error{"a number does not fit into 64 characters"};
    return Cell::text(arena.copy({buffer, static_cast<std::size_t>(end - buffer)}));
}

/// Shortest form that reads back the same; PostgreSQL's spelling of infinity.
template <typename Float>
Cell print_float(Float value, Arena& arena) {
    if (std::isinf(value)) return Cell::text(arena.copy(value < 0 ? "-Infinity" : "Infinity"));
    return print(value, arena);
}

Cell to_integer(const Cell& cell, Arena& arena, std::string_view column) {
    if (cell.kind() != CellKind::integer) misfit(cell, fmt::format("in a {} column", column));
    return print(cell.as_integer(), arena);
}

Cell to_oid(const Cell& cell, Arena& arena) {
    if (cell.kind() == CellKind::integer && cell.as_integer() < 0) misfit(cell, "below zero in an oid column");
    return to_integer(cell, arena, "oid");
}

Cell to_boolean(const Cell& cell) {
    if (cell.kind() != CellKind::integer) misfit(cell, "in a boolean column");
    const std::int64_t value = cell.as_integer();
    if (value != 0 && value != 1) misfit(cell, "other than 0 and 1 in a boolean column");
    return Cell::text(value == 1 ? "t" : "f");  // literals end in NUL, as cells in an arena do
}

/// The double that an integer is; a ValueError when there is none.
double exact_double(const Cell& cell) {
    constexpr double kTwoTo63 = 9223372036854775808.0;
    const auto value = static_cast<double>(cell.as_integer());
    if (value >= kTwoTo63 || static_cast<std::int64_t>(value) != cell.as_integer())
        misfit(cell, "in a double precision column, which cannot hold it exactly");
    return value;
}

/// The value of a cell on its way to float4 or float8; false for the text 'NaN', which goes as it is.
bool read_double(const Cell& cell, std::string_view column, double& value) {
    switch (cell.kind()) {
        case CellKind::real: value = cell.as_real(); return true;
        case CellKind::integer: value = exact_double(cell); return true;
        case CellKind::text:
            if (cell.bytes() == "NaN") return false;
            break;
        default: break;
    }
    misfit(cell, fmt::format("in a {} column", column));
}

Cell to_double(const Cell& cell, Arena& arena) {
    double value = 0;
    return read_double(cell, "double precision", value) ? print_float(value, arena) : cell;
}

Cell to_float4(const Cell& cell, Arena& arena) {
    double value = 0;
    if (!read_double(cell, "real", value)) return cell;
    // Outside the range of float the narrowing itself would be undefined.
    const bool in_range = std::isinf(value) || std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
    const float narrow = in_range ? static_cast<float>(value) : 0.0F;
    if (!in_range || static_cast<double>(narrow) != value)
        misfit(cell, "in a real (single precision) column, which cannot hold it exactly");
    return print_float(narrow, arena);
}

/// Digits behind the decimal point that a number in std::to_chars form needs: 1.5e-07 has 8.
std::int64_t scale_of(std::string_view printed) {
    const auto exponent_at = printed.find('e');
    std::int64_t exponent = 0;
    if (exponent_at != std::string_view::npos) {
        std::string_view digits = printed.substr(exponent_at + 1);
        if (digits.starts_with('+')) digits.remove_prefix(1);
        parse_whole(digits, exponent);
    }
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(fraction_digits(printed.substr(0, exponent_at))) - exponent);
}

Cell to_numeric(const Cell& cell, Arena& arena, std::int32_t scale) {
    switch (cell.kind()) {
        case CellKind::integer: return print(cell.as_integer(), arena);
        case CellKind::real: {
            if (cell.as_real() == 0 && std::signbit(cell.as_real())) misfit(cell, "of negative zero in a numeric column, which has none");
            const Cell printed = print_float(cell.as_real(), arena);
            if (scale >= 0 && std::isfinite(cell.as_real()) && scale_of(printed.bytes()) > scale)
                misfit(cell, fmt::format("with more than {} digits behind the decimal point in a numeric column with that scale", scale));
            return printed;
        }
        case CellKind::text:
            if (!is_number(cell.bytes())) misfit(cell, "that is not a decimal number as PostgreSQL prints it, in a numeric column");
            // PostgreSQL would pad or round to the scale; NaN and the infinities have none.
            if (scale >= 0 && cell.bytes().find_first_of("NI") == std::string_view::npos &&
                fraction_digits(cell.bytes()) != static_cast<std::size_t>(scale))
                misfit(cell, fmt::format("without exactly {} digits behind the decimal point in a numeric column with that scale", scale));
            return cell;
        default: misfit(cell, "in a numeric column");
    }
}

std::string_view checked_text(const Cell& cell, std::string_view column) {
    const std::string_view text = text_of(cell, column);
    const std::size_t bad = find_bad_text(text);
    if (bad == std::string_view::npos) return text;
    if (text[bad] == '\0') misfit(cell, fmt::format("with a NUL byte at byte offset {}, which PostgreSQL cannot hold", bad));
    misfit(cell, fmt::format("that is not valid UTF-8 at byte offset {}", bad));
}

Cell to_text(const Cell& cell, std::int32_t limit) {
    const std::string_view text = checked_text(cell, "text");
    if (limit >= 0 && text.size() > static_cast<std::size_t>(limit) && count_characters(text) > static_cast<std::size_t>(limit))
        misfit(cell, fmt::format("with more than {} characters in a character varying({}) column", limit, limit));
    return cell;
}

Cell to_char(const Cell& cell, std::int32_t limit) {
    if (count_characters(checked_text(cell, "character")) != static_cast<std::size_t>(limit))
        misfit(cell, fmt::format("without exactly {} characters in a character({}) column, which would pad it", limit, limit));
    return cell;
}

Cell to_bytea(const Cell& cell) {
    if (cell.kind() != CellKind::blob) misfit(cell, "in a bytea column");
    return cell;
}

using Shape = bool (*)(std::string_view) noexcept;

Cell to_shape(const Cell& cell, Shape shape, std::string_view column, std::string_view form) {
    if (!shape(text_of(cell, column))) misfit(cell, fmt::format("in a {} column that is not {}", column, form));
    return cell;
}

Cell to_time(const Cell& cell, Shape shape, std::string_view column, std::string_view form, std::int32_t limit) {
    to_shape(cell, shape, column, form);
    if (limit >= 0 && fraction_digits(cell.bytes()) > static_cast<std::size_t>(limit))
        misfit(cell, fmt::format("with more than {} fractional digits in a {} column with that precision", limit, column));
    return cell;
}

}  // namespace

Cell convert(Conversion conversion, const Cell& cell, Arena& arena) {
    if (conversion == Conversion::identity || cell.kind() <= CellKind::null) return cell;
    switch (conversion.kind) {
        case Conversion::identity: return cell;
        case Conversion::text_to_integer: return text_to_integer(cell);
        case Conversion::text_to_boolean: return text_to_boolean(cell);
        case Conversion::text_to_real: return text_to_float<double>(cell);
        case Conversion::text_to_float4: return text_to_float<float>(cell);
        case Conversion::hex_to_blob: return hex_to_blob(cell, arena);
        case Conversion::to_bigint: return to_integer(cell, arena, "bigint");
        case Conversion::to_oid: return to_oid(cell, arena);
        case Conversion::to_boolean: return to_boolean(cell);
        case Conversion::to_double: return to_double(cell, arena);
        case Conversion::to_float4: return to_float4(cell, arena);
        case Conversion::to_numeric: return to_numeric(cell, arena, conversion.limit);
        case Conversion::to_text: return to_text(cell, conversion.limit);
        case Conversion::to_char: return to_char(cell, conversion.limit);
        case Conversion::to_bytea: return to_bytea(cell);
        case Conversion::to_date: return to_shape(cell, is_date, "date", "a date as PostgreSQL prints it (2024-05-31)");
        case Conversion::to_time:
            return to_time(cell, is_time, "time", "a time as PostgreSQL prints it (23:59:59.5)", conversion.limit);
        case Conversion::to_timestamp:
            return to_time(cell, is_timestamp, "timestamp", "a timestamp as PostgreSQL prints it (2024-05-31 23:59:59.5)",
                           conversion.limit);
        case Conversion::to_timestamptz:
            return to_time(cell, is_zoned_timestamp, "timestamptz", "a timestamp as PostgreSQL prints it in UTC (2024-05-31 23:59:59.5+00)",
                           conversion.limit);
        case Conversion::to_uuid: return to_shape(cell, is_uuid, "uuid", "a UUID as PostgreSQL prints it (lower case, 8-4-4-4-12)");
        case Conversion::to_json: return to_shape(cell, is_json, "json", "valid JSON");
        case Conversion::to_other: return Cell::text(checked_text(cell, "PostgreSQL"));
    }
    throw std::logic_error{"conversion"};
}

}  // namespace rowferry
