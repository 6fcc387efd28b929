#pragma once

namespace rowferry {

inline constexpr int kBusyTimeoutMs = 10000;  ///< How long statements wait for whoever holds a lock on the leader, the scratch or our state.

}  // namespace rowferry
