#include "schemas/batch.h"

namespace rowferry {

void Batch::add_idle(Position position) {
    if (!events_.empty() && std::holds_alternative<Idle>(events_.back()))
        std::get<Idle>(events_.back()).position = position;
    else
        events_.emplace_back(Idle{position});
}

const TableSchema* Batch::keep(const TablePtr& table) {
    for (const TablePtr& kept : tables_)
        if (kept == table) return kept.get();
    tables_.push_back(table);
    return table.get();
}

TablePtr Batch::kept(const TableSchema* table) const {
    for (const TablePtr& kept : tables_)
        if (kept.get() == table) return kept;
    return nullptr;
}

void Batch::clear() noexcept {
    events_.clear();
    tables_.clear();
    arena_.clear();
}

}  // namespace rowferry
