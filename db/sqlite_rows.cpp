#include "db/sqlite_rows.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "db/row_filter.h"
#include "db/sqlite_schema.h"
#include "schemas/identifier.h"

namespace rowferry {

Cell copy_cell(const Cell& cell, Arena& arena) {
    if (cell.kind() == CellKind::text) return Cell::text(arena.copy(cell.bytes()));
    if (cell.kind() == CellKind::blob) return Cell::blob(arena.copy(cell.bytes()));
    return cell;
}

std::optional<std::uint64_t> SqliteRows::estimated_rows(const TableSchema& table) {
    const auto found = read_sqlite_table(view_, table.name.name);
    if (!found || found->rowid_name.empty()) return std::nullopt;
    // One aggregate at a time is a jump to an end of the table; both in one SELECT would be a scan.
    SqliteStatement ends = view_.prepare(fmt::format("SELECT (SELECT min({0}) FROM main.{1}), (SELECT max({0}) FROM main.{1})",
                                                      found->rowid_name, quote_identifier(table.name.name)));
    if (!ends.step() || ends.is_null(0)) return 0;
    const auto spread = static_cast<std::uint64_t>(ends.integer(1)) - static_cast<std::uint64_t>(ends.integer(0));
    // Rowids may be far apart. No row takes less than a few bytes of the file.
    const auto bytes =
        static_cast<std::uint64_t>(view_.query_integer("PRAGMA main.page_count") * view_.query_integer("PRAGMA main.page_size"));
    return std::min(spread, bytes / 4) + 1;
}

void SqliteRows::open(const TablePtr& table, const std::string& filter) {
    std::string list;
    for (const ColumnSchema& column : table->columns) list += (list.empty() ? "" : ",") + quote_identifier(column.name);
    rows_ = view_.prepare(fmt::format("SELECT {} FROM main.{}{}", list, quote_identifier(table->name.name), where_clause(filter)));
    open_table_ = table;
}

bool SqliteRows::read(Batch& batch, std::size_t budget) {
    if (!open_table_) return false;
    const TableSchema* table = batch.keep(open_table_);
    while (batch.size_bytes() < budget) {
        stop_.check();
        if (!rows_.step()) {
            rows_ = {};
            open_table_.reset();
            return false;
        }
        const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
        for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = copy_cell(rows_.cell(static_cast<int>(i)), batch.arena());
        batch.add(Change{table, Operation::insert, {}, cells});
    }
    return true;
}

std::optional<std::int64_t> SqliteRows::next_number(const TableSchema& table, std::uint16_t column) {
    const ColumnSchema& schema = table.columns.at(column);
    if (schema.auto_number == AutoNumber::none) return std::nullopt;
    SqliteStatement highest =
        view_.prepare(fmt::format("SELECT max({}) FROM main.{}", quote_identifier(schema.name), quote_identifier(table.name.name)));
    std::int64_t last = 0;
    if (highest.step() && !highest.is_null(0)) last = std::max(last, highest.integer(0));
    if (schema.autoincrement) {
        SqliteStatement sequence = view_.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?1");
        sequence.bind(1, table.name.name);
        if (sequence.step()) last = std::max(last, sequence.integer(0));
    }
    if (last == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    return last + 1;
}

}  // namespace rowferry
