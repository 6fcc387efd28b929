#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "decoder/pg_log/log_error.h"
#include "decoder/pg_log/open_transaction.h"

namespace rowferry {

/// In which order transactions are given out, and whether that order can be relied on.
///
/// What entries prove. A session writes an entry before it goes on, so the entry "statement: S" lies before S began, and the session's next entry (its duration line, the next
/// statement, the disconnection) lies behind S's end. Order in the file is order in time for these proofs: that two sessions wrote at the same moment
/// only makes them weaker. So each transaction has an interval of entries in which it was committed, each statement one in which it ran.
///
/// Where the intervals of two commits do not overlap, their order is known. Where they do, it only matters if the transactions touch the same. Let a be a statement of A
/// and b one of B that collide. A may be given before B
/// - when both lock the same row, or both make a row with the same key: if a had returned before B's commit began (then B did not have the lock that a had to wait for; and
///   who has it first commits first);
/// - when a reads without a lock what B writes: if a had returned before B's commit began (it cannot have seen it);
/// - when b reads without a lock what A writes: if A's commit had ended before b began (it did see it; repeatable read and serializable: before B's first statement began).
/// If only one of both orders may be, it is taken. If none may be, the log does not tell: a stop. The last two are also looked at where the commits' order is known, because
/// commit order alone does not say what a statement saw that ran while the other transaction did.
///
/// An example with autocommit: "UPDATE k" of B stands before "COMMIT" of A that it waits for. A's own "UPDATE k" had returned before B's began, if A wrote another
/// entry in between (SELECT, its duration): A is first. If A's COMMIT is its next entry, B may as well have had the row first, and A have waited: a stop.
class CommitOrder {
public:
    CommitOrder(Touches& touches, std::string default_isolation) : touches_{touches}, default_isolation_{std::move(default_isolation)} {}

    /// Its commit was begun (its last statement, outside of blocks). It may still fail.
    void begin_commit(const TransactionPtr& transaction);
    /// A transaction of begin_commit() has statements more (extended protocol, before Sync).
    void grown(const TransactionPtr& transaction);
    /// It was committed, before `order`.
    void prove(const TransactionPtr& transaction, LogOrder order);
    /// It was not committed after all.
    void drop(const TransactionPtr& transaction);

    /// A transaction that has not begun its commit has its first statement, or has begun it or is gone.
    void opened(const TransactionPtr& transaction);
    void closed(const TransactionPtr& transaction);
    /// The log has lines that are written after what they are about: transactions may run that no entry tells of yet, and open ones may be committed already. Where such a
    /// one collides with another, its own end is waited for.
    void expect_unseen() { unseen_ = true; }

    /// Transactions that may be given out now, in their order. Behind a definition it stops: what others touch is asked again when it was run. Throws LogError (order).
    void release(std::vector<TransactionPtr>& out);

    /// The earliest place of the log that is needed to find all that was not given out, and what it is compared with.
    [[nodiscard]] LogSpot oldest(LogSpot now) const;
    /// release() stopped behind a definition.
    [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }
    [[nodiscard]] bool idle() const { return pending_.empty() && proven_.empty(); }
    [[nodiscard]] const std::vector<TransactionPtr>& pending() const noexcept { return pending_; }

private:
    /// A touch with the interval of its statement.
    struct Timed {
        Touch touch;
        LogOrder after, before;
    };
    /// What is kept of a transaction that was given out, while others run that it overlaps.
    struct Kept {
        std::vector<Timed> touches;
        LogOrder commit_after, commit_before;
        LogOrder latest;  ///< The largest commit_before up to this one.
        LogSpot first;
        LogPlace place;
    };

    [[nodiscard]] std::vector<Timed> timed(OpenTransaction& transaction);
    [[nodiscard]] static bool may_be_first(const std::vector<Timed>& a, LogOrder a_committed, const std::vector<Timed>& b, LogOrder b_commit_after);
    [[nodiscard]] bool may_precede(OpenTransaction& first, OpenTransaction& second);
    [[nodiscard]] bool must_wait(OpenTransaction& transaction);
    [[nodiscard]] bool defines(OpenTransaction& transaction);
    void check_kept(OpenTransaction& transaction);
    void check_again();
    void keep(OpenTransaction& transaction);
    void forget();

    Touches& touches_;
    std::string default_isolation_;
    std::vector<TransactionPtr> pending_;  ///< Commit begun, not known to have ended.
    std::vector<TransactionPtr> proven_;   ///< Committed, not given out. In the order of their proofs.
    std::multiset<LogOrder> open_;         ///< Where those began that have not begun their commit,
    std::vector<TransactionPtr> running_;  ///< and themselves.
    bool unseen_ = false;
    bool changed_ = false;
    bool interrupted_ = false;
    std::uint64_t generation_ = 0;  ///< Of the touches that the kept ones were compared with.
    std::deque<Kept> kept_;
    std::size_t kept_touches_ = 0;
    struct Last {
        LogOrder commit = 0;
        bool writes = false;
    };
    std::map<std::string, Last, std::less<>> summary_;  ///< Of what was too much to keep: the last commit of each object.
};

}  // namespace rowferry
