#pragma once

#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/leader.h"

namespace rowferry::pg_capture {

/// Everything on the leader that can be found wrong before the first write. Throws RefusedError naming the exact setting, right or table.
void check_leader(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables);
/// The same for tables that a running stream copies again or gets in addition.
void check_tables(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables);

}  // namespace rowferry::pg_capture
