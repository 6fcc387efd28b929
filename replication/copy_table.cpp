#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "db/random_id.h"
#include "replication/stream.h"
#include "schemas/error.h"
#include "schemas/table_copy.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kPoll{200};
// A process that held the stream may have ended without having seen the request.
constexpr std::chrono::seconds kTryAgainAfter{5};
// Whoever runs the stream holds it much longer, and takes the request.
constexpr std::chrono::milliseconds kLockPatience{300};

/// Asks for a copy and waits for the answer.
class Request {
public:
    Request(const LeaderFactory& make_leader, const FollowerFactory& make_follower, RunOptions options, const std::vector<std::string>& patterns,
            const StopSignal& stop, Observer& observer)
        : make_leader_{make_leader}, make_follower_{make_follower}, options_{std::move(options)}, stop_{stop}, observer_{observer} {
        copy_.id = random_id(16);
        copy_.patterns = patterns;
        options_.copies_only = true;
        options_.until = {};
    }

    std::string answer() {
        open();
        follower_->copier(options_.request.stream)->save(copy_);
        try {
            for (;;) {
                if (!nobody_runs() || !work()) wait();
                if (const auto copy = look(); copy.is_finished()) return take(copy);
            }
        } catch (const InterruptedError&) {
            throw InterruptedError{withdraw() ? "stopped: the request was taken back"
                                              : "stopped: the copy has begun, and the running rowferry or the next one goes on with it"};
        } catch (const RefusedError&) {
            withdraw();
            throw;
        }
    }

private:
    void open() {
        const std::string& stream = options_.request.stream;
        follower_ = make_follower_();
        if (follower_->exists()) follower_->open(false);
        const auto checkpoint = follower_->exists() ? follower_->load_checkpoint(stream) : std::nullopt;
        if (!checkpoint) throw RefusedError{fmt::format("{} has no stream {}: start it with `rowferry run`", follower_->describe(), stream)};
        if (checkpoint->state != CheckpointState::ready)
            throw RefusedError{fmt::format("the first copy of stream {} is not complete: let `rowferry run` finish it", stream)};
        StreamRequest& request = options_.request;
        request.selection = TableSelection::parse_canonical(checkpoint->selection);
        // Without any, those of the process that runs the stream hold. Should nobody run it, this process needs them too.
        if (!request.rules.canonical().empty() && request.canonical() != checkpoint->selection)
            throw RefusedError{fmt::format("stream {} has other rules for its tables: {}. Give copy-table the rules of `rowferry run`, or none while that runs", stream,
                                           describe_difference(checkpoint->selection, request.canonical()))};
    }

    /// A typing error is told at once, by whoever does the copy; this only finds out who that is.
    bool nobody_runs() {
        try {
            follower_->lock(options_.request.stream, kLockPatience);
        } catch (const RefusedError& error) {
            spdlog::info("{}; it is asked to copy {}", error.what(), fmt::join(copy_.patterns, ", "));
            return false;
        }
        follower_ = make_follower_();  // which gives the lock back
        follower_->open(false);
        return true;
    }

    /// False when somebody else was faster.
    bool work() {
        try {
            run_stream(make_leader_, make_follower_, options_, stop_, observer_);
            return true;
        } catch (const RefusedError&) {
            if (nobody_runs()) throw;
            return false;
        }
    }

    TableCopy look() {
        for (TableCopy& copy : follower_->copier(options_.request.stream)->load())
            if (copy.id == copy_.id) return std::move(copy);
        throw HaltError{fmt::format("the request to copy {} is gone from {}: was the stream dropped?", fmt::join(copy_.patterns, ", "), follower_->describe())};
    }

    void wait() {
        const auto until = std::chrono::steady_clock::now() + kTryAgainAfter;
        while (std::chrono::steady_clock::now() < until) {
            const TableCopy copy = look();
            if (copy.is_finished()) return;
            if (copy.state != shown_) spdlog::info("copy of {}: {}", fmt::join(copy_.patterns, ", "), to_string(shown_ = copy.state));
            if (!stop_.sleep(kPoll)) stop_.check();
        }
    }

    bool withdraw() noexcept {
        try {
            return follower_->copier(options_.request.stream)->withdraw(copy_.id);
        } catch (const std::exception& error) {
            spdlog::warn("taking the request back: {}", error.what());
            return false;
        }
    }

    std::string take(const TableCopy& copy) {
        withdraw();
        if (copy.state == CopyState::done) return copy.message;
        if (copy.refused) throw RefusedError{copy.message};
        throw HaltError{copy.message};
    }

    const LeaderFactory& make_leader_;
    const FollowerFactory& make_follower_;
    RunOptions options_;
    const StopSignal& stop_;
    Observer& observer_;
    std::unique_ptr<Follower> follower_;
    TableCopy copy_;
    CopyState shown_ = CopyState::requested;
};

}  // namespace

std::string copy_table(const LeaderFactory& make_leader, const FollowerFactory& make_follower, const RunOptions& options,
                       const std::vector<std::string>& patterns, const StopSignal& stop, Observer& observer) {
    return Request{make_leader, make_follower, options, patterns, stop, observer}.answer();
}

}  // namespace rowferry
