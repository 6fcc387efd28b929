#include "triggers/sqlite/capture_store.h"

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "triggers/sqlite/change_table.h"

namespace rowferry {
namespace {

constexpr std::string_view kSelectStreams =
    "SELECT name, follower_id, acked_seq, acked_tag, tables, exact_replace, broken FROM main.rowferry_stream";

StreamRecord stream_of(const SqliteStatement& row) {
    StreamRecord stream;
    stream.name = row.text(0);
    stream.follower_id = row.text(1);
    stream.acked_seq = static_cast<std::uint64_t>(row.integer(2));
    stream.acked_tag = row.integer(3);
    stream.tables = split_numbers(row.text(4));
    stream.exact_replace = row.integer(5) != 0;
    if (!row.is_null(6)) stream.broken = row.text(6);
    return stream;
}

std::string join_lists(const std::vector<std::vector<std::uint16_t>>& lists) {
    std::string text;
    for (const auto& list : lists) text += (text.empty() ? "" : ";") + join_numbers(list);
    return text;
}

}  // namespace

bool capture_installed(SqliteDatabase& db) {
    if (db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_meta'") == 0) return false;
    const std::string layout = db.query_text("SELECT value FROM main.rowferry_meta WHERE key = 'layout'");
    if (layout != std::to_string(kCaptureLayout))
        throw HaltError{fmt::format("{}: its change table has layout {}, this rowferry knows {}: use the version that made it",
                                    printable(db.path()), printable(layout, 20), kCaptureLayout)};
    return true;
}

std::string read_leader_id(SqliteDatabase& db) {
    return capture_installed(db) ? db.query_text("SELECT value FROM main.rowferry_meta WHERE key = 'leader'") : std::string{};
}

std::vector<StreamRecord> read_streams(SqliteDatabase& db) {
    std::vector<StreamRecord> streams;
    SqliteStatement rows = db.prepare(fmt::format("{} ORDER BY name", kSelectStreams));
    while (rows.step()) streams.push_back(stream_of(rows));
    return streams;
}

std::optional<StreamRecord> read_stream(SqliteDatabase& db, const std::string& name) {
    SqliteStatement row = db.prepare(fmt::format("{} WHERE name = ?1", kSelectStreams));
    row.bind(1, name);
    if (!row.step()) return std::nullopt;
    return stream_of(row);
}

void write_stream(SqliteDatabase& db, const StreamRecord& stream) {
    SqliteStatement insert = db.prepare(
        "INSERT INTO main.rowferry_stream(name, follower_id, created, acked_seq, acked_tag, tables, exact_replace) "
        "VALUES(?1, ?2, datetime('now'), ?3, ?4, ?5, ?6)");
    insert.bind(1, stream.name).bind(2, stream.follower_id).bind(3, static_cast<std::int64_t>(stream.acked_seq)).bind(4, stream.acked_tag);
    insert.bind(5, join_numbers(stream.tables)).bind(6, static_cast<std::int64_t>(stream.exact_replace ? 1 : 0));
    insert.run();
}

void write_stream_tables(SqliteDatabase& db, const std::string& stream, const std::vector<std::uint16_t>& tables) {
    SqliteStatement update = db.prepare("UPDATE main.rowferry_stream SET tables = ?2, broken = NULL WHERE name = ?1");
    update.bind(1, stream).bind(2, join_numbers(tables));
    update.run();
}

void mark_broken(SqliteDatabase& db, const std::string& stream, const std::string& why) {
    SqliteStatement update = db.prepare("UPDATE main.rowferry_stream SET broken = ?2 WHERE name = ?1 AND broken IS NULL");
    update.bind(1, stream).bind(2, why);
    update.run();
}

std::vector<CapturedTable> read_captured_tables(SqliteDatabase& db) {
    std::vector<CapturedTable> tables;
    SqliteStatement rows = db.prepare("SELECT number, name, key, replace_keys FROM main.rowferry_table ORDER BY number");
    while (rows.step()) {
        CapturedTable table{static_cast<std::uint16_t>(rows.integer(0)), rows.text(1), split_numbers(rows.text(2)), {}};
        if (!rows.is_null(3)) table.replace_keys = split_number_lists(rows.text(3));
        tables.push_back(std::move(table));
    }
    return tables;
}

void write_captured_table(SqliteDatabase& db, const CapturedTable& table) {
    // An UPSERT would do, but plain statements work on every SQLite and in the same way.
    SqliteStatement remove = db.prepare("DELETE FROM main.rowferry_table WHERE number = ?1");
    remove.bind(1, static_cast<std::int64_t>(table.number));
    remove.run();
    SqliteStatement insert = db.prepare("INSERT INTO main.rowferry_table(number, name, key, replace_keys) VALUES(?1, ?2, ?3, ?4)");
    insert.bind(1, static_cast<std::int64_t>(table.number)).bind(2, table.name).bind(3, join_numbers(table.key));
    if (table.replace_keys)
        insert.bind(4, join_lists(*table.replace_keys));
    else
        insert.bind_null(4);
    insert.run();
}

LogEnd read_log_end(SqliteDatabase& db) {
    SqliteStatement row = db.prepare("SELECT seq, tag FROM main.rowferry_change ORDER BY seq DESC LIMIT 1");
    if (!row.step()) return {};
    return {static_cast<std::uint64_t>(row.integer(0)), row.integer(1)};
}

std::optional<std::int64_t> read_tag(SqliteDatabase& db, std::uint64_t seq) {
    SqliteStatement row = db.prepare("SELECT tag FROM main.rowferry_change WHERE seq = ?1");
    row.bind(1, static_cast<std::int64_t>(seq));
    if (!row.step()) return std::nullopt;
    return row.integer(0);
}

LogEnd append_marker(SqliteDatabase& db) {
    db.execute("INSERT INTO main.rowferry_change(tag,tbl,op) VALUES(random(),0,'M')");
    return read_log_end(db);
}

}  // namespace rowferry
