#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/ascii.h"
#include "schemas/expression_tree.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

using Kind = Expression::Kind;
using Token = SqliteToken;

constexpr int kDeepestSqliteExpression = 150;


// How strongly SQLite's operators bind (https://www.sqlite.org/lang_expr.html, 2).
enum Strength { kOr = 1, kAnd, kNot, kEquality, kOrder, kBits, kSum, kProduct, kConcatenation, kCollate, kSign };

/// A parser by operator precedence for SQLite's expressions.
class Parser {
public:
    explicit Parser(std::string_view text) : text_{text}, tokens_{sqlite_tokens(text)} {}

    Expression whole() {
        Expression result = expression(kOr);
        if (at_ != tokens_.size()) unknown("it is no expression known here");
        return result;
    }

private:
    static const Token& end_token() {
        static const Token kEnd{Token::Kind::broken, "", 0, 0};
        return kEnd;
    }
    [[nodiscard]] const Token& peek(std::size_t ahead = 0) const { return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : end_token(); }
    bool take_word(std::string_view word) {
        if (!peek().is_word(word)) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view symbol) {
        if (!peek().is_symbol(symbol)) return false;
        ++at_;
        return true;
    }
    void expect(std::string_view symbol) {
        if (!take(symbol)) unknown("it is no expression known here");
    }
    void expect_word(std::string_view word) {
        if (!take_word(word)) unknown("it is no expression known here");
    }

    static Expression node(Kind kind, std::string text, Expression left, Expression right) {
        Expression result{kind, std::move(text), {}};
        result.operands.push_back(std::move(left));
        result.operands.push_back(std::move(right));
        return result;
    }
    static Expression node(Kind kind, Expression operand) {
        Expression result{kind, {}, {}};
        result.operands.push_back(std::move(operand));
        return result;
    }
    static Expression maybe_negated(bool negated, Expression expression) { return negated ? node(Kind::negation, std::move(expression)) : std::move(expression); }

    Expression expression(int weakest) {
        if (++depth_ > kDeepestSqliteExpression) unknown("it is nested too deeply");
        Expression left = prefix();
        int length = 0;
        while (infix(left, weakest))
            if (++length > kDeepestSqliteExpression) unknown("it is too long");
        --depth_;
        return left;
    }

    Expression prefix() {
        if (take_word("NOT")) {
            if (peek().is_word("EXISTS")) unknown("it has a subquery");
            return node(Kind::negation, expression(kNot));
        }
        if (take("-")) return signed_operand("-");
        if (take("+")) return signed_operand("+");
        if (peek().is_symbol("~")) unknown("it uses the operator ~");
        return primary();
    }

    Expression signed_operand(const char* sign) {
        Expression operand = expression(kSign);
        if (operand.kind != Kind::number) unknown(fmt::format("it uses the operator {}", sign));
        if (*sign == '-') operand.text = operand.text.starts_with("-") ? operand.text.substr(1) : "-" + operand.text;
        return operand;
    }

    /// One operator and its right side, if it binds at least as strongly as `weakest`.
    bool infix(Expression& left, int weakest) {
        const Token& token = peek();
        if (token.kind == Token::Kind::word) return word_infix(left, weakest);
        if (token.kind != Token::Kind::symbol) return false;
        struct Operator {
            std::string_view symbol;
            int strength;
            Kind kind;
            std::string_view text;
        };
        static constexpr std::array<Operator, 14> kOperators{{{"=", kEquality, Kind::comparison, "="},
                                                              {"==", kEquality, Kind::comparison, "="},
                                                              {"<>", kEquality, Kind::comparison, "<>"},
                                                              {"!=", kEquality, Kind::comparison, "<>"},
                                                              {"<", kOrder, Kind::comparison, "<"},
                                                              {"<=", kOrder, Kind::comparison, "<="},
                                                              {">", kOrder, Kind::comparison, ">"},
                                                              {">=", kOrder, Kind::comparison, ">="},
                                                              {"+", kSum, Kind::arithmetic, "+"},
                                                              {"-", kSum, Kind::arithmetic, "-"},
                                                              {"*", kProduct, Kind::arithmetic, "*"},
                                                              {"/", kProduct, Kind::arithmetic, "/"},
                                                              {"%", kProduct, Kind::arithmetic, "%"},
                                                              {"||", kConcatenation, Kind::concatenation, ""}}};
        for (const Operator& op : kOperators) {
            if (token.value != op.symbol) continue;
            if (op.strength < weakest) return false;
            ++at_;
            left = node(op.kind, std::string{op.text}, std::move(left), expression(op.strength + 1));
            return true;
        }
        if (token.value != ")" && token.value != ",") unknown(fmt::format("it uses the operator {}", token.value));
        return false;
    }

