#include "schemas/expression_writer.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/nullability.h"
#include "schemas/pg_type_name.h"
#include "schemas/sqlite_ddl.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using Kind = Expression::Kind;
using Sort = ValueSort;

// Every decimal number of so many digits has a double of its own, so both engines compare it alike with what they hold.
constexpr std::size_t kDoubleDigits = 15;


std::string_view sort_name(Sort sort) {
    switch (sort) {
        case Sort::null: return "NULL";
        case Sort::boolean: return "a boolean";
        case Sort::integer: return "an integer";
        case Sort::decimal: return "a decimal number";
        case Sort::real: return "a floating-point number";
        case Sort::text: return "a text";
        case Sort::padded: return "a padded text";
        case Sort::label: return "a label of an enum";
        case Sort::date: return "a date";
        case Sort::time: return "a time";
        case Sort::timestamp:
        case Sort::timestamptz: return "a timestamp";
        case Sort::uuid: return "a UUID";
        case Sort::bytes: return "bytes";
        case Sort::other: break;
    }
    return "a value that is kept in another form";
}

bool is_number_sort(Sort sort) { return sort == Sort::integer || sort == Sort::decimal || sort == Sort::real; }
bool is_time_sort(Sort sort) { return sort == Sort::date || sort == Sort::time || sort == Sort::timestamp || sort == Sort::timestamptz; }


Sort text_sort(const ColumnSchema& column) {
    const PgTypeName type = parse_pg_type(base_type_of(column));
    if (type.name == "character" || type.name == "bpchar") return type.modifiers.size() == 1 ? Sort::padded : Sort::other;
    return type.name == "text" || type.name == "name" || type.name == "character varying" ? Sort::text : Sort::other;
}

Sort pg_to_sqlite_sort(const ColumnSchema& column, const std::string& type) {
    if (parse_pg_type(base_type_of(column)).array || type.find("COLLATE") != std::string::npos) return Sort::other;
    const Affinity affinity = sqlite_affinity(type);
    if (!column.enum_labels.empty()) return keeps_text(affinity) ? Sort::label : Sort::other;
    switch (column.value_class) {
        case ValueClass::integer: return keeps_integers(affinity) ? Sort::integer : Sort::other;
        case ValueClass::boolean: return keeps_integers(affinity) ? Sort::boolean : Sort::other;
        case ValueClass::real: return affinity == Affinity::real ? Sort::real : Sort::other;
        case ValueClass::text: return keeps_text(affinity) ? text_sort(column) : Sort::other;
        case ValueClass::bytes: return affinity == Affinity::blob ? Sort::bytes : Sort::other;
        case ValueClass::date: return keeps_text(affinity) ? Sort::date : Sort::other;
        case ValueClass::time: return keeps_text(affinity) ? Sort::time : Sort::other;
        case ValueClass::timestamp: return keeps_text(affinity) ? Sort::timestamp : Sort::other;
        case ValueClass::timestamptz: return keeps_text(affinity) ? Sort::timestamptz : Sort::other;
        case ValueClass::uuid: return keeps_text(affinity) ? Sort::uuid : Sort::other;
        default: return Sort::other;
    }
}

Sort sqlite_to_pg_sort(const TableSchema& table, const ColumnSchema& column, const std::string& declared) {
    const std::string& type = type_below_own_domain(declared);
    const Affinity affinity = is_strict_any(table, column.type) ? Affinity::blob : sqlite_affinity(column.type);
    const PgTypeName name = parse_pg_type(type);
    if (name.array || !name.schema.empty()) return Sort::other;
    switch (pg_value_class(type)) {
        case ValueClass::integer: return affinity != Affinity::text && affinity != Affinity::real && name.name != "oid" ? Sort::integer : Sort::other;
        case ValueClass::boolean: return affinity != Affinity::text && affinity != Affinity::real ? Sort::boolean : Sort::other;
        case ValueClass::real: return affinity != Affinity::text && affinity != Affinity::integer ? Sort::real : Sort::other;
        case ValueClass::numeric: return affinity == Affinity::numeric || affinity == Affinity::integer ? Sort::decimal : Sort::other;
        case ValueClass::text: return name.name == "text" || name.name == "character varying" ? Sort::text : Sort::other;
        case ValueClass::bytes: return Sort::bytes;
        case ValueClass::date: return Sort::date;
        case ValueClass::time: return Sort::time;
        case ValueClass::timestamp: return Sort::timestamp;
        case ValueClass::timestamptz: return Sort::timestamptz;
        case ValueClass::uuid: return Sort::uuid;
        default: return Sort::other;
    }
}

