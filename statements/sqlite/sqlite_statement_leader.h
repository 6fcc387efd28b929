#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/stop_signal.h"
#include "schemas/leader.h"

namespace rowferry {

/// Where the statements of a SQLite leader come from, and where they are run again. Paths are taken verbatim, those of the log may be patterns.
struct SqliteStatementLog {
    std::vector<std::string> files;  ///< SQL text. Empty: what `rowferry exec` wrote into the leader.
    std::string scratch;             ///< Empty: beside the leader.
    std::string start;               ///< A database as it was before the log; empty: the leader itself, which with files has to be that.
};

/// A SQLite leader whose changes come from a log of its statements (docs/capture.md). `stop` ends every wait and must outlive the leader, its snapshots and its sources.
[[nodiscard]] std::unique_ptr<Leader> make_sqlite_statement_leader(std::string path, SqliteStatementLog log, std::string stream, const StopSignal& stop);

}  // namespace rowferry
