#pragma once

#include <memory>
#include <string>

#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// Why this leader cannot be captured from its log, without the path; empty where it can.
[[nodiscard]] std::string sqlite_log_obstacle(const std::string& path);

/// A SQLite leader in WAL mode whose changes are read from its write-ahead log. Nothing is written to the database. `stop` must outlive it.
[[nodiscard]] std::unique_ptr<Leader> make_sqlite_wal_leader(std::string path, const StopSignal& stop);

}  // namespace rowferry
