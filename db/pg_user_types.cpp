#include "db/pg_user_types.h"

#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "db/pg_expression_sql.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;

/// $0: oids; $1, $2: does the domain's check, its default use code of the leader's own; $3: is the check unsteady.
constexpr const char* kTypes = R"(
with recursive edges(oid, need) as (
  select t.oid, t.typbasetype from pg_catalog.pg_type t where t.typtype = 'd'
  union all select t.oid, t.typelem from pg_catalog.pg_type t where t.typelem <> 0 and t.typcategory = 'A' and t.typtype = 'b'
  union all select t.oid, a.atttypid from pg_catalog.pg_type t join pg_catalog.pg_attribute a on a.attrelid = t.typrelid
             where t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
  union all select r.rngtypid, r.rngsubtype from pg_catalog.pg_range r
  union all select r.rngmultitypid, r.rngtypid from pg_catalog.pg_range r),
needed(oid) as (
  select unnest('{{{0}}}'::oid[]) union select e.need from needed n join edges e on e.oid = n.oid)
select t.oid, n.nspname, t.typname, t.typtype, (t.typelem <> 0 and t.typcategory = 'A' and t.typtype = 'b'), x.extname,
       pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull, pg_catalog.pg_get_expr(t.typdefaultbin, 0), {2},
       (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid),
       (select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                 'collation', case when a.attcollation <> at.typcollation then pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname) end)
                 order by a.attnum)
          from pg_catalog.pg_attribute a join pg_catalog.pg_type at on at.oid = a.atttypid
          left join pg_catalog.pg_collation c on c.oid = a.attcollation left join pg_catalog.pg_namespace cn on cn.oid = c.collnamespace
         where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped),
       (select pg_catalog.json_agg(pg_catalog.json_build_object('name', con.conname, 'expression', pg_catalog.pg_get_expr(con.conbin, 0),
                 'valid', con.convalidated, 'foreign', {1}, 'unsteady', {3}) order by con.conname)
          from pg_catalog.pg_constraint con where con.contypid = t.oid and con.contype = 'c'),
       pg_catalog.format_type(r.rngsubtype, null), m.typname, r.rngsubtype is not null and not coalesce(so.opcdefault, true),
       case when coalesce(nullif(r.rngcollation, 0), t.typcollation) not in (0, coalesce(bt.typcollation, 0))
            then pg_catalog.quote_ident(tcn.nspname) || '.' || pg_catalog.quote_ident(tc.collname) end,
       (select k.relkind from pg_catalog.pg_class k where k.oid = t.typrelid),
       (select pg_catalog.string_agg(e.need::text, ' ') from edges e where e.oid = t.oid and e.need <> 0),
       r.rngsubdiff::oid <> 0, r.rngcanonical::oid <> 0
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
  left join pg_catalog.pg_extension x on x.oid = d.refobjid
  left join pg_catalog.pg_range r on r.rngtypid = t.oid
  left join pg_catalog.pg_opclass so on so.oid = r.rngsubopc
  left join pg_catalog.pg_type m on m.oid = r.rngmultitypid
  left join pg_catalog.pg_type bt on bt.oid = coalesce(nullif(t.typbasetype, 0), r.rngsubtype)
  left join pg_catalog.pg_collation tc on tc.oid = coalesce(nullif(r.rngcollation, 0), t.typcollation)
  left join pg_catalog.pg_namespace tcn on tcn.oid = tc.collnamespace
 where t.oid in (select oid from needed))";

std::string text_or_empty(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string{}; }

void read_domain(const PgRows& rows, std::size_t row, UserType& type) {
    type.kind = UserType::Kind::domain;
    type.base = rows.text(row, 6);
    type.not_null = rows.boolean(row, 7);
    const std::string name = to_string(type.name);
    if (!rows.is_null(row, 8) && rows.boolean(row, 9))
        type.not_carried.push_back(fmt::format("the default of the domain {}: it needs what only the leader has", name));
    else
        type.default_expression = rows.text(row, 8);
    if (rows.is_null(row, 12)) return;
    for (const Json& check : Json::parse(rows.text(row, 12))) {
        const std::string constraint = check.at("name").get<std::string>();
        // A check of a domain must never stop a row that the leader has accepted.
        const char* why = check.at("foreign").get<bool>()    ? "it calls functions of the leader's own"
                          : check.at("unsteady").get<bool>() ? "its answer depends on more than the value"
                          : !check.at("valid").get<bool>()   ? "it is NOT VALID on the leader, so older values may break it"
                                                             : nullptr;
        if (why != nullptr)
            type.not_carried.push_back(fmt::format("the check {} of the domain {}: {}", printable(constraint, 80), name, why));
        else
            type.checks.push_back({constraint, check.at("expression").get<std::string>()});
    }
}

