#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/table_schema.h"
#include "triggers/sqlite/capture_store.h"

namespace rowferry {

// How a change of a captured table's shape gets into the log.
//
// SQLite runs no trigger for DDL, so the reader notices a change by the schema's version, at its next look or after a long absence. It then
// writes the new shape into the log itself, as an 'S' row, in one short write transaction with everything that belongs to it:
//
//   application   I U  ALTER TABLE t ADD COLUMN c   I U U            I U …
//   log           i u                               i u u   S U' U'  i u …
//                 ── without c, as the triggers knew it ──          ── with c ──
//
// Rows in front of S have the old shape, rows behind it the new one: whoever reads the log later, or for another stream, sees the same. Rows
// that were inserted or updated between the ALTER and S may have a value in the new column that no trigger logged; the U' are those rows as
// they are now. Every other row has what ADD COLUMN gave it. Renames (SQLite adapts our triggers by itself) and DROP TABLE are S alone.

/// The shapes of these tables at the end of the log, as far as 'S' rows behind `after` tell of changes; dropped ones are left out.
[[nodiscard]] std::vector<TablePtr> shapes_at_end(SqliteDatabase& db, std::vector<TablePtr> shapes, std::uint64_t after);

/// What a look at the captured tables finds.
struct ShapeFindings {
    bool changed = false;          ///< In a way that log_shape_changes() can follow.
    std::vector<TablePtr> shapes;  ///< Otherwise: as they were, with the present unique keys (the same pointer where nothing changed).
};

/// Everything that makes the log complete and readable: the triggers are there with exactly our text and newer than the user's, the
/// columns are those of `shapes` (at the end of the log) or changed in a way that can be followed, their keys still are keys. Call in the
/// read transaction of the rows. Throws HaltError; `where` names file, stream and position.
[[nodiscard]] ShapeFindings examine_capture(SqliteDatabase& db, const std::vector<TablePtr>& shapes, const std::string& where);

/// Writes what changed since `shapes` into the log. The caller holds the write transaction. `after`: a position of the log at which the tables
/// still had these shapes. Throws HaltError as examine_capture(), and when too many rows would have to be logged again.
void log_shape_changes(SqliteDatabase& db, const std::vector<TablePtr>& shapes, std::uint64_t after, const std::string& where);

}  // namespace rowferry
