#include "applier/postgresql/net_changes.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>

#include "schemas/same_cell.h"

namespace rowferry {
namespace {

constexpr std::size_t kFirstSlots = 1024;

std::uint64_t mix(std::uint64_t value) {
    value *= 0x9E3779B97F4A7C15U;
    return value ^ (value >> 32);
}

std::uint64_t hash_cell(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return mix(static_cast<std::uint64_t>(cell.as_integer()));
        case CellKind::real: return mix(std::bit_cast<std::uint64_t>(cell.as_real()) + 1);
        case CellKind::text:
        case CellKind::blob:
        case CellKind::binary: return std::hash<std::string_view>{}(cell.bytes());
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::null: break;
    }
    return 0;
}

bool all_sent(std::span<const Cell> row) {
    return std::all_of(row.begin(), row.end(), [](const Cell& cell) { return cell.is_sent(); });
}

}  // namespace

void NetChanges::begin(const ColumnIndexes& identity) {
    clear();
    identity_ = identity;
}

void NetChanges::clear() noexcept {
    rows_.clear();
    std::fill(slots_.begin(), slots_.end(), 0);
    images_.clear();
}

std::uint64_t NetChanges::hash_of(std::span<const Cell> key) const {
    std::uint64_t hash = 0;
    for (const std::uint16_t column : identity_) hash = mix(hash ^ hash_cell(key[column]));
    return hash;
}

bool NetChanges::same_key(std::span<const Cell> left, std::span<const Cell> right) const {
    return std::all_of(identity_.begin(), identity_.end(), [&](std::uint16_t column) { return same_cell(left[column], right[column]); });
}

NetChanges::Row* NetChanges::find(std::uint64_t hash, std::span<const Cell> key) {
    if (slots_.empty()) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = hash & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
        Row& row = rows_[slots_[slot] - 1];
        if (row.hash == hash && same_key(row.key, key)) return &row;
    }
    return nullptr;
}

void NetChanges::insert_slot(std::uint64_t hash, std::uint32_t row) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = row + 1;
}

void NetChanges::grow() {
    slots_.assign(std::max(kFirstSlots, 2 * slots_.size()), 0);
    for (std::uint32_t i = 0; i < rows_.size(); ++i) insert_slot(rows_[i].hash, i);
}

/// Lays a later image over the row's: what that does not send stays as it was.
void NetChanges::merge(Row& row, std::span<const Cell> after) {
    if (all_sent(after)) {
        row.after = after;
        return;
    }
    const auto merged = images_.array<Cell>(after.size());
    for (std::size_t i = 0; i < after.size(); ++i) merged[i] = after[i].is_sent() ? after[i] : row.after[i];
    row.after = merged;
}

bool NetChanges::add(const Change& change, std::uint32_t event) {
    Row fresh;
    fresh.event = event;
    fresh.after = change.after;
    fresh.key = change.operation == Operation::insert || change.before.empty() ? change.after : change.before;
    switch (change.operation) {
        case Operation::insert: fresh.effect = Effect::insert; break;
        case Operation::update: fresh.effect = Effect::update; break;
        case Operation::remove: fresh.effect = Effect::remove; break;
    }
    if (identity_.empty()) {
        if (change.operation != Operation::insert) return false;
        rows_.push_back(fresh);
        return true;
    }
    fresh.hash = hash_of(fresh.key);
    Row* const known = find(fresh.hash, fresh.key);
    if (known == nullptr) {
        rows_.push_back(fresh);
        if (2 * rows_.size() > slots_.size())
            grow();
        else
            insert_slot(fresh.hash, static_cast<std::uint32_t>(rows_.size() - 1));
        return true;
    }

    const bool there = known->effect == Effect::insert || known->effect == Effect::update || known->effect == Effect::replace;
    if (there == (change.operation == Operation::insert)) return false;
    known->event = event;
    switch (change.operation) {
        case Operation::insert:
            known->effect = known->effect == Effect::remove ? Effect::replace : Effect::insert;
            known->after = change.after;
            break;
        case Operation::update: merge(*known, change.after); break;
        case Operation::remove:
            known->effect = known->effect == Effect::insert ? Effect::none : Effect::remove;
            known->after = {};
            break;
    }
    return true;
}

}  // namespace rowferry