bool has_shape(Sort sort, const std::string& text) {
    switch (sort) {
        case Sort::date: return is_date(text);
        case Sort::time: return is_time(text);
        case Sort::timestamp: return is_timestamp(text);
        case Sort::timestamptz: return is_zoned_timestamp(text);
        case Sort::uuid: return is_uuid(text);
        default: return false;
    }
}

std::string joined(const std::vector<WrittenExpression>& values, std::size_t from) {
    std::string text;
    for (std::size_t i = from; i < values.size(); ++i) text += (text.empty() ? "" : ", ") + values[i].text;
    return text;
}

}  // namespace

ValueSort column_sort(const TableSchema& table, const ColumnSchema& column, Engine to, const std::string& type) {
    if (column.encoding != TimeEncoding::none) return Sort::other;
    return to == Engine::sqlite ? pg_to_sqlite_sort(column, type) : sqlite_to_pg_sort(table, column, type);
}

const std::string& type_below_own_domain(const std::string& type) {
    static const std::string kNumeric = "numeric";
    return type == "public.sqlite_numeric" || type == "sqlite_numeric" ? kNumeric : type;
}

WrittenExpression text_literal(const std::string& value) {
    if (value.find('\0') != std::string::npos) unknown("a text in it holds a NUL byte");
    return {quote_literal(value), Sort::text, true, value};
}

WrittenExpression number_literal(const std::string& digits) {
    const bool whole = digits.find_first_of(".eE") == std::string::npos;
    if (whole) {
        errno = 0;
        (void)std::strtoll(digits.c_str(), nullptr, 10);
        if (errno != 0) unknown("a number in it is too large");
    } else if (significant_digits(digits) > kDoubleDigits || digits.find_first_of("eE") != std::string::npos) {
        unknown("a number in it has more than 15 digits or an exponent");
    }
    return {digits, whole ? Sort::integer : Sort::decimal, true, digits};
}

std::size_t significant_digits(std::string_view number) {
    std::string digits;
    for (const char c : number.substr(0, number.find_first_of("eE")))
        if (c >= '0' && c <= '9') digits += c;
    const auto first = digits.find_first_not_of('0');
    if (first == std::string::npos) return 0;
    return digits.find_last_not_of('0') - first + 1;
}

std::string folded_text(const std::string& collation, const std::string& operand) {
    const std::string name = sqlite_folded(collation);
    if (name == "nocase") return fmt::format("lower({} COLLATE \"C\")", operand);
    if (name == "rtrim") return fmt::format("rtrim({}, ' ')", operand);
    if (name.empty() || name == "binary") return operand;
    unknown(fmt::format("it compares by the collation {}", printable(collation, 80)));
}

bool looks_like_number(const std::string& text) {
    if (text.find_first_of("0123456789") == std::string::npos) return false;
    char* end = nullptr;
    (void)std::strtod(text.c_str(), &end);
    while (*end == ' ' || (*end >= '\t' && *end <= '\r')) ++end;
    return *end == '\0';
}

std::string ExpressionWriter::condition(const Expression& expression) const {
    const Written written = value(expression);
    if (written.sort == Sort::boolean) return written.text;
    // For SQLite every number but zero is true; a text such as NaN is not.
    if (!to_sqlite() && written.sort == Sort::integer) return fmt::format("({} <> 0)", written.text);
    unknown(fmt::format("it takes {} for a condition", sort_name(written.sort)));
}

