#include "replication/apply_loop.h"

#include <algorithm>

namespace rowferry {
namespace {

/// Index of the Begin whose transaction does not end in this batch; events.size() without one.
std::size_t unfinished_begin(std::span<const Event> events) {
    for (std::size_t index = events.size(); index-- > 0;) {
        if (std::holds_alternative<Commit>(events[index])) return events.size();
        if (std::holds_alternative<Begin>(events[index])) return index;
    }
    return events.size();
}

/// Does the transaction that begins at `begin` change a table's shape in this batch? The stream may have to stop right in front of it.
bool changes_shape(std::span<const Event> events, std::size_t begin) {
    for (const Event& event : events.subspan(begin)) {
        if (std::holds_alternative<ShapeChange>(event)) return true;
        if (std::holds_alternative<Commit>(event)) return false;
    }
    return false;
}

// Events of a transaction that its batch cuts off, up to which it is taken for a small one.
constexpr std::size_t kSmallHead = 1000;
// A group of a backlog is closed when nothing more has come for so long.
constexpr std::chrono::milliseconds kHoldForMore{5};
// While more is committed than is durable, the follower is asked this often.
constexpr std::chrono::milliseconds kLookEvery{100};

}  // namespace

ApplyLoop::ApplyLoop(Sink& sink, Position start, std::optional<Position> fence, GroupLimits limits,
                     std::function<void(Position, std::int64_t)> on_commit, std::function<void(Position)> on_durable)
    : sink_{sink}, fence_{fence}, limits_{limits}, on_commit_{std::move(on_commit)}, on_durable_{std::move(on_durable)}, committed_{start},
      durable_{start} {}

bool ApplyLoop::fence_before(const Begin& begin) const { return fence_ && begin.after >= *fence_; }

void ApplyLoop::count(std::size_t events, std::size_t bytes) {
    if (!rows_open_) {
        rows_open_ = true;
        group_events_ = 0;
        group_bytes_ = 0;
    }
    group_events_ += events;
    group_bytes_ += bytes;
}

void ApplyLoop::hand_over(std::span<const Event> events, std::size_t bytes) {
    if (events.empty()) return;
    count(events.size(), bytes);
    sink_.apply(events);
}

/// `last`: events of the group that the sink does not have yet.
void ApplyLoop::commit(Clock::time_point now, bool at_once, std::span<const Event> last) {
    CheckpointAdvance advance;
    advance.position = complete_->position;
    advance.resume = complete_->resume;
    advance.keep_resume = !complete_->has_resume;
    advance.commit_time_us = complete_->time_us;
    // A shape that was changed on the follower is written to its catalog by other sessions too; an idle position has time.
    advance.at_once = at_once || at_once_ || stop_soon_ || shape_changed_ || !rows_open_;
    if (leader_) advance.leader = &*leader_;
    if (last.empty())
        sink_.commit(advance);
    else
        sink_.apply_and_commit(last, advance);
    committed_ = complete_->position;
    const std::int64_t time_us = complete_->time_us;
    leader_.reset();
    complete_.reset();
    rows_open_ = mixed_ = false;
    last_idle_commit_ = now;
    shape_changed_ = false;
    on_commit_(committed_, time_us);
    look_what_is_durable(now);
}

void ApplyLoop::look_what_is_durable(Clock::time_point now) {
    last_look_ = now;
    const Position durable = std::min(sink_.durable().value_or(committed_), committed_);
    if (durable <= durable_) return;
    durable_ = durable;
    on_durable_(durable_);
}

/// `more`: events that are about to be handed over.
bool ApplyLoop::group_is_full(Clock::time_point now, std::size_t more, std::size_t more_bytes) const {
    const std::size_t events = more + (rows_open_ ? group_events_ : 0);
    const std::size_t bytes = more_bytes + (rows_open_ ? group_bytes_ : 0);
    return events >= limits_.events || bytes >= limits_.bytes || now - group_start_ >= limits_.time;
}

bool ApplyLoop::finish_at_fence(Clock::time_point now) {
    // Nothing of the stream lies between the last transaction and the fence, so the follower holds everything up to it.
    if (committed_ < *fence_ || rows_open_) {
        if (!complete_) complete_.emplace();
        complete_->position = std::max(*fence_, complete_->position);
        commit(now, true);
    }
    return ended(now);
}

/// The loop comes to its end: what it says it has done has to stay so.
bool ApplyLoop::ended(Clock::time_point now) {
    if (durable_ < committed_ && !rows_open_) make_durable(now);
    return true;
}

void ApplyLoop::make_durable(Clock::time_point now) {
    complete_.emplace().position = committed_;
    commit(now, true);
}

/// Nothing else is in the group.
void ApplyLoop::take_back() {
    if (rows_open_) sink_.rollback();
    rows_open_ = inside_ = in_progress_ = mixed_ = shape_changed_ = false;
}

bool ApplyLoop::apply(const Batch& batch, bool more_waiting, Clock::time_point now) {
    const std::span<const Event> events = batch.events();
    const std::size_t bytes_per_event = events.empty() ? 0 : batch.size_bytes() / events.size();
    const std::size_t unfinished = unfinished_begin(events);
    const bool has_shape_changes = std::ranges::any_of(events, [](const Event& event) { return std::holds_alternative<ShapeChange>(event); });
    std::size_t first = 0;  // of the events not yet handed to the sink
    const auto hand_over_to = [&](std::size_t end) {
        hand_over(events.subspan(first, end - first), (end - first) * bytes_per_event);
        first = end;
    };
    const auto hand_over_and_commit = [&](std::size_t end, bool at_once) {
        const auto last = events.subspan(first, end - first);
        first = end;
        if (!last.empty()) count(last.size(), last.size() * bytes_per_event);
        commit(now, at_once, last);
        group_start_ = now;
    };
    if (!rows_open_) group_start_ = now;

    for (std::size_t index = 0; index < events.size(); ++index) {
        if (const auto* begin = std::get_if<Begin>(&events[index])) {
            if (fence_before(*begin)) {
                hand_over_to(index);
                return finish_at_fence(now);
            }
            const bool joins = catching_up_ && !at_once_ && events.size() - index <= kSmallHead &&
                               !group_is_full(now, index - first, (index - first) * bytes_per_event);
            const bool apart = begin->in_progress || (index == unfinished && !joins);
            if (complete_ && (apart || (has_shape_changes && changes_shape(events, index)))) hand_over_and_commit(index, false);
            mixed_ = mixed_ || begin->in_progress || (complete_ && index == unfinished);
            inside_ = true;
            in_progress_ = begin->in_progress;
        } else if (const auto* end = std::get_if<Commit>(&events[index])) {
            inside_ = in_progress_ = false;
            if (!complete_) complete_.emplace();
            complete_->position = end->position;
            complete_->resume = end->resume;
            complete_->has_resume = true;
            complete_->time_us = end->time_us;
            const bool at_fence = fence_ && end->position >= *fence_;
            if (at_fence || stop_soon_ || group_is_full(now) || (rows_open_ ? group_events_ : 0) + (index - first) >= limits_.events) {
                hand_over_and_commit(index + 1, at_fence);
                if (at_fence || stop_soon_) return true;
            }
        } else if (std::holds_alternative<TakenBack>(events[index])) {
            first = index + 1;
            take_back();
            group_start_ = now;
        } else if (std::holds_alternative<ShapeChange>(events[index])) {
            shape_changed_ = true;
        } else if (const auto* idle = std::get_if<Idle>(&events[index])) {
            hand_over_to(index);
            first = index + 1;  // an idle position changes no rows
            if (idle->position > std::max(committed_, complete_ ? complete_->position : Position{})) {
                if (!complete_) complete_.emplace();
                complete_->position = idle->position;
            }
            if (fence_ && idle->position >= *fence_) {
                if (complete_) complete_->position = std::min(complete_->position, std::max(*fence_, committed_));
                return finish_at_fence(now);
            }
        }
    }
    const std::size_t rest = events.size() - first;
    if (complete_ && (rows_open_ || rest > 0) && !inside_ && (!(more_waiting || catching_up_) || group_is_full(now, rest, rest * bytes_per_event)))
        hand_over_and_commit(events.size(), false);
    else
        hand_over_to(events.size());
    return settle(now);
}

bool ApplyLoop::nothing_came(Clock::time_point now) {
    if (holds_group()) commit(now, false);
    return settle(now);
}

bool ApplyLoop::settle(Clock::time_point now) {
    if (fence_ && committed_ >= *fence_) return ended(now);
    if (stop_soon_ && in_progress_) take_back();
    if (stop_soon_ && !inside_) {
        if (complete_) commit(now, true);
        if (!rows_open_) return ended(now);
    }
    if (complete_ && !rows_open_ && now - last_idle_commit_ >= idle_interval_) commit(now, true);
    // What is in progress may go on for hours.
    if (durable_ < committed_ && (!rows_open_ || in_progress_) && now - last_look_ >= kLookEvery) look_what_is_durable(now);
    // The follower's server writes what is left of its log when it pleases.
    if (durable_ < committed_ && !rows_open_ && now - last_idle_commit_ >= idle_interval_) make_durable(now);
    return fence_ && committed_ >= *fence_;
}

std::chrono::milliseconds ApplyLoop::next_settle(Clock::time_point now) const {
    const auto look = durable_ < committed_ ? kLookEvery : std::chrono::milliseconds{1000};
    if (holds_group()) return kHoldForMore;
    if (!complete_ || rows_open_) return look;
    const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(last_idle_commit_ + idle_interval_ - now);
    return std::clamp(due + std::chrono::milliseconds{1}, std::chrono::milliseconds{1}, look);
}

}  // namespace rowferry
