#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_query.h"
#include "schemas/checkpoint.h"
#include "schemas/follower.h"

namespace rowferry {

/// rowferry.quarantine, the side table of a PostgreSQL follower: one row per stream, follower table and key whose last image does not fit
/// into the table, with that image whole. Made when a stream first asks for it. The sink and the copy write it in the transaction of their
/// rows; everything else is here. `run` decides on the transaction.
namespace pg_quarantine {

[[nodiscard]] bool exists(const PgRun& run);
/// Makes the side table where it is missing.
void create_table(const PgRun& run);

/// Forgets the rows of a stream, or of one of its tables (follower name).
void clear(const PgRun& run, const std::string& stream);
void clear(const PgRun& run, const std::string& stream, const TableName& table);

/// Rows that a copy could not place in a staging table become those of the table it takes the place of.
void rename(const PgRun& run, const std::string& stream, const TableName& staging, const TableName& table);

/// Keys per follower table, those with any, by name.
[[nodiscard]] std::vector<QuarantinedTable> counts(const PgRun& run, const std::string& stream);

/// Hands over every image of a stream's table, in pieces, so that memory stays bounded.
void load(const PgRun& run, const std::string& stream, const TableName& table, const std::function<void(const std::string& image)>& take);

/// `('stream', 'schema', …)`: one row for insert_rows(), of a row that a copy could not place.
[[nodiscard]] std::string row_values(const std::string& stream, const PgTablePlan& plan, std::span<const Cell> row, const PgMisfit& misfit);
void insert_rows(const PgRun& run, const std::string& values);

/// For `drop`: one line per removed object. With the last stream the table goes as well.
std::vector<std::string> drop(const PgRun& run, const std::vector<std::string>& streams, bool last, bool dry_run);

}  // namespace pg_quarantine
}  // namespace rowferry
