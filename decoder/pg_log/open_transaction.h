#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "decoder/pg_log/logged_transaction.h"
#include "decoder/pg_log/sql_text.h"

namespace rowferry {

/// A place of the whole log: the file's number and the byte in it. Compares over all files.
struct LogSpot {
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    friend constexpr auto operator<=>(const LogSpot&, const LogSpot&) = default;
};

/// What SET and RESET did in a transaction, for the session when it is committed.
struct SettingChange {
    SqlKind kind = SqlKind::set_session;
    std::string name;
    std::string sql;
    std::string isolation;  ///< Of SET SESSION CHARACTERISTICS or default_transaction_isolation.
};

/// A transaction between its first entry and the moment when it is given out.
struct OpenTransaction {
    LoggedTransaction out;
    struct Savepoint {
        std::string name;
        std::size_t statements;
        std::size_t settings;
    };
    std::vector<Savepoint> savepoints;
    std::vector<SettingChange> settings;
    std::uint64_t bytes = 0;       ///< Of its statements.
    LogSpot first;                 ///< Of its first entry.
    LogOrder start = kNotYet;      ///< Its first statement began after this entry.
    bool ghost = false;            ///< Is there only so that its session's state is right: it was given out already, or is no business of ours.
    bool counted = false;          ///< As an open one, by the order.
    bool alone_shown = false;      ///< The command tag said that no block was open before it.
    bool unknown_snapshot = false; ///< The log does not tell what it sees: SET TRANSACTION SNAPSHOT. Only good where it writes nothing, as pg_dump's.
    bool final = false;            ///< Its commit was begun: no statement more.
    std::optional<std::pair<LogPlace, bool>> unreadable;  ///< COPY FROM STDIN (false) or a function call (true).
    std::optional<std::string> conflict;                  ///< With a transaction that was given out before.
    LogPlace conflict_place;
    std::optional<std::vector<Touch>> touches;
    std::size_t touched = 0;       ///< How many statements there were when that was asked,
    std::uint64_t generation = 0;  ///< and what Touches::generation() was.
};
using TransactionPtr = std::shared_ptr<OpenTransaction>;

}  // namespace rowferry
