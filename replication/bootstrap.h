#pragma once

#include "replication/stream.h"

namespace rowferry {

/// The checkpoint of a stream that begins: `copying`, without tables and at no position yet.
[[nodiscard]] Checkpoint new_checkpoint(Leader& leader, const StreamRequest& request);
/// From here on the stream is followed, from where the snapshot stands.
void become_ready(Checkpoint& checkpoint, const Snapshot& snapshot);

/// Copies the leader's snapshot into the follower and leaves it `ready` at the snapshot's position.
///
/// Order, and what a crash in between leaves (what is durable is in capitals):
///   1. checks on both sides, nothing written
///   2. follower: COPYING, with the follower's id           -> next start finds it and begins again with the same id
///   3. leader: capture INSTALLED, naming the follower's id -> next start removes it as its own leftover
///   4. follower: TABLES made or emptied                     -> next start empties them again (never drops them)
///   5. rows, then indexes and constraints                   -> the same
///   6. follower: READY at the snapshot's position           -> next start follows from there
/// The follower's lock is held. `unfinished` is the `copying` checkpoint of an earlier start, or null. Returns the `ready` checkpoint.
Checkpoint bootstrap(Leader& leader, Follower& follower, const RunOptions& options, const Checkpoint* unfinished, const StopSignal& stop,
                     Observer& observer);

}  // namespace rowferry