WrittenExpression ExpressionWriter::value(const Expression& expression) const {
    switch (expression.kind) {
        case Kind::null: return {"NULL", Sort::null, true};
        case Kind::boolean: {
            const bool truth = expression.text == "true";
            return {to_sqlite() ? (truth ? "1" : "0") : (truth ? "TRUE" : "FALSE"), Sort::boolean, true, truth ? "1" : "0"};
        }
        case Kind::number: return number_literal(expression.text);
        case Kind::string: return text_literal(expression.text);
        case Kind::column:
        case Kind::name_or_text: return column(expression);
        case Kind::negation:
        case Kind::both:
        case Kind::either:
        case Kind::is_null:
        case Kind::is_true:
        case Kind::is_false: return logic(expression);
        case Kind::comparison:
        case Kind::same:
        case Kind::different: return comparison(expression);
        case Kind::in: return membership(expression);
        case Kind::like: return like(expression);
        case Kind::glob: return glob(expression);
        case Kind::choice: return choice(expression);
        case Kind::function: return function(expression);
        case Kind::arithmetic: return arithmetic(expression);
        case Kind::concatenation: return concatenation(expression);
        case Kind::cast: return cast(expression);
        case Kind::collate: return collate(expression);
        case Kind::ilike: unknown("ILIKE follows the letters of the database's locale");
        case Kind::blob: unknown("it holds a blob");
        case Kind::list: unknown("it holds an array");
    }
    unknown("it is no expression known here");
}

WrittenExpression ExpressionWriter::column(const Expression& expression) const {
    const auto named = [&](const std::string& name) {
        return table_.engine == Engine::sqlite ? sqlite_folded(name) == sqlite_folded(expression.text) : name == expression.text;
    };
    for (std::uint16_t i = 0; i < table_.columns.size(); ++i) {
        const ColumnSchema& column = table_.columns[i];
        if (!(domain_column_ ? *domain_column_ == i && expression.text == "value" : named(column.leader_name.empty() ? column.name : column.leader_name)))
            continue;
        if (column.on_mismatch == OnMismatch::null_value) unknown(fmt::format("values of {} that do not fit become NULL", printable(column.name, 80)));
        Written written{quote_identifier(column.name), column_sort(table_, column, to_, types_.at(i))};
        written.column = &column;
        written.may_be_text = !to_sqlite() && written.sort == Sort::decimal && types_.at(i) == type_below_own_domain(types_.at(i));
        if (table_.engine == Engine::sqlite) written.collation = column.collation;
        if (column.pg_collation == "pg_catalog.\"C\"" || column.pg_collation == "pg_catalog.\"POSIX\"") written.collation = "C";
        if (!column.pg_collation.empty() && !column.pg_collation.starts_with("pg_catalog.")) written.sort = Sort::other;
        if (written.sort == Sort::padded) written.width = static_cast<std::size_t>(parse_pg_type(base_type_of(column)).modifiers.front());
        return written;
    }
    for (const GeneratedColumn& generated : table_.generated) {
        // Good for a key of an index; what its values compare like is not asked.
        static const ColumnSchema kGenerated;
        if (!domain_column_ && named(generated.name)) {
            Written written{quote_identifier(generated.name), ValueSort::other};
            written.column = &kGenerated;
            return written;
        }
    }
    if (expression.kind == Kind::name_or_text) return text_literal(expression.text);
    unknown(fmt::format("the follower has no column {}", printable(expression.text, 80)));
}

/// A composite value IS NULL where each of its fields is, and IS NOT NULL where none is: its text tells neither.
std::string ExpressionWriter::tested_for_null(const Expression& expression) const {
    const Written written = value(expression);
    const bool one_value = !to_sqlite() || written.column == nullptr || parse_pg_type(base_type_of(*written.column)).array;
    const UserType* type = one_value ? nullptr : find_user_type(table_, base_type_of(*written.column));
    if (type != nullptr && type->kind == UserType::Kind::composite) unknown("it asks whether a composite value is NULL, which depends on its fields");
    return written.text;
}

