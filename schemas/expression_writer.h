#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/expression_tree.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// What an expression gives, as far as its meaning on the other engine depends on it.
enum class ValueSort : std::uint8_t { null, boolean, integer, decimal, real, text, padded, label, date, time, timestamp, timestamptz, uuid, bytes, other };

/// A part of an expression in the follower's dialect.
struct WrittenExpression {
    std::string text;
    ValueSort sort = ValueSort::other;
    bool constant = false;           ///< A literal; `value` is it.
    std::string value = {};
    std::string collation = {};      ///< SQLite leader: of a column or by COLLATE; empty for BINARY. PostgreSQL leader: "C" where that is sure.
    bool collated = false;           ///< SQLite leader: by COLLATE, which wins over columns and reaches through every operator and call.
    std::size_t width = 0;           ///< Of char(n).
    bool may_be_text = false;        ///< SQLite leader: a number that may also be a text such as -Infinity.
    const ColumnSchema* column = nullptr;  ///< A column and nothing else.
};

/// Writes the tree of a leader's expression for a follower of the other engine. Throws UnknownExpression for what has no exact equivalent.
class ExpressionWriter {
public:
    ExpressionWriter(const TableSchema& table, Engine to, const std::vector<std::string>& types) : table_{table}, to_{to}, types_{types} {}
    /// VALUE stands for this column.
    void set_domain_column(std::uint16_t column) { domain_column_ = column; }

    [[nodiscard]] std::string condition(const Expression& expression) const;
    [[nodiscard]] WrittenExpression value(const Expression& expression) const;

private:
    using Written = WrittenExpression;

    [[nodiscard]] bool to_sqlite() const noexcept { return to_ == Engine::sqlite; }
    [[nodiscard]] Written column(const Expression& expression) const;
    [[nodiscard]] Written logic(const Expression& expression) const;
    [[nodiscard]] std::string tested_for_null(const Expression& expression) const;
    [[nodiscard]] Written comparison(const Expression& expression) const;
    [[nodiscard]] Written compare(const std::string& op, Written left, Written right) const;
    [[nodiscard]] std::optional<Written> compare_decimal_text(const std::string& op, const Written& left, const Written& right) const;
    [[nodiscard]] bool is_decimal_text(const Written& written) const;
    [[nodiscard]] Written membership(const Expression& expression) const;
    [[nodiscard]] Written like(const Expression& expression) const;
    [[nodiscard]] Written glob(const Expression& expression) const;
    [[nodiscard]] Written choice(const Expression& expression) const;
    [[nodiscard]] Written function(const Expression& expression) const;
    [[nodiscard]] Written arithmetic(const Expression& expression) const;
    [[nodiscard]] Written concatenation(const Expression& expression) const;
    [[nodiscard]] Written cast(const Expression& expression) const;
    [[nodiscard]] Written collate(const Expression& expression) const;
    void make_alike(Written& left, Written& right) const;
    void fit_constant(Written& constant, const Written& other) const;
    [[nodiscard]] ValueSort unify(std::vector<Written>& values) const;
    [[nodiscard]] Written text_argument(const Expression& expression, const std::string& function) const;

    const TableSchema& table_;
    Engine to_;
    const std::vector<std::string>& types_;
    std::optional<std::uint16_t> domain_column_;
};

/// A PostgreSQL follower's own domain over numeric counts as numeric.
[[nodiscard]] const std::string& type_below_own_domain(const std::string& type);

/// What the follower's column of this type holds, if its values compare there as they do on the leader; else ValueSort::other.
[[nodiscard]] ValueSort column_sort(const TableSchema& table, const ColumnSchema& column, Engine to, const std::string& type);

/// A literal of the engine, from a text's characters or a number's digits. Both are written alike on both engines.
[[nodiscard]] WrittenExpression text_literal(const std::string& value);
[[nodiscard]] WrittenExpression number_literal(const std::string& digits);

/// Digits of a literal that count: `0.050` has two.
[[nodiscard]] std::size_t significant_digits(std::string_view number);

/// `operand` so that = on PostgreSQL compares it as SQLite does by `collation`.
[[nodiscard]] std::string folded_text(const std::string& collation, const std::string& operand);

/// Would SQLite make a number of this text where it meets numeric affinity?
[[nodiscard]] bool looks_like_number(const std::string& text);

}  // namespace rowferry
