#include <algorithm>

#include <fmt/format.h>

#include "db/pg_expression_sql.h"
#include "decoder/pgoutput/pg_definitions.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// {0}: the oids; {1}: does the partition key use code of the leader's own (the tables above it are none).
constexpr const char* kPartitions = R"(
select c.oid, case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end, pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.relkind = 'p' and {1}
  from pg_catalog.pg_class c where c.oid = any ('{0}'::oid[]) and (c.relkind = 'p' or c.relispartition))";

constexpr const char* kParents = R"(
select i.inhrelid, n.nspname, c.relname
  from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhparent join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where i.inhrelid = any ('{0}'::oid[]) order by i.inhrelid, i.inhseqno)";

constexpr const char* kAncestors = R"(
select c.oid, a.relid::oid from pg_catalog.pg_class c cross join lateral pg_catalog.pg_partition_ancestors(c.oid) with ordinality a(relid, place)
 where c.oid = any ('{0}'::oid[]) and c.relispartition and a.relid <> c.oid order by c.oid, a.place desc)";

/// Everything of a partitioned table but what its partitions have as well.
TableSchema without_types(TableSchema table) {
    table.types.clear();
    table.ancestors.clear();
    table.not_carried.clear();
    return table;
}

void read_ancestors(PgSession& session, std::vector<PgTable>& tables, const PgTablesByOid& by_oid) {
    const PgRows rows = session.query(fmt::format(kAncestors, by_oid.oids));
    std::vector<std::uint32_t> above;
    for (std::size_t row = 0; row < rows.size(); ++row) above.push_back(static_cast<std::uint32_t>(rows.integer(row, 1)));
    std::ranges::sort(above);
    above.erase(std::unique(above.begin(), above.end()), above.end());
    // Partitioned tables that are asked for by themselves are read with the others; asking for their ancestors ends at the root.
    if (above.empty()) return;
    std::map<std::uint32_t, TableSchema> ancestors;
    for (PgTable& table : read_tables(session, above, PgDepth::definition)) ancestors.emplace(table.schema.leader_id, without_types(std::move(table.schema)));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        TableSchema& table = *by_oid.tables.at(static_cast<std::uint32_t>(rows.integer(row, 0)));
        const auto found = ancestors.find(static_cast<std::uint32_t>(rows.integer(row, 1)));
        if (found != ancestors.end()) table.ancestors.push_back(found->second);
    }
    for (PgTable& table : tables) {
        // A key that only the leader can evaluate: the partitions stand alone.
        const auto foreign = std::ranges::find_if(table.schema.ancestors, [](const TableSchema& parent) { return parent.partition_key.empty(); });
        if (foreign == table.schema.ancestors.end()) continue;
        table.schema.not_carried.push_back(
            fmt::format("its place below {}: that is partitioned by functions of the leader's own", to_string(foreign->name)));
        table.schema.ancestors.clear();
    }
}

}  // namespace

void read_partitions(PgSession& session, std::vector<PgTable>& tables, const PgTablesByOid& by_oid) {
    const PgRows parents = session.query(fmt::format(kParents, by_oid.oids));
    for (std::size_t row = 0; row < parents.size(); ++row)
        by_oid.tables.at(static_cast<std::uint32_t>(parents.integer(row, 0)))->parents.push_back({parents.text(row, 1), parents.text(row, 2)});
    const PgRows rows = session.query(fmt::format(kPartitions, by_oid.oids, sql_uses_foreign_code("pg_catalog.pg_class", "c.oid", "foreign_d.refobjid")));
    bool any = false;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        TableSchema& table = *by_oid.tables.at(static_cast<std::uint32_t>(rows.integer(row, 0)));
        if (!rows.boolean(row, 3)) table.partition_key = rows.text(row, 1);
        table.partition_bound = rows.text(row, 2);
        any = any || !table.partition_bound.empty();
    }
    if (any) read_ancestors(session, tables, by_oid);
}

}  // namespace rowferry
