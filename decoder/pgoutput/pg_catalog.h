#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "schemas/leader.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A leader table with what the catalog says about how its changes are published.
struct PgTable {
    TableSchema schema;
    TableName root;                    ///< The topmost partitioned table it is a leaf of; otherwise the table itself.
    bool partitioned = false;          ///< A partitioned table, to be published through its root.
    char replica_identity = 'd';       ///< pg_class.relreplident.
    bool has_identity = false;         ///< UPDATE and DELETE can be published without failing on the leader.
    bool has_generated = false;
    double estimated_rows = -1;        ///< pg_class.reltuples; negative when never analyzed.
    ColumnIndexes carried;             ///< The columns that the stream's rules ask for (pg_rules.h); empty: all.
    std::optional<std::string> filter;
};

/// How much of a table is read.
enum class PgDepth : std::uint8_t {
    shape,       ///< What the stream needs. Catalog rows only, so it waits for nobody's lock.
    definition,  ///< Also what a follower's DDL needs: expressions, comments, types, partitions. Printing an expression opens its table, so this
                 ///< is for the start of a copy only: the table's lock may be held by a transaction that waits for our acknowledgement.
};

/// Every table a stream could replicate: permanent, ordinary, outside system schemas, extensions and our own schema. With
/// `partition_roots` partitioned tables stand for their leaves, otherwise the leaves are listed.
[[nodiscard]] std::vector<PgTable> read_tables(PgSession& session, bool partition_roots);

/// Only what they are called: cheap.
struct SelectableTable {
    std::uint32_t oid = 0;
    TableName name;
    TableName root;
};
[[nodiscard]] std::vector<SelectableTable> selectable_tables(PgSession& session, bool partition_roots);

/// The same for tables known by oid (a table that is gone is missing from the result).
[[nodiscard]] std::vector<PgTable> read_tables(PgSession& session, const std::vector<std::uint32_t>& oids,
                                               PgDepth depth = PgDepth::shape);

/// A leaf is selected by its own name or by that of its root, and excluded by either.
[[nodiscard]] bool selects_partition(const TableSelection& selection, const TableName& leaf, const TableName& root);

/// One line for each thing the patterns select that will not be replicated: views, foreign, unlogged and temporary tables.
[[nodiscard]] std::vector<std::string> skipped_relations(PgSession& session, const TableSelection& selection);

/// Columns of the primary key, or of a unique key that cannot hold NULLs, not deferrable: enough to find one row. Empty without one.
[[nodiscard]] ColumnIndexes find_key(const TableSchema& table);

/// Value class of a built-in type (below all domains).
[[nodiscard]] ValueClass pg_value_class(std::uint32_t type_oid);

}  // namespace rowferry
