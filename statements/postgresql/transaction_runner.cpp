#include "statements/postgresql/transaction_runner.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "db/pg_error.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/postgresql/leader_settings.h"

namespace rowferry {
namespace {

// As the leader's sessions begin (ALTER DATABASE on the scratch), and never in the way. make_durable() waits for the disk, once for many transactions.
constexpr const char* kLikeTheLeader =
    "RESET ALL; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
    "SET default_transaction_read_only = off; SET client_min_messages = error; SET synchronous_commit = off";

constexpr const char* kOtherCapture =
    "Mend what it stands on and run again, have such rows taken from the leader with --on-nondeterministic rows=LEADER while it stands still at the log's end, or capture by logical decoding or "
    "triggers instead";

std::string json_of(const std::set<TableName>& tables) {
    nlohmann::json list = nlohmann::json::array();
    for (const TableName& table : tables) list.push_back({table.schema, table.name});
    return list.dump();
}

std::string array_of(const std::set<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) list += fmt::format("{}{}", list.empty() ? "" : ", ", quote_literal(text));
    return "ARRAY[" + list + "]::text[]";
}

/// May be otherwise a moment later: the connection, memory, the disk. An object that the session itself has in use stays in use.
bool is_passing(const PgError& error) { return error.kind() == ErrorKind::retryable && error.sqlstate() != "55006"; }

/// A new empty table or an index touches no row.
bool makes_only_new(const LoggedStatement& statement) {
    const std::string kind = read_sql(statement.sql).kind;
    return kind == "CreateStmt" || kind == "IndexStmt" || kind == "CreateSchemaStmt";
}

bool is_same_setting(std::string name, std::string_view other) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name == other;
}

[[noreturn]] void stop_at(const LoggedStatement& statement, const std::string& what) {
    const std::string shown = without_constants(statement.sql);
    throw HaltError{fmt::format("{}: {}{}", to_string(statement.place), what, shown.empty() ? "" : fmt::format(" [{}]", shown))};
}

}  // namespace

TransactionRunner::TransactionRunner(PgScratch& scratch, ScratchState& state, const std::string& application, bool take_rows)
    : state_{state}, session_{scratch.conninfo(), PgRole::follower, application + "_run"}, gate_{session_}, types_{session_}, take_rows_{take_rows} {
    session_.query(kLikeTheLeader);
    know_defaults();
    gate_.set_unsettled(state_.unsettled);
    if (is_tainted() && !take_rows_)
        throw RefusedError{"the scratch is in the middle of statements whose rows are to be taken from the leader: go on with --on-nondeterministic rows=LEADER"};
}

/// What the scratch's own role or rowferry's environment sets goes before what the leader's sessions begin with.
void TransactionRunner::know_defaults() {
    const PgRows own = session_.query(fmt::format("select name from pg_catalog.pg_settings where name in ({}) and source in ('user', 'database user', 'client') order by name limit 1", meaningful_settings()));
    if (!own.empty())
        throw RefusedError{fmt::format("on the scratch, {} is set for rowferry's role or connection, and statements would not come to what they came to on the leader: ALTER ROLE … RESET {} there", own.text(0, 0),
                                       own.text(0, 0))};
    std::map<std::string, int> by_role;
    for (const auto& [role, settings] : state_.role_settings)
        for (const auto& [name, value] : settings)
            if (is_same_setting(name, "extra_float_digits")) by_role[role] = std::atoi(value.c_str() + (value.starts_with('\'') ? 1 : 0));
    types_.set_float_digits(static_cast<int>(session_.query("select pg_catalog.current_setting('extra_float_digits')").integer(0, 0)), std::move(by_role));
}

void TransactionRunner::forget() {
    gate_.forget();
    types_.forget();
}

Verdict TransactionRunner::judge(const LoggedStatement& statement, const LoggedSession& session, bool settings_moved) {
    Verdict verdict = gate_.judge(statement, session);
    if (verdict.fate != Verdict::Fate::run) return verdict;
    if (!session.settings_known) {
        verdict.fate = Verdict::Fate::undetermined;
        verdict.reason = "what its session had set before the log begins, or before it had every statement: connect the leader's applications anew, and begin anew behind that";
        return verdict;
    }
    try {
        verdict.reason = types_.doubt(statement, session, settings_moved, gate_.catalog());
    } catch (const StatementError& error) {
        verdict.reason = error.what;
    }
    if (!verdict.reason.empty()) verdict.fate = Verdict::Fate::undetermined;
    return verdict;
}

