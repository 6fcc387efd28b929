#include "schemas/expression.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/expression_default.h"
#include "schemas/expression_tree.h"
#include "schemas/expression_writer.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

/// What every SQLite of the last years has, whatever it was compiled with. No functions of the mathematical library, which it may lack.
constexpr std::array<std::string_view, 53> kSqliteFunctions{
    "abs", "char", "coalesce", "date", "datetime", "format", "glob", "hex", "ifnull", "iif", "instr", "json", "json_array", "json_array_length",
    "json_extract", "json_insert", "json_object", "json_patch", "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
    "julianday", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nullif", "printf", "quote", "random", "randomblob",
    "replace", "round", "rtrim", "sign", "strftime", "substr", "substring", "time", "trim", "typeof", "unicode", "unixepoch", "unlikely", "upper",
    "zeroblob"};

bool is_sqlite_collation(const std::string& name) {
    const std::string folded = sqlite_folded(name);
    return folded == "binary" || folded == "nocase" || folded == "rtrim";
}

/// Runs `translate` and makes its UnknownExpression the reason.
template <typename Translate>
Translation attempt(Translate translate) {
    try {
        return translate();
    } catch (const UnknownExpression& error) {
        return {{}, error.what(), {}};
    }
}

const std::string& leader_name(const ColumnSchema& column) { return column.leader_name.empty() ? column.name : column.leader_name; }

}  // namespace

bool is_sqlite_function(std::string_view name) {
    const std::string folded = sqlite_folded(name);
    return std::find(kSqliteFunctions.begin(), kSqliteFunctions.end(), folded) != kSqliteFunctions.end();
}

ExpressionTranslator::ExpressionTranslator(const TableSchema& table, Engine to, std::vector<std::string> types)
    : table_{table}, to_{to}, types_{std::move(types)} {}

/// To the same engine: as it stands but for the names of renamed columns.
Translation ExpressionTranslator::unchanged(const std::string& expression) const {
    const bool sqlite = table_.engine == Engine::sqlite;
    const ExpressionUse use = sqlite ? use_of_sqlite_expression(expression) : use_of_pg_expression(expression);
    for (const std::string& function : use.functions) {
        if (sqlite ? !is_sqlite_function(function) : function.find('.') != std::string::npos)
            throw UnknownExpression{fmt::format("it calls {}(), which a follower need not have", printable(function, 80))};
        if (!sqlite && (function == "nextval" || function == "currval" || function == "setval" || function == "lastval"))
            throw UnknownExpression{"it uses a sequence of the leader"};
    }
    for (const std::string& collation : use.collations)
        if (sqlite && !is_sqlite_collation(collation))
            throw UnknownExpression{fmt::format("it uses the collation {}, which only the application has", printable(collation, 80))};
    std::string text = expression;
    std::vector<ExpressionUse::Name> names = use.columns;
    std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.begin > b.begin; });
    for (const ExpressionUse::Name& name : names) {
        const auto same = [&](const std::string& other) { return sqlite ? sqlite_folded(other) == sqlite_folded(name.name) : other == name.name; };
        const auto column = std::find_if(table_.columns.begin(), table_.columns.end(), [&](const ColumnSchema& c) { return same(leader_name(c)); });
        const bool generated = std::any_of(table_.generated.begin(), table_.generated.end(), [&](const GeneratedColumn& c) { return same(c.name); });
        if (column == table_.columns.end() && !generated && !name.maybe_text)
            throw UnknownExpression{fmt::format("the follower has no column {}", printable(name.name, 80))};
        if (column == table_.columns.end() || column->leader_name.empty() || column->leader_name == column->name) continue;
        text.replace(name.begin, name.end - name.begin, quote_identifier(column->name));
    }
    return {std::move(text), {}, {}};
}

Translation ExpressionTranslator::condition(const std::string& expression) const {
    return attempt([&]() -> Translation {
        if (table_.engine == to_) return unchanged(expression);
        const Expression tree = table_.engine == Engine::sqlite ? parse_sqlite_expression(expression) : parse_pg_expression(expression);
        return {ExpressionWriter{table_, to_, types_}.condition(tree), {}, {}};
    });
}

Translation ExpressionTranslator::key(const std::string& expression, const std::string& collation) const {
    return attempt([&]() -> Translation {
        if (table_.engine == to_) return unchanged(expression);
        const Expression tree = table_.engine == Engine::sqlite ? parse_sqlite_expression(expression) : parse_pg_expression(expression);
        const WrittenExpression written = ExpressionWriter{table_, to_, types_}.value(tree);
        if (written.constant) throw UnknownExpression{"it is a constant"};
        // Columns are compared as they are in plain indexes.
        if (written.sort == ValueSort::other && written.column == nullptr) throw UnknownExpression{"its values have another form on the follower"};
        const bool folds = to_ == Engine::postgresql && written.sort == ValueSort::text && !collation.empty();
        return {folds ? folded_text(collation, written.text) : written.text, {}, {}};
    });
}

