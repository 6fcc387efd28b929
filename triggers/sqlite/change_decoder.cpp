#include "triggers/sqlite/change_decoder.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/change_table.h"
#include "triggers/sqlite/sqlite_snapshot.h"

namespace rowferry {
namespace {

/// The same value to the last bit, not what SQL calls equal.
bool same_cell(const Cell& left, const Cell& right) {
    if (left.kind() != right.kind()) return false;
    switch (left.kind()) {
        case CellKind::integer: return left.as_integer() == right.as_integer();
        case CellKind::real: return std::bit_cast<std::uint64_t>(left.as_real()) == std::bit_cast<std::uint64_t>(right.as_real());
        case CellKind::text:
        case CellKind::blob: return left.bytes() == right.bytes();
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged: return true;
    }
    return false;
}

/// Empty when it is no text, which no trigger of ours writes.
std::string_view operation_of(const SqliteStatement& row) {
    const Cell cell = row.cell(ChangeDecoder::kOperation);
    return cell.kind() == CellKind::text ? cell.bytes() : std::string_view{};
}

}  // namespace

void ChangeDecoder::set_tables(const std::vector<TablePtr>& tables) {
    tables_.clear();
    make_room_for(tables);
    for (const TablePtr& table : tables) tables_.emplace(table->leader_id, Table{table, logged_key(*table)});
}

std::vector<TablePtr> ChangeDecoder::tables() const {
    std::vector<TablePtr> result;
    for (const auto& [number, table] : tables_) result.push_back(table.schema);
    std::sort(result.begin(), result.end(), [](const TablePtr& a, const TablePtr& b) { return a->name < b->name; });
    return result;
}

void ChangeDecoder::make_room_for(const std::vector<TablePtr>& tables) {
    key_width_ = std::max<std::size_t>(key_width_, 1);  // where 'S' rows hold a shape
    for (const TablePtr& table : tables) {
        key_width_ = std::max(key_width_, logged_key(*table).size());
        row_width_ = std::max(row_width_, table->columns.size());
    }
}

bool ChangeDecoder::changes_shape(const SqliteStatement& row) { return operation_of(row) == "S"; }

std::string ChangeDecoder::select_sql() const {
    std::string sql = "SELECT seq, tag, tbl, op";
    for (std::size_t i = 0; i < key_width_; ++i) sql += ", " + change_column('k', i);
    for (std::size_t i = 0; i < row_width_; ++i) sql += ", " + change_column('n', i);
    return sql + " FROM main.rowferry_change WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
}

bool ChangeDecoder::concerns(const SqliteStatement& row) const { return tables_.contains(row.integer(kTable)) || operation_of(row) == "M"; }

void ChangeDecoder::decode(const SqliteStatement& row, Batch& batch) {
    const std::string_view operation = operation_of(row);
    if (operation == "M") return;
    Table& table = tables_.at(row.integer(kTable));
    if (operation == "S") return change_shape(row, table, batch);
    const TableSchema* schema = batch.keep(table.schema);
    switch (operation.empty() ? '\0' : operation.front()) {
        case 'I':
            settle_replaced(row, table, false, batch);
            batch.add(Change{schema, Operation::insert, {}, read_after(row, table, batch)});
            return;
        case 'U': {
            settle_replaced(row, table, true, batch);
            const bool needs_before = table.schema->identity.empty() || !key_unchanged(row, table);
            const std::span<const Cell> before = needs_before ? read_before(row, table, batch) : std::span<const Cell>{};
            batch.add(Change{schema, Operation::update, before, read_after(row, table, batch)});
            return;
        }
        case 'D':
            if (!replaced_.empty()) replaced_.forget(table.schema->leader_id, packed_key(row, table, false));
            batch.add(Change{schema, Operation::remove, read_before(row, table, batch), {}});
            return;
        case 'i':
        case 'u': note_tentative(row, table, operation); return;
        default:
            throw HaltError{fmt::format("row {} of the change table holds the operation \"{}\", which no trigger of ours writes",
                                        row.integer(kSeq), printable(operation, 20))};
    }
}

void ChangeDecoder::change_shape(const SqliteStatement& row, Table& table, Batch& batch) {
    const TablePtr before = table.schema;
    ShapeChange change;
    change.before = batch.keep(before);
    const Cell text = old_cell(row, 0);
    if (text.is_null()) {
        tables_.erase(before->leader_id);
        batch.add(change);
        return;
    }
    TableSchema shape = table_from_json(std::string{text.kind() == CellKind::text ? text.bytes() : std::string_view{}});
    // What the columns held when the table was copied is known to the checkpoint only.
    for (std::size_t i = 0; i < before->columns.size() && i < shape.columns.size(); ++i) shape.columns[i].profile = before->columns[i].profile;
    // Columns of a SQLite leader are told apart by their names alone: a renamed one would be dropped with its values, and added without.
    for (std::size_t i = 0; i < before->columns.size() && i < shape.columns.size(); ++i)
        if (before->columns[i].name != shape.columns[i].name && change.obstacle.empty())
            change.obstacle = batch.arena().copy(fmt::format("column {} was renamed to {}: copy the table again with `rowferry copy-table`",
                                                             printable(before->columns[i].name, 80), printable(shape.columns[i].name, 80)));
    table.key = logged_key(shape);
    table.schema = std::make_shared<const TableSchema>(std::move(shape));
    change.after = change.leader_after = batch.keep(table.schema);
    batch.add(change);
}

bool ChangeDecoder::key_unchanged(const SqliteStatement& row, const Table& table) const {
    for (std::size_t i = 0; i < table.key.size(); ++i)
        if (!same_cell(old_cell(row, i), new_cell(row, table.key[i]))) return false;
    return true;
}

std::span<const Cell> ChangeDecoder::read_before(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const std::span<Cell> cells = batch.arena().array<Cell>(table.schema->columns.size());
    for (std::size_t i = 0; i < table.key.size(); ++i) cells[table.key[i]] = copy_cell(old_cell(row, i), batch.arena());
    return cells;
}

std::span<const Cell> ChangeDecoder::read_after(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const std::span<Cell> cells = batch.arena().array<Cell>(table.schema->columns.size());
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = copy_cell(new_cell(row, i), batch.arena());
    return cells;
}

std::string ChangeDecoder::packed_key(const SqliteStatement& row, const Table& table, bool of_new_row) const {
    std::string packed;
    for (std::size_t i = 0; i < table.key.size(); ++i) append_packed(packed, of_new_row ? new_cell(row, table.key[i]) : old_cell(row, i));
    return packed;
}

void ChangeDecoder::note_tentative(const SqliteStatement& row, const Table& table, std::string_view operation) {
    std::vector<std::uint16_t> columns = split_numbers(operation.substr(1));
    std::string values;
    for (const std::uint16_t column : columns) {
        if (column >= table.schema->columns.size())
            throw HaltError{fmt::format("row {} of the change table names column {}", row.integer(kSeq), column)};
        append_packed(values, new_cell(row, column));
    }
    replaced_.add(table.schema->leader_id, operation.front() == 'u', std::move(columns), std::move(values), packed_key(row, table, false));
}

void ChangeDecoder::settle_replaced(const SqliteStatement& row, const Table& table, bool by_update, Batch& batch) {
    if (replaced_.empty()) return;
    const std::uint32_t number = table.schema->leader_id;
    if (by_update) replaced_.forget(number, packed_key(row, table, false));
    replaced_.confirm(
        number, by_update, [&](std::uint16_t column) { return new_cell(row, column); },
        [&](std::string_view packed) {
            const std::vector<Cell> key = unpack_cells(packed, batch.arena());
            const std::span<Cell> cells = batch.arena().array<Cell>(table.schema->columns.size());
            for (std::size_t i = 0; i < key.size(); ++i) cells[table.key[i]] = key[i];
            batch.add(Change{table.schema.get(), Operation::remove, cells, {}});
        });
    replaced_.forget(number, packed_key(row, table, true));
}

}  // namespace rowferry
