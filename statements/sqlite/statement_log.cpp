#include "statements/sqlite/statement_log.h"

#include <chrono>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr const char* kTables[] = {
    "CREATE TABLE main.rowferry_statement_meta(key TEXT PRIMARY KEY NOT NULL, value NOT NULL) WITHOUT ROWID",
    "CREATE TABLE main.rowferry_statement_transaction(number INTEGER PRIMARY KEY, tag INTEGER NOT NULL, committed_us INTEGER NOT NULL, settings TEXT NOT NULL, "
    "last_rowid INTEGER NOT NULL, rows TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL)",
    "CREATE TABLE main.rowferry_statement(number INTEGER PRIMARY KEY, sql TEXT NOT NULL, clock_ms INTEGER NOT NULL)",
    "CREATE TABLE main.rowferry_statement_value(statement INTEGER, kind TEXT, ordinal INTEGER, value, PRIMARY KEY(statement, kind, ordinal)) WITHOUT ROWID",
    "CREATE TABLE main.rowferry_statement_gap(id INTEGER PRIMARY KEY, after INTEGER NOT NULL)",
    "CREATE TABLE main.rowferry_statement_stream(name TEXT PRIMARY KEY NOT NULL, follower_id TEXT NOT NULL, acked INTEGER NOT NULL) WITHOUT ROWID",
};
constexpr const char* kNames[] = {"rowferry_statement_meta",  "rowferry_statement_transaction", "rowferry_statement",
                                  "rowferry_statement_value", "rowferry_statement_gap",         "rowferry_statement_stream"};

constexpr std::string_view kSelectEntry = "SELECT number, tag, committed_us, settings, last_rowid, rows, first, count FROM main.rowferry_statement_transaction";

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t random_number() {
    std::int64_t number = 0;
    sqlite3_randomness(sizeof number, &number);
    return number;
}

std::optional<LoggedEntry> entry_of(SqliteStatement row) {
    if (!row.step()) return std::nullopt;
    return LoggedEntry{row.integer(0), row.integer(1), row.integer(2), row.text(3), row.integer(4), row.text(5), row.integer(6), row.integer(7)};
}

void bind_value(SqliteStatement& insert, int index, const SqlValue& value) {
    if (std::holds_alternative<std::monostate>(value))
        insert.bind_null(index);
    else if (const auto* number = std::get_if<std::int64_t>(&value))
        insert.bind(index, *number);
    else if (const auto* real = std::get_if<double>(&value))
        insert.bind(index, *real);
    else if (const auto* text = std::get_if<std::string>(&value))
        insert.bind(index, std::string_view{*text});
    else
        insert.bind(index, Cell::blob(std::get<SqlBlob>(value).bytes));
}

SqlValue value_of(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return cell.as_integer();
        case CellKind::real: return cell.as_real();
        case CellKind::text: return std::string{cell.bytes()};
        case CellKind::blob: return SqlBlob{std::string{cell.bytes()}};
        default: return std::monostate{};
    }
}

void write_meta(SqliteDatabase& db, std::string_view key, std::string_view value) {
    SqliteStatement remove = db.prepare("DELETE FROM main.rowferry_statement_meta WHERE key = ?1");
    remove.bind(1, key).run();
    SqliteStatement insert = db.prepare("INSERT INTO main.rowferry_statement_meta(key, value) VALUES(?1, ?2)");
    insert.bind(1, key).bind(2, value).run();
}

std::string read_meta(SqliteDatabase& db, std::string_view key) {
    SqliteStatement row = db.prepare("SELECT value FROM main.rowferry_statement_meta WHERE key = ?1");
    row.bind(1, key);
    return row.step() ? row.text(0) : std::string{};
}

/// Its number is never given twice, whatever was pruned.
void write_gap(SqliteDatabase& db, std::int64_t after) {
    const std::string last = read_meta(db, "gaps");
    const std::int64_t id = last.empty() ? 1 : std::stoll(last) + 1;
    write_meta(db, "gaps", std::to_string(id));
    SqliteStatement gap = db.prepare("INSERT INTO main.rowferry_statement_gap(id, after) VALUES(?1, ?2)");
    gap.bind(1, id).bind(2, after).run();
}

}  // namespace

