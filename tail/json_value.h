#pragma once

#include <string>
#include <string_view>

#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// JSON text (RFC 8259, UTF-8) that every reader takes exactly, also one that knows no numbers but doubles. docs/audit.md has the rules for users.

/// Valid UTF-8, in which NUL may occur.
[[nodiscard]] bool is_utf8(std::string_view text);

/// A string; control characters as \u00XX. `text` is_utf8().
void append_json_string(std::string_view text, std::string& out);

/// A value or NULL of a column. What JSON would damage is an object with one member, whose name says what the text in it is:
///
///   null, true, false
///   7                        an integer within ±(2^53 - 1)
///   {"integer":"…"}          any other integer
///   0.1                      a real with a fraction
///   {"real":"7"}             a whole one, -0, NaN, Infinity, -Infinity
///   "…"                      SQLite TEXT; every other PostgreSQL type in its text form
///   {"bytes":"ff00"}         bytea, BLOB
///   {"text":"ff00"}          SQLite TEXT that is not UTF-8
void append_json_value(const Cell& cell, const ColumnSchema& column, Engine engine, std::string& out);

}  // namespace rowferry
