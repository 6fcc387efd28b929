#include "statements/sqlite/pinned_clock.h"

#include <stdexcept>
#include <utility>

#include <sqlite3.h>

namespace rowferry {
namespace {

constexpr std::int64_t kUnixEpochJulianMs = 210866760000000;  // 1970-01-01 in ms since the Julian day's zero

thread_local PinnedClock* pinned = nullptr;

int current_time(sqlite3_vfs*, sqlite3_int64* julian_ms) {
    if (pinned == nullptr) {
        sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
        return real->xCurrentTimeInt64(real, julian_ms);
    }
    std::int64_t instant = 0;
    if (!pinned->read(instant)) return SQLITE_ERROR;
    *julian_ms = instant + kUnixEpochJulianMs;
    return SQLITE_OK;
}

}  // namespace

const char* pinned_clock_vfs() {
    static sqlite3_vfs vfs = [] {
        sqlite3_initialize();
        const sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
        if (real == nullptr || real->iVersion < 2) throw std::runtime_error{"SQLite has no VFS with a clock"};
        sqlite3_vfs copy = *real;
        copy.zName = "rowferry-pinned-clock";
        copy.pNext = nullptr;
        copy.xCurrentTimeInt64 = current_time;
        return copy;
    }();
    static const int registered = sqlite3_vfs_register(&vfs, 0);
    if (registered != SQLITE_OK) throw std::runtime_error{"SQLite did not take a VFS"};
    return vfs.zName;
}

PinnedClock::PinnedClock(std::optional<std::int64_t> instant_ms) : instant_ms_{instant_ms}, outer_{std::exchange(pinned, this)} {}

PinnedClock::~PinnedClock() { pinned = outer_; }

bool PinnedClock::read(std::int64_t& instant_ms) noexcept {
    asked_ = true;
    instant_ms = instant_ms_.value_or(0);
    return instant_ms_.has_value();
}

void forbid_local_time() { sqlite3_test_control(SQLITE_TESTCTRL_LOCALTIME_FAULT, 1); }

}  // namespace rowferry
