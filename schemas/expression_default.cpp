#include "schemas/expression_default.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/expression_writer.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"
#include "schemas/sqlite_ddl.h"
#include "schemas/sqlite_real.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using Kind = Expression::Kind;



bool is_integer(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && !text.starts_with("-0") && (text.size() == 1 || text[0] != '0');
}

bool is_finite_number(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
}

/// What SQLite may not read as the double that PostgreSQL reads is written in another way.
std::string read_exactly(const std::string& number) {
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    std::string exact;
    append_sqlite_real(value, exact);
    return exact.starts_with('(') || significant_digits(number) > 17 ? exact : number;
}

/// A decimal number as numeric(p,s) prints it; without modifiers with the digits it has.
std::string as_numeric(const std::string& number, const std::vector<int>& modifiers) {
    const bool negative = number.starts_with("-");
    std::string digits = negative ? number.substr(1) : number;
    if (digits.empty() || digits.find_first_not_of("0123456789.") != std::string::npos) unknown("it is no plain decimal number");
    const auto point = digits.find('.');
    std::string whole = digits.substr(0, point);
    std::string fraction = point == std::string::npos ? "" : digits.substr(point + 1);
    whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
    if (!modifiers.empty()) {
        const int scale = modifiers.size() > 1 ? modifiers[1] : 0;
        if (scale < 0) unknown("the column rounds it");
        while (fraction.size() > static_cast<std::size_t>(scale)) {
            if (fraction.back() != '0') unknown("the column rounds it");
            fraction.pop_back();
        }
        fraction.append(static_cast<std::size_t>(scale) - fraction.size(), '0');
        if (static_cast<int>(whole.size()) > modifiers[0] - scale) unknown("it is too large for the column");
    }
    const bool zero = whole.empty() && fraction.find_first_not_of('0') == std::string::npos;
    return fmt::format("{}{}{}{}", negative && !zero ? "-" : "", whole.empty() ? "0" : whole, fraction.empty() ? "" : ".", fraction);
}

std::string of_length(std::string text, const PgTypeName& type) {
    if (type.modifiers.empty()) return text;
    const auto limit = static_cast<std::size_t>(type.modifiers.front());
    const std::size_t length = count_characters(text);
    if (length > limit) unknown("it is too long for the column");
    if (type.name == "character" || type.name == "bpchar") text.append(limit - length, ' ');
    return text;
}

std::string without_zeros(std::string number) {
    if (number.find('.') == std::string::npos) return number;
    number.erase(number.find_last_not_of('0') + 1);
    if (number.ends_with(".")) number.pop_back();
    return number.empty() ? "0" : number;
}

bool names_column(const Expression& expression) {
    return expression.kind == Kind::column || std::any_of(expression.operands.begin(), expression.operands.end(), names_column);
}

/// Without schema, modifiers and what format_type() says more.
std::string plain_type(const std::string& type) { return parse_pg_type(type).name + (parse_pg_type(type).array ? "[]" : ""); }

bool is_now(const Expression& expression) {
    if (expression.kind == Kind::cast && expression.operands[0].kind == Kind::string) return expression.operands[0].text == "now";
    if (expression.kind == Kind::cast && expression.operands[0].kind == Kind::cast) return is_now(expression.operands[0]);
    if (expression.kind != Kind::function || !expression.operands.empty()) return false;
    static constexpr std::array<std::string_view, 6> kNames{"now",           "current_timestamp", "transaction_timestamp", "statement_timestamp",
                                                            "clock_timestamp", "localtimestamp"};
    return std::find(kNames.begin(), kNames.end(), expression.text) != kNames.end();
}

/// to_char()'s pattern for strftime()'s.
std::string to_char_pattern(const std::string& format) {
    std::string pattern;
    for (std::size_t i = 0; i < format.size(); ++i) {
        const char c = format[i];
        if (c == '"' || c == '\\') unknown("its format has no equivalent");
        if (c != '%') {
            const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            pattern += letter ? fmt::format("\"{}\"", c) : std::string(1, c);
            continue;
        }
        switch (++i < format.size() ? format[i] : '\0') {
            case 'Y': pattern += "YYYY"; break;
            case 'm': pattern += "MM"; break;
            case 'd': pattern += "DD"; break;
            case 'H': pattern += "HH24"; break;
            case 'M': pattern += "MI"; break;
            case 'S': pattern += "SS"; break;
            case 'f': pattern += "SS.MS"; break;
            default: unknown("its format has no equivalent");
        }
    }
    return pattern;
}

