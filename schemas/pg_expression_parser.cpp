#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pg_query.h>

#include "schemas/expression_tree.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;
using Kind = Expression::Kind;

constexpr std::string_view kBefore = "SELECT (";
// The library writes its tree by recursion; nobody's CHECK is longer.
constexpr std::size_t kLongestText = 16 * 1024;
constexpr int kDeepestPgExpression = 150;


/// The one expression in `SELECT (text)`. Beware: while it parses, the library points the process's standard error elsewhere.
Json parse_tree(const std::string& text) {
    if (text.size() > kLongestText) unknown("it is too long");
    const PgQueryParseResult parsed = pg_query_parse((std::string{kBefore} + text + "\n)").c_str());
    const struct Free {
        const PgQueryParseResult& result;
        ~Free() { pg_query_free_parse_result(result); }
    } free{parsed};
    if (parsed.error != nullptr) unknown("it is no expression of PostgreSQL");
    Json tree = Json::parse(parsed.parse_tree, nullptr, false);
    if (tree.is_discarded()) unknown("it is no expression of PostgreSQL");
    const Json& statements = tree["stmts"];
    if (!statements.is_array() || statements.size() != 1 || !statements[0]["stmt"].contains("SelectStmt")) unknown("it is no expression of PostgreSQL");
    Json& select = tree["stmts"][0]["stmt"]["SelectStmt"];
    for (const auto& [key, value] : select.items())
        if (key != "targetList" && key != "limitOption" && key != "op") unknown("it is no expression of PostgreSQL");
    Json& targets = select["targetList"];
    if (targets.size() != 1 || !targets[0].contains("ResTarget") || targets[0]["ResTarget"].contains("name")) unknown("it is no expression of PostgreSQL");
    return std::move(targets[0]["ResTarget"]["val"]);
}

/// Its own word for the kind of a node, and the node.
std::pair<std::string, const Json*> node_of(const Json& wrapped) {
    if (!wrapped.is_object() || wrapped.size() != 1) unknown("it is put together in an unknown way");
    return {wrapped.begin().key(), &wrapped.begin().value()};
}

const Json& member(const Json& node, const char* name) {
    static const Json kNothing;
    const auto found = node.find(name);
    return found == node.end() ? kNothing : *found;
}

std::string text_member(const Json& node, const char* name) {
    const Json& value = member(node, name);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

/// The names in a list of String nodes.
std::vector<std::string> names(const Json& list) {
    std::vector<std::string> result;
    for (const Json& part : list) {
        const auto [kind, node] = node_of(part);
        if (kind != "String") unknown("it names something in an unknown way");
        result.push_back(text_member(*node, "sval"));
    }
    return result;
}

/// A name of PostgreSQL's own without its schema; others keep theirs.
std::string own_name(std::vector<std::string> parts) {
    if (parts.size() > 1 && parts.front() == "pg_catalog") parts.erase(parts.begin());
    return fmt::format("{}", fmt::join(parts, "."));
}

/// Back from the grammar's names to those that format_type() gives.
std::string type_name(const Json& node) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kNames{{{"int2", "smallint"},
                                                                                           {"int4", "integer"},
                                                                                           {"int8", "bigint"},
                                                                                           {"bool", "boolean"},
                                                                                           {"float4", "real"},
                                                                                           {"float8", "double precision"},
                                                                                           {"varchar", "character varying"},
                                                                                           {"bpchar", "character"},
                                                                                           {"timestamp", "timestamp without time zone"},
                                                                                           {"timestamptz", "timestamp with time zone"},
                                                                                           {"time", "time without time zone"},
                                                                                           {"timetz", "time with time zone"},
                                                                                           {"varbit", "bit varying"}}};
    std::string name = own_name(names(member(node, "names")));
    for (const auto& [grammar, shown] : kNames)
        if (name == grammar) name = shown;
    if (!member(node, "typmods").empty()) {
        std::string modifiers;
        for (const Json& modifier : member(node, "typmods")) {
            const auto [kind, constant] = node_of(modifier);
            const Json& value = member(*constant, "ival");
            if (kind != "A_Const" || !value.is_object()) unknown("a type in it has an unknown modifier");
            modifiers += fmt::format("{}{}", modifiers.empty() ? "" : ",", value.value("ival", 0));
        }
        name += "(" + modifiers + ")";
    }
    if (!member(node, "arrayBounds").empty()) name += "[]";
    return name;
}

