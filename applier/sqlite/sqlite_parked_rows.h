#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "applier/sqlite/sqlite_table_plan.h"

namespace rowferry {

/// Rows of one table that cannot be written yet because another row still has one of their unique keys.
///
/// A PostgreSQL leader may check a unique key at the end of a statement or transaction (UPDATE t SET k = k + 1, two rows that swap
/// their keys); SQLite checks it row by row. Such a row waits in a temporary table until the row in its way is changed or removed, or at
/// the latest until the leader's transaction ends. Later changes to a waiting row are made where it waits.
///
///   leader, rows (1,a) (2,b)      follower table      parked
///   1 → 2                         (2,b)               (2,a)      2 is taken
///   2 → 3                         (3,b) (2,a)                    2 is free again
///
/// A key that is in the table and parked at once is told apart by the whole image before. A leader that sends only keys checks them at
/// once, so there it can only be a row that the follower should not have.
///
/// The temporary table lives in its own file, not in memory, and takes part in the follower's transaction. Not used for SQLite leaders.
class ParkedRows {
public:
    /// `name`: of the temporary table. Made inside the open transaction.
    ParkedRows(SqliteTablePlan& plan, const std::string& name);

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    // For the change that is loaded in the plan:
    void park_insert();                 ///< Its after image waits.
    void park_update();                 ///< The row leaves the table, takes the new values and waits.
    /// Throws HaltError when the row before cannot be told.
    [[nodiscard]] bool row_is_parked();
    void update_parked();               ///< And tries whether it has to wait any longer.
    void remove_parked();

    /// Before the row in the table is changed or removed: notes which parked rows wait for one of its keys.
    void note_waiting();
    /// After it: writes those that need not wait any longer.
    void write_waiting();

    void remove_all();
    /// End of the leader's transaction: writes all. A duplicate is a HaltError that names the row.
    void write_all();

private:
    bool write(std::int64_t rowid);
    std::string describe(std::int64_t rowid);
    SqliteStatement& update_statement();
    std::int64_t find(SqliteStatement& statement);

    SqliteTablePlan& plan_;
    std::string name_;
    std::int64_t count_ = 0;
    std::int64_t found_ = 0;              // parked row of the loaded change
    std::vector<std::int64_t> waiting_;
    std::vector<bool> update_set_;
    SqliteStatement park_new_, park_row_, find_, find_same_, update_, unpark_, forget_, all_;
    std::vector<SqliteStatement> waiting_for_;
};

}  // namespace rowferry
