#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/expression_writer.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"
#include "schemas/sqlite_ddl.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using Kind = Expression::Kind;
using Sort = ValueSort;


WrittenExpression result(std::string text, Sort sort) { return {std::move(text), sort}; }

/// PostgreSQL's LIKE as SQLite's GLOB, which tells capitals apart as well.
std::string glob_of_like(const std::string& pattern) {
    std::string glob;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        char c = pattern[i];
        if (c == '%' || c == '_') {
            glob += c == '%' ? '*' : '?';
            continue;
        }
        if (c == '\\') {
            if (++i == pattern.size()) unknown("its pattern ends in the middle of an escape");
            c = pattern[i];
        }
        glob += c == '*' || c == '?' || c == '[' ? fmt::format("[{}]", c) : std::string(1, c);
    }
    return glob;
}

/// SQLite's GLOB as PostgreSQL's LIKE, which escapes by a backslash.
std::string like_of_glob(const std::string& glob) {
    std::string pattern;
    for (const char c : glob) {
        if (c == '[') unknown("its pattern has a set of characters");
        if (c == '*' || c == '?')
            pattern += c == '*' ? '%' : '_';
        else
            pattern += c == '%' || c == '_' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
    }
    return pattern;
}

std::optional<std::int64_t> small_constant(const Expression& expression) {
    if (expression.kind != Kind::number || expression.text.size() > 9 || expression.text.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    return std::stoll(expression.text);
}

}  // namespace

WrittenExpression ExpressionWriter::text_argument(const Expression& expression, const std::string& function) const {
    Written written = value(expression);
    if (written.sort != Sort::text) unknown(fmt::format("{} is given something that is no text", function));
    if (written.collated) unknown("it uses COLLATE inside");
    return written;
}

WrittenExpression ExpressionWriter::like(const Expression& expression) const {
    const Written operand = text_argument(expression.operands[0], "LIKE");
    const Expression& pattern = expression.operands[1];
    const Expression* literal = &pattern;
    while (literal->kind == Kind::cast && to_sqlite()) literal = &literal->operands[0];
    if (literal->kind != Kind::string || operand.constant) unknown("its pattern is not a constant");
    if (to_sqlite()) {
        if (expression.operands.size() > 2) unknown("its pattern has an escape character of its own");
        return result(fmt::format("({} GLOB {})", operand.text, quote_literal(glob_of_like(literal->text))), Sort::boolean);
    }
    // SQLite's LIKE does not tell capitals apart, in ASCII, as lower() by the collation C.
    std::string escape;
    if (expression.operands.size() > 2) {
        if (expression.operands[2].kind != Kind::string || expression.operands[2].text.size() != 1) unknown("its pattern has an unknown escape character");
        escape = expression.operands[2].text;
        const char c = escape[0];
        if (sqlite_folded(escape) != escape || (c >= 'a' && c <= 'z') || c == '%' || c == '_' || literal->text.ends_with(c))
            unknown("its pattern has an unknown escape character");
    }
    return result(fmt::format("(lower({} COLLATE \"C\") LIKE {} ESCAPE {})", operand.text, text_literal(sqlite_folded(literal->text)).text, quote_literal(escape)),
                  Sort::boolean);
}

WrittenExpression ExpressionWriter::glob(const Expression& expression) const {
    const Written operand = text_argument(expression.operands[0], "GLOB");
    if (expression.operands[1].kind != Kind::string || operand.constant || expression.operands.size() != 2) unknown("its pattern is not a constant");
    return result(fmt::format("({} LIKE {})", operand.text, text_literal(like_of_glob(expression.operands[1].text)).text), Sort::boolean);
}

