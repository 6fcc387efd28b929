#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/pg_session.h"
#include "db/stop_signal.h"
#include "decoder/pg_log/logged_transaction.h"
#include "schemas/identity.h"
#include "schemas/position.h"
#include "schemas/table_name.h"

namespace rowferry {

/// A session of the leader that was in a transaction when the scratch's snapshot was taken.
struct OpenSession {
    std::uint32_t pid = 0;
    std::int64_t since_us = 0;  ///< When its transaction began.
};

/// The places in the log around the moment of the scratch's snapshot. What had committed before it is in the scratch already.
struct LogMarker {
    std::string begin;               ///< Random text that the log has where reading begins; empty: the scratch is the state before the whole log.
    std::vector<std::uint32_t> open_at_begin;  ///< Processes that were in a transaction there. All of these ended before the snapshot.
    std::map<std::uint32_t, std::string> open_transactions;  ///< Their virtual ids.
    std::vector<std::uint32_t> present;        ///< All sessions' processes there.
    std::int64_t settled_us = 0;     ///< The leader's settings are what they are since then.
    std::string end;                 ///< Random text that the log has at the snapshot: nobody could write then.
    std::string snapshot;            ///< pg_snapshot's text form.
    std::vector<OpenSession> open;   ///< At `end`.
    std::string path;                ///< Where `end` was found in the log; empty: not yet.
    std::uint64_t offset = 0;
    std::int64_t time_us = 0;
};

/// What a scratch keeps about itself. In its own schema `rowferry_log`.
struct ScratchState {
    std::string id;                  ///< Random, new with each filling.
    std::string stream;
    std::string follower_id;
    LeaderIdentity leader;
    bool filled = false;
    LogMarker marker;
    Position position;               ///< Of the last transaction that was run; zero: none.
    std::string log_resume;          ///< Of the log's reader, at `position`.
    std::set<std::string> unsettled; ///< StatementGate::unsettled().
    std::set<TableName> tainted;     ///< Tables whose rows are not the leader's until the log's end (--on-nondeterministic rows).
    /// ALTER ROLE … SET of the leader, by role: what its sessions begin with beside the database's own settings.
    std::map<std::string, std::vector<std::pair<std::string, std::string>>> role_settings;
    /// What all of them begin with.
    std::vector<std::pair<std::string, std::string>> session_settings;
    std::vector<std::pair<std::string, std::string>> logging;  ///< logging_settings().
};

/// The marker of PositionedSource.
inline const TableName kScratchMarker{"rowferry_log", "transaction_marker"};

/// A database in which the statements of a log are run again. It belongs to one stream alone. One thread. Errors: RefusedError before it holds anything of ours, HaltError, RetryableError.
class PgScratch {
public:
    PgScratch(PgConninfo conninfo, const std::string& application);

    [[nodiscard]] PgSession& session();
    [[nodiscard]] const PgConninfo& conninfo() const noexcept { return conninfo_; }

    /// Nothing where it is not ours.
    [[nodiscard]] std::optional<ScratchState> state();
    /// Throws RefusedError unless it is empty, or what an unfinished start of the same stream left.
    void check_usable(const std::string& stream);
    /// Makes it this stream's, empties it where an unfinished start left something.
    void claim(const ScratchState& state);
    /// Behind the copy of the leader's rows: the state is complete, and sessions begin as the leader's do.
    void finish_filling(const ScratchState& state);
    /// Where the marker was found.
    void save_marker(const ScratchState& state);

    /// Held by whoever runs a log on it, for as long as the connection lives. False when somebody else holds it.
    [[nodiscard]] bool lock();

    /// Everything goes: it is an empty database again. One line.
    std::vector<std::string> remove();

    /// Forgets the connection, after an error.
    void disconnect() { session_.reset(); }

private:
    void wipe();

    PgConninfo conninfo_;
    std::string application_;
    std::unique_ptr<PgSession> session_;
};

}  // namespace rowferry
