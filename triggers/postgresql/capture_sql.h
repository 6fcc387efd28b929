#pragma once

#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry::pg_capture {

// What trigger capture is made of on a PostgreSQL leader, as SQL. All of it lives in the schema `rowferry`:
//
//   capture_stream    one row per stream: whose it is, what its follower has acknowledged
//   capture_member    its tables, with the numbers of the triggers that its gaplessness rests on
//   capture_tick      numbered snapshots: the positions. A later one sees all that an earlier one sees
//   capture_change    the log, shared by all streams, in kSlots partitions that are written in turn and emptied by TRUNCATE
//   capture_slot      which of them is written now
//   capture_sequence  the order of the log
//   capture_*()       the trigger functions and make_tick()
//
// The triggers rowferry_insert, rowferry_update, rowferry_delete and rowferry_truncate stand on the application's tables.

/// Counts up when the objects change; another rowferry's are refused, never misread.
inline constexpr int kLayout = 3;
inline constexpr int kSlots = 3;

/// How the triggers of a table log: statements with transition tables, or row by row. Row by row costs several times as much, and knows the version of each row.
enum class Level : char { statement = 's', row = 'r' };

/// Statements that make everything in the schema that is not there yet.
[[nodiscard]] std::vector<std::string> make_objects();
/// Statements that remove all of it but the schema.
[[nodiscard]] std::vector<std::string> remove_objects();

/// Statements that put our triggers on a table, enabled for every session.
[[nodiscard]] std::vector<std::string> make_triggers(const TableName& table, Level level);
[[nodiscard]] std::vector<std::string> remove_triggers(const TableName& table);

}  // namespace rowferry::pg_capture
