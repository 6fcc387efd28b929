#pragma once

#include <map>
#include <string>
#include <vector>

#include "applier/postgresql/pg_query.h"
#include "schemas/checkpoint.h"

namespace rowferry {

/// Our tables on a PostgreSQL follower: rowferry.checkpoint, one row per stream, and rowferry.table_state, one per stream and table. The
/// sink moves the checkpoint itself, in the transaction of its rows; everything else about them is here. `run` decides on the transaction.
namespace pg_checkpoints {

[[nodiscard]] bool exist(const PgRun& run);
/// Empty without the tables. Throws HaltError for a newer layout.
[[nodiscard]] std::vector<Checkpoint> load(const PgRun& run);

/// Makes schema and tables where they are missing.
void create_tables(const PgRun& run);

/// Writes the checkpoint and its table states, replacing what the stream had. `made`: tables that we made (and finish with indexes).
void write(const PgRun& run, const Checkpoint& checkpoint, const std::map<TableName, bool>& made);
/// Which of the stream's tables (leader names) we made in a copy that is not finished.
[[nodiscard]] std::map<TableName, bool> made_tables(const PgRun& run, const std::string& stream);

/// One line per removed object. Without `stream` every stream's. The tables go with the last stream, the schema if nothing else is in it.
std::vector<std::string> drop(const PgRun& run, const std::vector<std::string>& streams, bool dry_run);

}  // namespace pg_checkpoints
}  // namespace rowferry