/// The form in which PostgreSQL prints dates, times and UUIDs.
auto shape_of(ValueClass value_class) -> bool (*)(std::string_view) noexcept {
    switch (value_class) {
        case ValueClass::date: return is_date;
        case ValueClass::time: return is_time;
        case ValueClass::timestamp: return is_timestamp;
        case ValueClass::timestamptz: return is_zoned_timestamp;
        case ValueClass::uuid: return is_uuid;
        default: unknown("its type has no form known here");
    }
}

constexpr const char* kUtc = "timezone('UTC', now())";

}  // namespace

// PostgreSQL → SQLite.

std::string DefaultWriter::constant_for_sqlite(const Expression& literal, const std::string& cast_to) const {
    const PgTypeName type = parse_pg_type(base_type_of(column_));
    const Affinity affinity = sqlite_affinity(type_);
    const auto number = [&]() -> const std::string& {
        if (literal.kind != Kind::number && literal.kind != Kind::string) unknown("it is no number");
        return literal.text;
    };
    const auto text = [&]() -> const std::string& {
        if (literal.kind != Kind::string || literal.text.find('\0') != std::string::npos) unknown("it is no text");
        if (!keeps_text(affinity)) unknown("the follower's column is of another kind");
        return literal.text;
    };
    const auto shaped = [&](bool (*has_shape)(std::string_view) noexcept) {
        if (!has_shape(text())) unknown("it is not in the form that PostgreSQL prints");
        if (!type.modifiers.empty() && fraction_digits(text()) > static_cast<std::size_t>(type.modifiers.front())) unknown("the column rounds it");
        return quote_literal(text());
    };
    if (type.array || (column_.value_class == ValueClass::other && column_.enum_labels.empty())) {
        // Printed by the type's own output, as long as the literal is of that very type.
        if (plain_type(cast_to) != plain_type(base_type_of(column_)) || !type.modifiers.empty()) unknown("it is a literal of another type");
        return quote_literal(text());
    }
    if (!column_.enum_labels.empty()) {
        if (std::find(column_.enum_labels.begin(), column_.enum_labels.end(), text()) == column_.enum_labels.end()) unknown("it is no label of the enum");
        return quote_literal(text());
    }
    switch (column_.value_class) {
        case ValueClass::integer:
            if (!is_integer(number()) || !keeps_integers(affinity)) unknown("it is no integer");
            return number();
        case ValueClass::boolean:
            if (!keeps_integers(affinity)) unknown("the follower's column is of another kind");
            if (literal.text == "true" || literal.text == "t") return "1";
            if (literal.text == "false" || literal.text == "f") return "0";
            unknown("it is no boolean");
        case ValueClass::real:
            if (!is_finite_number(number()) || affinity != Affinity::real) unknown("it is no finite number");
            if (type.name == "real" && significant_digits(number()) > 6) unknown("it has more digits than the column keeps");
            return read_exactly(number());
        case ValueClass::numeric: {
            const std::string digits = as_numeric(number(), type.modifiers);
            if (keeps_text(affinity)) return quote_literal(digits);
            if (significant_digits(digits) > 15) unknown("it has more than 15 digits");
            return digits;
        }
        case ValueClass::text: return quote_literal(of_length(text(), type));
        case ValueClass::bytes: {
            if (literal.kind != Kind::string || !literal.text.starts_with("\\x") || literal.text.find_first_not_of("0123456789abcdef", 2) != std::string::npos)
                unknown("it is not in the form that PostgreSQL prints");
            return "x'" + literal.text.substr(2) + "'";
        }
        case ValueClass::date:
        case ValueClass::time:
        case ValueClass::timestamp:
        case ValueClass::timestamptz:
        case ValueClass::uuid: return shaped(shape_of(column_.value_class));
        case ValueClass::json:
            if (plain_type(cast_to) != type.name) unknown("it is a literal of another type");
            return quote_literal(text());
        case ValueClass::other:
        case ValueClass::any: break;
    }
    unknown("its type has no literal on SQLite");
}

