#pragma once

#include <mutex>

#include "schemas/position.h"

namespace rowferry {

/// The one place that decides what the leader may be told. The applier says what its follower has made durable, together with the
/// checkpoint that says so; the reader asks. Nothing else moves it: keepalives and idle positions travel through the queue as
/// events behind the transactions before them, and become durable like those, so an acknowledgement never passes work in flight and an
/// idle stream still moves. Any thread.
class Acknowledgement {
public:
    explicit Acknowledgement(Position durable) : durable_{durable} {}

    /// The follower committed, durably, a checkpoint at `position`. Never goes back.
    void committed(Position position) {
        const std::lock_guard lock{mutex_};
        if (position > durable_) durable_ = position;
    }
    [[nodiscard]] Position durable() const {
        const std::lock_guard lock{mutex_};
        return durable_;
    }

private:
    mutable std::mutex mutex_;
    Position durable_;
};

}  // namespace rowferry
