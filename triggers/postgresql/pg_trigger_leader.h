#pragma once

#include <memory>
#include <string>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// A PostgreSQL leader (15 or later) whose changes triggers write into a change log (docs/capture.md): for servers without wal_level = logical, or roles without the right
/// to replicate. `stop` must outlive it.
[[nodiscard]] std::unique_ptr<Leader> make_pg_trigger_leader(PgConninfo conninfo, const StopSignal& stop, std::string stream);

/// Why logical decoding cannot be had on this leader with this role; empty where it can.
[[nodiscard]] std::string logical_decoding_obstacle(const PgConninfo& conninfo, const std::string& stream);

/// Does trigger capture have a stream of this name on the leader?
[[nodiscard]] bool is_captured_by_triggers(const PgConninfo& conninfo, const std::string& stream);

}  // namespace rowferry
