#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_rules.h"

namespace rowferry {

/// Does every rule speak of a table that is selected, and every name in it of a column of such a table? A rename of one table only? `tables`
/// are whole, as the leader has them. Throws RefusedError that lists the names there are.
void check_rules(const TableRules& rules, const std::vector<const TableSchema*>& tables);

/// The columns that a stream carries of a table: those that are listed or not excluded, without the dropped ones. Indexes of `table`.
[[nodiscard]] ColumnIndexes carried_columns(const RulesOfTable& rules, const TableSchema& table);

/// `table` with these columns only (in column order). What stands on a column that is left out goes with it: keys, indexes, foreign keys, checks,
/// generated columns, each with a line in not_carried. Throws RefusedError when the identity needs a column that is left out.
[[nodiscard]] TableSchema with_columns(const TableSchema& table, const ColumnIndexes& columns);

/// Does an expression of the leader mention a name? Says yes too often rather than too rarely.
[[nodiscard]] bool mentions(std::string_view expression, std::string_view name);

/// `a, b, c` for messages.
[[nodiscard]] std::string column_list(const TableSchema& table);

}  // namespace rowferry
