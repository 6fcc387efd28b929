#pragma once

#include <span>
#include <string_view>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// One row of COPY … TO STDOUT in text format:
///   row   := field ('\t' field)* '\n'
///   field := '\N' | (plain | '\' ('b' 'f' 'n' 'r' 't' 'v' '\'))*          -- the server escapes nothing else
/// Fills one cell per column of `table`, text copied into `arena`. Throws DecodeError naming table and column for any other content, for
/// another number of fields, and for text that is not UTF-8.
void decode_copy_row(std::string_view row, const TableSchema& table, Arena& arena, std::span<Cell> cells);

}  // namespace rowferry
