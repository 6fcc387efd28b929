#include "decoder/pg_log/commit_order.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace rowferry {
namespace {

/// Touches in memory of transactions that were given out; about 30 MB. What is older is only kept by object.
constexpr std::size_t kMostKept = 200'000;

bool collide(const Touch& a, const Touch& b) {
    if (!a.writes && !b.writes) return false;
    if (a.object != b.object) return false;
    return a.key.empty() || b.key.empty() || a.key != b.key || a.value == b.value;
}

/// Both wait for the other's row, so that who has it first commits first.
bool exclude_each_other(const Touch& a, const Touch& b) {
    return !a.key.empty() && a.key == b.key && a.mode == b.mode && a.mode != TouchMode::reads;
}

/// Sees what the other writes, or not, without waiting for it.
bool looks(const Touch& a, const Touch& b) { return a.mode == TouchMode::reads || a.key.empty() || a.key != b.key || (a.mode == TouchMode::locks && b.mode == TouchMode::inserts); }

[[noreturn]] void stop_for_conflict(const OpenTransaction& transaction) {
    const std::string other = transaction.conflict->empty() ? fmt::format("the one that was committed at {}", to_string(transaction.conflict_place)) : *transaction.conflict;
    throw LogError{LogStop::order, transaction.out.commit,
                   fmt::format("this transaction ran at the same time as {}, both touch the same rows, and the log does not tell what it saw; copy the tables again, or "
                               "capture by triggers or logical decoding (with log_duration = on the log tells more)",
                               other)};
}

void remove(std::vector<TransactionPtr>& from, const TransactionPtr& transaction) {
    const auto at = std::find(from.begin(), from.end(), transaction);
    if (at != from.end()) from.erase(at);
}

}  // namespace

std::string to_string(const LogPlace& place) { return fmt::format("{}:{}", place.path ? *place.path : "the log", place.line); }

std::vector<CommitOrder::Timed> CommitOrder::timed(OpenTransaction& transaction) {
    LoggedTransaction& out = transaction.out;
    if (!transaction.touches || transaction.touched != out.statements.size() || transaction.generation != touches_.generation()) {
        transaction.touches = touches_.touches(out);
        transaction.generation = touches_.generation();
        transaction.touched = out.statements.size();
    }
    const std::string& isolation = out.isolation.empty() ? default_isolation_ : out.isolation;
    const bool one_snapshot = isolation == "repeatable read" || isolation == "serializable";
    std::vector<Timed> result;
    result.reserve(transaction.touches->size());
    for (const Touch& touch : *transaction.touches) {
        if (touch.statement >= out.statements.size()) throw HaltError{fmt::format("{}: a touch of a statement that the transaction does not have", to_string(out.begin))};
        const LoggedStatement& statement = out.statements[touch.statement];
        result.push_back({touch, one_snapshot ? transaction.start : statement.after, statement.before});
    }
    return result;
}

/// A before B, if neither waits for what the other did first.
bool CommitOrder::may_be_first(const std::vector<Timed>& a_touches, LogOrder a_committed, const std::vector<Timed>& b_touches, LogOrder b_commit_after) {
    for (const Timed& a : a_touches) {
        for (const Timed& b : b_touches) {
            if (!collide(a.touch, b.touch)) continue;
            const bool lock = exclude_each_other(a.touch, b.touch);
            const bool a_looks = !lock && b.touch.writes && looks(a.touch, b.touch);
            const bool b_looks = !lock && a.touch.writes && looks(b.touch, a.touch);
            if ((lock || a_looks || !b_looks) && a.before > b_commit_after) return false;
            if (b_looks && a_committed > b.after) return false;
        }
    }
    return true;
}

bool CommitOrder::may_precede(OpenTransaction& first, OpenTransaction& second) {
    if (first.out.commit_before <= second.start) return true;
    return may_be_first(timed(first), first.out.commit_before, timed(second), second.out.commit_after);
}

void CommitOrder::opened(const TransactionPtr& transaction) {
    open_.insert(transaction->start);
    running_.push_back(transaction);
}

void CommitOrder::closed(const TransactionPtr& transaction) {
    open_.erase(open_.find(transaction->start));
    remove(running_, transaction);
    changed_ = true;
}

void CommitOrder::begin_commit(const TransactionPtr& transaction) {
    transaction->final = true;
    pending_.push_back(transaction);
    check_kept(*transaction);
}

void CommitOrder::grown(const TransactionPtr& transaction) {
    changed_ = true;
    check_kept(*transaction);
}

/// Against what was given out while it ran. A collision only stops when it turns out to be committed.
void CommitOrder::check_kept(OpenTransaction& transaction) {
    if (transaction.conflict) return;
    std::optional<std::vector<Timed>> touches;
    const auto mine = [&]() -> const std::vector<Timed>& {
        if (!touches) touches = timed(transaction);
        return *touches;
    };
    for (auto kept = kept_.rbegin(); kept != kept_.rend() && kept->latest > transaction.start; ++kept) {
        if (kept->commit_before <= transaction.start || may_be_first(kept->touches, kept->commit_before, mine(), transaction.out.commit_after)) continue;
        transaction.conflict = "";
        transaction.conflict_place = kept->place;
        return;
    }
    for (const auto& [object, last] : summary_) {
        if (last.commit <= transaction.start) continue;
        for (const Timed& touch : mine()) {
            if (touch.touch.object != object || transaction.conflict || (!touch.touch.writes && !last.writes)) continue;
            transaction.conflict = fmt::format("others that touched {}, of which too much would have to be remembered", object);
        }
    }
}

