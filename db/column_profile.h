#pragma once

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// Looks at every value of the table, in whatever transaction is open, and fills the profiles of its columns: one scan, constant memory.
/// INTEGER PRIMARY KEY columns are known to hold integers: only their limits are looked up.
/// `filter`: only of rows for which this is true; empty: of all.
void profile_columns(SqliteDatabase& db, TableSchema& table, const std::string& filter, const StopSignal& stop);

/// Takes one value in. Pure.
void add_to_profile(ColumnProfile& profile, const Cell& cell);

}  // namespace rowferry
