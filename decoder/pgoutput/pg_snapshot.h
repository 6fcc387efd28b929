#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "db/pg_link.h"
#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/leader.h"

namespace rowferry {

/// A consistent view of a PostgreSQL leader: one REPEATABLE READ transaction for the rows and one for the catalog, both on the same
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
    void open_table(const TablePtr& table) override;
    bool read_rows(Batch& batch, std::size_t budget) override;
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override;

private:
    std::uint64_t lsn_;
    PgSession catalog_;
    PgLink rows_;
    std::vector<PgTable> details_;
    std::vector<TablePtr> tables_;
    TablePtr open_;
};

}  // namespace rowferry
