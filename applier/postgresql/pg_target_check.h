#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "applier/postgresql/pg_target.h"
#include "applier/postgresql/pg_query.h"
#include "schemas/follower.h"

namespace rowferry {

/// What has to be made before the rows come.
struct PgMakePlan {
    struct Enum {
        std::vector<std::string> name;  ///< Qualified, in parts.
        std::vector<std::string> labels;
    };
    struct Table {
        TablePtr leader;
        TableName name;
        std::vector<std::string> types;  ///< One per column; names of types of this follower.
    };
    std::vector<std::string> schemas;
    std::vector<Enum> enums;
    std::vector<Table> tables;
    std::set<std::string> domains;   ///< Of rowferry's own (pg_own_domains.h), not there yet.
    std::vector<std::string> notes;  ///< What is not an identity mapping, one line each.
};

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
    [[nodiscard]] std::string column_type(const TableSchema& table, std::uint16_t column, PgMakePlan& plan) const;
    void check_rights(const PgMakePlan& plan) const;
    void check_emptying(const std::map<TableName, PgTarget>& existing) const;
};

}  // namespace rowferry
