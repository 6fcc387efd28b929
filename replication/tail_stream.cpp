#include "replication/tail_stream.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/random_id.h"
#include "replication/bootstrap.h"
#include "replication/pump.h"
#include "replication/retry.h"
#include "replication/shaped.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::size_t kTailQueueBytes = 16 * 1024 * 1024;
// A server that restarts is as a rule back by then.
constexpr std::chrono::seconds kRemovalPatience{10};
constexpr std::chrono::milliseconds kRemovalPause{200};

/// Takes a temporary stream off the leader again, whatever happens: with the connections of its own, or, if they are lost, with new ones.
class Removal {
public:
    Removal(const LeaderFactory& make_leader, std::unique_ptr<Leader>& leader, const StreamRequest& request, const StopSignal& stop)
        : make_leader_{make_leader}, leader_{leader}, stop_{stop}, stream_{request.stream}, due_{request.temporary} {}
    ~Removal() {
        if (!due_) return;
        const auto deadline = std::chrono::steady_clock::now() + kRemovalPatience;
        for (std::string failure = remove(); !failure.empty(); failure = remove()) {
            leader_.reset();
            if (std::chrono::steady_clock::now() < deadline && stop_.sleep(kRemovalPause)) continue;
            // Also a signal leaves it one attempt with a new connection.
            if (failure = remove(); !failure.empty())
                spdlog::warn("{}; the next `rowferry tail` removes what is left of stream {} on the leader, or `rowferry drop LEADER --stream {}`", failure, stream_, stream_);
            return;
        }
    }
    Removal(const Removal&) = delete;
    Removal& operator=(const Removal&) = delete;

private:
    /// Returns what was in the way.
    std::string remove() noexcept {
        try {
            if (!leader_) leader_ = make_leader_();
            leader_->drop(stream_, false);
            return {};
        } catch (const std::exception& error) {
            spdlog::debug("removing stream {} from the leader: {}", stream_, error.what());
            return error.what();
        }
    }

    const LeaderFactory& make_leader_;
    std::unique_ptr<Leader>& leader_;
    const StopSignal& stop_;
    std::string stream_;
    bool due_;
};

/// One run of `tail` over all its attempts.
class Tail {
public:
    Tail(const LeaderFactory& make_leader, StreamState* state, TailTarget& target, const TailOptions& options, const StopSignal& stop, Observer& observer)
        : make_leader_{make_leader}, state_{state}, target_{target}, options_{options}, stop_{stop}, observer_{observer}, retry_{options.retry_for, stop} {}

    void until_done() {
        try {
            while (!attempt_once()) {
            }
        } catch (const InterruptedError&) {
            if (options_.until.kind != Until::Kind::never) throw;
        }
    }

private:
    bool attempt_once();
    void attempt();
    std::optional<Checkpoint> known(Leader& leader);
    Checkpoint begin(Leader& leader, const std::optional<Checkpoint>& unfinished);
    void verify(Leader& leader, const Checkpoint& checkpoint) const;
    void check_kinds(const Leader& leader) const;
    void set_start(Leader& leader, const Checkpoint& checkpoint, bool is_new);
    void set_fence(Leader& leader);
    void follow(Leader& leader, Checkpoint& checkpoint, std::optional<Position> fence);
    void pump(Leader& leader, Checkpoint& checkpoint, std::unique_ptr<Source> source, std::optional<Position> fence);

    const LeaderFactory& make_leader_;
    StreamState* state_;
    TailTarget& target_;
    TailOptions options_;
    const StopSignal& stop_;
    Observer& observer_;
    Retry retry_;
    bool opened_ = false;            // the state
    std::optional<Position> start_;  // of --from
    std::optional<Position> fence_;  // of --until; a marker is written once, however often we reconnect
    bool under_way_ = false;
};

