#include "decoder/pgoutput/pg_rules.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "db/pg_error.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/shown.h"
#include "schemas/table_subset.h"

namespace rowferry {
namespace {

// Never committed, so it never has the name of anybody's publication.
constexpr const char* kTrial = "rowferry_trial_of_rules";

bool lists_columns(const PgTable& table) { return !table.carried.empty() && table.carried.size() != table.schema.columns.size(); }

/// Old images hold every column.
bool is_full(const PgTable& table) { return table.replica_identity == 'f' || (!table.has_identity && !table.schema.insert_only); }

std::string parent_of(const PgTable& table) { return (table.partitioned ? "" : "ONLY ") + quote_table(table.schema.name); }

void check_column_list(const PgTable& table) {
    if (!lists_columns(table) || table.schema.insert_only) return;
    if (is_full(table))
        throw RefusedError{fmt::format("{}: it has REPLICA IDENTITY FULL (or would get it by --keyless full), and with a column list the leader's own UPDATE and DELETE would "
                                       "fail: give it a primary key and set REPLICA IDENTITY DEFAULT, or replicate all of its columns",
                                       to_string(table.schema.name))};
    static_cast<void>(carried_schema(table));  // the list has to hold the identity
}

std::string key_names(const TableSchema& table) {
    std::string text;
    for (const std::uint16_t column : table.identity) text += (text.empty() ? "" : ", ") + shown(table.columns[column].name);
    return text;
}

/// Makes a publication with the filter and takes it back, so that the server's rules are the ones that count. Returns the columns it reads.
std::vector<std::string> columns_of_filter(PgSession& session, const StreamRequest& request, const PgTable& table) {
    const PgTransaction transaction{session};
    try {
        session.query("SET LOCAL lock_timeout = '3s'");
        session.query(fmt::format("CREATE PUBLICATION {} FOR TABLE {}{} WITH (publish_via_partition_root = {})", quote_identifier(kTrial), parent_of(table), pg_where(table),
                                  request.partition_roots));
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        throw RefusedError{fmt::format("{}: the leader does not take the filter: {}", to_string(table.schema.name), error.what())};
    }
    const PgRows rows = session.query(
        "select distinct a.attname from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid "
        "join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_publication_rel'::regclass and d.objid = r.oid "
        "and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = r.prrelid and d.refobjsubid > 0 "
        "join pg_catalog.pg_attribute a on a.attrelid = r.prrelid and a.attnum = d.refobjsubid where p.pubname = $1",
        {kTrial});
    std::vector<std::string> columns;
    for (std::size_t row = 0; row < rows.size(); ++row) columns.push_back(rows.text(row, 0));
    return columns;
}

void check_published_filter(PgSession& session, const StreamRequest& request, const PgTable& table) {
    const std::vector<std::string> columns = columns_of_filter(session, request, table);
    if (table.schema.insert_only || is_full(table)) return;
    for (const std::string& name : columns) {
        const auto column = table.schema.column_index(name);
        if (column && table.schema.in_identity(*column)) continue;
        throw RefusedError{fmt::format("{}: the filter reads column {}, which is not part of the replica identity ({}): the leader's own UPDATE and DELETE would fail. Make it part of "
                                       "the key, or run ALTER TABLE {} REPLICA IDENTITY FULL",
                                       to_string(table.schema.name), shown(name), key_names(table.schema), printable(quote_table(table.schema.name), 200))};
    }
}

void check_copied_filter(PgSession& session, const PgTable& table) {
    try {
        session.query(fmt::format("SELECT 1 FROM {}{} LIMIT 0", parent_of(table), pg_where(table)));
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        throw RefusedError{fmt::format("{}: the leader does not take the filter: {}", to_string(table.schema.name), error.what())};
    }
}

void check_constants(PgSession& session, const TableRules& rules, const PgTable& table) {
    const RulesOfTable own = rules.of(table.schema);
    for (const ColumnSchema& column : table.schema.columns) {
        const ColumnRule* rule = own.column(Engine::postgresql, column.name);
        if (rule == nullptr || rule->mask.kind != Mask::Kind::constant) continue;
        try {
            session.query(fmt::format("SELECT {}::{}", quote_literal(rule->mask.text), column.type));
        } catch (const PgError& error) {
            if (error.kind() == ErrorKind::retryable) throw;
            throw RefusedError{fmt::format("{}.{}: the mask's constant is no value of type {}: {}", to_string(table.schema.name), shown(column.name), shown(column.type),
                                           error.what())};
        }
    }
}

}  // namespace

void note_rules(const TableRules& rules, std::vector<PgTable>& tables) {
    for (PgTable& table : tables)
        if (!(table.root == table.schema.name)) table.schema.partition_root = table.root;
    if (rules.empty()) return;
    for (PgTable& table : tables) {
        const RulesOfTable own = rules.of(table.schema);
        table.carried = carried_columns(own, table.schema);
        table.filter = own.filter;
    }
}

void forget_identity(PgTable& table) {
    if (lists_columns(table) && !std::ranges::all_of(table.schema.identity, [&](std::uint16_t column) { return std::ranges::find(table.carried, column) != table.carried.end(); }))
        table.schema.identity.clear();
}

TableSchema carried_schema(const PgTable& table) { return lists_columns(table) ? with_columns(table.schema, table.carried) : table.schema; }

void narrow_watched(const TableRules& rules, std::vector<PgTable>& tables, const std::function<const TableSchema*(std::uint32_t oid)>& known) {
    if (rules.empty()) return;
    const auto halt = [](const PgTable& table, std::string_view why) {
        throw HaltError{fmt::format("{}: {}. The leader's own UPDATE and DELETE may fail until its replica identity is what it was: set it back with ALTER TABLE {} REPLICA IDENTITY …, "
                                    "or `rowferry drop` the stream",
                                    to_string(table.schema.name), why, printable(quote_table(table.schema.name), 200))};
    };
    try {
        note_rules(rules, tables);
    } catch (const RefusedError& error) {
        throw HaltError{fmt::format("the rules of the stream no longer fit a table: {}", error.what())};
    }
    for (PgTable& table : tables) {
        const bool partial = lists_columns(table) || table.filter;
        if (partial && !table.schema.insert_only && lists_columns(table) && table.replica_identity == 'f')
            halt(table, "it got REPLICA IDENTITY FULL, and the publication lists columns");
        try {
            table.schema = carried_schema(table);
        } catch (const RefusedError& error) {
            halt(table, error.what());
        }
        const TableSchema* shape = known(table.schema.leader_id);
        if (partial && shape != nullptr && !shape->insert_only && table.has_identity && table.replica_identity != 'f' && shape->identity != table.schema.identity)
            halt(table, "its replica identity changed under a stream with a filter or a column list");
    }
}

std::string pg_where(const PgTable& table) { return table.filter ? fmt::format(" WHERE ({}\n)", *table.filter) : ""; }

std::string publication_part(const PgTable& table) {
    std::string columns;
    if (lists_columns(table))
        for (const std::uint16_t column : table.carried) columns += (columns.empty() ? "" : ", ") + quote_identifier(table.schema.columns[column].name);
    return (columns.empty() ? "" : " (" + columns + ")") + pg_where(table);
}

std::string publication_columns(const PgTable& table) {
    if (!lists_columns(table)) return {};
    std::set<std::int32_t> numbers;
    for (const std::uint16_t column : table.carried) numbers.insert(table.schema.columns[column].attribute);
    return fmt::format("{}", fmt::join(numbers, " "));
}

void check_pg_rules(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables) {
    if (request.rules.empty()) return;
    for (const PgTable& table : tables) {
        check_constants(session, request.rules, table);
        if (request.one_off) {
            if (table.filter) check_copied_filter(session, table);
            continue;
        }
        check_column_list(table);
        if (table.filter) check_published_filter(session, request, table);
    }
}

}  // namespace rowferry
