#include "triggers/sqlite/change_decoder.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/same_cell.h"
#include "triggers/sqlite/change_table.h"
#include "triggers/sqlite/sqlite_snapshot.h"

namespace rowferry {
namespace {

/// Empty when it is no text, which no trigger of ours writes.
std::string_view operation_of(const SqliteStatement& row) {
    const Cell cell = row.cell(ChangeDecoder::kOperation);
    return cell.kind() == CellKind::text ? cell.bytes() : std::string_view{};
}

/// Columns that are logged keep their places: SQLite renames them there, adds others behind them, and drops none that a trigger of ours names.
void number_columns(TableSchema& table) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) table.columns[i].attribute = static_cast<std::uint16_t>(i + 1);
}

/// Checkpoints and logs may hold shapes from before columns were numbered.
TablePtr numbered(const TablePtr& table) {
    if (std::ranges::all_of(table->columns, [](const ColumnSchema& column) { return column.attribute != 0; })) return table;
    auto copy = std::make_shared<TableSchema>(*table);
    number_columns(*copy);
    return copy;
}

}  // namespace

void ChangeDecoder::set_tables(const std::vector<TablePtr>& tables) {
    std::vector<TablePart> parts;
    for (const TablePtr& table : tables) parts.push_back(whole_part(table));
    set_parts(parts);
}

void ChangeDecoder::set_parts(const std::vector<TablePart>& parts) {
    tables_.clear();
    for (const TablePart& part : parts) {
        make_room_for({part.whole});
        tables_.emplace(part.whole->leader_id, table_of(part));
    }
}

ChangeDecoder::Table ChangeDecoder::table_of(const TablePart& part) {
    Table table{part, logged_key(*part.whole), {}, {}};
    table.place_in_key.assign(part.whole->columns.size(), -1);
    for (std::size_t i = 0; i < table.key.size(); ++i) {
        const auto carried = std::find(part.columns.begin(), part.columns.end(), table.key[i]);
        table.key_place.push_back(carried == part.columns.end() ? -1 : static_cast<int>(carried - part.columns.begin()));
        table.place_in_key[table.key[i]] = static_cast<int>(i);
    }
    return table;
}

std::vector<TablePtr> ChangeDecoder::tables() const {
    std::vector<TablePtr> result;
    for (const auto& [number, table] : tables_) result.push_back(table.part.carried);
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
    batch.keep(table.part.carried);
    switch (operation.empty() ? '\0' : operation.front()) {
        case 'I': insert(row, table, batch); return;
        case 'U': update(row, table, batch); return;
        case 'D': remove(row, table, batch); return;
        case 'i':
        case 'u': note_tentative(row, table, operation); return;
        default:
            throw HaltError{fmt::format("row {} of the change table holds the operation \"{}\", which no trigger of ours writes",
                                        row.integer(kSeq), printable(operation, 20))};
    }
}

void ChangeDecoder::change_shape(const SqliteStatement& row, Table& table, Batch& batch) {
    const TablePtr before = numbered(table.part.carried);
    if (table.part.filter || before->columns.size() != table.part.whole->columns.size())
        throw HaltError{fmt::format("{}: the table changed its shape on the leader, and the stream carries only a part of it: drop the stream and copy again",
                                    to_string(before->name))};
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
    number_columns(shape);
    table = table_of(whole_part(std::make_shared<const TableSchema>(std::move(shape))));
    change.after = change.leader_after = batch.keep(table.part.carried);
    batch.add(change);
}

void ChangeDecoder::insert(const SqliteStatement& row, const Table& table, Batch& batch) {
    settle_replaced(row, table, false, batch);
    if (new_passes(row, table))
        batch.add(Change{table.part.carried.get(), Operation::insert, {}, read_after(row, table, batch)});
    else if (table.part.may_displace)
        displace_by(row, table, batch);
}

void ChangeDecoder::update(const SqliteStatement& row, const Table& table, Batch& batch) {
    settle_replaced(row, table, true, batch);
    const bool was = old_passes(row, table);
    const bool is = new_passes(row, table);
    if (was && is) return add_update(row, table, batch);
    if (is) {
        batch.add(Change{table.part.carried.get(), Operation::insert, {}, read_after(row, table, batch)});
    } else if (was && table.part.may_displace) {
        add_update(row, table, batch);
        remove_new(row, table, batch);
    } else if (was) {
        batch.add(Change{table.part.carried.get(), Operation::remove, read_before(row, table, batch), {}});
    } else if (table.part.may_displace) {
        displace_by(row, table, batch);
    }
}

