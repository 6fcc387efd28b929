#include "decoder/pgoutput/pg_stream.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "decoder/pgoutput/pg_definitions.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_subset.h"

namespace rowferry {

LeaderIdentity read_identity(PgSession& session) {
    const PgRows rows = session.query(
        "select s.system_identifier, c.timeline_id, current_database() from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c");
    return {Engine::postgresql, rows.text(0, 0), static_cast<std::uint32_t>(rows.integer(0, 1)), rows.text(0, 2)};
}

std::vector<PgTable> select_by_patterns(PgSession& session, const StreamRequest& request, bool partition_roots) {
    std::vector<PgTable> tables = read_tables(session, partition_roots);
    std::vector<TableName> names;
    for (const PgTable& table : tables) {
        names.push_back(table.schema.name);
        names.push_back(table.root);
    }
    if (const auto unmatched = request.selection.unmatched(Engine::postgresql, names); !unmatched.empty())
        throw RefusedError{fmt::format("no table of the leader matches {}", printable(fmt::format("{}", fmt::join(unmatched, ", "))))};
    std::erase_if(tables, [&](const PgTable& table) { return !selects_partition(request.selection, table.schema.name, table.root); });
    if (tables.empty()) throw RefusedError{"no table is selected: nothing would be replicated"};
    std::vector<const TableSchema*> whole;
    note_rules(TableRules{}, tables);
    for (const PgTable& table : tables) whole.push_back(&table.schema);
    check_rules(request.rules, whole);
    note_rules(request.rules, tables);
    return tables;
}

std::vector<PgTable> select_by_names(PgSession& session, const StreamRequest& request, const std::vector<TableName>& names, bool partition_roots) {
    std::vector<PgTable> tables = read_tables(session, partition_roots);
    std::erase_if(tables, [&](const PgTable& table) { return std::ranges::find(names, table.schema.name) == names.end(); });
    for (const TableName& name : names)
        if (std::ranges::none_of(tables, [&](const PgTable& table) { return table.schema.name == name; }))
            throw RefusedError{fmt::format("{} is not a table of the leader that can be replicated", to_string(name))};
    note_rules(TableRules{}, tables);  // partitions know their roots, by which rules may name them
    note_rules(request.rules, tables);
    return tables;
}

std::vector<TablePtr> read_carried_tables(PgSession& session, std::vector<PgTable> tables, bool one_off) {
    read_definitions(session, tables);
    std::vector<TablePtr> result;
    for (PgTable& table : tables) {
        if (one_off) forget_identity(table);
        result.push_back(std::make_shared<const TableSchema>(carried_schema(table)));
    }
    return result;
}

ExportedSnapshot::ExportedSnapshot(const PgConninfo& conninfo, const std::string& application)
    : session_{conninfo, PgRole::leader, application}, transaction_{session_, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"} {
    const PgRows taken = session_.query("select pg_catalog.pg_current_snapshot()::text, pg_catalog.pg_export_snapshot()");
    bounds_ = taken.text(0, 0);
    name_ = taken.text(0, 1);
}

}  // namespace rowferry
