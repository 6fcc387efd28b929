#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/digest.h"
#include "schemas/table_rules.h"

namespace rowferry {

/// The masks of one table, applied to row images: before and after alike, so that keys still match. NULL, unchanged and absent stay what they
/// are. One thread.
class RowMask {
public:
    /// `leader` has the columns that the stream carries.
    RowMask(const TableRules& rules, const TableSchema& leader);
    [[nodiscard]] bool empty() const noexcept { return columns_.empty(); }
    /// A new image in the arena; an empty one stays empty.
    [[nodiscard]] std::span<const Cell> apply(std::span<const Cell> row, Arena& arena);

private:
    struct Column {
        std::uint16_t index;
        Mask mask;
        Cell constant;  ///< Views `mask.text` or holds a number.
    };
    [[nodiscard]] Cell masked(const Column& column, const Cell& cell, Arena& arena);

    std::vector<Column> columns_;
    SaltedDigest digest_;
};

/// What a value's digest is taken of: a PostgreSQL value's text, a SQLite text's or blob's bytes, a number in its shortest decimal form, in which 1 and
/// 1.0 are the same as they are in SQLite.
[[nodiscard]] std::string_view digest_input(const Cell& cell, std::span<char, 32> buffer);

/// The first `length` characters; bytes that are not UTF-8 count one each.
[[nodiscard]] std::string_view first_characters(std::string_view text, std::size_t length);

}  // namespace rowferry