class Reader {
public:
    explicit Reader(const std::string& text) : text_{text} {}

    Expression read(const Json& wrapped, int depth = 0) {
        if (depth > kDeepestPgExpression) unknown("it is nested too deeply");
        const auto [kind, node] = node_of(wrapped);
        if (kind == "A_Const") return constant(*node);
        if (kind == "ColumnRef") return column(*node);
        if (kind == "BoolExpr") return logic(*node, depth);
        if (kind == "A_Expr") return operation(*node, depth);
        if (kind == "TypeCast") return {Kind::cast, type_name(member(*node, "typeName")), {read(member(*node, "arg"), depth + 1)}};
        if (kind == "NullTest") return null_test(*node, depth);
        if (kind == "BooleanTest") return boolean_test(*node, depth);
        if (kind == "CaseExpr") return choice(*node, depth);
        if (kind == "CoalesceExpr") return {Kind::function, "coalesce", list(member(*node, "args"), depth)};
        if (kind == "FuncCall") return function(*node, depth);
        if (kind == "SQLValueFunction") return value_function(*node);
        if (kind == "A_ArrayExpr") return {Kind::list, {}, list(member(*node, "elements"), depth)};
        if (kind == "CollateClause")
            return {Kind::collate, own_name(names(member(*node, "collname"))), {read(member(*node, "arg"), depth + 1)}};
        if (kind == "SubLink") unknown("it has a subquery");
        unknown(fmt::format("it uses {}, which has no translation", kind));
    }

private:
    std::vector<Expression> list(const Json& nodes, int depth) {
        std::vector<Expression> result;
        for (const Json& node : nodes) result.push_back(read(node, depth + 1));
        return result;
    }

    /// libpg_query 15 leaves negative numbers out of its tree, so the text itself is asked.
    std::string integer_at(const Json& node) const {
        const Json& location = member(node, "location");
        std::size_t at = location.is_number_unsigned() ? location.get<std::size_t>() - kBefore.size() : text_.size();
        std::string digits;
        if (at < text_.size() && text_[at] == '-') {
            digits = "-";
            for (++at; at < text_.size() && std::isspace(static_cast<unsigned char>(text_[at])) != 0;) ++at;
        }
        const std::size_t sign = digits.size();
        for (; at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; ++at) digits += text_[at];
        const int known = member(node, "ival").value("ival", 0);
        if (digits.size() == sign || digits.size() > 11 || (known != 0 && std::to_string(known) != digits)) unknown("a number in it is written in an unknown way");
        if (known == 0 && sign == 0 && digits.find_first_not_of('0') != std::string::npos) unknown("a number in it is written in an unknown way");
        return digits;
    }

    Expression constant(const Json& node) const {
        if (node.value("isnull", false)) return {Kind::null, {}, {}};
        if (node.contains("ival")) return {Kind::number, integer_at(node), {}};
        if (node.contains("fval")) return {Kind::number, text_member(node["fval"], "fval"), {}};
        if (node.contains("sval")) return {Kind::string, text_member(node["sval"], "sval"), {}};
        if (node.contains("boolval")) return {Kind::boolean, node["boolval"].value("boolval", false) ? "true" : "false", {}};
        unknown("it has a bit string");
    }

    static Expression column(const Json& node) {
        const std::vector<std::string> parts = names(member(node, "fields"));
        if (parts.size() != 1) unknown("it names a column by its table");
        return {Kind::column, parts.front(), {}};
    }

    Expression logic(const Json& node, int depth) {
        std::vector<Expression> operands = list(member(node, "args"), depth);
        const std::string which = text_member(node, "boolop");
        if (which == "NOT_EXPR" && operands.size() == 1) return {Kind::negation, {}, std::move(operands)};
        if ((which != "AND_EXPR" && which != "OR_EXPR") || operands.size() < 2) unknown("it has an unknown logical operator");
        const Kind kind = which == "AND_EXPR" ? Kind::both : Kind::either;
        Expression result = std::move(operands.front());
        for (std::size_t i = 1; i < operands.size(); ++i) {
            if (i > kDeepestPgExpression) unknown("it is too long");
            result = Expression{kind, {}, {std::move(result), std::move(operands[i])}};
        }
        return result;
    }

