#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "schemas/checkpoint.h"
#include "schemas/sink.h"

namespace rowferry {

/// Turns batches into follower transactions: groups of whole leader transactions, each with the checkpoint they reach. Pure logic over a
/// Sink; the clock comes in with each call. One thread, the applier.
///
/// States, none of which is durable (after a crash the checkpoint alone speaks):
///   idle        nothing open in the follower
///   grouped     whole leader transactions are applied, not committed: `complete_` says how far
///   inside      a leader transaction is partly applied: it spans batches, or is in progress on the leader and may yet be taken back
/// A leader transaction that does not end in its batch begins a group of its own: what is complete before it is committed first. Unless we are
/// catching up and little has come of it: most likely a small one that the batch's end cut in two.
class ApplyLoop {
public:
    using Clock = std::chrono::steady_clock;

    /// `fence`: stop after exactly this position. `on_commit` is called after each commit, `on_durable` whenever more of what was committed
    /// is known to survive a crash of the follower: in the same call as the commit or later.
    ApplyLoop(Sink& sink, Position start, std::optional<Position> fence, GroupLimits limits,
              std::function<void(Position, std::int64_t commit_time_us)> on_commit, std::function<void(Position)> on_durable);

    /// Applies a batch. `more_waiting`: another batch is in the queue already. True once the fence is reached, or a stop was asked for; the
    /// rest of the batch is dropped.
    bool apply(const Batch& batch, bool more_waiting, Clock::time_point now);

    /// Commits an idle position and looks what has become durable, when that is due. Call between batches and when none comes. True once
    /// the fence is reached.
    bool settle(Clock::time_point now);

    /// The same when no batch has come for next_settle(): what was held open for more is committed.
    bool nothing_came(Clock::time_point now);
    /// What comes was committed on the leader a while ago: groups are filled even while nothing waits. Not while somebody on the leader waits.
    void set_catching_up(bool catching_up) { catching_up_ = catching_up; }
    /// The open group holds whole transactions and the beginning of one that its batch cut off, and when it fails those before are gone with it; or it holds what
    /// the leader may never commit, and its failure may mean nothing.
    [[nodiscard]] bool mixed() const { return mixed_; }

    /// The follower has an open transaction of ours.
    [[nodiscard]] bool is_open() const { return rows_open_; }

    /// Stop at the next end of a leader transaction, as at a fence there.
    void stop_soon() { stop_soon_ = true; }

    /// Idle positions become durable this long after the last one did: one second, or at once when the leader waits for us.
    void set_idle_interval(std::chrono::milliseconds interval) { idle_interval_ = interval; }
    /// Somebody on the leader waits for us: commits are durable before anything else happens.
    void set_at_once(bool at_once) { at_once_ = at_once; }
    /// How long settle() may wait for its next call.
    [[nodiscard]] std::chrono::milliseconds next_settle(Clock::time_point now) const;
    [[nodiscard]] Position committed() const { return committed_; }

    /// A later timeline of the same leader, to be stored with the next commit.
    void set_leader(LeaderIdentity leader) { leader_ = std::move(leader); }

private:
    [[nodiscard]] bool fence_before(const Begin& begin) const;
    void take_back();
    void hand_over(std::span<const Event> events, std::size_t bytes);
    void count(std::size_t events, std::size_t bytes);
    void commit(Clock::time_point now, bool at_once, std::span<const Event> last = {});
    void look_what_is_durable(Clock::time_point now);
    bool finish_at_fence(Clock::time_point now);
    bool ended(Clock::time_point now);
    void make_durable(Clock::time_point now);
    /// Whole transactions are applied and wait for company.
    [[nodiscard]] bool holds_group() const { return complete_ && rows_open_ && !inside_; }
    [[nodiscard]] bool group_is_full(Clock::time_point now, std::size_t more = 0, std::size_t more_bytes = 0) const;

    struct Complete {
        Position position;
        std::string resume;
        std::int64_t time_us = 0;
        bool has_resume = false;
    };

    Sink& sink_;
    std::optional<Position> fence_;
    GroupLimits limits_;
    std::function<void(Position, std::int64_t)> on_commit_;
    std::function<void(Position)> on_durable_;
    std::optional<LeaderIdentity> leader_;

    Position committed_;                ///< Visible on the follower.
    Position durable_;                  ///< Survives its crash.
    std::optional<Complete> complete_;  ///< Whole transactions applied or idle positions seen, not committed.
    bool rows_open_ = false;            ///< The sink has an open transaction.
    bool inside_ = false;               ///< Between Begin and Commit.
    bool stop_soon_ = false;
    bool at_once_ = false;
    bool catching_up_ = false;
    bool mixed_ = false;
    bool in_progress_ = false;          ///< `inside_` a transaction that may be taken back.
    bool shape_changed_ = false;        ///< In the group that is open.
    std::size_t group_events_ = 0;
    std::size_t group_bytes_ = 0;
    Clock::time_point group_start_;
    Clock::time_point last_idle_commit_{};
    Clock::time_point last_look_{};
    std::chrono::milliseconds idle_interval_{1000};
};

}  // namespace rowferry
