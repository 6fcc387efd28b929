#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "applier/postgresql/pg_table_plan.h"
#include "schemas/batch.h"

namespace rowferry {

/// Which rows of one table are in the side table, in memory, so that the stream of a table that has none asks nobody. A SQLite leader's
/// log does not show what REPLACE removed, so a row here goes as well when a row comes that is equal in one of the leader's unique keys.
/// About 200 bytes a key. One thread.
class PgQuarantinedKeys {
public:
    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    [[nodiscard]] bool contains(const std::string& key) const { return keys_.contains(key); }
    /// Keys of the rows here that cannot be on the leader beside `row`.
    [[nodiscard]] std::vector<std::string> conflicts(const PgTablePlan& plan, std::span<const Cell> row) const;
    /// Does the change speak of a row here, or remove one?
    [[nodiscard]] bool concern(const PgTablePlan& plan, const Change& change) const;

    void add(const PgTablePlan& plan, std::span<const Cell> row);
    /// The key as JSON, as the side table has it.
    std::string remove(const std::string& key);
    void clear();

    /// The identity columns of an image, bit by bit.
    [[nodiscard]] static std::string key_of(const PgTablePlan& plan, std::span<const Cell> row);

private:
    struct Entry {
        std::string json;
        std::vector<std::string> unique;  ///< One per unique key of the leader; empty: holds NULL, conflicts with nothing.
    };
    std::unordered_map<std::string, Entry> keys_;
    std::vector<std::unordered_map<std::string, std::string>> by_unique_;  // to the key, one per unique key of the leader
};

}  // namespace rowferry
