#include "triggers/sqlite/replace_tracker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace rowferry {
namespace {

void append_number(std::string& packed, std::uint64_t number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    packed.append(bytes, sizeof number);
}

}  // namespace

void append_packed(std::string& packed, const Cell& cell) {
    packed += static_cast<char>(cell.kind());
    switch (cell.kind()) {
        case CellKind::integer: append_number(packed, static_cast<std::uint64_t>(cell.as_integer())); return;
        case CellKind::real: append_number(packed, std::bit_cast<std::uint64_t>(cell.as_real())); return;
        case CellKind::text:
        case CellKind::blob:
        case CellKind::binary:
            append_number(packed, cell.bytes().size());
            packed += cell.bytes();
            return;
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged: return;
    }
}

std::vector<Cell> unpack_cells(std::string_view packed, Arena& arena) {
    std::vector<Cell> cells;
    const auto take = [&] {
        std::uint64_t number = 0;
        std::memcpy(&number, packed.substr(0, sizeof number).data(), sizeof number);
        packed.remove_prefix(sizeof number);
        return number;
    };
    while (!packed.empty()) {
        const auto kind = static_cast<CellKind>(packed.front());
        packed.remove_prefix(1);
        switch (kind) {
            case CellKind::integer: cells.push_back(Cell::integer(static_cast<std::int64_t>(take()))); break;
            case CellKind::real: cells.push_back(Cell::real(std::bit_cast<double>(take()))); break;
            case CellKind::text:
            case CellKind::blob:
            case CellKind::binary: {
                const std::uint64_t size = take();
                const std::string_view bytes = arena.copy(packed.substr(0, size));
                packed.remove_prefix(size);
                cells.push_back(kind == CellKind::text ? Cell::text(bytes) : kind == CellKind::blob ? Cell::blob(bytes) : Cell::binary(bytes));
                break;
            }
            case CellKind::null: cells.push_back(Cell::null()); break;
            case CellKind::absent: cells.push_back(Cell::absent()); break;
            case CellKind::unchanged: cells.push_back(Cell::unchanged()); break;
        }
    }
    return cells;
}

void ReplaceTracker::add(std::uint32_t table, bool by_update, std::vector<std::uint16_t> columns, std::string values, std::string key) {
    if (entries_.size() == kMaxEntries) entries_.pop_front();
    entries_.push_back({table, by_update, std::move(columns), std::move(values), std::move(key)});
}

void ReplaceTracker::forget(std::uint32_t table, std::string_view key) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.table == table && entry.key == key; });
}

void ReplaceTracker::confirm(std::uint32_t table, bool by_update, const std::function<Cell(std::uint16_t)>& value,
                             const std::function<void(std::string_view)>& removed) {
    std::vector<std::string> keys;
    for (const Entry& entry : entries_) {
        if (entry.table != table || entry.by_update != by_update) continue;
        std::string values;
        for (const std::uint16_t column : entry.columns) append_packed(values, value(column));
        if (values == entry.values && std::find(keys.begin(), keys.end(), entry.key) == keys.end()) keys.push_back(entry.key);
    }
    for (const std::string& key : keys) {
        removed(key);
        forget(table, key);
    }
}

}  // namespace rowferry
