#include "replication/bootstrap.h"


#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/random_id.h"
#include "replication/copy_tables.h"
#include "replication/shaped.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

}  // namespace

Checkpoint new_checkpoint(Leader& leader, const StreamRequest& request) {
    Checkpoint checkpoint;
    checkpoint.stream = request.stream;
    checkpoint.follower_id = request.follower_id;
    checkpoint.leader = leader.identify();
    checkpoint.capture = leader.capture();
    checkpoint.position_kind = leader.position_kind();
    checkpoint.selection = request.canonical();
    return checkpoint;
}

void become_ready(Checkpoint& checkpoint, const Snapshot& snapshot) {
    checkpoint.state = CheckpointState::ready;
    checkpoint.position = checkpoint.acked = snapshot.position();
    checkpoint.resume = snapshot.resume();
}

Checkpoint bootstrap(Leader& leader, Follower& follower, const RunOptions& options, const Checkpoint* unfinished, const StopSignal& stop,
                     Observer& observer) {
    if (options.until.kind == Until::Kind::position && options.until.position < leader.current_position())
        throw RefusedError{fmt::format("--until {} lies before the snapshot that would be taken now, at {} or later",
                                       to_string(options.until.position_kind, options.until.position),
                                       to_string(leader.position_kind(), leader.current_position()))};
    RunOptions named = options;
    named.request.follower_id = unfinished != nullptr ? unfinished->follower_id : random_id(32);
    const StreamRequest& request = named.request;
    check_copy(leader, follower, named, unfinished);

    Checkpoint checkpoint = new_checkpoint(leader, request);
    // Tables that hold the rows of an unfinished copy stay known as ours until they are listed anew.
    if (unfinished != nullptr) checkpoint.tables = unfinished->tables;
    follower.start_copy(checkpoint, {}, options.follower);

    spdlog::info("copying {} to {}", leader.describe(), follower.describe());
    auto taken = leader.start(request);
    checkpoint.leader = leader.identify();
    checkpoint.tables = table_states(taken->tables(), request.rules, follower.engine(), taken->position());
    const auto snapshot = shaped_snapshot(std::move(taken), request.rules, follower.engine());
    const std::vector<TablePtr> tables = snapshot->tables();
    follower.start_copy(checkpoint, tables, options.follower);
    copy_tables(*snapshot, follower, options.copy_jobs, stop, observer);

    become_ready(checkpoint, *snapshot);
    follower.finish_copy(checkpoint, tables);
    spdlog::info("the copy is complete at {}: {} table(s)", to_string(checkpoint.position_kind, checkpoint.position), tables.size());
    return checkpoint;
}

void clone(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& requested, const StopSignal& stop,
           Observer& observer) {
    RunOptions options = requested;
    const auto leader = make_leader();
    leader->identify();
    const auto follower = make_follower();
    follower->open(true);
    options.request.one_off = true;
    options.request.need_profiles = leader->engine() == Engine::sqlite && follower->engine() == Engine::postgresql;
    try {
        if (follower->is_same_database(*leader)) throw RefusedError{"leader and follower are the same database"};
        check_copy(*leader, *follower, options, nullptr);
    } catch (const RefusedError&) {
        follower->undo_open();
        throw;
    }
    const auto snapshot = shaped_snapshot(leader->snapshot(options.request), options.request.rules, follower->engine());
    const std::vector<TablePtr> tables = snapshot->tables();
    follower->start_clone(tables, options.follower);
    copy_tables(*snapshot, *follower, options.copy_jobs, stop, observer);
    follower->finish_clone(tables);
    spdlog::info("cloned {} table(s) of {} as of {}", tables.size(), leader->describe(), to_string(leader->position_kind(), snapshot->position()));
}

}  // namespace rowferry
