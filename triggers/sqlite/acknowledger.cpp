#include "triggers/sqlite/acknowledger.h"

#include <algorithm>
#include <thread>

#include "triggers/sqlite/sqlite_snapshot.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr auto kAckInterval = std::chrono::seconds{1};
constexpr auto kLockBudget = milliseconds{5};  // how long one write of ours may hold up the application
constexpr int kPauseFactor = 4;                // a pause this many times as long follows each piece
constexpr std::uint64_t kFirstPiece = 200;     // rows
constexpr std::uint64_t kLargestPiece = 20'000;

/// Removes up to `rows` rows from the front of the log, all of them below `limit`. Returns whether more are left.
bool remove_front(SqliteDatabase& db, std::uint64_t limit, std::uint64_t rows) {
    const auto first = static_cast<std::uint64_t>(db.query_integer("SELECT min(seq) FROM main.rowferry_change"));
    if (first == 0 || first >= limit) return false;
    const std::uint64_t end = std::min(limit, first + rows);
    SqliteStatement remove = db.prepare("DELETE FROM main.rowferry_change WHERE seq < ?1");
    remove.bind(1, static_cast<std::int64_t>(end));
    remove.run();
    return end < limit;
}

}  // namespace

Acknowledger::Acknowledger(std::string path, std::string stream, std::string follower_id, std::uint64_t acked)
    : path_{std::move(path)},
      stream_{std::move(stream)},
      follower_id_{std::move(follower_id)},
      durable_{acked},
      acked_{acked},
      piece_{kFirstPiece} {}

Acknowledger::~Acknowledger() {
    try {
        if (durable_ > acked_) write_acknowledgement();
    } catch (...) {
        // The next start acknowledges again.
    }
}

SqliteDatabase& Acknowledger::writer() {
    if (!writer_) {
        auto db = std::make_unique<SqliteDatabase>(path_, SqliteDatabase::Mode::read_write);
        db->set_busy_timeout(0);
        // The application or its backup tool decides when to checkpoint. Losing our last write in a power cut does no harm, so in WAL
        // mode, where that is safe, the commit does not wait for the disk with the lock held.
        db->execute("PRAGMA wal_autocheckpoint = 0");
        if (uses_wal(*db)) db->execute("PRAGMA synchronous = NORMAL");
        writer_ = std::move(db);
    }
    return *writer_;
}

void Acknowledger::report(std::uint64_t durable) {
    durable_ = std::max(durable_, durable);
    const auto now = Clock::now();
    try {
        if (durable_ > acked_ && now >= next_ack_) {
            next_ack_ = now + kAckInterval;
            write_acknowledgement();
        }
        if (more_to_prune_ && now >= next_prune_) prune_piece();
    } catch (const SqliteError& error) {
        if (!error.busy()) throw;
        next_prune_ = Clock::now() + milliseconds{50};
    }
}

void Acknowledger::write_acknowledgement() {
    SqliteDatabase& db = writer();
    SqliteTransaction transaction{db, "IMMEDIATE"};
    const auto locked = Clock::now();
    SqliteStatement update = db.prepare(
        "UPDATE main.rowferry_stream SET acked_seq = ?1, acked_tag = (SELECT tag FROM main.rowferry_change WHERE seq = ?1) "
        "WHERE name = ?2 AND follower_id = ?3 AND acked_seq < ?1 AND EXISTS (SELECT 1 FROM main.rowferry_change WHERE seq = ?1)");
    update.bind(1, static_cast<std::int64_t>(durable_)).bind(2, stream_).bind(3, follower_id_);
    update.run();
    prune_below_ = static_cast<std::uint64_t>(db.query_integer("SELECT min(acked_seq) FROM main.rowferry_stream"));
    const bool more = remove_front(db, prune_below_, piece_);
    transaction.commit();
    acked_ = durable_;
    more_to_prune_ = more;
    adapt(Clock::now() - locked);
}

void Acknowledger::prune_piece() {
    SqliteDatabase& db = writer();
    SqliteTransaction transaction{db, "IMMEDIATE"};
    const auto locked = Clock::now();
    more_to_prune_ = remove_front(db, prune_below_, piece_);
    transaction.commit();
    adapt(Clock::now() - locked);
}

void Acknowledger::adapt(Clock::duration held) {
    if (held > kLockBudget)
        piece_ = std::max<std::uint64_t>(piece_ / 2, 1);
    else if (held < kLockBudget / 3)
        piece_ = std::min(piece_ * 2, kLargestPiece);
    next_prune_ = Clock::now() + held * kPauseFactor;
}

bool prune_everything(SqliteDatabase& db) {
    std::uint64_t piece = kFirstPiece;
    const auto limit = static_cast<std::uint64_t>(INT64_MAX);
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    for (;;) {
        const auto began = std::chrono::steady_clock::now();
        try {
            SqliteTransaction transaction{db, "IMMEDIATE"};
            const auto locked = std::chrono::steady_clock::now();
            const bool more = remove_front(db, limit, piece);
            transaction.commit();
            if (!more) return true;
            const auto held = std::chrono::steady_clock::now() - locked;
            piece = held > kLockBudget ? std::max<std::uint64_t>(piece / 2, 1) : std::min(piece * 2, kLargestPiece);
            give_up = std::chrono::steady_clock::now() + std::chrono::seconds{5};
            std::this_thread::sleep_for(held);
        } catch (const SqliteError& error) {
            if (!error.busy()) throw;
            if (began > give_up) return false;
            std::this_thread::sleep_for(milliseconds{10});
        }
    }
}

}  // namespace rowferry