WrittenExpression ExpressionWriter::logic(const Expression& expression) const {
    const auto result = [](std::string text) { return Written{std::move(text), Sort::boolean}; };
    const auto& operands = expression.operands;
    switch (expression.kind) {
        case Kind::negation:
            if (operands[0].kind == Kind::is_null) return result(fmt::format("({} IS NOT NULL)", tested_for_null(operands[0].operands[0])));
            return result(fmt::format("(NOT {})", condition(operands[0])));
        case Kind::both: return result(fmt::format("({} AND {})", condition(operands[0]), condition(operands[1])));
        case Kind::either: return result(fmt::format("({} OR {})", condition(operands[0]), condition(operands[1])));
        case Kind::is_null: return result(fmt::format("({} IS NULL)", tested_for_null(operands[0])));
        default: return result(fmt::format("({} IS {})", condition(operands[0]), expression.kind == Kind::is_true ? "TRUE" : "FALSE"));
    }
}

void ExpressionWriter::fit_constant(Written& constant, const Written& other) const {
    switch (other.sort) {
        case Sort::boolean:
            // SQLite's TRUE and FALSE are 1 and 0.
            if (constant.sort == Sort::integer && (constant.value == "0" || constant.value == "1") && !to_sqlite())
                constant = value({Kind::boolean, constant.value == "1" ? "true" : "false", {}});
            return;
        case Sort::integer:
        case Sort::real:
        case Sort::decimal:
            if (constant.sort == Sort::boolean && !to_sqlite()) constant = number_literal(constant.value);
            if (!is_number_sort(constant.sort)) return;
            if (other.sort != Sort::integer && significant_digits(constant.value) > kDoubleDigits) unknown("a number in it has more than 15 digits");
            constant.sort = other.sort;
            return;
        case Sort::text:
            if (constant.sort == Sort::text && !to_sqlite() && other.column != nullptr && !keeps_text(sqlite_affinity(other.column->type)) &&
                looks_like_number(constant.value))
                unknown("SQLite would compare with a number there");
            return;
        case Sort::padded: {
            if (constant.sort != Sort::text && constant.sort != Sort::padded) return;
            std::string padded = constant.value;
            padded.erase(padded.find_last_not_of(' ') + 1);
            const std::size_t length = count_characters(padded);
            if (length < other.width) padded.append(other.width - length, ' ');
            constant = text_literal(padded);
            constant.sort = Sort::padded;
            constant.width = other.width;
            return;
        }
        case Sort::label:
            if ((constant.sort == Sort::text || constant.sort == Sort::label) && other.column != nullptr &&
                std::find(other.column->enum_labels.begin(), other.column->enum_labels.end(), constant.value) != other.column->enum_labels.end())
                constant.sort = Sort::label;
            else
                unknown("it compares with something that is no label of the enum");
            return;
        case Sort::date:
        case Sort::time:
        case Sort::timestamp:
        case Sort::timestamptz:
        case Sort::uuid:
            if (constant.sort != Sort::text && constant.sort != other.sort) return;
            if (!has_shape(other.sort, constant.value)) unknown(fmt::format("a text in it is not {} in PostgreSQL's form", sort_name(other.sort)));
            constant.sort = other.sort;
            return;
        default: return;
    }
}

/// Both sides have to be of one sort by which both engines compare alike.
void ExpressionWriter::make_alike(Written& left, Written& right) const {
    if (left.sort == Sort::null || right.sort == Sort::null) unknown("it compares with NULL");
    if (left.constant && right.constant) unknown("it compares two constants");
    if (right.constant) fit_constant(right, left);
    if (left.constant) fit_constant(left, right);
    if (left.sort != right.sort || left.sort == Sort::other) unknown(fmt::format("it compares {} with {}", sort_name(left.sort), sort_name(right.sort)));
    if (left.constant || right.constant) return;
    if (left.sort == Sort::decimal || left.sort == Sort::label || (left.sort == Sort::padded && left.width != right.width))
        unknown(fmt::format("it compares two columns that hold {}", sort_name(left.sort)));
}

