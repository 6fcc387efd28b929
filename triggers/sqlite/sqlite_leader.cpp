#include "triggers/sqlite/sqlite_leader.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/statvfs.h>

#include "db/sqlite.h"
#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "schemas/table_subset.h"
#include "triggers/sqlite/acknowledger.h"
#include "triggers/sqlite/backup_copy.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/capture_store.h"
#include "triggers/sqlite/hidden_key.h"
#include "db/leader_file.h"
#include "db/profile_memory.h"
#include "triggers/sqlite/sqlite_snapshot.h"
#include "triggers/sqlite/sqlite_trigger_source.h"
#include "triggers/sqlite/table_part.h"

namespace rowferry {
namespace {

constexpr int kReadTimeoutMs = 10000;
constexpr auto kWriteRetry = std::chrono::seconds{5};

/// A connection that waits for the application for a while.
class PatientDatabase : public SqliteDatabase {
public:
    explicit PatientDatabase(const std::string& path) : SqliteDatabase{path, Mode::read_write} { set_busy_timeout(kReadTimeoutMs); }
};

class SqliteTriggerLeader : public Leader {
public:
    SqliteTriggerLeader(std::string path, const StopSignal& stop) : path_{std::move(path)}, stop_{stop} {}

    [[nodiscard]] Engine engine() const override { return Engine::sqlite; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::triggers; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::sequence; }
    [[nodiscard]] std::string describe() const override { return "sqlite:" + printable(path_); }

    LeaderIdentity identify() override {
        PatientDatabase db{path_};
        return {Engine::sqlite, read_leader_id(db), 0, {}};
    }

    Position current_position() override {
        PatientDatabase db{path_};
        return capture_installed(db) ? Position{read_log_end(db).seq, 0} : Position{};
    }

    std::vector<TablePtr> select_tables(const StreamRequest& request) override;
    std::vector<std::string> skipped(const StreamRequest& request) override;
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;

    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override {
        return std::make_unique<SqliteSnapshot>(memory(), "", names_of(select_tables(request)), request, stop_);
    }

    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override {
        return std::make_unique<SqliteTriggerSource>(path_, request, checkpoint, stop_);
    }

    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) override;
    void release(const StreamRequest& request, const std::vector<TableName>& tables) override;
    Position mark(const StreamRequest& request) override;
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    void write(SqliteDatabase& db, std::string_view doing, const std::function<void()>& work) const;
    void check_stream_is_free(SqliteDatabase& db, const StreamRequest& request) const;
    void check_not_copying(SqliteDatabase& db) const;
    void check_names_are_free(SqliteDatabase& db) const;
    void check_room_for_copy(SqliteDatabase& db) const;
    void check_capturable(SqliteDatabase& db, const TableSchema& table) const;
    static void apply_rules(SqliteDatabase& db, const StreamRequest& request, std::vector<TablePtr>& tables);
    static std::vector<std::string> names_of(const std::vector<TablePtr>& tables);

    /// What was looked at before anything was written, for the snapshot.
    std::shared_ptr<ProfileMemory> memory() {
        if (!memory_ || memory_.use_count() > 1) memory_ = std::make_shared<ProfileMemory>(path_);
        return memory_;
    }

