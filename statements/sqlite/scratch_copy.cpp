#include "statements/sqlite/scratch_copy.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "db/sqlite_schema.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_tokens.h"
#include "statements/sqlite/script_verb.h"
#include "statements/sqlite/statement_log.h"
#include "triggers/sqlite/backup_copy.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/shape_log.h"

namespace rowferry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSelectPlace = "SELECT major, minor, seq, tag, time_us, settings, last_rowid FROM main.rowferry_scratch_place";

ScratchPlace place_of(const SqliteStatement& row) {
    ScratchPlace place;
    place.position = {static_cast<std::uint64_t>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1))};
    place.seq = static_cast<std::uint64_t>(row.integer(2));
    place.tag = row.text(3);
    place.time_us = row.integer(4);
    place.settings = parse_session_settings(row.text(5));
    place.last_rowid = row.integer(6);
    return place;
}

/// What rowferry keeps in the leader, as leader or follower of other streams.
void remove_ours(SqliteDatabase& db) {
    for (const char* type : {"trigger", "table"}) {
        std::vector<std::string> names;
        SqliteStatement rows = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = ?1 AND name LIKE 'rowferry\\_%' ESCAPE '\\'");
        rows.bind(1, std::string_view{type});
        while (rows.step()) names.push_back(rows.text(0));
        rows.reset();
        for (const std::string& name : names) db.execute(fmt::format("DROP {} main.{}", type, quote_identifier(name)));
    }
}

bool is_create_trigger(const std::string& sql) {
    const auto tokens = sqlite_tokens(std::string_view{sql}.substr(0, 256));
    return tokens.size() > 1 && tokens[0].is_word("create") && tokens[1].is_word("trigger");
}

/// While it lives, it can tell whether SQLite's own random numbers were used: from them it draws rowids where a table's largest one is taken.
class WatchedNumbers {
public:
    WatchedNumbers() {
        begin(kSeed);
        sqlite3_randomness(sizeof first_, &first_);
        begin(kSeed);
    }
    ~WatchedNumbers() { begin(0); }
    WatchedNumbers(const WatchedNumbers&) = delete;
    WatchedNumbers& operator=(const WatchedNumbers&) = delete;
    [[nodiscard]] bool used() const {
        std::uint64_t next = 0;
        sqlite3_randomness(sizeof next, &next);
        return next != first_;
    }

private:
    static constexpr int kSeed = 20261;
    static void begin(int seed) { sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, seed, static_cast<sqlite3*>(nullptr)); }
    std::uint64_t first_ = 0;
};

/// A table that has the largest rowid there is.
std::optional<std::string> table_without_next_rowid(SqliteDatabase& db) {
    std::vector<std::string> names;
    SqliteStatement tables = db.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND wr = 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    while (tables.step()) names.push_back(tables.text(0));
    tables.reset();
    for (const std::string& name : names)
        if (db.query_integer(fmt::format("SELECT count(*) FROM main.{} WHERE _rowid_ = 9223372036854775807", quote_identifier(name))) != 0) return name;
    return std::nullopt;
}

/// Whoever may not read the leader may not read its copy either. SQLite gives the files beside it the same mode.
void create_private(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) throw RefusedError{fmt::format("{}: {}", printable(path), std::strerror(errno))};
    ::close(fd);
}

/// The same error, as one of the stream, with its place.
[[noreturn]] void fail_at(const std::string& place, const Error& error) {
    const bool passes = error.kind() == ErrorKind::retryable || error.kind() == ErrorKind::interrupted;
    throw Error{passes ? error.kind() : ErrorKind::halted, fmt::format("{}: {}", place, error.what())};
}

}  // namespace

