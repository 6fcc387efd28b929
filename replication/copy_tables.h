#pragma once

#include "replication/stream.h"

namespace rowferry {

/// Moves every row of the snapshot into the follower and primes auto-numbers: `jobs` parts of tables side by side where both databases can do
/// that. Between start_copy and finish_copy (or start_clone and finish_clone).
void copy_tables(Snapshot& snapshot, Follower& follower, std::size_t jobs, const StopSignal& stop, Observer& observer);

/// Moves the rows of one table, or of a range of it, on the caller's thread and finishes the target. `progress` is told the number of new rows.
void copy_rows(RowReader& reader, CopyTarget& target, const TablePtr& table, const std::string& range, const StopSignal& stop,
               const std::function<void(std::size_t)>& progress);

/// Everything that can be refused before the first write. Logs the follower's notes. For SQLite leaders the columns are profiled
/// first when the follower needs that.
void check_copy(Leader& leader, Follower& follower, const RunOptions& options, const Checkpoint* unfinished);

}  // namespace rowferry
