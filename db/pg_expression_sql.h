#pragma once

#include <string>
#include <string_view>

namespace rowferry {

/// SQL conditions for reads of PostgreSQL's catalog: what a stored expression rests on. Catalog rows only, no lock.

/// Does the object (`pg_catalog.pg_constraint`, `con.oid`) call functions or operators, or name objects, that were made in this database?
/// What initdb made (below 16384) is on every server. `own_table` (an oid expression, or 0): columns of that table do not count, nor do types
/// and collations, which are seen to by themselves.
[[nodiscard]] std::string sql_uses_foreign_code(std::string_view catalog, std::string_view oid, std::string_view own_table);

/// Could the expression (a pg_node_tree) give another answer later or in another session, though the values are the same? Then a row that the
/// leader accepted could fail on a follower.
[[nodiscard]] std::string sql_is_unsteady(std::string_view tree);

}  // namespace rowferry
