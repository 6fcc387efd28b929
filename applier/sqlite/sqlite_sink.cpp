#include "applier/sqlite/sqlite_sink.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/sqlite/sqlite_shape_change.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

constexpr std::size_t kArenaBytes = 256 * 1024;  // Converted values of this much are kept before the arena starts again.

constexpr const char* kRepair = "the follower was changed by somebody else; make the row as the leader has it and start again, or copy anew with `rowferry "
                                "drop` and `rowferry run --on-existing truncate`";

bool has_unique(const FollowerTable& follower, const TableSchema& leader, const ColumnIndexes& wanted) {
    std::vector<std::string> names;
    for (const auto column : wanted) names.push_back(sqlite_folded(leader.columns[column].name));
    std::sort(names.begin(), names.end());
    return std::any_of(follower.indexes.begin(), follower.indexes.end(), [&](const FollowerIndex& index) {
        if (!index.unique || index.partial) return false;
        std::vector<std::string> parts;
        for (const FollowerIndex::Part& part : index.parts) parts.push_back(sqlite_folded(part.column));
        std::sort(parts.begin(), parts.end());
        return parts == names;
    });
}

}  // namespace

SqliteSink::SqliteSink(const std::string& path, Checkpoint checkpoint, FollowerOptions options, const StopSignal& stop)
    : connection_{path, SqliteDatabase::Mode::read_write, stop},
      options_{options},
      checkpoint_{connection_.db(), std::move(checkpoint)},
      schema_version_{connection_.db().prepare("PRAGMA main.schema_version")},
      after_{checkpoint_.checkpoint().position} {
    verify_tables();
}

SqliteSink::~SqliteSink() { rollback(); }

void SqliteSink::verify_tables() {
    SqliteDatabase& db = connection_.db();
    schema_version_.step();
    const std::int64_t version = schema_version_.integer(0);
    schema_version_.reset();
    if (version == verified_version_) return;
    tables_.clear();
    for (const TableState& state : checkpoint_.checkpoint().tables) {
        const std::string name = follower_table(state.shape, Engine::sqlite).name;
        const auto follower = read_follower_table(db, name);
        // Perhaps for a change of the leader's that comes first in the stream, and stopped it before.
        const auto unfit = [&](const std::string& what) {
            tables_[state.name].unfit = fmt::format("stream {}: {}: {}; copy the table anew with `rowferry drop` and `rowferry run`", checkpoint_.checkpoint().stream,
                                        printable(db.path()), what);
            spdlog::warn("{}", tables_[state.name].unfit);
        };
        if (!follower) {
            unfit(fmt::format("table {} is gone", printable(name, 100)));
            continue;
        }
        if (!options_.fire_triggers && !follower->user_triggers.empty())
            throw RefusedError{fmt::format("{}: table {} has the trigger {}, which would change rows on its own; drop it or allow it with --fire-triggers",
                                           printable(db.path()), printable(name, 100), printable(follower->user_triggers.front(), 100))};
        if (state.shape.engine == Engine::sqlite)
            for (const UniqueKey& key : state.shape.unique_keys)
                if (!has_unique(*follower, state.shape, key.columns))
                    unfit(fmt::format("table {} has lost its unique key on column {}", printable(name, 100),
                                     printable(state.shape.columns[key.columns.at(0)].name, 100)));
        if (!tables_[state.name].unfit.empty()) continue;
        try {
            tables_[state.name].plan = std::make_unique<SqliteTablePlan>(db, state.shape, *follower);
        } catch (const RefusedError& error) {
            unfit(error.what());
        }
    }
    verified_version_ = version;
}

void SqliteSink::open_group() {
    if (connection_.db().in_transaction()) return;
    connection_.db().execute("BEGIN IMMEDIATE");
    verify_tables();
}

SqliteSink::Table& SqliteSink::table_for(const TableSchema& schema) {
    if (&schema == last_schema_) return *last_table_;
    const auto found = tables_.find(schema.name);
    if (found == tables_.end()) throw HaltError{"the table is not one of those this stream was copied with"};
    Table& table = found->second;
    if (!table.plan) throw HaltError{table.unfit};
    if (!(table.plan->leader() == schema)) {
        write_parked(table);
        const auto follower = read_follower_table(connection_.db(), follower_table(schema, Engine::sqlite).name);
        if (!follower) throw HaltError{"the follower's table is gone"};
        table.plan = std::make_unique<SqliteTablePlan>(connection_.db(), schema, *follower);
    }
    last_schema_ = &schema;
    last_table_ = &table;
    return table;
}

