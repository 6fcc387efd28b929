#pragma once

#include <memory>
#include <string>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// A PostgreSQL leader (15 or later) captured by logical decoding with pgoutput. `stop` must outlive it.
[[nodiscard]] std::unique_ptr<Leader> make_pg_logical_leader(PgConninfo conninfo, const StopSignal& stop, std::string stream);

}  // namespace rowferry
