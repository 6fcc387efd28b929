#pragma once

#include "db/sqlite.h"
#include "statements/sqlite/statement_log.h"
#include "statements/sqlite/transaction_reader.h"

namespace rowferry {

/// The statement log in a leader's file. Positions are numbers of transactions, `log:42:0`.
class ExecLog : public TransactionReader {
public:
    /// Reads what stands behind transaction number `after`, which has to be there with this tag all the time: another history has the same numbers. `tag` empty: nothing was read yet.
    ExecLog(const std::string& leader, std::int64_t after, std::string tag);

    std::optional<TransactionStart> begin() override;
    std::optional<RecordedStatement> next() override;
    [[nodiscard]] Outcome outcome() const override { return Outcome::committed; }
    [[nodiscard]] TransactionEnd end() const override;
    void accept() override;
    void abandon() override { entry_.reset(); }
    [[nodiscard]] std::string place() const override;
    [[nodiscard]] bool checked() const override { return true; }

    [[nodiscard]] SqliteDatabase& db() noexcept { return db_; }
    [[nodiscard]] std::int64_t last() const noexcept { return last_; }
    /// Throws HaltError when the log is not the one that was read so far.
    void require_same_history();

private:
    SqliteDatabase db_;
    std::int64_t last_;  ///< Accepted.
    std::string tag_;    ///< Its tag.
    std::optional<LoggedEntry> entry_;
    std::int64_t taken_ = 0;  ///< Statements of entry_.
};

}  // namespace rowferry
