#pragma once

#include <string>
#include <string_view>

#include "schemas/table_schema.h"

namespace rowferry {

/// The one way a name gets into SQL text, on both engines: in double quotes, inner ones doubled.
/// Throws HaltError for a name with a NUL byte: neither engine can hold it.
[[nodiscard]] std::string quote_identifier(std::string_view name);

/// A string literal in single quotes, inner ones doubled. On PostgreSQL correct with standard_conforming_strings = on, which every
/// connection of ours sets; backslashes are kept as they are.
[[nodiscard]] std::string quote_literal(std::string_view value);

/// `"schema"."table"`.
[[nodiscard]] std::string quote_table(const TableName& name);

/// For messages: control characters as \xNN, so that no name can forge a log line; at most `limit` bytes.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 300);

/// What a leader's table is called on a follower. PostgreSQL → PostgreSQL: the same. SQLite `main` → PostgreSQL `public`.
/// → SQLite: bare from `public` and `main`, `schema__table` from any other schema; collisions are found by the follower's preflight.
[[nodiscard]] TableName follower_table(const TableName& leader, Engine from, Engine to);

/// The same for a table of the stream, which its rules may have renamed.
[[nodiscard]] TableName follower_table(const TableSchema& table, Engine to);
/// And for the parent of one of its foreign keys.
[[nodiscard]] TableName follower_parent(const TableSchema& table, const ForeignKey& key, Engine to);

}  // namespace rowferry