bool TransactionRunner::matters(const LoggedTransaction& transaction) {
    return std::ranges::any_of(transaction.statements, [&](const LoggedStatement& statement) {
        const Verdict verdict = gate_.judge(statement, *transaction.session);
        // What only sets something for its own session does nothing by itself.
        return verdict.fate != Verdict::Fate::skip && !(verdict.fate == Verdict::Fate::run && verdict.sets && verdict.effects.writes.empty() && !verdict.effects.writes_unknown);
    });
}

bool TransactionRunner::defines(const LoggedTransaction& transaction) {
    return std::ranges::any_of(transaction.statements, [](const LoggedStatement& statement) {
        try {
            const SqlFacts facts = read_sql(statement.sql);
            return facts.into_table || (facts.kind != "SelectStmt" && facts.kind != "InsertStmt" && facts.kind != "UpdateStmt" && facts.kind != "DeleteStmt" && facts.kind != "MergeStmt" &&
                                        facts.kind != "VariableSetStmt" && facts.kind != "ExecuteStmt");
        } catch (const StatementError&) {
            return false;
        }
    });
}

/// What a session of that role begins with, and what it has set since.
void TransactionRunner::use_settings(const LoggedSession& session) {
    if (session.user.empty() && !state_.role_settings.empty())
        throw HaltError{fmt::format("roles of the leader have settings of their own (role {}), and the log does not say whose statements these are: add %u to log_line_prefix, or ALTER ROLE … RESET them, and begin anew",
                                    printable(state_.role_settings.begin()->first, 64))};
    if (const auto role = state_.role_settings.find(session.user); role != state_.role_settings.end())
        for (const auto& [name, value] : role->second) {
            session_.query(fmt::format("SET LOCAL {} TO {}", quote_identifier(name), value));
            sets_ = true;
        }
    for (const auto& [name, statement] : session.settings) {
        if (!StatementGate::matters(name)) continue;
        session_.query(statement);
        sets_ = true;
    }
}

void TransactionRunner::reset() {
    if (!std::exchange(sets_, false)) return;
    session_.query(kLikeTheLeader);
}

/// Several become one behind what is undetermined.
bool TransactionRunner::begins_merged(const LoggedTransaction& transaction) {
    bool moved = false;
    return take_rows_ && std::ranges::any_of(transaction.statements, [&](const LoggedStatement& statement) {
               const Verdict verdict = judge(statement, *transaction.session, moved);
               moved = moved || verdict.sets;
               return verdict.fate == Verdict::Fate::undetermined;
           });
}

std::string TransactionRunner::begin_text(const LoggedTransaction& transaction) {
    std::string text = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    // Of what is merged only the first has a beginning.
    if (is_tainted()) return text;
    return text + fmt::format("; UPDATE rowferry_log.transaction_marker SET phase = '{6}', major = {0}, minor = {1}, before_major = {2}, before_minor = {3}, committed = {4}, xid = {5}", transaction.position.major,
                              transaction.position.minor, state_.position.major, state_.position.minor, transaction.committed, transaction.xid.value_or(0), begins_merged(transaction) ? "begin_merged" : "begin");
}

std::string TransactionRunner::end_text(Position position, std::int64_t committed, const std::string& log_resume) const {
    std::string text;
    if (!is_tainted())
        text = fmt::format("UPDATE rowferry_log.transaction_marker SET phase = 'end', major = {}, minor = {}, committed = {}; ", position.major, position.minor, committed);
    return text + fmt::format("UPDATE rowferry_log.state SET major = {}, minor = {}, log_resume = {}, unsettled = {}, tainted = {}", position.major, position.minor, quote_literal(log_resume),
                              array_of(gate_.unsettled()), quote_literal(json_of(state_.tainted)));
}

void TransactionRunner::taint(const Effects& effects) {
    const auto add = [&](const TableName& table) { state_.tainted.insert(table); };
    std::ranges::for_each(effects.writes, add);
    if (effects.writes_unknown || effects.writes.empty()) std::ranges::for_each(gate_.catalog().all_tables(), add);
}

bool TransactionRunner::reaches_tainted(const Effects& effects) {
    const auto is_tainted_table = [&](const TableName& table) { return state_.tainted.contains(table); };
    return std::ranges::any_of(effects.reads, is_tainted_table) || std::ranges::any_of(effects.writes, is_tainted_table) || effects.writes_unknown;
}