bool Tail::attempt_once() {
    try {
        attempt();
        return true;
    } catch (const Error& error) {
        if (state_ == nullptr && under_way_ && error.kind() == ErrorKind::retryable)
            throw RetryableError{fmt::format("{}. Without --stream nothing keeps the leader's changes for us: what was committed from here on may have been missed", error.what())};
        if (!retry_.wait_after(error)) throw;
        return false;
    }
}

void Tail::check_kinds(const Leader& leader) const {
    const auto check = [&](const char* option, PositionKind kind) {
        if (kind != leader.position_kind())
            throw UsageError{fmt::format("{}: this leader has positions like {}", option, to_string(leader.position_kind(), Position{42, 0}))};
    };
    if (options_.from.kind == From::Kind::position) check("--from", options_.from.position_kind);
    if (options_.until.kind == Until::Kind::position) check("--until", options_.until.position_kind);
}

void Tail::verify(Leader& leader, const Checkpoint& checkpoint) const {
    const std::string at = state_->describe();
    if (checkpoint.capture != leader.capture())
        throw RefusedError{fmt::format("stream {} captures by {}, not by {}: drop it (`rowferry drop LEADER {} --stream {}`) and begin a new one to change the method",
                                       checkpoint.stream, to_string(checkpoint.capture), to_string(leader.capture()), at, checkpoint.stream)};
    const LeaderIdentity identity = leader.identify();
    if (!checkpoint.leader.system.empty() && !checkpoint.leader.same_system(identity))
        throw HaltError{fmt::format("{}: stream {} belongs to another leader: {}, but this one is {}. Name the right leader, or another file with --state", at,
                                    checkpoint.stream, to_string(checkpoint.leader), to_string(identity))};
    if (checkpoint.state == CheckpointState::ready && checkpoint.selection != options_.request.canonical())
        throw RefusedError{fmt::format("stream {} was begun with other tables or rules: [{}], now they are [{}]. Use the same, or another --stream", checkpoint.stream,
                                       checkpoint.selection, options_.request.canonical())};
}

std::optional<Checkpoint> Tail::known(Leader& leader) {
    if (state_ == nullptr) return std::nullopt;
    if (!opened_) state_->open(options_.request.stream);
    opened_ = true;  // a database that was busy is asked again
    std::optional<Checkpoint> checkpoint = state_->load();
    if (checkpoint) verify(leader, *checkpoint);
    return checkpoint;
}

/// A new stream, from now on.
Checkpoint Tail::begin(Leader& leader, const std::optional<Checkpoint>& unfinished) {
    StreamRequest& request = options_.request;
    request.follower_id = unfinished ? unfinished->follower_id : "tail" + random_id(32);
    leader.check(request, leader.select_tables(request));
    if (options_.from.kind == From::Kind::position && options_.from.position < leader.current_position())
        throw RefusedError{fmt::format("--from {} has passed: the leader is at {} and keeps its changes only for a stream that exists (--stream NAME)",
                                       to_string(options_.from.position_kind, options_.from.position), to_string(leader.position_kind(), leader.current_position()))};

    Checkpoint checkpoint = new_checkpoint(leader, request);
    if (state_ != nullptr) state_->begin(checkpoint);
    const auto snapshot = leader.start(request);
    checkpoint.leader = leader.identify();
    checkpoint.tables = table_states(snapshot->tables(), request.rules, leader.engine(), snapshot->position());
    become_ready(checkpoint, *snapshot);
    if (state_ != nullptr) state_->ready(checkpoint);
    return checkpoint;
}

void Tail::set_start(Leader& leader, const Checkpoint& checkpoint, bool is_new) {
    if (start_) return;
    switch (options_.from.kind) {
        case From::Kind::next: start_ = checkpoint.position; break;
        case From::Kind::now: start_ = is_new ? checkpoint.position : std::max(leader.current_position(), checkpoint.position); break;
        case From::Kind::position:
            // A leader that had nothing for the stream has moved the checkpoint past what the reader saw last.
            if (const Position given = is_new ? checkpoint.position : state_->given(); options_.from.position < given)
                throw RefusedError{fmt::format("--from {} lies before {}: what stream {} printed up to there is not kept by the leader any more",
                                               to_string(options_.from.position_kind, options_.from.position), to_string(checkpoint.position_kind, given),
                                               checkpoint.stream)};
            start_ = std::max(options_.from.position, checkpoint.position);
            break;
    }
    target_.skip_to(*start_);
}

