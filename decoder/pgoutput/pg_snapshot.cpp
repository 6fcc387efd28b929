#include "decoder/pgoutput/pg_snapshot.h"

#include <algorithm>

#include <fmt/format.h>

#include "decoder/pgoutput/copy_text.h"
#include "decoder/pgoutput/pg_definitions.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

std::string import_statement(const std::string& exported) {
    return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + quote_literal(exported);
}

/// Partitioned tables hold no rows themselves; every other table is copied without its inheritance children, which are tables of their own.
std::string from_clause(const PgTable& table) { return (table.partitioned ? "" : "ONLY ") + quote_table(table.schema.name); }

}  // namespace

PgSnapshot::PgSnapshot(const PgConninfo& conninfo, const std::string& application, const std::string& exported, std::uint64_t lsn, const StopSignal& stop)
    : lsn_{lsn}, catalog_{conninfo, PgRole::leader, application}, rows_{conninfo, PgLink::Kind::sql, PgRole::leader, application, stop} {
    catalog_.query(import_statement(exported));
    rows_.query(import_statement(exported));
}

void PgSnapshot::use_tables(const std::vector<PgTable>& requested, const StreamRequest& request) {
    std::vector<std::uint32_t> oids;
    for (const PgTable& table : requested) oids.push_back(table.schema.leader_id);
    details_ = read_tables(catalog_, oids);
    if (details_.size() != requested.size()) throw RetryableError{"a table was dropped while the snapshot was taken"};
    tables_.clear();
    for (PgTable& table : details_) {
        const auto original = std::ranges::find(requested, table.schema.leader_id, [](const PgTable& t) { return t.schema.leader_id; });
        table.schema.insert_only = original->schema.insert_only;
        // What identifies a row follows from the replica identity that is in force once the stream is installed.
        table.schema.identity = original->schema.identity;
        rows_.query(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", from_clause(table)));
    }
    // Behind the locks: expressions are printed from the tables as they are now, not as the snapshot has them.
    read_definitions(catalog_, details_);
    note_rules(request.rules, details_);
    for (PgTable& table : details_) {
        if (request.one_off) forget_identity(table);
        tables_.push_back(std::make_shared<const TableSchema>(carried_schema(table)));
    }
}

std::optional<std::uint64_t> PgSnapshot::estimated_rows(const TableSchema& table) {
    for (const PgTable& detail : details_)
        if (detail.schema.leader_id == table.leader_id && detail.estimated_rows >= 0) return static_cast<std::uint64_t>(detail.estimated_rows);
    return std::nullopt;
}

void PgSnapshot::open_table(const TablePtr& table) {
    open_ = table;
    const auto detail = std::ranges::find(details_, table->leader_id, [](const PgTable& t) { return t.schema.leader_id; });
    std::string columns;
    for (const ColumnSchema& column : table->columns) columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
    rows_.query(fmt::format("COPY (SELECT {} FROM {}{}) TO STDOUT", columns, from_clause(*detail), pg_where(*detail)));
}

bool PgSnapshot::read_rows(Batch& batch, std::size_t budget) {
    const TableSchema* table = batch.keep(open_);
    std::string_view row;
    while (batch.size_bytes() < budget) {
        if (!rows_.get_copy(row)) return false;
        const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
        decode_copy_row(row, *table, batch.arena(), cells);
        batch.add(Change{table, Operation::insert, {}, cells});
    }
    return true;
}

std::optional<std::int64_t> PgSnapshot::next_number(const TableSchema& table, std::uint16_t column) {
    const PgRows sequence = catalog_.query("select pg_catalog.pg_get_serial_sequence($1, $2)", {quote_table(table.name), table.columns[column].name});
    if (sequence.is_null(0, 0)) return std::nullopt;
    const PgRows rows = catalog_.query(fmt::format(
        "select s.last_value, s.is_called, q.seqincrement from {} s, pg_catalog.pg_sequence q where q.seqrelid = {}::regclass", sequence.text(0, 0),
        quote_literal(sequence.text(0, 0))));
    return rows.integer(0, 0) + (rows.boolean(0, 1) ? rows.integer(0, 2) : 0);
}

}  // namespace rowferry
