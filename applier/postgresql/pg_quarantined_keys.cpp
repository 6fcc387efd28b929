#include "applier/postgresql/pg_quarantined_keys.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/postgresql/pg_row_image.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// Empty when NULL is part of it.
std::string folded(const PgTablePlan& plan, const UniqueKey& key, std::span<const Cell> row) {
    std::string text;
    for (const std::uint16_t column : key.columns)
        if (!append_folded(text, row[column], plan.collation_of(key, column))) return {};
    return text;
}

}  // namespace

std::string PgQuarantinedKeys::key_of(const PgTablePlan& plan, std::span<const Cell> row) {
    std::string key;
    for (const std::uint16_t column : plan.leader().identity) append_exact(key, row[column]);
    return key;
}

std::vector<std::string> PgQuarantinedKeys::conflicts(const PgTablePlan& plan, std::span<const Cell> row) const {
    std::vector<std::string> found;
    const auto& unique_keys = plan.leader().unique_keys;
    for (std::size_t i = 0; i < unique_keys.size() && i < by_unique_.size(); ++i) {
        if (by_unique_[i].empty()) continue;
        const auto entry = by_unique_[i].find(folded(plan, unique_keys[i], row));
        if (entry != by_unique_[i].end() && std::find(found.begin(), found.end(), entry->second) == found.end())
            found.push_back(entry->second);
    }
    return found;
}

bool PgQuarantinedKeys::concern(const PgTablePlan& plan, const Change& change) const {
    if (keys_.empty()) return false;
    if (change.operation != Operation::insert && contains(key_of(plan, change.before.empty() ? change.after : change.before))) return true;
    return change.operation != Operation::remove && !conflicts(plan, change.after).empty();
}

void PgQuarantinedKeys::add(const PgTablePlan& plan, std::span<const Cell> row) {
    const auto& unique_keys = plan.leader().unique_keys;
    for (const UniqueKey& unique : unique_keys)
        for (const std::uint16_t column : unique.columns)
            if (!row[column].is_sent())
                throw HaltError{fmt::format("{}: the rows in rowferry.quarantine have no column {}, which is part of a key now: run `rowferry drop` "
                                            "for the stream and copy again",
                                            to_string(plan.leader().name), printable(plan.leader().columns[column].name, 80))};
    const std::string key = key_of(plan, row);
    if (keys_.contains(key)) static_cast<void>(remove(key));
    Entry entry{image_json(plan.leader(), plan.leader().identity, row), {}};
    by_unique_.resize(std::max(by_unique_.size(), unique_keys.size()));
    for (std::size_t i = 0; i < unique_keys.size(); ++i) {
        entry.unique.push_back(folded(plan, unique_keys[i], row));
        if (!entry.unique.back().empty()) by_unique_[i][entry.unique.back()] = key;
    }
    keys_.emplace(key, std::move(entry));
}

std::string PgQuarantinedKeys::remove(const std::string& key) {
    const auto found = keys_.find(key);
    for (std::size_t i = 0; i < found->second.unique.size(); ++i) by_unique_[i].erase(found->second.unique[i]);
    std::string json = std::move(found->second.json);
    keys_.erase(found);
    return json;
}

void PgQuarantinedKeys::clear() {
    keys_.clear();
    by_unique_.clear();
}

}  // namespace rowferry
