#pragma once

#include <memory>
#include <string>

#include "db/stop_signal.h"
#include "schemas/follower.h"

namespace rowferry {

/// A SQLite file as follower. `path` is taken verbatim. The stop signal has to live longer.
[[nodiscard]] std::unique_ptr<Follower> make_sqlite_follower(std::string path, const StopSignal& stop);

}  // namespace rowferry
