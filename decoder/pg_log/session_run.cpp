// What statements do to their session's transaction.

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

#include "decoder/pg_log/session_parts.h"

namespace rowferry {
namespace {

/// Bytes that a statement takes beside its texts.
constexpr std::uint64_t kStatementBytes = sizeof(LoggedStatement) + 64;

bool backslashes(const LoggedSession& session) {
    for (const auto& [name, sql] : session.settings) {
        if (name != "standard_conforming_strings") continue;
        return sql.find("off") != std::string::npos || sql.find("OFF") != std::string::npos || sql.find("false") != std::string::npos || sql.find("FALSE") != std::string::npos;
    }
    return false;
}

/// SET of a superuser, or somebody who was granted it.
bool hides_statements(std::string_view name) {
    for (const std::string_view one : {"log_statement", "log_min_duration_statement", "log_min_messages", "log_min_error_statement", "log_error_verbosity", "log_statement_sample_rate", "log_transaction_sample_rate",
                                       "log_min_duration_sample", "lc_messages"})
        if (name == one) return true;
    return false;
}

bool begins_with_any(std::string_view sql, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        if (sql.size() < word.size()) continue;
        bool same = true;
        for (std::size_t i = 0; i < word.size(); ++i) same = same && (sql[i] | 0x20) == word[i];
        if (same) return true;
    }
    return false;
}

/// Reads, or sets something for the session, as far as its first word tells: what a pipeline has before and after does not depend on it.
bool is_harmless(std::string_view sql) {
    return begins_with_any(sql, {"select", "show", "set", "reset", "values", "table", "explain", "discard", "deallocate", "listen", "unlisten", "fetch", "close"});
}

/// The log has, with a message, what its first EXECUTE had been prepared as before the message began: no word of the others, nor of what the message itself prepares, or may.
std::string take_prepared(std::string& prepared, const SqlStatement& statement) {
    if (prepared.empty()) return {};
    if (statement.kind == SqlKind::other && begins_with_any(statement.text, {"execute"})) return std::exchange(prepared, {});
    if (statement.kind == SqlKind::discard_all || (statement.kind == SqlKind::other && !begins_with_any(statement.text, {"insert", "update", "delete"}))) prepared.clear();
    return {};
}

}  // namespace

