#pragma once

#include <optional>
#include <string>

#include "db/sqlite.h"
#include "db/stop_signal.h"

namespace rowferry {

/// Where two SQLite databases differ, in words; nothing when their tables, rows (with rowids), numbering, indexes, triggers and views are the same. What is rowferry's own does not count.
/// Each has a transaction open, or nobody writes to it. Values do not appear in the text.
[[nodiscard]] std::optional<std::string> first_difference(SqliteDatabase& leader, SqliteDatabase& scratch, const StopSignal& stop);

}  // namespace rowferry
