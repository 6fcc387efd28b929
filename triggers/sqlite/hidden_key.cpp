#include "triggers/sqlite/hidden_key.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/conversion.h"
#include "schemas/expression_tree.h"
#include "schemas/expression_writer.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Kind = Expression::Kind;

// None of them raises an error, whatever it is given. SQLite has others that do (abs, every function of JSON), and a row that the application
// means to be ignored must not fail in a trigger of ours.
constexpr std::array<std::string_view, 29> kNeverFail{
    "coalesce", "date",   "datetime", "hex",  "ifnull",  "iif",       "instr", "julianday", "length", "likely",
    "unlikely", "lower",  "ltrim",    "max",  "min",     "nullif",    "quote", "replace",   "round",  "rtrim", "sign",   "strftime",
    "substr",   "substring", "time",  "trim", "typeof",  "unicode",   "upper"};

enum class Group { number, text, none };

/// One index of one table.
class HiddenKeyReader {
public:
    explicit HiddenKeyReader(const SqliteTable& table) : table_{table.schema}, stored_{table.stored_generated} {}

    HiddenKey read(const ExpressionIndex& index) {
        HiddenKey key{index.name, {}, {}};
        if (index.keys.empty()) throw UnknownExpression{"its text was not understood"};
        if (!index.predicate.empty()) key.condition = fmt::format("({}) AND ({})", for_row(index.predicate, "NEW"), for_row(index.predicate, "r"));
        for (const ExpressionIndex::Key& part : index.keys)
            key.condition += fmt::format("{}({}) = ({}) COLLATE {}", key.condition.empty() ? "" : " AND ", for_row(part.expression, "r"), for_row(part.expression, "NEW"),
                                         quote_identifier(part.collation.empty() ? "BINARY" : part.collation));
        std::sort(columns_.begin(), columns_.end());
        columns_.erase(std::unique(columns_.begin(), columns_.end()), columns_.end());
        key.columns = columns_;
        return key;
    }

private:
    /// The expression with every column taken from `row`.
    std::string for_row(const std::string& expression, std::string_view row) {
        check(parse_sqlite_expression(expression));
        std::string text = expression;
        std::vector<ExpressionUse::Name> names = use_of_sqlite_expression(expression).columns;
        std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.begin > b.begin; });
        for (const ExpressionUse::Name& name : names) {
            const std::optional<std::string> column = column_called(name.name);
            if (!column && !name.maybe_text) throw UnknownExpression{fmt::format("it reads {}, which is no column of the table", printable(name.name, 80))};
            text.replace(name.begin, name.end - name.begin, column ? fmt::format("{}.{}", row, quote_identifier(*column)) : quote_literal(name.name));
        }
        return text;
    }

    /// The column as the table spells it, and a note of what it stands for.
    std::optional<std::string> column_called(const std::string& name) {
        for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            if (!same_sqlite_name(table_.columns[i].name, name)) continue;
            const auto number = static_cast<std::uint16_t>(i);
            // A BEFORE trigger does not know the number that a row without one will get.
            if (table_.columns[i].auto_number == AutoNumber::by_default) throw UnknownExpression{"it reads the row's number, which is not known before the row is written"};
            for (const auto& [stored, expression] : stored_)
                if (stored == number) check_generated(expression);
            columns_.push_back(number);
            return table_.columns[i].name;
        }
        const auto generated = std::ranges::find_if(table_.generated, [&](const GeneratedColumn& column) { return same_sqlite_name(column.name, name); });
        if (generated == table_.generated.end()) return std::nullopt;
        check_generated(generated->expression);
        return generated->name;
    }

    /// SQLite computes it before any trigger sees the row, and where it fails, it fails there.
    void check_generated(const std::string& expression) {
        for (const ExpressionUse::Name& used : use_of_sqlite_expression(expression).columns)
            if (!column_called(used.name) && !used.maybe_text) throw UnknownExpression{fmt::format("it reads {}, which is no column of the table", printable(used.name, 80))};
    }

    void check(const Expression& expression) const {
        switch (expression.kind) {
            case Kind::function:
                if (std::find(kNeverFail.begin(), kNeverFail.end(), expression.text) == kNeverFail.end())
                    throw UnknownExpression{fmt::format("it calls {}(), which may fail where the application's statement would not", printable(expression.text, 80))};
                break;
            case Kind::comparison:
            case Kind::same:
            case Kind::different: check_comparison(expression.operands.at(0), expression.operands.at(1)); break;
            case Kind::in:
                for (std::size_t i = 1; i < expression.operands.size(); ++i) check_comparison(expression.operands[0], expression.operands[i]);
                break;
            case Kind::like:
            case Kind::ilike:
            case Kind::glob:
                // A pattern of more than 50,000 bytes and an escape of more than one character are errors.
                for (std::size_t i = 1; i < expression.operands.size(); ++i)
                    if (expression.operands[i].kind != Kind::string || expression.operands[i].text.size() > (i == 1 ? 1000U : 1U))
                        throw UnknownExpression{"it has a pattern that is not a short constant"};
                break;
            default: break;
        }
        for (const Expression& operand : expression.operands) check(operand);
    }

    /// Over NEW no affinity is applied. Where that could make a difference, the key is not known.
    void check_comparison(const Expression& left, const Expression& right) const {
        const std::optional<Group> a = affinity(left);
        const std::optional<Group> b = affinity(right);
        const bool alike = a && b ? *a == *b : a ? needs_no_affinity(*a, right) : !b || needs_no_affinity(*b, left);
        if (!alike) throw UnknownExpression{"it compares values of different types"};
    }

    /// Of a bare column; nothing for everything else, which is the same over both rows.
    [[nodiscard]] std::optional<Group> affinity(const Expression& expression) const {
        if (expression.kind == Kind::collate) return affinity(expression.operands.at(0));
        if (expression.kind != Kind::column && expression.kind != Kind::name_or_text) return std::nullopt;
        const auto group_of = [&](const std::string& type) {
            if (is_strict_any(table_, type)) return Group::none;
            switch (sqlite_affinity(type)) {
                case Affinity::text: return Group::text;
                case Affinity::blob: return Group::none;
                default: return Group::number;
            }
        };
        for (const ColumnSchema& column : table_.columns)
            if (same_sqlite_name(column.name, expression.text)) return group_of(column.type);
        for (const GeneratedColumn& column : table_.generated)
            if (same_sqlite_name(column.name, expression.text)) return group_of(column.type);
        return std::nullopt;
    }

    [[nodiscard]] static bool needs_no_affinity(Group column, const Expression& other) {
        switch (other.kind) {
            case Kind::null:
            case Kind::blob: return true;
            case Kind::number:
            case Kind::boolean: return column != Group::text;
            case Kind::name_or_text:  // affinity() found no such column
            case Kind::string: return column != Group::number || !looks_like_number(other.text);
            default: return column == Group::none && other.kind != Kind::cast && other.kind != Kind::collate;
        }
    }

    const TableSchema& table_;
    const std::vector<std::pair<std::uint16_t, std::string>>& stored_;
    ColumnIndexes columns_;
};

/// Rows that agree in the row's number are one row: what is in the way of it by such an index is also by the number, which everybody knows.
bool holds_row_number(const TableSchema& table, const ExpressionIndex& index) {
    return std::ranges::any_of(table.columns, [&](const ColumnSchema& column) {
        return column.auto_number == AutoNumber::by_default &&
               std::ranges::any_of(index.keys, [&](const ExpressionIndex::Key& key) { return key.expression == quote_identifier(column.name); });
    });
}

}  // namespace

HiddenKeys hidden_keys(const SqliteTable& table) {
    HiddenKeys result;
    for (const ExpressionIndex& index : table.hidden_indexes) {
        if (holds_row_number(table.schema, index)) continue;
        try {
            if (table.schema.identity.empty() && table.rowid_name.empty()) throw UnknownExpression{"the table has no key, and its columns hide every name of the rowid"};
            result.keys.push_back(HiddenKeyReader{table}.read(index));
        } catch (const UnknownExpression& why) {
            result.unseen.push_back(fmt::format("rows that REPLACE removes because of the unique index {} could not be seen: {}", printable(index.name, 100), why.what()));
        }
    }
    return result;
}

}  // namespace rowferry
