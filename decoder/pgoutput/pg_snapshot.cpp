#include "decoder/pgoutput/pg_snapshot.h"

#include <algorithm>

#include <fmt/format.h>

#include "decoder/pgoutput/pg_definitions.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// A part of a table should be worth a statement of its own.
constexpr std::int64_t kLeastBlocks = 2048;

}  // namespace

PgSnapshot::PgSnapshot(const PgConninfo& conninfo, const std::string& application, const std::string& exported, std::uint64_t lsn, const StopSignal& stop)
    : conninfo_{conninfo}, application_{application}, stop_{stop}, lsn_{lsn}, catalog_{conninfo, PgRole::leader, application} {
    catalog_.query(import_snapshot(exported));
    first_ = std::make_unique<PgRowReader>(conninfo, application, exported, details_, stop);
}

void PgSnapshot::use_tables(const std::vector<PgTable>& requested, const StreamRequest& request) {
    std::vector<std::uint32_t> oids;
    for (const PgTable& table : requested) oids.push_back(table.schema.leader_id);
    std::vector<PgTable>& details = *details_;
    details = read_tables(catalog_, oids);
    if (details.size() != requested.size()) throw RetryableError{"a table was dropped while the snapshot was taken"};
    tables_.clear();
    for (PgTable& table : details) {
        const auto original = std::ranges::find(requested, table.schema.leader_id, [](const PgTable& t) { return t.schema.leader_id; });
        table.schema.insert_only = original->schema.insert_only;
        // What identifies a row follows from the replica identity that is in force once the stream is installed.
        table.schema.identity = original->schema.identity;
        catalog_.query(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", rows_of(table)));
    }
    // Behind the locks: expressions are printed from the tables as they are now, not as the snapshot has them.
    read_definitions(catalog_, details);
    note_rules(request.rules, details);
    for (PgTable& table : details) {
        if (request.one_off) forget_identity(table);
        tables_.push_back(std::make_shared<const TableSchema>(carried_schema(table)));
    }
}

std::optional<std::uint64_t> PgSnapshot::estimated_rows(const TableSchema& table) {
    const double rows = detail_of(*details_, table).estimated_rows;
    if (rows < 0) return std::nullopt;
    return static_cast<std::uint64_t>(rows);
}

std::vector<std::string> PgSnapshot::ranges(const TableSchema& table, std::size_t most) {
    // Only a heap has blocks in which rows can be found by ctid.
    const PgRows size = catalog_.query(
        "select pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint from pg_catalog.pg_class c "
        "join pg_catalog.pg_am a on a.oid = c.relam where c.oid = $1::pg_catalog.oid and c.relkind = 'r' and a.amname = 'heap'",
        {std::to_string(table.leader_id)});
    const std::int64_t blocks = size.empty() ? 0 : size.integer(0, 0);
    const std::int64_t parts = std::min<std::int64_t>(static_cast<std::int64_t>(most), blocks / kLeastBlocks);
    if (parts <= 1) return {{}};
    std::vector<std::string> ranges;
    for (std::int64_t part = 0; part < parts; ++part) {
        std::string range = fmt::format("ctid >= '({},0)'", blocks * part / parts);
        // Open at the end: what the snapshot sees may lie behind the size of now if the table was made smaller and grew again.
        if (part + 1 < parts) range += fmt::format(" AND ctid < '({},0)'", blocks * (part + 1) / parts);
        ranges.push_back(std::move(range));
    }
    return ranges;
}

std::unique_ptr<RowReader> PgSnapshot::another_reader() {
    if (exported_.empty()) exported_ = catalog_.query("select pg_catalog.pg_export_snapshot()").text(0, 0);
    return std::make_unique<PgRowReader>(conninfo_, application_, exported_, details_, stop_);
}

std::optional<std::int64_t> PgSnapshot::next_number(const TableSchema& table, std::uint16_t column) {
    const PgRows sequence = catalog_.query("select pg_catalog.pg_get_serial_sequence($1, $2)", {quote_table(table.name), table.columns[column].name});
    if (sequence.is_null(0, 0)) return std::nullopt;
    // One that has given its last number begins again, or stays where it is: then the follower's next insert fails, as the leader's does.
    const PgRows rows = catalog_.query(fmt::format(
        "select case when not s.is_called then s.last_value "
        "            when s.last_value::numeric + q.seqincrement between q.seqmin and q.seqmax then s.last_value + q.seqincrement "
        "            when not q.seqcycle then s.last_value when q.seqincrement > 0 then q.seqmin else q.seqmax end "
        "from {} s, pg_catalog.pg_sequence q where q.seqrelid = {}::regclass",
        sequence.text(0, 0), quote_literal(sequence.text(0, 0))));
    return rows.integer(0, 0);
}

}  // namespace rowferry