Translation DefaultWriter::time_for_sqlite(const Expression& call, bool in_utc) const {
    const PgTypeName type = parse_pg_type(base_type_of(column_));
    if (!keeps_text(sqlite_affinity(type_)) || column_.encoding != TimeEncoding::none) unknown("the time has another form on the follower");
    const int digits = type.modifiers.empty() ? 6 : type.modifiers.front();
    if (digits == 1 || digits == 2) unknown("SQLite knows whole seconds and milliseconds only");
    const auto clock = [&](const std::string& day, const std::string& zone) {
        if (digits == 0) return fmt::format("strftime('{}%H:%M:%S{}', 'now')", day, zone);
        // As PostgreSQL prints a fraction: without zeros at its end.
        return fmt::format("rtrim(rtrim(strftime('{}%H:%M:%f', 'now'), '0'), '.'){}", day, zone.empty() ? "" : fmt::format(" || '{}'", zone));
    };
    const std::string note = in_utc ? "" : "the default is the time in UTC on SQLite, whatever the session's time zone";
    switch (column_.value_class) {
        case ValueClass::timestamptz:
            if (in_utc || call.text == "localtimestamp") unknown("the time would depend on the session's time zone");
            return {clock("%Y-%m-%d ", "+00"), {}, {}};
        case ValueClass::timestamp: return {clock("%Y-%m-%d ", ""), {}, note};
        case ValueClass::date: return {"date('now')", {}, note};
        case ValueClass::time: return {clock("", ""), {}, note};
        default: unknown("it gives the time in a column of another type");
    }
}

Translation DefaultWriter::for_sqlite(const std::string& expression) const {
    const Expression tree = parse_pg_expression(expression);
    const Expression* inner = &tree;
    std::string innermost;
    while (inner->kind == Kind::cast) {
        innermost = inner->text;
        inner = &inner->operands[0];
    }
    if (inner->kind == Kind::null) return {};
    if (inner->kind == Kind::function) {
        const std::string& name = inner->text;
        if (name == "nextval") unknown("it takes numbers from a sequence");
        if (name == "gen_random_uuid" || name.ends_with("uuid_generate_v4")) unknown(fmt::format("SQLite has no {}()", printable(name, 80)));
        // now() AT TIME ZONE 'utc'
        if (name == "timezone" && inner->operands.size() == 2 && is_now(inner->operands[1])) {
            const Expression* zone = &inner->operands[0];
            while (zone->kind == Kind::cast) zone = &zone->operands[0];
            if (sqlite_folded(zone->text) != "utc") unknown("it gives the time of a time zone that SQLite does not know");
            return time_for_sqlite(*inner, true);
        }
        const bool day = name == "current_date" && column_.value_class == ValueClass::date;
        const bool time = (name == "current_time" || name == "localtime") && column_.value_class == ValueClass::time;
        if (day || time || is_now(*inner)) {
            const bool to_day = innermost.empty() || innermost == "date" || column_.value_class == ValueClass::timestamptz || innermost == base_type_of(column_);
            if (!to_day) unknown("it changes the time");
            if (innermost == "date" && column_.value_class != ValueClass::date) unknown("it gives the time in a column of another type");
            return time_for_sqlite(*inner, false);
        }
    }
    if (is_now(tree)) return time_for_sqlite(tree, false);
    if (inner->kind == Kind::number || inner->kind == Kind::string || inner->kind == Kind::boolean) return {constant_for_sqlite(*inner, innermost), {}, {}};
    if (inner->kind == Kind::list && inner->operands.empty() && innermost.ends_with("[]") && keeps_text(sqlite_affinity(type_)) &&
        plain_type(innermost) == plain_type(base_type_of(column_)))
        return {"'{}'", {}, {}};
    if (names_column(tree)) unknown("it names a column");
    const std::vector<std::string> no_types;
    const TableSchema no_columns;
    const WrittenExpression written = ExpressionWriter{no_columns, Engine::sqlite, no_types}.value(tree);
    const bool fits = (written.sort == ValueSort::integer && column_.value_class == ValueClass::integer && keeps_integers(sqlite_affinity(type_))) ||
                      (written.sort == ValueSort::text && plain_type(base_type_of(column_)) == "text" && keeps_text(sqlite_affinity(type_)));
    if (!fits) unknown("it gives a value of another type");
    return {written.text, {}, {}};
}

