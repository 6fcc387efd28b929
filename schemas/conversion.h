#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// How a leader's cell becomes what the follower binds. Resolved once per column; converting is a switch, no parsing of type names.
/// Behaves like its Kind in comparisons and switches.
struct Conversion {
    enum Kind : std::uint8_t {
        identity,          ///< PostgreSQL text → PostgreSQL text, or SQLite text; SQLite → SQLite native values.
        // PostgreSQL text form → SQLite value.
        text_to_integer,   ///< int2 int4 int8 oid: int64, exact or ValueError.
        text_to_boolean,   ///< t/f → 1/0.
        text_to_real,      ///< float8: the double; NaN stays the text 'NaN' (SQLite has no NaN).
        text_to_float4,    ///< float4: the float, widened exactly; NaN as above.
        hex_to_blob,       ///< bytea `\x…`.
        sqlite_numeric_to_number,  ///< Domain sqlite_numeric: the integer or double that SQLite had, or ValueError.
        sqlite_value_to_cell,      ///< Domain sqlite_value: the value that SQLite had (schemas/tagged_value.h).
        time_to_epoch,     ///< date, timestamp, timestamptz → integer, or real for Julian days. `limit`: the TimeEncoding.
        // The same where the user asked for a type that may lose something.
        asked_real,        ///< Any number: the nearest double.
        asked_number,      ///< Any number: an integer where it is whole and fits, else the nearest double.
        asked_integer,     ///< Any whole number, zeros behind a decimal point allowed; t/f.
        // SQLite value → PostgreSQL. The result is text (its type's input form), or a blob cell for bytea, which is bound in binary.
        to_bigint,         ///< integer. `limit`: 2 or 4 for smallint and integer.
        to_oid,            ///< integer, not negative (PostgreSQL would wrap it around).
        to_boolean,        ///< integer 0/1.
        to_double,         ///< real, integer (exact in a double; not with `limit` 0), text 'NaN'; shortest form that reads back the same.
        to_float4,         ///< the same for values that are floats.
        to_numeric,        ///< integer; real in shortest form; text that is_number(). `limit`: scale, which the value must not exceed.
        to_text,           ///< text without NUL and with valid UTF-8. `limit`: characters at most.
        to_char,           ///< the same for char(n), which pads: exactly `limit` characters.
        to_bytea,          ///< blob; text is a ValueError.
        to_date, to_time, to_timestamp, to_timestamptz, to_uuid, to_json,  ///< text in the type's shape (schemas/value_shapes.h).
                           ///< `limit` of times: fractional digits at most.
        to_other,          ///< text handed to the type's input function.
        to_sqlite_numeric, ///< integer; real that comes back as the same; text 'NaN'.
        to_sqlite_value,   ///< Any value, tagged.
        epoch_to_date, epoch_to_timestamp, epoch_to_timestamptz,  ///< integer, whole real; Julian days: real. `limit`: the TimeEncoding.
        // The same where the user asked for a type that may lose something.
        to_asked_integer,  ///< integer, whole real, text that is a whole number. `limit` as in to_bigint.
        to_asked_real,     ///< Any number: the nearest double, or float with `limit` 4.
        to_asked_numeric,  ///< Any number; PostgreSQL rounds to the scale.
        to_asked_other,    ///< Integer, real or text, printed and handed to the type's input function.
    };

    constexpr Conversion(Kind kind_ = identity, std::int32_t limit_ = -1, std::int32_t digits_ = -1) noexcept
        : kind{kind_}, limit{limit_}, digits{digits_} {}
    constexpr operator Kind() const noexcept { return kind; }

    Kind kind;
    std::int32_t limit;   ///< What PostgreSQL would silently round, cut or pad to, and what is said above; -1 without one.
    std::int32_t digits;  ///< to_numeric: digits in front of the decimal point at most. Epochs: 1 where the cells are text (both sides PostgreSQL).
};

/// The domains by which a PostgreSQL follower keeps what SQLite's columns hold and no type of PostgreSQL does, as format_type() writes
/// them. A PostgreSQL leader's columns of these domains get their SQLite values back.
inline constexpr std::string_view kSqliteNumeric = "public.sqlite_numeric";  ///< Over numeric: integers and reals of NUMERIC affinity.
inline constexpr std::string_view kSqliteValue = "public.sqlite_value";      ///< Over text: values of any storage class, tagged.

/// What resolve_conversion() wants to know of an existing PostgreSQL column: the domain if it is one of the two, else the base type.
[[nodiscard]] const std::string& conversion_target(const std::string& type, const std::string& base_type);

/// Declared type of a new follower column, and what is lost in it if anything is.
struct ColumnMapping {
    std::string type;   ///< Ready for DDL on the follower. Empty for a SQLite column without a type.
    std::string note;   ///< Empty for an identity mapping; else one line for the log, to which the caller adds table and column.
};

/// Follower column for a leader column, by the policy of docs/types.md. Throws RefusedError when there is none.
/// Between SQLite databases a follower's table has to be STRICT when the leader's is (ANY means another thing elsewhere).
[[nodiscard]] ColumnMapping map_column(const TableSchema& table, std::uint16_t column, Engine to);

/// Conversion into an existing follower column, `target` being its declared type (PostgreSQL: conversion_target()).
/// ANY for a STRICT leader's ANY is taken to be in a STRICT table as well. A SQLite leader's column should carry its profile when the
/// follower is PostgreSQL; without one the check is by declared type alone.
/// Throws RefusedError when the column cannot hold the leader's values exactly (a NUMERIC-affinity column for PostgreSQL's numeric, say).
/// A column with a wanted_type or an encoding gets what was asked for although it loses; what is impossible is refused all the same.
[[nodiscard]] Conversion resolve_conversion(const TableSchema& table, std::uint16_t column, Engine to, std::string_view target);

/// Applies it. null, unchanged and absent pass through. New bytes go to `arena`, others stay where they are. Throws ValueError, which
/// says what kind of value did not fit but not the value.
[[nodiscard]] Cell convert(Conversion conversion, const Cell& cell, Arena& arena);

/// SQLite's rules for the affinity of a declared type (https://www.sqlite.org/datatype3.html, 3.1).
enum class Affinity : std::uint8_t { integer, text, blob, real, numeric };
[[nodiscard]] Affinity sqlite_affinity(std::string_view declared_type);
[[nodiscard]] std::string_view to_string(Affinity affinity);
[[nodiscard]] constexpr bool keeps_text(Affinity affinity) noexcept { return affinity == Affinity::text || affinity == Affinity::blob; }
[[nodiscard]] constexpr bool keeps_integers(Affinity affinity) noexcept { return affinity == Affinity::integer || affinity == Affinity::numeric; }
/// ANY in a STRICT table has no affinity; everywhere else it has NUMERIC.
[[nodiscard]] bool is_strict_any(const TableSchema& table, std::string_view declared_type);

/// What a declared SQLite type means before a profile is looked at. Knows the names that map_column gives to PostgreSQL's types.
[[nodiscard]] ValueClass sqlite_value_class(std::string_view declared_type);

/// What a PostgreSQL type means, by its format_type() name below all domains.
[[nodiscard]] ValueClass pg_value_class(std::string_view base_type);

}  // namespace rowferry