void LogSessions::run(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) {
    const bool done = message.kind == MessageKind::after_statement || message.kind == MessageKind::after_execute;
    Run run;
    run.entry = &entry;
    run.site = &site;
    run.extended = message.kind == MessageKind::execute || message.kind == MessageKind::after_execute;
    run.done = done;
    run.after = done ? began_after(session, message, entry, site) : site.order;
    run.began = entry.time - message.duration;
    if (done) run.duration = message.duration;
    run.function_call = message.kind == MessageKind::function_call;
    if (auto parameters = read_parameters(entry.detail)) run.parameters = std::move(*parameters);
    std::string prepared{read_prepared(entry.detail)};
    run.began_before_log = !session.known;
    if (run.function_call)
        split_.assign(1, {});
    else
        split_sql(message.text, backslashes(*session.info), split_);
    if (split_.empty()) return;
    if (done) {
        after_lines_ = true;
        order_.expect_unseen();
        if (message.duration < 1000) shown_complete_ = true;
    } else {
        before_lines_ = true;
    }

    Session::Pending& pending = session.pending;
    pending = {};
    pending.active = true;
    pending.extended = run.extended;
    pending.text_size = message.text.size();
    pending.text_hash = hash_text(message.text);
    pending.id = entry.transaction;
    pending.time = entry.time;
    pending.place = site.place;
    pending.kind = split_.front().kind;
    const auto controls = [](const SqlStatement& one) { return one.kind != SqlKind::other && one.kind != SqlKind::copy_from_stdin && !is_setting(one.kind); };
    pending.controls = std::any_of(split_.begin(), split_.end(), controls);
    pending.single = split_.size() == 1;
    pending.begins_and_ends = session.block != Block::open && split_.size() > 1 && split_.front().kind == SqlKind::begin && split_.back().kind == SqlKind::commit &&
                              std::none_of(split_.begin() + 1, split_.end() - 1, controls);
    // In a block, or with others in one message, it cannot commit by itself.
    pending.several = pending.single && split_.front().several && session.block != Block::open && session.block != Block::failed;
    run.pending = &pending;
    if (pending.controls && !done) shown_complete_ = true;  // log_statement = mod has none of these

    if (run.extended && session.implicit && session.implicit_id == entry.transaction) run.implicit = session.implicit;
    if (run.implicit && !makeup_.transactions && !run.implicit->settings.empty()) {
        throw LogError{LogStop::incomplete, site.place, "the session set something by the extended protocol before, and without virtual transaction ids (%v in log_line_prefix) it is not known whether in this transaction"};
    }
    const bool had_implicit = run.implicit != nullptr;
    const TransactionPtr before = session.block == Block::open ? session.transaction : run.implicit;
    pending.in = before;
    pending.from = before ? before->out.statements.size() : 0;
    for (const SqlStatement& one : split_) {
        run.prepared = take_prepared(prepared, one);
        apply(session, one, run);
        if (pending.in == nullptr) pending.in = session.block == Block::open ? session.transaction : run.implicit;
    }

    if (had_implicit && run.implicit != session.implicit) {
        // A BEGIN made a block of what the pipeline had so far, or a COMMIT ended it.
        order_.drop(session.implicit);
        session.implicit = nullptr;
        if (session.transaction && session.block == Block::open) session.transaction->final = false;
    }
    if (!run.implicit) {
        // nothing outside of a block
    } else if (!run.extended || run.implicit->out.statements.empty()) {
        begin_commit(run.implicit, run);
        pending.commits.push_back(run.implicit);
    } else if (had_implicit) {
        run.implicit->out.commit_after = site.order;
        order_.grown(run.implicit);
    } else if (makeup_.transactions || is_harmless(run.implicit->out.statements.back().sql)) {
        begin_commit(run.implicit, run);
        run.implicit->out.commit_after = site.order;
        session.implicit = run.implicit;
        session.implicit_id = entry.transaction;
    } else {
        throw LogError{LogStop::incomplete, site.place,
                       "a statement of the extended protocol outside of a transaction block: without virtual transaction ids the log does not tell where its transaction ends; "
                       "set log_line_prefix = '%m [%p] %c %l %v %x %q%u@%d ', or log to csvlog or jsonlog"};
    }
    if (done) {
        const bool still_open = run.extended && session.implicit;
        prove_pending(session, site.order);
        if (still_open && session.implicit) session.implicit->out.commit_after = site.order;
    }
}

TransactionPtr LogSessions::new_transaction(const Session& session, const Run& run) const {
    auto out = std::make_shared<OpenTransaction>();
    out->first = run.site->spot;
    out->out.session = session.info;
    out->out.began = run.began;
    out->out.begin = run.site->place;
    out->out.isolation = session.isolation;
    out->out.began_before_log = run.began_before_log;
    out->alone_shown = run.entry->activity == "idle";
    return out;
}

