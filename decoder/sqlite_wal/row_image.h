#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "decoder/sqlite_wal/row_pairs.h"
#include "schemas/arena.h"

namespace rowferry {

/// Decodes one row at a time; its memory is used again for the next.
class RowImage {
public:
    /// As wide as the side's layout. Lives until the next call.
    [[nodiscard]] std::span<const Cell> decode(const DeltaSide& side, RowRef ref);
    /// The row that came last with the columns of another shape: cell i is that of column `from[i]`, or `missing` of `shape` where that is negative.
    [[nodiscard]] std::span<const Cell> reshaped(std::span<const int> from, const RowLayout& shape);

private:
    std::vector<std::byte> payload_;
    std::vector<Cell> cells_;
    std::vector<Cell> reshaped_;
    Arena texts_;  // of UTF-16 databases
};

}  // namespace rowferry
