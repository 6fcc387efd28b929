#include "decoder/pgoutput/pg_catalog.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "decoder/pgoutput/pg_definitions.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// Column attribute_numbers of the catalog to indexes in TableSchema::columns, while a table is being put together.
struct Draft {
    PgTable table;
    std::map<int, std::uint16_t> index_of_attribute;
    bool primary_key_deferrable = false;
};
using Drafts = std::map<std::uint32_t, Draft>;

std::uint32_t to_oid(const std::string& text) {
    std::uint32_t oid = 0;
    std::from_chars(text.data(), text.data() + text.size(), oid);
    return oid;
}

std::string oid_array(const Drafts& drafts) {
    std::string text = "{";
    for (const auto& [oid, draft] : drafts) text += fmt::format("{}{}", text.size() > 1 ? "," : "", oid);
    return text + "}";
}

std::vector<int> attribute_numbers(const std::string& text) {
    std::istringstream in{text};
    std::vector<int> result;
    for (int number = 0; in >> number;) result.push_back(number);
    return result;
}

// Catalog rows only, no function that opens a table (pg_get_expr, pg_partition_tree): it would wait for whoever holds a lock on the table,
// and that may be a transaction which waits for our acknowledgement.

constexpr const char* kTables = R"(
select c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.reltuples, rn.nspname, rc.relname, c.relfilenode
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class rc on rc.oid = coalesce(case when c.relispartition then pg_catalog.pg_partition_root(c.oid) end, c.oid)
  join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
 where c.relpersistence = 'p')";

constexpr const char* kReplicable = R"(
   and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry') and n.nspname !~ '^pg_(toast|temp)'
   and not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))";

constexpr const char* kShapeColumns = R"(
select a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull,
       a.attidentity, a.attgenerated, b.oid, pg_catalog.format_type(b.oid, b.modifier),
       (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = b.oid),
       a.attidentity <> '' or exists (
         select from pg_catalog.pg_depend d
           join pg_catalog.pg_depend s on s.classid = 'pg_catalog.pg_class'::regclass and s.objid = d.refobjid and s.deptype = 'a'
                                      and s.refclassid = 'pg_catalog.pg_class'::regclass and s.refobjid = a.attrelid and s.refobjsubid = a.attnum
          where d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = ad.oid and d.refclassid = 'pg_catalog.pg_class'::regclass),
       case when a.atthasmissing then (a.attmissingval::text::text[])[1] end
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
 cross join lateral (
       with recursive domains(oid, base, modifier, next_modifier, depth) as (
         select t.oid, t.typbasetype, a.atttypmod, t.typtypmod, 0 from pg_catalog.pg_type t where t.oid = a.atttypid
         union all
         select t.oid, t.typbasetype, d.next_modifier, t.typtypmod, d.depth + 1
           from domains d join pg_catalog.pg_type t on t.oid = d.base where d.base <> 0)
       select d.oid, d.modifier from domains d order by d.depth desc limit 1) b
 where a.attrelid = any ($1::oid[]) and a.attnum > 0 and not a.attisdropped
 order by a.attrelid, a.attnum)";

constexpr const char* kShapeIndexes = R"(
select i.indrelid, ic.relname, i.indisunique, i.indisprimary, i.indisreplident, i.indimmediate, i.indpred is not null, i.indexprs is not null,
       i.indkey::text, i.indoption::text, i.indnkeyatts, con.contype is not null, am.amname, coalesce(con.condeferrable, false),
       coalesce(con.condeferred, false), con.contype = 'x'
  from pg_catalog.pg_index i
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam
  left join pg_catalog.pg_constraint con on con.conindid = i.indexrelid and con.contype in ('p', 'u', 'x') and con.conrelid = i.indrelid
 where i.indrelid = any ($1::oid[]) and i.indisvalid and i.indislive
 order by i.indrelid, ic.relname)";

