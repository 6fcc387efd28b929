#include "statements/postgresql/server_catalog.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

constexpr const char* kRelations =
    "select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relname = $2 and ($1 = '' or n.nspname = $1) "
    "and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_toast' and n.nspname <> 'rowferry' and n.nspname <> 'rowferry_log' "
    "order by n.nspname in ('pg_catalog', 'information_schema'), n.nspname";

constexpr const char* kRelation =
    "with recursive up(relid, level) as (select $1::oid, 0 union all select i.inhparent, u.level + 1 from up u join pg_catalog.pg_inherits i on i.inhrelid = u.relid) "
    "select n.nspname, c.relname, c.relkind, c.relrowsecurity, n.nspname in ('pg_catalog', 'information_schema'), "
    "exists (select from pg_catalog.pg_inherits where inhrelid = c.oid or inhparent = c.oid), rn.nspname, r.relname, "
    "case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end "
    "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "join pg_catalog.pg_class r on r.oid = (select relid from up order by level desc limit 1) join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace where c.oid = $1";

// What a type, t, is called in type_kinds.
constexpr const char* kTypeName =
    "case when t.typtype = 'e' then 'enum' when t.oid >= 16384 and t.typname not in ('citext', 'hstore', 'ltree', 'vector') then '?' || t.typname "
    "when t.typtype = 'c' then '?' || t.typname else t.typname end";

constexpr const char* kColumns =
    "with recursive base(attnum, typid) as (select attnum, atttypid from pg_catalog.pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped "
    "union all select b.attnum, t.typbasetype from base b join pg_catalog.pg_type t on t.oid = b.typid where t.typtype = 'd') "
    "select a.attname, (select {} from base b join pg_catalog.pg_type t on t.oid = b.typid where b.attnum = a.attnum and t.typtype <> 'd'), "
    "coalesce(l.collisdeterministic, true), a.attgenerated <> '', "
    "case when a.attidentity <> '' then 'nextval(''identity'')' when d.adbin is not null then pg_catalog.pg_get_expr(d.adbin, d.adrelid) else ty.typdefault end, "
    "a.attnotnull, a.atttypmod "
    "from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum left join pg_catalog.pg_collation l on l.oid = a.attcollation "
    "join pg_catalog.pg_type ty on ty.oid = a.atttypid where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum";

constexpr const char* kKeys =
    "select c.relname, i.indpred is not null or i.indexprs is not null or not i.indimmediate or i.indisexclusion, "
    "array_to_string(array(select a.attname from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality k(attnum, place) join pg_catalog.pg_attribute a on a.attrelid = i.indrelid "
    "and a.attnum = k.attnum order by k.place), E'\\x01') "
    "from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indrelid = $1 and (i.indisunique or i.indisexclusion) and i.indisvalid order by i.indisprimary desc, c.relname";

constexpr const char* kTriggers =
    "select t.tgname, t.tgtype, t.tgfoid, coalesce(substring(pg_catalog.pg_get_triggerdef(t.oid) from 'WHEN \\((.*)\\) EXECUTE FUNCTION'), ''), "
    "t.tgdeferrable from pg_catalog.pg_trigger t "
    "join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
    "where t.tgrelid = $1 and not t.tgisinternal and t.tgenabled in ('O', 'A') and n.nspname <> 'rowferry' order by t.tgname";

constexpr const char* kForeignKeys =
    "select n.nspname, c.relname, f.confrelid = $1, f.confupdtype in ('c', 'n', 'd'), f.confdeltype in ('c', 'n', 'd'), f.conrelid = $1, rn.nspname, r.relname, f.confupdtype = 'd' or f.confdeltype = 'd' "
    "from pg_catalog.pg_constraint f join pg_catalog.pg_class c on c.oid = f.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "join pg_catalog.pg_class r on r.oid = f.confrelid join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace where f.contype = 'f' and (f.confrelid = $1 or f.conrelid = $1)";

// Functions that PostgreSQL did not bring along have their dependents on record, its own have not.
constexpr const char* kFunctions =
    "select distinct d.refobjid from pg_catalog.pg_depend d where d.refclassid = 'pg_catalog.pg_proc'::regclass and ("
    "(d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid in (select oid from pg_catalog.pg_constraint where conrelid = $1 or (contypid <> 0 and contypid in "
    "(select atttypid from pg_catalog.pg_attribute where attrelid = $1 union select typbasetype from pg_catalog.pg_attribute join pg_catalog.pg_type t on t.oid = atttypid where attrelid = $1)))) "
    "or (d.classid = 'pg_catalog.pg_class'::regclass and d.objid in (select indexrelid from pg_catalog.pg_index where indrelid = $1 union select $1)) "
    "or (d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid in (select f.oid from pg_catalog.pg_attrdef f join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum "
    "where f.adrelid = $1 and a.attgenerated <> ''))) order by 1";