void TransactionRunner::execute(const LoggedStatement& statement, const Verdict& verdict) {
    if (!verdict.prepared.empty()) {
        // PREPARE names it as the EXECUTE does.
        session_.query("DEALLOCATE ALL");
        session_.query(verdict.prepared);
    }
    if (statement.parameters.empty())
        session_.query(verdict.sql);
    else
        session_.query(verdict.sql, statement.parameters);
    sets_ = sets_ || verdict.sets;
    moved_ = moved_ || verdict.sets;
    if (verdict.changes_catalog) {
        defined_ = true;
        forget();
    }
}

void TransactionRunner::run_statement(const LoggedStatement& statement, const LoggedTransaction& transaction) {
    const Verdict verdict = judge(statement, *transaction.session, moved_);
    if (verdict.administration) ++counters_.administration;
    if (verdict.fate == Verdict::Fate::skip) return;
    if (verdict.fate == Verdict::Fate::refused) stop_at(statement, fmt::format("it cannot be run again: {}", verdict.reason));
    if (verdict.fate == Verdict::Fate::undetermined) {
        if (!take_rows_) stop_at(statement, fmt::format("what it came to cannot be told from the log, because it depends on {}. {}", verdict.reason, kOtherCapture));
        if (verdict.changes_catalog) refuse_definition(statement);
        taint(verdict.effects);
    }
    // Where rows are not the leader's, a table that gets another name or is made of such rows would be lost from sight.
    if (is_tainted() && verdict.changes_catalog && !makes_only_new(statement)) refuse_definition(statement);
    ++counters_.statements;
    if (is_tainted() && reaches_tainted(verdict.effects)) taint(verdict.effects);
    if (is_tainted()) session_.query("SAVEPOINT rowferry_statement");
    try {
        execute(statement, verdict);
    } catch (const PgError& error) {
        if (is_passing(error)) throw;
        // The server's words may quote the statement's values.
        spdlog::debug("{}: the scratch: {}", to_string(statement.place), error.what());
        if (!is_tainted())
            stop_at(statement, fmt::format("the scratch refuses what the leader did (SQLSTATE {}): it was not in the leader's state, or the log is not whole", printable(error.sqlstate(), 5)));
        // Its rows come from the leader anyway.
        session_.query("ROLLBACK TO SAVEPOINT rowferry_statement");
        taint(verdict.effects);
    }
    if (is_tainted()) session_.query("RELEASE SAVEPOINT rowferry_statement");
}

void TransactionRunner::refuse_definition(const LoggedStatement& statement) const {
    stop_at(statement, "it changes a table's shape or name, or makes one out of rows, where rows are not the leader's before they are taken from it (--on-nondeterministic rows=LEADER): `rowferry drop` the stream and "
                       "begin anew behind it");
}

void TransactionRunner::make_durable() {
    if (durable_) return;
    // Its commit waits for the log up to there, and so for everything before it.
    session_.query("BEGIN; SET LOCAL synchronous_commit = on; UPDATE rowferry_log.state SET one = one; COMMIT");
    durable_ = true;
}

void TransactionRunner::commit(const LoggedTransaction& transaction, const std::string& log_resume) {
    // What is left for the commit happens before the marker.
    durable_ = false;
    session_.query("SET CONSTRAINTS ALL IMMEDIATE; " + end_text(transaction.position, transaction.committed, log_resume) + "; COMMIT");
}

void TransactionRunner::run(const LoggedTransaction& transaction, const std::string& log_resume) {
    if (transaction.position <= state_.position)
        throw HaltError{fmt::format("{}: the log goes back behind {}", to_string(transaction.commit), to_string(PositionKind::log, state_.position))};
    if (transaction.began_before_log) throw HaltError{fmt::format("{}: its transaction may have begun before the log did, and then a part of it is missing", to_string(transaction.begin))};
    const auto before = state_.tainted;
    try {
        moved_ = false;
        session_.query(begin_text(transaction));
        use_settings(*transaction.session);
        for (const LoggedStatement& statement : transaction.statements) run_statement(statement, transaction);
        commit(transaction, log_resume);
    } catch (...) {
        state_.tainted = before;
        forget();
        try {
            session_.query("ROLLBACK");
            reset();
        } catch (const Error&) {
            // The connection is gone, and with it what was open.
        }
        throw;
    }
    if (std::exchange(defined_, false)) forget();
    state_.position = transaction.position;
    state_.log_resume = log_resume;
    state_.unsettled = gate_.unsettled();
    last_committed_ = transaction.committed;
    ++counters_.transactions;
    reset();
}

}  // namespace rowferry
