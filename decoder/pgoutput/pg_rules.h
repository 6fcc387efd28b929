#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/leader.h"

namespace rowferry {

// The rules of a stream on a PostgreSQL leader: column lists and WHERE of the publication in the stream, the same columns and the same expression
// in the copy. Renames and masks are none of the leader's business.

/// Notes on each table which columns and rows the rules ask for. The tables stay whole. Throws RefusedError for rules that name what is not there.
void note_rules(const TableRules& rules, std::vector<PgTable>& tables);

/// For a copy, which identifies no rows: the rules may leave out columns of the identity.
void forget_identity(PgTable& table);

/// The table as the stream carries it.
[[nodiscard]] TableSchema carried_schema(const PgTable& table);

/// What stands behind the table's name in a publication: ` ("a", "b") WHERE (…)`; empty for all of it.
[[nodiscard]] std::string publication_part(const PgTable& table);
/// The columns of the publication's list as the catalog has it: `1 2 4`; empty without one.
[[nodiscard]] std::string publication_columns(const PgTable& table);
/// ` WHERE (…)`; empty without a filter.
[[nodiscard]] std::string pg_where(const PgTable& table);

/// For the watch: leaves of `tables` what the stream carries, as `known` gives the shapes it knows (null for a table it does not). Throws HaltError when a changed replica
/// identity makes the application's own UPDATE and DELETE fail, because it no longer fits the publication's columns or filter.
void narrow_watched(const TableRules& rules, std::vector<PgTable>& tables, const std::function<const TableSchema*(std::uint32_t oid)>& known);

/// Everything by which the rules would make the application's own statements fail, or could not be kept: column lists under REPLICA IDENTITY FULL,
/// filters over columns outside the replica identity, expressions that a publication does not take, constants that are no values of their type. The
/// server itself judges an expression, with a publication that is made in a transaction and taken back. Throws RefusedError.
void check_pg_rules(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables);

}  // namespace rowferry