constexpr const char* kRoutine =
    "select p.oid, n.nspname, p.proname, p.provolatile, p.oid < 16384 and n.nspname in ('pg_catalog', 'information_schema'), "
    "coalesce((select e.extname from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid "
    "and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e' limit 1), ''), l.lanname, "
    "coalesce(p.prosrc, ''), case when p.oid >= 16384 and p.prokind in ('f', 'p') then pg_catalog.pg_get_functiondef(p.oid) else '' end, coalesce(array_to_string(p.proconfig, ' '), ''), "
    "p.prokind, array_to_string(array(select {0} from unnest(p.proargtypes) with ordinality o(id, place) join pg_catalog.pg_type s on s.oid = o.id "
    "join pg_catalog.pg_type t on t.oid = case when s.typtype = 'd' then s.typbasetype else s.oid end order by place), E'\\x01'), "
    "array_to_string(array(select {0} from unnest(p.proallargtypes || p.prorettype) o(id) join pg_catalog.pg_type s on s.oid = o.id "
    "join pg_catalog.pg_type t on t.oid = case when s.typtype = 'd' then s.typbasetype else s.oid end), E'\\x01'), "
    "case when p.oid >= 16384 then coalesce(pg_catalog.pg_get_expr(p.proargdefaults, 0), '') else '' end "
    "from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace join pg_catalog.pg_language l on l.oid = p.prolang ";

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in{text};
    for (std::string part; std::getline(in, part, '\x01');) parts.push_back(part);
    return parts;
}

std::string with_type_name(const char* query) { return fmt::format(fmt::runtime(query), kTypeName); }

CatalogRoutine routine_of(const PgRows& rows, std::size_t row) {
    CatalogRoutine routine;
    routine.oid = static_cast<std::uint32_t>(std::stoul(rows.text(row, 0)));
    routine.name = {rows.text(row, 1), rows.text(row, 2)};
    routine.volatility = rows.text(row, 3).front();
    routine.builtin = rows.boolean(row, 4);
    routine.extension = rows.text(row, 5);
    routine.language = rows.text(row, 6);
    routine.source = rows.text(row, 7);
    routine.definition = rows.text(row, 8);
    routine.settings = rows.text(row, 9);
    routine.kind = rows.text(row, 10).front();
    routine.arguments = split(rows.text(row, 11));
    routine.results = split(rows.text(row, 12));
    routine.defaults = rows.text(row, 13);
    return routine;
}

std::string cache_key(const SqlName& name) { return name.schema + '\x01' + name.name; }

}  // namespace

const CatalogTable::Column* CatalogTable::column(const std::string& column_name) const {
    const auto found = std::ranges::find(columns, column_name, &Column::name);
    return found == columns.end() ? nullptr : &*found;
}

void ServerCatalog::forget() {
    tables_.clear();
    routines_.clear();
    by_oid_.clear();
    operators_.reset();
    types_.clear();
    event_triggers_.reset();
}

void ServerCatalog::read_triggers(CatalogTable& table) {
    const std::string oid = std::to_string(table.oid);
    const PgRows triggers = session_.query(kTriggers, {oid});
    for (std::size_t row = 0; row < triggers.size(); ++row)
        table.triggers.push_back({triggers.text(row, 0), static_cast<int>(triggers.integer(row, 1)), static_cast<std::uint32_t>(std::stoul(triggers.text(row, 2))), triggers.text(row, 3), triggers.boolean(row, 4)});
    const PgRows keys = session_.query(kForeignKeys, {oid});
    for (std::size_t row = 0; row < keys.size(); ++row) {
        if (keys.boolean(row, 2) && (keys.boolean(row, 3) || keys.boolean(row, 4))) table.cascades.push_back({{keys.text(row, 0), keys.text(row, 1)}, keys.boolean(row, 3), keys.boolean(row, 4), keys.boolean(row, 8)});
        if (keys.boolean(row, 5)) table.references.push_back({keys.text(row, 6), keys.text(row, 7)});
    }
    const PgRows rules = session_.query("select pg_catalog.pg_get_ruledef(r.oid) from pg_catalog.pg_rewrite r where r.ev_class = $1 and r.rulename <> '_RETURN' and r.ev_enabled in ('O', 'A')", {oid});
    for (std::size_t row = 0; row < rules.size(); ++row) table.rules.push_back(rules.text(row, 0));
    const PgRows functions = session_.query(kFunctions, {oid});
    for (std::size_t row = 0; row < functions.size(); ++row) table.functions.push_back(static_cast<std::uint32_t>(std::stoul(functions.text(row, 0))));
}

