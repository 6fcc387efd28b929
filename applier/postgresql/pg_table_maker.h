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

void make(const PgRun& run, const PgMakePlan& plan, PgKeys keys = PgKeys::at_once);
/// Empties all of them together, so that foreign keys among them do not matter. Tables without rows are left alone.
void empty(const PgRun& run, const std::map<TableName, PgTarget>& existing);

/// What this copy made, by the follower's names.
struct PgMade {
    std::set<TableName> tables;
    std::set<TableName> parents;  ///< Partitioned tables above some of them.
    PgKeys keys = PgKeys::at_once;  ///< How it made them.
};

/// Indexes, checks, comments and foreign keys of the tables in `made`, then statistics for all. What the follower refuses is left out with a
/// warning; foreign keys that the leader's own rows break stay unchecked for old rows.
void finish(const PgRun& run, const std::vector<TablePtr>& tables, const PgMade& made, bool replica_role);

void set_next_numbers(const PgRun& run, const std::vector<PgNextNumber>& numbers);

}  // namespace pg_tables
}  // namespace rowferry
