#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "schemas/batch.h"
#include "schemas/row_mask.h"
#include "schemas/table_rules.h"

namespace rowferry {

/// Turns events with the leader's tables into events with the tables as the stream's rules want them: names, types, masked values. One thread.
class EventShaper {
public:
    /// `tables`: the stream's, as the leader has them.
    EventShaper(TableRules rules, std::vector<TablePtr> tables, Engine follower);

    /// The events of `batch` from number `first` on.
    void shape(Batch& batch, std::size_t first);

    [[nodiscard]] TablePtr shaped(const TablePtr& leader);
    /// Do its rows stay what they are?
    [[nodiscard]] bool keeps_values(const TablePtr& leader) { return entry(leader).mask == nullptr; }

private:
    struct Entry {
        TablePtr leader;  ///< Held, so that no other table gets its address.
        TablePtr shaped;
        std::unique_ptr<RowMask> mask;  ///< Null without any.
        std::uint64_t kept_in = 0;      ///< The last call of shape() that kept `shaped` in its batch.
    };
    Entry& entry(const TablePtr& leader);
    Entry& entry(const TableSchema* leader, Batch& batch);
    const TableSchema* keep(Entry& entry, Batch& batch);
    void shape(Change& change, Batch& batch);
    void shape(Truncate& truncate, Batch& batch);
    void shape(ShapeChange& change, Batch& batch);

    TableRules rules_;
    std::vector<TablePtr> tables_;
    Engine follower_;
    std::map<const TableSchema*, Entry> entries_;
    Entry* last_ = nullptr;
    std::uint64_t call_ = 0;
};

}  // namespace rowferry
