#include "statements/sqlite/sqlite_statement_leader.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/statvfs.h>

#include "db/leader_file.h"
#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/wal_access.h"
#include "schemas/identifier.h"
#include "statements/placed_snapshot.h"
#include "statements/sqlite/busy_timeout.h"
#include "statements/sqlite/exec_log.h"
#include "statements/sqlite/sql_file_log.h"
#include "statements/sqlite/sqlite_statement_source.h"
#include "statements/sqlite/statement_log.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/capture_store.h"
#include "triggers/sqlite/hidden_key.h"
#include "triggers/sqlite/shape_log.h"
#include "triggers/sqlite/sqlite_leader.h"

namespace rowferry {
namespace {

namespace fs = std::filesystem;

constexpr auto kWriteRetry = std::chrono::seconds{5};
/// What a whole copy needs beside it, for the statements that are run on it.
constexpr std::uint64_t kLeastFree = 64ULL << 20;

class SqliteStatementLeader : public Leader {
public:
    SqliteStatementLeader(std::string path, SqliteStatementLog log, std::string stream, const StopSignal& stop)
        : path_{std::move(path)}, log_{std::move(log)}, stream_{std::move(stream)}, stop_{stop} {}

    [[nodiscard]] Engine engine() const override { return Engine::sqlite; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::statements; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::log; }
    [[nodiscard]] std::string describe() const override { return "sqlite:" + printable(path_); }

    LeaderIdentity identify() override;
    Position current_position() override;
    std::vector<TablePtr> select_tables(const StreamRequest& request) override { return captured_leader()->select_tables(request); }
    std::vector<std::string> skipped(const StreamRequest& request) override { return captured_leader()->skipped(request); }
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override { return captured_leader()->snapshot(request); }
    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) override;
    void release(const StreamRequest& request, const std::vector<TableName>& tables) override { make_sqlite_trigger_leader(scratch_path(), stop_)->release(request, tables); }
    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override;
    Position mark(const StreamRequest& request) override;
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    [[nodiscard]] bool by_files();
    [[nodiscard]] std::string folder() const;
    /// A link to it where --scratch named another place, so that drop finds it.
    [[nodiscard]] std::string scratch_link(const std::string& stream) const { return folder() + "/" + stream + ".scratch"; }
    [[nodiscard]] std::string scratch_path() const;
    [[nodiscard]] std::string state_path() const { return log_.start.empty() ? path_ : log_.start; }
    /// Where the tables are: the leader as it is now, for files the scratch copy; before there is a stream the state in front of the log.
    [[nodiscard]] std::unique_ptr<Leader> captured_leader();
    void write(std::string_view doing, const std::function<void(SqliteDatabase&)>& work) const;
    [[nodiscard]] std::int64_t mark_log() const;
    void check_room() const;
    void make_scratch(const StreamRequest& request);
    [[nodiscard]] ScratchPlace register_stream(const StreamRequest& request) const;
    [[nodiscard]] ScratchPlace place_of_state() const;
    [[nodiscard]] std::unique_ptr<TransactionReader> open_log(ScratchCopy& scratch);
    void catch_up(ScratchCopy& scratch, TransactionReader& log, const Checkpoint& checkpoint) const;
    void drop_stream(const std::string& name, bool dry_run, std::vector<std::string>& removed);
    [[nodiscard]] std::string way_out_of_loss() const;

