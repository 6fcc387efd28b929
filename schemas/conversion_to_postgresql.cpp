// SQLite values as what PostgreSQL reads.

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "schemas/calendar.h"
#include "schemas/conversion_parts.h"
#include "schemas/tagged_value.h"
#include "schemas/value_shapes.h"

namespace rowferry::conversion {
namespace {

constexpr std::int64_t kLastOid = 4294967295;

/// `bytes` of the target's integer: 2, 4, or -1 for bigint.
Cell print_integer(const Cell& cell, std::int64_t value, std::int32_t bytes, Arena& arena) {
    const std::int64_t most = bytes == 2   ? std::numeric_limits<std::int16_t>::max()
                              : bytes == 4 ? std::numeric_limits<std::int32_t>::max()
                                           : std::numeric_limits<std::int64_t>::max();
    if (value > most || value < -most - 1) misfit(cell, fmt::format("outside the range of a{} column", bytes == 2 ? " smallint" : "n integer"));
    return print(value, arena);
}

Cell to_integer(const Cell& cell, std::int32_t bytes, Arena& arena) {
    if (cell.kind() != CellKind::integer) misfit(cell, fmt::format("in a{} column", bytes == 2 ? " smallint" : bytes == 4 ? "n integer" : " bigint"));
    return print_integer(cell, cell.as_integer(), bytes, arena);
}

Cell to_oid(const Cell& cell, Arena& arena) {
    if (cell.kind() != CellKind::integer) misfit(cell, "in an oid column");
    if (cell.as_integer() < 0) misfit(cell, "below zero in an oid column");
    if (cell.as_integer() > kLastOid) misfit(cell, "outside the range of an oid column");
    return print(cell.as_integer(), arena);
}

Cell to_boolean(const Cell& cell) {
    if (cell.kind() != CellKind::integer) misfit(cell, "in a boolean column");
    const std::int64_t value = cell.as_integer();
    if (value != 0 && value != 1) misfit(cell, "other than 0 and 1 in a boolean column");
    return Cell::text(value == 1 ? "t" : "f");  // literals end in NUL, as cells in an arena do
}

/// The double that an integer is; a ValueError when there is none.
double exact_double(const Cell& cell) {
    const auto value = static_cast<double>(cell.as_integer());
    if (value >= kTwoTo63 || static_cast<std::int64_t>(value) != cell.as_integer())
        misfit(cell, "in a double precision column, which cannot hold it exactly");
    return value;
}

/// The value of a cell on its way to float4 or float8; false for the text 'NaN', which goes as it is. `whole`: integers are taken.
bool read_double(const Cell& cell, std::string_view column, bool whole, double& value) {
    switch (cell.kind()) {
        case CellKind::real: value = cell.as_real(); return true;
        case CellKind::integer:
            if (!whole) misfit(cell, fmt::format("in a {} column whose other values are REAL: it would come back as one", column));
            value = exact_double(cell);
            return true;
        case CellKind::text:
            if (cell.bytes() == "NaN") return false;
            break;
        default: break;
    }
    misfit(cell, fmt::format("in a {} column", column));
}

Cell to_double(const Cell& cell, bool whole, Arena& arena) {
    double value = 0;
    return read_double(cell, "double precision", whole, value) ? print_double(value, arena) : cell;
}

bool in_float_range(double value) { return std::isinf(value) || std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()); }

Cell to_float4(const Cell& cell, bool whole, Arena& arena) {
    double value = 0;
    if (!read_double(cell, "real", whole, value)) return cell;
    // Outside the range of float the narrowing itself would be undefined.
    const float narrow = in_float_range(value) ? static_cast<float>(value) : 0.0F;
    if (!in_float_range(value) || static_cast<double>(narrow) != value)
        misfit(cell, "in a real (single precision) column, which cannot hold it exactly");
    return print_float(narrow, arena);
}

/// Digits behind the decimal point that a number in std::to_chars form needs: 1.5e-07 has 8. `whole`: those in front of it.
std::int64_t scale_of(std::string_view printed, std::int64_t& whole) {
    const auto exponent_at = std::min(printed.find('e'), printed.size());
    std::int64_t exponent = 0;
    if (exponent_at < printed.size()) {
        std::string_view digits = printed.substr(exponent_at + 1);
        if (digits.starts_with('+')) digits.remove_prefix(1);
        parse_whole(digits, exponent);
    }
    std::string_view mantissa = printed.substr(0, exponent_at);
    const auto fraction = static_cast<std::int64_t>(fraction_digits(mantissa));
    if (mantissa.starts_with('-')) mantissa.remove_prefix(1);
    mantissa = mantissa.substr(0, mantissa.find('.'));
    whole = mantissa == "0" ? 0 : static_cast<std::int64_t>(mantissa.size()) + exponent;
    return std::max<std::int64_t>(0, fraction - exponent);
}

/// `printed` is the number; NaN and the infinities have no digits.
void check_digits(const Cell& cell, std::string_view printed, Conversion conversion) {
    if (conversion.limit < 0 || printed.find_first_of("NI") != std::string_view::npos) return;
    std::int64_t whole = 0;
    const std::int64_t scale = scale_of(printed, whole);
    if (scale > conversion.limit)
        misfit(cell, fmt::format("with more than {} digits behind the decimal point in a numeric column with that scale", conversion.limit));
    if (conversion.digits >= 0 && whole > conversion.digits)
        misfit(cell, fmt::format("with more than {} digits in front of the decimal point in a numeric column with that precision", conversion.digits));
}

Cell to_numeric(const Cell& cell, Conversion conversion, Arena& arena) {
    switch (cell.kind()) {
        case CellKind::integer: {
            const Cell printed = print(cell.as_integer(), arena);
            check_digits(cell, printed.bytes(), conversion);
            return printed;
        }
        case CellKind::real: {
            if (cell.as_real() == 0 && std::signbit(cell.as_real())) misfit(cell, "of negative zero in a numeric column, which has none");
            const Cell printed = print_double(cell.as_real(), arena);
            check_digits(cell, printed.bytes(), conversion);
            return printed;
        }
        case CellKind::text:
            if (!is_number(cell.bytes())) misfit(cell, "that is not a decimal number as PostgreSQL prints it, in a numeric column");
            check_digits(cell, cell.bytes(), conversion);
            // PostgreSQL would pad it to the scale.
            if (conversion.limit >= 0 && cell.bytes().find_first_of("NI") == std::string_view::npos &&
                fraction_digits(cell.bytes()) != static_cast<std::size_t>(conversion.limit))
                misfit(cell, fmt::format("without exactly {} digits behind the decimal point in a numeric column with that scale", conversion.limit));
            return cell;
        default: misfit(cell, "in a numeric column");
    }
}

/// The way back is sqlite_numeric_to_number() of the other direction.
Cell to_sqlite_numeric(const Cell& cell, Arena& arena) {
    switch (cell.kind()) {
        case CellKind::integer: return print(cell.as_integer(), arena);
        case CellKind::real: {
            const double value = cell.as_real();
            if (value == -kTwoTo63) return Cell::text("-9223372036854775808.0");  // without the fraction it is the integer
            if (value > -kTwoTo63 && value < kTwoTo63 && value == std::trunc(value))
                misfit(cell, "that is whole, in a sqlite_numeric column: it would come back as an integer");
            return print_double(value, arena);
        }
        case CellKind::text:
            if (cell.bytes() == "NaN") return cell;
            break;
        default: break;
    }
    misfit(cell, "in a sqlite_numeric column, which takes numbers");
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

// Numbers that stand for points in time.

PointInTime point_of(const Cell& cell, Conversion conversion) {
    const auto encoding = static_cast<TimeEncoding>(conversion.limit);
    const bool from_text = conversion.digits == 1 && cell.kind() == CellKind::text;
    std::int64_t count = 0;
    PointInTime time;
    if (encoding == TimeEncoding::julian_day) {
        double number = 0;
        if (cell.kind() == CellKind::real)
            number = cell.as_real();
        else if (cell.kind() == CellKind::integer)
            number = exact_double(cell);
        else if (!from_text || !parse_whole(cell.bytes(), number))
            misfit(cell, "in a column of Julian days");
        if (!from_julian_day(number, time)) misfit(cell, "that is not a Julian day in whole milliseconds, years 0 to 9999, as SQLite's julianday() gives it");
        return time;
    }
    if (cell.kind() == CellKind::integer) {
        count = cell.as_integer();
    } else if (cell.kind() == CellKind::real) {
        const double number = cell.as_real();
        if (!(number > -kTwoTo63 && number < kTwoTo63) || number != std::trunc(number)) misfit(cell, "that is not whole, in a column that counts from 1970");
        count = static_cast<std::int64_t>(number);
    } else if (!from_text || !parse_integer(cell.bytes(), count)) {
        misfit(cell, "in a column that counts from 1970");
    }
    return from_epoch(count, encoding);
}

Cell epoch_to_time(const Cell& cell, Conversion conversion, Arena& arena) {
    const PointInTime time = point_of(cell, conversion);
    const bool date = conversion == Conversion::epoch_to_date;
    if (time.days < kFirstDay || time.days > (date ? kLastDate : kLastTimestamp)) misfit(cell, "that is a point in time beyond what PostgreSQL's type holds");
    if (date && time.microseconds != 0) misfit(cell, "that is not midnight, in a date column");
    char buffer[kLongestTime];
    const char* const end = date ? print_date(buffer, time.days) : print_timestamp(buffer, time, conversion == Conversion::epoch_to_timestamptz);
    return Cell::text(arena.copy({buffer, static_cast<std::size_t>(end - buffer)}));
}

// What the user asked for although it may lose something.

Cell to_asked_integer(const Cell& cell, std::int32_t bytes, Arena& arena) {
    std::int64_t value = 0;
    if (cell.kind() == CellKind::integer) {
        value = cell.as_integer();
    } else if (cell.kind() == CellKind::real) {
        const double number = cell.as_real();
        if (!(number >= -kTwoTo63 && number < kTwoTo63) || number != std::trunc(number)) misfit(cell, "that is not a whole number of 64 bits");
        value = static_cast<std::int64_t>(number);
    } else if (cell.kind() != CellKind::text || !parse_integer(cell.bytes(), value)) {
        misfit(cell, "that is not a whole number of 64 bits");
    }
    return print_integer(cell, value, bytes, arena);
}

Cell to_asked_real(const Cell& cell, bool single, Arena& arena) {
    double value = 0;
    if (cell.kind() == CellKind::integer)
        value = static_cast<double>(cell.as_integer());
    else if (cell.kind() == CellKind::real)
        value = cell.as_real();
    else if (cell.kind() == CellKind::text && cell.bytes() == "NaN")
        return cell;
    else if (cell.kind() == CellKind::text)
        value = nearest_double(cell, cell.bytes());
    else
        misfit(cell, "that is not a number");
    if (!single) return print_double(value, arena);
    if (!in_float_range(value)) misfit(cell, "outside the range of a real (single precision) column");
    return print_float(static_cast<float>(value), arena);
}

Cell to_asked_numeric(const Cell& cell, Arena& arena) {
    if (cell.kind() == CellKind::integer) return print(cell.as_integer(), arena);
    if (cell.kind() == CellKind::real) return print_double(cell.as_real(), arena);
    if (cell.kind() != CellKind::text) misfit(cell, "in a numeric column");
    // Beyond what numeric prints PostgreSQL reads what a double is written like.
    if (!is_number(cell.bytes())) static_cast<void>(nearest_double(cell, cell.bytes()));
    return cell;
}

Cell to_asked_other(const Cell& cell, Arena& arena) {
    if (cell.kind() == CellKind::integer) return print(cell.as_integer(), arena);
    if (cell.kind() == CellKind::real) return print_double(cell.as_real(), arena);
    return Cell::text(checked_text(cell, "PostgreSQL"));
}

}  // namespace

Cell to_postgresql(Conversion conversion, const Cell& cell, Arena& arena) {
    const std::int32_t limit = conversion.limit;
    switch (conversion.kind) {
        case Conversion::to_bigint: return to_integer(cell, limit, arena);
        case Conversion::to_oid: return to_oid(cell, arena);
        case Conversion::to_boolean: return to_boolean(cell);
        case Conversion::to_double: return to_double(cell, limit != 0, arena);
        case Conversion::to_float4: return to_float4(cell, limit != 0, arena);
        case Conversion::to_numeric: return to_numeric(cell, conversion, arena);
        case Conversion::to_text: return to_text(cell, limit);
        case Conversion::to_char: return to_char(cell, limit);
        case Conversion::to_bytea: return to_bytea(cell);
        case Conversion::to_date: return to_shape(cell, is_date, "date", "a date as PostgreSQL prints it (2024-05-31)");
        case Conversion::to_time: return to_time(cell, is_time, "time", "a time as PostgreSQL prints it (23:59:59.5)", limit);
        case Conversion::to_timestamp:
            return to_time(cell, is_timestamp, "timestamp", "a timestamp as PostgreSQL prints it (2024-05-31 23:59:59.5)", limit);
        case Conversion::to_timestamptz:
            return to_time(cell, is_zoned_timestamp, "timestamptz", "a timestamp as PostgreSQL prints it in UTC (2024-05-31 23:59:59.5+00)", limit);
        case Conversion::to_uuid: return to_shape(cell, is_uuid, "uuid", "a UUID as PostgreSQL prints it (lower case, 8-4-4-4-12)");
        case Conversion::to_json: return to_shape(cell, is_json, "json", "valid JSON");
        case Conversion::to_other: return Cell::text(checked_text(cell, "PostgreSQL"));
        case Conversion::to_sqlite_numeric: return to_sqlite_numeric(cell, arena);
        case Conversion::to_sqlite_value: return tag_value(cell, arena);
        case Conversion::epoch_to_date:
        case Conversion::epoch_to_timestamp:
        case Conversion::epoch_to_timestamptz: return epoch_to_time(cell, conversion, arena);
        case Conversion::to_asked_integer: return to_asked_integer(cell, limit, arena);
        case Conversion::to_asked_real: return to_asked_real(cell, limit == 4, arena);
        case Conversion::to_asked_numeric: return to_asked_numeric(cell, arena);
        case Conversion::to_asked_other: return to_asked_other(cell, arena);
        default: throw std::logic_error{"conversion"};
    }
}

}  // namespace rowferry::conversion