// SQLite → PostgreSQL.

std::string DefaultWriter::constant_for_pg(const Expression& literal) const {
    const std::string& below = type_below_own_domain(type_);
    const PgTypeName type = parse_pg_type(below);
    const Affinity affinity = is_strict_any(table_, column_.type) ? Affinity::blob : sqlite_affinity(column_.type);
    const bool number = literal.kind == Kind::number;
    if (type.array || !type.schema.empty()) unknown("its type has no literal known here");
    if (literal.kind == Kind::blob) {
        if (type.name != "bytea") unknown("it is a blob");
        return "'\\x" + sqlite_folded(literal.text) + "'";
    }
    // By the column's affinity SQLite makes a number of a text, and a text of a number.
    if (!number && keeps_text(affinity) && literal.kind != Kind::string) unknown("it is of another kind than the column");
    if (number && affinity == Affinity::text && !is_integer(literal.text)) unknown("SQLite would write the number in its own way");
    const auto text = [&]() -> const std::string& {
        if (!number && !keeps_text(affinity) && looks_like_number(literal.text))
            unknown("SQLite would make a number of it");
        if (number && affinity != Affinity::text) unknown("it is a number");
        if (find_bad_text(literal.text) != std::string::npos) unknown("PostgreSQL cannot hold it");
        return literal.text;
    };
    const auto shaped = [&](bool (*has_shape)(std::string_view) noexcept) {
        if (!has_shape(text())) unknown(fmt::format("it is not in the form that PostgreSQL prints for {}", type.name));
        if (!type.modifiers.empty() && fraction_digits(text()) > static_cast<std::size_t>(type.modifiers.front())) unknown("the column would round it");
        return quote_literal(text());
    };
    switch (pg_value_class(below)) {
        case ValueClass::integer: {
            if (!is_integer(literal.text) || (keeps_text(affinity) && !number)) unknown("it is no integer");
            const std::int64_t limit = type.name == "smallint" ? INT16_MAX : type.name == "integer" ? INT32_MAX : INT64_MAX;
            const std::int64_t value = std::stoll(literal.text);
            if (type.name == "oid" || value > limit || value < -limit) unknown("it is too large for the column");
            return literal.text;
        }
        case ValueClass::boolean:
            if (literal.text != "0" && literal.text != "1") unknown("it is neither 0 nor 1");
            return literal.text == "1" ? "true" : "false";
        case ValueClass::real:
        case ValueClass::numeric:
            if (!is_finite_number(literal.text) || (!number && keeps_text(affinity))) unknown("it is no finite number");
            if (significant_digits(literal.text) > (type.name == "real" ? 6U : 15U)) unknown("it has too many digits");
            if (pg_value_class(below) == ValueClass::real) return literal.text;
            // As SQLite keeps it: 0.50 is the number 0.5.
            return as_numeric(type.modifiers.empty() ? without_zeros(literal.text) : literal.text, type.modifiers);
        case ValueClass::text:
            if (type.name == "name") unknown("its type has no literal known here");
            if (type.name == "character" && (type.modifiers.empty() || count_characters(text()) != static_cast<std::size_t>(type.modifiers.front())))
                unknown("the column would pad it");
            return quote_literal(of_length(text(), type));
        case ValueClass::date:
        case ValueClass::time:
        case ValueClass::timestamp:
        case ValueClass::timestamptz:
        case ValueClass::uuid: return shaped(shape_of(pg_value_class(below)));
        case ValueClass::json:
            if (type.name != "json") unknown("PostgreSQL would rewrite it");
            return shaped(is_json);
        default: unknown("its type has no literal known here");
    }
}

