#include "decoder/pgoutput/pg_definitions.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "db/pg_expression_sql.h"
#include "db/pg_user_types.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// {0}: the oids; {1}: does the expression use code of the leader's own. The sequence is that of an identity or serial column.
constexpr const char* kColumnDefinitions = R"(
select a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated, a.attnotnull,
       pg_catalog.pg_get_expr(ad.adbin, ad.adrelid), {1},
       case when a.attcollation <> t.typcollation then pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.collname) end,
       coalesce(not c.collisdeterministic, false), pg_catalog.col_description(a.attrelid, a.attnum),
       a.atttypid::text || coalesce((select pg_catalog.string_agg(' ' || d.refobjid, '') from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = ad.oid and d.refclassid = 'pg_catalog.pg_type'::regclass), ''),
       s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
  left join pg_catalog.pg_collation c on c.oid = a.attcollation
  left join pg_catalog.pg_namespace cn on cn.oid = c.collnamespace
  left join lateral (
       select q.* from pg_catalog.pg_depend o join pg_catalog.pg_sequence q on q.seqrelid = o.objid
        where o.classid = 'pg_catalog.pg_class'::regclass and o.refclassid = 'pg_catalog.pg_class'::regclass and o.deptype in ('a', 'i')
          and o.refobjid = a.attrelid and o.refobjsubid = a.attnum order by q.seqrelid limit 1) s on true
 where a.attrelid = any ('{0}'::oid[]) and a.attnum > 0 and not a.attisdropped
 order by a.attrelid, a.attnum)";

constexpr const char* kChecks = R"(
select con.conrelid, con.conname, pg_catalog.pg_get_expr(con.conbin, con.conrelid), con.connoinherit, con.convalidated, con.conislocal, {1}, {2}
  from pg_catalog.pg_constraint con
 where con.contype = 'c' and con.conrelid = any ('{0}'::oid[])
 order by con.conrelid, con.conname)";

constexpr const char* kComments = R"(
select d.objoid, d.description from pg_catalog.pg_description d
 where d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0 and d.objoid = any ('{0}'::oid[]))";

std::vector<std::uint32_t> oids_in(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::uint32_t> result;
    for (std::uint32_t number = 0; in >> number;) result.push_back(number);
    return result;
}

void read_default(TableSchema& table, ColumnSchema& column, const std::string& expression, bool foreign) {
    // A serial column becomes an identity column, which oids_in by itself.
    if (expression.empty() || column.auto_number != AutoNumber::none) return;
    const bool numbered = expression.find("nextval(") != std::string::npos;
    if (numbered || foreign)
        table.not_carried.push_back(fmt::format("the default of {}: {}", printable(column.name, 80),
                                                numbered ? "its sequence is not the column's own" : "it calls functions of the leader's own"));
    else
        column.default_expression = expression;
}

void read_generated(TableSchema& table, const PgRows& rows, std::size_t row) {
    GeneratedColumn column;
    column.name = rows.text(row, 2);
    column.type = rows.text(row, 3);
    column.stored = rows.text(row, 4) == "s";
    column.not_null = rows.boolean(row, 5);
    column.expression = rows.text(row, 6);
    column.collation = rows.text(row, 8);
    column.comment = rows.text(row, 10);
    const auto attribute = static_cast<std::uint16_t>(rows.integer(row, 1));
    column.before = static_cast<std::uint16_t>(
        std::ranges::count_if(table.columns, [&](const ColumnSchema& other) { return other.attribute < attribute; }));
    if (rows.boolean(row, 7))
        table.not_carried.push_back(fmt::format("generated column {}: it calls functions of the leader's own, and PostgreSQL does not send its values",
                                                printable(column.name, 80)));
    else
        table.generated.push_back(std::move(column));
}

