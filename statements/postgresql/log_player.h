#pragma once

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"
#include "decoder/pg_log/log_reader.h"
#include "statements/postgresql/scratch.h"
#include "statements/postgresql/session_prover.h"
#include "statements/postgresql/transaction_runner.h"

namespace rowferry {

/// Where statements come from and what is done about those that are not determined.
struct PlayerOptions {
    std::string application;
    std::optional<PgConninfo> leader;  ///< At hand: it tells which sessions are idle. Nothing: the log ends where its files end.
    std::optional<PgConninfo> rows;    ///< --on-nondeterministic rows=…
};

/// Reads a log and runs it on the scratch, from where that stands. One thread.
class LogPlayer {
public:
    LogPlayer(PgScratch& scratch, ScratchState state, LogSettings settings, PlayerOptions options, const StopSignal& stop);

    /// What was run by whoever ran it before outlives a crash of the scratch's server from here on, as everything that play() runs does. Before anything of it is given out.
    void make_durable() { runner_.make_durable(); }

    /// Runs what there is for at most so long. False: there was nothing to run. Ends behind and before what changes the catalog, so that the scratch's changes can be read with the catalog as it
    /// was: `was_read` says that they have been read up to here.
    bool play(std::chrono::milliseconds most, bool was_read);
    /// Everything that is in the log now, and that had committed on the leader; whatever changes the catalog among it. Without a leader at hand the log ends there.
    void play_to_end();

    /// Behind what is in the log now and was committed on the leader, without running it: where the scratch stands if nothing is left. Of no use for anything else afterwards.
    [[nodiscard]] Position last_position();

    /// The scratch holds rows that are not the leader's: its changes are not to be given out before they are.
    [[nodiscard]] bool is_tainted() const noexcept { return runner_.is_tainted(); }
    [[nodiscard]] const ScratchState& state() const noexcept { return state_; }

private:
    struct Read {
        LoggedTransaction transaction;
        std::string resume;
    };
    LogPlayer(PgScratch& scratch, ScratchState state, LogSettings settings, std::vector<std::string> paths, PlayerOptions options, const StopSignal& stop);
    [[nodiscard]] bool read_all();
    /// The next transaction to be run, if there is one.
    Read* next();
    bool look_for_marker(Read& read);
    bool settle();
    bool run_some(std::chrono::milliseconds most, bool was_read);
    void tell_warnings();

    PgScratch& scratch_;
    ScratchState state_;
    PlayerOptions options_;
    const StopSignal& stop_;
    TransactionRunner runner_;
    LogReader reader_;
    std::optional<SessionProver> prover_;
    std::deque<Read> waiting_;       ///< Read before the marker was found; then at most one.
    bool marker_known_;
    LogTime settings_read_at_;
    bool defined_ = false;           ///< The last one that was run changed the catalog.
    bool finished_ = false;
    bool told_moving_ = false;
    std::exception_ptr failure_;     ///< Found again by whoever reads on: a reader of a log is of no use behind it.
    std::chrono::steady_clock::time_point next_settle_{};
};

}  // namespace rowferry
