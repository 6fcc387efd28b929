#pragma once

#include <string>
#include <string_view>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// How a leader's cell becomes what the follower binds. Resolved once per column; converting is a switch, no parsing of type names.
enum class Conversion : std::uint8_t {
    identity,          ///< PostgreSQL text → PostgreSQL text; SQLite → SQLite native values.
    // PostgreSQL text form → SQLite value.
    text_to_integer,   ///< int2 int4 int8 oid: int64, exact or ValueError.
    text_to_boolean,   ///< t/f → 1/0.
    text_to_real,      ///< float4 float8: the double; NaN stays the text 'NaN' (SQLite has no NaN).
    hex_to_blob,       ///< bytea `\x…`.
    // SQLite value → PostgreSQL. The result is text (its type's input form), or a blob cell for bytea, which is bound in binary.
    to_bigint,         ///< integer; for narrower targets too, PostgreSQL checks the range.
    to_boolean,        ///< integer 0/1.
    to_double,         ///< real, integer (exact in a double), text 'NaN'; shortest form that reads back the same.
    to_numeric,        ///< integer; real in shortest form; decimal text; finite, or NaN/Infinity as PostgreSQL writes them.
    to_text,           ///< text without NUL and with valid UTF-8; anything else is a ValueError.
    to_bytea,          ///< blob; text is a ValueError.
    to_date, to_time, to_timestamp, to_timestamptz, to_uuid, to_json,  ///< text in the type's form, checked by shape.
    to_other,          ///< text handed to the type's input function.
};

/// Declared type of a new follower column, and what is lost in it if anything is.
struct ColumnMapping {
    std::string type;   ///< Ready for DDL on the follower.
    std::string note;   ///< Empty for an identity mapping; else one line for the log.
};

/// Follower column for a leader column, by the policy of docs/types.md. Throws RefusedError when there is none.
[[nodiscard]] ColumnMapping map_column(const TableSchema& table, std::uint16_t column, Engine to);

/// Conversion into an existing follower column, `target` being its declared type (PostgreSQL: format_type of the base type).
/// Throws RefusedError when the column cannot hold the leader's values exactly (a NUMERIC-affinity column for PostgreSQL's numeric, say).
[[nodiscard]] Conversion resolve_conversion(const TableSchema& table, std::uint16_t column, Engine to, std::string_view target);

/// Applies it. null, unchanged and absent pass through. New bytes go to `arena`. Throws ValueError.
[[nodiscard]] Cell convert(Conversion conversion, const Cell& cell, Arena& arena);

/// SQLite's rules for the affinity of a declared type (https://www.sqlite.org/datatype3.html, 3.1).
enum class Affinity : std::uint8_t { integer, text, blob, real, numeric };
[[nodiscard]] Affinity sqlite_affinity(std::string_view declared_type);

/// What a declared SQLite type means before a profile is looked at.
[[nodiscard]] ValueClass sqlite_value_class(std::string_view declared_type);

}  // namespace rowferry
