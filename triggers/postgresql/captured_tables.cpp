#include "triggers/postgresql/captured_tables.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry::pg_capture {

void settle_identity(std::vector<PgTable>& tables, KeylessMode keyless) {
    for (PgTable& table : tables) {
        if (!table.schema.identity.empty()) continue;
        table.schema.identity = find_key(table.schema);
        if (table.schema.identity.empty() && keyless == KeylessMode::insert) table.schema.insert_only = true;
    }
}

CapturedTables::CapturedTables(const Checkpoint& checkpoint, const StreamRequest& request)
    : stream_{checkpoint.stream},
      selection_{request.selection},
      rules_{request.rules},
      keyless_{request.keyless},
      rows_before_{request.rows_before},
      passed_over_{checkpoint.passed_over},
      tick_{checkpoint.position.major} {
    for (const TableState& state : checkpoint.tables) {
        tables_[state.shape.leader_id] = {std::make_shared<const TableSchema>(state.shape), state.included_to.major, state.shape.file_node};
        told_new_.insert(state.name);
    }
}

std::vector<std::uint32_t> CapturedTables::oids() const {
    std::vector<std::uint32_t> result;
    for (const auto& [oid, known] : tables_) result.push_back(oid);
    return result;
}

bool CapturedTables::passes_over(const TableName& name) const { return std::ranges::find(passed_over_, name) != passed_over_.end(); }

std::string CapturedTables::where(const TableSchema& table) const {
    return fmt::format("stream {}, table {}, after {}", stream_, to_string(table.name), to_string(PositionKind::sequence, {tick_, 0}));
}

void CapturedTables::halt(const TableSchema& table, const std::string& why) const {
    throw HaltError{fmt::format("{}: {}. Copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`, or drop the stream and copy everything again", where(table), why,
                                to_string(table.name))};
}

const CapturedTables::Known* CapturedTables::known_of(std::uint32_t rel, std::uint64_t tick) const {
    const auto known = tables_.find(rel);
    if (known == tables_.end() || tick <= known->second.included_to || passes_over(known->second.shape->name)) return nullptr;
    return &known->second;
}

const TablePtr* CapturedTables::truncated(const LogEntry& entry, std::uint64_t tick) const {
    const Known* known = known_of(entry.rel, tick);
    return known == nullptr ? nullptr : &known->shape;
}

/// Rows of `fields` fields from here on: the first of the columns that the table has now.
void CapturedTables::use_fields(Logged& logged, Known& known, std::size_t fields, Batch& batch) {
    if (fields > logged.attributes.size()) halt(*known.shape, "a logged row has more columns than the table: it changed its shape on the leader");
    const std::set<std::int32_t> there{logged.attributes.begin(), logged.attributes.begin() + static_cast<std::ptrdiff_t>(fields)};
    const auto is_there = [&](const ColumnSchema& column) { return there.contains(column.attribute); };
    if (!std::ranges::all_of(known.shape->columns, is_there)) halt(*known.shape, "a logged row has fewer columns than the stream knows: the table changed its shape on the leader");
    if (known.next && std::ranges::count_if(known.next->columns, is_there) > static_cast<std::ptrdiff_t>(known.shape->columns.size())) {
        TableSchema after = *known.next;
        // Added ones are the last: no index into the others moves.
        std::erase_if(after.columns, [&](const ColumnSchema& column) { return !is_there(column); });
        const auto goes = [&](const auto& index) { return std::ranges::any_of(index.columns, [&](std::uint16_t column) { return column >= after.columns.size(); }); };
        std::erase_if(after.indexes, goes);
        std::erase_if(after.unique_keys, goes);
        std::erase_if(after.foreign_keys, goes);
        const TablePtr shape = std::make_shared<const TableSchema>(std::move(after));
        ShapeChange event;
        event.before = batch.keep(known.shape);
        event.after = event.leader_after = batch.keep(shape);
        batch.add(event);
        known.shape = shape;
        if (shape->columns.size() == known.next->columns.size()) known.next.reset();
    }
    logged.map.assign(fields, -1);
    logged.identity_map.assign(fields, -1);
    for (std::size_t field = 0; field < fields; ++field) {
        const auto column = std::ranges::find(known.shape->columns, logged.attributes[field], [](const ColumnSchema& c) { return static_cast<std::int32_t>(c.attribute); });
        if (column == known.shape->columns.end()) continue;
        const auto index = static_cast<std::uint16_t>(column - known.shape->columns.begin());
        logged.map[field] = index;
        if (known.shape->identity.empty() || known.shape->in_identity(index)) logged.identity_map[field] = index;
    }
}

