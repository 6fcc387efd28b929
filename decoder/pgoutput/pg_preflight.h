#pragma once

#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/leader.h"

namespace rowferry {

/// Everything on a PostgreSQL leader that can be found wrong before the first write. Throws RefusedError naming the exact setting, right or
/// table; logs warnings for what is legal but dangerous.
void check_pg_leader(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables, const std::string& slot);

/// A leader that is itself a follower whose copy is not complete is no leader yet.
void check_not_copying(PgSession& session);

/// The same for tables that a running stream copies again or gets in addition.
void check_pg_tables(PgSession& session, const std::string& stream, const std::vector<PgTable>& tables);

/// Applies --keyless to the tables the request selects: marks them insert-only, or gives them the whole row as identity. Throws
/// RefusedError that lists the tables with the ALTER TABLE to run.
void settle_keyless_tables(std::vector<PgTable>& tables, KeylessMode mode, int server_version);

}  // namespace rowferry
