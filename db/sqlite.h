#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "schemas/cell.h"
#include "schemas/error.h"

namespace rowferry {

/// A failed SQLite call. Busy and locked are retryable, everything else is halted; an interrupted one is an InterruptedError instead.
class SqliteError : public Error {
public:
    SqliteError(int extended_code, const std::string& what);
    [[nodiscard]] int code() const noexcept { return extended_code_ & 0xFF; }
    [[nodiscard]] int extended_code() const noexcept { return extended_code_; }
    [[nodiscard]] bool busy() const noexcept { return code() == SQLITE_BUSY || code() == SQLITE_LOCKED; }
    /// A UNIQUE or PRIMARY KEY constraint.
    [[nodiscard]] bool duplicate() const noexcept;

private:
    int extended_code_;
};

class SqliteStatement;

/// A value as SQLite hands it to a function of ours; views live as long as it. Not for a database that guards_utf16(). Throws SqliteError when
/// memory is short.
[[nodiscard]] Cell cell_of(sqlite3_value* value);

/// One connection. One thread. Opened in defensive mode, without extension loading.
class SqliteDatabase {
public:
    enum class Mode { read_only, read_write, create, memory };

    /// `path` is taken verbatim, never as a URI; a database in memory has it in its messages only. Throws RetryableError/HaltError with the path in it; a missing file in the modes read_only
    /// and read_write is a RefusedError.
    SqliteDatabase(std::string path, Mode mode, const char* vfs = nullptr);
    ~SqliteDatabase();
    SqliteDatabase(const SqliteDatabase&) = delete;
    SqliteDatabase& operator=(const SqliteDatabase&) = delete;

    [[nodiscard]] sqlite3* handle() const noexcept { return db_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    void execute(const std::string& sql);  ///< One or more statements without results.
    [[nodiscard]] SqliteStatement prepare(std::string_view sql);
    /// First column of the first row.
    [[nodiscard]] std::int64_t query_integer(const std::string& sql);
    [[nodiscard]] std::string query_text(const std::string& sql);
    /// Before a leader's values are read: from here on cell() refuses the texts of a UTF-16 database that have no exact form in UTF-8. SQLite
    /// itself would make others of them.
    void guard_utf16();
    [[nodiscard]] bool guards_utf16() const noexcept { return utf16_; }
    void set_busy_timeout(int milliseconds) noexcept;  ///< 5000 after opening.
    [[nodiscard]] std::int64_t changes() const noexcept { return sqlite3_changes64(db_); }
    [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }
    void rollback() noexcept;  ///< If a transaction is open.

    [[noreturn]] void fail(int code, std::string_view doing) const;

private:
    std::string path_;
    sqlite3* db_ = nullptr;
    bool utf16_ = false;
};

/// A prepared statement; belongs to its database and must not outlive it. Parameters are numbered from 1, columns from 0.
class SqliteStatement {
public:
    SqliteStatement() = default;
    SqliteStatement(const SqliteDatabase& db, std::string_view sql);
    ~SqliteStatement();
    SqliteStatement(SqliteStatement&& other) noexcept;
    SqliteStatement& operator=(SqliteStatement&& other) noexcept;

    explicit operator bool() const noexcept { return statement_ != nullptr; }
    [[nodiscard]] sqlite3_stmt* handle() const noexcept { return statement_; }

    SqliteStatement& bind(int index, std::int64_t value);
    SqliteStatement& bind(int index, double value);
    SqliteStatement& bind(int index, std::string_view text);
    /// Bytes of text and blob cells are not copied: they must stay until the statement is reset or bound again. Only sent cells.
    SqliteStatement& bind(int index, const Cell& cell);
    SqliteStatement& bind_null(int index);

    /// True for a row, false at the end. Throws SqliteError.
    bool step();
    /// step() for statements without rows, then reset(). Returns the number of changed rows.
    std::int64_t run();
    void reset() noexcept;

    [[nodiscard]] int column_count() const noexcept { return sqlite3_column_count(statement_); }
    /// Views live until the next step() or reset(), in a UTF-16 database until the next call for the same column. Throws ValueError after
    /// guard_utf16().
    [[nodiscard]] Cell cell(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] std::string text(int column) const;  ///< NULL reads as empty.
    [[nodiscard]] bool is_null(int column) const noexcept { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

private:
    void check(int code, std::string_view doing) const;
    void check_utf16(int column) const;
    const SqliteDatabase* db_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
};

/// Rolls back unless committed.
class SqliteTransaction {
public:
    /// `kind`: "DEFERRED", "IMMEDIATE".
    SqliteTransaction(SqliteDatabase& db, const std::string& kind);
    ~SqliteTransaction();
    SqliteTransaction(const SqliteTransaction&) = delete;
    SqliteTransaction& operator=(const SqliteTransaction&) = delete;
    void commit();

private:
    SqliteDatabase& db_;
    bool open_ = true;
};

}  // namespace rowferry
