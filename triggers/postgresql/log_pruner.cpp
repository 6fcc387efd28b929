#include "triggers/postgresql/log_pruner.h"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "schemas/identifier.h"
#include "triggers/postgresql/capture_sql.h"

namespace rowferry::pg_capture {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSlotBytes = 64 * 1024 * 1024;
constexpr std::chrono::seconds kTickInterval{10};
constexpr std::chrono::minutes kAbandonedInterval{10};
constexpr int kSilentSeconds = 3600;

}  // namespace

LogPruner::LogPruner(PgSession& session, std::string stream, std::string follower_id) : session_{session}, stream_{std::move(stream)}, follower_id_{std::move(follower_id)} {}

void LogPruner::acknowledge(std::uint64_t tick, const std::string& snapshot) {
    session_.query(
        "update rowferry.capture_stream set acked = $1, acked_snapshot = $2::pg_catalog.pg_snapshot, acked_at = pg_catalog.clock_timestamp() where stream = $3 and follower_id = $4 and acked <= $1",
        {std::to_string(tick), snapshot, stream_, follower_id_});
}

void LogPruner::prune() {
    const auto now = Clock::now();
    rotate();
    if (now >= next_ticks_) {
        next_ticks_ = now + kTickInterval;
        session_.query("delete from rowferry.capture_tick where number < (select min(acked) from rowferry.capture_stream)");
    }
    if (now >= next_abandoned_) {
        next_abandoned_ = now + kAbandonedInterval;
        look_for_abandoned();
    }
}

void LogPruner::rotate() {
    std::string sizes;
    for (int slot = 0; slot < kSlots; ++slot) sizes += fmt::format(", pg_catalog.pg_total_relation_size('rowferry.capture_change_{0}'), pg_catalog.pg_relation_size('rowferry.capture_change_{0}')", slot);
    const PgRows rows = session_.query("select current" + sizes + " from rowferry.capture_slot");
    const auto current = static_cast<int>(rows.integer(0, 0));
    const auto total = [&](int slot) { return rows.integer(0, static_cast<std::size_t>(1 + 2 * slot)); };
    const auto filled = [&](int slot) { return rows.integer(0, static_cast<std::size_t>(2 + 2 * slot)) > 0; };
    std::optional<int> empty;
    more_to_prune_ = false;
    for (int step = 1; step < kSlots; ++step) {
        const int slot = (current + step) % kSlots;
        if (filled(slot) && !empty_slot(slot))
            more_to_prune_ = true;
        else if (!empty)
            empty = slot;
    }
    if (!empty || total(current) <= kSlotBytes) return;
    session_.query(fmt::format("update rowferry.capture_slot set current = {} where current = {}", *empty, current));
    more_to_prune_ = true;
}

/// Under the lock nobody's uncommitted rows can be in it, and so it can be told whether every stream has all of it.
bool LogPruner::empty_slot(int slot) {
    try {
        PgTransaction transaction{session_};
        session_.query(fmt::format("LOCK TABLE ONLY rowferry.capture_change_{} IN ACCESS EXCLUSIVE MODE NOWAIT", slot));
        const PgRows needed = session_.query(fmt::format(
            "select exists (select from rowferry.capture_stream s cross join lateral (select from rowferry.capture_change_{0} c where c.xid >= pg_catalog.pg_snapshot_xmax(s.acked_snapshot)::text::bigint "
            "limit 1) x) or exists (select from rowferry.capture_stream s cross join lateral pg_catalog.pg_snapshot_xip(s.acked_snapshot) r(xid) join rowferry.capture_change_{0} c "
            "on c.xid = r.xid::text::bigint)",
            slot));
        if (needed.boolean(0, 0)) return false;
        session_.query(fmt::format("TRUNCATE rowferry.capture_change_{}", slot));
        transaction.commit();
        return true;
    } catch (const PgError& error) {
        if (error.sqlstate() != "55P03") throw;
        return false;  // a transaction that wrote to it is still open: the next time, then
    }
}

void LogPruner::look_for_abandoned() {
    const PgRows rows = session_.query(
        "select stream, extract(epoch from pg_catalog.clock_timestamp() - acked_at)::bigint / 60, (select pg_catalog.pg_size_pretty(sum(pg_catalog.pg_total_relation_size(c.oid))) "
        "from pg_catalog.pg_class c where c.relnamespace = 'rowferry'::regnamespace and starts_with(c.relname, 'capture_change_') and c.relkind = 'r') "
        "from rowferry.capture_stream where acked_at < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1) and stream <> $2",
        {std::to_string(kSilentSeconds), stream_});
    for (std::size_t row = 0; row < rows.size(); ++row)
        spdlog::warn("stream {} has acknowledged nothing for {} minutes: the leader keeps the log of all changes for it ({} now). `rowferry drop LEADER --stream {}` gives it up",
                     printable(rows.text(row, 0), 40), rows.integer(row, 1), rows.text(row, 2), printable(rows.text(row, 0), 40));
}

}  // namespace rowferry::pg_capture
