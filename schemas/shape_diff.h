#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// One thing in which a table's shape changed, small enough that a follower can be brought along by it alone.
struct ShapeStep {
    enum class Kind : std::uint8_t {
        rename_label,   ///< Of an enum: `neighbour` became `label`.
        add_label,      ///< To an enum, next to `neighbour`.
        rename_table,
        drop_column,
        rename_column,
        change_type,    ///< To one that holds every old value (is_widening).
        drop_not_null,
        add_column,     ///< ColumnSchema::missing_value of the column after it: what older rows have in it.
        set_not_null,
        set_default,    ///< Or dropped, where default_expression is empty.
    };
    Kind kind = Kind::rename_table;
    std::uint16_t before = 0;  ///< Column of the shape before; not for add_column, labels and tables.
    std::uint16_t after = 0;   ///< Column of the shape after; not for drop_column, labels and tables.
    std::string type{};        ///< Labels: the enum's name as SQL writes it.
    std::string label{};
    std::string neighbour{};   ///< add_label: empty for the only label.
    bool in_front = false;     ///< add_label: before `neighbour` instead of behind it.
    friend bool operator==(const ShapeStep&, const ShapeStep&) = default;
};

/// What a follower has to do to come from one shape to the next.
struct ShapeDiff {
    std::vector<ShapeStep> steps;  ///< In an order in which they can be done.
    std::string obstacle;          ///< Why they are not enough; empty when they are.
    /// There is a step without which the follower cannot take the leader's next rows, or would differ from it.
    [[nodiscard]] bool needs_work() const;
};

/// PostgreSQL: columns are told apart by their number, so that one that was dropped and added again by the same name is a drop and an add.
/// SQLite: by their place (the log of changes stops where one was dropped), or by name where one of the shapes does not know it.
[[nodiscard]] ShapeDiff diff_shapes(const TableSchema& before, const TableSchema& after);

/// Constraints and defaults can wait: the rows that arrive are the leader's and keep its rules.
[[nodiscard]] bool is_optional(ShapeStep::Kind kind);

/// `column c integer was added`: for messages.
[[nodiscard]] std::string describe_step(const ShapeStep& step, const TableSchema& before, const TableSchema& after);
/// All of them and the obstacle, joined.
[[nodiscard]] std::string describe_diff(const ShapeDiff& diff, const TableSchema& before, const TableSchema& after);

/// Can a column of PostgreSQL type `from` become `to` by PostgreSQL's own cast so that every old value means what it meant? Both as
/// format_type() writes them, below domains. The text form stays as well, but for real, which shows more digits as double precision.
[[nodiscard]] bool is_widening(const std::string& from, const std::string& to);

/// The index of the column in `after` that is `column` of `before`; nothing when it is gone.
[[nodiscard]] std::optional<std::uint16_t> same_column(const TableSchema& before, std::uint16_t column, const TableSchema& after);

}  // namespace rowferry
