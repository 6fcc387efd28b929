#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/stop_signal.h"
#include "decoder/sqlite_wal/generations.h"
#include "decoder/sqlite_wal/page_store.h"
#include "decoder/sqlite_wal/shadow.h"
#include "decoder/sqlite_wal/wal_access.h"
#include "decoder/sqlite_wal/wal_file.h"
#include "decoder/sqlite_wal/wal_pins.h"

namespace rowferry {

struct WalLimits {
    std::uint64_t bound = 8ULL << 20;        ///< Above this size, in bytes, we help the leader's log to begin anew.
    std::uint64_t most = 1ULL << 30;         ///< Above this one we let go of it.
    std::uint64_t barrier = 0;               ///< Above this one writers are held for a moment; 0: never.
};

/// What happened on the way, for messages and tests.
struct WalCounters {
    std::uint64_t restarts = 0;      ///< The log began anew, seen without a gap.
    std::uint64_t stepped_aside = 0; ///< Let go of the log for a moment, so that it could begin anew between two commits.
    std::uint64_t let_go = 0;        ///< The log was larger than allowed.
    std::uint64_t comparisons = 0;   ///< Catching up by comparing the shadow with the leader.
    std::uint64_t barriers = 0;
    std::uint64_t unsummed = 0;      ///< Commits of the leader that would not survive its crash.
};

/// Brings what is committed on the leader into a store, commit by commit, and keeps the leader's log neither from beginning anew nor from growing for
/// longer than it must. Where commits were lost to it (a log that began anew while nobody held it) the store is compared with the leader, and what
/// differs is one commit. One thread; the store belongs to the same.
class WalStream {
public:
    /// `store` stands at its state's place; `shadowed`: it has all pages; `held`: a pin was held since that place. `until`: the follower has everything up to there: commits before it are
    /// only taken into the store. Throws HaltError when the leader does not continue that place.
    WalStream(WalAccess& access, Generations generations, std::unique_ptr<PageStore> store, bool shadowed, bool held, Position until, const WalLimits& limits,
              const StopSignal& stop);

    [[nodiscard]] PageStore& store() noexcept { return *store_; }
    [[nodiscard]] const WalCounters& counters() const noexcept { return counters_; }

    /// Reads on in the leader's log, a few megabytes at most. True when the store has a commit to open. Not while one is open.
    bool poll();
    /// Moves pins, folds, bounds the log. Not while a commit is open. Cheap to call often.
    void maintain(Position durable);
    /// The same between commits that are looked at one after the other, or while nobody takes them: reads ahead too, so that the leader's log need not wait until they all are. With a
    /// shadow only, and as far as the room for the log goes.
    void keep_up(Position durable);
    /// Everything up to here is in the store's log.
    [[nodiscard]] Position read_to() const noexcept { return {generation_, wal_.frame()}; }
    /// Waits until the leader's log up to what was read is on its disk.
    void sync_leader() { wal_.sync(); }

private:
    using Clock = std::chrono::steady_clock;

    void connect(bool held);
    void keep_before_images(const WalIndexHeader& now);
    void read_more();
    void read_ahead();
    void let_pins_go();
    void append(const WalIndexHeader& now);
    void begin_anew(const WalIndexHeader& now);
    [[nodiscard]] bool finish_log(const WalIndexHeader& now);
    [[nodiscard]] bool is_in_database(std::span<const std::byte> frames) const;
    [[nodiscard]] bool restarted_unseen() const;
    void compare();
    void append_differences(const LivePages& live, const WalIndexHeader& now);
    void check_not_behind(std::span<const std::byte> live_first_page) const;
    void move_pins(Position durable);
    void take_next_pin();
    [[nodiscard]] bool copied_up_to(std::uint32_t frame) const;
    [[nodiscard]] bool everything_is_copied() const;
    void bound_log(Position durable);
    bool step_aside();
    void attempt_restart(Position durable);
    void barrier();
    void let_go();
    [[nodiscard]] std::uint64_t log_size() const;
    void tell_unsummed();
    [[noreturn]] void halt(const std::string& what) const;

    WalAccess& access_;
    Generations generations_;
    std::unique_ptr<PageStore> store_;
    bool shadowed_;
    Position until_;
    WalLimits limits_;
    const StopSignal& stop_;
    WalPins pins_;
    WalFile wal_;
    WalCounters counters_;
    std::uint64_t generation_ = 0;
    std::vector<std::byte> buffer_;

    bool released_ = false;                 ///< We let go: the next pin comes when the log has begun anew.
    std::optional<Position> next_read_at_;  ///< Where the next pin was reached.
    Clock::time_point last_pin_{};
    Position pinned_at_{};                  ///< The oldest pin's place, where that is known exactly.
    Position next_pin_at_{};                ///< The next one's.
    bool on_database_ = false;              ///< The last pin was taken when everything had been copied.
    std::uint64_t bounded_at_ = 0;          ///< Size of the log when it was last tried.
    Clock::time_point kept_up_{};
    std::exception_ptr failed_ahead_;       ///< Of reading ahead: thrown when what was read is taken.
    bool away_ = false;                     ///< The log began anew while nobody of us was there.
    std::uint64_t size_at_release_ = 0;     ///< Of the log's file, when the last pin was let go of.
    std::uint32_t end_at_release_ = 0;      ///< The last frame that was committed then.
};

}  // namespace rowferry