WrittenExpression ExpressionWriter::function(const Expression& expression) const {
    const std::string& name = expression.text;
    const auto& operands = expression.operands;
    const auto is = [&](std::size_t count, std::initializer_list<const char*> names) {
        return operands.size() == count && std::any_of(names.begin(), names.end(), [&](const char* known) { return name == known; });
    };
    if (operands.size() > 1 && (name == "coalesce" || (name == "ifnull" && operands.size() == 2 && !to_sqlite()))) {
        std::vector<Written> values;
        for (const Expression& operand : operands) values.push_back(value(operand));
        const Sort sort = unify(values);
        if (sort == Sort::decimal) unknown("it gives decimal numbers");
        std::string list;
        for (const Written& item : values) list += (list.empty() ? "" : ", ") + item.text;
        Written written = result(fmt::format("coalesce({})", list), sort);
        written.width = values.front().width;
        return written;
    }
    if (is(2, {"nullif"})) {
        Written left = value(operands[0]);
        Written right = value(operands[1]);
        if (left.constant) unknown("it compares two constants");
        if (left.collated || right.collated) unknown("it uses COLLATE inside");
        const Sort sort = left.sort;
        make_alike(left, right);
        if (sort == Sort::decimal || (sort == Sort::text && !to_sqlite() && !left.collation.empty() && sqlite_folded(left.collation) != "binary"))
            unknown("it compares in another way on the follower");
        Written written = result(fmt::format("nullif({}, {})", left.text, right.text), sort);
        written.width = left.width;
        return written;
    }
    if (is(3, {"iif"}) && !to_sqlite()) return choice({Kind::choice, {}, operands});
    if (is(1, {"length", "char_length", "character_length"}) && (to_sqlite() || name == "length")) {
        const Written operand = value(operands[0]);
        if (operand.collated || (operand.sort != Sort::text && operand.sort != Sort::bytes)) unknown(fmt::format("{}() is given something that is no text", name));
        return result(fmt::format("length({})", operand.text), Sort::integer);
    }
    if (is(1, {"lower", "upper"})) {
        const Written operand = text_argument(operands[0], name + "()");
        if (to_sqlite() && operand.collation != "C") unknown(fmt::format("{}() follows the letters of the database's locale, and on SQLite those of ASCII", name));
        return result(to_sqlite() ? fmt::format("{}({})", name, operand.text) : fmt::format("{}({} COLLATE \"C\")", name, operand.text), Sort::text);
    }
    if (is(1, {"trim", "btrim", "ltrim", "rtrim"}) && (name == "btrim" ? to_sqlite() : !(to_sqlite() && name == "trim"))) {
        const Written operand = text_argument(operands[0], name + "()");
        const std::string there = name == "btrim" ? "trim" : name == "trim" ? "btrim" : name;
        return result(fmt::format("{}({})", there, operand.text), Sort::text);
    }
    if (is(3, {"replace"})) {
        std::string list;
        for (const Expression& operand : operands) list += (list.empty() ? "" : ", ") + text_argument(operand, "replace()").text;
        return result(fmt::format("replace({})", list), Sort::text);
    }
    if ((operands.size() == 2 || operands.size() == 3) && (name == "substr" || name == "substring")) {
        const auto start = small_constant(operands[1]);
        const auto length = operands.size() == 3 ? small_constant(operands[2]) : std::optional<std::int64_t>{0};
        if (!start || *start < 1 || !length) unknown("substr() is given a place that is not a constant");
        return result(fmt::format("substr({}, {}{})", text_argument(operands[0], "substr()").text, *start, operands.size() == 3 ? fmt::format(", {}", *length) : ""),
                      Sort::text);
    }
    if (is(1, {"abs"})) {
        const Written operand = value(operands[0]);
        if (operand.sort != Sort::integer) unknown("abs() is given something that is no integer");
        return result(fmt::format("abs({})", operand.text), Sort::integer);
    }
    unknown(fmt::format("{}() has no exact equivalent there", printable(name, 80)));
}

WrittenExpression ExpressionWriter::arithmetic(const Expression& expression) const {
    const Written left = value(expression.operands[0]);
    const Written right = value(expression.operands[1]);
    if (left.sort != Sort::integer || right.sort != Sort::integer) unknown("the two engines calculate alike with integers only");
    if (expression.text != "+" && expression.text != "-" && expression.text != "*") unknown("the two engines divide differently");
    if (to_sqlite()) return result(fmt::format("({} {} {})", left.text, expression.text, right.text), Sort::integer);
    // Where SQLite goes on with a floating-point number, PostgreSQL would refuse the row.
    if (!left.constant || !right.constant) unknown("integers overflow differently");
    std::int64_t number = 0;
    const std::int64_t a = std::stoll(left.value);
    const std::int64_t b = std::stoll(right.value);
    const bool overflow = expression.text == "+"   ? __builtin_add_overflow(a, b, &number)
                          : expression.text == "-" ? __builtin_sub_overflow(a, b, &number)
                                                   : __builtin_mul_overflow(a, b, &number);
    if (overflow) unknown("integers overflow differently");
    return number_literal(std::to_string(number));
}

WrittenExpression ExpressionWriter::concatenation(const Expression& expression) const {
    const Written left = value(expression.operands[0]);
    const Written right = value(expression.operands[1]);
    const auto fits = [](Sort sort) { return sort == Sort::text || sort == Sort::integer; };
    if (!fits(left.sort) || !fits(right.sort) || (left.sort != Sort::text && right.sort != Sort::text))
        unknown("it joins something that is no text");
    if (left.collated || right.collated) unknown("it uses COLLATE inside");
    return result(fmt::format("({} || {})", left.text, right.text), Sort::text);
}

