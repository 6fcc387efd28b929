#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pg_log/logged_transaction.h"
#include "statements/postgresql/parameter_types.h"
#include "statements/postgresql/scratch.h"
#include "statements/postgresql/statement_gate.h"

namespace rowferry {

/// Runs the transactions of a log on the scratch, each as one transaction that also writes down where in the log it stands. What cannot be known is a HaltError with the statement's place; or, with
/// `take_rows`, taints the tables that it may have changed: then nothing is an error any more until settle(), which makes up for all of it. One thread.
class TransactionRunner {
public:
    TransactionRunner(PgScratch& scratch, ScratchState& state, const std::string& application, bool take_rows);

    [[nodiscard]] StatementGate& gate() noexcept { return gate_; }

    /// Does it do anything at all? Asked at the transaction's place in the log.
    [[nodiscard]] bool matters(const LoggedTransaction& transaction);
    /// Does it change the catalog?
    [[nodiscard]] static bool defines(const LoggedTransaction& transaction);
    /// Runs it. `log_resume`: of the reader, behind it.
    void run(const LoggedTransaction& transaction, const std::string& log_resume);

    /// Are there tables whose rows are not the leader's?
    [[nodiscard]] bool is_tainted() const noexcept { return !state_.tainted.empty(); }
    [[nodiscard]] const std::set<TableName>& tainted() const noexcept { return state_.tainted; }
    /// In one transaction with the end of what was merged: `correct` brings the tainted tables to the leader's rows.
    template <typename Correct>
    void settle(Correct correct) {
        PgTransaction transaction{session_, "BEGIN"};
        correct(session_);
        state_.tainted.clear();
        session_.query(end_text(state_.position, last_committed_, state_.log_resume));
        transaction.commit();
        durable_ = false;
    }

    struct Counters {
        std::uint64_t transactions = 0;
        std::uint64_t statements = 0;
        std::uint64_t administration = 0;
    };
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

    /// What was run survives a crash of the scratch's server. Before that nobody may be given it: the follower must not be ahead of the scratch.
    void make_durable();

private:
    [[nodiscard]] Verdict judge(const LoggedStatement& statement, const LoggedSession& session, bool settings_moved);
    void know_defaults();
    void forget();
    [[noreturn]] void refuse_definition(const LoggedStatement& statement) const;
    void run_statement(const LoggedStatement& statement, const LoggedTransaction& transaction);
    void execute(const LoggedStatement& statement, const Verdict& verdict);
    void taint(const Effects& effects);
    [[nodiscard]] bool reaches_tainted(const Effects& effects);
    void use_settings(const LoggedSession& session);
    void reset();
    [[nodiscard]] bool begins_merged(const LoggedTransaction& transaction);
    [[nodiscard]] std::string begin_text(const LoggedTransaction& transaction);
    [[nodiscard]] std::string end_text(Position position, std::int64_t committed, const std::string& log_resume) const;
    void commit(const LoggedTransaction& transaction, const std::string& log_resume);

    ScratchState& state_;
    PgSession session_;
    StatementGate gate_;
    ParameterTypes types_;
    bool take_rows_;
    bool sets_ = false;        ///< The session's settings were changed.
    bool defined_ = false;     ///< The catalog was changed.
    bool moved_ = false;       ///< … in this transaction.
    bool durable_ = false;     ///< What a run before this one did may not be, either.
    std::int64_t last_committed_ = 0;
    Counters counters_;
};

}  // namespace rowferry
