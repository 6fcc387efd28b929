#include "applier/sqlite/sqlite_table_info.h"

#include <algorithm>

#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

void read_columns(SqliteDatabase& db, FollowerTable& table) {
    SqliteStatement info = db.prepare("SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid");
    info.bind(1, std::string_view{table.name});
    while (info.step()) {
        FollowerColumn column{info.text(0), info.text(1), "BINARY", info.integer(2) != 0, info.integer(3) != 0, info.integer(5) >= 2,
                              static_cast<int>(info.integer(4))};
        const char* collation = nullptr;
        int autoincrement = 0;
        // Fails for views and for modules that are not loaded; both are refused by their kind.
        if (sqlite3_table_column_metadata(db.handle(), "main", table.name.c_str(), column.name.c_str(), nullptr, &collation, nullptr, nullptr,
                                          &autoincrement) == SQLITE_OK) {
            if (collation != nullptr) column.collation = collation;
            table.autoincrement |= autoincrement != 0;
        }
        table.columns.push_back(std::move(column));
    }
}

void read_indexes(SqliteDatabase& db, FollowerTable& table) {
    SqliteStatement list = db.prepare("SELECT name, \"unique\", origin = 'pk', partial FROM pragma_index_list(?1, 'main') ORDER BY seq DESC");
    SqliteStatement parts = db.prepare("SELECT cid, name, coll, \"desc\" FROM pragma_index_xinfo(?1, 'main') WHERE \"key\" ORDER BY seqno");
    list.bind(1, std::string_view{table.name});
    bool has_key = false;
    while (list.step()) {
        FollowerIndex index{list.text(0), list.integer(1) != 0, list.integer(2) != 0, list.integer(3) != 0, {}};
        parts.bind(1, std::string_view{index.name});
        while (parts.step()) index.parts.push_back({parts.integer(0) < 0 ? "" : parts.text(1), parts.text(2), parts.integer(3) != 0});
        parts.reset();
        has_key |= index.primary_key;
        table.indexes.push_back(std::move(index));
    }
    if (has_key) return;
    FollowerIndex rowid{"", true, true, false, {}};
    for (const FollowerColumn& column : table.columns)
        if (column.key_place == 1) rowid.parts.push_back({column.name, column.collation, false});
    if (!rowid.parts.empty()) table.indexes.push_back(std::move(rowid));
}

void read_triggers(SqliteDatabase& db, FollowerTable& table) {
    SqliteStatement triggers = db.prepare("SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name");
    triggers.bind(1, std::string_view{table.name});
    while (triggers.step())
        if (!sqlite_folded(triggers.text(0)).starts_with("rowferry_")) table.user_triggers.push_back(triggers.text(0));
}

}  // namespace

const FollowerColumn* FollowerTable::column(const std::string& wanted) const {
    // A table may have two thousand columns, each of them looked for here.
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&](const FollowerColumn& c) { return sqlite3_stricmp(c.name.c_str(), wanted.c_str()) == 0; });
    return found == columns.end() ? nullptr : &*found;
}

std::string FollowerTable::rowid_name() const {
    if (without_rowid) return {};
    for (const char* name : {"rowid", "_rowid_", "oid"})
        if (column(name) == nullptr) return name;
    return {};
}

std::optional<FollowerTable> read_follower_table(SqliteDatabase& db, const std::string& name) {
    SqliteStatement list = db.prepare("SELECT name, type, strict, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE");
    list.bind(1, std::string_view{name});
    if (!list.step()) return std::nullopt;
    FollowerTable table;
    table.name = list.text(0);
    table.kind = list.text(1);
    table.strict = list.integer(2) != 0;
    table.without_rowid = list.integer(3) != 0;
    list.reset();
    read_columns(db, table);
    read_indexes(db, table);
    read_triggers(db, table);
    return table;
}

}  // namespace rowferry