void SqliteSink::write_parked(Table& table) {
    if (table.has_parked()) {
        table.parked->write_all();
        --parked_tables_;
    }
    table.parked.reset();
}

void SqliteSink::step(const ShapeChange& change) {
    open_group();
    const auto found = tables_.find(change.before->name);
    if (found == tables_.end()) throw HaltError{"the table is not one of those this stream was copied with"};
    Table& table = found->second;
    write_parked(table);
    const bool touched = table.touched_by == transactions_;
    // Statements that were prepared for the old shape would keep the table busy.
    table.plan.reset();
    last_schema_ = nullptr;
    const auto follower = SqliteShapeChange{connection_.db(), change, options_.ddl, touched}.follow();
    checkpoint_.change_shape(change);
    const std::string name = to_string(change.before->name);
    if (!follower) {
        spdlog::info("stream {}, table {}: the table was dropped", checkpoint_.checkpoint().stream, name);
        tables_.erase(found);
        return;
    }
    spdlog::info("stream {}, table {}: the follower has the leader's new shape ({})", checkpoint_.checkpoint().stream, name, describe_columns(*change.after));
    table.unfit.clear();
    table.plan = std::make_unique<SqliteTablePlan>(connection_.db(), *change.after, *follower);
    if (change.after->name == change.before->name) return;
    auto node = tables_.extract(found);
    node.key() = change.after->name;
    tables_.insert(std::move(node));
}

/// A table that somebody changed on the follower has to be explained by the leader's transaction that comes first.
void SqliteSink::check_all_fit() const {
    for (const auto& [name, table] : tables_)
        if (!table.plan) throw HaltError{table.unfit};
}

ParkedRows& SqliteSink::parked_of(Table& table) {
    if (!table.parked) {
        const auto number = std::distance(tables_.begin(), tables_.find(table.plan->leader().name));
        table.parked = std::make_unique<ParkedRows>(*table.plan, fmt::format("rowferry_parked_{}", number));
    }
    return *table.parked;
}

void SqliteSink::apply(std::span<const Event> events) {
    last_schema_ = nullptr;
    for (std::size_t i = 0; i < events.size(); ++i) {
        try {
            step(events[i]);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::halted && error.kind() != ErrorKind::refused) throw;
            throw HaltError{place(events.subspan(i)) + error.what()};
        }
    }
}

void SqliteSink::step(const Event& event) {
    if (const auto* change = std::get_if<Change>(&event)) return step(*change);
    if (const auto* truncate = std::get_if<Truncate>(&event)) return step(*truncate);
    if (const auto* shape = std::get_if<ShapeChange>(&event)) return step(*shape);
    if (const auto* begin = std::get_if<Begin>(&event)) {
        after_ = begin->after;
        ++transactions_;
    } else if (const auto* commit = std::get_if<Commit>(&event)) {
        end_of_transaction();
        check_all_fit();
        after_ = commit->position;
    }
}

void SqliteSink::step(const Change& change) {
    open_group();
    if (arena_.used() > kArenaBytes) arena_.clear();
    Table& table = table_for(*change.table);
    table.touched_by = transactions_;
    table.plan->load(change, arena_);
    const bool had_parked = table.has_parked();
    switch (change.operation) {
        case Operation::insert: insert(table); break;
        case Operation::update: update(table); break;
        case Operation::remove: remove(table); break;
    }
    parked_tables_ += static_cast<int>(table.has_parked()) - static_cast<int>(had_parked);
}

void SqliteSink::insert(Table& table) {
    SqliteTablePlan& plan = *table.plan;
    std::int64_t written = 0;
    try {
        written = plan.insert();
    } catch (const SqliteError& error) {
        if (!error.duplicate()) throw;
        if (plan.leader().engine == Engine::postgresql) return parked_of(table).park_insert();
        replaced_ += static_cast<std::uint64_t>(plan.displace(Operation::insert));
        written = plan.insert();
    }
    if (written != 1) throw HaltError{"the row was not inserted: a trigger of the follower's own holds it back"};
}

