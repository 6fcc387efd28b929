#include "statements/postgresql/log_player.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/postgresql/leader_rows.h"
#include "statements/postgresql/log_begin.h"

namespace rowferry {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kNap{20};
constexpr milliseconds kBetweenSettles{500};
constexpr std::chrono::seconds kAnswerWithin{10};
// What was read before the marker: as long as the leader's tables could not be locked.
constexpr std::size_t kMostBeforeMarker = 1'000'000;

LogSettings begun_at(LogSettings settings, const LogMarker& marker) {
    settings.begin_behind = marker.begin;
    if (marker.begin.empty()) return settings;
    settings.open_at_begin = marker.open_at_begin;
    settings.open_transactions = marker.open_transactions;
    settings.present_at_begin = marker.present;
    settings.settled_since = marker.settled_us;
    return settings;
}

bool is_marker(const LogMarker& marker, const LoggedTransaction& transaction) {
    return std::ranges::any_of(transaction.statements, [&](const LoggedStatement& statement) { return statement.sql.find(marker.end) != std::string::npos; });
}

}  // namespace

LogPlayer::LogPlayer(PgScratch& scratch, ScratchState state, LogSettings settings, PlayerOptions options, const StopSignal& stop)
    : LogPlayer{scratch, std::move(state), settings, settings.paths, std::move(options), stop} {}

LogPlayer::LogPlayer(PgScratch& scratch, ScratchState state, LogSettings settings, std::vector<std::string> paths, PlayerOptions options, const StopSignal& stop)
    : scratch_{scratch},
      state_{std::move(state)},
      options_{std::move(options)},
      stop_{stop},
      runner_{scratch_, state_, options_.application, options_.rows.has_value()},
      reader_{begun_at(settings, state_.marker), runner_.gate(), state_.log_resume},
      marker_known_{state_.marker.begin.empty() || !state_.marker.path.empty()},
      settings_read_at_{settings.read_at} {
    if (options_.leader) prover_.emplace(*options_.leader, options_.application, paths);
    tell_warnings();
}

void LogPlayer::tell_warnings() {
    for (const std::string& warning : reader_.take_warnings()) spdlog::warn("{}", warning);
}

/// Until the marker's place is known nobody can say what lies before it.
bool LogPlayer::look_for_marker(Read& read) {
    if (!is_marker(state_.marker, read.transaction)) {
        if (waiting_.size() > kMostBeforeMarker) throw HaltError{"the marker that rowferry wrote into the leader's log when it copied it does not come: the log is not that server's"};
        waiting_.push_back(std::move(read));
        return false;
    }
    const LoggedStatement& statement = read.transaction.statements.front();
    state_.marker.path = statement.place.path ? *statement.place.path : "";
    state_.marker.offset = statement.place.offset;
    state_.marker.time_us = statement.began;
    scratch_.save_marker(state_);
    marker_known_ = true;
    return true;
}

LogPlayer::Read* LogPlayer::next() {
    for (;;) {
        if (marker_known_ && !waiting_.empty()) {
            Read& first = waiting_.front();
            const bool seen = !state_.marker.begin.empty() && is_in_snapshot(state_.marker, first.transaction);
            if (!seen && runner_.matters(first.transaction)) return &first;
            waiting_.pop_front();
            continue;
        }
        auto transaction = reader_.next();
        tell_warnings();
        if (settings_read_at_ != 0 && reader_.server_started() > settings_read_at_) throw RetryableError{"the leader's server began anew: what it logs is looked at again"};
        if (!transaction) {
            stop_.check();
            if (!reader_.at_end() || (prover_ && prover_->look(reader_))) continue;
            return nullptr;
        }
        Read read{std::move(*transaction), reader_.resume()};
        if (!marker_known_)
            look_for_marker(read);
        else
            waiting_.push_back(std::move(read));
    }
}