bool statement_log_installed(SqliteDatabase& db) {
    if (db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_statement_meta'") == 0) return false;
    const std::string layout = read_meta(db, "layout");
    if (layout != std::to_string(kStatementLogLayout))
        throw HaltError{fmt::format("{}: its statement log has layout {}, this rowferry knows {}: use the version that made it", printable(db.path()), printable(layout, 20), kStatementLogLayout)};
    return true;
}

void install_statement_log(SqliteDatabase& db) {
    if (statement_log_installed(db)) return;
    for (const char* name : kNames) {
        SqliteStatement taken = db.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE");
        taken.bind(1, std::string_view{name});
        if (taken.step()) throw RefusedError{fmt::format("{}: it has an object {} that is not rowferry's: names that begin with rowferry_ are needed", printable(db.path()), name)};
    }
    for (const char* sql : kTables) db.execute(sql);
    write_meta(db, "layout", std::to_string(kStatementLogLayout));
    write_meta(db, "leader", fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(random_number()), static_cast<std::uint64_t>(random_number())));
}

void remove_statement_log(SqliteDatabase& db) {
    for (const char* name : kNames) db.execute(fmt::format("DROP TABLE IF EXISTS main.{}", name));
}

std::string statement_log_leader(SqliteDatabase& db) { return statement_log_installed(db) ? read_meta(db, "leader") : std::string{}; }

std::optional<LoggedEntry> last_entry(SqliteDatabase& db) { return entry_of(db.prepare(fmt::format("{} ORDER BY number DESC LIMIT 1", kSelectEntry))); }

std::optional<LoggedEntry> entry_at(SqliteDatabase& db, std::int64_t number) {
    SqliteStatement row = db.prepare(fmt::format("{} WHERE number = ?1", kSelectEntry));
    row.bind(1, number);
    return entry_of(std::move(row));
}

std::optional<LoggedEntry> entry_after(SqliteDatabase& db, std::int64_t number) {
    SqliteStatement row = db.prepare(fmt::format("{} WHERE number > ?1 ORDER BY number LIMIT 1", kSelectEntry));
    row.bind(1, number);
    return entry_of(std::move(row));
}

RecordedStatement read_statement(SqliteDatabase& db, std::int64_t number) {
    SqliteStatement row = db.prepare("SELECT sql, clock_ms FROM main.rowferry_statement WHERE number = ?1");
    row.bind(1, number);
    if (!row.step()) throw HaltError{fmt::format("{}: statement {} of the statement log is missing", printable(db.path()), number)};
    RecordedStatement statement;
    statement.sql = row.text(0);
    statement.clock_ms = row.integer(1);
    statement.randoms.emplace();
    SqliteStatement values = db.prepare("SELECT kind, value FROM main.rowferry_statement_value WHERE statement = ?1 ORDER BY kind, ordinal");
    values.bind(1, number);
    while (values.step()) {
        const std::string kind = values.text(0);
        if (kind == "seed")
            statement.seed = values.integer(1);
        else
            (kind == "random" ? *statement.randoms : statement.parameters).push_back(value_of(values.cell(1)));
    }
    return statement;
}

LogWrite::LogWrite(SqliteDatabase& db, const FileTrail& trail) : db_{db}, moment_{trail.last_commit(db)} {
    if (!statement_log_installed(db_)) return;
    gap_ = !trail.one_commit_between(noted_trail(db_), moment_, db_);  // where nothing could be noted, nothing can be told
}

void LogWrite::prepare() {
    if (prepared_) return;
    install_statement_log(db_);
    const auto last = last_entry(db_);
    entry_.number = last ? last->number + 1 : 1;
    entry_.first = last ? last->first + last->count : 1;
    prepared_ = true;
}

void LogWrite::add(const RecordedStatement& statement) {
    prepare();
    const std::int64_t number = entry_.first + entry_.count++;
    SqliteStatement insert = db_.prepare("INSERT INTO main.rowferry_statement(number, sql, clock_ms) VALUES(?1, ?2, ?3)");
    insert.bind(1, number).bind(2, std::string_view{statement.sql}).bind(3, statement.clock_ms.value_or(0)).run();
    if (statement.parameters.empty() && (!statement.randoms || statement.randoms->empty()) && !statement.seed) return;
    SqliteStatement value = db_.prepare("INSERT INTO main.rowferry_statement_value(statement, kind, ordinal, value) VALUES(?1, ?2, ?3, ?4)");
    const auto write = [&](std::string_view kind, const std::vector<SqlValue>& values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            value.bind(1, number).bind(2, kind).bind(3, static_cast<std::int64_t>(i + 1));
            bind_value(value, 4, values[i]);
            value.run();
        }
    };
    write("parameter", statement.parameters);
    if (statement.randoms) write("random", *statement.randoms);
    if (statement.seed) write("seed", {*statement.seed});
}