constexpr const char* kForeignKeys = R"(
select con.conrelid, con.conname, pg_catalog.array_to_string(con.conkey, ' '), pn.nspname, pc.relname, con.confupdtype, con.confdeltype,
       con.condeferrable, con.condeferred,
       (select pg_catalog.json_agg(pa.attname order by k.ord)
          from unnest(con.confkey) with ordinality k(num, ord)
          join pg_catalog.pg_attribute pa on pa.attrelid = con.confrelid and pa.attnum = k.num),
       con.confmatchtype = 'f' and pg_catalog.cardinality(con.conkey) > 1,
       (select pg_catalog.string_agg(ca.attname, ', ' order by k.ord) from unnest(con.confdelsetcols) with ordinality k(num, ord)
          join pg_catalog.pg_attribute ca on ca.attrelid = con.conrelid and ca.attnum = k.num)
  from pg_catalog.pg_constraint con
  join pg_catalog.pg_class pc on pc.oid = con.confrelid
  join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
 where con.contype = 'f' and con.conparentid = 0 and con.conrelid = any ($1::oid[])
 order by con.conrelid, con.conname)";

Drafts read_table_rows(const PgRows& rows) {
    Drafts drafts;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::uint32_t oid = to_oid(rows.text(row, 0));
        PgTable& table = drafts[oid].table;
        table.schema.engine = Engine::postgresql;
        table.schema.leader_id = oid;
        table.schema.name = {rows.text(row, 1), rows.text(row, 2)};
        table.partitioned = rows.text(row, 3) == "p";
        table.replica_identity = rows.text(row, 4).at(0);
        table.estimated_rows = std::stod(rows.text(row, 5));
        table.root = {rows.text(row, 6), rows.text(row, 7)};
        table.schema.file_node = to_oid(rows.text(row, 8));
    }
    return drafts;
}

void read_columns(PgSession& session, Drafts& drafts) {
    const PgRows rows = session.query(kShapeColumns, {oid_array(drafts)});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        Draft& draft = drafts.at(to_oid(rows.text(row, 0)));
        ColumnSchema column;
        column.name = rows.text(row, 2);
        if (!rows.text(row, 8).empty()) {
            draft.table.has_generated = true;
            continue;
        }
        column.attribute = static_cast<std::uint16_t>(rows.integer(row, 1));
        column.type = rows.text(row, 3);
        column.type_oid = to_oid(rows.text(row, 4));
        column.type_modifier = static_cast<std::int32_t>(rows.integer(row, 5));
        column.not_null = rows.boolean(row, 6);
        if (!rows.is_null(row, 13)) column.missing_value = rows.text(row, 13);
        column.base_type = rows.text(row, 10);
        column.value_class = pg_value_class(to_oid(rows.text(row, 9)));
        if (!rows.is_null(row, 11)) column.enum_labels = nlohmann::json::parse(rows.text(row, 11)).get<std::vector<std::string>>();
        if (rows.text(row, 7) == "a")
            column.auto_number = AutoNumber::always;
        else if (rows.boolean(row, 12) || rows.text(row, 7) == "d")
            column.auto_number = AutoNumber::by_default;
        draft.index_of_attribute[static_cast<int>(rows.integer(row, 1))] = static_cast<std::uint16_t>(draft.table.schema.columns.size());
        draft.table.schema.columns.push_back(std::move(column));
    }
}

/// Columns of an index, or nothing when one of them is generated or an expression.
std::optional<ColumnIndexes> index_columns(const Draft& draft, const std::vector<int>& attributes, std::size_t key_columns) {
    ColumnIndexes columns;
    for (std::size_t i = 0; i < key_columns && i < attributes.size(); ++i) {
        const auto found = draft.index_of_attribute.find(attributes[i]);
        if (found == draft.index_of_attribute.end()) return std::nullopt;
        columns.push_back(found->second);
    }
    return columns;
}

