#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "db/pg_session.h"
#include "db/stop_signal.h"

namespace rowferry {

/// A replication slot as pg_replication_slots shows it.
struct PgSlot {
    std::string name;
    std::string plugin;
    std::string database;
    bool active = false;
    std::string active_pid;
    std::uint64_t confirmed_flush = 0;
    std::string wal_status;  ///< reserved, extended, unreserved, lost.
};

[[nodiscard]] std::optional<PgSlot> read_slot(PgSession& session, const std::string& name);

/// The last reader of a slot may have gone a moment ago, without the server having noticed. Waits for that, a little; who still holds it
/// after that is told by the attempt to read it.
void wait_for_slot(PgSession& session, const std::string& name, const StopSignal& stop);

/// Drops a slot that nobody reads. A slot whose reader just died may be active for a moment: waits a little, then RefusedError with the pid.
/// False when there is none.
bool drop_slot(PgSession& session, const std::string& name, bool dry_run);

}  // namespace rowferry