void LogSessions::append(const TransactionPtr& transaction, const SqlStatement& statement, const Run& run) {
    if (run.entry->xid != 0) transaction->out.xid = run.entry->xid;
    if (is_setting(statement.kind) && hides_statements(statement.name) && !gathering_) {
        throw LogError{LogStop::incomplete, run.site->place, "the session changes what the server logs of it: what it does behind that may not be in the log"};
    }
    if (is_setting(statement.kind)) {
        transaction->settings.push_back({statement.kind, statement.name, std::string{statement.text}, statement.isolation});
        if (statement.kind == SqlKind::discard_all) return;
    }
    if (statement.kind == SqlKind::copy_from_stdin && !transaction->unreadable) transaction->unreadable.emplace(run.site->place, false);
    if (run.function_call && !transaction->unreadable) transaction->unreadable.emplace(run.site->place, true);
    if (run.extended && statement.parameters > run.parameters.size() && !gathering_) {
        throw LogError{LogStop::missing_parameters, run.site->place,
                       fmt::format("the statement has {} parameters, the log {}: log_error_verbosity must not be terse, log_parameter_max_length has to be -1", statement.parameters,
                                   run.parameters.size())};
    }
    const bool own_length = std::any_of(transaction->out.session->settings.begin(), transaction->out.session->settings.end(), [](const auto& one) { return one.first == "log_parameter_max_length"; });
    if ((!settings_.whole_parameters || own_length) && !gathering_) {
        for (const auto& value : run.parameters) {
            if (!value || !value->ends_with("...")) continue;
            throw LogError{LogStop::missing_parameters, run.site->place, "a parameter ends with \"...\", as shortened ones do: log_parameter_max_length has to be -1, and known to be"};
        }
    }
    LoggedStatement& one = transaction->out.statements.emplace_back();
    one.sql = statement.text;
    one.parameters = run.parameters;
    one.prepared = run.prepared;
    one.extended = run.extended;
    one.began = run.began;
    one.duration = run.duration;
    one.own_message = run.count == 0;
    one.place = run.site->place;
    one.after = run.after;
    std::uint64_t bytes = kStatementBytes + one.sql.size() + one.prepared.size();
    for (const auto& value : one.parameters) bytes += sizeof(value) + (value ? value->size() : 0);
    transaction->bytes += bytes;
    waiting_ += bytes;
    if (waiting_ > settings_.most_waiting) {
        throw LogError{LogStop::too_large, run.site->place,
                       fmt::format("transactions that are open or wait for others have more than {} MB of statements", settings_.most_waiting >> 20)};
    }
    if (transaction->start == kNotYet) {
        transaction->start = run.after;
        transaction->counted = true;
        order_.opened(transaction);
    }
}

void LogSessions::apply(Session& session, const SqlStatement& statement, Run& run) {
    if (statement.unknown_snapshot && statement.kind != SqlKind::set_transaction && !gathering_) throw LogError{LogStop::order, run.site->place, "it sets a level of isolation that it does not name"};
    const bool open = session.block == Block::open;
    switch (statement.kind) {
        case SqlKind::begin:
            if (open || session.block == Block::failed) break;  // "there is already a transaction in progress"
            session.transaction = run.implicit ? std::exchange(run.implicit, nullptr) : new_transaction(session, run);
            session.transaction->out.explicit_block = true;
            session.transaction->out.began_before_log = false;
            session.known = true;
            run.began_before_log = false;
            session.block = Block::open;
            [[fallthrough]];
        case SqlKind::set_transaction: {
            const TransactionPtr& in = session.block == Block::open ? session.transaction : run.implicit;
            if (!in) break;
            in->unknown_snapshot = in->unknown_snapshot || statement.unknown_snapshot;
            if (!statement.isolation.empty()) in->out.isolation = statement.isolation;
            in->out.read_only = in->out.read_only || statement.read_only;
            break;
        }
        case SqlKind::commit: end_block(session, statement, run, true); break;
        case SqlKind::rollback: end_block(session, statement, run, false); break;
        case SqlKind::savepoint:
            if (open) session.transaction->savepoints.push_back({statement.name, session.transaction->out.statements.size(), session.transaction->settings.size()});
            break;
        case SqlKind::release:
        case SqlKind::rollback_to: {
            if (!session.transaction || session.block == Block::idle) break;
            auto& all = session.transaction->savepoints;
            const auto found = std::find_if(all.rbegin(), all.rend(), [&](const auto& one) { return one.name == statement.name; });
            if (found == all.rend()) {
                if (session.transaction->ghost) session.block = Block::open;  // made before the place where reading began
                break;
            }
            const auto at = found.base() - 1;
            if (statement.kind == SqlKind::release) {
                all.erase(at, all.end());
                break;
            }
            auto& statements = session.transaction->out.statements;
            for (std::size_t i = at->statements; i < statements.size(); ++i) {
                // Only roughly what they took: the rest is given back with the transaction.
                const std::uint64_t bytes = statements[i].sql.size();
                session.transaction->bytes -= bytes;
                waiting_ -= bytes;
            }
            if (session.transaction->unreadable && at->statements < statements.size()) {
                const LogPlace& place = session.transaction->unreadable->first;
                if (place.offset >= statements[at->statements].place.offset && place.path == statements[at->statements].place.path) session.transaction->unreadable.reset();
            }
            statements.resize(at->statements);
            session.transaction->settings.resize(at->settings);
            all.erase(at + 1, all.end());
            session.block = Block::open;
            break;
        }
        case SqlKind::prepare_transaction:
            if (open) {
                session.transaction->out.gid = statement.name;
                run.pending->prepares.emplace_back(statement.name, session.transaction);
                prepared_[statement.name] = session.transaction;
                session.transaction = nullptr;
            } else if (session.block == Block::failed) {
                discard(session.transaction);
            }
            session.block = Block::idle;
            break;
        case SqlKind::commit_prepared: commit_prepared(statement, run); break;
        case SqlKind::rollback_prepared:
            if (prepared_.contains(statement.name)) run.pending->forgets.push_back(statement.name);
            break;
        case SqlKind::other:
        case SqlKind::copy_from_stdin:
        case SqlKind::set_session:
        case SqlKind::set_local:
        case SqlKind::reset:
        case SqlKind::reset_all:
        case SqlKind::discard_all:
            if (session.block == Block::failed) break;  // "current transaction is aborted"
            if (session.block == Block::maybe_failed) session.block = Block::idle;
            if (!open && !run.implicit) run.implicit = new_transaction(session, run);
            append(open ? session.transaction : run.implicit, statement, run);
            ++run.count;
            break;
    }
}