Translation DefaultWriter::time_text_for_pg(const std::string& format) const {
    const PgTypeName type = parse_pg_type(type_);
    if (!type.modifiers.empty() || column_.encoding != TimeEncoding::none) unknown("the time has another form on the follower");
    switch (pg_value_class(type_)) {
        case ValueClass::timestamp:
            if (format != "%Y-%m-%d %H:%M:%S") break;
            return {fmt::format("date_trunc('second', {})", kUtc), {}, {}};
        case ValueClass::timestamptz:
            if (format != "%Y-%m-%d %H:%M:%S+00") break;
            return {"date_trunc('second', now())", {}, {}};
        case ValueClass::date:
            if (format != "%Y-%m-%d") break;
            return {fmt::format("({})::date", kUtc), {}, {}};
        case ValueClass::time:
            if (format != "%H:%M:%S") break;
            return {fmt::format("(date_trunc('second', {}))::time", kUtc), {}, {}};
        case ValueClass::text:
            if (!keeps_text(sqlite_affinity(column_.type)) && format.find_first_of(":-") == std::string::npos) break;
            return {fmt::format("to_char({}, {})", kUtc, quote_literal(to_char_pattern(format))), {}, {}};
        default: break;
    }
    unknown(fmt::format("the time has another form in a column of type {}", printable(type_, 80)));
}

Translation DefaultWriter::time_for_pg(const Expression& call) const {
    const std::string& name = call.text;
    const auto& operands = call.operands;
    if (operands.empty() && name == "current_timestamp") return time_text_for_pg("%Y-%m-%d %H:%M:%S");
    if (operands.empty() && name == "current_date") return time_text_for_pg("%Y-%m-%d");
    if (operands.empty() && name == "current_time") return time_text_for_pg("%H:%M:%S");
    const auto now = [&](std::size_t count) { return operands.size() == count && operands.back().kind == Kind::string && operands.back().text == "now"; };
    const auto epoch = [&]() -> Translation {
        if (type_ != "bigint" || keeps_text(sqlite_affinity(column_.type)) || column_.encoding != TimeEncoding::none) unknown("the time has another form on the follower");
        return {"(floor(extract(epoch FROM now())))::bigint", {}, {}};
    };
    if (name == "unixepoch" && (operands.empty() || now(1))) return epoch();
    if (name == "strftime" && now(2) && operands[0].kind == Kind::string) return operands[0].text == "%s" ? epoch() : time_text_for_pg(operands[0].text);
    if (name == "datetime" && (operands.empty() || now(1))) return time_text_for_pg("%Y-%m-%d %H:%M:%S");
    if (name == "date" && (operands.empty() || now(1))) return time_text_for_pg("%Y-%m-%d");
    if (name == "time" && (operands.empty() || now(1))) return time_text_for_pg("%H:%M:%S");
    unknown(fmt::format("{}() has no exact equivalent there", printable(name, 80)));
}

Translation DefaultWriter::for_postgresql(const std::string& expression) const {
    const Expression tree = parse_sqlite_expression(expression);
    switch (tree.kind) {
        case Kind::null: return {};
        case Kind::number:
        case Kind::string:
        case Kind::blob: return {constant_for_pg(tree), {}, {}};
        case Kind::boolean: return {constant_for_pg({Kind::number, tree.text == "true" ? "1" : "0", {}}), {}, {}};
        case Kind::column:
        case Kind::name_or_text: return {constant_for_pg({Kind::string, tree.text, {}}), {}, {}};
        case Kind::function: return time_for_pg(tree);
        case Kind::cast:
            if (tree.operands[0].kind == Kind::function && sqlite_affinity(tree.text) == Affinity::integer && tree.operands[0].text == "strftime")
                return time_for_pg(tree.operands[0]);
            break;
        case Kind::arithmetic: {
            const std::vector<std::string> no_types;
            const TableSchema no_columns;
            const WrittenExpression written = ExpressionWriter{no_columns, Engine::postgresql, no_types}.value(tree);
            if (written.constant) return {constant_for_pg({Kind::number, written.value, {}}), {}, {}};
            break;
        }
        default: break;
    }
    unknown("it is no constant and not the time");
}

}  // namespace rowferry