Translation ExpressionTranslator::index_body(const ExpressionIndex& index) const {
    const bool to_sqlite = to_ == Engine::sqlite;
    std::string keys;
    for (const ExpressionIndex::Key& part : index.keys) {
        Translation translation = key(part.expression, to_sqlite ? std::string{} : part.collation);
        if (!translation.done()) return translation;
        std::string text = to_sqlite ? translation.text : "(" + translation.text + ")";
        if (to_sqlite && table_.engine == Engine::sqlite && !part.collation.empty()) {
            if (!is_sqlite_collation(part.collation)) return {{}, "its collation is one of the application's own", {}};
            text += " COLLATE " + part.collation;
        }
        keys += fmt::format("{}{}{}", keys.empty() ? "" : ", ", text, part.descending ? " DESC" : "");
    }
    if (index.predicate.empty()) return {"(" + keys + ")", {}, {}};
    Translation where = condition(index.predicate);
    if (where.done()) where.text = fmt::format("({}) WHERE {}", keys, where.text);
    return where;
}

Translation ExpressionTranslator::generated(const GeneratedColumn& column, const std::string& type) const {
    return attempt([&]() -> Translation {
        if (table_.engine == to_) return unchanged(column.expression);
        const Expression tree = table_.engine == Engine::sqlite ? parse_sqlite_expression(column.expression) : parse_pg_expression(column.expression);
        const WrittenExpression written = ExpressionWriter{table_, to_, types_}.value(tree);
        ColumnSchema as_column;
        as_column.name = column.name;
        as_column.type = as_column.base_type = column.type;
        as_column.value_class = table_.engine == Engine::sqlite ? sqlite_value_class(column.type) : pg_value_class(column.type);
        const bool cut = table_.engine == Engine::postgresql && !parse_pg_type(column.type).modifiers.empty();
        const ValueSort sort = column_sort(table_, as_column, to_, type);
        const bool fits = written.sort == ValueSort::text || written.sort == ValueSort::integer || written.sort == ValueSort::boolean;
        if (cut || !fits || sort != written.sort) throw UnknownExpression{fmt::format("what it gives would change in a column of type {}", printable(type, 80))};
        return {written.text, {}, {}};
    });
}

Translation ExpressionTranslator::domain_check(std::uint16_t column, const std::string& expression) const {
    return attempt([&]() -> Translation {
        if (table_.engine == to_) throw UnknownExpression{"it belongs to the domain"};
        ExpressionWriter writer{table_, to_, types_};
        writer.set_domain_column(column);
        return {writer.condition(parse_pg_expression(expression)), {}, {}};
    });
}

std::vector<const UserType*> ExpressionTranslator::domains(std::uint16_t column) const {
    std::vector<const UserType*> result;
    if (table_.engine != Engine::postgresql) return result;
    std::string type = table_.columns.at(column).type;
    while (result.size() < table_.types.size()) {
        const auto named = [&](const UserType& user) {
            if (user.kind != UserType::Kind::domain) return false;
            const auto quoted = [](const std::string& name) {
                const bool plain = !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
                return plain && (name[0] < '0' || name[0] > '9') ? name : quote_identifier(name);
            };
            return type == quoted(user.name.name) || type == quoted(user.name.schema) + "." + quoted(user.name.name);
        };
        const auto found = std::find_if(table_.types.begin(), table_.types.end(), named);
        if (found == table_.types.end()) break;
        result.push_back(&*found);
        type = found->base;
    }
    return result;
}

Translation ExpressionTranslator::default_value(std::uint16_t column) const {
    std::string expression = table_.columns.at(column).default_expression;
    // A follower of the same engine has the domain itself.
    if (table_.engine != to_)
        for (const UserType* domain : domains(column))
            if (expression.empty()) expression = domain->default_expression;
    // Numbers are primed, not taken from the leader's sequence.
    if (expression.empty() || table_.columns[column].auto_number != AutoNumber::none) return {};
    return attempt([&]() -> Translation {
        if (table_.engine == to_) return unchanged_default(expression);
        const DefaultWriter writer{table_, column, types_.at(column)};
        return to_ == Engine::sqlite ? writer.for_sqlite(expression) : writer.for_postgresql(expression);
    });
}

/// Behind DEFAULT SQLite takes a bare word for a text; in parentheses it would be a column.
Translation ExpressionTranslator::unchanged_default(const std::string& expression) const {
    if (table_.engine == Engine::postgresql) return unchanged(expression);
    const ExpressionUse use = use_of_sqlite_expression(expression);
    if (use.columns.size() == 1 && use.columns[0].begin == 0 && use.columns[0].end == expression.size())
        return {quote_literal(use.columns[0].name), {}, {}};
    for (const ExpressionUse::Name& name : use.columns)
        if (!name.maybe_text) throw UnknownExpression{fmt::format("it names {}", printable(name.name, 80))};
    for (const std::string& function : use.functions)
        if (!is_sqlite_function(function)) throw UnknownExpression{fmt::format("it calls {}(), which a follower need not have", printable(function, 80))};
    if (!use.collations.empty()) throw UnknownExpression{"it uses a collation"};
    return {expression, {}, {}};
}

std::vector<std::string> expression_columns(Engine engine, const std::string& expression) {
    try {
        const ExpressionUse use = engine == Engine::sqlite ? use_of_sqlite_expression(expression) : use_of_pg_expression(expression);
        std::vector<std::string> names;
        for (const ExpressionUse::Name& name : use.columns) {
            const auto same = [&](const std::string& other) { return engine == Engine::sqlite ? sqlite_folded(other) == sqlite_folded(name.name) : other == name.name; };
            if (std::none_of(names.begin(), names.end(), same)) names.push_back(name.name);
        }
        return names;
    } catch (const UnknownExpression& error) {
        throw RefusedError{fmt::format("the expression {} cannot be taken apart: {}", printable(expression), error.what())};
    }
}

}  // namespace rowferry