std::shared_ptr<const CatalogTable> ServerCatalog::read(std::uint32_t number) {
    const std::string oid = std::to_string(number);
    const PgRows found = session_.query(kRelation, {oid});
    if (found.empty()) return nullptr;
    auto table = std::make_shared<CatalogTable>();
    table->oid = number;
    table->name = {found.text(0, 0), found.text(0, 1)};
    table->kind = found.text(0, 2).front();
    table->row_security = found.boolean(0, 3);
    table->system = found.boolean(0, 4);
    table->in_tree = found.boolean(0, 5);
    table->root = {found.text(0, 6), found.text(0, 7)};
    table->view = found.text(0, 8);
    if (table->system) return table;
    const PgRows columns = session_.query(with_type_name(kColumns), {oid});
    for (std::size_t row = 0; row < columns.size(); ++row) {
        CatalogTable::Column column{columns.text(row, 0), columns.text(row, 1), columns.boolean(row, 2), columns.boolean(row, 3), std::nullopt};
        if (!columns.is_null(row, 4) && !column.generated) column.fallback = columns.text(row, 4);
        if (!columns.is_null(row, 4) && column.generated) column.computed = columns.text(row, 4);
        column.not_null = columns.boolean(row, 5);
        // numeric(10,2) writes all of its values with two digits.
        column.exact = (type_kinds::is_exact(column.type) && column.exact_text) || (column.type == "numeric" && columns.integer(row, 6) >= 0);
        table->columns.push_back(std::move(column));
    }
    const PgRows keys = session_.query(kKeys, {oid});
    for (std::size_t row = 0; row < keys.size(); ++row) {
        if (keys.boolean(row, 1))
            table->other_keys = true;
        else
            table->keys.push_back({keys.text(row, 0), split(keys.text(row, 2))});
    }
    read_triggers(*table);
    return table;
}

const std::vector<std::shared_ptr<const CatalogTable>>& ServerCatalog::tables(const SqlName& name) {
    const auto [entry, made] = tables_.try_emplace(cache_key(name));
    if (!made) return entry->second;
    const PgRows rows = session_.query(kRelations, {name.schema, name.name});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        auto table = read(static_cast<std::uint32_t>(std::stoul(rows.text(row, 0))));
        if (table == nullptr || (table->system && !entry->second.empty())) continue;
        entry->second.push_back(std::move(table));
    }
    return entry->second;
}

std::vector<TableName> ServerCatalog::tree(const CatalogTable& table) {
    if (!table.in_tree) return {table.name};
    const PgRows rows = session_.query(
        "with recursive up(relid) as (select $1::oid union select i.inhparent from up u join pg_catalog.pg_inherits i on i.inhrelid = u.relid), "
        "down(relid) as (select relid from up union select i.inhrelid from down d join pg_catalog.pg_inherits i on i.inhparent = d.relid) "
        "select n.nspname, c.relname from down d join pg_catalog.pg_class c on c.oid = d.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace",
        {std::to_string(table.oid)});
    std::vector<TableName> names;
    for (std::size_t row = 0; row < rows.size(); ++row) names.push_back({rows.text(row, 0), rows.text(row, 1)});
    return names;
}

std::vector<TableName> ServerCatalog::referring(const TableName& table) {
    const PgRows rows = session_.query(
        "select n.nspname, c.relname from pg_catalog.pg_constraint f join pg_catalog.pg_class c on c.oid = f.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "join pg_catalog.pg_class p on p.oid = f.confrelid join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace where f.contype = 'f' and pn.nspname = $1 and p.relname = $2",
        {table.schema, table.name});
    std::vector<TableName> names;
    for (std::size_t row = 0; row < rows.size(); ++row) names.push_back({rows.text(row, 0), rows.text(row, 1)});
    return names;
}

