#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "decoder/pg_log/commit_order.h"
#include "decoder/pg_log/log_entry.h"
#include "decoder/pg_log/log_message.h"
#include "decoder/pg_log/log_settings.h"

namespace rowferry {

/// What the entries of a log can have at all.
struct LogMakeup {
    bool numbers = true, numbers_from_one = true, sessions = true, database = true, transactions = true;
};

/// Where an entry stands.
struct EntrySite {
    LogPlace place;
    LogSpot spot;
    LogOrder order = 0;
};

/// A session's last message, whose success is not proven: what is needed to know that it failed, and the settings that it leaves if it did not.
struct PendingState {
    bool extended = false;
    std::uint64_t text_hash = 0, text_size = 0;
    std::string transaction;
    std::vector<SettingChange> settings;
};

/// Everything of a session that outlives its transactions, for the resume blob.
struct SessionState {
    LoggedSession session;
    std::uint64_t next_number = 0;
    char block = 'i';         ///< 'i'dle, 'o'pen, 'f'ailed, 'm'aybe failed.
    std::string transaction;  ///< Virtual id of an open one that came by the extended protocol, or was open where reading began.
    std::string isolation;    ///< Of its later transactions, where it was set.
    bool known = true;
    bool sets = false;        ///< What is open has settings that are not in force yet.
    std::optional<PendingState> pending;
};

/// Entries in, transactions with a begun, proven or failed commit out to a CommitOrder. Knows sessions, transaction blocks, savepoints, prepared transactions.
///
/// An entry "statement: S" is applied as if S will succeed; the session's next entry proves it, or is its ERROR and takes it back. What follows from the entry that proves it
/// is the end of the statement's interval (CommitOrder).
class LogSessions {
public:
    LogSessions(const LogSettings& settings, const LogMakeup& makeup, CommitOrder& order);
    ~LogSessions();

    void entry(const LogEntry& entry, const EntrySite& site);
    /// Somebody knows that the statement which this session ran last has returned.
    void prove(std::string_view id, LogOrder order);
    /// All sessions have ended.
    void end_all(LogOrder order);

    [[nodiscard]] std::vector<std::pair<const LoggedSession*, LogTime>> unproven() const;
    [[nodiscard]] std::vector<SessionState> states() const;
    void restore(const std::vector<SessionState>& states);
    /// What is read was read before: endings without a beginning are passed over.
    void replaying(bool on) noexcept { replaying_ = on; }
    /// Only the sessions' settings are wanted: what else may be missing does not matter.
    void gathering() noexcept { replaying_ = gathering_ = true; }
    /// What sessions that are there where reading begins had set by then.
    void expect(const std::vector<SessionState>& sessions);
    [[nodiscard]] LogSpot oldest(LogSpot now) const;

    /// The log shows that it has every statement.
    void shown_complete() noexcept { shown_complete_ = true; }
    /// When the server last began, as far as was read; 0: that is not in what was read.
    [[nodiscard]] LogTime server_started() const noexcept { return started_; }
    [[nodiscard]] std::uint64_t rolled_back() const noexcept { return rolled_back_; }
    [[nodiscard]] std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }
    /// Bytes of statements in transactions that were handed to the order and are not given out are counted until this is said.
    void given(std::uint64_t bytes) noexcept { waiting_ -= bytes; }

private:
    struct Session;
    struct Run;

    [[nodiscard]] bool is_ours(const LogEntry& entry) const;
    Session& session_of(const LogEntry& entry, const EntrySite& site);
    void server_event(MessageKind kind, const EntrySite& site);
    void begin_session(Session& session, const LogEntry& entry);
    void open_before(Session& session) const;
    static void restore_pending(Session& session, const SessionState& state);
    void check_number(Session& session, const LogEntry& entry, const EntrySite& site) const;
    void end_ghost(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site);
    void check_activity(Session& session, const LogEntry& entry, const EntrySite& site);
    void message(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site);
    void returned(Session& session, const LogEntry& entry, const EntrySite& site, MessageKind message);
    void prove_pending(Session& session, LogOrder order);
    void end_implicit(Session& session, LogOrder order);
    void end_session(Session& session, LogOrder order);
    void run(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site);
    void apply(Session& session, const SqlStatement& statement, Run& run);
    void append(const TransactionPtr& transaction, const SqlStatement& statement, const Run& run);
    [[nodiscard]] TransactionPtr new_transaction(const Session& session, const Run& run) const;
    void end_block(Session& session, const SqlStatement& statement, Run& run, bool commit);
    void commit_prepared(const SqlStatement& statement, Run& run);
    void begin_commit(const TransactionPtr& transaction, const Run& run);
    void committed(Session& session, const TransactionPtr& transaction, LogOrder order);
    void discard(TransactionPtr& transaction);
    void uncount(const TransactionPtr& transaction);
    void failed(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site);
    void check_several(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site);
    void take_back(Session& session, const EntrySite& site);
    void fail_unseen(Session& session, const LogMessage& message, const EntrySite& site);
    void apply_settings(Session& session, const std::vector<SettingChange>& changes);
    [[nodiscard]] LogOrder began_after(const Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) const;
    void remember_time(LogTime time, LogOrder order);

    LogSettings settings_;
    LogMakeup makeup_;
    CommitOrder& order_;
    std::unordered_map<std::uint32_t, std::unique_ptr<Session>> sessions_;  ///< By process.
    std::map<std::string, TransactionPtr> prepared_;
    std::deque<std::pair<LogTime, LogOrder>> times_;
    std::vector<SqlStatement> split_;
    std::vector<std::string> warnings_;
    std::uint64_t waiting_ = 0, rolled_back_ = 0;
    LogTime first_time_ = 0, last_time_ = 0, started_ = 0;
    bool gathering_ = false, restored_ = false;
    bool replaying_ = false, shown_complete_ = false, server_began_ = false, immediate_ = false, crashed_ = false;
    bool statements_hidden_ = false;  ///< An ERROR came without its statement.
    bool warned_of_mod_ = false;
    bool after_lines_ = false;        ///< Statements that only have an entry when they are done.
    bool before_lines_ = false;       ///< Statements that have one before.
};

}  // namespace rowferry
