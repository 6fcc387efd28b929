#pragma once

#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

struct SqliteTable;

/// A unique index that no list of logged columns describes: partial, over an expression, or over a column that is computed when it is read. A row
/// that REPLACE displaces by it is known to nobody who has only the log, so BEFORE triggers note it (ReplaceTracker judges).
struct HiddenKey {
    std::string index;
    std::string condition;  ///< SQL: does `r`, a row of the table, hold the key that NEW is about to take?
    ColumnIndexes columns;  ///< All logged columns that decide it: rows with the same values in these have the same key.
    friend bool operator==(const HiddenKey&, const HiddenKey&) = default;
};

struct HiddenKeys {
    std::vector<HiddenKey> keys;
    std::vector<std::string> unseen;  ///< For indexes whose key a trigger cannot work out: the end of a sentence that begins with the table.
};

/// The condition is exact: it computes the index's own expressions over both rows, and only what cannot fail for any value and gives the same
/// over NEW, which has no type affinity, as over a row of the table. Pure.
[[nodiscard]] HiddenKeys hidden_keys(const SqliteTable& table);

}  // namespace rowferry