void CapturedTables::add_update(Logged& logged, const Known& known, const TableSchema* table, std::string_view before, std::string_view after, Batch& batch) {
    const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
    decode_row(after, logged.map, batch.arena(), cells);
    const std::span<Cell> old = batch.arena().array<Cell>(table->columns.size());
    decode_row(before, rows_before_ ? logged.map : logged.identity_map, batch.arena(), old);
    const auto same = [&](std::uint16_t column) {
        return old[column].kind() == cells[column].kind() && (old[column].is_null() || old[column].bytes() == cells[column].bytes());
    };
    const bool moved = rows_before_ || known.shape->identity.empty() || !std::ranges::all_of(known.shape->identity, same);
    batch.add(Change{table, Operation::update, moved ? std::span<const Cell>{old} : std::span<const Cell>{}, cells});
}

bool CapturedTables::decode(const LogEntry& entry, std::uint64_t tick, Batch& batch) {
    if (known_of(entry.rel, tick) == nullptr) return false;
    Logged& logged = logged_.at(entry.rel);
    Known& known = tables_.at(entry.rel);
    if (known.shape->insert_only && entry.op != 'I')
        throw HaltError{fmt::format("{}: it is replicated for inserts only (--keyless insert), but a row of it was updated or deleted on the leader. Give it a key, or drop the stream and copy again "
                                    "with --keyless full",
                                    where(*known.shape))};
    // All rows of an entry are of one statement, and so of one shape.
    const std::size_t fields = logged.attributes.empty() ? 0 : count_fields(entry.op == 'D' ? entry.olds.front() : entry.news.front());
    if (logged.map.size() != fields || (logged.map.empty() && fields > 0)) use_fields(logged, known, fields, batch);
    const TableSchema* table = batch.keep(known.shape);
    for (std::size_t i = 0; i < std::max(entry.olds.size(), entry.news.size()); ++i) {
        if (entry.op == 'U') {
            add_update(logged, known, table, entry.olds[i], entry.news[i], batch);
            continue;
        }
        const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
        decode_row(entry.op == 'I' ? entry.news[i] : entry.olds[i], logged.map, batch.arena(), cells);
        batch.add(entry.op == 'I' ? Change{table, Operation::insert, {}, cells} : Change{table, Operation::remove, cells, {}});
    }
    return true;
}

std::string CapturedTables::key_of(const LogEntry& entry, std::string_view row, Arena& arena) const {
    const Logged& logged = logged_.at(entry.rel);
    const TableSchema& table = *tables_.at(entry.rel).shape;
    if (table.identity.empty() || logged.identity_map.size() != count_fields(row)) return {};
    const std::span<Cell> cells = arena.array<Cell>(table.columns.size());
    decode_row(row, logged.identity_map, arena, cells);
    std::string key;
    for (const std::uint16_t column : table.identity) key += cells[column].is_null() ? "-" : fmt::format("{}:{}", cells[column].bytes().size(), cells[column].bytes());
    return key;
}

void CapturedTables::look_for_new(PgSession& session) {
    for (const SelectableTable& table : selectable_tables(session, false)) {
        if (!selects_partition(selection_, table.name, table.root) || tables_.contains(table.oid) || passes_over(table.name) || !told_new_.insert(table.name).second) continue;
        spdlog::warn("{} is new on the leader and matches the patterns of stream {}, but is not part of it: add it with `rowferry copy-table LEADER FOLLOWER --table {}`",
                     to_string(table.name), stream_, to_string(table.name));
        new_.push_back(table.name);
    }
}

}  // namespace rowferry::pg_capture
