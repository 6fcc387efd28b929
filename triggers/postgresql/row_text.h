#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "schemas/arena.h"
#include "schemas/cell.h"

namespace rowferry::pg_capture {

/// Where the fields of a row's text go: for each field the column of the cells, or -1 for one that is not carried.
using FieldMap = std::vector<std::int32_t>;

/// Fields of a row as record_out() writes it: row := '(' field (',' field)* ')', field := nothing for NULL | plain | '"' quoted '"', in which " and \ are doubled.
/// A row without columns is `()`, which is that of one NULL as well: 1. Throws DecodeError for anything else. Messages hold no values.
[[nodiscard]] std::size_t count_fields(std::string_view text);

/// Decodes into `cells`, which begin as they are: what no field goes to stays. Values are copied into the arena. Throws DecodeError: another number of fields than
/// `map` has, text that is not UTF-8, bad quoting.
void decode_row(std::string_view text, const FieldMap& map, Arena& arena, std::span<Cell> cells);

}  // namespace rowferry::pg_capture
