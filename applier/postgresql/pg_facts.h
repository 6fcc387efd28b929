#pragma once

#include <vector>

#include "applier/postgresql/pg_query.h"
#include "schemas/pg_plan.h"

namespace rowferry {

/// What this follower has of all that making `tables` may need. Reads only.
[[nodiscard]] PgFollowerFacts read_facts(const PgRun& run, const std::vector<TablePtr>& tables, bool replica_role);

}  // namespace rowferry
