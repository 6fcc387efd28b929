#include "applier/sqlite/sqlite_preflight.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/sqlite/sqlite_table_plan.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/nullability.h"
#include "schemas/sqlite_plan.h"

namespace rowferry {
namespace {

/// Every value of a SQLite leader fits into SQLite, and what a PostgreSQL leader's column holds is known by its type.
void check_mismatch_rules(const std::vector<TablePtr>& tables) {
    for (const TablePtr& table : tables)
        for (const ColumnSchema& column : table->columns)
            if (column.on_mismatch != OnMismatch::stop && table->engine == Engine::postgresql)
                throw RefusedError{fmt::format("{}: on-mismatch other than stop is for SQLite leaders: what a column of PostgreSQL holds is known by "
                                               "its type, and the follower's column either takes all of it or is refused",
                                               to_string(table->name))};
}

void check_other_streams(const std::vector<TablePtr>& tables, const Checkpoint* unfinished, const std::vector<Checkpoint>& checkpoints) {
    for (const Checkpoint& checkpoint : checkpoints) {
        if (unfinished != nullptr && checkpoint.stream == unfinished->stream) continue;
        for (const TableState& state : checkpoint.tables)
            for (const TablePtr& table : tables)
                if (sqlite_folded(sqlite_follower_name(state.shape)) == sqlite_folded(sqlite_follower_name(*table)))
                    throw RefusedError{fmt::format("the follower's table {} already belongs to stream {}", printable(sqlite_follower_name(*table), 100), checkpoint.stream)};
    }
}

bool part_of(const Checkpoint* unfinished, const TableSchema& table) {
    if (unfinished == nullptr) return false;
    return std::any_of(unfinished->tables.begin(), unfinished->tables.end(), [&](const TableState& state) { return state.name == table.name; });
}

/// INTEGER PRIMARY KEY, which is the rowid.
bool numbers_null(const FollowerTable& follower, const FollowerColumn& column) {
    return column.key_place == 1 && !follower.without_rowid &&
           std::ranges::any_of(follower.indexes, [](const FollowerIndex& index) { return index.primary_key && index.name.empty(); });
}

std::string index_columns(const TableSchema& table, const SqliteIndex& index) {
    std::string text;
    for (const auto column : index.columns) text += (text.empty() ? "" : ", ") + printable(table.columns[column].name, 80);
    return text;
}

/// Also what a rowid's column does with it: a number in its place.
bool refuses_null(const FollowerTable& follower, const FollowerColumn& column) { return column.not_null || numbers_null(follower, column); }

/// A NULL of the leader would stop the stream, or be another value here.
void check_nulls(const TableSchema& table, const FollowerTable& follower) {
    for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
        const FollowerColumn& column = *follower.column(table.columns[i].name);
        if (forbids_null(table, i) || !refuses_null(follower, column)) continue;
        if (column.key_place != 0 && in_lax_key(table, i) && !numbers_null(follower, column)) continue;
        throw RefusedError{fmt::format("the follower's table {}: column {} {}, and the leader's column may be NULL; drop the table, so that it is made anew, "
                                       "or make it again without that",
                                       printable(follower.name, 100), printable(column.name, 80),
                                       numbers_null(follower, column) ? "is its rowid, which turns NULL into a number" : "is NOT NULL")};
    }
}

void note_existing(const TableSchema& table, const FollowerTable& follower, std::vector<std::string>& notes) {
    for (const SqliteIndex& index : missing_indexes(table, follower))
        notes.push_back(fmt::format("existing table {} will get the leader's {}index on {}", printable(follower.name, 100), index.unique ? "unique " : "",
                                    index_columns(table, index)));
    for (std::uint16_t i = 0; i < table.columns.size(); ++i)
        if (!forbids_null(table, i) && refuses_null(follower, *follower.column(table.columns[i].name)))
            notes.push_back(fmt::format("existing table {}: the leader's primary key allows NULL in {}, which SQLite does not forbid; a NULL will stop the stream",
                                        printable(follower.name, 100), printable(table.columns[i].name, 80)));
    for (const FollowerIndex& index : follower.indexes) {
        if (!index.unique) continue;
        std::vector<std::string> parts;
        for (const FollowerIndex::Part& part : index.parts) parts.push_back(sqlite_folded(part.column));
        std::sort(parts.begin(), parts.end());
        const bool leader_has = std::any_of(table.unique_keys.begin(), table.unique_keys.end(), [&](const UniqueKey& key) {
            std::vector<std::string> names;
            for (const auto column : key.columns) names.push_back(sqlite_folded(table.columns[column].name));
            std::sort(names.begin(), names.end());
            return names == parts;
        });
        if (!leader_has)
            notes.push_back(fmt::format("existing table {} has the unique key {}, which the leader does not have; rows that collide on it will stop the stream",
                                        printable(follower.name, 100), index.name.empty() ? "of its rowid" : printable(index.name, 100)));
    }
}

void check_existing(SqliteDatabase& db, const TableSchema& table, const FollowerTable& follower, const FollowerOptions& options, bool own_copy,
                    std::vector<std::string>& notes) {
    check_follower_table(table, follower);
    check_nulls(table, follower);
    if (!options.fire_triggers && !follower.user_triggers.empty())
        throw RefusedError{fmt::format("the follower's table {} has the trigger {}, which would change rows on its own; drop it or allow it with --fire-triggers",
                                       printable(follower.name, 100), printable(follower.user_triggers.front(), 100))};
    if (!own_copy && options.on_existing == OnExisting::refuse && has_rows(db, follower.name))
        throw RefusedError{fmt::format("the follower's table {} already holds rows; empty it, or have it emptied with --on-existing truncate",
                                       printable(follower.name, 100))};
    note_existing(table, follower, notes);
}

}  // namespace