    static Expression negated(Expression expression) { return {Kind::negation, {}, {std::move(expression)}}; }

    Expression operation(const Json& node, int depth) {
        const std::string kind = text_member(node, "kind");
        const std::vector<std::string> name = names(member(node, "name"));
        if (name.size() != 1) unknown(fmt::format("it uses the operator {}", fmt::join(name, ".")));
        const std::string& op = name.front();
        const Json& right = member(node, "rexpr");
        if (member(node, "lexpr").is_null()) return prefix(op, read(right, depth + 1));
        Expression left = read(member(node, "lexpr"), depth + 1);
        if (kind == "AEXPR_OP") return binary(op, std::move(left), read(right, depth + 1));
        if (kind == "AEXPR_DISTINCT") return {Kind::different, {}, {std::move(left), read(right, depth + 1)}};
        if (kind == "AEXPR_NOT_DISTINCT") return {Kind::same, {}, {std::move(left), read(right, depth + 1)}};
        if (kind == "AEXPR_NULLIF") return {Kind::function, "nullif", {std::move(left), read(right, depth + 1)}};
        if (kind == "AEXPR_IN" || kind == "AEXPR_BETWEEN" || kind == "AEXPR_NOT_BETWEEN") {
            const auto [list_kind, items] = node_of(right);
            if (list_kind != "List") unknown("it has a subquery");
            std::vector<Expression> others = list(member(*items, "items"), depth);
            return kind == "AEXPR_IN" ? membership(op == "<>", std::move(left), std::move(others)) : between(kind == "AEXPR_NOT_BETWEEN", left, others);
        }
        if (kind == "AEXPR_OP_ANY" && op == "=") return membership(false, std::move(left), elements(read(right, depth + 1)));
        if (kind == "AEXPR_OP_ALL" && op == "<>") return membership(true, std::move(left), elements(read(right, depth + 1)));
        if (kind == "AEXPR_LIKE" || kind == "AEXPR_ILIKE") return binary(op, std::move(left), read(right, depth + 1));
        unknown(fmt::format("it uses the operator {}", op));
    }

    static Expression prefix(const std::string& op, Expression operand) {
        if (operand.kind == Kind::number && op == "-") {
            operand.text = operand.text.starts_with("-") ? operand.text.substr(1) : "-" + operand.text;
            return operand;
        }
        if (operand.kind == Kind::number && op == "+") return operand;
        unknown(fmt::format("it uses the operator {}", op));
    }

    static Expression binary(const std::string& op, Expression left, Expression right) {
        std::vector<Expression> operands;
        operands.push_back(std::move(left));
        operands.push_back(std::move(right));
        for (const std::string_view known : {"=", "<>", "<", "<=", ">", ">="})
            if (op == known) return {Kind::comparison, op, std::move(operands)};
        if (op == "!=") return {Kind::comparison, "<>", std::move(operands)};
        for (const std::string_view known : {"+", "-", "*", "/", "%"})
            if (op == known) return {Kind::arithmetic, op, std::move(operands)};
        if (op == "||") return {Kind::concatenation, {}, std::move(operands)};
        if (op == "~~") return {Kind::like, {}, std::move(operands)};
        if (op == "!~~") return negated({Kind::like, {}, std::move(operands)});
        if (op == "~~*") return {Kind::ilike, {}, std::move(operands)};
        if (op == "!~~*") return negated({Kind::ilike, {}, std::move(operands)});
        unknown(fmt::format("it uses the operator {}", op));
    }

    static Expression membership(bool outside, Expression operand, std::vector<Expression> others) {
        if (others.empty()) unknown("it has an empty list");
        others.insert(others.begin(), std::move(operand));
        Expression in{Kind::in, {}, std::move(others)};
        return outside ? negated(std::move(in)) : in;
    }

    static Expression between(bool outside, const Expression& operand, const std::vector<Expression>& limits) {
        if (limits.size() != 2) unknown("it has an unknown BETWEEN");
        Expression inside{Kind::both, {}, {{Kind::comparison, ">=", {operand, limits[0]}}, {Kind::comparison, "<=", {operand, limits[1]}}}};
        return outside ? negated(std::move(inside)) : inside;
    }

