#include "statements/sqlite/log_acknowledger.h"

#include <algorithm>

#include "statements/sqlite/statement_log.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr auto kInterval = milliseconds{1000};
constexpr auto kPruneInterval = milliseconds{50};
constexpr auto kLockBudget = milliseconds{5};
constexpr std::int64_t kMostAtOnce = 20'000;

}  // namespace

LogAcknowledger::LogAcknowledger(std::string path, std::string stream, std::string follower_id)
    : path_{std::move(path)}, stream_{std::move(stream)}, follower_id_{std::move(follower_id)}, trail_{path_} {}

SqliteDatabase& LogAcknowledger::writer() {
    if (!writer_) {
        auto db = std::make_unique<SqliteDatabase>(path_, SqliteDatabase::Mode::read_write);
        db->set_busy_timeout(0);
        db->execute("PRAGMA wal_autocheckpoint = 0");
        if (db->query_text("PRAGMA main.journal_mode") == "wal") db->execute("PRAGMA synchronous = NORMAL");
        sqlite3_db_config(db->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        writer_ = std::move(db);
    }
    return *writer_;
}

void LogAcknowledger::acknowledge(std::int64_t number) {
    const auto now = Clock::now();
    if (now < next_ || (number <= acked_ && !more_)) return;
    try {
        write(number);
        next_ = Clock::now() + (more_ ? kPruneInterval : kInterval);
    } catch (const SqliteError& error) {
        if (!error.busy()) throw;
        next_ = Clock::now() + kPruneInterval;
    }
}

void LogAcknowledger::write(std::int64_t number) {
    SqliteDatabase& db = writer();
    SqliteTransaction transaction{db, "IMMEDIATE"};
    const auto locked = Clock::now();
    LogWrite write{db, trail_};
    SqliteStatement update = db.prepare("UPDATE main.rowferry_statement_stream SET acked = ?1 WHERE name = ?2 AND follower_id = ?3 AND acked < ?1");
    update.bind(1, number).bind(2, std::string_view{stream_}).bind(3, std::string_view{follower_id_}).run();
    more_ = prune_statement_log(db, piece_);
    write.finish_without_entry();
    transaction.commit();
    acked_ = std::max(acked_, number);
    const auto held = Clock::now() - locked;
    if (held > kLockBudget)
        piece_ = std::max<std::int64_t>(piece_ / 2, 1);
    else if (held < kLockBudget / 3)
        piece_ = std::min(piece_ * 2, kMostAtOnce);
}

}  // namespace rowferry
