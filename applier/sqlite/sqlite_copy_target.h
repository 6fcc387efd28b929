#pragma once

#include <cstdint>

#include "applier/sqlite/sqlite_connection.h"
#include "applier/sqlite/sqlite_table_plan.h"
#include "schemas/follower.h"

namespace rowferry {

/// Loads one table during the copy, by prepared inserts. Commits every few thousand rows, unless the caller holds one transaction around
/// the whole copy (clone). Belongs to the follower that made it.
class SqliteCopyTarget : public CopyTarget {
public:
    SqliteCopyTarget(SqliteConnection& connection, const TablePtr& table, const FollowerTable& follower, bool own_transactions);
    ~SqliteCopyTarget() override;

    void write(std::span<const Event> rows) override;
    void finish() override;

private:
    void write(const Change& change);

    SqliteConnection& connection_;
    SqliteTablePlan plan_;
    bool own_transactions_;
    Arena arena_;
    std::uint64_t rows_ = 0;   // in the open transaction
    std::uint64_t bytes_ = 0;  // converted or bound in it, about
};

}  // namespace rowferry
