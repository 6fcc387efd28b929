#include "replication/event_shaper.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_shape.h"

namespace rowferry {

EventShaper::EventShaper(TableRules rules, std::vector<TablePtr> tables, Engine follower)
    : rules_{std::move(rules)}, tables_{std::move(tables)}, follower_{follower} {
    for (const TablePtr& table : tables_) entry(table);
}

EventShaper::Entry& EventShaper::entry(const TablePtr& leader) {
    const auto known = entries_.find(leader.get());
    if (known != entries_.end()) return known->second;
    Entry made{leader, shape_table(rules_, leader, tables_, follower_), std::make_unique<RowMask>(rules_, *leader), 0};
    if (made.mask->empty()) made.mask.reset();
    return entries_.emplace(leader.get(), std::move(made)).first->second;
}

EventShaper::Entry& EventShaper::entry(const TableSchema* leader, Batch& batch) {
    if (last_ != nullptr && last_->leader.get() == leader) return *last_;
    const auto known = entries_.find(leader);
    if (known != entries_.end()) {
        last_ = &known->second;
        return *last_;
    }
    const TablePtr held = batch.kept(leader);
    if (!held) throw std::logic_error{"an event's table is not kept by its batch"};
    // The table has another shape from here on, or is new.
    std::erase_if(tables_, [&](const TablePtr& table) { return table->name == held->name; });
    tables_.push_back(held);
    try {
        last_ = &entry(held);
    } catch (const RefusedError& error) {
        throw HaltError{fmt::format("the rules of the stream no longer fit the table: {}", error.what())};
    }
    return *last_;
}

TablePtr EventShaper::shaped(const TablePtr& leader) { return entry(leader).shaped; }

const TableSchema* EventShaper::keep(Entry& entry, Batch& batch) {
    if (entry.kept_in != call_) {
        batch.keep(entry.shaped);
        entry.kept_in = call_;
    }
    return entry.shaped.get();
}

void EventShaper::shape(Change& change, Batch& batch) {
    Entry& table = entry(change.table, batch);
    change.table = keep(table, batch);
    if (!table.mask) return;
    change.before = table.mask->apply(change.before, batch.arena());
    change.after = table.mask->apply(change.after, batch.arena());
}

void EventShaper::shape(Truncate& truncate, Batch& batch) {
    const std::span<const TableSchema*> tables = batch.arena().array<const TableSchema*>(truncate.tables.size());
    for (std::size_t i = 0; i < tables.size(); ++i) tables[i] = keep(entry(truncate.tables[i], batch), batch);
    truncate.tables = tables;
}

void EventShaper::shape(ShapeChange& change, Batch& batch) {
    if (change.before != nullptr) change.before = keep(entry(change.before, batch), batch);
    if (change.after == nullptr) return;
    Entry& after = entry(change.after, batch);
    // Where the follower keeps the table belongs to what the checkpoint says of it.
    auto kept = std::make_shared<TableSchema>(change.leader_after == nullptr ? *after.leader : *change.leader_after);
    kept->renamed_to = after.shaped->renamed_to;
    change.leader_after = batch.keep(kept);
    change.after = keep(after, batch);
}

void EventShaper::shape(Batch& batch, std::size_t first) {
    ++call_;
    for (Event& event : batch.events_being_filled().subspan(first)) {
        if (auto* change = std::get_if<Change>(&event))
            shape(*change, batch);
        else if (auto* truncate = std::get_if<Truncate>(&event))
            shape(*truncate, batch);
        else if (auto* table = std::get_if<ShapeChange>(&event))
            shape(*table, batch);
    }
}

}  // namespace rowferry
