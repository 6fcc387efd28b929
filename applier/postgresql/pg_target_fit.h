#pragma once

#include <map>
#include <string>
#include <vector>

#include "applier/postgresql/pg_target.h"
#include "schemas/user_type.h"

namespace rowferry {

/// Whether a table that was on the follower before the stream may serve it, beyond its columns being there with wide enough types: only asked
/// before the first copy, as what the user changes afterwards shows at the row that it refuses. Pure.
struct PgTargetFit {
    bool replica_role;                    ///< Replicated rows are written with session_replication_role = replica.
    std::map<TableName, UserType> types;  ///< The follower's own of the leader's names.

    /// Rows that the leader takes and this table refuses or changes, one line each.
    [[nodiscard]] std::vector<std::string> problems(const TableSchema& leader, const PgTarget& existing) const;

    /// What only some rows would break: rowferry cannot know whether there will be such ones.
    [[nodiscard]] std::vector<std::string> notes(const TableSchema& leader, const PgTarget& existing) const;
};

}  // namespace rowferry