    bool word_infix(Expression& left, int weakest) {
        if (peek().is_word("AND")) return logic(left, weakest, kAnd, Kind::both);
        if (peek().is_word("OR")) return logic(left, weakest, kOr, Kind::either);
        if (peek().is_word("COLLATE")) {
            if (kCollate < weakest) return false;
            ++at_;
            if (!peek().is_name()) unknown("it is no expression known here");
            left = node(Kind::collate, std::move(left));
            left.text = tokens_[at_++].value;
            return true;
        }
        static constexpr std::array<std::string_view, 10> kWords{"IS", "ISNULL", "NOTNULL", "NOT", "IN", "LIKE", "GLOB", "BETWEEN", "REGEXP", "MATCH"};
        if (std::none_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return peek().is_word(word); })) return false;
        if (kEquality < weakest) return false;
        if (take_word("ISNULL")) {
            left = node(Kind::is_null, std::move(left));
        } else if (take_word("NOTNULL")) {
            left = maybe_negated(true, node(Kind::is_null, std::move(left)));
        } else if (take_word("IS")) {
            left = is_test(std::move(left));
        } else {
            const bool negated = take_word("NOT");
            left = negated && take_word("NULL") ? maybe_negated(true, node(Kind::is_null, std::move(left)))
                                                : maybe_negated(negated, membership(std::move(left)));
        }
        return true;
    }

    bool logic(Expression& left, int weakest, int strength, Kind kind) {
        if (strength < weakest) return false;
        ++at_;
        left = node(kind, {}, std::move(left), expression(strength + 1));
        return true;
    }

    Expression is_test(Expression left) {
        bool negated = take_word("NOT");
        if (take_word("DISTINCT")) {
            expect_word("FROM");
            negated = !negated;
        }
        if (take_word("NULL")) return maybe_negated(negated, node(Kind::is_null, std::move(left)));
        if (take_word("TRUE")) return maybe_negated(negated, node(Kind::is_true, std::move(left)));
        if (take_word("FALSE")) return maybe_negated(negated, node(Kind::is_false, std::move(left)));
        return node(negated ? Kind::different : Kind::same, {}, std::move(left), expression(kOrder));
    }

    Expression membership(Expression left) {
        if (take_word("IN")) {
            if (!take("(")) unknown("it compares with a table");
            if (peek().is_word("SELECT") || peek().is_word("WITH") || peek().is_word("VALUES")) unknown("it has a subquery");
            Expression result = node(Kind::in, std::move(left));
            do result.operands.push_back(expression(kOr));
            while (take(","));
            expect(")");
            return result;
        }
        if (take_word("BETWEEN")) {
            Expression low = expression(kOrder);
            expect_word("AND");
            Expression high = expression(kOrder);
            Expression from = node(Kind::comparison, ">=", left, std::move(low));
            return node(Kind::both, {}, std::move(from), node(Kind::comparison, "<=", std::move(left), std::move(high)));
        }
        for (const auto& [word, kind] : {std::pair{"LIKE", Kind::like}, std::pair{"GLOB", Kind::glob}}) {
            if (!take_word(word)) continue;
            Expression result = node(kind, {}, std::move(left), expression(kOrder));
            if (take_word("ESCAPE")) result.operands.push_back(expression(kOrder));
            return result;
        }
        unknown(fmt::format("it uses {}", peek().value));
    }

    Expression primary() {
        const Token& token = peek();
        switch (token.kind) {
            case Token::Kind::number:
                ++at_;
                if (token.value.find_first_not_of("0123456789.eE+-") != std::string::npos) unknown("a number in it is written in an unknown way");
                return {Kind::number, token.value, {}};
            case Token::Kind::text: ++at_; return {Kind::string, token.value, {}};
            case Token::Kind::blob: ++at_; return {Kind::blob, token.value, {}};
            case Token::Kind::quoted_name:
            case Token::Kind::word: return name();
            case Token::Kind::symbol:
                if (take("(")) {
                    if (peek().is_word("SELECT") || peek().is_word("WITH") || peek().is_word("VALUES")) unknown("it has a subquery");
                    Expression inner = expression(kOr);
                    expect(")");
                    return inner;
                }
                break;
            case Token::Kind::broken: break;
        }
        unknown("it is no expression known here");
    }

    Expression name() {
        const Token token = peek();
        if (token.kind == Token::Kind::word) {
            if (take_word("NULL")) return {Kind::null, {}, {}};
            if (take_word("TRUE")) return {Kind::boolean, "true", {}};
            if (take_word("FALSE")) return {Kind::boolean, "false", {}};
            for (const char* time : {"current_timestamp", "current_date", "current_time"})
                if (take_word(time)) return {Kind::function, time, {}};
            if (take_word("CASE")) return choice();
            if (peek().is_word("CAST") && peek(1).is_symbol("(")) return cast();
            for (const char* reserved : {"select", "exists", "raise", "and", "or", "not", "is", "in", "like", "when", "then", "else", "end", "collate"})
                if (token.is_word(reserved)) unknown(token.is_word("exists") || token.is_word("select") ? "it has a subquery" : "it is no expression known here");
        }
        ++at_;
        if (peek().is_symbol(".")) unknown("it names a column by its table");
        if (peek().is_symbol("(")) return call(lower(token.value));
        return {text_[token.begin] == '"' ? Kind::name_or_text : Kind::column, token.value, {}};
    }

    Expression call(std::string name) {
        expect("(");
        Expression result{Kind::function, std::move(name), {}};
        if (peek().is_symbol("*") || peek().is_word("DISTINCT")) unknown(fmt::format("it calls {}() in an unknown way", result.text));
        if (!take(")")) {
            do result.operands.push_back(expression(kOr));
            while (take(","));
            expect(")");
        }
        if (peek().is_word("FILTER") || peek().is_word("OVER")) unknown(fmt::format("it calls {}() in an unknown way", result.text));
        return result;
    }

    Expression cast() {
        at_ += 2;
        Expression result = node(Kind::cast, expression(kOr));
        expect_word("AS");
        int open = 0;
        for (; at_ < tokens_.size() && (open > 0 || !peek().is_symbol(")")); ++at_) {
            open += peek().is_symbol("(") ? 1 : peek().is_symbol(")") ? -1 : 0;
            result.text += (result.text.empty() || !peek().is_name() ? "" : " ") + lower(peek().value);
        }
        expect(")");
        return result;
    }

    Expression choice() {
        Expression result{Kind::choice, {}, {}};
        std::optional<Expression> operand;
        if (!peek().is_word("WHEN")) operand = expression(kOr);
        while (take_word("WHEN")) {
            Expression condition = expression(kOr);
            if (operand) condition = node(Kind::comparison, "=", *operand, std::move(condition));
            expect_word("THEN");
            result.operands.push_back(std::move(condition));
            result.operands.push_back(expression(kOr));
        }
        if (result.operands.empty()) unknown("it is no expression known here");
        if (take_word("ELSE")) result.operands.push_back(expression(kOr));
        expect_word("END");
        return result;
    }

    std::string_view text_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

