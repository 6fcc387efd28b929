#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "applier/postgresql/pg_copy_stream.h"
#include "applier/postgresql/pg_shared_link.h"
#include "applier/postgresql/pg_table_plan.h"
#include "schemas/error.h"
#include "schemas/follower.h"

namespace rowferry {

/// Loads one table during the copy. Every write() is a COPY of its own whose outcome the next call waits for, so that the server works
/// while the leader is read, and a complaint still leads to the row.
class PgCopyTarget : public CopyTarget {
public:
    /// `own_transaction`: begin and commit here; otherwise the caller's transaction is open. `stream`: whose rows go to rowferry.quarantine
    /// when they do not fit and that is asked for.
    PgCopyTarget(std::shared_ptr<PgSharedLink> shared, const TableSchema& leader, const PgTarget& follower, bool own_transaction,
                 std::string stream);
    ~PgCopyTarget() override;

    void write(std::span<const Event> rows) override;
    [[nodiscard]] RowForm raw_form() const override { return plan_.raw_form(); }
    void write_raw(RawRows& rows) override;
    void finish() override;

private:
    void collect();
    void quarantine(const Change& row, const ValueError& error);
    [[noreturn]] void fail(const Change& row, const ValueError& error) const;

    std::shared_ptr<PgSharedLink> shared_;
    PgLink& link_;  // of shared_, while that has it
    PgTablePlan plan_;
    PgCopyStream copy_;
    PgMismatchLog mismatches_;
    std::string stream_;
    std::string quarantined_;  // VALUES of rowferry.quarantine, still to be written
    bool own_transaction_;
    bool open_ = false;
    std::uint64_t rows_ = 0;  // accepted by the server
};

/// For the follower's table of `table` as it is now. Throws HaltError when it is gone.
[[nodiscard]] std::unique_ptr<PgCopyTarget> open_pg_copy_target(const std::shared_ptr<PgSharedLink>& shared, const TablePtr& table,
                                                                bool own_transaction, const std::string& stream);

}  // namespace rowferry
