#include "statements/sqlite/foreign_writes.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/sqlite/busy_timeout.h"
#include "statements/sqlite/same_content.h"
#include "triggers/sqlite/backup_copy.h"

namespace rowferry {
namespace {

constexpr int kPauseFactor = 10;  // a pause this many times as long follows a comparison

}  // namespace

ForeignWrites::ForeignWrites(const std::string& leader, ScratchCopy& scratch, const StopSignal& stop)
    : db_{leader, SqliteDatabase::Mode::read_write}, trail_{leader}, scratch_{scratch}, stop_{stop} {
    db_.set_busy_timeout(kBusyTimeoutMs);
    db_.execute("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0");
    // Whoever closes the file last would remove its log, and with it what tells our commits from others'.
    sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    const std::string settled = scratch_.note("settled_gap");
    settled_ = settled.empty() ? 0 : std::stoll(settled);
    refresh();
}

void ForeignWrites::refresh() { gaps_ = gaps_behind(db_, settled_); }

bool ForeignWrites::allows(Position position) const {
    return std::ranges::none_of(gaps_, [&](const LogGap& gap) { return static_cast<std::uint64_t>(gap.after) < position.major; });
}

bool ForeignWrites::look(std::int64_t last) {
    const std::string moment = trail_.begin_read(db_);
    struct End {
        SqliteDatabase& db;
        ~End() { db.rollback(); }
    } end{db_};
    if (moment == looked_at_ && gaps_.empty()) return false;
    const auto now = last_entry(db_);
    if (!now || now->number != last) return false;  // more to run first
    gaps_ = gaps_behind(db_, settled_);
    const bool explained = moment == compared_ || trail_.one_commit_between(noted_trail(db_), moment, db_);
    if (gaps_.empty() && explained) {
        looked_at_ = moment;
        return false;
    }
    if (Clock::now() < next_compare_) return false;
    return compare(moment, last, moment.starts_with("wal:"));
}

bool ForeignWrites::compare(const std::string& moment, std::int64_t last, bool wal) {
    const auto began = Clock::now();
    spdlog::debug("{}: a commit that the statement log does not explain: comparing with the scratch copy", printable(db_.path()));
    std::optional<std::string> difference;
    if (wal) {
        difference = first_difference(db_, scratch_.db(), stop_);
        if (!difference) settle(db_, moment);
    } else {
        // A long read would keep the application from committing.
        db_.rollback();
        BackupCopy copy{db_, stop_};
        const auto now = last_entry(copy.database());
        if (!now || now->number != last) return false;
        difference = first_difference(copy.database(), scratch_.db(), stop_);
        if (!difference) settle(copy.database(), moment);
    }
    next_compare_ = Clock::now() + (Clock::now() - began) * kPauseFactor;
    if (!difference) return true;
    const std::int64_t after = gaps_.empty() ? last : gaps_.front().after;
    throw HaltError{fmt::format("{}: {}. Something was written to it without `rowferry exec`, after {} at the earliest, and is not in its statement log. `rowferry drop LEADER FOLLOWER`, then `rowferry run` "
                                "with --on-existing truncate copies again; --capture triggers or logical follow every writer",
                                printable(db_.path()), *difference, to_string(PositionKind::log, {static_cast<std::uint64_t>(after), 0}))};
}

void ForeignWrites::settle(SqliteDatabase& leader, const std::string& moment) {
    for (const LogGap& gap : gaps_behind(leader, settled_)) settled_ = gap.id;
    scratch_.set_note("settled_gap", std::to_string(settled_));
    gaps_.clear();
    compared_ = moment;
}

}  // namespace rowferry