void read_indexes(PgSession& session, Drafts& drafts) {
    const PgRows rows = session.query(kShapeIndexes, {oid_array(drafts)});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        Draft& draft = drafts.at(to_oid(rows.text(row, 0)));
        TableSchema& schema = draft.table.schema;
        const std::string name = rows.text(row, 1);
        const bool unique = rows.boolean(row, 2);
        const auto key_columns = static_cast<std::size_t>(rows.integer(row, 10));
        const auto columns = index_columns(draft, attribute_numbers(rows.text(row, 8)), key_columns);
        // The others identify nothing: only their definition is read (pg_index_definitions).
        const bool plain = columns && !rows.boolean(row, 6) && !rows.boolean(row, 7) && !rows.boolean(row, 15);
        if (!plain) continue;
        IndexSchema index{name, unique, rows.boolean(row, 11), *columns, {}, {}};
        for (const int option : attribute_numbers(rows.text(row, 9))) index.descending.push_back((option & 1) != 0);
        index.descending.resize(columns->size());
        index.deferrable = rows.boolean(row, 13);
        index.initially_deferred = rows.boolean(row, 14);
        if (unique) schema.unique_keys.push_back({name, *columns});
        if (rows.boolean(row, 3)) {
            schema.primary_key = *columns;
            schema.primary_key_name = name;
            schema.primary_key_deferrable = index.deferrable;
            schema.primary_key_initially_deferred = index.initially_deferred;
            draft.primary_key_deferrable = index.deferrable;
            if (attribute_numbers(rows.text(row, 8)).size() > key_columns) schema.not_carried.push_back("INCLUDE of the primary key: the follower's has the key's columns only");
        } else if (rows.text(row, 12) == "btree" || unique) {
            schema.indexes.push_back(std::move(index));
        }
        if (draft.table.replica_identity == 'i' && rows.boolean(row, 4)) schema.identity = *columns;
    }
}

std::string action_name(char code) {
    switch (code) {
        case 'r': return "RESTRICT";
        case 'c': return "CASCADE";
        case 'n': return "SET NULL";
        case 'd': return "SET DEFAULT";
        default: return "NO ACTION";
    }
}

/// No follower's foreign key says these two. One that set other columns would be worse than one that refuses.
void note_what_a_follower_has_not(TableSchema& table, ForeignKey& key, bool match_full, const std::string& set_columns) {
    if (match_full) table.not_carried.push_back(fmt::format("MATCH FULL of foreign key {}: a key that is NULL in part passes on the follower", printable(key.name, 80)));
    if (set_columns.empty()) return;
    table.not_carried.push_back(fmt::format("ON DELETE {} ({}) of foreign key {}: the follower's own deletes of such parents are refused instead", key.on_delete,
                                            printable(set_columns, 200), printable(key.name, 80)));
    key.on_delete = "NO ACTION";
}

void read_foreign_keys(PgSession& session, Drafts& drafts) {
    const PgRows rows = session.query(kForeignKeys, {oid_array(drafts)});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        Draft& draft = drafts.at(to_oid(rows.text(row, 0)));
        const std::vector<int> attributes = attribute_numbers(rows.text(row, 2));
        const auto columns = index_columns(draft, attributes, attributes.size());
        if (!columns) {
            draft.table.schema.not_carried.push_back(fmt::format("foreign key {} over a generated column", printable(rows.text(row, 1))));
            continue;
        }
        ForeignKey key;
        key.name = rows.text(row, 1);
        key.columns = *columns;
        key.parent = {rows.text(row, 3), rows.text(row, 4)};
        key.parent_columns = nlohmann::json::parse(rows.text(row, 9)).get<std::vector<std::string>>();
        key.on_update = action_name(rows.text(row, 5).at(0));
        key.on_delete = action_name(rows.text(row, 6).at(0));
        key.deferrable = rows.boolean(row, 7);
        key.initially_deferred = rows.boolean(row, 8);
        note_what_a_follower_has_not(draft.table.schema, key, rows.boolean(row, 10), rows.is_null(row, 11) ? "" : rows.text(row, 11));
        draft.table.schema.foreign_keys.push_back(std::move(key));
    }
}

