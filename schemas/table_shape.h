#pragma once

#include <vector>

#include "schemas/table_rules.h"

namespace rowferry {

/// The leader's tables as the follower gets them: renamed, with the types that are wanted, with the types that masked columns have. `leader` are the
/// tables of the stream with the columns that it carries (see schemas/table_subset.h); columns keep their number and order.
/// Throws RefusedError for what contradicts itself or would lose what tells rows apart.
[[nodiscard]] std::vector<TablePtr> shape_tables(const TableRules& rules, const std::vector<TablePtr>& leader, Engine follower);

/// One of them again, in another shape; `all` are the stream's others (and may hold the table itself).
[[nodiscard]] TablePtr shape_table(const TableRules& rules, const TablePtr& table, const std::vector<TablePtr>& all, Engine follower);

/// `[schema.]name`, parts in double quotes where they hold a dot. Throws UsageError.
[[nodiscard]] TableName parse_table_name(const std::string& text);

}  // namespace rowferry