std::int64_t LogWrite::finish(const TransactionStart& start, const std::string& rows) {
    prepare();
    SqliteStatement insert = db_.prepare(
        "INSERT INTO main.rowferry_statement_transaction(number, tag, committed_us, settings, last_rowid, rows, first, count) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    insert.bind(1, entry_.number).bind(2, random_number()).bind(3, now_us()).bind(4, std::string_view{start.settings ? to_string(*start.settings) : ""});
    insert.bind(5, start.last_insert_rowid.value_or(0)).bind(6, std::string_view{rows}).bind(7, entry_.first).bind(8, entry_.count);
    insert.run();
    if (gap_) write_gap(db_, entry_.number - 1);
    write_meta(db_, "trail", moment_);
    return entry_.number;
}

void LogWrite::finish_without_entry() {
    if (gap_) {
        const auto last = last_entry(db_);
        write_gap(db_, last ? last->number : 0);
    }
    write_meta(db_, "trail", moment_);
}

std::vector<StatementStream> read_statement_streams(SqliteDatabase& db) {
    std::vector<StatementStream> streams;
    SqliteStatement rows = db.prepare("SELECT name, follower_id, acked FROM main.rowferry_statement_stream ORDER BY name");
    while (rows.step()) streams.push_back({rows.text(0), rows.text(1), rows.integer(2)});
    return streams;
}

std::optional<StatementStream> read_statement_stream(SqliteDatabase& db, const std::string& name) {
    for (StatementStream& stream : read_statement_streams(db))
        if (stream.name == name) return std::move(stream);
    return std::nullopt;
}

void write_statement_stream(SqliteDatabase& db, const StatementStream& stream) {
    remove_statement_stream(db, stream.name);
    SqliteStatement insert = db.prepare("INSERT INTO main.rowferry_statement_stream(name, follower_id, acked) VALUES(?1, ?2, ?3)");
    insert.bind(1, std::string_view{stream.name}).bind(2, std::string_view{stream.follower_id}).bind(3, stream.acked).run();
}

void remove_statement_stream(SqliteDatabase& db, const std::string& name) {
    SqliteStatement remove = db.prepare("DELETE FROM main.rowferry_statement_stream WHERE name = ?1");
    remove.bind(1, std::string_view{name}).run();
}

bool prune_statement_log(SqliteDatabase& db, std::int64_t most) {
    const std::int64_t acked = db.query_integer("SELECT min(acked) FROM main.rowferry_statement_stream");
    const std::int64_t oldest = db.query_integer("SELECT min(number) FROM main.rowferry_statement_transaction");
    if (acked == 0 || oldest == 0 || oldest >= acked) return false;
    const std::int64_t end = std::min(acked, oldest + most);
    const auto kept = entry_at(db, end);
    if (!kept) return false;
    const auto remove = [&](const char* sql, std::int64_t below) {
        SqliteStatement statement = db.prepare(sql);
        statement.bind(1, below).run();
    };
    // The statements of the one that is kept as well, once every stream has it: it is there for its tag.
    const std::int64_t below = end == acked ? kept->first + kept->count : kept->first;
    remove("DELETE FROM main.rowferry_statement_value WHERE statement < ?1", below);
    remove("DELETE FROM main.rowferry_statement WHERE number < ?1", below);
    remove("DELETE FROM main.rowferry_statement_transaction WHERE number < ?1", end);
    remove("DELETE FROM main.rowferry_statement_gap WHERE after < ?1", end);
    return end < acked;
}

std::vector<LogGap> gaps_behind(SqliteDatabase& db, std::int64_t id) {
    std::vector<LogGap> gaps;
    SqliteStatement rows = db.prepare("SELECT id, after FROM main.rowferry_statement_gap WHERE id > ?1 ORDER BY id");
    rows.bind(1, id);
    while (rows.step()) gaps.push_back({rows.integer(0), rows.integer(1)});
    return gaps;
}

std::string noted_trail(SqliteDatabase& db) { return read_meta(db, "trail"); }

}  // namespace rowferry