bool CommitOrder::defines(OpenTransaction& transaction) {
    const std::vector<Timed> touches = timed(transaction);
    return std::any_of(touches.begin(), touches.end(), [](const Timed& one) { return one.touch.writes && one.touch.object == kDefinitionsObject; });
}

/// What touches what has changed with a definition.
void CommitOrder::check_again() {
    if (std::exchange(generation_, touches_.generation()) == touches_.generation()) return;
    for (const TransactionPtr& one : pending_) check_kept(*one);
    for (const TransactionPtr& one : proven_) {
        check_kept(*one);
        if (one->conflict) stop_for_conflict(*one);
    }
}

void CommitOrder::prove(const TransactionPtr& transaction, LogOrder order) {
    remove(pending_, transaction);
    transaction->out.commit_before = order;
    if (transaction->conflict) stop_for_conflict(*transaction);
    if (transaction->unknown_snapshot && !timed(*transaction).empty())
        throw LogError{LogStop::order, transaction->out.commit, "it took what it sees from another transaction's snapshot, or set a level of isolation that it does not name: the log does not tell what it saw"};
    proven_.push_back(transaction);
    changed_ = true;
}

void CommitOrder::drop(const TransactionPtr& transaction) {
    remove(pending_, transaction);
    changed_ = true;
}

bool CommitOrder::must_wait(OpenTransaction& transaction) {
    const LoggedTransaction& mine = transaction.out;
    for (const TransactionPtr& other : proven_) {
        if (other.get() == &transaction) continue;
        if (other->out.commit_before <= mine.commit_after) return true;
        if (may_precede(transaction, *other)) continue;
        if (mine.commit_before > other->out.commit_after && may_precede(*other, transaction)) return true;
        throw LogError{LogStop::order, mine.commit,
                       fmt::format("this transaction and the one that was committed at {} touch the same rows at the same time, and the log does not tell which was first; copy the tables "
                                   "again, or capture by triggers or logical decoding (with log_duration = on the log tells more)",
                                   to_string(other->out.commit))};
    }
    for (const TransactionPtr& other : pending_) {
        if (may_precede(transaction, *other)) continue;
        if (mine.commit_before > other->out.commit_after) return true;
        other->conflict = "";  // it is certainly later, and yet may not be, if it is committed at all
        other->conflict_place = mine.commit;
    }
    for (const TransactionPtr& other : running_) {
        if (unseen_ && !other->ghost && !other->final && !may_precede(transaction, *other)) return true;
    }
    return false;
}

void CommitOrder::release(std::vector<TransactionPtr>& out) {
    interrupted_ = false;
    check_again();
    while (changed_) {
        changed_ = false;
        for (std::size_t i = 0; i < proven_.size(); ++i) {
            const TransactionPtr transaction = proven_[i];
            if (must_wait(*transaction)) continue;
            keep(*transaction);
            out.push_back(transaction);
            proven_.erase(proven_.begin() + static_cast<std::ptrdiff_t>(i));
            changed_ = true;
            if (!proven_.empty() && defines(*transaction)) {
                interrupted_ = true;
                return;
            }
            break;
        }
    }
    if (pending_.empty() && !proven_.empty() && (!unseen_ || running_.empty())) {
        throw LogError{LogStop::order, proven_.front()->out.commit, "this transaction and others touch the same rows at the same time, and each seems to have waited for another"};
    }
    forget();
}

void CommitOrder::keep(OpenTransaction& transaction) {
    const LoggedTransaction& out = transaction.out;
    if (!unseen_ && (open_.empty() || *open_.begin() >= out.commit_before)) return;
    std::vector<Timed> touches = timed(transaction);
    if (touches.empty()) return;
    kept_touches_ += touches.size();
    const LogOrder latest = kept_.empty() ? out.commit_before : std::max(kept_.back().latest, out.commit_before);
    kept_.push_back({std::move(touches), out.commit_after, out.commit_before, latest, transaction.first, out.commit});
}

void CommitOrder::forget() {
    const LogOrder oldest = open_.empty() ? kNotYet : *open_.begin();
    while (!kept_.empty() && !unseen_ && kept_.front().commit_before <= oldest) {
        kept_touches_ -= kept_.front().touches.size();
        kept_.pop_front();
    }
    while (kept_touches_ > kMostKept) {
        for (const Timed& touch : kept_.front().touches) {
            Last& last = summary_[touch.touch.object];
            last.commit = std::max(last.commit, kept_.front().commit_before);
            last.writes = last.writes || touch.touch.writes;
        }
        kept_touches_ -= kept_.front().touches.size();
        kept_.pop_front();
    }
    for (auto at = summary_.begin(); !unseen_ && at != summary_.end();) at = at->second.commit <= oldest ? summary_.erase(at) : std::next(at);
}

LogSpot CommitOrder::oldest(LogSpot now) const {
    for (const TransactionPtr& transaction : pending_) now = std::min(now, transaction->first);
    for (const TransactionPtr& transaction : proven_) now = std::min(now, transaction->first);
    for (const Kept& kept : kept_) now = std::min(now, kept.first);
    return now;
}

}  // namespace rowferry
