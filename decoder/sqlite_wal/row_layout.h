#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/btree_page.h"
#include "schemas/arena.h"
#include "schemas/cell.h"

namespace rowferry {

// record := header size:varint serial type:varint* value*
// serial type: 0 NULL · 1 2 3 4 5 6: integer of 1 2 3 4 6 8 bytes · 7 double · 8 the integer 0 · 9 the integer 1 · n ≥ 12: blob (even) or text (odd) of
// (n - 12) / 2 bytes

/// Calls `visit(index, serial type, bytes)` for each value of a record. Throws DecodeError when the record is not what its header says; `page` is for the
/// message. `visit` returns false to end it.
template <typename Visit>
void visit_record(std::span<const std::byte> record, std::uint32_t page, Visit&& visit);

/// How many bytes a value of this serial type has. Types 10 and 11 are an error of the caller's.
[[nodiscard]] constexpr std::uint64_t serial_size(std::uint64_t type) noexcept {
    constexpr std::uint8_t kSizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type >= 12 ? (type - 12) / 2 : kSizes[type];
}

template <typename Visit>
void visit_record(std::span<const std::byte> record, std::uint32_t page, Visit&& visit) {
    const std::byte* const begin = record.data();
    const std::byte* const end = begin + record.size();
    std::uint64_t header_size = 0;
    const std::byte* type_at = read_varint(begin, end, header_size);
    if (type_at == nullptr || header_size > record.size() || begin + header_size < type_at) fail_page(page, "a row's header goes beyond the row");
    const std::byte* const header_end = begin + header_size;
    const std::byte* value = header_end;
    for (std::size_t index = 0; type_at < header_end; ++index) {
        std::uint64_t type = 0;
        type_at = read_varint(type_at, header_end, type);
        if (type_at == nullptr) fail_page(page, "a row's header ends within a number");
        if (type == 10 || type == 11) fail_page(page, "a row has a value of a type that SQLite keeps for itself");
        const std::uint64_t size = serial_size(type);
        if (size > static_cast<std::uint64_t>(end - value)) fail_page(page, "a row's value goes beyond the row");
        if (!visit(index, type, std::span<const std::byte>{value, static_cast<std::size_t>(size)})) return;
        value += size;
    }
}

/// The value of a serial type as a cell, texts still in the database's encoding.
[[nodiscard]] Cell serial_value(std::uint64_t type, std::span<const std::byte> bytes) noexcept;

/// Where the values of a table's columns are in its records, and what they mean there. Immutable.
class RowLayout {
public:
    struct Column {
        bool rowid = false;       ///< INTEGER PRIMARY KEY: the record has NULL in its place.
        bool real = false;        ///< REAL affinity: whole numbers are stored as integers.
        bool has_missing = false;
        Cell missing;             ///< What rows have that are older than the column; without has_missing unknown.
    };
    /// `stored`: for each value of a record the column that it belongs to. `key_width`: how many of them identify the row (WITHOUT ROWID); 0: the rowid does.
    RowLayout(std::string table, std::vector<std::uint16_t> stored, std::vector<Column> columns, std::size_t key_width, TextEncoding encoding);
    RowLayout(const RowLayout&) = delete;
    RowLayout& operator=(const RowLayout&) = delete;

    [[nodiscard]] std::size_t width() const noexcept { return columns_.size(); }
    [[nodiscard]] std::size_t key_width() const noexcept { return key_width_; }
    [[nodiscard]] const std::vector<Column>& columns() const noexcept { return columns_; }
    [[nodiscard]] const std::vector<std::uint16_t>& stored() const noexcept { return stored_; }
    /// Has the table an INTEGER PRIMARY KEY?
    [[nodiscard]] bool names_rowid() const noexcept { return names_rowid_; }

    /// One cell per column. Their bytes are in `record`, in `arena` (texts of UTF-16 databases) or the layout's own. Throws DecodeError, and ValueError
    /// for text that has no form in UTF-8.
    void decode(std::int64_t rowid, std::span<const std::byte> record, std::uint32_t page, Arena& arena, std::span<Cell> cells) const;
    /// Only the values that identify the row of a WITHOUT ROWID table, in the order of the key; for comparisons. `cells` has key_width() of them.
    void decode_key(std::span<const std::byte> record, std::uint32_t page, std::span<Cell> cells) const;

private:
    [[noreturn]] void fail_short(std::uint32_t page, std::size_t column) const;
    [[nodiscard]] Cell text_cell(std::span<const std::byte> bytes, std::uint32_t page, std::size_t column, Arena& arena) const;

    std::string table_;
    std::vector<std::uint16_t> stored_;
    std::vector<Column> columns_;
    Arena missing_;  ///< Bytes of the missing values.
    std::size_t key_width_;
    TextEncoding encoding_;
    bool names_rowid_ = false;
};

/// same_cell(), but what is absent is unknown, and so perhaps another.
[[nodiscard]] bool same_value(const Cell& left, const Cell& right) noexcept;
[[nodiscard]] bool same_values(std::span<const Cell> left, std::span<const Cell> right) noexcept;
/// Equal values have equal hashes.
[[nodiscard]] std::uint64_t hash_values(std::span<const Cell> cells) noexcept;
/// `cell` with its bytes in the arena.
[[nodiscard]] Cell copy_into(Arena& arena, const Cell& cell);

}  // namespace rowferry