void read_range(const PgRows& rows, std::size_t row, UserType& type) {
    type.kind = UserType::Kind::range;
    type.base = rows.text(row, 13);
    type.multirange = rows.text(row, 14);
    if (rows.boolean(row, 15)) type.not_carried.push_back(fmt::format("the operator class of the range {}: ranges compare by the default one", to_string(type.name)));
    if (rows.boolean(row, 19)) type.not_carried.push_back(fmt::format("the subtype_diff of the range {}: indexes on the follower are built without it", to_string(type.name)));
    if (rows.boolean(row, 20))
        type.not_carried.push_back(fmt::format("the canonical function of the range {}: the follower's own new values are not put into that form", to_string(type.name)));
}

UserType read_type(const PgRows& rows, std::size_t row) {
    UserType type;
    type.name = {rows.text(row, 1), rows.text(row, 2)};
    type.extension = rows.text(row, 5);
    type.collation = rows.text(row, 16);
    const std::string kind = rows.text(row, 3);
    if (!type.extension.empty()) {
        type.kind = UserType::Kind::extension;
    } else if (kind == "e") {
        type.labels = Json::parse(rows.text(row, 10)).get<std::vector<std::string>>();
    } else if (kind == "d") {
        read_domain(rows, row, type);
    } else if (kind == "c" && rows.text(row, 17) == "c") {
        type.kind = UserType::Kind::composite;
        if (!rows.is_null(row, 11))
            for (const Json& attribute : Json::parse(rows.text(row, 11)))
                type.attributes.push_back({attribute.at("name").get<std::string>(), attribute.at("type").get<std::string>(), text_or_empty(attribute.at("collation"))});
    } else if (kind == "r") {
        read_range(rows, row, type);
    } else {
        type.kind = UserType::Kind::other;
    }
    return type;
}

std::vector<std::uint32_t> oids(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::uint32_t> result;
    for (std::uint32_t oid = 0; in >> oid;) result.push_back(oid);
    return result;
}

}  // namespace

PgUserTypes PgUserTypes::read(const Run& run, const std::vector<std::uint32_t>& types) {
    PgUserTypes result;
    if (types.empty()) return result;
    const PgRows rows = run(fmt::format(kTypes, fmt::join(types, ","), sql_uses_foreign_code("pg_catalog.pg_constraint", "con.oid", "0"),
                                        sql_uses_foreign_code("pg_catalog.pg_type", "t.oid", "t.typrelid"), sql_is_unsteady("con.conbin")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        Node& node = result.nodes_[static_cast<std::uint32_t>(rows.integer(row, 0))];
        const bool built_in = rows.text(row, 1) == "pg_catalog" || rows.text(row, 1) == "information_schema";
        // An array and a multirange come with the type they are of.
        const bool comes_along = rows.boolean(row, 4) || rows.text(row, 3) == "m";
        node.made_by_user = !built_in && !comes_along;
        node.needs = oids(rows.text(row, 18));
        if (node.made_by_user) node.type = read_type(rows, row);
        // What an extension brings, it brings with everything below.
        if (node.type.kind == UserType::Kind::extension) node.needs.clear();
    }
    return result;
}

void PgUserTypes::visit(std::uint32_t oid, std::map<std::uint32_t, bool>& seen, std::vector<UserType>& result) const {
    const auto node = nodes_.find(oid);
    if (node == nodes_.end() || std::exchange(seen[oid], true)) return;
    for (const std::uint32_t need : node->second.needs) visit(need, seen, result);
    if (node->second.made_by_user) result.push_back(node->second.type);
}

std::vector<UserType> PgUserTypes::needed(const std::vector<std::uint32_t>& types) const {
    std::vector<UserType> result;
    std::map<std::uint32_t, bool> seen;
    for (const std::uint32_t oid : types) visit(oid, seen, result);
    return result;
}

}  // namespace rowferry
