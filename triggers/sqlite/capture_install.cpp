#include "triggers/sqlite/capture_install.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/change_table.h"
#include "triggers/sqlite/trigger_check.h"

namespace rowferry {
namespace {

void create_tables(SqliteDatabase& db, const CaptureRequest& request) {
    if (capture_installed(db)) return;
    std::size_t keys = 0;
    std::size_t columns = 0;
    for (const std::string& name : request.tables) {
        const auto table = read_sqlite_table(db, name);
        if (!table) continue;
        keys = std::max(keys, logged_key(table->schema).size());
        columns = std::max(columns, table->schema.columns.size());
    }
    for (const std::string& sql : create_capture_tables_sql(keys, columns)) db.execute(sql);
    db.execute(fmt::format("INSERT INTO main.rowferry_meta(key, value) VALUES('leader', lower(hex(randomblob(16)))), ('layout', '{}')",
                           kCaptureLayout));
}

void take_over_unfinished(SqliteDatabase& db, const CaptureRequest& request) {
    const auto previous = read_stream(db, request.stream);
    if (!previous) return;
    if (previous->follower_id != request.follower_id)
        throw RefusedError{
            fmt::format("{}: the stream \"{}\" belongs to another follower: choose another --stream, or remove it with `rowferry drop`",
                        printable(db.path()), request.stream)};
    (void)remove_stream(db, request.stream, false);
}

bool contains(const std::vector<std::uint16_t>& numbers, std::uint16_t number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::size_t count_columns(SqliteDatabase& db, char prefix) {
    SqliteStatement count = db.prepare("SELECT count(*) FROM pragma_table_info('rowferry_change', 'main') WHERE name GLOB ?1");
    count.bind(1, std::string{prefix} + "[0-9]*");
    return count.step() ? static_cast<std::size_t>(count.integer(0)) : 0;
}

void widen(SqliteDatabase& db, char prefix, std::size_t wanted) {
    for (std::size_t i = count_columns(db, prefix); i < wanted; ++i) db.execute(add_change_column_sql(prefix, i));
}

/// Makes the triggers of one table be there, for a stream that begins now.
class TableInstaller {
public:
    TableInstaller(SqliteDatabase& db, const CaptureRequest& request)
        : db_{db}, request_{request}, others_{read_streams(db)}, captured_{read_captured_tables(db)} {
        // What the stream itself relied on before is void.
        std::erase_if(others_, [&](const StreamRecord& other) { return other.name == request.stream; });
    }

    std::uint16_t install(const std::string& name) {
        auto table = read_sqlite_table(db_, name);
        if (!table)
            throw RetryableError{
                fmt::format("{}: table {} went away while the stream was being set up", printable(db_.path()), printable(name, 100))};
        CapturedTable captured = record_of(table->schema.name.name);
        std::vector<std::string> sharing;
        bool shared_exact = false;
        for (const StreamRecord& other : others_) {
            if (!contains(other.tables, captured.number)) continue;
            sharing.push_back(other.name);
            shared_exact = shared_exact || other.exact_replace;
        }
        const bool keep_key = !sharing.empty() && is_valid_identity(table->schema, captured.key);
        if (!keep_key) captured.key = table->schema.identity;
        table->schema.identity = captured.key;
        table->schema.leader_id = captured.number;
        if (sharing.empty()) captured.replace_keys.reset();

        const TriggerList triggers{db_};
        const auto problem = sharing.empty() ? std::optional<std::string>{"new"} : triggers.problem(*table, captured);
        widen(db_, 'k', logged_key(table->schema).size());
        widen(db_, 'n', table->schema.columns.size());
        if (problem) {
            for (const std::string& other : sharing)
                mark_broken(db_, other, fmt::format("{}: {}", to_string(table->schema.name), *problem));
            recreate(triggers, *table, captured);
        }
        if (!captured.replace_keys && (request_.exact_replace || shared_exact)) add_replace_triggers(*table, captured);
        write_captured_table(db_, captured);
        return captured.number;
    }

    void reshape(const SqliteTable& now, CapturedTable captured) {
        const bool exact = captured.replace_keys.has_value();
        widen(db_, 'k', logged_key(now.schema).size());
        widen(db_, 'n', now.schema.columns.size());
        captured.name = now.schema.name.name;
        recreate(TriggerList{db_}, now, captured);
        if (exact) add_replace_triggers(now, captured);
        write_captured_table(db_, captured);
    }

private:
    CapturedTable record_of(const std::string& name) {
        std::uint16_t highest = 0;
        for (const CapturedTable& table : captured_) {
            if (table.name == name) return table;
            highest = std::max(highest, table.number);
        }
        if (highest == std::numeric_limits<std::uint16_t>::max())
            throw RefusedError{
                fmt::format("{}: more than {} tables were captured so far: drop every stream first", printable(db_.path()), highest)};
        captured_.push_back({static_cast<std::uint16_t>(highest + 1), name, {}, {}});
        return captured_.back();
    }

    void drop(const TriggerList& triggers, std::uint16_t number, TriggerKind kind) {
        const std::string name = trigger_name(number, kind);
        if (triggers.exists(name)) db_.execute("DROP TRIGGER main." + quote_identifier(name));
    }

    void recreate(const TriggerList& triggers, const SqliteTable& table, CapturedTable& captured) {
        for (const TriggerKind kind : kPlainTriggers) drop(triggers, captured.number, kind);
        for (const TriggerKind kind : kReplaceTriggers) drop(triggers, captured.number, kind);
        for (const TriggerKind kind : kHiddenTriggers) drop(triggers, captured.number, kind);
        captured.replace_keys.reset();
        for (const TriggerKind kind : kPlainTriggers) db_.execute(plain_trigger_sql(table.schema, kind));
        const HiddenKeys hidden = hidden_keys(table);
        if (!hidden.unseen.empty()) throw RefusedError{fmt::format("{}: {}", printable(db_.path()), cannot_see(table.schema, hidden))};
        if (hidden.keys.empty()) return;
        for (const TriggerKind kind : kHiddenTriggers) db_.execute(hidden_trigger_sql(table.schema, kind, hidden.keys, table.rowid_name));
    }

    void add_replace_triggers(const SqliteTable& table, CapturedTable& captured) {
        const std::vector<ReplaceKey> keys = all_replace_keys(table);
        // Without a unique key nothing is ever replaced; without any name for the rowid an update cannot be told from its neighbours.
        if (keys.empty() || (table.schema.identity.empty() && table.rowid_name.empty())) return;
        captured.replace_keys.emplace();
        for (const ReplaceKey& key : keys) captured.replace_keys->push_back(key.columns);
        for (const TriggerKind kind : kReplaceTriggers) db_.execute(replace_trigger_sql(table.schema, kind, keys, table.rowid_name));
    }

    SqliteDatabase& db_;
    const CaptureRequest& request_;
    std::vector<StreamRecord> others_;
    std::vector<CapturedTable> captured_;
};

std::string compare_columns(const TableSchema& before, const TableSchema& now) {
    const bool same = std::equal(before.columns.begin(), before.columns.end(), now.columns.begin(), now.columns.end(),
                                 [](const ColumnSchema& a, const ColumnSchema& b) {
                                     return a.name == b.name && a.type == b.type && a.not_null == b.not_null && a.collation == b.collation;
                                 });
    return same ? std::string{} : fmt::format("its columns were ({}) and are ({}) now", describe_columns(before), describe_columns(now));
}

/// A key of the same columns under the same collations.
bool has_unique_index(const TableSchema& table, const IndexSchema& wanted) {
    return std::any_of(table.indexes.begin(), table.indexes.end(), [&](const IndexSchema& index) {
        return index.unique && index.columns == wanted.columns && index.collations == wanted.collations;
    });
}

/// The part of the table that the stream carries, as it is now.
TablePart present_part(SqliteDatabase& db, const SqliteTable& now, const StreamRequest& request) {
    const auto whole = std::make_shared<const TableSchema>(now.schema);
    if (request.rules.empty()) return whole_part(whole);
    try {
        return part_of_table(request, whole, db.query_text("PRAGMA main.encoding"));
    } catch (const RefusedError& error) {
        throw HaltError{error.what()};
    }
}

TablePart verify_table(SqliteDatabase& db, const TablePtr& shape, const StreamRequest& request, const TriggerList& triggers,
                       const std::vector<CapturedTable>& captured) {
    const auto broken = [&](const std::string& what) -> HaltError {
        return HaltError{fmt::format("{}: {}", to_string(shape->name), what)};
    };
    const auto record =
        std::find_if(captured.begin(), captured.end(), [&](const CapturedTable& table) { return table.number == shape->leader_id; });
    if (record == captured.end() || record->name != shape->name.name) throw broken("the change table no longer knows it");
    auto now = read_sqlite_table(db, shape->name.name);
    if (!now) throw broken("it was dropped or renamed");
    now->schema.leader_id = shape->leader_id;
    now->schema.identity = is_valid_identity(now->schema, record->key) ? record->key : ColumnIndexes{};
    TablePart part = present_part(db, *now, request);
    if (const std::string difference = compare_columns(*shape, *part.carried); !difference.empty()) throw broken(difference);
    if (now->schema.identity != record->key) throw broken("the unique key that identified its rows is gone");
    if (part.carried->identity != shape->identity) throw broken("its triggers log another key than this stream began with");
    if (const auto problem = triggers.problem(*now, *record)) throw broken(*problem);
    for (const IndexSchema& index : part.carried->indexes)
        if (index.unique && !has_unique_index(*shape, index))
            throw broken(fmt::format("it has a new unique key, index {}: a row that REPLACE displaces by it would stay on the follower", printable(index.name, 100)));
    if (part.carried->unique_keys == shape->unique_keys) {
        part.carried = shape;
        return part;
    }
    auto refreshed = std::make_shared<TableSchema>(*shape);
    refreshed->unique_keys = part.carried->unique_keys;
    refreshed->indexes = part.carried->indexes;
    part.carried = std::move(refreshed);
    return part;
}

}  // namespace

namespace {

/// Puts the seal behind every trigger of ours, so that one that is made again later stands behind it. Before that, whatever was made again since
/// the last time is held against the streams that rely on it; those of this request have just been looked at.
void seal(SqliteDatabase& db, const CaptureRequest& request) {
    const TriggerList triggers{db};
    if (triggers.exists(kSealName)) {
        for (const CapturedTable& captured : read_captured_tables(db)) {
            if (std::find(request.tables.begin(), request.tables.end(), captured.name) != request.tables.end()) continue;
            auto table = read_sqlite_table(db, captured.name);
            if (!table) continue;
            table->schema.identity = captured.key;
            table->schema.leader_id = captured.number;
            const auto problem = triggers.gap(*table, captured);
            if (!problem) continue;
            for (const StreamRecord& stream : read_streams(db))
                if (contains(stream.tables, captured.number)) mark_broken(db, stream.name, fmt::format("{}: {}", to_string(table->schema.name), *problem));
        }
    }
    db.execute(drop_seal_sql());
    db.execute(create_seal_sql());
}

}  // namespace

std::string cannot_see(const TableSchema& table, const HiddenKeys& hidden) {
    return fmt::format("{}: {}. Drop the index, make it one over plain columns (a generated column will do), or leave the table out with --exclude-table",
                       to_string(table.name), hidden.unseen.front());
}

std::string way_out() {
    return "changes may be missing: remove the stream with `rowferry drop` and start it again with --on-existing truncate";
}

void install_stream(SqliteDatabase& db, const CaptureRequest& request) {
    create_tables(db, request);
    take_over_unfinished(db, request);
    StreamRecord stream;
    stream.name = request.stream;
    stream.follower_id = request.follower_id;
    stream.exact_replace = request.exact_replace;
    TableInstaller installer{db, request};
    for (const std::string& table : request.tables) stream.tables.push_back(installer.install(table));
    seal(db, request);
    const LogEnd marker = append_marker(db);
    stream.acked_seq = marker.seq;
    stream.acked_tag = marker.tag;
    write_stream(db, stream);
}

namespace {

/// Why the tables of a stream that are not about to be installed anew are not captured completely; nothing when they are.
std::optional<std::string> broken_elsewhere(SqliteDatabase& db, const StreamRecord& stream, const CaptureRequest& request) {
    const TriggerList triggers{db};
    for (const CapturedTable& captured : read_captured_tables(db)) {
        if (!contains(stream.tables, captured.number)) continue;
        if (std::find(request.tables.begin(), request.tables.end(), captured.name) != request.tables.end()) continue;
        if (stream.broken) return stream.broken;
        auto table = read_sqlite_table(db, captured.name);
        if (!table) continue;  // gone: there is nothing that new triggers could hide
        table->schema.identity = captured.key;
        table->schema.leader_id = captured.number;
        if (const auto problem = triggers.gap(*table, captured)) return fmt::format("{}: {}", to_string(table->schema.name), *problem);
    }
    return std::nullopt;
}

/// A table of the stream that has another name now cannot come in by that name a second time.
void refuse_renamed(SqliteDatabase& db, const StreamRecord& stream, const CaptureRequest& request) {
    const TriggerList triggers{db};
    for (const CapturedTable& captured : read_captured_tables(db)) {
        const auto name = triggers.table_of(captured.number);
        if (!name || *name == captured.name || !contains(stream.tables, captured.number)) continue;
        if (std::find(request.tables.begin(), request.tables.end(), *name) != request.tables.end())
            throw RefusedError{fmt::format("{}: {} is the stream's table {} under a new name: let `rowferry run` follow the rename first", printable(db.path()),
                                           printable(*name, 100), printable(captured.name, 100))};
    }
}

void drop_triggers(SqliteDatabase& db, const TriggerList& triggers, const CapturedTable& table, TriggerKind kind, bool dry_run,
                   std::vector<std::string>& removed) {
    const std::string trigger = trigger_name(table.number, kind);
    if (!triggers.exists(trigger)) return;
    if (!dry_run) db.execute("DROP TRIGGER main." + quote_identifier(trigger));
    removed.push_back(fmt::format("trigger {} on {}", trigger, printable(table.name, 100)));
}

/// The triggers of `table` that no stream but `stream` needs.
void drop_unneeded_triggers(SqliteDatabase& db, const std::string& stream, CapturedTable table, bool dry_run, std::vector<std::string>& removed) {
    const TriggerList triggers{db};
    bool needed = false;
    bool needed_exact = false;
    for (const StreamRecord& other : read_streams(db)) {
        if (other.name == stream || !contains(other.tables, table.number)) continue;
        needed = true;
        needed_exact = needed_exact || other.exact_replace;
    }
    if (!needed) {
        for (const TriggerKind kind : kPlainTriggers) drop_triggers(db, triggers, table, kind, dry_run, removed);
        for (const TriggerKind kind : kHiddenTriggers) drop_triggers(db, triggers, table, kind, dry_run, removed);
    }
    if (needed_exact) return;
    for (const TriggerKind kind : kReplaceTriggers) drop_triggers(db, triggers, table, kind, dry_run, removed);
    table.replace_keys.reset();
    if (!dry_run) write_captured_table(db, table);
}

}  // namespace

void install_tables(SqliteDatabase& db, const CaptureRequest& request) {
    const auto stream = capture_installed(db) ? read_stream(db, request.stream) : std::nullopt;
    if (!stream || stream->follower_id != request.follower_id)
        throw HaltError{fmt::format("{}: the stream {} of this follower is gone from the leader; {}", printable(db.path()), request.stream, way_out())};
    if (const auto problem = broken_elsewhere(db, *stream, request))
        throw RefusedError{fmt::format("{}: the capture is broken beside the tables to be copied: {}. Name every such table in the same copy-table",
                                       printable(db.path()), *problem)};
    refuse_renamed(db, *stream, request);
    CaptureRequest wanted = request;
    wanted.exact_replace = stream->exact_replace;
    TableInstaller installer{db, wanted};
    std::vector<std::uint16_t> numbers = stream->tables;
    for (const std::string& table : request.tables)
        if (const std::uint16_t number = installer.install(table); !contains(numbers, number)) numbers.push_back(number);
    seal(db, wanted);
    write_stream_tables(db, request.stream, numbers);
    append_marker(db);
}

void reshape_table(SqliteDatabase& db, const SqliteTable& now, CapturedTable captured) {
    const CaptureRequest none;
    TableInstaller{db, none}.reshape(now, std::move(captured));
}

void seal_capture(SqliteDatabase& db, const std::vector<std::string>& reshaped) {
    CaptureRequest done;
    done.tables = reshaped;
    seal(db, done);
}

void remove_tables(SqliteDatabase& db, const std::string& name, const std::vector<std::string>& tables) {
    auto stream = capture_installed(db) ? read_stream(db, name) : std::nullopt;
    if (!stream) return;
    std::vector<std::string> removed;
    for (const CapturedTable& captured : read_captured_tables(db)) {
        if (!contains(stream->tables, captured.number)) continue;
        if (std::find(tables.begin(), tables.end(), captured.name) == tables.end()) continue;
        drop_unneeded_triggers(db, name, captured, false, removed);
        std::erase(stream->tables, captured.number);
    }
    write_stream_tables(db, name, stream->tables);
}

std::vector<TablePtr> read_captured_shapes(SqliteDatabase& db, const StreamRecord& stream, const std::vector<std::string>& names) {
    std::vector<TablePtr> shapes;
    for (const CapturedTable& captured : read_captured_tables(db)) {
        if (!contains(stream.tables, captured.number) || std::find(names.begin(), names.end(), captured.name) == names.end()) continue;
        auto table = read_sqlite_table(db, captured.name);
        if (!table)
            throw RetryableError{fmt::format("{}: table {} went away while the stream was being set up", printable(db.path()),
                                             printable(captured.name, 100))};
        table->schema.leader_id = captured.number;
        table->schema.identity = captured.key;
        shapes.push_back(std::make_shared<TableSchema>(std::move(table->schema)));
    }
    return shapes;
}

std::optional<std::string> too_wide(SqliteDatabase& db, const TableSchema& table) {
    const auto limit = static_cast<std::size_t>(sqlite3_limit(db.handle(), SQLITE_LIMIT_COLUMN, -1));
    const std::size_t needed = kFixedChangeColumns + logged_key(table).size() + table.columns.size();
    if (needed <= limit) return std::nullopt;
    return fmt::format(
        "{}: its changes need {} columns in the change table, SQLite allows {}: {}", to_string(table.name), needed, limit,
        table.identity.empty() ? "give it a primary key, or leave it out with --exclude-table" : "leave it out with --exclude-table");
}

std::vector<TablePart> verify_capture(SqliteDatabase& db, const std::vector<TablePtr>& shapes, const StreamRequest& request, const std::string& where) {
    try {
        const TriggerList triggers{db};
        const std::vector<CapturedTable> captured = read_captured_tables(db);
        std::vector<TablePart> verified;
        for (const TablePtr& shape : shapes) verified.push_back(verify_table(db, shape, request, triggers, captured));
        return verified;
    } catch (const HaltError& error) {
        throw HaltError{fmt::format("{}: {}; {}", where, error.what(), way_out())};
    }
}

std::vector<std::string> remove_stream(SqliteDatabase& db, const std::string& name, bool dry_run) {
    std::vector<std::string> removed;
    const auto stream = read_stream(db, name);
    if (!stream) return removed;
    removed.push_back(fmt::format("stream {}", name));
    for (const CapturedTable& table : read_captured_tables(db))
        if (contains(stream->tables, table.number)) drop_unneeded_triggers(db, name, table, dry_run, removed);
    if (!dry_run) {
        SqliteStatement remove = db.prepare("DELETE FROM main.rowferry_stream WHERE name = ?1");
        remove.bind(1, name);
        remove.run();
    }
    return removed;
}

std::vector<std::string> remove_capture_tables(SqliteDatabase& db, bool dry_run) {
    std::vector<std::string> removed;
    // A trigger of ours without its table would make the application's statements fail, so none may be left, whatever the records say.
    std::vector<std::string> left_over;
    SqliteStatement triggers = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB 'rowferry_[0-9]*'");
    while (triggers.step()) left_over.push_back(triggers.text(0));
    triggers = {};
    for (const std::string& trigger : left_over) {
        if (!dry_run) db.execute("DROP TRIGGER main." + quote_identifier(trigger));
        removed.push_back(fmt::format("trigger {}", trigger));
    }
    for (const char* table : {"rowferry_change", "rowferry_table", "rowferry_stream", "rowferry_meta"}) {
        SqliteStatement exists = db.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1");
        exists.bind(1, table);
        if (!exists.step()) continue;
        exists.reset();
        if (!dry_run) db.execute(fmt::format("DROP TABLE main.{}", table));
        removed.push_back(fmt::format("table {}", table));
    }
    return removed;
}

}  // namespace rowferry
