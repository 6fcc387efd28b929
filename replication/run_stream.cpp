#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "replication/backlog.h"
#include "replication/bootstrap.h"
#include "replication/new_tables.h"
#include "replication/pump.h"
#include "replication/retry.h"
#include "replication/shaped.h"
#include "replication/stream.h"
#include "replication/table_copies.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"

namespace rowferry {
namespace {

constexpr std::size_t kRunQueueBytes = 20 * 1024 * 1024;

/// One run of a stream over all its attempts.
class Run {
public:
    Run(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options, const StopSignal& stop, Observer& observer)
        : make_leader_{make_leader}, make_follower_{make_follower}, options_{options}, stop_{stop}, observer_{observer}, retry_{options.retry_for, stop} {}

    void until_done() {
        try {
            while (!attempt_once()) {
            }
        } catch (const InterruptedError&) {
            if (options_.until.kind != Until::Kind::never) throw;
        }
    }

private:
    /// False when it failed and another attempt is due.
    bool attempt_once() {
        apart_ = std::exchange(mixed_, false);
        try {
            attempt();
            return true;
        } catch (const TextNeededError& error) {
            spdlog::info("going on with values as text: {}", error.what());
            text_only_ = true;
            return false;
        } catch (const Error& error) {
            // What stops the stream is found again, behind what is whole: it stops at the last good place.
            if (mixed_ && error.kind() == ErrorKind::halted) return false;
            if (!retry_.wait_after(error)) throw;
            return false;
        }
    }
    void attempt();
    void work(Leader& leader, Follower& follower);
    Checkpoint ready_checkpoint(Leader& leader, Follower& follower);
    void verify(const Checkpoint& checkpoint, const LeaderIdentity& leader) const;
    void warn_about_new_tables(Leader& leader, const Checkpoint& checkpoint);
    /// With --ddl apply new tables of the leader come in by themselves.
    void take_in(const std::vector<TableName>& tables, TableCopies& copies);
    /// May values come in PostgreSQL's binary form, which nothing on the way can look into?
    [[nodiscard]] bool takes_binary(Leader& leader, Follower& follower, const Checkpoint& checkpoint) const;
    void refuse_passed_end(const Checkpoint& checkpoint) const;
    void set_fence(Leader& leader, const StreamRequest& request);
    /// True once the end that `until` asks for is reached; false when a copy of tables is due.
    bool follow(Leader& leader, Follower& follower, const Checkpoint& checkpoint, TableCopies& copies, const TableCopy* copy);

