#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schemas/arena.h"
#include "schemas/batch.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// What a run of changes of one table comes to, key by key: whatever happened to a key in between, its row ends as it would have, and every
/// assumption of the run about how it began is kept: a row that has to be there (update, remove, replace) and one that must not (insert,
/// none). Keys are told apart bit by bit, which follows a row through the run because a leader's before-images come from the stored row.
/// Changes of a key and tables without a key are not for it, except for runs of inserts. Holds views into the batches it was fed from: they
/// have to live until clear(). No allocation per change in the steady state. One thread.
class NetChanges {
public:
    enum class Effect : std::uint8_t {
        insert,   ///< The row is new.
        update,   ///< Of the columns that `after` has.
        remove,
        replace,  ///< Removed and made again: two different rows, for a follower with columns of its own.
        none,     ///< Made and removed again: the follower has no such row before and after.
    };
    struct Row {
        Effect effect = Effect::none;
        std::uint64_t hash = 0;
        std::span<const Cell> key;    ///< An image with the identity columns.
        std::span<const Cell> after;  ///< insert and replace: all of it; update: columns that were never written are not sent.
        std::uint32_t event = 0;      ///< The last of its changes.
    };

    /// `identity`: empty for a table without a key, which takes inserts only.
    void begin(const ColumnIndexes& identity);
    /// False, and nothing changed, for a change that cannot be of the same run (an update of a row that the run has removed, say): somebody has
    /// to look at them one by one. `event`: kept for the row.
    [[nodiscard]] bool add(const Change& change, std::uint32_t event);
    void clear() noexcept;

    /// In the order of their first changes.
    [[nodiscard]] std::span<const Row> rows() const noexcept { return rows_; }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }

private:
    [[nodiscard]] std::uint64_t hash_of(std::span<const Cell> key) const;
    [[nodiscard]] bool same_key(std::span<const Cell> left, std::span<const Cell> right) const;
    [[nodiscard]] Row* find(std::uint64_t hash, std::span<const Cell> key);
    void insert_slot(std::uint64_t hash, std::uint32_t row);
    void grow();
    void merge(Row& row, std::span<const Cell> after);

    ColumnIndexes identity_;
    std::vector<Row> rows_;
    std::vector<std::uint32_t> slots_;  // index into rows_ plus one, 0: free; a power of two, at most half full
    Arena images_;
};

}  // namespace rowferry