void Tail::set_fence(Leader& leader) {
    if (fence_) return;
    switch (options_.until.kind) {
        case Until::Kind::never:
        case Until::Kind::position: return;
        case Until::Kind::current: fence_ = leader.mark(options_.request); return;
    }
}

void Tail::attempt() {
    std::unique_ptr<Leader> leader = make_leader_();
    check_kinds(*leader);
    if (state_ == nullptr && !leader->offers_temporary())
        throw RefusedError{fmt::format("capture by {} keeps changes in the leader until somebody has read them: name the stream with --stream NAME, and `rowferry drop` it when "
                                       "it is not wanted any more",
                                       to_string(leader->capture()))};
    leader->identify();
    retry_.connected();
    const Removal removal{make_leader_, leader, options_.request, stop_};
    std::optional<Checkpoint> checkpoint;
    try {
        checkpoint = known(*leader);
        const bool is_new = !checkpoint || checkpoint->state == CheckpointState::copying;
        if (is_new) checkpoint = begin(*leader, checkpoint);
        set_start(*leader, *checkpoint, is_new);
        if (options_.until.kind == Until::Kind::position && !under_way_ && options_.until.position < checkpoint->position)
            throw RefusedError{fmt::format("the stream is at {}, past --until {}", to_string(checkpoint->position_kind, checkpoint->position),
                                           to_string(options_.until.position_kind, options_.until.position))};
    } catch (const RefusedError&) {
        if (state_ != nullptr) state_->undo_open();
        throw;
    }
    options_.request.follower_id = checkpoint->follower_id;
    if (options_.until.kind == Until::Kind::position) fence_ = options_.until.position;
    // Several transactions in one are cut where the printing begins; a temporary stream is read only once, and has none that are merged and older.
    if (state_ != nullptr && *start_ > checkpoint->position && (!fence_ || *start_ < *fence_)) follow(*leader, *checkpoint, *start_);
    follow(*leader, *checkpoint, std::nullopt);
}

/// `fence`: nothing for that of --until.
void Tail::follow(Leader& leader, Checkpoint& checkpoint, std::optional<Position> fence) {
    if (state_ != nullptr) state_->follow(checkpoint);
    auto source = shaped_source(leader.follow(options_.request, checkpoint), options_.request.rules, checkpoint.tables, leader.engine());
    if (!fence) {
        // Behind what the source itself writes when it begins.
        set_fence(leader);
        fence = fence_;
    }
    if (fence) source->cut_at(*fence);
    if (!under_way_) spdlog::info("following {} from {}", leader.describe(), to_string(checkpoint.position_kind, checkpoint.position));
    under_way_ = true;
    pump(leader, checkpoint, std::move(source), fence);
    // The next source goes on where this one ended, as the state has it.
    if (state_ != nullptr) checkpoint = state_->load().value();
}

void Tail::pump(Leader& leader, Checkpoint& checkpoint, std::unique_ptr<Source> source, std::optional<Position> fence) {
    const LeaderIdentity now = leader.identify();  // perhaps a later timeline
    Checkpoint here = checkpoint;
    here.leader = now;
    const auto sink = target_.open(here);
    Pump pump{std::move(source), *sink, checkpoint.position, fence, kTailQueueBytes, retry_, observer_};
    if (!(now == checkpoint.leader)) pump.loop().set_leader(now);
    pump.run(stop_, [&] { target_.look(); });
}

}  // namespace

void tail_stream(const LeaderFactory& make_leader, StreamState* state, TailTarget& target, const TailOptions& options, const StopSignal& stop, Observer& observer) {
    Tail{make_leader, state, target, options, stop, observer}.until_done();
}

}  // namespace rowferry
