#include "applier/sqlite/sqlite_connection.h"

#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kBusyTimeout{5};       // An application's own transaction is over by then; a longer one is worth a message.
constexpr std::chrono::milliseconds kBusyPause{5};
constexpr int kProgressSteps = 20'000;                // Well under a millisecond of work between two looks at the stop signal.
constexpr int kCacheKibibytes = 48 * 1024;
// The log grows to this many pages (64 MB, with the usual ones of 4 kB) before it is carried over: a page that changes again and again is then
// carried over once, and not every commit waits for the file itself to be synced.
constexpr int kCheckpointPages = 16'384;

/// rowferry_negative(x): the sign bit of a REAL. -0.0 and 0.0 are equal for SQLite, but they are not the same value.
void negative(sqlite3_context* context, int, sqlite3_value** arguments) {
    const bool real = sqlite3_value_type(arguments[0]) == SQLITE_FLOAT;
    sqlite3_result_int(context, real && std::signbit(sqlite3_value_double(arguments[0])) ? 1 : 0);
}

}  // namespace

SqliteConnection::SqliteConnection(const std::string& path, SqliteDatabase::Mode mode, const StopSignal& stop) : db_{path, mode}, stop_{stop} {
    sqlite3_busy_handler(db_.handle(), &SqliteConnection::busy, this);
    sqlite3_progress_handler(db_.handle(), kProgressSteps, &SqliteConnection::progress, this);
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    sqlite3_create_function_v2(db_.handle(), "rowferry_negative", 1, flags, nullptr, &negative, nullptr, nullptr, nullptr);
    // What the leader accepted is a row; its CHECKs here are for others who write.
    db_.execute(fmt::format("PRAGMA ignore_check_constraints=ON; PRAGMA synchronous=EXTRA; PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=OFF; PRAGMA cache_size=-{}; PRAGMA wal_autocheckpoint={}",
                            kCacheKibibytes, kCheckpointPages));
    sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
}

int SqliteConnection::busy(void* self, int attempt) {
    auto& connection = *static_cast<SqliteConnection*>(self);
    if (attempt == 0) connection.waiting_since_ = Clock::now();
    if (Clock::now() - connection.waiting_since_ >= kBusyTimeout) return 0;
    if (connection.committing_) {
        std::this_thread::sleep_for(kBusyPause);
        return 1;
    }
    return connection.stop_.sleep(kBusyPause) ? 1 : 0;
}

int SqliteConnection::progress(void* self) {
    const auto& connection = *static_cast<const SqliteConnection*>(self);
    return connection.stop_.requested() && !connection.committing_ ? 1 : 0;
}

void SqliteConnection::commit() {
    struct Uninterrupted {
        explicit Uninterrupted(bool& flag) : flag_{flag} { flag_ = true; }
        ~Uninterrupted() { flag_ = false; }
        bool& flag_;
    } const uninterrupted{committing_};
    const auto began = Clock::now();
    for (;;) {
        try {
            db_.execute("COMMIT");
            return;
        } catch (const SqliteError& error) {
            if (!error.busy() || !db_.in_transaction() || Clock::now() - began >= kBusyTimeout) throw;
        }
        std::this_thread::sleep_for(kBusyPause);
    }
}

}  // namespace rowferry
