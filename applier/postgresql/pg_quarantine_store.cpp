#include "applier/postgresql/pg_quarantine_store.h"

#include <fmt/format.h>

#include "applier/postgresql/pg_row_image.h"
#include "schemas/identifier.h"

namespace rowferry::pg_quarantine {
namespace {

// A key may be larger than what an index takes, so its digest is indexed.
constexpr std::string_view kQuarantineTable = R"(
CREATE TABLE IF NOT EXISTS rowferry.quarantine (
    stream        text NOT NULL,
    schema        text NOT NULL,
    name          text NOT NULL,
    key_digest    bytea NOT NULL,
    key           json NOT NULL,
    image         json NOT NULL,
    column_name   text NOT NULL,
    storage_class text NOT NULL,
    reason        text NOT NULL,
    position      text NOT NULL,
    first_seen    timestamptz NOT NULL DEFAULT now(),
    last_seen     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, schema, name, key_digest)
))";

// Rows fetched at once; what they hold is bounded by what the sink handles anyway, a batch.
constexpr int kRowsAtOnce = 200;

std::string of_stream(const std::string& stream) { return "stream = " + quote_literal(stream); }

}  // namespace

bool exists(const PgRun& run) { return run("SELECT to_regclass('rowferry.quarantine') IS NOT NULL").boolean(0, 0); }

void create_table(const PgRun& run) {
    if (!exists(run)) run(std::string{kQuarantineTable});
}

void clear(const PgRun& run, const std::string& stream) {
    if (exists(run)) run("DELETE FROM rowferry.quarantine WHERE " + of_stream(stream));
}

void clear(const PgRun& run, const std::string& stream, const TableName& table) {
    if (!exists(run)) return;
    run(fmt::format("DELETE FROM rowferry.quarantine WHERE {} AND schema = {} AND name = {}", of_stream(stream), quote_literal(table.schema),
                    quote_literal(table.name)));
}

void rename(const PgRun& run, const std::string& stream, const TableName& staging, const TableName& table) {
    if (!exists(run)) return;
    clear(run, stream, table);
    run(fmt::format("UPDATE rowferry.quarantine SET schema = {}, name = {} WHERE {} AND schema = {} AND name = {}", quote_literal(table.schema),
                    quote_literal(table.name), of_stream(stream), quote_literal(staging.schema), quote_literal(staging.name)));
}

std::vector<QuarantinedTable> counts(const PgRun& run, const std::string& stream) {
    std::vector<QuarantinedTable> tables;
    if (!exists(run)) return tables;
    const PgRows rows =
        run(fmt::format("SELECT schema, name, count(*) FROM rowferry.quarantine WHERE {} GROUP BY 1, 2 ORDER BY 1, 2", of_stream(stream)));
    for (std::size_t i = 0; i < rows.size(); ++i)
        tables.push_back({{rows.text(i, 0), rows.text(i, 1)}, static_cast<std::uint64_t>(rows.integer(i, 2))});
    return tables;
}

void load(const PgRun& run, const std::string& stream, const TableName& table, const std::function<void(const std::string& image)>& take) {
    std::string last = "''::bytea";
    for (;;) {
        const PgRows rows = run(fmt::format(
            "SELECT encode(key_digest, 'hex'), image FROM rowferry.quarantine WHERE {} AND schema = {} AND name = {} AND key_digest > {} "
            "ORDER BY key_digest LIMIT {}",
            of_stream(stream), quote_literal(table.schema), quote_literal(table.name), last, kRowsAtOnce));
        for (std::size_t i = 0; i < rows.size(); ++i) take(rows.text(i, 1));
        if (rows.size() < kRowsAtOnce) return;
        last = fmt::format("decode({}, 'hex')", quote_literal(rows.text(rows.size() - 1, 0)));
    }
}

std::string row_values(const std::string& stream, const PgTablePlan& plan, std::span<const Cell> row, const PgMisfit& misfit) {
    const TableSchema& leader = plan.leader();
    ColumnIndexes all;
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) all.push_back(i);
    const std::string key = quote_literal(image_json(leader, leader.identity, row));
    const TableName& table = plan.follower().name;
    return fmt::format("({}, {}, {}, sha256(convert_to({}, 'UTF8')), {}, {}, {}, {}, {}, 'copy')", quote_literal(stream),
                       quote_literal(table.schema), quote_literal(table.name), key, key, quote_literal(image_json(leader, all, row)),
                       quote_literal(plan.column(misfit.column).follower->name), quote_literal(storage_class(row[misfit.column])),
                       quote_literal(misfit.why));
}

void insert_rows(const PgRun& run, const std::string& values) {
    run("INSERT INTO rowferry.quarantine (stream, schema, name, key_digest, key, image, column_name, storage_class, reason, position) VALUES " +
        values);
}

std::vector<std::string> drop(const PgRun& run, const std::vector<std::string>& streams, bool last, bool dry_run) {
    std::vector<std::string> removed;
    if (!exists(run)) return removed;
    for (const std::string& stream : streams) {
        std::uint64_t keys = 0;
        for (const QuarantinedTable& table : counts(run, stream)) keys += table.keys;
        if (keys > 0) removed.push_back(fmt::format("follower: {} quarantined row(s) of stream {}", keys, printable(stream, 80)));
        if (!dry_run) clear(run, stream);
    }
    if (!last) return removed;
    removed.emplace_back("follower: table rowferry.quarantine");
    if (!dry_run) run("DROP TABLE rowferry.quarantine");
    return removed;
}

}  // namespace rowferry::pg_quarantine