void read_columns(PgSession& session, const PgTablesByOid& by_oid) {
    const PgRows rows = session.query(fmt::format(kColumnDefinitions, by_oid.oids, sql_uses_foreign_code("pg_catalog.pg_attrdef", "ad.oid", "a.attrelid")));
    std::map<std::uint32_t, std::vector<std::uint32_t>> types;
    std::set<std::uint32_t> all_types;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const auto oid = static_cast<std::uint32_t>(rows.integer(row, 0));
        TableSchema& table = *by_oid.tables.at(oid);
        for (const std::uint32_t type : oids_in(rows.text(row, 11))) {
            types[oid].push_back(type);
            all_types.insert(type);
        }
        if (!rows.text(row, 4).empty()) {
            read_generated(table, rows, row);
            continue;
        }
        const auto column = std::ranges::find(table.columns, static_cast<std::uint16_t>(rows.integer(row, 1)), &ColumnSchema::attribute);
        if (column == table.columns.end()) continue;  // added since the shape was read
        read_default(table, *column, rows.text(row, 6), rows.boolean(row, 7));
        column->pg_collation = rows.text(row, 8);
        column->comment = rows.text(row, 10);
        if (rows.boolean(row, 9))
            table.not_carried.push_back(fmt::format("{} has a nondeterministic collation: the follower needs the same one to compare alike", printable(column->name, 80)));
        if (column->auto_number != AutoNumber::none && !rows.is_null(row, 12))
            column->numbering = Numbering{rows.integer(row, 12), rows.integer(row, 13), rows.integer(row, 14), rows.integer(row, 15), rows.boolean(row, 16)};
    }
    const auto user_types = PgUserTypes::read([&](const std::string& sql) { return session.query(sql); }, {all_types.begin(), all_types.end()});
    for (const auto& [oid, needed] : types) by_oid.tables.at(oid)->types = user_types.needed(needed);
}

void read_checks(PgSession& session, const PgTablesByOid& by_oid) {
    const PgRows rows = session.query(fmt::format(kChecks, by_oid.oids, sql_uses_foreign_code("pg_catalog.pg_constraint", "con.oid", "con.conrelid"),
                                                  sql_is_unsteady("con.conbin")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        TableSchema& table = *by_oid.tables.at(static_cast<std::uint32_t>(rows.integer(row, 0)));
        const std::string name = rows.text(row, 1);
        // The follower would judge rows that the leader has accepted, at another time and in another session.
        const char* why = rows.boolean(row, 6) ? "it calls functions of the leader's own" : rows.boolean(row, 7) ? "its answer depends on more than the row" : nullptr;
        if (why != nullptr)
            table.not_carried.push_back(fmt::format("the check {}: {}", printable(name, 80), why));
        else
            table.checks.push_back({name, rows.text(row, 2), rows.boolean(row, 3), !rows.boolean(row, 4), !rows.boolean(row, 5)});
    }
}

}  // namespace

PgTablesByOid::PgTablesByOid(std::vector<PgTable>& list) {
    for (PgTable& table : list) {
        tables[table.schema.leader_id] = &table.schema;
        oids += fmt::format("{}{}", oids.empty() ? "{" : ",", table.schema.leader_id);
    }
    oids += oids.empty() ? "{}" : "}";
}

void read_definitions(PgSession& session, std::vector<PgTable>& tables) {
    if (tables.empty()) return;
    const PgTablesByOid by_oid{tables};
    read_columns(session, by_oid);
    read_checks(session, by_oid);
    read_index_definitions(session, by_oid);
    const PgRows comments = session.query(fmt::format(kComments, by_oid.oids));
    for (std::size_t row = 0; row < comments.size(); ++row)
        by_oid.tables.at(static_cast<std::uint32_t>(comments.integer(row, 0)))->comment = comments.text(row, 1);
    read_partitions(session, tables, by_oid);
    for (PgTable& table : tables)
        for (const UserType& type : table.schema.types)
            table.schema.not_carried.insert(table.schema.not_carried.end(), type.not_carried.begin(), type.not_carried.end());
}

}  // namespace rowferry
