#include "applier/sqlite/sqlite_table_copier.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/sqlite/sqlite_checkpoint_store.h"
#include "applier/sqlite/sqlite_copy_target.h"
#include "applier/sqlite/sqlite_preflight.h"
#include "applier/sqlite/sqlite_table_plan.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

// Never a table of the user's: those names are refused.
constexpr const char* kModelTable = "rowferry_copy_model";

bool has_requests(SqliteDatabase& db) {
    return db.query_integer("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = 'rowferry_table_copy'") != 0;
}

std::string quoted_staging_table(const std::string& staging) { return quote_table({"main", staging}); }

std::vector<TableCopy> load_copies(SqliteDatabase& db, const std::string& stream) {
    std::vector<TableCopy> copies;
    if (!has_requests(db)) return copies;
    SqliteStatement rows = db.prepare("SELECT document FROM main.rowferry_table_copy WHERE stream = ?1 ORDER BY number");
    rows.bind(1, std::string_view{stream});
    while (rows.step()) copies.push_back(table_copy_from_json(rows.text(0)));
    return copies;
}

/// The columns that can be written, as a list.
std::string column_list(const TableSchema& table, const FollowerTable& follower) {
    std::string list;
    for (const ColumnSchema& column : table.columns)
        if (const FollowerColumn* there = follower.column(column.name); there != nullptr && !there->generated)
            list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    return list;
}

}  // namespace

SqliteTableCopier::SqliteTableCopier(SqliteConnection& connection, std::string stream, Help help)
    : connection_{connection}, stream_{std::move(stream)}, help_{std::move(help)} {}

std::vector<TableCopy> SqliteTableCopier::load() { return load_copies(db(), stream_); }

void SqliteTableCopier::write(const TableCopy& copy) {
    db().execute(
        "CREATE TABLE IF NOT EXISTS main.rowferry_table_copy (number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, id TEXT NOT NULL, "
        "state TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (stream, id))");
    const std::string document = to_json(copy);
    SqliteStatement update = db().prepare("UPDATE main.rowferry_table_copy SET state = ?3, document = ?4 WHERE stream = ?1 AND id = ?2");
    SqliteStatement insert = db().prepare("INSERT INTO main.rowferry_table_copy (stream, id, state, document) VALUES (?1, ?2, ?3, ?4)");
    for (SqliteStatement* statement : {&update, &insert}) {
        statement->bind(1, std::string_view{stream_}).bind(2, std::string_view{copy.id});
        statement->bind(3, to_string(copy.state)).bind(4, std::string_view{document});
        if (statement->run() == 1) return;
    }
}

void SqliteTableCopier::save(const TableCopy& copy) {
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    write(copy);
    transaction.commit();
}

bool SqliteTableCopier::withdraw(const std::string& id) {
    if (!has_requests(db())) return false;
    SqliteStatement remove =
        db().prepare("DELETE FROM main.rowferry_table_copy WHERE stream = ?1 AND id = ?2 AND state IN ('requested', 'done', 'failed')");
    return remove.bind(1, std::string_view{stream_}).bind(2, std::string_view{id}).run() == 1;
}

/// The follower's table as it is, when it can hold the leader's rows as it is; one of another shape gives way.
std::optional<FollowerTable> SqliteTableCopier::fitting(const CopiedTable& copied) {
    const TableSchema& table = copied.shape;
    auto there = read_follower_table(db(), sqlite_follower_name(table));
    if (!there) return std::nullopt;
    for (const Checkpoint& checkpoint : sqlite_checkpoints::load(db()))
        for (const TableState& state : checkpoint.tables)
            if (checkpoint.stream == stream_ && state.name == table.name && !same_columns(state.shape, copied.leader)) return std::nullopt;
    try {
        check_follower_table(table, *there);
    } catch (const RefusedError&) {
        return std::nullopt;
    }
    return there;
}

std::vector<std::string> SqliteTableCopier::check(const std::vector<TablePtr>& tables, const Checkpoint& checkpoint, const FollowerOptions& options) {
    std::vector<TablePtr> added;
    for (const TablePtr& table : tables) {
        const bool known = std::any_of(checkpoint.tables.begin(), checkpoint.tables.end(), [&](const TableState& state) { return state.name == table->name; });
        if (!known) added.push_back(table);
        const auto there = read_follower_table(db(), sqlite_follower_name(*table));
        if (known && there && there->kind != "table")
            throw RefusedError{fmt::format("{} is a {} on the follower", to_string(table->name), there->kind)};
        if (known && there && !options.fire_triggers && !there->user_triggers.empty())
            throw RefusedError{fmt::format("the follower's table {} has the trigger {}, which would change rows on its own; drop it or allow it with --fire-triggers",
                                           printable(there->name, 100), printable(there->user_triggers.front(), 100))};
        static_cast<void>(sqlite_create_table(*table, sqlite_present_tables(db(), tables)));  // refuses what SQLite cannot express
    }
    return check_sqlite_tables(db(), added, options, nullptr, sqlite_checkpoints::load(db()));
}