    std::string path_;
    SqliteStatementLog log_;
    std::string stream_;
    const StopSignal& stop_;
};

std::string SqliteStatementLeader::way_out_of_loss() const {
    return "`rowferry drop LEADER FOLLOWER`, then `rowferry run` with --on-existing truncate copies again";
}

std::string SqliteStatementLeader::folder() const { return fs::weakly_canonical(path_).string() + "-rowferry"; }

std::string SqliteStatementLeader::scratch_path() const {
    const std::string link = scratch_link(stream_);
    std::error_code failure;
    const fs::path target = fs::read_symlink(link, failure);
    return failure ? link : target.string();
}

/// A stream that exists keeps to what it began with.
bool SqliteStatementLeader::by_files() {
    if (!log_.files.empty()) return true;
    if (!fs::exists(scratch_path())) return false;
    const std::string patterns = ScratchCopy{scratch_path()}.note("patterns");
    if (patterns.empty()) return false;
    log_.files = nlohmann::json::parse(patterns).get<std::vector<std::string>>();
    return true;
}

std::unique_ptr<Leader> SqliteStatementLeader::captured_leader() {
    const std::string scratch = scratch_path();
    if (!fs::exists(scratch)) return make_sqlite_trigger_leader(state_path(), stop_);
    return make_sqlite_trigger_leader(by_files() ? scratch : path_, stop_);
}

LeaderIdentity SqliteStatementLeader::identify() {
    if (by_files()) return {Engine::sqlite, file_identity(path_), 0, {}};
    SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
    return {Engine::sqlite, statement_log_leader(db), 0, {}};
}

Position SqliteStatementLeader::current_position() {
    if (by_files()) return fs::exists(scratch_path()) ? mark({}) : Position{1, 0};
    SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
    if (!statement_log_installed(db)) return {};
    const auto last = last_entry(db);
    return last ? Position{static_cast<std::uint64_t>(last->number), 0} : Position{};
}

/// One write transaction, tried again while the application holds the file.
void SqliteStatementLeader::write(std::string_view doing, const std::function<void(SqliteDatabase&)>& work) const {
    SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
    sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    db.set_busy_timeout(100);
    const auto give_up = std::chrono::steady_clock::now() + kWriteRetry;
    for (;;) {
        stop_.check();
        try {
            SqliteTransaction transaction{db, "IMMEDIATE"};
            work(db);
            transaction.commit();
            return;
        } catch (const SqliteError& error) {
            if (!error.busy()) throw;
        }
        if (std::chrono::steady_clock::now() > give_up) throw RetryableError{fmt::format("{}: {}: the file stayed locked for {} s", printable(path_), doing, kWriteRetry.count())};
        stop_.sleep(std::chrono::milliseconds{10});
    }
}

std::int64_t SqliteStatementLeader::mark_log() const {
    const FileTrail trail{path_};
    std::int64_t number = 0;
    write("writing a marker", [&](SqliteDatabase& db) {
        if (!statement_log_installed(db)) throw HaltError{fmt::format("{}: its statement log is gone; {}", printable(path_), way_out_of_loss())};
        LogWrite write{db, trail};
        number = write.finish({}, {});
    });
    return number;
}

void SqliteStatementLeader::check_room() const {
    std::error_code failure;
    const std::uint64_t needed = fs::file_size(state_path(), failure) + kLeastFree;
    fs::path where = log_.scratch.empty() ? fs::path{fs::weakly_canonical(path_)}.parent_path() : fs::absolute(log_.scratch).parent_path();
    while (!where.empty() && !fs::exists(where) && where != where.parent_path()) where = where.parent_path();
    struct statvfs room {};
    if (failure || ::statvfs(where.c_str(), &room) != 0) return;
    const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
    if (needed > free)
        throw RefusedError{fmt::format("{}: the scratch copy on which statements are run again needs {} MB, and {} has {} MB free: name another disk with --scratch sqlite:FILE", printable(path_), needed >> 20,
                                       printable(where.string()), free >> 20)};
}

void SqliteStatementLeader::check(const StreamRequest& request, const std::vector<TablePtr>& tables) {
    const LeaderFile writable{path_};
    for (const std::string& line : skipped(request)) spdlog::info("{}", line);
    if (by_files()) {
        if (log_.start.empty() && !fs::exists(scratch_path()))
            throw RefusedError{"say in which state the database was before the log began: --log-start sqlite:FILE (the leader itself, if it is that)"};
        static_cast<void>(SqlFileLog{log_.files, {}});
    } else {
        SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
        db.set_busy_timeout(kBusyTimeoutMs);
        if (sqlite3_db_readonly(db.handle(), "main") == 1) throw RefusedError{fmt::format("{}: the file is read-only, and the log's streams are kept in it", printable(path_))};
        if (db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_checkpoint'") != 0 &&
            db.query_integer("SELECT count(*) FROM main.rowferry_checkpoint WHERE state = 'copying'") != 0)
            throw RefusedError{fmt::format("{}: it is a follower itself and its own copy is not complete: finish that first", printable(path_))};
        if (statement_log_installed(db))
            if (const auto stream = read_statement_stream(db, request.stream); stream && stream->follower_id != request.follower_id)
                throw RefusedError{fmt::format("{}: the stream {} belongs to another follower: choose another --stream, or remove it with `rowferry drop`", printable(path_), request.stream)};
    }
    if (fs::exists(scratch_path())) {
        const LeaderFile file{scratch_path()};
        if (const std::string follower = ScratchCopy{scratch_path()}.note("follower"); !follower.empty() && follower != request.follower_id)
            throw RefusedError{fmt::format("{}: the scratch copy {} belongs to another follower: choose another --stream, or remove it with `rowferry drop`", printable(path_), printable(scratch_path()))};
    }
    SqliteDatabase state{state_path(), SqliteDatabase::Mode::read_write};
    for (const TablePtr& table : tables) {
        const auto whole = read_sqlite_table(state, table->name.name);
        if (!whole) continue;
        if (const auto reason = too_wide(state, whole->schema)) throw RefusedError{fmt::format("{}: {}", printable(path_), *reason)};
        if (const HiddenKeys hidden = hidden_keys(*whole); !hidden.unseen.empty()) throw RefusedError{fmt::format("{}: {}", printable(path_), cannot_see(*table, hidden))};
    }
    check_room();
}

/// In the leader's log: from this transaction on the stream needs it.
ScratchPlace SqliteStatementLeader::register_stream(const StreamRequest& request) const {
    const FileTrail trail{path_};
    std::int64_t number = 0;
    write("setting up the statement log", [&](SqliteDatabase& db) {
        LogWrite write{db, trail};
        install_statement_log(db);
        if (const auto stream = read_statement_stream(db, request.stream); stream && stream->follower_id != request.follower_id)
            throw RefusedError{fmt::format("{}: the stream {} belongs to another follower: choose another --stream, or remove it with `rowferry drop`", printable(path_), request.stream)};
        number = write.finish({}, {});
        if (!log_.start.empty()) number = static_cast<std::int64_t>(place_of_state().position.major);
        if (!entry_at(db, number)) throw RefusedError{fmt::format("{}: its statement log no longer goes back to the state of --log-start", printable(path_))};
        write_statement_stream(db, {request.stream, request.follower_id, number});
    });
    ScratchPlace place;
    place.position = {static_cast<std::uint64_t>(number), 0};
    return place;
}

/// How far a database's own copy of the log goes.
ScratchPlace SqliteStatementLeader::place_of_state() const {
    SqliteDatabase state{state_path(), SqliteDatabase::Mode::read_write};
    SqliteDatabase leader{path_, SqliteDatabase::Mode::read_write};
    state.set_busy_timeout(kBusyTimeoutMs);
    if (!statement_log_installed(state) || statement_log_leader(state) != statement_log_leader(leader))
        throw RefusedError{fmt::format("{}: it is no earlier state of the leader: its statement log is another one, or it has none", printable(state_path()))};
    const auto last = last_entry(state);
    ScratchPlace place;
    if (!last) throw RefusedError{fmt::format("{}: its statement log is empty: it does not say where it ends", printable(state_path()))};
    place.position = {static_cast<std::uint64_t>(last->number), 0};
    place.tag = std::to_string(last->tag);
    return place;
}

void SqliteStatementLeader::make_scratch(const StreamRequest& request) {
    const std::string link = scratch_link(stream_);
    std::error_code failure;
    ScratchCopy::remove(scratch_path());  // also of a first copy that was never completed
    fs::remove(link, failure);
    fs::create_directories(folder(), failure);
    if (failure) throw RefusedError{fmt::format("{}: {}", printable(folder()), failure.message())};
    if (!log_.scratch.empty()) {
        if (fs::exists(log_.scratch)) throw RefusedError{fmt::format("{}: --scratch names a file that is there already: name one that is not, or remove it", printable(log_.scratch))};
        fs::create_symlink(fs::absolute(log_.scratch), link, failure);
        if (failure) throw RefusedError{fmt::format("{}: {}", printable(link), failure.message())};
    }
    ScratchCopy::make(scratch_path(), state_path(), stop_);
    ScratchCopy scratch{scratch_path()};
    scratch.set_note("follower", request.follower_id);
    scratch.set_note("stream", request.stream);
    if (!log_.files.empty()) scratch.set_note("patterns", nlohmann::json(log_.files).dump());
}

std::unique_ptr<Snapshot> SqliteStatementLeader::start(const StreamRequest& request) {
    ScratchPlace place;
    place.position = {1, 0};
    if (!by_files()) place = register_stream(request);
    make_scratch(request);
    StreamRequest captured = request;
    captured.exact_replace = true;  // its cost is ours alone
    if (!log_.files.empty()) {
        SqlFileLog files{log_.files, {}};
        ScratchCopy{scratch_path()}.set_note("files", files.noted());
    } else if (!log_.start.empty()) {
        place = place_of_state();
    } else {
        // The copy is of one moment, behind the stream's registration; the log that came with it said which.
        place = {};
        ScratchCopy scratch{scratch_path()};
        const std::string entry = scratch.note("entry");
        place.position = {std::stoull(entry.substr(0, entry.find(':'))), 0};
        place.tag = entry.substr(entry.find(':') + 1);
    }
    auto snapshot = make_sqlite_trigger_leader(scratch_path(), stop_)->start(captured);
    place.seq = snapshot->position().major;
    ScratchCopy{scratch_path()}.begin_at(place);
    return std::make_unique<PlacedSnapshot>(std::move(snapshot), place.position, place.tag);
}

std::unique_ptr<Snapshot> SqliteStatementLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) {
    if (by_files()) throw RefusedError{"a stream of statements in files has no place at which single tables could be copied: `rowferry drop` it and copy again, with --log-start as the database is now"};
    const std::int64_t marker = mark_log();
    StreamRequest captured = request;
    captured.exact_replace = true;
    ScratchPlace place;
    {
        ScratchCopy scratch{scratch_path()};
        const auto last = scratch.last_place();
        ExecLog log{path_, last ? static_cast<std::int64_t>(last->position.major) : 0, last ? last->tag : std::string{}};
        // Shapes are looked at when the source goes on: statements that change them wait for it.
        while (log.last() + 1 < marker && scratch.advance(log)) stop_.check();
        if (log.last() + 1 != marker) throw RetryableError{fmt::format("{}: the statement log does not reach the marker that was written", printable(path_))};
        const auto entry = entry_at(log.db(), marker);
        if (!entry) throw HaltError{fmt::format("{}: the marker that was written into the statement log is gone", printable(path_))};
        place = scratch.last_place().value_or(ScratchPlace{});
        place.position = {static_cast<std::uint64_t>(marker), 0};
        place.tag = std::to_string(entry->tag);
        place.time_us = entry->committed_us;
    }
    auto snapshot = make_sqlite_trigger_leader(scratch_path(), stop_)->snapshot_of(captured, tables);
    place.seq = snapshot->position().major;
    ScratchCopy{scratch_path()}.begin_at(place);
    return std::make_unique<PlacedSnapshot>(std::move(snapshot), place.position, place.tag);
}