std::vector<std::string> sqlite_present_tables(SqliteDatabase& db, const std::vector<TablePtr>& tables) {
    std::vector<std::string> names;
    for (const TablePtr& table : tables) names.push_back(sqlite_folded(sqlite_follower_name(*table)));
    SqliteStatement existing = db.prepare("SELECT name FROM main.sqlite_master WHERE type = 'table'");
    while (existing.step()) names.push_back(sqlite_folded(existing.text(0)));
    return names;
}

std::vector<SqliteIndex> missing_indexes(const TableSchema& table, const FollowerTable& follower) {
    std::vector<SqliteIndex> missing;
    const auto same = [&](const SqliteIndex& wanted, const FollowerIndex& index) {
        if (index.unique != wanted.unique || index.partial || index.parts.size() != wanted.columns.size()) return false;
        for (std::size_t i = 0; i < wanted.columns.size(); ++i) {
            const FollowerColumn* column = follower.column(table.columns[wanted.columns[i]].name);
            const FollowerIndex::Part& part = index.parts[i];
            if (sqlite_folded(part.column) != sqlite_folded(column->name) || part.descending != wanted.descending[i] ||
                sqlite_folded(part.collation) != sqlite_folded(wanted.collations[i]))
                return false;
        }
        return true;
    };
    std::vector<SqliteIndex> wanted = sqlite_indexes(table);
    // A table of the user's may lack even the primary key, by which rows are found.
    if (!table.primary_key.empty()) {
        std::vector<std::string> collations;
        for (const auto column : table.primary_key) collations.push_back(sqlite_collation(table, column));
        const SqliteIndex key{sqlite_follower_name(table) + "_pkey", true, table.primary_key, std::vector<bool>(collations.size(), false), collations};
        const bool there = std::any_of(follower.indexes.begin(), follower.indexes.end(), [&](const FollowerIndex& index) {
            return index.unique && !index.partial && index.parts.size() == key.columns.size() &&
                   std::all_of(key.columns.begin(), key.columns.end(), [&](auto column) {
                       return std::any_of(index.parts.begin(), index.parts.end(),
                                          [&](const auto& part) { return sqlite_folded(part.column) == sqlite_folded(table.columns[column].name); });
                   });
        });
        if (!there) missing.push_back(key);
    }
    for (const SqliteIndex& index : wanted)
        if (std::none_of(follower.indexes.begin(), follower.indexes.end(), [&](const FollowerIndex& there) { return same(index, there); }))
            missing.push_back(index);
    return missing;
}

std::vector<SqliteExpressionIndex> missing_expression_indexes(SqliteDatabase& db, const TableSchema& table, const FollowerTable& follower) {
    SqliteParts parts = sqlite_parts(table);
    // In a table of the user's the same words may mean another thing.
    for (std::size_t i = 0; i < table.columns.size(); ++i)
        if (sqlite_folded(follower.column(table.columns[i].name)->type) != sqlite_folded(parts.types[i].substr(0, parts.types[i].find(" COLLATE ")))) return {};
    std::vector<std::string> texts;
    SqliteStatement indexes = db.prepare("SELECT sql FROM main.sqlite_master WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE AND sql IS NOT NULL");
    indexes.bind(1, std::string_view{follower.name});
    while (indexes.step()) texts.push_back(indexes.text(0));
    std::erase_if(parts.indexes, [&](const SqliteExpressionIndex& index) {
        return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.ends_with(" " + index.body); });
    });
    return std::move(parts.indexes);
}

bool has_rows(SqliteDatabase& db, const std::string& table) {
    return db.prepare(fmt::format("SELECT 1 FROM {} LIMIT 1", quote_table({"main", table}))).step();
}

std::vector<std::string> check_sqlite_tables(SqliteDatabase& db, const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                             const Checkpoint* unfinished, const std::vector<Checkpoint>& checkpoints) {
    check_sqlite_names(tables);
    check_mismatch_rules(tables);
    check_other_streams(tables, unfinished, checkpoints);
    if (db.query_text("PRAGMA main.encoding") != "UTF-8")
        throw RefusedError{fmt::format("{}: the database's encoding is not UTF-8, which cannot hold every text exactly", printable(db.path()))};
    const std::vector<std::string> present = sqlite_present_tables(db, tables);
    std::vector<std::string> notes;
    for (const TablePtr& table : tables) {
        const auto follower = read_follower_table(db, sqlite_follower_name(*table));
        if (follower) {
            check_existing(db, *table, *follower, options, part_of(unfinished, *table), notes);
        } else {
            // Finds what SQLite or this mapping cannot express.
            (void)sqlite_create_table(*table, present);
            for (std::string& note : sqlite_notes(*table, present)) notes.push_back(std::move(note));
        }
        for (const SqliteIndex& index : sqlite_indexes(*table)) (void)sqlite_create_index(*table, index, index.wanted_name);  // refuses collations
    }
    return notes;
}

}  // namespace rowferry