/// Words that are no column when they stand alone in an expression.
bool is_keyword(const Token& token) {
    static constexpr std::array<std::string_view, 34> kKeywords{
        "and", "or", "not", "is", "in", "like", "glob", "regexp", "match", "between", "escape", "isnull", "notnull", "null", "true", "false", "case",
        "when", "then", "else", "end", "cast", "as", "collate", "distinct", "from", "current_timestamp", "current_date", "current_time", "filter",
        "over", "exists", "select", "raise"};
    return std::any_of(kKeywords.begin(), kKeywords.end(), [&](std::string_view word) { return token.is_word(word); });
}

}  // namespace

Expression parse_sqlite_expression(std::string_view text) { return Parser{text}.whole(); }

ExpressionUse use_of_sqlite_expression(const std::string& text) {
    ExpressionUse use;
    const std::vector<Token> tokens = sqlite_tokens(text);
    int open = 0;
    int cast_type = 0;  // the parenthesis depth at which the type of a CAST stands
    std::vector<int> casts;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const Token& token = tokens[i];
        const bool call = i + 1 < tokens.size() && tokens[i + 1].is_symbol("(");
        if (token.kind == Token::Kind::broken || token.is_symbol(";") || token.is_symbol("?") || token.is_symbol(":") || token.is_symbol("@") ||
            token.is_symbol("$") || token.is_symbol("#"))
            unknown("it is no expression of SQLite");
        if (token.is_word("select") || token.is_word("exists") || token.is_word("raise")) unknown("it has a subquery");
        if (token.is_symbol(".")) unknown("it names a column by its table");
        if (token.is_symbol("(")) ++open;
        if (token.is_symbol(")") && --open < 0) unknown("it is no expression of SQLite");
        if (token.is_symbol(")") && cast_type > open) cast_type = 0;
        if (!token.is_name() || cast_type > 0) continue;
        if (token.is_word("cast") && call) {
            casts.push_back(open + 1);
        } else if (token.is_word("as") && !casts.empty() && casts.back() == open) {
            casts.pop_back();
            cast_type = open;
        } else if (token.is_word("collate") && i + 1 < tokens.size()) {
            use.collations.push_back(tokens[++i].value);
        } else if (call && !is_keyword(token)) {
            use.functions.push_back(lower(token.value));
        } else if (token.is_word("like") || token.is_word("glob") || token.is_word("regexp") || token.is_word("match")) {
            use.functions.push_back(lower(token.value));
        } else if (!is_keyword(token)) {
            use.columns.push_back({token.value, token.begin, token.end, token.kind == Token::Kind::quoted_name && text[token.begin] == '"'});
        }
    }
    if (open != 0 || tokens.empty()) unknown("it is no expression of SQLite");
    return use;
}

}  // namespace rowferry
