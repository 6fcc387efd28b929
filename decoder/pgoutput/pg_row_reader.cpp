#include "decoder/pgoutput/pg_row_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "decoder/byte_reader.h"
#include "decoder/pgoutput/copy_data.h"
#include "decoder/pgoutput/copy_text.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"

namespace rowferry {
namespace {

/// Takes the header off the first message.
std::string_view after_header(std::string_view message, const TableSchema& table) {
    constexpr std::size_t kFixed = pg_binary::kCopySignature.size() + 4 + 4;
    if (message.size() < kFixed || !message.starts_with(pg_binary::kCopySignature))
        throw HaltError{fmt::format("{}: the leader's COPY does not begin as PostgreSQL's binary format does", to_string(table.name))};
    ByteReader reader{pgoutput::as_bytes(message.substr(pg_binary::kCopySignature.size()))};
    const std::uint32_t flags = reader.u32();
    const std::uint32_t extension = reader.u32();
    if (flags != 0 || extension > message.size() - kFixed)
        throw HaltError{fmt::format("{}: the leader's COPY in binary format has flags or extensions that are not known here", to_string(table.name))};
    return message.substr(kFixed + extension);
}

std::string both(const std::string& filter, const std::string& range) {
    if (range.empty()) return filter;
    return filter.empty() ? " WHERE " + range : fmt::format("{} AND {}", filter, range);
}

}  // namespace

std::string import_snapshot(const std::string& exported) {
    return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + quote_literal(exported);
}

std::string rows_of(const PgTable& table) { return (table.partitioned ? "" : "ONLY ") + quote_table(table.schema.name); }

const PgTable& detail_of(const std::vector<PgTable>& details, const TableSchema& table) {
    return *std::ranges::find(details, table.leader_id, [](const PgTable& t) { return t.schema.leader_id; });
}

PgRowReader::PgRowReader(const PgConninfo& conninfo, const std::string& application, const std::string& exported,
                         std::shared_ptr<const std::vector<PgTable>> details, const StopSignal& stop)
    : link_{conninfo, PgLink::Kind::sql, PgRole::leader, application, stop}, details_{std::move(details)} {
    link_.query(import_snapshot(exported));
}

RowForm PgRowReader::open_table(const TablePtr& table, const std::string& range, RowForm wanted) {
    const PgTable& detail = detail_of(*details_, *table);
    open_ = table;
    binary_ = at_header_ = wanted == RowForm::copy_binary;
    std::string columns;
    for (const ColumnSchema& column : table->columns) columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
    link_.query(fmt::format("COPY (SELECT {} FROM {}{}) TO STDOUT{}", columns, rows_of(detail), both(pg_where(detail), range), binary_ ? " (FORMAT binary)" : ""));
    return wanted;
}

bool PgRowReader::read_rows(Batch& batch, std::size_t budget) {
    const TableSchema* table = batch.keep(open_);
    std::string_view row;
    while (batch.size_bytes() < budget) {
        if (!link_.get_copy(row)) return false;
        const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
        decode_copy_row(row, *table, batch.arena(), cells);
        batch.add(Change{table, Operation::insert, {}, cells});
    }
    return true;
}

bool PgRowReader::read_raw(RawRows& rows, std::size_t budget) {
    std::string_view message;  // one row each, the header in front of the first, the trailer alone
    while (rows.bytes.size() < budget) {
        if (!link_.get_copy(message)) return false;
        if (at_header_) {
            at_header_ = false;
            message = after_header(message, *open_);
            if (message.empty()) continue;
        }
        if (binary_ && message == pg_binary::kCopyTrailer) continue;
        rows.bytes += message;
        ++rows.rows;
    }
    return true;
}

}  // namespace rowferry