std::unique_ptr<TransactionReader> SqliteStatementLeader::open_log(ScratchCopy& scratch) {
    const auto last = scratch.last_place();
    if (!last) throw HaltError{fmt::format("{}: the scratch copy was never completed; {}", printable(path_), way_out_of_loss())};
    if (!by_files()) return std::make_unique<ExecLog>(path_, static_cast<std::int64_t>(last->position.major), last->tag);
    auto files = std::make_unique<SqlFileLog>(log_.files, scratch.note("files"));
    files->seek(last->position, last->tag);
    scratch.set_note("files", files->noted());
    return files;
}

/// A power cut can take the end of the scratch copy. The log still has it, as long as that was not acknowledged.
void SqliteStatementLeader::catch_up(ScratchCopy& scratch, TransactionReader& log, const Checkpoint& checkpoint) const {
    const std::string at = to_string(PositionKind::log, checkpoint.position);
    for (auto last = scratch.last_place(); last && last->position < checkpoint.position; last = scratch.last_place()) {
        stop_.check();
        if (!scratch.advance(log))
            throw RefusedError{fmt::format("{}: the scratch copy is at {}, the follower at {}, and the statement log does not have what lies between; {}", printable(path_),
                                           to_string(PositionKind::log, last->position), at, way_out_of_loss())};
    }
    const auto place = scratch.place_at(checkpoint.position);
    if (!place)
        throw HaltError{fmt::format("{}: the scratch copy no longer knows {}, where the follower is: it was restored from a backup; {}", printable(path_), at, way_out_of_loss())};
    if (place->tag != checkpoint.resume)
        throw HaltError{fmt::format("{}: the statement log has something else at {} than what the follower got: it lost its end, or was replaced; {}", printable(path_), at, way_out_of_loss())};
}

