#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "db/sqlite.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A table's filter, evaluated by SQLite itself, in our own process and over values that were read already: never in a trigger, where an
/// expression that fails would fail the application's statement.
///
/// The row under question stands in a table in memory whose columns have the names, affinities and collations of the leader's, so that the
/// expression means there what it means on the leader. It stands in a generated column of that table, because SQLite's rules for those are ours:
/// no subqueries, no functions that give another result tomorrow, none that the application made. One thread.
class RowFilter {
public:
    /// `table` is the leader's whole table, `encoding` what its file says of itself (PRAGMA encoding). Throws RefusedError.
    RowFilter(const TableSchema& table, const std::string& expression, const std::string& encoding);

    /// Indexes of the table's columns that the expression reads.
    [[nodiscard]] const ColumnIndexes& columns() const noexcept { return columns_; }
    /// Is it true for this row? NULL counts as false. `value` gives the cell of a column. Throws HaltError when it cannot be evaluated.
    [[nodiscard]] bool passes(const std::function<Cell(std::uint16_t)>& value);

private:
    void make_table(const TableSchema& table, const std::string& expression);
    void read_columns(const TableSchema& table, const std::string& expression);

    std::string name_;  ///< Of the table, for messages.
    SqliteDatabase db_;
    ColumnIndexes columns_;
    SqliteStatement set_;
    SqliteStatement test_;
};

/// `WHERE` and the expression, so that nothing in it reaches beyond its parentheses; empty for an empty expression.
[[nodiscard]] std::string where_clause(const std::string& expression);

}  // namespace rowferry
