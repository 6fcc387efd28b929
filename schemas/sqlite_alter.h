#pragma once

#include <string>
#include <vector>

#include "schemas/cell.h"
#include "schemas/shape_diff.h"

namespace rowferry {

/// DDL text that brings a table of a SQLite follower from one shape to the next. Pure. `table` is what the table is called when the step is
/// due. Constraints and defaults of columns that are there cannot be changed in SQLite: no statement.
///
/// `old_value`: what old rows have in a column that was added, as a SQL literal; empty: NULL.
[[nodiscard]] std::vector<std::string> sqlite_alter(const ShapeStep& step, const TableSchema& after, const TableSchema& before, const std::string& table,
                                                    const std::string& old_value);

/// A sent cell as SQL text.
[[nodiscard]] std::string sqlite_literal(const Cell& cell);

}  // namespace rowferry