/// Everything that the leader's snapshot has was read. False where there is more to be run first, or somebody is at work.
bool LogPlayer::read_all() {
    if (!prover_) {
        if (!std::exchange(finished_, true)) reader_.finish();
        return next() == nullptr;
    }
    static_cast<void>(stop_.sleep(milliseconds{5}));
    prover_->begin_anew();
    for (const auto until = Clock::now() + kAnswerWithin; Clock::now() < until;) {
        prover_->ask();
        if (next() != nullptr) return false;
        if (prover_->all_known(reader_)) return true;
        if (!stop_.sleep(kNap)) throw InterruptedError{"stopped while the leader's log was read"};
    }
    return false;
}

bool LogPlayer::settle() {
    if (Clock::now() < next_settle_) return false;
    next_settle_ = Clock::now() + kBetweenSettles;
    LeaderRows rows{*options_.rows, options_.application, stop_};
    if (!rows.is_still()) {
        if (!std::exchange(told_moving_, true)) spdlog::info("waiting until nobody writes to the leader: its rows are needed for statements that the log does not determine");
        return false;
    }
    if (!read_all()) return next() != nullptr;
    runner_.settle([&](PgSession& session) {
        rows.correct(session, runner_.tainted());
        if (!rows.is_still())
            throw RetryableError{"the leader was written to while its rows were taken for statements that the log does not determine: rows=LEADER needs one that stands still at the log's end"};
    });
    return true;
}

bool LogPlayer::play(milliseconds most, bool was_read) {
    if (failure_) std::rethrow_exception(failure_);
    try {
        const bool ran = run_some(most, was_read);
        runner_.make_durable();
        return ran;
    } catch (const HaltError&) {
        failure_ = std::current_exception();
        runner_.make_durable();
        throw;
    }
}

bool LogPlayer::run_some(milliseconds most, bool was_read) {
    const auto until = Clock::now() + most;
    bool ran = false;
    if (defined_ && !was_read) return false;
    defined_ = false;
    while (Read* read = next()) {
        const bool defines = TransactionRunner::defines(read->transaction);
        if (defines && (ran || !was_read)) return ran;
        runner_.run(read->transaction, read->resume);
        waiting_.pop_front();
        ran = true;
        if (defines) {
            defined_ = true;
            return true;
        }
        if (Clock::now() >= until) return true;
    }
    if (!ran && runner_.is_tainted()) return settle();
    if (!ran && prover_ && !reader_.unproven().empty()) prover_->ask();
    return ran;
}

Position LogPlayer::last_position() {
    Position last = state_.position;
    static_cast<void>(stop_.sleep(milliseconds{5}));
    if (prover_) prover_->begin_anew();
    for (const auto until = Clock::now() + kAnswerWithin; Clock::now() < until;) {
        if (prover_) prover_->ask();
        while (const Read* read = next()) {
            last = read->transaction.position;
            waiting_.pop_front();
        }
        if (!prover_) {
            if (std::exchange(finished_, true)) return last;
            reader_.finish();
        } else if (marker_known_ && prover_->all_known(reader_)) {
            return last;
        } else if (!stop_.sleep(kNap)) {
            throw InterruptedError{"stopped while the leader's log was read"};
        }
    }
    throw RetryableError{"what is read from the leader's log does not come to what was just run on the leader"};
}

void LogPlayer::play_to_end() {
    // What was committed before this moment began before the question that comes now.
    static_cast<void>(stop_.sleep(milliseconds{5}));
    if (prover_) prover_->begin_anew();
    for (;;) {
        stop_.check();
        if (play(milliseconds{1000}, true)) continue;
        if (runner_.is_tainted()) {
            static_cast<void>(stop_.sleep(kNap));
            continue;
        }
        if (!prover_) {
            if (std::exchange(finished_, true)) return;
            reader_.finish();
            continue;
        }
        prover_->ask();
        if (marker_known_ && prover_->all_known(reader_)) return;
        static_cast<void>(stop_.sleep(kNap));
    }
}

}  // namespace rowferry