WrittenExpression ExpressionWriter::compare(const std::string& op, Written left, Written right) const {
    make_alike(left, right);
    const bool equality = op == "=" || op == "<>" || op.starts_with("IS");
    const Sort sort = left.sort;
    const auto result = [](std::string text) { return Written{std::move(text), Sort::boolean}; };
    if (sort == Sort::text && !to_sqlite()) {
        // COLLATE wins, then a column, then the left side; a column without a collation has BINARY.
        const bool from_left = left.collated || (!right.collated && left.column != nullptr);
        const std::string collation = from_left ? left.collation : right.collation;
        left.text = folded_text(collation, left.text);
        right.text = folded_text(collation, right.text);
        if (!equality) left.text = fmt::format("({} COLLATE \"C\")", left.text);
    } else if (!equality && sort == Sort::text) {
        if (left.collation != "C" && right.collation != "C") unknown("the order of texts depends on PostgreSQL's collation");
    } else if (!equality && !is_number_sort(sort) && (to_sqlite() || !is_time_sort(sort))) {
        unknown(fmt::format("the order of {} is another one on the follower", sort_name(sort)));
    } else if (!equality && sort == Sort::decimal && (left.may_be_text || right.may_be_text)) {
        // A NUMERIC column keeps the text -Infinity, and for SQLite every text is greater than every number.
        const Written& number = left.constant ? right : left;
        const bool upwards = (op[0] == '>') != left.constant;
        return result(upwards ? fmt::format("(({} {} {}) OR ({} = '-Infinity'))", left.text, op, right.text, number.text)
                              : fmt::format("(({} {} {}) AND ({} <> '-Infinity'))", left.text, op, right.text, number.text));
    }
    return result(fmt::format("({} {} {})", left.text, op, right.text));
}

WrittenExpression ExpressionWriter::comparison(const Expression& expression) const {
    std::string op = expression.text;
    if (expression.kind == Kind::same) op = to_sqlite() ? "IS" : "IS NOT DISTINCT FROM";
    if (expression.kind == Kind::different) op = to_sqlite() ? "IS NOT" : "IS DISTINCT FROM";
    const Written left = value(expression.operands[0]);
    const Written right = value(expression.operands[1]);
    if (auto written = compare_decimal_text(op, left, right)) return *written;
    return compare(op, left, right);
}

/// A column of PostgreSQL's numeric that SQLite keeps as the text that PostgreSQL prints.
bool ExpressionWriter::is_decimal_text(const Written& written) const {
    for (std::size_t i = 0; to_sqlite() && i < table_.columns.size(); ++i) {
        const ColumnSchema& column = table_.columns[i];
        if (&column == written.column && column.value_class == ValueClass::numeric && !parse_pg_type(base_type_of(column)).array && column.encoding == TimeEncoding::none)
            return keeps_text(sqlite_affinity(types_.at(i)));
    }
    return false;
}