/// The table that will take the rows, as it is or as it would be made.
FollowerTable SqliteTableCopier::model(const CopiedTable& copied) {
    if (auto there = fitting(copied)) return std::move(*there);
    TableSchema trial = copied.shape;
    trial.name = {"main", kModelTable};
    trial.renamed_to.reset();
    const SqliteTransaction transaction{db(), "IMMEDIATE"};  // rolled back
    db().prepare(sqlite_create_table(trial, {})).run();
    return read_follower_table(db(), kModelTable).value();
}

void SqliteTableCopier::stage(TableCopy& copy) {
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    for (std::size_t i = 0; i < copy.tables.size(); ++i) {
        CopiedTable& table = copy.tables[i];
        table.staging = fmt::format("rowferry_copy_{}_{}", copy.id, i);
        std::string columns;
        for (const ColumnSchema& column : table.shape.columns) columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
        db().execute(fmt::format("CREATE TABLE {} ({})", quoted_staging_table(table.staging), columns));
    }
    write(copy);
    transaction.commit();
}

std::unique_ptr<CopyTarget> SqliteTableCopier::copy_into(const CopiedTable& table) {
    FollowerTable target = model(table);
    target.name = table.staging;
    target.indexes.clear();
    target.without_rowid = false;
    for (FollowerColumn& column : target.columns) column.generated = false;
    return std::make_unique<SqliteCopyTarget>(connection_, std::make_shared<const TableSchema>(table.shape), target, true);
}

void SqliteTableCopier::replace(const CopiedTable& copied, const std::vector<TablePtr>& all) {
    const std::string name = sqlite_follower_name(copied.shape);
    const std::string table = quote_table({"main", name});
    if (fitting(copied)) {
        db().execute("DELETE FROM " + table);
    } else {
        db().execute("DROP TABLE IF EXISTS " + table);
        db().prepare(sqlite_create_table(copied.shape, sqlite_present_tables(db(), all))).run();
    }
    const std::string columns = column_list(copied.shape, read_follower_table(db(), name).value());
    db().execute(fmt::format("INSERT INTO {0} ({1}) SELECT {1} FROM {2}", table, columns, quoted_staging_table(copied.staging)));
}

void SqliteTableCopier::swap_in(const TableCopy& copy, const Checkpoint& checkpoint) {
    std::vector<TablePtr> tables;
    for (const CopiedTable& table : copy.tables) tables.push_back(std::make_shared<const TableSchema>(table.shape));
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    std::optional<Checkpoint> now;
    for (Checkpoint& stored : sqlite_checkpoints::load(db()))
        if (stored.stream == stream_) now = std::move(stored);
    if (!now || now->position != copy.position || now->term != checkpoint.term || now->state != CheckpointState::ready)
        throw HaltError{fmt::format("{}: the checkpoint of stream {} is no longer where the copy has to take its place: another process has moved it",
                                    printable(db().path()), stream_)};
    for (const CopiedTable& table : copy.tables) replace(table, tables);
    help_.create_indexes(tables);
    for (std::size_t i = 0; i < tables.size(); ++i) {
        for (const auto& number : copy.tables[i].numbers) help_.set_next_number(tables[i], number.column, number.next);
        std::erase_if(now->tables, [&](const TableState& state) { return state.name == tables[i]->name; });
        now->tables.push_back({tables[i]->name, copy.position, copy.tables[i].leader});
    }
    sqlite_checkpoints::write(db(), *now);
    TableCopy done = copy;
    done.state = CopyState::done;
    done.tables.clear();
    drop_staging(copy);
    write(done);
    transaction.commit();
}

void SqliteTableCopier::drop_staging(const TableCopy& copy) {
    for (const CopiedTable& table : copy.tables)
        if (!table.staging.empty()) db().execute("DROP TABLE IF EXISTS " + quoted_staging_table(table.staging));
}

void SqliteTableCopier::discard(const TableCopy& copy) {
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    drop_staging(copy);
    TableCopy left = copy;
    left.tables.clear();
    write(left);
    transaction.commit();
}

void drop_sqlite_table_copies(SqliteDatabase& db, const std::string& stream, bool last) {
    if (!has_requests(db)) return;
    for (const TableCopy& copy : load_copies(db, stream))
        for (const CopiedTable& table : copy.tables)
            if (!table.staging.empty()) db.execute("DROP TABLE IF EXISTS " + quoted_staging_table(table.staging));
    db.prepare("DELETE FROM main.rowferry_table_copy WHERE stream = ?1").bind(1, std::string_view{stream}).run();
    if (last) db.execute("DROP TABLE main.rowferry_table_copy");
}

}  // namespace rowferry
