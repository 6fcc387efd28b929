#include "decoder/pg_log/log_sessions.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "decoder/pg_log/session_parts.h"

namespace rowferry {
namespace {

/// Notes of when entries were written, one a millisecond: what statements with a duration are placed by. About 3 MB.
constexpr std::size_t kMostTimes = 200'000;
/// Sessions that are remembered while nothing of theirs is open. Where disconnections are not logged nobody says when they end.
constexpr std::size_t kMostSessions = 5000;

/// `parameter "log_statement" changed to "mod"`, `parameter "DateStyle" removed from configuration file, reset to default`: of a SIGHUP.
bool changes_server(std::string_view message) {
    constexpr std::string_view kBegin = "parameter \"";
    if (!message.starts_with(kBegin)) return false;
    const std::string_view name = message.substr(kBegin.size(), message.find('"', kBegin.size()) - kBegin.size());
    for (const std::string_view one : {"log_statement", "log_min_duration_statement", "log_line_prefix", "log_parameter_max_length", "log_error_verbosity", "log_min_error_statement", "log_min_messages",
                                       "log_min_duration_sample", "log_statement_sample_rate", "log_transaction_sample_rate", "lc_messages", "default_transaction_isolation", "standard_conforming_strings", "array_nulls",
                                       "session_replication_role", "search_path", "TimeZone", "timezone_abbreviations", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "xmloption", "xmlbinary",
                                       "default_text_search_config", "transform_null_equals", "lc_monetary", "lc_numeric", "lc_time"})
        if (name == one) return true;
    return false;
}

constexpr bool is_server_event(MessageKind kind) { return kind >= MessageKind::starting && kind <= MessageKind::crash; }

}  // namespace

LogSessions::LogSessions(const LogSettings& settings, const LogMakeup& makeup, CommitOrder& order) : settings_{settings}, makeup_{makeup}, order_{order} {
    shown_complete_ = settings.complete;
}

LogSessions::~LogSessions() = default;

bool LogSessions::is_ours(const LogEntry& entry) const { return makeup_.database ? entry.database == settings_.database : settings_.only_database; }

void LogSessions::entry(const LogEntry& entry, const EntrySite& site) {
    if (first_time_ == 0) first_time_ = entry.time;
    last_time_ = entry.time;
    remember_time(entry.time, site.order);
    const LogMessage message = read_message(entry);
    if (!gathering_ && entry.database.empty() && changes_server(entry.message)) {
        throw LogError{LogStop::incomplete, site.place, "a setting of the server changed that the log, or what its statements mean, depends on: begin anew with it"};
    }
    if (message.kind == MessageKind::other_language) {
        throw LogError{LogStop::language, site.place, "messages are not in English: set lc_messages = 'C' on the server, and begin with a new log"};
    }
    if (is_server_event(message.kind) && (entry.database.empty() || !makeup_.database)) {
        server_event(message.kind, site);
        return;
    }
    const auto found = sessions_.find(entry.pid);
    if (found != sessions_.end() && makeup_.sessions && found->second->info->id != entry.session) {
        end_session(*found->second, site.order);  // its process had ended: another one has its number
        sessions_.erase(found);
    }
    if (!is_ours(entry)) return;
    Session& session = session_of(entry, site);
    check_number(session, entry, site);
    end_ghost(session, message, entry, site);
    if (message.kind == MessageKind::statement) check_activity(session, entry, site);
    this->message(session, message, entry, site);
    if (message.kind == MessageKind::fatal || message.kind == MessageKind::disconnection) {
        end_session(session, site.order);
        sessions_.erase(entry.pid);
        return;
    }
    session.last = site.order;
    if (session.transaction) session.transaction->out.commit_after = site.order;
    if (!entry.transaction.empty() && entry.transaction != session.last_transaction) session.last_transaction = entry.transaction;
}

LogSessions::Session& LogSessions::session_of(const LogEntry& entry, const EntrySite& site) {
    auto& slot = sessions_[entry.pid];
    if (slot && makeup_.numbers_from_one && !makeup_.sessions && entry.number == 1 && slot->next_number != 1) {
        end_session(*slot, site.order);
        slot = nullptr;
    }
    if (slot) {
        if (slot->info->application == entry.application && slot->info->user == entry.user) return *slot;
        auto info = std::make_shared<LoggedSession>(*slot->info);
        info->application = entry.application;
        info->user = entry.user;
        slot->info = std::move(info);
        return *slot;
    }
    if (sessions_.size() > kMostSessions) {
        std::vector<std::pair<LogOrder, std::uint32_t>> idle;
        for (const auto& [pid, one] : sessions_)
            if (one && one->block == Block::idle && !one->pending.active && !one->implicit && one->info->settings.empty() && one->isolation.empty() && one->info->settings_known) idle.emplace_back(one->last, pid);
        std::sort(idle.begin(), idle.end());
        for (std::size_t i = 0; i < idle.size() / 2; ++i) sessions_.erase(idle[i].second);
        // What a session has set must not be forgotten while it may be there.
        if (sessions_.size() > 4 * kMostSessions)
            throw LogError{LogStop::too_large, site.place, "more sessions than can be kept have set something, and the log does not say which of them have ended: set log_disconnections = on"};
    }
    auto& fresh = sessions_[entry.pid];
    fresh = std::make_unique<Session>();
    fresh->pid = entry.pid;
    begin_session(*fresh, entry);
    return *fresh;
}

void LogSessions::begin_session(Session& session, const LogEntry& entry) {
    auto info = std::make_shared<LoggedSession>();
    info->id = makeup_.sessions ? std::string{entry.session} : std::to_string(entry.pid);
    info->pid = entry.pid;
    info->user = entry.user;
    info->database = makeup_.database ? std::string{entry.database} : settings_.database;
    info->application = entry.application;
    const bool begins_here = server_began_ || (makeup_.numbers_from_one && entry.number == 1) || (entry.session_start > first_time_ && first_time_ != 0);
    session.known = begins_here;
    const auto& present = settings_.present_at_begin;
    const bool came_later = present && std::find(present->begin(), present->end(), entry.pid) == present->end();
    const bool seen_whole = (server_began_ && !restored_) || (makeup_.numbers_from_one && entry.number == 1) || (entry.session_start > first_time_ && first_time_ != 0);
    info->settings_known = came_later || (seen_whole && entry.session_start >= settings_.settled_since);
    session.info = std::move(info);
    if (!session.known && settings_.open_at_begin) open_before(session);
}

void LogSessions::check_number(Session& session, const LogEntry& entry, const EntrySite& site) const {
    if (!makeup_.numbers) return;
    if (session.next_number != 0 && entry.number != session.next_number && gathering_) {
        auto info = std::make_shared<LoggedSession>(*session.info);
        info->settings_known = false;
        session.info = std::move(info);
    } else if (session.next_number != 0 && entry.number != session.next_number) {
        throw LogError{LogStop::gap, site.place,
                       fmt::format("session {} has no lines {} to {} in the log: they are lost, and what they said is not known", session.info->id, session.next_number, entry.number - 1)};
    }
    session.next_number = entry.number + entry.numbers;
}

/// What was open where reading began may have been a single statement, whose end no line shows: what comes behind it has another virtual transaction id.
void LogSessions::end_ghost(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) {
    if (session.ghost_id.empty() || !session.transaction || !session.transaction->ghost) return;
    const bool statement = message.kind == MessageKind::statement || message.kind == MessageKind::execute || message.kind == MessageKind::after_statement ||
                           message.kind == MessageKind::after_execute || message.kind == MessageKind::function_call;
    if (!statement || entry.transaction == session.ghost_id) return;
    if (!makeup_.transactions && !gathering_) {
        split_sql(message.text, false, split_);
        if (!split_.empty() && (split_.front().kind == SqlKind::commit || split_.front().kind == SqlKind::rollback || split_.front().kind == SqlKind::prepare_transaction)) return;
        throw LogError{LogStop::began_before_log, site.place,
                       "its session was in a transaction where reading begins, and without virtual transaction ids (%v in log_line_prefix) it is not known whether this belongs to it"};
    }
    if (entry.transaction.empty()) return;
    discard(session.transaction);
    session.block = Block::idle;
    session.ghost_id.clear();
}

/// The command tag tells, before each statement of the simple protocol, whether a block is open.
void LogSessions::check_activity(Session& session, const LogEntry& entry, const EntrySite& site) {
    if (!entry.activity.starts_with("idle")) return;
    const bool aborted = entry.activity == "idle in transaction (aborted)";
    const bool in_block = aborted || entry.activity == "idle in transaction";
    const bool expected = session.block == Block::open || session.block == Block::failed;
    if (session.block == Block::maybe_failed) {
        session.block = in_block ? Block::failed : Block::idle;
        return;
    }
    if (!session.known) {
        session.known = true;
        if (!in_block || session.block == Block::open) return;
        session.transaction = std::make_shared<OpenTransaction>();
        session.transaction->first = site.spot;
        session.transaction->out.session = session.info;
        session.transaction->out.began = entry.time;
        session.transaction->out.begin = site.place;
        session.transaction->out.explicit_block = true;
        session.transaction->out.began_before_log = true;
        session.block = aborted ? Block::failed : Block::open;
        return;
    }
    if (in_block == expected || gathering_) return;
    throw LogError{LogStop::incomplete, site.place,
                   in_block ? "this statement belongs to a transaction whose BEGIN is not in the log: log_statement has to be all (mod leaves out BEGIN and COMMIT), or log_min_duration_statement 0"
                            : "the end of the transaction before this statement is not in the log: log_statement has to be all (mod leaves out BEGIN and COMMIT), or log_min_duration_statement 0"};
}

void LogSessions::message(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) {
    switch (message.kind) {
        case MessageKind::statement:
        case MessageKind::execute:
        case MessageKind::after_statement:
        case MessageKind::after_execute:
        case MessageKind::function_call:
            returned(session, entry, site, message.kind);
            run(session, message, entry, site);
            break;
        case MessageKind::step:
        case MessageKind::duration: returned(session, entry, site, message.kind); break;
        case MessageKind::error:
        case MessageKind::fatal: failed(session, message, entry, site); break;
        case MessageKind::disconnection:
            prove_pending(session, site.order);
            end_implicit(session, site.order);
            break;
        case MessageKind::connection: {
            session.known = true;
            auto info = std::make_shared<LoggedSession>(*session.info);
            info->settings_known = entry.time >= settings_.settled_since;
            session.info = std::move(info);
            break;
        }
        default: break;
    }
}

/// An entry that no statement which is still running can write: the one before has returned.
void LogSessions::returned(Session& session, const LogEntry& entry, const EntrySite& site, MessageKind message) {
    prove_pending(session, site.order);
    // Without virtual transaction ids a simple statement tells, too: its message comes behind the Sync of those before.
    const bool simple = !makeup_.transactions && (message == MessageKind::statement || message == MessageKind::after_statement);
    if (session.implicit && (simple || entry.transaction != session.implicit_id)) end_implicit(session, site.order);
}

void LogSessions::prove_pending(Session& session, LogOrder order) {
    auto& pending = session.pending;
    if (!pending.active) return;
    pending.active = false;
    if (pending.in) {
        auto& statements = pending.in->out.statements;
        for (std::size_t i = pending.from; i < statements.size(); ++i)
            if (statements[i].before == kNotYet) statements[i].before = order;
    }
    for (const TransactionPtr& one : pending.commits) {
        for (LoggedStatement& statement : one->out.statements)
            if (statement.before == kNotYet) statement.before = order;
        committed(session, one, order);
    }
    for (const auto& [gid, transaction] : pending.prepares) apply_settings(session, transaction->settings);
    for (const std::string& gid : pending.forgets) {
        const auto found = prepared_.find(gid);
        if (found == prepared_.end()) continue;
        discard(found->second);
        ++rolled_back_;
        prepared_.erase(found);
    }
    pending.commits.clear();
    pending.in = nullptr;
}

/// The transaction of executes outside of a block has ended: somebody of the session has another virtual transaction.
void LogSessions::end_implicit(Session& session, LogOrder order) {
    if (!session.implicit) return;
    const TransactionPtr transaction = std::exchange(session.implicit, nullptr);
    for (LoggedStatement& statement : transaction->out.statements)
        if (statement.before == kNotYet) statement.before = order;
    committed(session, transaction, order);
}

void LogSessions::committed(Session& session, const TransactionPtr& transaction, LogOrder order) {
    if (transaction->out.gid.empty()) apply_settings(session, transaction->settings);
    const bool only_settings = transaction->settings.size() == transaction->out.statements.size();
    uncount(transaction);
    if (transaction->ghost || transaction->out.statements.empty() || only_settings) {
        waiting_ -= transaction->bytes;
        return;
    }
    if (gathering_) return order_.prove(transaction, order);
    if (transaction->unreadable) {
        const auto& [place, call] = *transaction->unreadable;
        throw call ? LogError{LogStop::function_call, place, "a function call by the fast path (large objects): what it wrote is not in the log"}
                   : LogError{LogStop::copy_data, place, "COPY FROM STDIN: the rows are not in the log; copy the table again behind it, or capture by triggers or logical decoding"};
    }
    if (!shown_complete_ && !transaction->out.explicit_block) {
        if (!transaction->alone_shown) {
            throw LogError{LogStop::incomplete, transaction->out.begin,
                           "the log does not show that every statement is in it: with log_statement = mod a statement may belong to a transaction that was rolled back. Set log_statement = all "
                           "or log_min_duration_statement = 0"};
        }
        if (!std::exchange(warned_of_mod_, true)) {
            warnings_.push_back("nothing in the log shows that log_statement is all: a SELECT that calls a function which writes is not in the log of log_statement = mod");
        }
    }
    order_.prove(transaction, order);
}

void LogSessions::discard(TransactionPtr& transaction) {
    if (!transaction) return;
    uncount(transaction);
    waiting_ -= transaction->bytes;
    transaction = nullptr;
}

void LogSessions::uncount(const TransactionPtr& transaction) {
    if (std::exchange(transaction->counted, false)) order_.closed(transaction);
}

void LogSessions::failed(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) {
    auto& pending = session.pending;
    const bool fatal = message.kind == MessageKind::fatal;
    const bool ids = !pending.id.empty() && !entry.transaction.empty();
    bool mine = false;
    if (!gathering_) check_several(session, message, entry, site);
    if (pending.active) {
        const bool same_text = entry.has_statement && message.text.size() == pending.text_size && hash_text(message.text) == pending.text_hash;
        // After the transaction's end its virtual id is gone, so the id tells whether the statement was still in it.
        const bool same_id = ids && pending.id == entry.transaction;
        if (entry.has_statement)
            mine = same_text && (!pending.extended || session.block != Block::idle || !ids || same_id);
        else if (ids && session.block == Block::idle)
            mine = same_id;
        else if (!fatal)
            throw LogError{LogStop::outcome_unknown, site.place, "an ERROR without its STATEMENT, so that it is not known what failed: log_min_error_statement has to be error or lower, log_error_verbosity not terse"};
        else if (statements_hidden_)
            throw LogError{LogStop::outcome_unknown, site.place, "a FATAL without its STATEMENT, so that it is not known whether one was running: log_min_error_statement has to be error or lower"};
        if (mine && fatal && !pending.commits.empty()) {
            if (!ids) {
                throw LogError{LogStop::outcome_unknown, pending.place,
                               "this statement was ended with its session, and without virtual transaction ids (%v in log_line_prefix) it is not known whether it was committed before"};
            }
            mine = same_id;
        }
    }
    if (!entry.has_statement && !fatal) statements_hidden_ = true;
    if (mine) {
        take_back(session, site);
    } else {
        prove_pending(session, site.order);
        if (!fatal && !(session.implicit && session.implicit_id == entry.transaction)) fail_unseen(session, message, site);
    }
    if (session.implicit) {
        if (session.implicit_id == entry.transaction || !makeup_.transactions) {
            order_.drop(session.implicit);
            discard(session.implicit);
        } else {
            end_implicit(session, site.order);
        }
    }
    if (session.block == Block::idle && entry.message.starts_with("current transaction is aborted")) session.block = Block::failed;
}

/// What a procedure committed before it failed stays, and so does half of an index that was being made: only where the ERROR is of the statement's first transaction, nothing was committed.
void LogSessions::check_several(Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& site) {
    const auto& pending = session.pending;
    const auto stop = [](const LogPlace& place) {
        return LogError{LogStop::outcome_unknown, place,
                        "this statement failed that may be several transactions (CALL, DO, CREATE INDEX, DROP INDEX, REINDEX or DETACH PARTITION CONCURRENTLY), and the log does not show that it had "
                        "committed none of them: what it did until then is not known; copy the tables again"};
    };
    if (pending.active && pending.several) {
        const bool same_text = message.text.size() == pending.text_size && hash_text(message.text) == pending.text_hash;
        const bool was_running = entry.has_statement ? same_text : message.kind == MessageKind::error || statements_hidden_;
        if (was_running && (pending.id.empty() || pending.id != entry.transaction)) throw stop(pending.place);
        if (was_running) return;
    }
    // One that has an entry only when it is done, so that there is nothing to compare with.
    if (!entry.has_statement || session.block == Block::open || session.block == Block::failed || (before_lines_ && !after_lines_)) return;
    if (session.implicit && !session.implicit_id.empty() && session.implicit_id == entry.transaction) return;
    split_sql(message.text, false, split_);
    if (split_.size() == 1 && split_.front().several) throw stop(site.place);
}

/// The pending message failed.
void LogSessions::take_back(Session& session, const EntrySite& site) {
    auto& pending = session.pending;
    pending.active = false;
    const bool commits_first = pending.controls && !pending.single && !pending.begins_and_ends;
    if (commits_first && (!pending.commits.empty() || !pending.prepares.empty() || !pending.forgets.empty() || !pending.takes.empty())) {
        throw LogError{LogStop::outcome_unknown, site.place, "several statements in one message, with COMMIT or its like among them, of which one failed: the log does not tell which"};
    }
    for (const TransactionPtr& one : pending.commits) order_.drop(one);
    for (const auto& [gid, transaction] : pending.takes) {
        prepared_[gid] = transaction;  // still there
        transaction->final = false;
        if (!std::exchange(transaction->counted, true)) order_.opened(transaction);
    }
    for (TransactionPtr& one : pending.commits) {
        if (!one->out.gid.empty()) continue;
        ++rolled_back_;
        discard(one);
    }
    for (auto& [gid, transaction] : pending.prepares) {
        prepared_.erase(gid);
        ++rolled_back_;
        discard(transaction);
    }
    const bool ended = pending.single && (pending.kind == SqlKind::commit || pending.kind == SqlKind::prepare_transaction);
    if (ended && session.block == Block::open) {
        discard(session.transaction);  // COMMIT AND CHAIN begins none when it fails
        session.block = Block::idle;
    } else if (session.block == Block::open) {
        session.block = Block::failed;
    } else if (pending.begins_and_ends) {
        session.block = Block::maybe_failed;
    } else if (commits_first) {
        session.block = Block::maybe_failed;
    }
    pending.commits.clear();
    pending.prepares.clear();
    pending.forgets.clear();
    pending.in = nullptr;
}

/// A statement failed that has no entry of its own: it could not be parsed, or is only logged when it is done.
void LogSessions::fail_unseen(Session& session, const LogMessage& message, const EntrySite& site) {
    split_sql(message.text, false, split_);
    const auto ends = [](const SqlStatement& one) {
        return one.kind == SqlKind::commit || one.kind == SqlKind::prepare_transaction || one.kind == SqlKind::rollback || one.kind == SqlKind::rollback_prepared || one.kind == SqlKind::commit_prepared;
    };
    const bool controls = std::any_of(split_.begin(), split_.end(), ends);
    if (controls && split_.size() > 1 && after_lines_) {
        const bool whole = session.block == Block::idle && split_.front().kind == SqlKind::begin && std::none_of(split_.begin(), split_.end() - 1, ends);
        if (!whole) {
            throw LogError{LogStop::outcome_unknown, site.place, "several statements in one message, with COMMIT or its like among them, of which one failed: the log does not tell which"};
        }
        session.block = Block::maybe_failed;
        return;
    }
    if (session.block != Block::open) return;
    const bool ended = split_.size() == 1 && after_lines_ && (split_.front().kind == SqlKind::commit || split_.front().kind == SqlKind::prepare_transaction);
    if (ended) {
        ++rolled_back_;
        discard(session.transaction);
        session.block = Block::idle;
    } else {
        session.block = Block::failed;
    }
}

void LogSessions::end_session(Session& session, LogOrder order) {
    prove_pending(session, order);
    end_implicit(session, order);
    if (session.transaction) {
        if (!session.transaction->ghost) ++rolled_back_;
        discard(session.transaction);
    }
    session.block = Block::idle;
}

void LogSessions::server_event(MessageKind kind, const EntrySite& site) {
    if (kind == MessageKind::was_shut_down || kind == MessageKind::was_interrupted) started_ = last_time_;
    const auto unknown = [&](const LogPlace& place) {
        return LogError{LogStop::outcome_unknown, place, "the server died while this statement may have been running: whether it was committed is not in the log; copy the tables again"};
    };
    switch (kind) {
        case MessageKind::immediate_shutdown: immediate_ = true; break;
        case MessageKind::crash:
            for (auto& [pid, session] : sessions_) {
                if (session->pending.active && (!session->pending.commits.empty() || !session->pending.takes.empty())) throw unknown(session->pending.place);
                if (session->implicit) throw unknown(session->implicit->out.begin);
                if (session->transaction && after_lines_ && !session->transaction->ghost) throw unknown(session->transaction->out.begin);
            }
            crashed_ = true;
            end_all(site.order);
            break;
        case MessageKind::is_shut_down:
        case MessageKind::was_shut_down:
            if (immediate_ && kind == MessageKind::is_shut_down) {
                server_event(MessageKind::crash, site);
            } else {
                end_all(site.order);
                server_began_ = true;
                immediate_ = crashed_ = false;
            }
            break;
        case MessageKind::was_interrupted:
            if (!crashed_ && (server_began_ || first_time_ != 0) && !sessions_.empty()) {
                throw LogError{LogStop::outcome_unknown, site.place, "the server, or its machine, died before this: the log may lack what it did last; copy the tables again"};
            }
            if (after_lines_ && crashed_) {
                throw LogError{LogStop::outcome_unknown, site.place, "the server died before this, and statements are only logged when they are done: the last ones may be missing; copy the tables again"};
            }
            server_began_ = true;
            immediate_ = crashed_ = false;
            break;
        default: break;
    }
}

void LogSessions::end_all(LogOrder order) {
    // In the order of their last entries, so that it is the same in each run.
    std::vector<std::pair<LogOrder, Session*>> all;
    for (auto& [pid, session] : sessions_) all.emplace_back(session->last, session.get());
    std::sort(all.begin(), all.end());
    for (auto& [last, session] : all) end_session(*session, order);
    sessions_.clear();
}

void LogSessions::prove(std::string_view id, LogOrder order) {
    for (auto& [pid, session] : sessions_) {
        if (session->info->id != id) continue;
        prove_pending(*session, order);
        end_implicit(*session, order);
    }
}

std::vector<std::pair<const LoggedSession*, LogTime>> LogSessions::unproven() const {
    std::vector<std::pair<const LoggedSession*, LogTime>> out;
    for (const auto& [pid, session] : sessions_) {
        if ((session->pending.active && !session->pending.commits.empty()) || session->implicit) out.emplace_back(session->info.get(), session->pending.time);
    }
    return out;
}

void LogSessions::apply_settings(Session& session, const std::vector<SettingChange>& changes) {
    if (changes.empty()) return;
    auto info = std::make_shared<LoggedSession>(*session.info);
    const auto forget = [&](const std::string& name) { std::erase_if(info->settings, [&](const auto& one) { return one.first == name; }); };
    for (const SettingChange& change : changes) {
        switch (change.kind) {
            case SqlKind::set_session:
                forget(change.name);
                info->settings.emplace_back(change.name, change.sql);
                // SET SESSION CHARACTERISTICS … READ WRITE leaves the level as it was; SET … TO DEFAULT is the server's.
                if (change.name == "default_transaction_isolation" || (change.name == "transaction_characteristics" && !change.isolation.empty())) session.isolation = change.isolation;
                break;
            case SqlKind::reset:
                forget(change.name);
                if (change.name == "default_transaction_isolation") session.isolation.clear();
                break;
            case SqlKind::reset_all:
                // RESET ALL leaves the role alone.
                std::erase_if(info->settings, [](const auto& one) { return one.first != "role" && one.first != "session_authorization"; });
                session.isolation.clear();
                break;
            case SqlKind::discard_all:
                info->settings.clear();
                session.isolation.clear();
                break;
            default: break;
        }
    }
    session.info = std::move(info);
}

void LogSessions::remember_time(LogTime time, LogOrder order) {
    if (!times_.empty() && times_.back().first >= time) {
        if (times_.back().first == time) times_.back().second = order;
        return;
    }
    times_.emplace_back(time, order);
    if (times_.size() > kMostTimes) times_.pop_front();
}

/// The last entry that certainly lies before a statement which an entry tells of when it is done: its session's one before, or by the clock.
LogOrder LogSessions::began_after(const Session& session, const LogMessage& message, const LogEntry& entry, const EntrySite& /*site*/) const {
    const LogTime began = entry.time - message.duration - std::chrono::microseconds{settings_.clock_margin}.count();
    const auto later = std::upper_bound(times_.begin(), times_.end(), began, [](LogTime time, const auto& one) { return time < one.first; });
    const LogOrder by_clock = later == times_.begin() ? 0 : std::prev(later)->second;
    return std::max(session.last, by_clock);
}

LogSpot LogSessions::oldest(LogSpot now) const {
    for (const auto& [pid, session] : sessions_) {
        for (const TransactionPtr& one : {session->transaction, session->implicit})
            if (one && !one->ghost) now = std::min(now, one->first);
    }
    for (const auto& [gid, transaction] : prepared_)
        if (!transaction->ghost) now = std::min(now, transaction->first);
    return now;
}

}  // namespace rowferry
