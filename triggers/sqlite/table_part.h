#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schemas/leader.h"
#include "db/row_filter.h"

namespace rowferry {

/// The part of a table that a stream carries. The log has every column of it, for all streams.
struct TablePart {
    TablePtr carried;                   ///< What the stream's events are made of.
    TablePtr whole;                     ///< As the triggers log it; the same pointer where everything is carried.
    ColumnIndexes columns;              ///< Of `whole`, one for each of `carried`.
    std::shared_ptr<RowFilter> filter;  ///< Null without one.
    std::string expression;             ///< Of the filter.
    /// A row that the filter keeps out, or an update that leaves it, may have displaced another one by REPLACE without a word in the log.
    bool may_displace = false;
};

/// Throws RefusedError for what would lose changes: a filter over columns that are not logged for a row's old image, unique keys that the follower
/// would need to see what REPLACE removed. `whole` has the identity that is logged. A snapshot without a stream only needs rows and columns.
[[nodiscard]] TablePart part_of_table(const StreamRequest& request, const TablePtr& whole, const std::string& encoding);

/// Every row and column.
[[nodiscard]] TablePart whole_part(const TablePtr& table);

}  // namespace rowferry
