#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "db/pg_expression_sql.h"
#include "decoder/pgoutput/pg_definitions.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;

/// {0}: the oids. An index is plain when its columns and their order say everything. Its text begins behind `… USING `.
constexpr const char* kIndexDefinitions = R"(
select i.indrelid, ic.relname, i.indisunique, am.amname, con.contype, coalesce(con.condeferrable, false),
       pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid),
         pg_catalog.length('CREATE ' || case when i.indisunique then 'UNIQUE ' else '' end || 'INDEX ' || pg_catalog.quote_ident(ic.relname) || ' ON '
                           || case when ic.relkind = 'I' then 'ONLY ' else '' end || i.indrelid::regclass::text || ' USING ') + 1),
       pg_catalog.pg_get_constraintdef(con.oid), pg_catalog.pg_get_expr(i.indpred, i.indrelid),
       (select pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.pg_get_indexdef(i.indexrelid, k + 1, false), i.indoption[k] & 1) order by k)
          from pg_catalog.generate_series(0, i.indnkeyatts - 1) k),
       am.amname = 'btree' and i.indnatts = i.indnkeyatts and not coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
         and not exists (select from pg_catalog.unnest(i.indclass::oid[]) used(oid) join pg_catalog.pg_opclass o on o.oid = used.oid where not o.opcdefault)
         and not exists (select from pg_catalog.generate_series(0, i.indnkeyatts - 1) k
                           join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k]
                          where i.indcollation[k] <> a.attcollation or i.indoption[k] not in (0, 3))
         and ic.reloptions is null,
       (select pg_catalog.jsonb_agg(distinct pg_catalog.jsonb_build_array(xn.nspname, x.extname)) from pg_catalog.pg_depend d
          join pg_catalog.pg_depend e on e.classid = d.refclassid and e.objid = d.refobjid and e.deptype = 'e'
          join pg_catalog.pg_extension x on x.oid = e.refobjid join pg_catalog.pg_namespace xn on xn.oid = x.extnamespace
         where (d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid) or (d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid = con.oid)),
       exists (select from pg_catalog.pg_depend d
         where ((d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid) or (d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid = con.oid))
           and d.refobjid >= 16384 and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass,
               'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass, 'pg_catalog.pg_am'::regclass)
           and not exists (select from pg_catalog.pg_depend e where e.classid = d.refclassid and e.objid = d.refobjid and e.deptype = 'e'))
  from pg_catalog.pg_index i
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam
  left join pg_catalog.pg_constraint con on con.conindid = i.indexrelid and con.contype in ('p', 'u', 'x') and con.conrelid = i.indrelid
 where i.indrelid = any ('{0}'::oid[]) and i.indislive and (i.indisvalid or ic.relkind = 'I')
 order by i.indrelid, ic.relname)";

/// `schema.extension`.
std::vector<std::string> extensions(const PgRows& rows, std::size_t row) {
    std::vector<std::string> result;
    if (!rows.is_null(row, 11))
        for (const Json& extension : Json::parse(rows.text(row, 11))) result.push_back(extension.at(0).get<std::string>() + "." + extension.at(1).get<std::string>());
    return result;
}

ExpressionIndex expression_index(const PgRows& rows, std::size_t row) {
    ExpressionIndex index;
    index.name = rows.text(row, 1);
    index.unique = rows.boolean(row, 2);
    index.method = rows.text(row, 3);
    index.predicate = rows.text(row, 8);
    for (const Json& key : Json::parse(rows.text(row, 9))) index.keys.push_back({key.at(0).get<std::string>(), key.at(1).get<int>() != 0, {}});
    return index;
}

}  // namespace

void read_index_definitions(PgSession& session, const PgTablesByOid& by_oid) {
    const PgRows rows = session.query(fmt::format(kIndexDefinitions, by_oid.oids));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        TableSchema& table = *by_oid.tables.at(static_cast<std::uint32_t>(rows.integer(row, 0)));
        const std::string name = rows.text(row, 1);
        const std::string constraint = rows.text(row, 4);
        if (constraint == "p" && name == table.primary_key_name) continue;
        const std::string definition = rows.text(row, constraint.empty() ? 6 : 7);
        const auto known = std::ranges::find(table.indexes, name, &IndexSchema::name);
        if (known != table.indexes.end()) {
            if (rows.boolean(row, 10)) continue;
            known->definition = definition;
            known->extensions = extensions(rows, row);
            continue;
        }
        const bool exclusion = constraint == "x";
        const char* why = rows.boolean(row, 12)                ? "it uses functions or operators of the leader's own"
                          : exclusion && rows.boolean(row, 5) ? "it is deferrable, and the stream would be judged in the middle of a transaction"
                                                               : nullptr;
        if (why != nullptr) {
            table.not_carried.push_back(fmt::format("{} {}: {}", exclusion ? "exclusion constraint" : "index", printable(name, 80), why));
            continue;
        }
        ExpressionIndex index = expression_index(rows, row);
        index.definition = definition;
        index.constraint = !constraint.empty();
        index.extensions = extensions(rows, row);
        table.expression_indexes.push_back(std::move(index));
    }
}

}  // namespace rowferry