void LogSessions::end_block(Session& session, const SqlStatement& statement, Run& run, bool commit) {
    TransactionPtr ended;
    const bool in_block = session.block == Block::open || session.block == Block::failed;
    if (session.block == Block::open)
        ended = std::exchange(session.transaction, nullptr);
    else if (session.block == Block::failed)
        discard(session.transaction);
    else if (run.implicit)
        ended = std::exchange(run.implicit, nullptr);
    else if (!session.known && !replaying_ && session.block == Block::idle && commit) {
        throw LogError{LogStop::began_before_log, run.site->place, "the end of a transaction whose beginning is not in the log"};
    }
    session.known = true;
    run.began_before_log = false;
    session.block = Block::idle;
    const std::string isolation = ended ? ended->out.isolation : std::string{};
    if (ended && commit) {
        begin_commit(ended, run);
        run.pending->commits.push_back(ended);
    } else if (ended) {
        if (!ended->ghost) ++rolled_back_;
        discard(ended);
    }
    if (statement.chain && in_block) {
        session.transaction = new_transaction(session, run);
        session.transaction->out.explicit_block = true;
        session.transaction->out.isolation = isolation;
        session.block = Block::open;
    }
}

void LogSessions::commit_prepared(const SqlStatement& statement, Run& run) {
    const auto found = prepared_.find(statement.name);
    if (found == prepared_.end()) {
        if (replaying_ || settings_.open_at_begin) return;
        throw LogError{LogStop::began_before_log, run.site->place, "the commit of a prepared transaction that is not in the log"};
    }
    const TransactionPtr transaction = found->second;
    run.pending->takes.emplace_back(statement.name, transaction);
    prepared_.erase(found);
    begin_commit(transaction, run);
    run.pending->commits.push_back(transaction);
}

/// Its last statement was begun.
void LogSessions::begin_commit(const TransactionPtr& transaction, const Run& run) {
    LoggedTransaction& out = transaction->out;
    if (run.entry->xid != 0) out.xid = run.entry->xid;
    out.commit = run.site->place;
    out.commit_after = run.after;
    out.committed = run.entry->time;
    const bool only_settings = transaction->settings.size() == out.statements.size();
    if (transaction->ghost || out.statements.empty() || only_settings) return;
    order_.begin_commit(transaction);
    if (!run.extended || out.explicit_block) uncount(transaction);
}

}  // namespace rowferry
