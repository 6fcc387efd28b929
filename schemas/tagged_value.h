#pragma once

#include "schemas/arena.h"
#include "schemas/cell.h"

namespace rowferry {

/// The text form in which PostgreSQL's domain sqlite_value keeps a SQLite value with its storage class:
///
///   i:42            INTEGER
///   r:0.1           REAL: the shortest form that reads back the same; whole ones below 2^63 as their digits (r:1, r:-0); r:Infinity
///   t:abc           TEXT
///   x:ff41          TEXT that PostgreSQL cannot hold (a NUL byte, or not UTF-8): its bytes in hex
///   b:68656c6c6f    BLOB in hex
///
/// Equal values have equal texts, so keys and unique indexes work. SQLite holds 1 and 1.0 equal: schemas/pg_ddl.h folds them where
/// uniqueness is at stake. Hex is in lower case.

/// `cell` is a value, not NULL. The text is in `arena`.
[[nodiscard]] Cell tag_value(const Cell& cell, Arena& arena);

/// The value of a text that tag_value() gives; ValueError for any other text. Text and blob bytes may be views into `cell`.
[[nodiscard]] Cell untag_value(const Cell& cell, Arena& arena);

}  // namespace rowferry
