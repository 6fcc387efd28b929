#include "db/sqlite.h"

#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Until somebody asks for another one.
constexpr int kBusyTimeoutMs = 5000;

ErrorKind kind_of(int extended_code) {
    switch (extended_code & 0xFF) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
        case SQLITE_FULL:  // resumes by itself once there is room again
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM: return ErrorKind::retryable;
        default: return ErrorKind::halted;
    }
}

int open_flags(SqliteDatabase::Mode mode) {
    switch (mode) {
        case SqliteDatabase::Mode::read_only: return SQLITE_OPEN_READONLY;
        case SqliteDatabase::Mode::read_write: return SQLITE_OPEN_READWRITE;
        case SqliteDatabase::Mode::create:
        case SqliteDatabase::Mode::memory: return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    }
    throw std::logic_error{"sqlite mode"};
}

}  // namespace

SqliteError::SqliteError(int extended_code, const std::string& what) : Error{kind_of(extended_code), what}, extended_code_{extended_code} {}

bool SqliteError::duplicate() const noexcept {
    return extended_code_ == SQLITE_CONSTRAINT_UNIQUE || extended_code_ == SQLITE_CONSTRAINT_PRIMARYKEY ||
           extended_code_ == SQLITE_CONSTRAINT_ROWID;
}

Cell cell_of(sqlite3_value* value) {
    switch (sqlite3_value_type(value)) {
        case SQLITE_INTEGER: return Cell::integer(sqlite3_value_int64(value));
        case SQLITE_FLOAT: return Cell::real(sqlite3_value_double(value));
        case SQLITE_TEXT: {
            const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(value));
            if (bytes == nullptr) throw SqliteError{SQLITE_NOMEM, "reading a text: out of memory"};
            return Cell::text({bytes, static_cast<std::size_t>(sqlite3_value_bytes(value))});
        }
        case SQLITE_BLOB: {
            const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
            const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
            if (bytes == nullptr && size != 0) throw SqliteError{SQLITE_NOMEM, "reading a blob: out of memory"};
            return Cell::blob({bytes == nullptr ? "" : bytes, size});
        }
        default: return Cell::null();
    }
}

SqliteDatabase::SqliteDatabase(std::string path, Mode mode, const char* vfs) : path_{std::move(path)} {
    // SQLite's own account of memory takes a lock for every allocation of every thread, and nobody asks for it.
    static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(configured);  // refused where somebody else has started SQLite before: no harm
    struct stat info {};
    if (mode != Mode::create && mode != Mode::memory && ::stat(path_.c_str(), &info) != 0 && errno == ENOENT)
        throw RefusedError{fmt::format("{}: no such file", printable(path_))};
    if (::stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) throw RefusedError{fmt::format("{}: it is not a file", printable(path_))};
    // ":memory:", "" and "file:" have meanings of their own for SQLite; a path that begins with "./" or "/" has none.
    const std::string verbatim = mode == Mode::memory ? ":memory:" : path_.starts_with('/') ? path_ : "./" + path_;
    const int code = sqlite3_open_v2(verbatim.c_str(), &db_, open_flags(mode) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
    if (code != SQLITE_OK) {
        const std::string reason = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
        sqlite3_close(db_);
        throw SqliteError{code, fmt::format("{}: cannot open: {}", printable(path_), reason)};
    }
    sqlite3_busy_timeout(db_, kBusyTimeoutMs);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    // Up to SQLite 3.40 the functions for JSON count as unsafe, and a file with one of them in a generated column or an index could not even be read.
    // Nothing but SQLite's own functions is there for a schema to call, and those that may do harm are off limits for it anyway.
    sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(db_); }

void SqliteDatabase::fail(int code, std::string_view doing) const {
    const int actual = sqlite3_extended_errcode(db_) != SQLITE_OK ? sqlite3_extended_errcode(db_) : code;
    if ((actual & 0xFF) == SQLITE_INTERRUPT) throw InterruptedError{"stopped by a signal"};
    throw SqliteError{actual, fmt::format("{}: {}: {}", printable(path_), doing, sqlite3_errmsg(db_))};
}

void SqliteDatabase::execute(const std::string& sql) {
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code, printable(sql, 80));
}

SqliteStatement SqliteDatabase::prepare(std::string_view sql) { return SqliteStatement{*this, sql}; }

std::int64_t SqliteDatabase::query_integer(const std::string& sql) {
    SqliteStatement statement{*this, sql};
    return statement.step() ? statement.integer(0) : 0;
}

std::string SqliteDatabase::query_text(const std::string& sql) {
    SqliteStatement statement{*this, sql};
    return statement.step() ? statement.text(0) : std::string{};
}