/// The sign and being zero show in the text. Another number compares as a double, where every value of the column has one of its own: with at
/// most 15 digits in all. NaN is greater than all numbers; a column with a precision holds no infinity.
std::optional<WrittenExpression> ExpressionWriter::compare_decimal_text(const std::string& op, const Written& left, const Written& right) const {
    const bool mirrored = left.constant;
    const Written& column = mirrored ? right : left;
    const Written& constant = mirrored ? left : right;
    if (!constant.constant || (constant.sort != Sort::integer && constant.sort != Sort::decimal) || op.starts_with("IS") || !is_decimal_text(column)) return std::nullopt;
    const std::string way = !mirrored || op == "=" || op == "<>" ? op : (op[0] == '<' ? ">" : "<") + op.substr(1);
    const auto result = [](std::string text) { return Written{std::move(text), Sort::boolean}; };
    if (significant_digits(constant.value) == 0) {
        const auto zero = [&](const char* in) { return fmt::format("trim({}, '0') {} ('', '.')", column.text, in); };
        const auto sign = [&](const char* is) { return fmt::format("substr({}, 1, 1) {} '-'", column.text, is); };
        if (way == "=") return result(fmt::format("({})", zero("IN")));
        if (way == "<>") return result(fmt::format("({})", zero("NOT IN")));
        if (way == ">=") return result(fmt::format("({})", sign("<>")));
        if (way == "<") return result(fmt::format("({})", sign("=")));
        if (way == ">") return result(fmt::format("({} AND {})", sign("<>"), zero("NOT IN")));
        return result(fmt::format("({} OR {})", sign("="), zero("IN")));
    }
    const std::vector<int> limits = parse_pg_type(base_type_of(*column.column)).modifiers;
    const bool few_digits = !limits.empty() && limits[0] <= static_cast<int>(kDoubleDigits) && (limits.size() < 2 || (limits[1] >= 0 && limits[1] <= 20));
    if (!few_digits) unknown("it compares decimal numbers of more than 15 digits, which SQLite keeps as texts");
    if (significant_digits(constant.value) > kDoubleDigits) unknown("a number in it has more than 15 digits");
    const bool for_nan = way[0] == '>' || way == "<>";
    return result(fmt::format("((CAST({0} AS REAL) {1} {2}) {3} {0} {4} 'NaN')", column.text, way, constant.text, for_nan ? "OR" : "AND", for_nan ? "=" : "<>"));
}

WrittenExpression ExpressionWriter::membership(const Expression& expression) const {
    const Written operand = value(expression.operands[0]);
    if (operand.constant) unknown("it looks for a constant");
    std::vector<Written> values;
    Written left = operand;
    for (std::size_t i = 1; i < expression.operands.size(); ++i) {
        Written item = value(expression.operands[i]);
        left = operand;
        make_alike(left, item);
        if (!item.constant) unknown("it looks for columns in a list");
        if (left.sort == Sort::text && !to_sqlite()) {
            item.text = folded_text(operand.collation, item.text);
            left.text = folded_text(operand.collation, operand.text);
        }
        values.push_back(std::move(item));
    }
    return {fmt::format("({} IN ({}))", left.text, joined(values, 0)), Sort::boolean};
}

/// The one sort of all values; constants are fitted to it.
ValueSort ExpressionWriter::unify(std::vector<Written>& values) const {
    const auto known = std::find_if(values.begin(), values.end(), [](const Written& value) { return !value.constant; });
    const auto given = std::find_if(values.begin(), values.end(), [](const Written& value) { return value.sort != Sort::null; });
    if (given == values.end()) unknown("it gives NULL only");
    const Written model = known != values.end() ? *known : *given;
    for (Written& value : values) {
        if (value.sort == Sort::null) continue;
        if (value.constant && known != values.end()) fit_constant(value, model);
        if (value.sort != model.sort || value.sort == Sort::other || value.width != model.width)
            unknown(fmt::format("it gives {} or {}", sort_name(model.sort), sort_name(value.sort)));
        if (value.collated) unknown("it uses COLLATE inside");
    }
    return model.sort;
}

WrittenExpression ExpressionWriter::choice(const Expression& expression) const {
    std::vector<Written> results;
    std::vector<std::string> conditions;
    for (std::size_t i = 0; i < expression.operands.size(); ++i) {
        const bool last = i + 1 == expression.operands.size() && i % 2 == 0;
        if (i % 2 == 0 && !last)
            conditions.push_back(condition(expression.operands[i]));
        else
            results.push_back(value(expression.operands[i]));
    }
    const Sort sort = unify(results);
    if (sort == Sort::decimal) unknown("it gives decimal numbers");
    std::string text = "CASE";
    for (std::size_t i = 0; i < conditions.size(); ++i) text += fmt::format(" WHEN {} THEN {}", conditions[i], results[i].text);
    if (results.size() > conditions.size()) text += " ELSE " + results.back().text;
    Written written{"(" + text + " END)", sort};
    written.width = results.front().width;
    return written;
}

}  // namespace rowferry