void settle_identity(Draft& draft) {
    PgTable& table = draft.table;
    switch (table.replica_identity) {
        case 'i': table.has_identity = !table.schema.identity.empty(); break;
        case 'f':
            table.has_identity = true;
            table.schema.identity = find_key(table.schema);
            break;
        case 'd':
            // A deferrable primary key is no replica identity (relcache.c, RelationGetIndexList).
            table.has_identity = !table.schema.primary_key.empty() && !draft.primary_key_deferrable;
            if (table.has_identity) table.schema.identity = table.schema.primary_key;
            break;
        default: break;
    }
    std::ranges::sort(table.schema.identity);
}

std::vector<PgTable> complete(PgSession& session, Drafts drafts, PgDepth depth) {
    std::vector<PgTable> tables;
    if (drafts.empty()) return tables;
    read_columns(session, drafts);
    read_indexes(session, drafts);
    read_foreign_keys(session, drafts);
    for (auto& [oid, draft] : drafts) {
        settle_identity(draft);
        tables.push_back(std::move(draft.table));
    }
    std::ranges::sort(tables, {}, [](const PgTable& table) { return table.schema.name; });
    if (depth == PgDepth::definition) read_definitions(session, tables);
    return tables;
}

std::string replicable_kinds(bool partition_roots) {
    return partition_roots ? " and c.relkind in ('r', 'p') and not c.relispartition" : " and c.relkind = 'r'";
}

}  // namespace

ColumnIndexes find_key(const TableSchema& table) {
    // Two rows may share a key that is checked only at the end of a transaction.
    ColumnIndexes key = table.primary_key_deferrable ? ColumnIndexes{} : table.primary_key;
    const auto deferrable = [&](const UniqueKey& unique) {
        if (table.primary_key_deferrable && unique.columns == table.primary_key) return true;
        return std::ranges::any_of(table.indexes, [&](const IndexSchema& index) { return index.name == unique.name && index.deferrable; });
    };
    for (const UniqueKey& unique : table.unique_keys)
        if (key.empty() && !deferrable(unique) && std::ranges::all_of(unique.columns, [&](std::uint16_t column) { return table.columns[column].not_null; })) key = unique.columns;
    std::ranges::sort(key);
    return key;
}

ValueClass pg_value_class(std::uint32_t type_oid) {
    switch (type_oid) {
        case 20: case 21: case 23: case 26: return ValueClass::integer;
        case 16: return ValueClass::boolean;
        case 700: case 701: return ValueClass::real;
        case 1700: return ValueClass::numeric;
        case 19: case 25: case 142: case 1042: case 1043: return ValueClass::text;
        case 17: return ValueClass::bytes;
        case 1082: return ValueClass::date;
        case 1083: return ValueClass::time;
        case 1114: return ValueClass::timestamp;
        case 1184: return ValueClass::timestamptz;
        case 2950: return ValueClass::uuid;
        case 114: case 3802: return ValueClass::json;
        default: return ValueClass::other;
    }
}

std::vector<SelectableTable> selectable_tables(PgSession& session, bool partition_roots) {
    const PgRows rows = session.query(kTables + replicable_kinds(partition_roots) + kReplicable);
    std::vector<SelectableTable> tables;
    for (std::size_t row = 0; row < rows.size(); ++row)
        tables.push_back({to_oid(rows.text(row, 0)), {rows.text(row, 1), rows.text(row, 2)}, {rows.text(row, 6), rows.text(row, 7)}});
    return tables;
}

std::vector<PgTable> read_tables(PgSession& session, bool partition_roots) {
    return complete(session, read_table_rows(session.query(kTables + replicable_kinds(partition_roots) + kReplicable)), PgDepth::shape);
}

std::vector<PgTable> read_tables(PgSession& session, const std::vector<std::uint32_t>& oids, PgDepth depth) {
    const std::string list = fmt::format("{{{}}}", fmt::join(oids, ","));
    return complete(session, read_table_rows(session.query(std::string{kTables} + " and c.oid = any ($1::oid[])", {list})), depth);
}