std::unique_ptr<Source> SqliteStatementLeader::follow(const StreamRequest& request, const Checkpoint& checkpoint) {
    if (!fs::exists(scratch_path()))
        throw RefusedError{fmt::format("{}: the scratch copy {}, on which its statements are run again, is gone; {}", printable(path_), printable(scratch_path()), way_out_of_loss())};
    SqliteStatementSource::Parts parts;
    parts.where = fmt::format("{}: stream {}", printable(path_), checkpoint.stream);
    parts.position = checkpoint.position;
    parts.scratch = std::make_unique<ScratchCopy>(scratch_path());
    ScratchCopy& scratch = *parts.scratch;
    if (const std::string follower = scratch.note("follower"); follower != checkpoint.follower_id)
        throw HaltError{fmt::format("{}: the scratch copy belongs to another follower now; {}", printable(path_), way_out_of_loss())};
    parts.log = open_log(scratch);
    if (!by_files()) {
        SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
        db.set_busy_timeout(kBusyTimeoutMs);
        const auto stream = statement_log_installed(db) ? read_statement_stream(db, checkpoint.stream) : std::nullopt;
        if (!stream || stream->follower_id != checkpoint.follower_id)
            throw HaltError{fmt::format("{}: its statement log no longer knows the stream {}: it was removed, or the file was restored from a backup; {}", printable(path_), checkpoint.stream, way_out_of_loss())};
        const auto last = last_entry(db);
        const auto run = scratch.last_place();
        if (last && run && static_cast<std::uint64_t>(last->number) < run->position.major)
            throw HaltError{fmt::format("{}: its statement log ends at {}, and {} was run before: it lost the end of its history, or was restored from a backup; {}", printable(path_),
                                        to_string(PositionKind::log, {static_cast<std::uint64_t>(last->number), 0}), to_string(PositionKind::log, run->position), way_out_of_loss())};
        static_cast<ExecLog&>(*parts.log).require_same_history();
    }
    std::vector<TablePtr> shapes;
    for (const TableState& state : checkpoint.tables) shapes.push_back(std::make_shared<TableSchema>(state.shape));
    catch_up(scratch, *parts.log, checkpoint);
    const ScratchPlace place = scratch.place_at(checkpoint.position).value();
    if (request.rules.empty()) scratch.follow_shapes(shapes_at_end(scratch.db(), shapes, place.seq));

    Checkpoint captured = checkpoint;
    captured.leader = {Engine::sqlite, read_leader_id(scratch.db()), 0, {}};
    captured.position = {place.seq, 0};
    captured.acked = captured.position;
    const auto tag = read_tag(scratch.db(), place.seq);
    if (!tag) throw HaltError{fmt::format("{}: the scratch copy's change table no longer goes back to {}; {}", printable(path_), to_string(PositionKind::log, checkpoint.position), way_out_of_loss())};
    captured.resume = std::to_string(*tag);
    StreamRequest traced = request;
    traced.follower_id = checkpoint.follower_id;
    parts.changes = std::make_unique<SqliteTriggerSource>(scratch_path(), traced, captured, stop_);
    if (by_files()) {
        parts.watched = static_cast<SqlFileLog&>(*parts.log).last_file();
    } else {
        parts.watched = path_;
        parts.foreign = std::make_unique<ForeignWrites>(path_, scratch, stop_);
        parts.acknowledger = std::make_unique<LogAcknowledger>(path_, checkpoint.stream, checkpoint.follower_id);
    }
    return std::make_unique<SqliteStatementSource>(std::move(parts), stop_);
}

