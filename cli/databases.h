#pragma once

#include "cli/options.h"
#include "db/stop_signal.h"
#include "replication/stream.h"

namespace rowferry {

/// The leader or follower of a command. `stop` must outlive what the factories make. Throws RefusedError for a capture method without a source.
[[nodiscard]] LeaderFactory leader_factory(const Options& options, CaptureMethod capture, const StopSignal& stop);
/// A leader from which only a snapshot is wanted: its capture method does not matter.
[[nodiscard]] LeaderFactory copied_leader_factory(const Endpoint& endpoint, const StopSignal& stop);
[[nodiscard]] FollowerFactory follower_factory(const Endpoint& endpoint, const StopSignal& stop);

}  // namespace rowferry
