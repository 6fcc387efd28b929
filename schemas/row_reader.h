#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "schemas/batch.h"

namespace rowferry {

/// In which form rows travel from a snapshot into a table.
enum class RowForm : std::uint8_t {
    cells,        ///< Inserts in a batch: between any two engines, with everything that rules and conversions want.
    copy_text,    ///< Lines of PostgreSQL's COPY in text format, as the leader wrote them.
    copy_binary,  ///< Rows of PostgreSQL's COPY in binary format, without its header and trailer.
};

/// Rows that nobody looks into on their way.
struct RawRows {
    std::string bytes;
    std::uint64_t rows = 0;
};

/// Reads tables of one snapshot, one after another. Readers of the same snapshot may work side by side, each on one thread.
/// Errors: RetryableError, HaltError.
class RowReader {
public:
    virtual ~RowReader() = default;
    /// Begins with the rows of `table` (one of the snapshot's) in `range` (one of Snapshot::ranges(); empty: all of it). Returns the form in
    /// which they come: `wanted`, or cells where that cannot be had.
    virtual RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) = 0;
    void open_table(const TablePtr& table) { open_table(table, {}, RowForm::cells); }
    /// Appends rows as inserts to `batch` until its size reaches `budget` bytes. False once the rows are at their end.
    virtual bool read_rows(Batch& batch, std::size_t budget) = 0;
    /// The same for rows in one of PostgreSQL's forms. Only where open_table() returned one.
    virtual bool read_raw(RawRows& rows, std::size_t budget);
};

}  // namespace rowferry
