#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "decoder/pgoutput/pg_row_reader.h"
#include "schemas/leader.h"

namespace rowferry {

/// A consistent view of a PostgreSQL leader: one REPEATABLE READ transaction for the catalog and one for each reader of rows, all on the same
/// exported snapshot. Tables are held in ACCESS SHARE, as pg_dump does: a TRUNCATE or ALTER TABLE of the application waits for the copy.
class PgSnapshot : public Snapshot {
public:
    /// Imports `exported` (pg_export_snapshot or the slot's); the exporting transaction may end after the constructor.
    PgSnapshot(const PgConninfo& conninfo, const std::string& application, const std::string& exported, std::uint64_t lsn, const StopSignal& stop);

    /// Locks and reads the tables as they are in this snapshot. `requested` gives the oids and what the stream decided about each.
    void use_tables(const std::vector<PgTable>& requested, const StreamRequest& request);

    [[nodiscard]] Position position() const override { return {lsn_, 0}; }
    [[nodiscard]] std::vector<TablePtr> tables() const override { return tables_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override;
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override { return first_->open_table(table, range, wanted); }
    bool read_rows(Batch& batch, std::size_t budget) override { return first_->read_rows(batch, budget); }
    bool read_raw(RawRows& rows, std::size_t budget) override { return first_->read_raw(rows, budget); }
    /// By blocks, where the table has many.
    [[nodiscard]] std::vector<std::string> ranges(const TableSchema& table, std::size_t most) override;
    [[nodiscard]] std::unique_ptr<RowReader> another_reader() override;
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override;

private:
    PgConninfo conninfo_;
    std::string application_;
    const StopSignal& stop_;
    std::uint64_t lsn_;
    PgSession catalog_;
    std::shared_ptr<std::vector<PgTable>> details_ = std::make_shared<std::vector<PgTable>>();
    std::unique_ptr<PgRowReader> first_;
    std::vector<TablePtr> tables_;
    std::string exported_;  // by catalog_, for further readers
};

}  // namespace rowferry
