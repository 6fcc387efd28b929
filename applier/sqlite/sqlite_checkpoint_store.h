#pragma once

#include <string>
#include <vector>

#include "db/sqlite.h"
#include "schemas/batch.h"
#include "schemas/checkpoint.h"
#include "schemas/sink.h"

namespace rowferry {

/// The tables `rowferry_checkpoint` and `rowferry_table_state` of a follower file: what it durably knows about its streams. Every write
/// belongs to a transaction of the caller.
namespace sqlite_checkpoints {

/// Every checkpoint; nothing is created. Throws HaltError for a layout newer than ours.
[[nodiscard]] std::vector<Checkpoint> load(SqliteDatabase& db);

/// Makes the tables when they are missing.
void create_tables(SqliteDatabase& db);

/// Writes a stream's checkpoint and table states anew. A checkpoint without tables keeps those of an unfinished copy: they say which
/// tables hold nothing but that copy's rows.
void write(SqliteDatabase& db, const Checkpoint& checkpoint);

/// Turns the stream's `copying` row of the same follower id and term into `ready`. Throws HaltError unless exactly that row is there.
void finish(SqliteDatabase& db, const Checkpoint& ready);

/// Removes the rows of one stream, and the tables when none is left. Returns one line per removed object; `dry_run` only says so.
[[nodiscard]] std::vector<std::string> remove(SqliteDatabase& db, const std::string& stream, bool dry_run);

}  // namespace sqlite_checkpoints

/// Moves one stream's checkpoint forward, transaction by transaction. Belongs to its database.
class SqliteCheckpointWriter {
public:
    SqliteCheckpointWriter(SqliteDatabase& db, Checkpoint checkpoint);

    [[nodiscard]] const Checkpoint& checkpoint() const noexcept { return checkpoint_; }

    /// Compare-and-set on position and term, inside the caller's transaction. Throws HaltError when the row is not as we left it.
    void advance(const CheckpointAdvance& advance);
    /// Writes a table's new shape, in the transaction of the change; a table that was dropped is forgotten.
    void change_shape(const ShapeChange& change);
    /// The transaction with the last advance() is committed.
    void committed() noexcept { checkpoint_.position = checkpoint_.acked = pending_; }

private:
    SqliteDatabase& db_;
    Checkpoint checkpoint_;
    Position pending_;
    SqliteStatement update_;
};

}  // namespace rowferry