WrittenExpression ExpressionWriter::collate(const Expression& expression) const {
    Written written = text_argument(expression.operands[0], "COLLATE");
    const std::string name = to_sqlite() ? expression.text : sqlite_folded(expression.text);
    if (to_sqlite() ? name != "C" && name != "POSIX" : name != "binary" && name != "nocase" && name != "rtrim")
        unknown(fmt::format("it uses the collation {}", printable(expression.text, 80)));
    written.collation = to_sqlite() ? "C" : expression.text;
    written.collated = !to_sqlite();
    return written;
}

/// Casts as PostgreSQL prints them: most say only what a literal is.
WrittenExpression ExpressionWriter::cast(const Expression& expression) const {
    if (!to_sqlite()) unknown("CAST follows other rules there");
    Written operand = value(expression.operands[0]);
    const PgTypeName type = parse_pg_type(expression.text);
    const auto refuse = [&]() { unknown(fmt::format("it casts to {}", printable(expression.text, 80))); };
    if (type.array) refuse();
    if (operand.sort == Sort::null) return operand;
    const ValueClass into = pg_value_class(expression.text);
    if (into == ValueClass::text) {
        const bool padded = type.name == "character" || type.name == "bpchar";
        if (!type.modifiers.empty()) refuse();
        if (operand.constant && operand.sort == Sort::text && padded) {
            operand.sort = Sort::padded;
            return operand;
        }
        if (padded || (type.name != "text" && type.name != "character varying" && type.name != "name")) refuse();
        if (operand.sort == Sort::text && (type.name != "name" || !operand.constant || operand.value.size() < 64)) return operand;
        if (operand.sort == Sort::label && !operand.constant) {
            operand.sort = Sort::text;
            operand.column = nullptr;
            return operand;
        }
        if (operand.sort == Sort::padded && operand.constant) {
            std::string cut = operand.value;
            cut.erase(cut.find_last_not_of(' ') + 1);
            return text_literal(cut);
        }
        if (operand.sort == Sort::padded) return result(fmt::format("rtrim({}, ' ')", operand.text), Sort::text);
        refuse();
    }
    if (operand.constant) {
        if (!type.modifiers.empty() && into != ValueClass::numeric) refuse();
        switch (into) {
            case ValueClass::integer:
            case ValueClass::numeric:
            case ValueClass::real: {
                if (operand.sort == Sort::text && is_number(operand.value) && operand.value.find_first_not_of("-.0123456789") == std::string::npos)
                    operand = number_literal(operand.value);
                if (operand.sort == Sort::integer && significant_digits(operand.value) <= 6) {
                    if (into == ValueClass::real) operand.sort = Sort::real;
                    return operand;
                }
                if (operand.sort == Sort::integer && into == ValueClass::integer) return operand;
                const std::size_t scale = type.modifiers.size() == 2 ? static_cast<std::size_t>(std::max(type.modifiers[1], 0)) : type.modifiers.size() == 1 ? 0 : 100;
                if (into == ValueClass::numeric && (operand.sort == Sort::decimal || operand.sort == Sort::integer) && fraction_digits(operand.value) <= scale)
                    return operand;
                if (into == ValueClass::real && type.name == "double precision" && (operand.sort == Sort::decimal || operand.sort == Sort::integer)) {
                    if (significant_digits(operand.value) > 15) refuse();
                    operand.sort = Sort::real;
                    return operand;
                }
                refuse();
                break;
            }
            case ValueClass::boolean:
                if (operand.sort == Sort::text && (operand.value == "t" || operand.value == "true" || operand.value == "f" || operand.value == "false"))
                    return value({Kind::boolean, operand.value[0] == 't' ? "true" : "false", {}});
                break;
            case ValueClass::date:
            case ValueClass::time:
            case ValueClass::timestamp:
            case ValueClass::timestamptz:
            case ValueClass::uuid:
            case ValueClass::other:
                // What it says is looked at where it meets a column.
                if (operand.sort == Sort::text) {
                    operand.sort = into == ValueClass::date          ? Sort::date
                                   : into == ValueClass::time        ? Sort::time
                                   : into == ValueClass::timestamp   ? Sort::timestamp
                                   : into == ValueClass::timestamptz ? Sort::timestamptz
                                   : into == ValueClass::uuid        ? Sort::uuid
                                                                     : Sort::label;
                    return operand;
                }
                break;
            default: break;
        }
        refuse();
    }
    if (operand.sort == Sort::integer && (into == ValueClass::integer || (into == ValueClass::numeric && type.modifiers.empty())) && type.name != "oid") return operand;
    if (operand.sort == Sort::boolean && into == ValueClass::boolean) return operand;
    if (operand.sort == Sort::real && type.name == "double precision") return operand;
    refuse();
    return operand;
}

}  // namespace rowferry
