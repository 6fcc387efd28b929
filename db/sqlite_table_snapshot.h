#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_rows.h"
#include "schemas/leader.h"

namespace rowferry {

/// What snapshots of a SQLite leader share, however its changes are captured: the tables that they carry, and their rows out of one read transaction.
class SqliteTableSnapshot : public Snapshot {
public:
    [[nodiscard]] std::vector<TablePtr> tables() const override { return tables_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override { return rows_->estimated_rows(table); }
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& /*range*/, RowForm /*wanted*/) override {
        rows_->open(table, filters_[table->name]);
        return RowForm::cells;
    }
    bool read_rows(Batch& batch, std::size_t budget) override { return rows_->read(batch, budget); }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override { return rows_->next_number(table, column); }

protected:
    std::vector<TablePtr> tables_;
    std::map<TableName, std::string> filters_;  ///< Expressions, of tables of which not all rows are carried.
    std::unique_ptr<SqliteRows> rows_;          ///< To be made with the view that they are read from, and to be gone before its transaction ends.
};

}  // namespace rowferry