    std::string path_;
    const StopSignal& stop_;
    std::shared_ptr<ProfileMemory> memory_;
};

/// One write transaction, tried again while the application holds the file.
void SqliteTriggerLeader::write(SqliteDatabase& db, std::string_view doing, const std::function<void()>& work) const {
    const auto give_up = std::chrono::steady_clock::now() + kWriteRetry;
    db.set_busy_timeout(100);
    for (;;) {
        stop_.check();
        try {
            SqliteTransaction transaction{db, "IMMEDIATE"};
            work();
            transaction.commit();
            return;
        } catch (const SqliteError& error) {
            if (!error.busy()) throw;
        }
        if (std::chrono::steady_clock::now() > give_up)
            throw RetryableError{fmt::format("{}: {}: the file stayed locked for {} s", printable(path_), doing, kWriteRetry.count())};
        stop_.sleep(std::chrono::milliseconds{10});
    }
}

std::vector<std::string> SqliteTriggerLeader::names_of(const std::vector<TablePtr>& tables) {
    std::vector<std::string> names;
    for (const TablePtr& table : tables) names.push_back(table->name.name);
    return names;
}

std::vector<TablePtr> SqliteTriggerLeader::select_tables(const StreamRequest& request) {
    PatientDatabase db{path_};
    SqliteTransaction transaction{db, "DEFERRED"};
    const std::vector<TableName> all = list_sqlite_tables(db);
    if (const auto unmatched = request.selection.unmatched(Engine::sqlite, all); !unmatched.empty())
        throw RefusedError{
            fmt::format("{}: no table matches \"{}\"", printable(path_), printable(fmt::format("{}", fmt::join(unmatched, "\", \""))))};
    std::vector<TablePtr> tables;
    for (const TableName& name : all) {
        if (!request.selection.selects(Engine::sqlite, name)) continue;
        auto table = read_sqlite_table(db, name.name);
        if (table && !table->schema.columns.empty()) tables.push_back(std::make_shared<TableSchema>(std::move(table->schema)));
    }
    if (tables.empty()) throw RefusedError{fmt::format("{}: there is no table to replicate", printable(path_))};
    apply_rules(db, request, tables);
    transaction.commit();
    return tables;
}

std::vector<std::string> SqliteTriggerLeader::skipped(const StreamRequest& request) {
    PatientDatabase db{path_};
    std::vector<std::string> lines;
    for (const SqliteSkipped& object : list_sqlite_skipped(db)) {
        const std::string& table = object.table.empty() ? object.name : object.table;
        if (!request.selection.selects(Engine::sqlite, {"main", table})) continue;
        lines.push_back(object.table.empty() ? fmt::format("main.{}: {}, not replicated", printable(object.name, 100), object.kind)
                                             : fmt::format("main.{}: trigger {} is not carried; what it does is", printable(table, 100), printable(object.name, 100)));
    }
    return lines;
}

/// Narrows the tables to what the stream carries of them.
void SqliteTriggerLeader::apply_rules(SqliteDatabase& db, const StreamRequest& request, std::vector<TablePtr>& tables) {
    if (request.rules.empty()) return;
    std::vector<const TableSchema*> whole;
    for (const TablePtr& table : tables) whole.push_back(table.get());
    check_rules(request.rules, whole);
    const std::string encoding = db.query_text("PRAGMA main.encoding");
    for (TablePtr& table : tables) table = part_of_table(request, table, encoding).carried;
}

void SqliteTriggerLeader::check(const StreamRequest& request, const std::vector<TablePtr>& tables) {
    std::optional<LeaderFile> writable;
    if (!request.one_off) writable.emplace(path_);
    for (const std::string& line : skipped(request)) spdlog::info("{}", line);
    PatientDatabase db{path_};
    if (!request.one_off && sqlite3_db_readonly(db.handle(), "main") == 1)
        throw RefusedError{fmt::format("{}: the file is read-only, capture by triggers has to write", printable(path_))};
    SqliteTransaction transaction{db, "DEFERRED"};
    check_not_copying(db);
    check_room_for_copy(db);
    if (request.one_off) return transaction.commit();
    check_stream_is_free(db, request);
    check_names_are_free(db);
    for (const TablePtr& table : tables) check_capturable(db, *table);
    transaction.commit();
}

void SqliteTriggerLeader::check_capturable(SqliteDatabase& db, const TableSchema& table) const {
    // The log has every column, whatever the stream carries.
    const auto whole = read_sqlite_table(db, table.name.name);
    if (const auto reason = too_wide(db, whole ? whole->schema : table)) throw RefusedError{fmt::format("{}: {}", printable(path_), *reason)};
    if (whole)
        if (const HiddenKeys hidden = hidden_keys(*whole); !hidden.unseen.empty()) throw RefusedError{fmt::format("{}: {}", printable(path_), cannot_see(table, hidden))};
    try {
        (void)to_json(table);
    } catch (const HaltError& error) {
        throw RefusedError{fmt::format("{}: {}", printable(path_), error.what())};
    }
}

void SqliteTriggerLeader::check_not_copying(SqliteDatabase& db) const {
    if (db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_checkpoint'") == 0) return;
    if (db.query_integer("SELECT count(*) FROM main.rowferry_checkpoint WHERE state = 'copying'") == 0) return;
    throw RefusedError{fmt::format("{}: it is a follower itself and its own copy is not complete: finish that first", printable(path_))};
}

void SqliteTriggerLeader::check_stream_is_free(SqliteDatabase& db, const StreamRequest& request) const {
    if (!capture_installed(db)) return;
    const auto stream = read_stream(db, request.stream);
    if (stream && stream->follower_id != request.follower_id)
        throw RefusedError{
            fmt::format("{}: the stream {} belongs to another follower: choose another --stream, or remove it with `rowferry drop`",
                        printable(path_), request.stream)};
}

void SqliteTriggerLeader::check_names_are_free(SqliteDatabase& db) const {
    if (capture_installed(db)) return;
    SqliteStatement taken = db.prepare(
        "SELECT name FROM main.sqlite_schema WHERE name IN ('rowferry_stream', 'rowferry_table', 'rowferry_change') OR name GLOB "
        "'rowferry_[0-9]*'");
    if (taken.step())
        throw RefusedError{fmt::format("{}: it has an object {} that is not rowferry's: names that begin with rowferry_ are needed",
                                       printable(path_), printable(taken.text(0), 100))};
}

void SqliteTriggerLeader::check_room_for_copy(SqliteDatabase& db) const {
    if (uses_wal(db)) return;
    struct statvfs room {};
    const std::string folder = copy_folder();
    if (::statvfs(folder.c_str(), &room) != 0) return;
    const auto needed = static_cast<std::uint64_t>(db.query_integer("PRAGMA main.page_count") * db.query_integer("PRAGMA main.page_size"));
    const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
    if (needed > free)
        throw RefusedError{fmt::format(
            "{}: it is not in WAL mode, so the snapshot is read from a private copy of {} MB, and {} has {} MB free: set TMPDIR",
            printable(path_), needed >> 20, printable(folder), free >> 20)};
}

std::unique_ptr<Snapshot> SqliteTriggerLeader::start(const StreamRequest& request) {
    const CaptureRequest capture{request.stream, request.follower_id, request.exact_replace, names_of(select_tables(request))};
    const auto leader = memory();
    memory_.reset();
    write(leader->db(), "setting up capture", [&] { install_stream(leader->db(), capture); });
    return std::make_unique<SqliteSnapshot>(leader, request.stream, capture.tables, request, stop_);
}

std::unique_ptr<Snapshot> SqliteTriggerLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) {
    CaptureRequest capture{request.stream, request.follower_id, request.exact_replace, {}};
    PatientDatabase db{path_};
    {
        SqliteTransaction transaction{db, "DEFERRED"};
        check_room_for_copy(db);
        for (const TableName& name : tables) {
            const auto table = read_sqlite_table(db, name.name);
            if (!table) throw RefusedError{fmt::format("{}: there is no table {}", printable(path_), to_string(name))};
            check_capturable(db, table->schema);
            if (!request.rules.empty())  // refuses what the rules ask for and the table does not have
                static_cast<void>(part_of_table(request, std::make_shared<const TableSchema>(table->schema), db.query_text("PRAGMA main.encoding")));
            capture.tables.push_back(name.name);
        }
        transaction.commit();
    }
    write(db, "setting up the capture of a table", [&] { install_tables(db, capture); });
    return std::make_unique<SqliteSnapshot>(std::make_shared<ProfileMemory>(path_), request.stream, capture.tables, request, stop_);
}

void SqliteTriggerLeader::release(const StreamRequest& request, const std::vector<TableName>& tables) {
    std::vector<std::string> names;
    for (const TableName& table : tables) names.push_back(table.name);
    PatientDatabase db{path_};
    write(db, "removing the capture of a table", [&] { remove_tables(db, request.stream, names); });
}

Position SqliteTriggerLeader::mark(const StreamRequest& request) {
    PatientDatabase db{path_};
    LogEnd marker;
    write(db, "writing a marker", [&] {
        if (!capture_installed(db) || !read_stream(db, request.stream))
            throw HaltError{fmt::format("{}: there is no stream {} to mark; {}", printable(path_), request.stream, way_out())};
        marker = append_marker(db);
    });
    return {marker.seq, 0};
}

bool SqliteTriggerLeader::caught_up(const StreamRequest& request, const Checkpoint& checkpoint) {
    PatientDatabase db{path_};
    if (!capture_installed(db)) return false;
    const auto stream = read_stream(db, request.stream);
    if (!stream) return false;
    SqliteStatement rows = db.prepare("SELECT tbl FROM main.rowferry_change WHERE seq > ?1 AND op <> 'M'");
    rows.bind(1, static_cast<std::int64_t>(checkpoint.position.major));
    while (rows.step())
        if (std::find(stream->tables.begin(), stream->tables.end(), rows.integer(0)) != stream->tables.end()) return false;
    return true;
}

std::vector<std::string> SqliteTriggerLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    PatientDatabase db{path_};
    if (!capture_installed(db)) return {};
    std::vector<StreamRecord> streams = read_streams(db);
    if (stream) std::erase_if(streams, [&](const StreamRecord& record) { return record.name != *stream; });
    std::vector<std::unique_ptr<LeaderFile>> locks;
    for (const StreamRecord& record : streams) {
        locks.push_back(std::make_unique<LeaderFile>(path_));
        if (!locks.back()->try_lock_stream(record.name))
            throw RefusedError{
                fmt::format("{}: the stream {} is being read by a rowferry right now: stop that first", printable(path_), record.name)};
    }
    std::vector<std::string> removed;
    bool last = false;
    const auto remove_streams = [&] {
        removed.clear();
        const std::size_t before = read_streams(db).size();
        for (const StreamRecord& record : streams)
            for (std::string& line : remove_stream(db, record.name, dry_run)) removed.push_back(std::move(line));
        last = before == streams.size();
    };
    if (dry_run) {
        remove_streams();
    } else {
        write(db, "removing the stream", remove_streams);
    }
    if (!last) return removed;
    // Dropping a long log takes a while with the file locked, so it is emptied in pieces first.
    if (!dry_run && !prune_everything(db))
        throw RetryableError{fmt::format("{}: removing the change table: the file stayed locked", printable(path_))};
    std::vector<std::string> tables;
    const auto remove_tables = [&] { tables = remove_capture_tables(db, dry_run); };
    if (dry_run)
        remove_tables();
    else
        write(db, "removing the change table", [&] {
            if (read_streams(db).empty()) remove_tables();
        });
    for (std::string& line : tables)
        if (std::find_if(removed.begin(), removed.end(), [&](const std::string& known) { return known.starts_with(line + " on "); }) ==
            removed.end())
            removed.push_back(std::move(line));
    return removed;
}

}  // namespace

std::unique_ptr<Leader> make_sqlite_trigger_leader(std::string path, const StopSignal& stop) {
    return std::make_unique<SqliteTriggerLeader>(std::move(path), stop);
}

}  // namespace rowferry
