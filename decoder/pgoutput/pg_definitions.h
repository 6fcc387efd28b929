#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"

namespace rowferry {

/// Reads what a follower's DDL needs beside the shape of the tables: defaults, generated columns, checks, comments, collations, numbering,
/// user types, indexes that are more than columns, partitioning and inheritance. What a follower cannot have goes to `not_carried`.
/// Opens the tables (see PgDepth::definition).
void read_definitions(PgSession& session, std::vector<PgTable>& tables);

/// Tables by pg_class.oid, and their oids as a PostgreSQL array: what the parts of read_definitions() share.
struct PgTablesByOid {
    explicit PgTablesByOid(std::vector<PgTable>& tables);
    std::map<std::uint32_t, TableSchema*> tables;
    std::string oids;
};

/// The parts of it that have a file of their own.
void read_index_definitions(PgSession& session, const PgTablesByOid& tables);
void read_partitions(PgSession& session, std::vector<PgTable>& tables, const PgTablesByOid& by_oid);

}  // namespace rowferry