Position SqliteStatementLeader::mark(const StreamRequest&) {
    if (!by_files()) return {static_cast<std::uint64_t>(mark_log()), 0};
    ScratchCopy scratch{scratch_path()};
    const auto log = open_log(scratch);
    return static_cast<SqlFileLog&>(*log).end_of_log();
}

bool SqliteStatementLeader::caught_up(const StreamRequest&, const Checkpoint& checkpoint) {
    if (by_files()) return fs::exists(scratch_path()) && mark({}) <= checkpoint.position;
    SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
    db.set_busy_timeout(kBusyTimeoutMs);
    if (!statement_log_installed(db)) return false;
    SqliteStatement behind = db.prepare("SELECT count(*) FROM main.rowferry_statement_transaction WHERE number > ?1 AND rows <> ''");
    behind.bind(1, static_cast<std::int64_t>(checkpoint.position.major));
    return behind.step() && behind.integer(0) == 0;
}

void SqliteStatementLeader::drop_stream(const std::string& name, bool dry_run, std::vector<std::string>& removed) {
    const std::string link = scratch_link(name);
    std::error_code failure;
    const fs::path target = fs::read_symlink(link, failure);
    const std::string path = failure ? link : target.string();
    if (fs::exists(path)) {
        LeaderFile file{path};
        if (!file.try_lock_stream(name)) throw RefusedError{fmt::format("{}: the stream {} is being read by a rowferry right now: stop that first", printable(path_), name)};
        removed.push_back(fmt::format("scratch copy of stream {}", name));
    } else if (fs::exists(path + ".new")) {
        removed.push_back(fmt::format("unfinished scratch copy of stream {}", name));
    }
    if (dry_run) return;
    ScratchCopy::remove(path);
    fs::remove(link, failure);
}

