#pragma once

#include <string>
#include <vector>

#include "decoder/sqlite_wal/commit_decoder.h"
#include "schemas/leader.h"

namespace rowferry {

/// A table's part that a stream carries. Unlike triggers the log has every row whole and tells of every row that REPLACE removes, so any column may be
/// left out that the identity does not need, and a filter may read any. Throws RefusedError.
struct WalTablePart {
    TablePtr carried;
    ColumnIndexes columns;     ///< Of the whole table.
    std::string filter;        ///< Expression; empty without one.
};
[[nodiscard]] WalTablePart wal_table_part(const StreamRequest& request, const TableSchema& whole);

/// Decides what a stream carries, from the tables that its checkpoint knows. One thread.
class WalTables : public TableChooser {
public:
    /// `where`: file and stream, for messages. `encoding`: of the leader's texts.
    WalTables(const StreamRequest& request, const Checkpoint& checkpoint, std::string where, std::string encoding);

    [[nodiscard]] CarriedTable appeared(const SqliteTable& table) override;
    [[nodiscard]] CarriedTable changed(const CarriedTable& was, const SqliteTable& before, const SqliteTable& now) override;
    void dropped(const CarriedTable&, const SqliteTable&) override {}
    void unreadable(const std::string& name, const std::string& why) override;

    /// From here on tables that appear are new ones. Throws HaltError for one that the checkpoint knows and the leader did not have.
    void begun();
    [[nodiscard]] std::vector<TableName> take_new() { return std::exchange(new_, {}); }

private:
    [[nodiscard]] CarriedTable carry(const TableSchema& whole) const;
    [[noreturn]] void halt(const TableSchema& table, const std::string& what) const;

    StreamRequest request_;
    std::vector<TableSchema> known_;  ///< Of the checkpoint, until they have appeared.
    std::vector<TableName> passed_over_;
    std::string where_;
    std::string encoding_;
    bool begun_ = false;
    std::vector<TableName> new_;
};

}  // namespace rowferry
