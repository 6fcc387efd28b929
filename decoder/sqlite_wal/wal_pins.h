#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "db/sqlite.h"
#include "decoder/sqlite_wal/wal_index.h"

namespace rowferry {

/// Read transactions on the leader that keep its log from beginning anew before we have read it, and from being copied into the database beyond what we
/// have processed. There are two, and they overlap: a new one is taken, everything up to it is read, then the old one is let go.
///
/// - They move seldom, about every 200 ms: above 1000 pages SQLite's own checkpoint runs at every commit of the application, and after each move it would
///   have something to copy and to sync.
/// - All checkpoints of ours are PASSIVE, which never make anybody wait, and are run while a pin (or the write lock) is held.
/// - A pin that is taken when everything was copied stands on the database itself: the next writer may begin the log anew, once, and only at that place.
///
/// One thread. Errors: SqliteError.
class WalPins {
public:
    WalPins(const std::string& path, const WalIndex& index);
    ~WalPins();

    struct Mark {
        WalSalts salts;
        std::uint32_t frame = 0;  ///< At least that of the transaction.
    };

    /// Takes a pin when there is none.
    void hold();
    /// A pin at a known place: the transaction sees exactly what the returned header says. In place of all that are held.
    [[nodiscard]] WalIndexHeader hold_exactly();
    /// Lets go of all. The log may begin anew at any time, also unread.
    void release() noexcept;
    [[nodiscard]] bool held() const noexcept { return oldest_.has_value(); }
    /// The oldest pin's. While it is held the log begins anew at most once, and only when nothing was committed behind the mark.
    [[nodiscard]] const std::optional<Mark>& oldest() const noexcept { return oldest_; }

    /// Takes the next pin, when a pin is held and no next one yet.
    void take_next();
    [[nodiscard]] const std::optional<Mark>& next() const noexcept { return next_; }
    /// Everything up to the next pin was read: lets go of the oldest.
    void advance() noexcept;

    struct Checkpointed {
        bool busy = false;
        std::int64_t frames = 0;  ///< In the log.
        std::int64_t done = 0;    ///< Of them in the database.
        [[nodiscard]] bool complete() const noexcept { return !busy && frames == done; }
    };
    [[nodiscard]] Checkpointed checkpoint();

    /// The write barrier: holds the write lock for a moment. False when somebody else has it.
    [[nodiscard]] bool lock_writers();
    void unlock_writers() noexcept;

private:
    [[nodiscard]] Mark begin(SqliteDatabase& db);
    std::string path_;
    const WalIndex& index_;
    std::unique_ptr<SqliteDatabase> current_;
    std::unique_ptr<SqliteDatabase> other_;
    std::unique_ptr<SqliteDatabase> worker_;   ///< For checkpoints.
    std::unique_ptr<SqliteDatabase> barrier_;  ///< Opened when it is needed.
    std::optional<Mark> oldest_;
    std::optional<Mark> next_;
};

/// A connection to a leader in WAL mode that never runs a checkpoint by itself and leaves the log where it is when it is closed.
[[nodiscard]] std::unique_ptr<SqliteDatabase> open_wal_leader(const std::string& path);

/// Begins a read transaction on `db`, of which it has none, at a place that is known exactly.
[[nodiscard]] WalIndexHeader begin_exactly(SqliteDatabase& db, const WalIndex& index);

}  // namespace rowferry