std::vector<std::string> SqliteStatementLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    std::vector<std::string> removed;
    std::error_code none;
    std::set<std::string> scratches;  // by name: also of those whose first copy was never completed
    for (const auto& entry : fs::directory_iterator{folder(), none}) {
        const std::string file = entry.path().filename().string();
        if (const std::size_t end = file.rfind(".scratch"); end != std::string::npos) scratches.insert(file.substr(0, end));
    }
    for (const std::string& name : scratches)
        if (!stream || name == *stream) drop_stream(name, dry_run, removed);
    if (!dry_run) fs::remove(folder(), none);  // stays where something else is in it
    bool installed = false;
    std::vector<StatementStream> streams;
    {
        SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
        db.set_busy_timeout(kBusyTimeoutMs);
        installed = statement_log_installed(db);
        if (installed) streams = read_statement_streams(db);
    }
    const auto concerns = [&](const StatementStream& each) { return !stream || each.name == *stream; };
    const bool any = std::ranges::any_of(streams, concerns);
    if (!installed || (!any && stream)) return removed;
    const bool last = std::ranges::all_of(streams, concerns);
    for (const StatementStream& each : streams)
        if (concerns(each)) removed.push_back(fmt::format("stream {} of the statement log", each.name));
    if (last) removed.emplace_back("the statement log");
    if (dry_run) return removed;
    const FileTrail trail{path_};
    write("removing the statement log", [&](SqliteDatabase& db) {
        if (last) return remove_statement_log(db);
        LogWrite write{db, trail};
        for (const StatementStream& each : streams)
            if (concerns(each)) remove_statement_stream(db, each.name);
        write.finish_without_entry();
    });
    return removed;
}

}  // namespace

std::unique_ptr<Leader> make_sqlite_statement_leader(std::string path, SqliteStatementLog log, std::string stream, const StopSignal& stop) {
    return std::make_unique<SqliteStatementLeader>(std::move(path), std::move(log), std::move(stream), stop);
}

}  // namespace rowferry
