#pragma once

#include <string>

#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A value or NULL as a literal (SQLite: an expression of literals) of its engine's dialect that gives exactly that value and stands on one line:
/// control characters are escaped, so that no value does anything to the terminal it is read on.
void append_sql_literal(const Cell& cell, const ColumnSchema& column, Engine engine, std::string& out);

}  // namespace rowferry
