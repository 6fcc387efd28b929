#pragma once

#include <memory>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"
#include "schemas/follower.h"

namespace rowferry {

/// A PostgreSQL database as follower. `stop` must live longer.
[[nodiscard]] std::unique_ptr<Follower> make_pg_follower(PgConninfo conninfo, const StopSignal& stop);

}  // namespace rowferry
