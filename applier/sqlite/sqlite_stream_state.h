#pragma once

#include <memory>
#include <string>

#include "db/stop_signal.h"
#include "schemas/stream_state.h"

namespace rowferry {

/// A SQLite file that holds nothing but checkpoints of streams that keep no rows. The same tables as in a follower, so that `positions` and `drop`
/// take it for one; the follower id begins with kStatePrefix, by which such a checkpoint is told from that of rows. `stop` must outlive it.
[[nodiscard]] std::unique_ptr<StreamState> make_sqlite_stream_state(std::string path, const StopSignal& stop);

inline constexpr std::string_view kStatePrefix = "tail";

}  // namespace rowferry
