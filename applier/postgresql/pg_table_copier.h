#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "applier/postgresql/pg_shared_link.h"
#include "applier/postgresql/pg_target_check.h"
#include "schemas/follower.h"

namespace rowferry {

/// Copies single tables into a PostgreSQL follower. Requests live in rowferry.table_copy, rows on their way in tables rowferry.copy_…,
/// which have the columns of the real table and nothing else. The swap deletes and inserts instead of truncating or renaming: readers are never
/// in the way of it, see the old rows until it commits, and everything that hangs on the table stays. Only a table of another shape is
/// dropped and made again.
class PgTableCopier : public TableCopier {
public:
    /// What the follower gives us: its connections.
    struct Access {
        std::function<PgRun()> control;
        std::function<PgTargetCheck()> preflight;
        std::function<std::shared_ptr<PgSharedLink>()> link;
    };
    PgTableCopier(Access access, std::string stream) : access_{std::move(access)}, stream_{std::move(stream)} {}

    [[nodiscard]] std::vector<TableCopy> load() override;
    void save(const TableCopy& copy) override;
    bool withdraw(const std::string& id) override;
    [[nodiscard]] std::vector<std::string> check(const std::vector<TablePtr>& tables, const Checkpoint& checkpoint,
                                                 const FollowerOptions& options) override;
    void stage(TableCopy& copy) override;
    [[nodiscard]] std::unique_ptr<CopyTarget> copy_into(const CopiedTable& table) override;
    void swap_in(const TableCopy& copy, const Checkpoint& checkpoint) override;
    void discard(const TableCopy& copy) override;

private:
    /// What the swap does with each table.
    struct Plan {
        std::vector<TablePtr> tables;
        std::map<TableName, PgTarget> kept;  ///< Follower tables that stay, by name; the others are made.
        std::vector<TableName> dropped;
        PgMakePlan make;
    };
    [[nodiscard]] Plan plan(const PgTargetCheck& looked, const std::vector<TablePtr>& tables, const Checkpoint& checkpoint) const;
    [[nodiscard]] Plan stored_plan(const PgTargetCheck& looked, const TableCopy& copy, const std::vector<TablePtr>& tables) const;
    [[nodiscard]] Checkpoint stored_checkpoint(const PgRun& run) const;
    void write(const PgRun& run, const TableCopy& copy) const;
    void drop_staging(const PgRun& run, const TableCopy& copy) const;

    Access access_;
    std::string stream_;
};

/// Removes what copies of a stream left; with the last stream also the table of requests. The caller holds the transaction.
void drop_pg_table_copies(const PgRun& run, const std::string& stream);

}  // namespace rowferry
