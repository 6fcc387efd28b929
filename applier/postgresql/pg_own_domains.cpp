#include "applier/postgresql/pg_own_domains.h"

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

bool is_own_domain(const std::string& type) { return type == kSqliteValue || type == kSqliteNumeric; }
const char* base_of(const std::string& domain) { return domain == kSqliteValue ? "text" : "numeric"; }

}  // namespace

bool own_domain_missing(const PgRun& run, const std::string& type) {
    if (!is_own_domain(type)) return false;
    const PgRows base = run(fmt::format("SELECT format_type(t.typbasetype, t.typtypmod) FROM pg_catalog.pg_type t WHERE t.oid = to_regtype({})",
                                        quote_literal(type)));
    if (base.empty()) return true;
    if (base.text(0, 0) != base_of(type))
        throw RefusedError{fmt::format("the follower has a type {} of its own, which rowferry needs as its domain over {}: rename it", type, base_of(type))};
    return false;
}

void make_own_domain(const PgRun& run, const std::string& type) {
    const char* comment = type == kSqliteValue ? "Values of SQLite, tagged with their storage class: i:42 r:0.1 t:abc x:ff b:ff"
                                               : "Integers and reals as SQLite's NUMERIC affinity keeps them";
    run(fmt::format("CREATE SCHEMA IF NOT EXISTS public; CREATE DOMAIN {0} AS {1}; COMMENT ON DOMAIN {0} IS {2}", type, base_of(type), quote_literal(comment)));
}

}  // namespace rowferry
