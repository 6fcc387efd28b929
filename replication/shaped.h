#pragma once

#include <memory>
#include <vector>

#include "schemas/checkpoint.h"
#include "schemas/leader.h"

namespace rowferry {

// The rules of a stream between its leader and its follower. Leaders give rows and columns that are in the subset; names, types and masks are
// put on here, before anything else sees the events. A stream without rules is not touched: nothing is wrapped, nothing costs.

/// `snapshot` with the follower's tables and masked rows. next_number() and estimated_rows() take the shaped tables. `others`: the stream's tables, as
/// the leader has them, that are not in the snapshot; foreign keys may refer to them.
[[nodiscard]] std::unique_ptr<Snapshot> shaped_snapshot(std::unique_ptr<Snapshot> snapshot, const TableRules& rules, Engine follower,
                                                        const std::vector<TablePtr>& others = {});

/// `source` of a stream whose tables are `tables`, as the leader has them.
[[nodiscard]] std::unique_ptr<Source> shaped_source(std::unique_ptr<Source> source, const TableRules& rules, const std::vector<TableState>& tables,
                                                    Engine follower);

/// The checkpoint with the tables as the follower has them: what its sink is made from. The one that is kept has the leader's.
[[nodiscard]] Checkpoint shaped_checkpoint(const Checkpoint& checkpoint, const TableRules& rules, Engine follower);

/// What the checkpoint keeps of tables: the leader's shapes, and where the follower has them.
[[nodiscard]] std::vector<TableState> table_states(const std::vector<TablePtr>& leader, const TableRules& rules, Engine follower, Position included_to);

}  // namespace rowferry
