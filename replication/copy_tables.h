#pragma once

#include "replication/stream.h"

namespace rowferry {

/// Moves every row of the snapshot into the follower, table after table, and primes auto-numbers. Between start_copy and finish_copy
/// (or start_clone and finish_clone).
void copy_tables(Snapshot& snapshot, Follower& follower, const StopSignal& stop, Observer& observer);

/// Moves the rows of one table, telling how it goes: `progress` is told the number of new rows.
void copy_rows(Snapshot& snapshot, CopyTarget& target, const TablePtr& table, const StopSignal& stop, const std::function<void(std::size_t)>& progress);

/// Everything that can be refused before the first write. Logs the follower's notes. For SQLite leaders the columns are profiled
/// first when the follower needs that.
void check_copy(Leader& leader, Follower& follower, const RunOptions& options, const Checkpoint* unfinished);

}  // namespace rowferry
