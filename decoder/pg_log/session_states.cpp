// What is known of sessions where reading begins, or begins again.

#include <algorithm>

#include "decoder/pg_log/session_parts.h"

namespace rowferry {

/// A transaction of it was open where reading begins.
void LogSessions::open_before(Session& session) const {
    const auto& open = *settings_.open_at_begin;
    session.known = true;
    if (std::find(open.begin(), open.end(), session.pid) == open.end()) return;
    session.transaction = std::make_shared<OpenTransaction>();
    session.transaction->ghost = true;
    session.transaction->out.session = session.info;
    session.block = Block::open;
    const auto id = settings_.open_transactions.find(session.pid);
    if (id != settings_.open_transactions.end()) session.ghost_id = id->second;
}

void LogSessions::expect(const std::vector<SessionState>& sessions) {
    const auto& present = settings_.present_at_begin;
    for (const SessionState& one : sessions) {
        if (!present || !settings_.open_at_begin || std::find(present->begin(), present->end(), one.session.pid) == present->end()) continue;
        auto session = std::make_unique<Session>();
        session->pid = one.session.pid;
        auto info = std::make_shared<LoggedSession>(one.session);
        info->settings_known = info->settings_known && !one.sets;
        session->info = std::move(info);
        session->next_number = one.next_number;
        session->isolation = one.isolation;
        open_before(*session);
        if (session->block == Block::idle) restore_pending(*session, one);
        sessions_[one.session.pid] = std::move(session);
    }
}

std::vector<SessionState> LogSessions::states() const {
    std::vector<SessionState> out;
    out.reserve(sessions_.size());
    for (const auto& [pid, session] : sessions_) {
        SessionState& state = out.emplace_back();
        state.session = *session->info;
        state.next_number = session->next_number;
        state.isolation = session->isolation;
        state.known = session->known;
        state.block = session->block == Block::open ? 'o' : session->block == Block::failed ? 'f' : session->block == Block::maybe_failed ? 'm' : 'i';
        if (session->implicit) state.transaction = session->implicit_id;
        if (session->transaction && session->transaction->ghost && session->block != Block::idle) state.transaction = session->ghost_id;
        for (const TransactionPtr& one : {session->transaction, session->implicit}) state.sets = state.sets || (one && !one->settings.empty());
        if (!session->pending.active) continue;
        PendingState& pending = state.pending.emplace();
        pending.extended = session->pending.extended;
        pending.text_hash = session->pending.text_hash;
        pending.text_size = session->pending.text_size;
        pending.transaction = session->pending.id;
        for (const TransactionPtr& one : session->pending.commits) pending.settings.insert(pending.settings.end(), one->settings.begin(), one->settings.end());
    }
    return out;
}

/// What its last statement leaves behind if the next entry does not say that it failed.
void LogSessions::restore_pending(Session& session, const SessionState& state) {
    if (!state.pending) return;
    session.pending.active = true;
    session.pending.extended = state.pending->extended;
    session.pending.text_hash = state.pending->text_hash;
    session.pending.text_size = state.pending->text_size;
    session.pending.id = state.pending->transaction;
    auto ghost = std::make_shared<OpenTransaction>();
    ghost->ghost = true;
    ghost->out.session = session.info;
    ghost->settings = state.pending->settings;
    session.pending.commits.push_back(std::move(ghost));
}

void LogSessions::restore(const std::vector<SessionState>& states) {
    server_began_ = restored_ = true;  // whoever is not among these came later
    for (const SessionState& state : states) {
        auto session = std::make_unique<Session>();
        session->pid = state.session.pid;
        session->info = std::make_shared<LoggedSession>(state.session);
        session->next_number = state.next_number;
        session->isolation = state.isolation;
        session->known = state.known;
        session->block = state.block == 'o' ? Block::open : state.block == 'f' ? Block::failed : state.block == 'm' ? Block::maybe_failed : Block::idle;
        const auto ghost = [&] {
            auto transaction = std::make_shared<OpenTransaction>();
            transaction->ghost = true;
            transaction->out.session = session->info;
            return transaction;
        };
        if (session->block == Block::open || session->block == Block::failed) session->transaction = ghost();
        if (session->transaction) {
            session->ghost_id = state.transaction;
        } else if (!state.transaction.empty()) {
            session->implicit = ghost();
            session->implicit_id = state.transaction;
        }
        restore_pending(*session, state);
        sessions_[session->pid] = std::move(session);
    }
}

}  // namespace rowferry
