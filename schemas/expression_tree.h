#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/identity.h"

namespace rowferry {

/// An SQL expression of either engine, as far as it is known here. What the words mean depends on the engine it came from.
struct Expression {
    enum class Kind : std::uint8_t {
        null,
        boolean,     ///< `text`: true or false.
        number,      ///< `text`: digits with sign, point and exponent as they were written.
        string,      ///< `text`: its characters.
        blob,        ///< `text`: hexadecimal digits.
        column,      ///< `text`: its name. VALUE in a domain's CHECK is the column "value".
        name_or_text,  ///< SQLite, in double quotes: a column's name, or a text where no column is called so.
        negation,    ///< NOT.
        both,        ///< AND, two operands.
        either,      ///< OR, two operands.
        comparison,  ///< `text`: = <> < <= > >=.
        same,        ///< IS NOT DISTINCT FROM; SQLite: IS.
        different,   ///< IS DISTINCT FROM; SQLite: IS NOT.
        arithmetic,  ///< `text`: + - * / %.
        concatenation,
        is_null,
        is_true,     ///< And is_false: never NULL themselves.
        is_false,
        in,          ///< The first operand among the others.
        like,        ///< Operand, pattern, and perhaps the escape character.
        ilike,
        glob,        ///< SQLite.
        choice,      ///< CASE: condition, result, condition, result …, and perhaps the last result.
        function,    ///< `text`: its name in lower case; COALESCE and NULLIF are functions here.
        cast,        ///< `text`: the type's name in lower case, with its modifiers.
        collate,     ///< `text`: the collation's name.
        list,        ///< ARRAY[…].
    };
    Kind kind = Kind::null;
    std::string text;
    std::vector<Expression> operands;
};

/// Why an expression is not known here. Caught by ExpressionTranslator.
class UnknownExpression : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
[[noreturn]] inline void unknown(const std::string& what) { throw UnknownExpression{what}; }

/// Both throw UnknownExpression for whatever they do not know. `text` is one expression, nothing before or behind it.
[[nodiscard]] Expression parse_pg_expression(const std::string& text);
[[nodiscard]] Expression parse_sqlite_expression(std::string_view text);

/// What an expression on its way to the same engine uses, so that it can go there as it stands.
struct ExpressionUse {
    struct Name {
        std::string name;       ///< As the catalog has it.
        std::size_t begin = 0;  ///< Bytes [begin, end) of the text.
        std::size_t end = 0;
        bool maybe_text = false;  ///< SQLite: in double quotes, a text unless there is such a column.
    };
    std::vector<Name> columns;
    std::vector<std::string> functions;   ///< Lower case; PostgreSQL: with its schema unless that is pg_catalog.
    std::vector<std::string> collations;
};
/// Throws UnknownExpression, also for subqueries, parameters and qualified names.
[[nodiscard]] ExpressionUse use_of_pg_expression(const std::string& text);
[[nodiscard]] ExpressionUse use_of_sqlite_expression(const std::string& text);

}  // namespace rowferry
