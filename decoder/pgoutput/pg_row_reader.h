#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/pg_link.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/row_reader.h"

namespace rowferry {

/// Reads rows by COPY … TO STDOUT in a REPEATABLE READ transaction of its own on an exported snapshot.
class PgRowReader : public RowReader {
public:
    /// Imports `exported`, which has to live until then. `details`: what is known of the snapshot's tables.
    PgRowReader(const PgConninfo& conninfo, const std::string& application, const std::string& exported,
                std::shared_ptr<const std::vector<PgTable>> details, const StopSignal& stop);

    /// Ranges are SQL conditions over ctid.
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override;
    bool read_rows(Batch& batch, std::size_t budget) override;
    bool read_raw(RawRows& rows, std::size_t budget) override;

private:
    PgLink link_;
    std::shared_ptr<const std::vector<PgTable>> details_;
    TablePtr open_;
    bool at_header_ = false;  // of the binary form
    bool binary_ = false;
};

/// `BEGIN …; SET TRANSACTION SNAPSHOT …`
[[nodiscard]] std::string import_snapshot(const std::string& exported);
/// `ONLY "public"."t"`: partitioned tables hold no rows themselves; every other table is copied without its inheritance children, which are
/// tables of their own.
[[nodiscard]] std::string rows_of(const PgTable& table);
/// The table in `details` that `table` was made from.
[[nodiscard]] const PgTable& detail_of(const std::vector<PgTable>& details, const TableSchema& table);

}  // namespace rowferry