void SqliteDatabase::guard_utf16() { utf16_ = query_text("PRAGMA main.encoding") != "UTF-8"; }

void SqliteDatabase::set_busy_timeout(int milliseconds) noexcept { sqlite3_busy_timeout(db_, milliseconds); }

void SqliteDatabase::rollback() noexcept {
    if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

SqliteStatement::SqliteStatement(const SqliteDatabase& db, std::string_view sql) : db_{&db} {
    const int code = sqlite3_prepare_v3(db.handle(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    if (code != SQLITE_OK) db.fail(code, printable(sql, 120));
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : db_{other.db_}, statement_{std::exchange(other.statement_, nullptr)} {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
    std::swap(db_, other.db_);
    std::swap(statement_, other.statement_);
    return *this;
}

void SqliteStatement::check(int code, std::string_view doing) const {
    if (code != SQLITE_OK) db_->fail(code, doing);
}

SqliteStatement& SqliteStatement::bind(int index, std::int64_t value) {
    check(sqlite3_bind_int64(statement_, index, value), "bind");
    return *this;
}

SqliteStatement& SqliteStatement::bind(int index, double value) {
    check(sqlite3_bind_double(statement_, index, value), "bind");
    return *this;
}

SqliteStatement& SqliteStatement::bind(int index, std::string_view text) {
    check(sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8), "bind");
    return *this;
}

SqliteStatement& SqliteStatement::bind_null(int index) {
    check(sqlite3_bind_null(statement_, index), "bind");
    return *this;
}

SqliteStatement& SqliteStatement::bind(int index, const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::null: return bind_null(index);
        case CellKind::integer: return bind(index, cell.as_integer());
        case CellKind::real: return bind(index, cell.as_real());
        case CellKind::text: {
            const std::string_view bytes = cell.bytes();
            check(sqlite3_bind_text64(statement_, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC, SQLITE_UTF8), "bind");
            return *this;
        }
        case CellKind::blob: {
            const std::string_view bytes = cell.bytes();
            check(sqlite3_bind_blob64(statement_, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC), "bind");
            return *this;
        }
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary: break;
    }
    throw std::logic_error{"a cell that was not sent cannot be bound"};
}

bool SqliteStatement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    // The text of the statement, not its values.
    const char* sql = sqlite3_sql(statement_);
    try {
        db_->fail(code, printable(sql != nullptr ? sql : "", 120));
    } catch (...) {
        sqlite3_reset(statement_);
        throw;
    }
}

std::int64_t SqliteStatement::run() {
    while (step()) {
    }
    const std::int64_t changed = sqlite3_changes64(db_->handle());
    sqlite3_reset(statement_);
    return changed;
}

void SqliteStatement::reset() noexcept { sqlite3_reset(statement_); }

Cell SqliteStatement::cell(int column) const {
    if (db_->guards_utf16() && sqlite3_column_type(statement_, column) == SQLITE_TEXT) check_utf16(column);
    // One look-up of the column instead of one per question. Without a mutex on the connection the value may be read as it is
    // (https://www.sqlite.org/c3ref/value.html).
    return cell_of(sqlite3_column_value(statement_, column));
}

/// SQLite turns UTF-16 into UTF-8 without a word about what is not UTF-16.
void SqliteStatement::check_utf16(int column) const {
    const auto* units = static_cast<const char16_t*>(sqlite3_column_text16(statement_, column));
    if (units == nullptr) db_->fail(SQLITE_NOMEM, "reading a text");
    const int bytes = sqlite3_column_bytes16(statement_, column);
    const std::u16string_view text{units, static_cast<std::size_t>(bytes) / 2};
    bool valid = bytes % 2 == 0;
    for (std::size_t i = 0; i < text.size() && valid; ++i) {
        if (text[i] < 0xD800 || text[i] > 0xDFFF) continue;
        valid = text[i] < 0xDC00 && i + 1 < text.size() && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF;
        ++i;
    }
    if (!valid)
        throw ValueError{fmt::format("column {} of {}: a text value of {} bytes that is not valid UTF-16 (half a character), in a UTF-16 database. It has "
                                     "no exact form elsewhere: mend it on the leader",
                                     printable(sqlite3_column_name(statement_, column), 80), printable(sqlite3_sql(statement_), 200), bytes)};
}

std::string SqliteStatement::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& db, const std::string& kind) : db_{db} { db_.execute("BEGIN " + kind); }

SqliteTransaction::~SqliteTransaction() {
    if (open_) db_.rollback();
}

void SqliteTransaction::commit() {
    db_.execute("COMMIT");
    open_ = false;
}

}  // namespace rowferry
