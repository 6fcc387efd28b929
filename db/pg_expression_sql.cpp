#include "db/pg_expression_sql.h"

#include <fmt/format.h>

namespace rowferry {

std::string sql_uses_foreign_code(std::string_view catalog, std::string_view oid, std::string_view own_table) {
    return fmt::format(R"(exists (
        select from pg_catalog.pg_depend foreign_d
         where foreign_d.classid = '{}'::regclass and foreign_d.objid = {} and foreign_d.refobjid >= 16384
           and (foreign_d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_opclass'::regclass,
                                         'pg_catalog.pg_opfamily'::regclass, 'pg_catalog.pg_am'::regclass, 'pg_catalog.pg_ts_config'::regclass,
                                         'pg_catalog.pg_ts_dict'::regclass)
                or (foreign_d.refclassid = 'pg_catalog.pg_class'::regclass and foreign_d.refobjid <> {}))))",
                       catalog, oid, own_table);
}

std::string sql_is_unsteady(std::string_view tree) {
    // Conversions through text (COERCEVIAIO) name no function: they depend on settings where one of the types prints by DateStyle or TimeZone.
    return fmt::format(R"(coalesce({0}::text ~ 'SQLVALUEFUNCTION|NEXTVALUEEXPR' or exists (
        select from pg_catalog.regexp_matches({0}::text, ':(?:funcid|opfuncid) (\d+)', 'g') called(m)
          join pg_catalog.pg_proc called_p on called_p.oid = called.m[1]::oid where called_p.provolatile <> 'i')
     or ({0}::text ~ 'COERCEVIAIO' and exists (
        select from pg_catalog.regexp_matches({0}::text, ':(?:vartype|consttype|funcresulttype|opresulttype|resulttype) (\d+)', 'g') seen(m)
          join pg_catalog.pg_type seen_t on seen_t.oid = seen.m[1]::oid
          join pg_catalog.pg_proc seen_p on seen_p.oid in (seen_t.typinput::oid, seen_t.typoutput::oid) where seen_p.provolatile <> 'i')), false))",
                       tree);
}

}  // namespace rowferry
