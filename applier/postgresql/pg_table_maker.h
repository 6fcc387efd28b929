#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "applier/postgresql/pg_target.h"
#include "applier/postgresql/pg_target_check.h"
#include "applier/postgresql/pg_query.h"

namespace rowferry {

/// What the follower's own numbering of a column continues with.
struct PgNextNumber {
    TableName table;
    std::string column;
    std::int64_t next = 1;
};

/// DDL of a copy, on the connection whose transaction it belongs to.
namespace pg_tables {

void make(const PgRun& run, const PgMakePlan& plan);
/// Empties all of them together, so that foreign keys among them do not matter. Tables without rows are left alone.
void empty(const PgRun& run, const std::map<TableName, PgTarget>& existing);

/// Unique constraints, indexes and foreign keys of the tables in `made` (follower names), then statistics for all.
/// Foreign keys that the leader's own rows break stay unchecked for old rows, or are left out where they would be checked for new ones;
/// both are warned about.
void finish(const PgRun& run, const std::vector<TablePtr>& tables, const std::set<TableName>& made, bool replica_role);

void set_next_numbers(const PgRun& run, const std::vector<PgNextNumber>& numbers);

}  // namespace pg_tables
}  // namespace rowferry
