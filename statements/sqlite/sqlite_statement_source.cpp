#include "statements/sqlite/sqlite_statement_source.h"

#include <poll.h>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr auto kPollInterval = milliseconds{20};
constexpr auto kRunTime = milliseconds{20};   // of one go at the log, before what came of it is passed on
constexpr std::size_t kMostReady = 1000;
constexpr auto kReportInterval = milliseconds{200};

}  // namespace

SqliteStatementSource::SqliteStatementSource(Parts parts, const StopSignal& stop)
    : parts_{std::move(parts)}, stop_{stop}, watch_{parts_.watched}, loaded_{parts_.position}, emitted_{parts_.position}, reported_{parts_.position} {
    const auto place = parts_.scratch->place_at(emitted_);
    if (!place) throw HaltError{fmt::format("{}: the scratch copy does not know {}", parts_.where, to_string(PositionKind::log, emitted_))};
    emitted_seq_ = place->seq;
    parts_.changes->keep_whole();
}

void SqliteStatementSource::read(Batch& batch, std::size_t budget, milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    for (;;) {
        stop_.check();
        bool stuck = false;
        while (!stuck && batch.size_bytes() < budget && next_place()) stuck = !emit(batch, budget);
        if (!batch.empty()) return;
        // Behind what was good before it.
        if (!stuck && failure_) std::rethrow_exception(failure_);
        const bool ran = !stuck && run_some();
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left <= milliseconds::zero() || woken()) return;
        if (!ran) watch_.wait(std::min(stuck ? milliseconds{1} : kPollInterval, left), stop_);
    }
}

/// Is there a transaction to emit?
bool SqliteStatementSource::next_place() {
    if (under_way_) return true;
    if (ready_.empty()) {
        for (ScratchPlace& place : parts_.scratch->places_behind(loaded_, kMostReady)) ready_.push_back(std::move(place));
        if (!ready_.empty()) loaded_ = ready_.back().position;
    }
    return !ready_.empty() && (!parts_.foreign || parts_.foreign->allows(ready_.front().position));
}

bool SqliteStatementSource::run_some() {
    const auto until = Clock::now() + kRunTime;
    bool ran = false;
    try {
        while (Clock::now() < until && parts_.scratch->advance(*parts_.log)) {
            ran = true;
            stop_.check();
        }
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::halted) throw;
        failure_ = std::current_exception();
        ran = true;
    }
    if (!parts_.foreign) return ran;
    if (ran) {
        parts_.foreign->refresh();
        return true;
    }
    const auto last = parts_.scratch->last_place();
    return last && parts_.foreign->look(static_cast<std::int64_t>(last->position.major));
}

/// A transaction of the log, or as much of it as fits. False: its rows are not to be had right now.
bool SqliteStatementSource::emit(Batch& batch, std::size_t budget) {
    const ScratchPlace& place = ready_.front();
    const std::size_t from = batch.events().size();
    if (!under_way_ && place.seq == emitted_seq_) {
        batch.add(Begin{emitted_, 0, Boundary::exact});
        batch.add(Commit{{place.seq, 0}, 0, {}});
    } else {
        if (!under_way_) parts_.changes->cut_at({place.seq, 0});
        under_way_ = true;
    }
    try {
        if (under_way_) parts_.changes->read(batch, budget, milliseconds{0});
        under_way_ = !finish_place(batch, from);
    } catch (...) {
        // What has the scratch copy's positions must not go on.
        for (Event& event : batch.events_being_filled().subspan(from)) event = Idle{emitted_};
        throw;
    }
    return batch.events().size() > from;
}

/// Gives the events the log's positions. True: they end the transaction.
bool SqliteStatementSource::finish_place(Batch& batch, std::size_t from) {
    const ScratchPlace place = ready_.front();
    for (Event& event : batch.events_being_filled().subspan(from)) {
        if (auto* begin = std::get_if<Begin>(&event)) {
            begin->after = emitted_;
            begin->boundary = Boundary::exact;
        }
        auto* commit = std::get_if<Commit>(&event);
        if (commit == nullptr) continue;
        if (commit->position.major != place.seq)
            throw HaltError{fmt::format("{}: the scratch copy's change table has a transaction that ends at {}, and the statement log one at {}", parts_.where, commit->position.major, place.seq)};
        commit->position = place.position;
        commit->time_us = place.time_us;
        commit->resume = batch.arena().copy(place.tag);
        emitted_ = place.position;
        emitted_seq_ = place.seq;
        unreported_.emplace_back(emitted_, emitted_seq_);
        ready_.pop_front();
        return true;
    }
    return false;
}

void SqliteStatementSource::report(Position durable) {
    while (!unreported_.empty() && unreported_.front().first <= durable) {
        reported_ = unreported_.front().first;
        parts_.changes->report({unreported_.front().second, 0});
        unreported_.pop_front();
    }
    if (Clock::now() < next_report_) return;
    next_report_ = Clock::now() + kReportInterval;
    if (reported_ == parts_.position) return;  // nothing new in this run
    if (reported_ != forgotten_) parts_.scratch->forget_before(reported_);
    forgotten_ = reported_;
    if (parts_.acknowledger) parts_.acknowledger->acknowledge(static_cast<std::int64_t>(reported_.major));
}

bool SqliteStatementSource::woken() const {
    pollfd waker{wake_fd_, POLLIN, 0};
    return wake_fd_ >= 0 && ::poll(&waker, 1, 0) > 0;
}

}  // namespace rowferry