void ChangeDecoder::remove(const SqliteStatement& row, const Table& table, Batch& batch) {
    if (!replaced_.empty()) replaced_.forget(table.part.whole->leader_id, packed_key(row, table, false));
    if (old_passes(row, table)) batch.add(Change{table.part.carried.get(), Operation::remove, read_before(row, table, batch), {}});
}

/// A row that the filter keeps out comes and goes at once: what it displaced on the leader, the follower's insert displaces.
void ChangeDecoder::displace_by(const SqliteStatement& row, const Table& table, Batch& batch) const {
    batch.add(Change{table.part.carried.get(), Operation::insert, {}, read_after(row, table, batch)});
    remove_new(row, table, batch);
}

void ChangeDecoder::add_update(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const TableSchema* schema = table.part.carried.get();
    const bool needs_before = schema->identity.empty() || !key_unchanged(row, table);
    const std::span<const Cell> before = needs_before ? read_before(row, table, batch) : std::span<const Cell>{};
    batch.add(Change{schema, Operation::update, before, read_after(row, table, batch)});
}

void ChangeDecoder::remove_new(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const TableSchema& schema = *table.part.carried;
    const std::span<Cell> cells = batch.arena().array<Cell>(schema.columns.size());
    for (std::size_t i = 0; i < cells.size(); ++i)
        if (schema.identity.empty() || schema.in_identity(static_cast<std::uint16_t>(i))) cells[i] = copy_cell(new_cell(row, table.part.columns[i]), batch.arena());
    batch.add(Change{&schema, Operation::remove, cells, {}});
}

bool ChangeDecoder::old_passes(const SqliteStatement& row, const Table& table) const {
    if (!table.part.filter) return true;
    return table.part.filter->passes([&](std::uint16_t column) { return old_cell(row, static_cast<std::size_t>(table.place_in_key[column])); });
}

bool ChangeDecoder::new_passes(const SqliteStatement& row, const Table& table) const {
    if (!table.part.filter) return true;
    return table.part.filter->passes([&](std::uint16_t column) { return new_cell(row, column); });
}

bool ChangeDecoder::key_unchanged(const SqliteStatement& row, const Table& table) const {
    for (std::size_t i = 0; i < table.key.size(); ++i)
        if (!same_cell(old_cell(row, i), new_cell(row, table.key[i]))) return false;
    return true;
}

std::span<const Cell> ChangeDecoder::read_before(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const std::span<Cell> cells = batch.arena().array<Cell>(table.part.carried->columns.size());
    for (std::size_t i = 0; i < table.key.size(); ++i)
        if (table.key_place[i] >= 0) cells[static_cast<std::size_t>(table.key_place[i])] = copy_cell(old_cell(row, i), batch.arena());
    return cells;
}

std::span<const Cell> ChangeDecoder::read_after(const SqliteStatement& row, const Table& table, Batch& batch) const {
    const std::span<Cell> cells = batch.arena().array<Cell>(table.part.columns.size());
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = copy_cell(new_cell(row, table.part.columns[i]), batch.arena());
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
        if (column >= table.part.whole->columns.size())
            throw HaltError{fmt::format("row {} of the change table names column {}", row.integer(kSeq), column)};
        append_packed(values, new_cell(row, column));
    }
    replaced_.add(table.part.whole->leader_id, operation.front() == 'u', std::move(columns), std::move(values), packed_key(row, table, false));
}

void ChangeDecoder::settle_replaced(const SqliteStatement& row, const Table& table, bool by_update, Batch& batch) {
    if (replaced_.empty()) return;
    const std::uint32_t number = table.part.whole->leader_id;
    if (by_update) replaced_.forget(number, packed_key(row, table, false));
    replaced_.confirm(
        number, by_update, [&](std::uint16_t column) { return new_cell(row, column); },
        [&](std::string_view packed) {
            const std::vector<Cell> key = unpack_cells(packed, batch.arena());
            const auto value = [&](std::uint16_t column) { return key[static_cast<std::size_t>(table.place_in_key[column])]; };
            if (table.part.filter && !table.part.filter->passes(value)) return;
            const std::span<Cell> cells = batch.arena().array<Cell>(table.part.carried->columns.size());
            for (std::size_t i = 0; i < key.size(); ++i)
                if (table.key_place[i] >= 0) cells[static_cast<std::size_t>(table.key_place[i])] = key[i];
            batch.add(Change{table.part.carried.get(), Operation::remove, cells, {}});
        });
    replaced_.forget(number, packed_key(row, table, true));
}

}  // namespace rowferry
