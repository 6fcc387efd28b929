#pragma once

#include <string>
#include <vector>

#include "applier/sqlite/sqlite_table_info.h"
#include "db/sqlite.h"
#include "schemas/follower.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {

/// Can these tables be copied into this file? Reads only. Throws RefusedError; returns notes for the log. `unfinished`: the stream's own
/// checkpoint in state `copying`, or null. `checkpoints`: all of this file.
[[nodiscard]] std::vector<std::string> check_sqlite_tables(SqliteDatabase& db, const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                                           const Checkpoint* unfinished, const std::vector<Checkpoint>& checkpoints);

/// Folded names of the tables that are in the file or will be: those a foreign key may point at.
[[nodiscard]] std::vector<std::string> sqlite_present_tables(SqliteDatabase& db, const std::vector<TablePtr>& tables);

/// The indexes that the follower's table does not have yet.
[[nodiscard]] std::vector<SqliteIndex> missing_indexes(const TableSchema& table, const FollowerTable& follower);

/// The same for those with a predicate or over expressions.
[[nodiscard]] std::vector<SqliteExpressionIndex> missing_expression_indexes(SqliteDatabase& db, const TableSchema& table, const FollowerTable& follower);

[[nodiscard]] bool has_rows(SqliteDatabase& db, const std::string& table);

}  // namespace rowferry