bool selects_partition(const TableSelection& selection, const TableName& leaf, const TableName& root) {
    const auto excluded = [&](const TableName& name) {
        return std::ranges::any_of(selection.excluded, [&](const TablePattern& pattern) { return pattern.matches(Engine::postgresql, name); });
    };
    return (selection.selects(Engine::postgresql, leaf) || selection.selects(Engine::postgresql, root)) && !excluded(leaf) && !excluded(root);
}

namespace {

/// Partitions that are left out beside others of the same table that are not: the follower's table has only a part of the rows.
void add_missing_partitions(PgSession& session, const TableSelection& selection, std::vector<std::string>& lines) {
    const PgRows rows = session.query(R"(
select rn.nspname, r.relname, n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class r on r.oid = pg_catalog.pg_partition_root(c.oid) join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
 where c.relispartition and c.relkind = 'r' and c.relpersistence = 'p' order by 1, 2, 3, 4)");
    std::set<TableName> in_part;
    for (const bool listing : {false, true})
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const TableName root{rows.text(row, 0), rows.text(row, 1)};
            const TableName leaf{rows.text(row, 2), rows.text(row, 3)};
            const bool selected = selects_partition(selection, leaf, root);
            if (!listing && selected) in_part.insert(root);
            if (listing && !selected && in_part.contains(root))
                lines.push_back(fmt::format("{} is a partition of {} and not selected: its rows are missing from that table on the follower", to_string(leaf), to_string(root)));
        }
}

}  // namespace

std::vector<std::string> skipped_relations(PgSession& session, const TableSelection& selection) {
    const PgRows rows = session.query(R"(
select n.nspname, c.relname,
       case when c.relkind = 'v' then 'a view' when c.relkind = 'm' then 'a materialized view' when c.relkind = 'f' then 'a foreign table'
            when c.relpersistence = 'u' then 'an unlogged table' else 'a temporary table' end
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where (c.relkind in ('v', 'm', 'f') or (c.relkind in ('r', 'p') and c.relpersistence = 'u'))
   and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry') and n.nspname !~ '^pg_(toast|temp)'
   and not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
union all
select n.nspname, case when p.prokind = 'p' then 'procedure ' when p.prokind = 'a' then 'aggregate ' else 'function ' end || p.proname, ''
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
 where p.oid >= 16384 and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry') and n.nspname !~ '^pg_temp'
   and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i'))
union all
select n.nspname, c.relname, 'trigger ' || t.tgname from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry')
   and not exists (select from pg_catalog.pg_proc p join pg_catalog.pg_namespace f on f.oid = p.pronamespace where p.oid = t.tgfoid and f.nspname = 'rowferry')
union all
select n.nspname, c.relname, 'policy ' || p.polname from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
union all
select n.nspname, c.relname, 'rule ' || r.rulename from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry')
union all
select n.nspname, 'sequence ' || c.relname, '' from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry')
   and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i', 'e'))
 order by 1, 2)");
    std::vector<std::string> lines;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TableName name{rows.text(row, 0), rows.text(row, 1)};
        const std::string what = rows.text(row, 2);
        // Functions and sequences have no table to be selected by: those of a schema are told with it.
        const std::size_t kind = what.empty() ? name.name.find(' ') + 1 : 0;
        if (!selection.selects(Engine::postgresql, {name.schema, name.name.substr(kind)})) continue;
        if (what.empty())
            lines.push_back(fmt::format("{} {}: not carried", name.name.substr(0, kind - 1), to_string(TableName{name.schema, name.name.substr(kind)})));
        else if (what.starts_with("a ") || what.starts_with("an "))
            lines.push_back(fmt::format("{} is {}: not replicated", to_string(name), what));
        else
            lines.push_back(fmt::format("{} of {}: not carried", printable(what, 100), to_string(name)));
    }
    add_missing_partitions(session, selection, lines);
    return lines;
}

}  // namespace rowferry
