#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "statements/sqlite/file_trail.h"
#include "statements/sqlite/script_verb.h"
#include "statements/sqlite/statement_log.h"
#include "statements/sqlite/statement_session.h"

namespace rowferry {

/// Runs the statements of a script on a leader and writes those that change something into its statement log, in the same transaction. A statement outside of BEGIN is a
/// transaction of its own. One thread. Errors say the place; the transaction that is open then is rolled back, and nothing of it is in the log. Once a transaction was committed they are no
/// longer such as may be retried: the same script would do it again.
class ScriptRunner {
public:
    using OnRow = StatementSession::OnRow;
    /// `name`: of the script, for messages.
    ScriptRunner(const std::string& leader, std::string name, std::vector<GivenParameter> parameters, OnRow on_row);
    ~ScriptRunner();
    ScriptRunner(const ScriptRunner&) = delete;
    ScriptRunner& operator=(const ScriptRunner&) = delete;

    void run(std::string_view sql, std::uint64_t line);
    /// What came of the statement that was run last cannot be passed on: as if it had thrown that itself.
    [[noreturn]] void fail(std::uint64_t line, const Error& error);
    /// The script's end: throws HaltError when a transaction is open.
    void finish();
    [[nodiscard]] std::size_t transactions() const noexcept { return transactions_; }
    [[nodiscard]] std::size_t statements() const noexcept { return statements_; }

private:
    void run_one(const std::string& sql, std::uint64_t line);
    void change(const std::string& sql, std::uint64_t line, const StatementSession::Prepared& prepared);
    void pragma(const std::string& sql, const ScriptVerb& verb, std::uint64_t line);
    void record(const std::string& sql, std::uint64_t line);
    void begin(bool exclusive);
    void commit();
    void roll_back() noexcept;
    void keep(RecordedStatement statement);
    void write_kept();
    void fill_tags();
    [[nodiscard]] std::vector<SqlValue> values_for(sqlite3_stmt* statement) const;

    std::string name_;
    std::vector<GivenParameter> parameters_;
    OnRow on_row_;
    StatementSession session_;
    FileTrail trail_;
    SavepointStack savepoints_;
    bool open_ = false;          ///< A transaction.
    bool by_savepoint_ = false;  ///< It began with SAVEPOINT.
    std::optional<LogWrite> write_;
    TransactionStart start_;
    std::int64_t change_log_end_ = -1;  ///< Of another stream's capture by triggers, at the transaction's beginning; -1: there is none.
    std::vector<RecordedStatement> kept_;
    std::size_t kept_bytes_ = 0;
    bool recorded_ = false;  ///< The transaction has a statement for the log.
    std::size_t transactions_ = 0;
    std::size_t statements_ = 0;
};

}  // namespace rowferry
