#include "applier/sqlite/sqlite_checkpoint_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/sqlite/sqlite_table_copier.h"

#include "schemas/identifier.h"

namespace rowferry {
namespace {

bool has_table(SqliteDatabase& db, const char* name) {
    SqliteStatement found = db.prepare("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1");
    return found.bind(1, std::string_view{name}).step();
}

Position read_position(const std::string& text, PositionKind* kind = nullptr) {
    try {
        const ParsedPosition parsed = parse_position(text);
        if (kind != nullptr) *kind = parsed.kind;
        return parsed.position;
    } catch (const UsageError& error) {
        throw HaltError{fmt::format("the checkpoint holds a position that this version cannot read: {}", error.what())};
    }
}

void check_layout(SqliteDatabase& db) {
    const std::int64_t layout = db.query_integer("SELECT coalesce(max(layout), 0) FROM main.rowferry_checkpoint");
    if (layout > kCheckpointLayout)
        throw HaltError{fmt::format("{}: the checkpoint has layout {}, this rowferry knows up to {}; use the newer rowferry that wrote it",
                                    printable(db.path()), layout, kCheckpointLayout)};
}

std::vector<TableState> load_tables(SqliteDatabase& db, const std::string& stream) {
    std::vector<TableState> tables;
    SqliteStatement rows = db.prepare("SELECT schema, name, included_to, shape FROM main.rowferry_table_state WHERE stream = ?1 ORDER BY schema, name");
    rows.bind(1, std::string_view{stream});
    while (rows.step()) tables.push_back({{rows.text(0), rows.text(1)}, read_position(rows.text(2)), table_from_json(rows.text(3))});
    return tables;
}

void write_tables(SqliteDatabase& db, const Checkpoint& checkpoint) {
    db.prepare("DELETE FROM main.rowferry_table_state WHERE stream = ?1").bind(1, std::string_view{checkpoint.stream}).run();
    SqliteStatement insert = db.prepare("INSERT INTO main.rowferry_table_state (stream, schema, name, included_to, shape) VALUES (?1, ?2, ?3, ?4, ?5)");
    for (const TableState& table : checkpoint.tables) {
        insert.bind(1, std::string_view{checkpoint.stream}).bind(2, std::string_view{table.name.schema}).bind(3, std::string_view{table.name.name});
        insert.bind(4, std::string_view{to_string(checkpoint.position_kind, table.included_to)}).bind(5, std::string_view{to_json(table.shape)});
        insert.run();
    }
}

/// Parameters 1 to 12, in the order of the columns.
void bind_checkpoint(SqliteStatement& statement, const Checkpoint& checkpoint) {
    statement.bind(1, std::string_view{checkpoint.stream}).bind(2, std::string_view{checkpoint.follower_id});
    statement.bind(3, std::string_view{to_string(checkpoint.leader)}).bind(4, to_string(checkpoint.capture));
    statement.bind(5, to_string(checkpoint.state)).bind(6, std::string_view{to_string(checkpoint.position_kind, checkpoint.position)});
    statement.bind(7, Cell::blob(checkpoint.resume)).bind(8, checkpoint.commit_time_us);
    statement.bind(9, std::string_view{to_string(checkpoint.position_kind, checkpoint.acked)});
    statement.bind(10, static_cast<std::int64_t>(checkpoint.term)).bind(11, std::string_view{checkpoint.selection});
    statement.bind(12, std::int64_t{kCheckpointLayout});
}

}  // namespace

namespace sqlite_checkpoints {

std::vector<Checkpoint> load(SqliteDatabase& db) {
    std::vector<Checkpoint> checkpoints;
    if (!has_table(db, "rowferry_checkpoint")) return checkpoints;
    check_layout(db);
    SqliteStatement rows = db.prepare(
        "SELECT stream, follower_id, leader, capture, state, position, resume, commit_time, acked, term, selection "
        "FROM main.rowferry_checkpoint ORDER BY stream");
    while (rows.step()) {
        Checkpoint checkpoint;
        checkpoint.stream = rows.text(0);
        checkpoint.follower_id = rows.text(1);
        checkpoint.leader = parse_identity(rows.text(2));
        checkpoint.capture = parse_capture_method(rows.text(3));
        checkpoint.state = parse_checkpoint_state(rows.text(4));
        checkpoint.position = read_position(rows.text(5), &checkpoint.position_kind);
        const Cell resume = rows.cell(6);
        if (resume.kind() == CellKind::blob || resume.kind() == CellKind::text) checkpoint.resume = resume.bytes();
        checkpoint.commit_time_us = rows.integer(7);
        checkpoint.acked = read_position(rows.text(8));
        checkpoint.term = static_cast<std::uint64_t>(rows.integer(9));
        checkpoint.selection = rows.text(10);
        checkpoint.tables = load_tables(db, checkpoint.stream);
        checkpoints.push_back(std::move(checkpoint));
    }
    return checkpoints;
}

void create_tables(SqliteDatabase& db) {
    if (has_table(db, "rowferry_checkpoint")) check_layout(db);
    db.execute(
        "CREATE TABLE IF NOT EXISTS main.rowferry_checkpoint ("
        "stream TEXT NOT NULL PRIMARY KEY, follower_id TEXT NOT NULL, leader TEXT NOT NULL, capture TEXT NOT NULL, state TEXT NOT NULL, "
        "position TEXT NOT NULL, resume BLOB NOT NULL, commit_time INTEGER NOT NULL, acked TEXT NOT NULL, term INTEGER NOT NULL, "
        "selection TEXT NOT NULL, layout INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS main.rowferry_table_state ("
        "stream TEXT NOT NULL, schema TEXT NOT NULL, name TEXT NOT NULL, included_to TEXT NOT NULL, shape TEXT NOT NULL, "
        "PRIMARY KEY (stream, schema, name))");
}

void write(SqliteDatabase& db, const Checkpoint& checkpoint) {
    db.prepare("DELETE FROM main.rowferry_checkpoint WHERE stream = ?1").bind(1, std::string_view{checkpoint.stream}).run();
    SqliteStatement insert = db.prepare(
        "INSERT INTO main.rowferry_checkpoint (stream, follower_id, leader, capture, state, position, resume, commit_time, acked, term, selection, "
        "layout) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
    bind_checkpoint(insert, checkpoint);
    insert.run();
    if (!checkpoint.tables.empty()) write_tables(db, checkpoint);
}

void finish(SqliteDatabase& db, const Checkpoint& ready) {
    SqliteStatement update = db.prepare(
        "UPDATE main.rowferry_checkpoint SET leader = ?3, capture = ?4, state = ?5, position = ?6, resume = ?7, commit_time = ?8, acked = ?9, "
        "selection = ?11, layout = ?12 WHERE stream = ?1 AND follower_id = ?2 AND term = ?10 AND state = 'copying'");
    bind_checkpoint(update, ready);
    if (update.run() != 1)
        throw HaltError{fmt::format("{}: the copy of stream {} was taken over by another rowferry process; start again", printable(db.path()), ready.stream)};
    write_tables(db, ready);
}

std::vector<std::string> remove(SqliteDatabase& db, const std::string& stream, bool dry_run) {
    std::vector<std::string> lines;
    if (!has_table(db, "rowferry_checkpoint")) return lines;
    const auto has_stream = [&] {
        SqliteStatement found = db.prepare("SELECT 1 FROM main.rowferry_checkpoint WHERE stream = ?1");
        return found.bind(1, std::string_view{stream}).step();
    }();
    const auto others = [&] {
        SqliteStatement found = db.prepare("SELECT 1 FROM main.rowferry_checkpoint WHERE stream <> ?1");
        return found.bind(1, std::string_view{stream}).step();
    }();
    if (has_stream) lines.push_back(fmt::format("checkpoint of stream {} in {}", stream, printable(db.path())));
    if (!others) lines.push_back(fmt::format("tables rowferry_checkpoint and rowferry_table_state in {}", printable(db.path())));
    if (dry_run) return lines;
    drop_sqlite_table_copies(db, stream, !others);
    for (const char* table : {"rowferry_checkpoint", "rowferry_table_state"})
        db.prepare(fmt::format("DELETE FROM main.{} WHERE stream = ?1", table)).bind(1, std::string_view{stream}).run();
    // Only in the file of a stream that keeps no rows.
    if (has_table(db, "rowferry_given")) db.prepare("DELETE FROM main.rowferry_given WHERE stream = ?1").bind(1, std::string_view{stream}).run();
    if (!others) db.execute("DROP TABLE main.rowferry_table_state; DROP TABLE main.rowferry_checkpoint; DROP TABLE IF EXISTS main.rowferry_given");
    return lines;
}

}  // namespace sqlite_checkpoints

SqliteCheckpointWriter::SqliteCheckpointWriter(SqliteDatabase& db, Checkpoint checkpoint)
    : db_{db},
      checkpoint_{std::move(checkpoint)},
      pending_{checkpoint_.position},
      update_{db.prepare("UPDATE main.rowferry_checkpoint SET position = ?1, acked = ?1, resume = coalesce(?2, resume), "
                         "commit_time = coalesce(nullif(?3, 0), commit_time), leader = coalesce(?7, leader) WHERE stream = ?4 AND position = ?5 AND term = ?6 AND state = 'ready'")} {}

void SqliteCheckpointWriter::advance(const CheckpointAdvance& advance) {
    const std::string from = to_string(checkpoint_.position_kind, checkpoint_.position);
    const std::string to = to_string(checkpoint_.position_kind, advance.position);
    if (advance.position < checkpoint_.position)
        throw HaltError{fmt::format("stream {}: the position would go back from {} to {}", checkpoint_.stream, from, to)};
    update_.bind(1, std::string_view{to}).bind(3, advance.commit_time_us).bind(4, std::string_view{checkpoint_.stream});
    if (advance.keep_resume)
        update_.bind_null(2);
    else
        update_.bind(2, Cell::blob(advance.resume));
    if (advance.leader == nullptr)
        update_.bind_null(7);
    else
        update_.bind(7, std::string_view{to_string(*advance.leader)});
    update_.bind(5, std::string_view{from}).bind(6, static_cast<std::int64_t>(checkpoint_.term));
    if (update_.run() != 1)
        throw HaltError{fmt::format("{}: the checkpoint of stream {} is no longer at {} in term {}: another process has moved or removed it; "
                                    "see that only one rowferry applies this stream, then start again",
                                    printable(db_.path()), checkpoint_.stream, from, checkpoint_.term)};
    pending_ = advance.position;
}

void SqliteCheckpointWriter::change_shape(const ShapeChange& change) {
    const TableName old = change.before->name;
    const auto state = std::ranges::find(checkpoint_.tables, old, &TableState::name);
    if (state == checkpoint_.tables.end()) throw HaltError{fmt::format("{}: the stream has no such table", to_string(old))};
    if (change.leader_after == nullptr) {
        SqliteStatement remove = db_.prepare("DELETE FROM main.rowferry_table_state WHERE stream = ?1 AND schema = ?2 AND name = ?3");
        remove.bind(1, std::string_view{checkpoint_.stream}).bind(2, std::string_view{old.schema}).bind(3, std::string_view{old.name});
        remove.run();
        checkpoint_.tables.erase(state);
        return;
    }
    state->name = change.leader_after->name;
    state->shape = *change.leader_after;
    SqliteStatement update = db_.prepare("UPDATE main.rowferry_table_state SET schema = ?4, name = ?5, shape = ?6 WHERE stream = ?1 AND schema = ?2 AND name = ?3");
    update.bind(1, std::string_view{checkpoint_.stream}).bind(2, std::string_view{old.schema}).bind(3, std::string_view{old.name});
    update.bind(4, std::string_view{state->name.schema}).bind(5, std::string_view{state->name.name});
    const std::string shape = to_json(state->shape);
    update.bind(6, std::string_view{shape});
    update.run();
}

}  // namespace rowferry
