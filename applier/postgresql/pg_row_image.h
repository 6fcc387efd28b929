#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A SQLite row as JSON that keeps every value's storage class and bytes, for a side table that people read:
/// `{"id": {"integer": 5}, "name": {"text": "ann"}, "x": {"real": "0.1"}, "y": {"blob": "00ff"}, "z": null}`.
/// A real is a string (the shortest form that reads back as the same bits), and a text that is not valid UTF-8 or holds a NUL character is
/// `{"text_hex": "6100"}`. The same cells always give the same text. Columns in the order of `columns`.
[[nodiscard]] std::string image_json(const TableSchema& table, const ColumnIndexes& columns, std::span<const Cell> row);

/// The cells of an image, one per column of `table`; absent where the image has no such column. Their bytes are in `arena`.
/// Throws HaltError for anything that image_json() did not write.
[[nodiscard]] std::vector<Cell> image_from_json(const std::string& json, const TableSchema& table, Arena& arena);

/// `INTEGER`, `REAL`, `TEXT`, `BLOB`, `NULL`, for messages.
[[nodiscard]] std::string_view storage_class(const Cell& cell);

/// Appends the cell's storage class and bytes: two cells give the same bytes only if they are the same to the last bit.
void append_exact(std::string& out, const Cell& cell);

/// Appends what a unique index of SQLite with `collation` compares: two cells give the same bytes when they are equal there. False for
/// NULL, which is equal to nothing. Collations other than NOCASE and RTRIM compare bytes.
[[nodiscard]] bool append_folded(std::string& out, const Cell& cell, std::string_view collation);

}  // namespace rowferry