    /// Of ARRAY[…] and of (ARRAY[…])::type[].
    static std::vector<Expression> elements(Expression array) {
        if (array.kind == Kind::list) return std::move(array.operands);
        if (array.kind != Kind::cast || !array.text.ends_with("[]") || array.operands.front().kind != Kind::list) unknown("it compares with an array");
        std::vector<Expression> result;
        const std::string type = array.text.substr(0, array.text.size() - 2);
        for (Expression& element : array.operands.front().operands) result.push_back({Kind::cast, type, {std::move(element)}});
        return result;
    }

    Expression null_test(const Json& node, int depth) {
        Expression test{Kind::is_null, {}, {read(member(node, "arg"), depth + 1)}};
        return text_member(node, "nulltesttype") == "IS_NULL" ? test : negated(std::move(test));
    }

    Expression boolean_test(const Json& node, int depth) {
        const std::string type = text_member(node, "booltesttype");
        const Kind kind = type.ends_with("TRUE") ? Kind::is_true : type.ends_with("FALSE") ? Kind::is_false : Kind::is_null;
        Expression test{kind, {}, {read(member(node, "arg"), depth + 1)}};
        return type.starts_with("IS_NOT_") ? negated(std::move(test)) : test;
    }

    Expression choice(const Json& node, int depth) {
        Expression result{Kind::choice, {}, {}};
        const Json& operand = member(node, "arg");
        for (const Json& wrapped : member(node, "args")) {
            const auto [kind, branch] = node_of(wrapped);
            if (kind != "CaseWhen") unknown("it has an unknown CASE");
            Expression condition = read(member(*branch, "expr"), depth + 1);
            if (!operand.is_null()) condition = {Kind::comparison, "=", {read(operand, depth + 1), std::move(condition)}};
            result.operands.push_back(std::move(condition));
            result.operands.push_back(read(member(*branch, "result"), depth + 1));
        }
        if (const Json& otherwise = member(node, "defresult"); !otherwise.is_null()) result.operands.push_back(read(otherwise, depth + 1));
        return result;
    }

    Expression function(const Json& node, int depth) {
        const std::string name = own_name(names(member(node, "funcname")));
        for (const char* special : {"agg_order", "agg_filter", "over", "agg_within_group", "agg_star", "agg_distinct", "func_variadic"})
            if (const Json& value = member(node, special); !value.is_null() && value != false) unknown(fmt::format("it calls {}() in an unknown way", name));
        return {Kind::function, name, list(member(node, "args"), depth)};
    }

    static Expression value_function(const Json& node) {
        std::string op = text_member(node, "op");
        if (!op.starts_with("SVFOP_") || op.ends_with("_N")) unknown("it asks for the time with a precision");
        op.erase(0, 6);
        std::transform(op.begin(), op.end(), op.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return {Kind::function, op, {}};
    }

    const std::string& text_;
};

}  // namespace

Expression parse_pg_expression(const std::string& text) { return Reader{text}.read(parse_tree(text)); }

ExpressionUse use_of_pg_expression(const std::string& text) {
    ExpressionUse use;
    const Json tree = parse_tree(text);
    std::vector<const Json*> open{&tree};
    while (!open.empty()) {
        const Json& node = *open.back();
        open.pop_back();
        if (node.is_object())
            for (const auto& [key, value] : node.items()) {
                if (key == "SubLink") unknown("it has a subquery");
                if (key == "ParamRef") unknown("it has a parameter");
                if (key == "FuncCall") use.functions.push_back(own_name(names(member(value, "funcname"))));
                if (key == "CollateClause") use.collations.push_back(own_name(names(member(value, "collname"))));
                if (key == "ColumnRef") {
                    const std::vector<std::string> parts = names(member(value, "fields"));
                    if (parts.size() != 1) unknown("it names a column by its table");
                    const std::size_t begin = value.value("location", std::size_t{0}) - kBefore.size();
                    // As PostgreSQL prints it: bare, or in double quotes.
                    std::size_t end = begin + parts.front().size();
                    if (begin < text.size() && text[begin] == '"') end = begin + quote_identifier(parts.front()).size();
                    use.columns.push_back({parts.front(), begin, std::min(end, text.size())});
                }
                open.push_back(&value);
            }
        else if (node.is_array())
            for (const Json& value : node) open.push_back(&value);
    }
    return use;
}

}  // namespace rowferry
