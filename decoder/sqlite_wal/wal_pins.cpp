#include "decoder/sqlite_wal/wal_pins.h"

#include <thread>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr int kExactTries = 100'000;
constexpr int kPinTriesAtOnce = 1000;

/// A transaction that has not read anything is none yet.
void begin_read(SqliteDatabase& db) {
    db.execute("BEGIN");
    static_cast<void>(db.query_integer("SELECT 1 FROM main.sqlite_schema LIMIT 1"));
}

}  // namespace

std::unique_ptr<SqliteDatabase> open_wal_leader(const std::string& path) {
    auto db = std::make_unique<SqliteDatabase>(path, SqliteDatabase::Mode::read_write);
    db->set_busy_timeout(kBusyTimeoutMs);
    sqlite3_wal_autocheckpoint(db->handle(), 0);
    sqlite3_db_config(db->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    int persist = 1;
    sqlite3_file_control(db->handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    return db;
}

WalIndexHeader begin_exactly(SqliteDatabase& db, const WalIndex& index) {
    for (int attempt = 0; attempt < kExactTries; ++attempt) {
        const WalIndexHeader before = index.read();
        begin_read(db);
        if (index.read() == before) return before;
        db.rollback();
        if (attempt > kPinTriesAtOnce) std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
    throw RetryableError{fmt::format("{}: it is written to so fast that no read could begin between two commits", printable(db.path()))};
}

WalPins::WalPins(const std::string& path, const WalIndex& index)
    : path_{path}, index_{index}, current_{open_wal_leader(path)}, other_{open_wal_leader(path)}, worker_{open_wal_leader(path)} {
    worker_->set_busy_timeout(0);
}

WalPins::~WalPins() {
    release();
    unlock_writers();
}

WalPins::Mark WalPins::begin(SqliteDatabase& db) {
    begin_read(db);
    const WalIndexHeader now = index_.read();
    return {now.salts, now.last_frame};
}

void WalPins::hold() {
    if (!oldest_) oldest_ = begin(*current_);
}

WalIndexHeader WalPins::hold_exactly() {
    release();
    const WalIndexHeader now = begin_exactly(*current_, index_);
    oldest_ = Mark{now.salts, now.last_frame};
    return now;
}

void WalPins::release() noexcept {
    current_->rollback();
    other_->rollback();
    oldest_.reset();
    next_.reset();
}

void WalPins::take_next() {
    if (oldest_ && !next_) next_ = begin(*other_);
}

void WalPins::advance() noexcept {
    if (!next_) return;
    current_->rollback();
    std::swap(current_, other_);
    oldest_ = next_;
    next_.reset();
}

WalPins::Checkpointed WalPins::checkpoint() {
    SqliteStatement statement = worker_->prepare("PRAGMA main.wal_checkpoint(PASSIVE)");
    try {
        if (!statement.step()) return {true, 0, 0};
    } catch (const SqliteError& error) {
        if (!error.busy()) throw;
        return {true, 0, 0};
    }
    return {statement.integer(0) != 0, statement.integer(1), statement.integer(2)};
}

bool WalPins::lock_writers() {
    if (!barrier_) {
        barrier_ = open_wal_leader(path_);
        barrier_->set_busy_timeout(0);
    }
    try {
        barrier_->execute("BEGIN IMMEDIATE");
        return true;
    } catch (const SqliteError& error) {
        if (!error.busy()) throw;
        return false;
    }
}

void WalPins::unlock_writers() noexcept {
    if (barrier_) barrier_->rollback();
}

}  // namespace rowferry
