#pragma once

#include "cli/endpoint.h"
#include "db/stop_signal.h"
#include "replication/stream.h"

namespace rowferry {

/// The leader or follower behind an endpoint. `stop` must outlive what the factories make.
[[nodiscard]] LeaderFactory leader_factory(const Endpoint& endpoint, const std::string& stream, const StopSignal& stop);
[[nodiscard]] FollowerFactory follower_factory(const Endpoint& endpoint, const StopSignal& stop);

}  // namespace rowferry