    const LeaderFactory& make_leader_;
    const FollowerFactory& make_follower_;
    RunOptions options_;
    const StopSignal& stop_;
    Observer& observer_;
    Retry retry_;
    bool mixed_ = false;             // the last attempt took back more than what failed (ApplyLoop::mixed)
    bool apart_ = false;             // so this one commits what is whole before anything else
    bool text_only_ = false;         // a value in binary form had no place on the follower
    std::optional<Position> fence_;  // of --until; a marker is written once, however often we reconnect
    bool followed_ = false;          // at least one attempt came as far as following
    std::vector<TableName> told_new_;    // each is told once
    std::vector<TableName> to_take_in_;  // found at the start
    std::vector<TableName> taken_in_;    // asked for once, whatever becomes of it
};

void Run::verify(const Checkpoint& checkpoint, const LeaderIdentity& leader) const {
    if (!checkpoint.leader.same_system(leader))
        throw HaltError{fmt::format("stream {}: the follower's checkpoint belongs to another leader: {}, but this one is {}. "
                                    "Point rowferry at the right leader, or drop the stream and copy again",
                                    checkpoint.stream, to_string(checkpoint.leader), to_string(leader))};
    const std::string asked = options_.request.canonical();
    if (checkpoint.selection == asked) return;
    const auto patterns = [](const std::string& text) { return text.substr(0, text.find('\n')); };
    if (patterns(checkpoint.selection) != patterns(asked))
        throw RefusedError{fmt::format("stream {} was started with the tables [{}], now they are [{}]: use the same patterns, or another --stream",
                                       checkpoint.stream, patterns(checkpoint.selection), patterns(asked))};
    throw RefusedError{fmt::format("stream {} has other rules for its tables than before: {}. Use the same rules, or drop the stream and copy again",
                                   checkpoint.stream, describe_difference(checkpoint.selection, asked))};
}

Checkpoint Run::ready_checkpoint(Leader& leader, Follower& follower) {
    std::optional<Checkpoint> checkpoint = follower.load_checkpoint(options_.request.stream);
    if (checkpoint && checkpoint->capture != leader.capture())
        throw RefusedError{fmt::format("stream {} captures by {}, not by {}: drop it and copy again to change the method", checkpoint->stream,
                                       to_string(checkpoint->capture), to_string(leader.capture()))};
    const LeaderIdentity identity = leader.identify();
    if (checkpoint && !checkpoint->leader.system.empty()) verify(*checkpoint, identity);
    if (!checkpoint || checkpoint->state == CheckpointState::copying)
        return bootstrap(leader, follower, options_, checkpoint ? &*checkpoint : nullptr, stop_, observer_);
    return std::move(*checkpoint);
}

void Run::warn_about_new_tables(Leader& leader, const Checkpoint& checkpoint) {
    // A PostgreSQL source tells by itself, and knows a renamed table from a new one.
    if (leader.engine() == Engine::postgresql || followed_) return;
    std::vector<TablePtr> selected;
    try {
        selected = leader.select_tables(options_.request);
    } catch (const RefusedError&) {
        return;  // a table of the stream is gone: the source knows better what to say
    }
    for (const TablePtr& table : selected) {
        bool known = std::ranges::find(told_new_, table->name) != told_new_.end();
        for (const TableState& state : checkpoint.tables) known = known || state.name == table->name;
        if (known) continue;
        spdlog::warn("{} matches the patterns but is not part of stream {}: it was made after the copy. `rowferry copy-table LEADER FOLLOWER --table {}` takes it in",
                     to_string(table->name), checkpoint.stream, quote_table(table->name));
        told_new_.push_back(table->name);
        to_take_in_.push_back(table->name);
    }
}

void Run::take_in(const std::vector<TableName>& tables, TableCopies& copies) {
    if (options_.follower.ddl != DdlMode::apply || options_.copies_only) return;
    for (const TableName& name : tables) {
        if (std::ranges::find(taken_in_, name) != taken_in_.end()) continue;
        copies.ask_for(name);
        taken_in_.push_back(name);
    }
}

void Run::refuse_passed_end(const Checkpoint& checkpoint) const {
    if (options_.until.kind == Until::Kind::position && !fence_ && options_.until.position < checkpoint.position)
        throw RefusedError{fmt::format("the follower is at {}, past --until {}", to_string(checkpoint.position_kind, checkpoint.position),
                                       to_string(options_.until.position_kind, options_.until.position))};
}

void Run::set_fence(Leader& leader, const StreamRequest& request) {
    if (fence_) return;
    switch (options_.until.kind) {
        case Until::Kind::never: return;
        case Until::Kind::current: fence_ = leader.mark(request); return;
        case Until::Kind::position: fence_ = options_.until.position; return;
    }
}

bool Run::takes_binary(Leader& leader, Follower& follower, const Checkpoint& checkpoint) const {
    if (text_only_ || leader.engine() != Engine::postgresql || follower.engine() != Engine::postgresql) return false;
    const TableRules& rules = options_.request.rules;
    std::vector<TablePtr> tables;
    for (const TableState& state : shaped_checkpoint(checkpoint, rules, follower.engine()).tables) {
        if (std::ranges::any_of(rules.of(state.shape).column_rules, [](const ColumnRule& rule) { return rule.mask.kind != Mask::Kind::none; })) return false;
        tables.push_back(std::make_shared<const TableSchema>(state.shape));
    }
    const std::string obstacle = follower.binary_obstacle(tables);
    if (!obstacle.empty()) spdlog::debug("values come as text: {}", obstacle);
    return obstacle.empty();
}

bool Run::follow(Leader& leader, Follower& follower, const Checkpoint& checkpoint, TableCopies& copies, const TableCopy* copy) {
    StreamRequest request = options_.request;
    request.follower_id = checkpoint.follower_id;
    request.binary = takes_binary(leader, follower, checkpoint);
    // A copy of tables that is under way tells transactions apart by where they commit.
    request.in_progress = !apart_ && copy == nullptr && !follower.long_transaction_hurts();
    refuse_passed_end(checkpoint);

    const auto sink = follower.open_sink(shaped_checkpoint(checkpoint, request.rules, follower.engine()), options_.follower);
    NewTables new_tables;
    auto source = tell_new_tables(shaped_source(leader.follow(request, checkpoint), request.rules, checkpoint.tables, follower.engine()), new_tables);
    // The source reports what is new from here on; between the look before and this one a table may have come.
    warn_about_new_tables(leader, checkpoint);
    take_in(std::exchange(to_take_in_, {}), copies);
    // Behind what the source itself writes when it begins: a change of shape that happened while we were away belongs to "current".
    set_fence(leader, request);
    std::optional<Position> fence = fence_;
    if (copy != nullptr && (!fence || copy->position < *fence)) fence = copy->position;
    if (fence) source->cut_at(*fence);
    followed_ = true;
    spdlog::info("following {} from {}", leader.describe(), to_string(checkpoint.position_kind, checkpoint.position));

    Pump pump{std::move(source), *sink, checkpoint.position, fence, kRunQueueBytes, retry_, observer_};
    if (const LeaderIdentity now = leader.identify(); !(now == checkpoint.leader)) pump.loop().set_leader(now);
    try {
        pump.run(
            stop_,
            [&] {
                // It writes to the follower by a connection of its own.
                if (!pump.loop().is_open()) take_in(new_tables.take(), copies);
                if (copy == nullptr && copies.asked()) pump.loop().stop_soon();
                pump.loop().set_at_once(pump.leader_waits_for_us());
            },
            [&](const Batch& batch) { pump.loop().set_catching_up(!apart_ && !pump.leader_waits_for_us() && is_backlog(batch)); });
    } catch (...) {
        mixed_ = pump.loop().mixed();
        throw;
    }
    return fence_ && pump.loop().committed() >= *fence_;
}

void Run::attempt() {
    const auto leader = make_leader_();
    leader->identify();
    const auto follower = make_follower_();
    follower->open(true);
    retry_.connected();
    try {
        work(*leader, *follower);
    } catch (const RefusedError&) {
        follower->undo_open();
        throw;
    }
}

void Run::work(Leader& leader, Follower& follower) {
    if (follower.is_same_database(leader)) throw RefusedError{"leader and follower are the same database"};
    options_.request.need_profiles = leader.engine() == Engine::sqlite && follower.engine() == Engine::postgresql;
    try {
        follower.lock(options_.request.stream);
    } catch (const RefusedError& error) {
        if (followed_) throw RetryableError{error.what()};  // most likely our own last session, which the server still believes in
        throw;
    }
    Checkpoint checkpoint = ready_checkpoint(leader, follower);
    warn_about_new_tables(leader, checkpoint);
    TableCopies copies{leader, follower, options_, stop_, observer_};
    take_in(std::exchange(to_take_in_, {}), copies);
    for (;; checkpoint = follower.load_checkpoint(options_.request.stream).value()) {
        std::optional<TableCopy> copy = copies.prepare(checkpoint);
        if (!copy && options_.copies_only) return;
        if (copy && checkpoint.position == copy->position) {
            copies.swap_in(std::move(*copy), checkpoint);
            continue;
        }
        try {
            if (follow(leader, follower, copy ? TableCopies::towards(*copy, checkpoint) : checkpoint, copies, copy ? &*copy : nullptr)) return;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::halted || mixed_ || !copy || !copies.hold(*copy, error)) throw;
        }
    }
}

}  // namespace

void run_stream(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options, const StopSignal& stop,
                Observer& observer) {
    Run{make_leader, make_follower, options, stop, observer}.until_done();
}

}  // namespace rowferry
