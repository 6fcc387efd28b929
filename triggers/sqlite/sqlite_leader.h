#pragma once

#include <memory>
#include <string>

#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// A SQLite leader whose changes triggers write into a change table (docs/capture.md). `path` is taken verbatim; the file must exist.
/// `stop` ends every wait and must outlive the leader, its snapshots and its sources.
[[nodiscard]] std::unique_ptr<Leader> make_sqlite_trigger_leader(std::string path, const StopSignal& stop);

}  // namespace rowferry
