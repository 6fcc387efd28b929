#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "applier/postgresql/pg_target.h"
#include "applier/postgresql/pg_query.h"
#include "schemas/follower.h"
#include "schemas/pg_plan.h"

namespace rowferry {

/// What a follower looks like to a table set. Reads only.
struct PgTargetCheck {
    PgRun run;          ///< Not inside a transaction: an unknown type is an error of the server.
    bool replica_role;  ///< May session_replication_role be set?
    std::string role;   ///< Ourselves, for messages.

    /// Types and schemas of tables that do not exist yet. Throws RefusedError.
    [[nodiscard]] PgMakePlan plan_missing(const std::vector<TablePtr>& tables, const std::map<TableName, PgTarget>& existing) const;

    /// Why the existing table cannot serve, one line each. Nothing about its rows.
    [[nodiscard]] std::vector<std::string> problems(const TableSchema& leader, const PgTarget& existing) const;

    /// The whole of Follower::check_tables(). Throws RefusedError; returns notes.
    [[nodiscard]] std::vector<std::string> check(const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                                 const Checkpoint* unfinished) const;

    /// Follower names of the tables, in their order.
    [[nodiscard]] static std::vector<TableName> names(const std::vector<TablePtr>& tables);

private:
    void check_types(const PgMakePlan& plan) const;
    void check_rights(const PgMakePlan& plan) const;
    void check_emptying(const std::map<TableName, PgTarget>& existing) const;
};

}  // namespace rowferry
