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

}  // namespace

ApplyLoop::ApplyLoop(Sink& sink, Position start, std::optional<Position> fence, GroupLimits limits,
                     std::function<void(Position, std::int64_t)> on_commit)
    : sink_{sink}, fence_{fence}, limits_{limits}, on_commit_{std::move(on_commit)}, committed_{start} {}

bool ApplyLoop::fence_before(const Begin& begin) const { return fence_ && begin.after >= *fence_; }

void ApplyLoop::hand_over(std::span<const Event> events, std::size_t bytes) {
    if (events.empty()) return;
    if (!rows_open_) {
        rows_open_ = true;
        group_events_ = 0;
        group_bytes_ = 0;
    }
    sink_.apply(events);
    group_events_ += events.size();
    group_bytes_ += bytes;
}

void ApplyLoop::commit(Clock::time_point now) {
    CheckpointAdvance advance;
    advance.position = complete_->position;
    advance.resume = complete_->resume;
    advance.keep_resume = !complete_->has_resume;
    advance.commit_time_us = complete_->time_us;
    if (leader_) advance.leader = &*leader_;
    sink_.commit(advance);
    committed_ = complete_->position;
    const std::int64_t time_us = complete_->time_us;
    leader_.reset();
    complete_.reset();
    rows_open_ = false;
    last_idle_commit_ = now;
    on_commit_(committed_, time_us);
}

bool ApplyLoop::group_is_full(Clock::time_point now) const {
    return group_events_ >= limits_.events || group_bytes_ >= limits_.bytes || now - group_start_ >= limits_.time;
}

bool ApplyLoop::finish_at_fence(Clock::time_point now) {
    // Nothing of the stream lies between the last transaction and the fence, so the follower holds everything up to it.
    if (committed_ < *fence_ || rows_open_) {
        if (!complete_) complete_.emplace();
        complete_->position = std::max(*fence_, complete_->position);
        commit(now);
    }
    return true;
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
    if (!rows_open_) group_start_ = now;

    for (std::size_t index = 0; index < events.size(); ++index) {
        if (const auto* begin = std::get_if<Begin>(&events[index])) {
            if (fence_before(*begin)) {
                hand_over_to(index);
                return finish_at_fence(now);
            }
            if (complete_ && (index == unfinished || (has_shape_changes && changes_shape(events, index)))) {
                hand_over_to(index);
                commit(now);
                group_start_ = now;
            }
            inside_ = true;
        } else if (const auto* end = std::get_if<Commit>(&events[index])) {
            inside_ = false;
            if (!complete_) complete_.emplace();
            complete_->position = end->position;
            complete_->resume = end->resume;
            complete_->has_resume = true;
            complete_->time_us = end->time_us;
            const bool at_fence = fence_ && end->position >= *fence_;
            if (at_fence || stop_soon_ || group_is_full(now) || group_events_ + (index - first) >= limits_.events) {
                hand_over_to(index + 1);
                commit(now);
                group_start_ = now;
                if (at_fence || stop_soon_) return true;
            }
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
    hand_over_to(events.size());
    if (complete_ && rows_open_ && !inside_ && (!more_waiting || group_is_full(now))) commit(now);
    return settle(now);
}

bool ApplyLoop::settle(Clock::time_point now) {
    if (fence_ && committed_ >= *fence_) return true;
    if (stop_soon_ && !inside_) {
        if (complete_) commit(now);
        if (!rows_open_) return true;
    }
    if (complete_ && !rows_open_ && now - last_idle_commit_ >= idle_interval_) commit(now);
    return fence_ && committed_ >= *fence_;
}

std::chrono::milliseconds ApplyLoop::next_settle(Clock::time_point now) const {
    if (!complete_ || rows_open_) return std::chrono::milliseconds{1000};
    const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(last_idle_commit_ + idle_interval_ - now);
    return std::clamp(due + std::chrono::milliseconds{1}, std::chrono::milliseconds{1}, std::chrono::milliseconds{1000});
}

}  // namespace rowferry
