#include "triggers/sqlite/shape_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/change_table.h"
#include "triggers/sqlite/trigger_check.h"

namespace rowferry {
namespace {

// Rows that are logged again with a new column: this many take some ten milliseconds with the leader's file locked.
constexpr std::int64_t kMostRows = 10'000;

/// A captured table as it is now.
struct Present {
    CapturedTable captured;
    std::optional<SqliteTable> now;  ///< Nothing: it was dropped.
    bool changed = false;
};

std::string copy_again(const TableSchema& table) {
    return fmt::format("copy it again with `rowferry copy-table LEADER FOLLOWER --table {}`, or all of the stream after a `rowferry drop`",
                       printable(table.name.name, 100));
}

HaltError broken(const TableSchema& table, const std::string& what) {
    return HaltError{fmt::format("{}: {}; changes may be missing: {}", to_string(table.name), what, copy_again(table))};
}

/// Are the columns that our triggers log still the same, whatever they are called?
bool same_logged_columns(const TableSchema& before, const TableSchema& now) {
    if (now.columns.size() < before.columns.size()) return false;
    return std::equal(before.columns.begin(), before.columns.end(), now.columns.begin(), [](const ColumnSchema& a, const ColumnSchema& b) {
        return a.type == b.type && a.not_null == b.not_null && a.collation == b.collation;
    });
}

/// A new unique key that the stream does not know of.
const IndexSchema* new_unique_key(const TableSchema& before, const TableSchema& now) {
    for (const IndexSchema& index : now.indexes) {
        const bool known = std::any_of(before.indexes.begin(), before.indexes.end(), [&](const IndexSchema& old) {
            return old.unique && old.columns == index.columns && old.collations == index.collations;
        });
        if (index.unique && !known) return &index;
    }
    return nullptr;
}

Present find_present(SqliteDatabase& db, const TableSchema& shape, const TriggerList& triggers, const std::vector<CapturedTable>& captured) {
    const auto record = std::find_if(captured.begin(), captured.end(), [&](const CapturedTable& table) { return table.number == shape.leader_id; });
    if (record == captured.end()) throw broken(shape, "the change table no longer knows it");
    if (record->key != shape.identity) throw broken(shape, "its triggers log another key than this stream began with");
    Present present{*record, {}, false};
    // SQLite takes our triggers along when it renames a table.
    present.now = read_sqlite_table(db, triggers.table_of(record->number).value_or(record->name));
    if (!present.now) {
        present.changed = true;
        return present;
    }
    TableSchema& now = present.now->schema;
    if (!same_logged_columns(shape, now))
        throw broken(shape, fmt::format("its columns were ({}) and are ({}) now", describe_columns(shape), describe_columns(now)));
    if (!is_valid_identity(now, shape.identity)) throw broken(shape, "the unique key that identified its rows is gone");
    now.identity = shape.identity;
    now.leader_id = shape.leader_id;
    SqliteTable logged = *present.now;
    logged.schema.columns.resize(shape.columns.size());
    if (const auto problem = triggers.problem(logged, *record)) throw broken(shape, *problem);
    if (const IndexSchema* index = new_unique_key(shape, now))
        throw broken(shape, fmt::format("it has a new unique key, index {}: a row that REPLACE displaces by it would stay on the follower", printable(index->name, 100)));
    const bool same_names = std::equal(shape.columns.begin(), shape.columns.end(), now.columns.begin(), [](const auto& a, const auto& b) { return a.name == b.name; });
    present.changed = shape.name != now.name || record->name != now.name.name || shape.columns.size() != now.columns.size() || !same_names;
    return present;
}

void append_shape(SqliteDatabase& db, std::uint32_t number, const TableSchema* shape) {
    SqliteStatement insert = db.prepare("INSERT INTO main.rowferry_change(tag,tbl,op,k0) VALUES(random(),?1,'S',?2)");
    insert.bind(1, std::int64_t{number});
    if (shape == nullptr)
        insert.bind_null(2);
    else
        insert.bind(2, std::string_view{to_json(*shape)});
    insert.run();
}

/// `SELECT n3, n0 …`: the keys of rows of the table that were inserted or updated behind ?1.
std::string touched_keys(const TableSchema& table) {
    std::string keys;
    for (const std::uint16_t column : table.identity) keys += (keys.empty() ? "" : ",") + change_column('n', column);
    return fmt::format("SELECT {} FROM main.rowferry_change WHERE seq > ?1 AND tbl = {} AND op IN ('I','U')", keys, table.leader_id);
}

/// Rows that were written while nobody logged the new columns: as they are now.
void log_touched_rows(SqliteDatabase& db, const TableSchema& table, std::uint64_t after) {
    const std::string touched = table.identity.empty()
                                    ? fmt::format("SELECT 1 FROM main.rowferry_change WHERE seq > ?1 AND tbl = {} AND op IN ('I','U')", table.leader_id)
                                    : touched_keys(table);
    SqliteStatement count = db.prepare(fmt::format("SELECT count(*) FROM (SELECT DISTINCT * FROM ({}) LIMIT {})", touched, kMostRows + 1));
    count.bind(1, static_cast<std::int64_t>(after));
    const std::int64_t rows = count.step() ? count.integer(0) : 0;
    count.reset();
    if (rows == 0) return;
    if (table.identity.empty())
        throw broken(table, "a column was added, rows were written before that was noticed, and without a key those cannot be told from others");
    if (rows > kMostRows) throw broken(table, fmt::format("a column was added, and more than {} rows were written before that was noticed", kMostRows));
    std::string targets;
    std::string values;
    std::string keys;
    for (std::size_t i = 0; i < table.identity.size(); ++i) {
        const std::string name = "r." + quote_identifier(table.columns[table.identity[i]].name);
        targets += "," + change_column('k', i);
        values += "," + name;
        keys += (keys.empty() ? "" : ",") + name;
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        targets += "," + change_column('n', i);
        values += ",r." + quote_identifier(table.columns[i].name);
    }
    SqliteStatement insert = db.prepare(fmt::format("INSERT INTO main.rowferry_change(tag,tbl,op{}) SELECT random(),{},'U'{} FROM main.{} AS r WHERE ({}) IN ({})",
                                                    targets, table.leader_id, values, quote_identifier(table.name.name), keys, touched));
    insert.bind(1, static_cast<std::int64_t>(after));
    insert.run();
}

template <typename Action>
auto with_place(const std::string& where, const Action& action) {
    try {
        return action();
    } catch (const HaltError& error) {
        throw HaltError{fmt::format("{}: {}", where, error.what())};
    }
}

}  // namespace

std::vector<TablePtr> shapes_at_end(SqliteDatabase& db, std::vector<TablePtr> shapes, std::uint64_t after) {
    SqliteStatement rows = db.prepare("SELECT tbl, k0 FROM main.rowferry_change WHERE seq > ?1 AND op = 'S' ORDER BY seq");
    rows.bind(1, static_cast<std::int64_t>(after));
    while (rows.step()) {
        const auto shape = std::find_if(shapes.begin(), shapes.end(), [&](const TablePtr& table) { return table->leader_id == rows.integer(0); });
        if (shape == shapes.end()) continue;
        if (rows.is_null(1))
            shapes.erase(shape);
        else
            *shape = std::make_shared<TableSchema>(table_from_json(rows.text(1)));
    }
    return shapes;
}

ShapeFindings examine_capture(SqliteDatabase& db, const std::vector<TablePtr>& shapes, const std::string& where) {
    return with_place(where, [&] {
        const TriggerList triggers{db};
        const std::vector<CapturedTable> captured = read_captured_tables(db);
        ShapeFindings findings;
        for (const TablePtr& shape : shapes) {
            const Present present = find_present(db, *shape, triggers, captured);
            findings.changed = findings.changed || present.changed;
            findings.shapes.push_back(shape);
            if (present.changed || present.now->schema.unique_keys == shape->unique_keys) continue;
            auto refreshed = std::make_shared<TableSchema>(*shape);
            refreshed->unique_keys = present.now->schema.unique_keys;
            refreshed->indexes = present.now->schema.indexes;
            findings.shapes.back() = std::move(refreshed);
        }
        return findings;
    });
}

void log_shape_changes(SqliteDatabase& db, const std::vector<TablePtr>& shapes, std::uint64_t after, const std::string& where) {
    with_place(where, [&] {
        const TriggerList triggers{db};
        const std::vector<CapturedTable> captured = read_captured_tables(db);
        std::vector<std::string> reshaped;
        for (const TablePtr& shape : shapes) {
            Present present = find_present(db, *shape, triggers, captured);
            if (!present.changed) continue;
            append_shape(db, shape->leader_id, present.now ? &present.now->schema : nullptr);
            if (!present.now) continue;
            reshape_table(db, *present.now, present.captured);
            reshaped.push_back(present.now->schema.name.name);
            if (present.now->schema.columns.size() > shape->columns.size()) log_touched_rows(db, present.now->schema, after);
        }
        if (!reshaped.empty()) seal_capture(db, reshaped);
        return 0;
    });
}

}  // namespace rowferry
