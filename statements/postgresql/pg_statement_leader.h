#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// Where a PostgreSQL leader's statements come from, and where they are run again.
struct PgStatementOptions {
    std::vector<std::string> paths;        ///< Of the log: files and patterns.
    std::optional<PgConninfo> scratch;
    std::string database;                  ///< Whose statements; empty: the leader's.
    std::optional<PgConninfo> start;       ///< The state before the log, where the leader itself is not at hand.
    std::optional<PgConninfo> rows;        ///< Where the log does not determine rows: the leader at rest. Nothing: that is a stop.
};

/// A PostgreSQL leader whose changes are read from its statement log (docs/capture.md): the statements are run again on a scratch database. `stop` must outlive it.
[[nodiscard]] std::unique_ptr<Leader> make_pg_statement_leader(PgConninfo conninfo, PgStatementOptions options, const StopSignal& stop, std::string stream);

}  // namespace rowferry
