#include "decoder/pgoutput/pg_slot.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/position.h"

namespace rowferry {

std::optional<PgSlot> read_slot(PgSession& session, const std::string& name) {
    const PgRows rows = session.query(
        "select plugin, database, active, active_pid, coalesce(confirmed_flush_lsn, '0/0'), coalesce(wal_status, '') "
        "from pg_catalog.pg_replication_slots where slot_name = $1",
        {name});
    if (rows.empty()) return std::nullopt;
    return PgSlot{name, rows.text(0, 0), rows.text(0, 1), rows.boolean(0, 2), rows.text(0, 3), parse_lsn(rows.text(0, 4)), rows.text(0, 5)};
}

void wait_for_slot(PgSession& session, const std::string& name, const StopSignal& stop) {
    constexpr int kTries = 40;
    for (int tries = 0; tries < kTries; ++tries) {
        const auto slot = read_slot(session, name);
        if (!slot || !slot->active || !stop.sleep(std::chrono::milliseconds{25})) return;
    }
}

bool drop_slot(PgSession& session, const std::string& name, bool dry_run) {
    constexpr int kTries = 20;
    for (int tries = 0;; ++tries) {
        const auto slot = read_slot(session, name);
        if (!slot) return false;
        if (!slot->active) break;
        if (tries == kTries)
            throw RefusedError{fmt::format("slot {} is active (server process {}): stop the rowferry that reads it first", name, slot->active_pid)};
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    if (!dry_run) session.query("select pg_catalog.pg_drop_replication_slot($1)", {name});
    return true;
}

}  // namespace rowferry