void ScratchCopy::make(const std::string& path, const std::string& state, const StopSignal& stop) {
    remove(path);
    const std::string unfinished = path + ".new";
    if (const fs::path folder = fs::path{path}.parent_path(); !folder.empty()) {
        std::error_code failure;
        fs::create_directories(folder, failure);
        if (failure) throw RefusedError{fmt::format("{}: {}", printable(folder.string()), failure.message())};
    }
    {
        SqliteDatabase from{state, SqliteDatabase::Mode::read_write};
        create_private(unfinished);
        SqliteDatabase copy{unfinished, SqliteDatabase::Mode::create};
        copy_gently(from, copy, stop);
        if (copy.query_text("PRAGMA journal_mode = WAL") != "wal") throw RefusedError{fmt::format("{}: SQLite cannot keep a write-ahead log there: name another place with --scratch", printable(unfinished))};
        SqliteTransaction transaction{copy, "IMMEDIATE"};
        const auto entry = statement_log_installed(copy) ? last_entry(copy) : std::nullopt;
        remove_ours(copy);
        copy.execute("CREATE TABLE main.rowferry_scratch(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID");
        if (entry) copy.execute(fmt::format("INSERT INTO main.rowferry_scratch VALUES('entry', '{}:{}')", entry->number, entry->tag));
        copy.execute("CREATE TABLE main.rowferry_scratch_place(major INTEGER, minor INTEGER, seq INTEGER NOT NULL, tag TEXT NOT NULL, time_us INTEGER NOT NULL, settings TEXT NOT NULL, "
                     "last_rowid INTEGER NOT NULL, PRIMARY KEY(major, minor)) WITHOUT ROWID");
        transaction.commit();
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    std::error_code failure;
    fs::rename(unfinished, path, failure);
    if (failure) throw RetryableError{fmt::format("{}: {}", printable(path), failure.message())};
}

void ScratchCopy::remove(const std::string& path) {
    std::error_code none;
    for (const std::string& base : {path, path + ".new"})
        for (const char* suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(base + suffix, none);
}

ScratchCopy::ScratchCopy(const std::string& path) : session_{path, StatementSession::Inputs::given} {
    db().execute("PRAGMA synchronous = NORMAL");
    if (db().query_integer("SELECT count(*) FROM main.sqlite_schema WHERE name = 'rowferry_scratch_place'") == 0)
        throw HaltError{fmt::format("{}: this is no scratch copy of a statement log", printable(path))};
    last_ = last_place();
    if (last_) session_.apply(last_->settings);
    if (last_) last_rowid_ = last_->last_rowid;
    settings_ = session_.settings();
}

std::string ScratchCopy::note(const std::string& key) {
    SqliteStatement row = db().prepare("SELECT value FROM main.rowferry_scratch WHERE key = ?1");
    row.bind(1, std::string_view{key});
    return row.step() ? row.text(0) : std::string{};
}

void ScratchCopy::set_note(const std::string& key, const std::string& value) {
    SqliteStatement write = db().prepare("INSERT OR REPLACE INTO main.rowferry_scratch(key, value) VALUES(?1, ?2)");
    write.bind(1, std::string_view{key}).bind(2, std::string_view{value}).run();
}

void ScratchCopy::begin_at(const ScratchPlace& place) {
    write_place(place);
    last_ = place;
    last_rowid_ = place.last_rowid;
}

std::optional<ScratchPlace> ScratchCopy::last_place() {
    SqliteStatement row = db().prepare(fmt::format("{} ORDER BY major DESC, minor DESC LIMIT 1", kSelectPlace));
    return row.step() ? std::optional{place_of(row)} : std::nullopt;
}

std::optional<ScratchPlace> ScratchCopy::place_at(Position position) {
    SqliteStatement row = db().prepare(fmt::format("{} WHERE major = ?1 AND minor = ?2", kSelectPlace));
    row.bind(1, static_cast<std::int64_t>(position.major)).bind(2, static_cast<std::int64_t>(position.minor));
    return row.step() ? std::optional{place_of(row)} : std::nullopt;
}

std::vector<ScratchPlace> ScratchCopy::places_behind(Position position, std::size_t most) {
    std::vector<ScratchPlace> places;
    SqliteStatement rows = db().prepare(fmt::format("{} WHERE (major, minor) > (?1, ?2) ORDER BY major, minor LIMIT {}", kSelectPlace, most));
    rows.bind(1, static_cast<std::int64_t>(position.major)).bind(2, static_cast<std::int64_t>(position.minor));
    while (rows.step()) places.push_back(place_of(rows));
    return places;
}

void ScratchCopy::forget_before(Position position) {
    // What the follower has need not be run again: it has to be here after a power cut, before anybody removes it from the log.
    db().execute("PRAGMA synchronous = FULL");
    SqliteStatement remove = db().prepare("DELETE FROM main.rowferry_scratch_place WHERE (major, minor) < (?1, ?2)");
    remove.bind(1, static_cast<std::int64_t>(position.major)).bind(2, static_cast<std::int64_t>(position.minor)).run();
    set_note("acked", fmt::format("{}:{}", position.major, position.minor));
    db().execute("PRAGMA synchronous = NORMAL");
}

void ScratchCopy::write_place(const ScratchPlace& place) {
    SqliteStatement insert = db().prepare("INSERT INTO main.rowferry_scratch_place(major, minor, seq, tag, time_us, settings, last_rowid) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    insert.bind(1, static_cast<std::int64_t>(place.position.major)).bind(2, static_cast<std::int64_t>(place.position.minor)).bind(3, static_cast<std::int64_t>(place.seq));
    insert.bind(4, std::string_view{place.tag}).bind(5, place.time_us).bind(6, std::string_view{to_string(place.settings)}).bind(7, place.last_rowid).run();
}

std::uint64_t ScratchCopy::log_end() { return static_cast<std::uint64_t>(db().query_integer("SELECT max(seq) FROM main.rowferry_change")); }

bool ScratchCopy::advance(TransactionReader& log) {
    const auto start = log.begin();
    if (!start) return false;
    std::vector<TablePtr> shapes = shapes_;  // in front of it, where nothing of it stays
    try {
        const SessionSettings wanted = start->settings.value_or(settings_);
        if (wanted != settings_) session_.apply(wanted);
        settings_ = wanted;
        for (const std::string& sql : start->pragmas) run_pragma(sql);
        const std::int64_t rowid = start->last_insert_rowid.value_or(last_rowid_);
        SqliteTransaction transaction{db(), "IMMEDIATE"};
        const std::uint64_t before = log_end();
        session_.begin_transaction();
        session_.digest().begin();
        sqlite3_set_last_insert_rowid(db().handle(), rowid);
        while (const auto statement = log.next()) {
            const ScriptVerb::Kind kind = run(*statement, log.checked());
            if (sqlite3_get_autocommit(db().handle()) != 0) throw HaltError{"it ended the transaction, and was not taken for a statement that does"};
            if (kind == ScriptVerb::Kind::rollback_to && !shapes.empty()) shapes_ = shapes_at_end(db(), shapes, before);
        }
        switch (log.outcome()) {
            case TransactionReader::Outcome::incomplete:
                shapes_ = std::move(shapes);
                log.abandon();
                return false;
            case TransactionReader::Outcome::rolled_back:
                // SQLite does not take it back. After a restart the log is read from the last transaction that stays, and so is this one.
                last_rowid_ = sqlite3_last_insert_rowid(db().handle());
                shapes_ = std::move(shapes);
                log.accept();
                return true;
            case TransactionReader::Outcome::committed: break;
        }
        finish(log.end(), before);
        transaction.commit();
        log.accept();
        return true;
    } catch (const Error& error) {
        const std::string place = log.place();
        log.abandon();
        shapes_ = std::move(shapes);
        last_ = last_place();
        fail_at(place, error);
    }
}

void ScratchCopy::run_pragma(const std::string& sql) {
    const StatementSession::Prepared prepared = session_.prepare(sql);
    if (!prepared.statement) return;
    RecordedStatement statement;
    session_.run(prepared, statement, false, {});
    settings_ = session_.settings();
}

ScriptVerb::Kind ScratchCopy::run(const RecordedStatement& recorded, bool checked) {
    const ScriptVerb::Kind kind = script_verb(recorded.sql).kind;
    const StatementSession::Prepared prepared = session_.prepare(recorded.sql);
    if (!prepared.statement) return kind;
    const bool controls = kind == ScriptVerb::Kind::savepoint || kind == ScriptVerb::Kind::release || kind == ScriptVerb::Kind::rollback_to;
    if (prepared.reads_only && !controls) return kind;
    RecordedStatement statement = recorded;
    if (controls) {
        session_.run(prepared, statement, false, {});
        return kind;
    }
    session_.require_determined(recorded.sql, checked);
    const bool watch = session_.changed_schema();
    const std::uint64_t before = watch ? log_end() : 0;
    {
        // A digest would tell; where there is none, temporary files may have used the numbers too.
        std::optional<WatchedNumbers> numbers;
        if (!checked) numbers.emplace();
        session_.run(prepared, statement, true, {});
        if (const auto full = numbers && numbers->used() ? table_without_next_rowid(db()) : std::nullopt)
            throw HaltError{fmt::format("{} has the largest rowid there is, and SQLite draws the one of a new row by lot: give the key in the statement", printable(*full, 60))};
    }
    if (watch && !shapes_.empty()) log_shapes(recorded, before);
    return kind;
}

/// SQLite runs no trigger for it: the new shape gets into the change table here, in its place.
void ScratchCopy::log_shapes(const RecordedStatement& statement, std::uint64_t before) {
    const std::int64_t rowid = sqlite3_last_insert_rowid(db().handle());
    if (is_create_trigger(statement.sql)) renew_triggers();
    log_shape_changes(db(), shapes_, before, "the scratch copy");
    shapes_ = shapes_at_end(db(), std::move(shapes_), before);
    sqlite3_set_last_insert_rowid(db().handle(), rowid);
}

/// SQLite fires the newest trigger first, and ours have to be the first ones.
void ScratchCopy::renew_triggers() {
    std::vector<std::string> names;
    for (const CapturedTable& captured : read_captured_tables(db())) {
        auto now = read_sqlite_table(db(), captured.name);
        if (!now) continue;
        now->schema.identity = captured.key;
        now->schema.leader_id = captured.number;
        reshape_table(db(), *now, captured);
        names.push_back(captured.name);
    }
    seal_capture(db(), names);
}

void ScratchCopy::finish(const TransactionEnd& end, std::uint64_t before) {
    if (end.rows && *end.rows != session_.digest().text())
        throw HaltError{"run again on the scratch copy, the transaction changed other rows than on the leader: something else wrote to the leader, or SQLite is another version there"};
    const std::int64_t rowid = sqlite3_last_insert_rowid(db().handle());
    SqliteStatement fill = db().prepare("UPDATE main.rowferry_change SET tag = random() WHERE seq > ?1 AND tag IS NULL");
    fill.bind(1, static_cast<std::int64_t>(before)).run();
    ScratchPlace place{end.position, log_end(), end.tag, end.time_us, settings_, rowid};
    write_place(place);
    if (end.files) set_note("files", *end.files);
    last_ = place;
    last_rowid_ = rowid;
}

}  // namespace rowferry
