#pragma once

#include <functional>
#include <memory>
#include <string>

#include "db/sqlite.h"
#include "statements/sqlite/recorded_statement.h"
#include "statements/sqlite/row_digest.h"
#include "statements/sqlite/sqlite_statement_gate.h"

namespace rowferry {

/// A connection on which statements of a user run so that they can be run again, on another copy of the same rows, with the same effect: what they take from outside is
/// either recorded or given. Clock, random(), randomblob(), last_insert_rowid() and changes() are looked after wherever they are called from, in defaults,
/// triggers and views too; 'localtime' is refused. One thread. Messages hold no values and not the statement's text; callers add the place.
class StatementSession {
public:
    enum class Inputs : std::uint8_t {
        record,  ///< Clock and random values are written into the statement.
        given,   ///< They are taken from it; what it does not have is undetermined.
    };
    /// The file exists. The connection waits for others for ten seconds.
    StatementSession(const std::string& path, Inputs inputs);
    ~StatementSession();

    [[nodiscard]] SqliteDatabase& db() noexcept { return db_; }
    [[nodiscard]] RowDigest& digest() noexcept { return digest_; }

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    struct Prepared {
        std::unique_ptr<sqlite3_stmt, Finalize> statement;  ///< Null: the text held no statement.
        bool reads_only = false;
    };
    using OnRow = std::function<void(sqlite3_stmt*)>;

    /// Compiles one statement. Throws RefusedError for what a statement log cannot have, SqliteError for what SQLite does not take, UsageError for more than one statement.
    [[nodiscard]] Prepared prepare(const std::string& sql);
    /// Whether this statement, which writes and has just been prepared, is determined. Throws RefusedError. `checked`: see SqliteStatementGate.
    void require_determined(const std::string& sql, bool checked);
    /// Binds the parameters and runs it to its end. `with_record`: its inputs are recorded or given; else, for what only reads, they are the real ones.
    void run(const Prepared& prepared, RecordedStatement& statement, bool with_record, const OnRow& on_row);
    [[nodiscard]] bool changed_schema() const noexcept { return gate_.changes_schema(); }

    /// A transaction has begun: nothing has been changed in it yet.
    void begin_transaction() noexcept { changed_ = false; }

    [[nodiscard]] SessionSettings settings();
    /// Outside of transactions.
    void apply(const SessionSettings& settings);

    // For SQLite.
    void give_random(sqlite3_context* context);
    void give_random_blob(sqlite3_context* context, sqlite3_value* size);
    void give_changes(sqlite3_context* context);

private:
    [[nodiscard]] const SqlValue* next_given(sqlite3_context* context, const char* function);
    void bind(sqlite3_stmt* statement, const std::vector<SqlValue>& values);
    [[noreturn]] void fail(int code);

    SqliteDatabase db_;
    Inputs inputs_;
    RowDigest digest_;
    SqliteStatementGate gate_;
    RecordedStatement* current_ = nullptr;  ///< While a statement with record runs.
    std::size_t given_ = 0;                 ///< Random values taken so far.
    std::string undetermined_;              ///< What the current statement asked for and nobody knows.
    bool changed_ = false;                  ///< A statement of this transaction has changed rows.
    std::int64_t changes_ = 0;              ///< Of the last statement that did, for those that only read.
};

/// Reads the pragma's value, `PRAGMA name`.
[[nodiscard]] bool reads_as_on(SqliteDatabase& db, const char* pragma);

}  // namespace rowferry
