#pragma once

#include <algorithm>
#include <mutex>

#include "schemas/position.h"

namespace rowferry {

/// The one place that decides what the leader may be told. A position passes here twice: when the follower has committed it (its readers
/// see it, a crash of the follower may still take it back), and when it is durable there, together with the checkpoint that says so. Only
/// the second counts: the reader asks for it. Nothing else moves it: keepalives and idle positions travel through the queue as events
/// behind the transactions before them, and become durable like those, so an acknowledgement never passes work in flight and an idle
/// stream still moves. Any thread.
class Acknowledgement {
public:
    /// `durable`: where the stream begins, which the follower is known to keep.
    explicit Acknowledgement(Position durable) : visible_{durable}, durable_{durable} {}

    /// The follower committed a checkpoint at `position`.
    void committed(Position position) {
        const std::lock_guard lock{mutex_};
        visible_ = std::max(visible_, position);
    }
    /// What the follower has up to `position` survives its crash. Of what it never committed nothing does. Never goes back.
    void flushed(Position position) {
        const std::lock_guard lock{mutex_};
        durable_ = std::max(durable_, std::min(position, visible_));
    }
    [[nodiscard]] Position visible() const {
        const std::lock_guard lock{mutex_};
        return visible_;
    }
    [[nodiscard]] Position durable() const {
        const std::lock_guard lock{mutex_};
        return durable_;
    }

private:
    mutable std::mutex mutex_;
    Position visible_;
    Position durable_;
};

}  // namespace rowferry