std::vector<TableName> ServerCatalog::all_tables() {
    const PgRows rows = session_.query(
        "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') "
        "and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry', 'rowferry_log') and n.nspname !~ '^pg_(toast|temp)'");
    std::vector<TableName> names;
    for (std::size_t row = 0; row < rows.size(); ++row) names.push_back({rows.text(row, 0), rows.text(row, 1)});
    return names;
}

const std::vector<CatalogRoutine>& ServerCatalog::routines(const SqlName& name, std::size_t arguments) {
    const auto [entry, made] = routines_.try_emplace(cache_key(name) + '\x01' + std::to_string(arguments));
    if (!made) return entry->second;
    const PgRows rows = session_.query(with_type_name(kRoutine) +
                                           "where p.proname = $2 and ($1 = '' or n.nspname = $1) and (p.provariadic <> 0 or $3::int between p.pronargs - p.pronargdefaults and p.pronargs) "
                                           "order by p.oid",
                                       {name.schema, name.name, std::to_string(arguments)});
    for (std::size_t row = 0; row < rows.size(); ++row) entry->second.push_back(routine_of(rows, row));
    return entry->second;
}

const CatalogRoutine* ServerCatalog::routine(std::uint32_t oid) {
    const auto [entry, made] = by_oid_.try_emplace(oid);
    if (made) {
        const PgRows rows = session_.query(with_type_name(kRoutine) + "where p.oid = $1", {std::to_string(oid)});
        if (!rows.empty()) entry->second = routine_of(rows, 0);
    }
    return entry->second ? &*entry->second : nullptr;
}

const std::vector<std::uint32_t>& ServerCatalog::operators(const std::string& name) {
    if (!operators_) {
        operators_.emplace();
        const PgRows rows = session_.query(
            "select o.oprname, o.oprcode::oid from pg_catalog.pg_operator o where o.oid >= 16384 and o.oprcode <> 0 union select '(cast)', castfunc from pg_catalog.pg_cast where oid >= 16384 and castfunc <> 0");
        for (std::size_t row = 0; row < rows.size(); ++row) (*operators_)[rows.text(row, 0)].push_back(static_cast<std::uint32_t>(std::stoul(rows.text(row, 1))));
    }
    return (*operators_)[name];
}

const std::pair<std::string, std::optional<std::string>>& ServerCatalog::type_entry(const SqlType& type) {
    const auto [entry, made] = types_.try_emplace(cache_key(type.name));
    if (!made) return entry->second;
    const PgRows rows = session_.query(with_type_name("with recursive base(id, original) as (select s.oid, s.oid from pg_catalog.pg_type s join pg_catalog.pg_namespace n on n.oid = s.typnamespace where s.typname = $2 "
                                                      "and ($1 = '' or n.nspname = $1) union all select s.typbasetype, b.original from base b join pg_catalog.pg_type s on s.oid = b.id where s.typtype = 'd') "
                                                      "select {}, (select typdefault from pg_catalog.pg_type where oid = base.original) from base join pg_catalog.pg_type t on t.oid = base.id where t.typtype <> 'd'"),
                                       {type.name.schema, type.name.name});
    if (rows.size() == 1)
        entry->second = {rows.text(0, 0), rows.is_null(0, 1) ? std::nullopt : std::optional{rows.text(0, 1)}};
    else
        entry->second = {"?" + type.name.name, std::nullopt};
    return entry->second;
}

std::string ServerCatalog::type(const SqlType& type) {
    const std::string& name = type_entry(type).first;
    return type.array && !name.starts_with('?') ? "_" + name : name;
}

std::optional<std::string> ServerCatalog::domain_default(const SqlType& type) { return type.array ? std::nullopt : type_entry(type).second; }

bool ServerCatalog::has_schemas() {
    return session_.query("select count(*) > 1 from pg_catalog.pg_namespace where nspname not in ('pg_catalog', 'information_schema', 'rowferry', 'rowferry_log') and nspname !~ '^pg_(toast|temp)'").boolean(0, 0);
}

bool ServerCatalog::has_event_triggers() {
    if (!event_triggers_)
        event_triggers_ = session_.query("select exists (select from pg_catalog.pg_event_trigger e where e.evtenabled <> 'D' and not exists (select from pg_catalog.pg_depend d where d.classid = "
                                         "'pg_catalog.pg_event_trigger'::regclass and d.objid = e.oid and d.deptype = 'e'))")
                              .boolean(0, 0);
    return *event_triggers_;
}

}  // namespace rowferry
