#include "triggers/sqlite/backup_copy.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kStepTime = milliseconds{5};  // how long an application's write may have to wait for one step
constexpr auto kBackupBusyLimit = std::chrono::seconds{30};
constexpr int kFirstStep = 64;  // pages

struct BackupFinish {
    void operator()(sqlite3_backup* backup) const noexcept { sqlite3_backup_finish(backup); }
};

}  // namespace

std::string copy_folder() {
    const char* folder = std::getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

BackupCopy::BackupCopy(SqliteDatabase& leader, const StopSignal& stop) {
    std::string name = copy_folder() + "/rowferry-snapshot-XXXXXX";
    const int fd = ::mkstemp(name.data());
    if (fd < 0)
        throw RetryableError{fmt::format("{}: cannot make a file for the copy of the leader (set TMPDIR): {}", printable(copy_folder()),
                                         std::strerror(errno))};
    ::close(fd);
    try {
        copy_ = std::make_unique<SqliteDatabase>(name, SqliteDatabase::Mode::create);
        // The file stays open with us when its name goes. Any journal but one in memory would be looked for beside that name (and OFF is
        // not to be had in defensive mode); in a new file there is nothing to put into it.
        copy_->execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
        (void)copy_->query_integer("SELECT count(*) FROM sqlite_schema");
    } catch (...) {
        ::unlink(name.c_str());
        throw;
    }
    ::unlink(name.c_str());
    restarts_ = copy_gently(leader, *copy_, stop);
}

int copy_gently(SqliteDatabase& leader, SqliteDatabase& copy, const StopSignal& stop) {
    const std::unique_ptr<sqlite3_backup, BackupFinish> backup{sqlite3_backup_init(copy.handle(), "main", leader.handle(), "main")};
    if (!backup) copy.fail(sqlite3_errcode(copy.handle()), "beginning the copy");
    int restarts = 0;
    int step = kFirstStep;
    int least = kFirstStep;  // doubles with every restart
    int last_remaining = -1;
    Clock::time_point busy_since{};
    for (;;) {
        stop.check();
        const auto began = Clock::now();
        const int code = sqlite3_backup_step(backup.get(), step);
        const auto took = Clock::now() - began;
        if (code == SQLITE_DONE) return restarts;
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            if (busy_since == Clock::time_point{}) busy_since = began;
            if (Clock::now() - busy_since > kBackupBusyLimit)
                throw RetryableError{fmt::format("{}: the file was locked for {} s while it was to be copied", printable(leader.path()),
                                                 kBackupBusyLimit.count())};
            stop.sleep(milliseconds{2});
            continue;
        }
        if (code != SQLITE_OK)
            throw SqliteError{code, fmt::format("copying {} into {}: {}", printable(leader.path()), printable(copy.path()), sqlite3_errstr(code))};
        busy_since = {};
        const int remaining = sqlite3_backup_remaining(backup.get());
        if (last_remaining >= 0 && remaining > last_remaining - std::min(step, last_remaining)) {
            ++restarts;
            least = least > (1 << 29) ? least : least * 2;
        }
        last_remaining = remaining;
        if (took > kStepTime)
            step /= 2;
        else if (took < kStepTime / 2 && step < (1 << 29))
            step *= 2;
        step = std::max(step, least);
        stop.sleep(std::max(milliseconds{1}, std::chrono::duration_cast<milliseconds>(took)));
    }
}

}  // namespace rowferry