void SqliteSink::update(Table& table) {
    SqliteTablePlan& plan = *table.plan;
    const bool slow = table.has_parked();
    if (slow && table.parked->row_is_parked()) return table.parked->update_parked();
    if (slow) table.parked->note_waiting();
    std::int64_t written = 0;
    try {
        written = plan.update();
    } catch (const SqliteError& error) {
        if (!error.duplicate()) throw;
        if (plan.leader().engine == Engine::postgresql) return parked_of(table).park_update();
        replaced_ += static_cast<std::uint64_t>(plan.displace(Operation::update));
        written = plan.update();
    }
    if (written == 0) throw HaltError{fmt::format("the row to update is missing: {}", kRepair)};
    if (written > 1) throw HaltError{fmt::format("{} rows have the key of the row to update: {}", written, kRepair)};
    if (slow) table.parked->write_waiting();
}

void SqliteSink::remove(Table& table) {
    const bool slow = table.has_parked();
    if (slow && table.parked->row_is_parked()) return table.parked->remove_parked();
    if (slow) table.parked->note_waiting();
    const std::int64_t removed = table.plan->remove();
    if (removed == 0) throw HaltError{fmt::format("the row to delete is missing: {}", kRepair)};
    if (removed > 1) throw HaltError{fmt::format("{} rows have the key of the row to delete: {}", removed, kRepair)};
    if (slow) table.parked->write_waiting();
}

void SqliteSink::step(const Truncate& truncate) {
    open_group();
    for (const TableSchema* schema : truncate.tables) {
        Table& table = table_for(*schema);
        table.plan->remove_all();
        if (table.has_parked()) {
            table.parked->remove_all();
            --parked_tables_;
        }
        if (!truncate.restart_identity) continue;
        SqliteDatabase& db = connection_.db();
        if (db.query_integer("SELECT count(*) FROM main.sqlite_master WHERE name = 'sqlite_sequence'") == 0) continue;
        const std::string name = follower_table(*schema, Engine::sqlite).name;
        db.prepare("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE").bind(1, std::string_view{name}).run();
    }
}

void SqliteSink::end_of_transaction() {
    if (parked_tables_ == 0) return;
    for (auto& [name, table] : tables_)
        if (table.has_parked()) {
            try {
                table.parked->write_all();
            } catch (const HaltError& error) {
                throw HaltError{fmt::format("{}: {}", error.what(), kRepair)};
            }
        }
    parked_tables_ = 0;
}

std::string SqliteSink::place(std::span<const Event> from_event) const {
    const Checkpoint& checkpoint = checkpoint_.checkpoint();
    std::string text = fmt::format("stream {}", checkpoint.stream);
    if (const auto* change = std::get_if<Change>(&from_event.front()))
        text += fmt::format(", table {}, row {}", to_string(change->table->name), SqliteTablePlan::describe_row(*change));
    else if (const auto* shape = std::get_if<ShapeChange>(&from_event.front()))
        text += fmt::format(", table {}", to_string(shape->before->name));
    else if (const auto* truncate = std::get_if<Truncate>(&from_event.front()); truncate != nullptr && !truncate->tables.empty())
        text += fmt::format(", truncate of {}", to_string(truncate->tables.front()->name));
    for (const Event& event : from_event)
        if (const auto* commit = std::get_if<Commit>(&event))
            return fmt::format("{}, transaction at {}: ", text, to_string(checkpoint.position_kind, commit->position));
    return fmt::format("{}, transaction after {}: ", text, to_string(checkpoint.position_kind, after_));
}

void SqliteSink::commit(const CheckpointAdvance& advance) {
    if (parked_tables_ != 0) throw std::logic_error{"a group may only end where a leader transaction ends"};
    open_group();
    verify_file();
    checkpoint_.advance(advance);
    connection_.commit();
    checkpoint_.committed();
}

/// A file that was deleted or moved goes on taking commits as long as we have it open, and nobody would ever see them.
void SqliteSink::verify_file() {
    int moved = 0;
    sqlite3_file_control(connection_.db().handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved != 0)
        throw HaltError{fmt::format("{}: the follower's file was deleted, moved or replaced while it was being written. Put it back, or drop the stream and copy again",
                                    printable(connection_.db().path()))};
}

void SqliteSink::rollback() noexcept {
    // Parking tables made in this transaction go with it.
    for (auto& [name, table] : tables_) table.parked.reset();
    parked_tables_ = 0;
    last_schema_ = nullptr;
    connection_.db().rollback();
}

}  // namespace rowferry
