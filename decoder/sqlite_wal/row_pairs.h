#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "decoder/sqlite_wal/row_layout.h"
#include "decoder/sqlite_wal/row_runs.h"

namespace rowferry {

/// One side of a tree's delta, and how its rows read.
struct DeltaSide {
    const Database* database = nullptr;
    const RowLayout* layout = nullptr;
    RowRuns runs;
};

/// How much of a table's difference is held in memory at a time; what is beyond is read again instead.
struct DecodeLimits {
    std::size_t changes = 1'000'000;     ///< Of one table in one commit: pages and cell numbers, 20 bytes each.
    std::size_t keys = 2'500'000;        ///< Of a table without rowid: 16 bytes each.
    std::size_t candidates = 2'000'000;  ///< Rows without a key that may have come again: 24 bytes each.
};

/// A row before, a row behind, or one that is on both sides.
struct RowPair {
    RowRef before;
    RowRef after;
};

/// Brings the rows of both sides together: those of rowid tables by rowid, in one pass over both; others by the values of their keys, as many at a
/// time as fit into memory. The order of keyed pairs means nothing. The sides must outlive it.
class RowPairs {
public:
    RowPairs(const DeltaSide& before, const DeltaSide& after, const DecodeLimits& limits);

    /// False at the end.
    [[nodiscard]] bool next(RowPair& pair);

private:
    /// A row of a keyed table, under the hash of its key.
    struct Entry {
        std::uint64_t hash;
        RowRef ref;
    };
    [[nodiscard]] bool next_in_order(RowPair& pair);
    [[nodiscard]] bool next_by_key(RowPair& pair);
    void load_part();
    void load_entries(const DeltaSide& side, std::vector<Entry>& entries);
    [[nodiscard]] std::span<const Cell> key_of(const DeltaSide& side, RowRef ref, std::vector<std::byte>& buffer, std::vector<Cell>& cells) const;
    [[nodiscard]] std::span<const Cell> key_of(const DeltaSide& side, const BtreeCell& cell, std::uint32_t page, std::vector<std::byte>& buffer,
                                               std::vector<Cell>& cells) const;
    [[nodiscard]] bool same_key(RowRef before, RowRef after);

    const DeltaSide* before_;
    const DeltaSide* after_;
    bool by_rowid_;
    bool one_sided_;  // there is nothing to pair
    std::optional<RowCursor> cursor_before_;
    std::optional<RowCursor> cursor_after_;

    std::uint64_t parts_ = 1;
    std::uint64_t part_ = 0;  // parts loaded so far
    std::vector<Entry> entries_before_;
    std::vector<Entry> entries_after_;
    std::size_t at_before_ = 0;
    std::size_t at_after_ = 0;
    std::vector<std::byte> buffer_before_;
    std::vector<std::byte> buffer_after_;
    std::vector<Cell> key_before_;
    std::vector<Cell> key_after_;
};

}  // namespace rowferry
