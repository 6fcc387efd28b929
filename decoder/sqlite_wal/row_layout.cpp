#include "decoder/sqlite_wal/row_layout.h"

#include <algorithm>
#include <bit>
#include <functional>

#include <fmt/format.h>

#include "decoder/sqlite_wal/text_utf16.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/same_cell.h"

namespace rowferry {
namespace {

std::uint64_t big_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (const std::byte byte : bytes) value = (value << 8) | std::to_integer<std::uint64_t>(byte);
    return value;
}

std::int64_t signed_number(std::span<const std::byte> bytes) {
    const auto unused = static_cast<int>(64 - 8 * bytes.size());
    return static_cast<std::int64_t>(big_endian(bytes) << unused) >> unused;
}

std::string_view view_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

bool is_text(std::uint64_t type) { return type >= 12 && type % 2 == 1; }

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
    return hash ^ (hash >> 32);
}

}  // namespace

Cell serial_value(std::uint64_t type, std::span<const std::byte> bytes) noexcept {
    if (type >= 12) return is_text(type) ? Cell::text(view_of(bytes)) : Cell::blob(view_of(bytes));
    switch (type) {
        case 0: return Cell::null();
        case 7: return Cell::real(std::bit_cast<double>(big_endian(bytes)));
        case 8: return Cell::integer(0);
        case 9: return Cell::integer(1);
        default: return Cell::integer(signed_number(bytes));
    }
}

RowLayout::RowLayout(std::string table, std::vector<std::uint16_t> stored, std::vector<Column> columns, std::size_t key_width, TextEncoding encoding)
    : table_{std::move(table)}, stored_{std::move(stored)}, columns_{std::move(columns)}, key_width_{key_width}, encoding_{encoding} {
    for (Column& column : columns_) {
        column.missing = copy_into(missing_, column.missing);
        names_rowid_ = names_rowid_ || column.rowid;
    }
}

void RowLayout::fail_short(std::uint32_t page, std::size_t column) const {
    fail_page(page, fmt::format("a row of {} ends before column {}, whose default is not a constant", printable(table_, 100), column + 1));
}

Cell RowLayout::text_cell(std::span<const std::byte> bytes, std::uint32_t page, std::size_t column, Arena& arena) const {
    if (const auto text = utf8_of_utf16(bytes, encoding_, arena)) return Cell::text(*text);
    throw ValueError{fmt::format("column {} of {}, on page {}: a text value of {} bytes that is not valid UTF-16 (half a character), in a UTF-16 database. It has "
                                 "no exact form elsewhere: mend it on the leader",
                                 column + 1, printable(table_, 100), page, bytes.size())};
}

void RowLayout::decode(std::int64_t rowid, std::span<const std::byte> record, std::uint32_t page, Arena& arena, std::span<Cell> cells) const {
    std::size_t found = 0;
    visit_record(record, page, [&](std::size_t index, std::uint64_t type, std::span<const std::byte> bytes) {
        if (index == stored_.size()) return false;  // left behind by a column that is no longer there
        const std::size_t at = stored_[index];
        const Column& column = columns_[at];
        if (column.rowid)
            cells[at] = Cell::integer(rowid);
        else if (is_text(type) && encoding_ != TextEncoding::utf8)
            cells[at] = text_cell(bytes, page, at, arena);
        else
            cells[at] = serial_value(type, bytes);
        if (column.real && cells[at].kind() == CellKind::integer) cells[at] = Cell::real(static_cast<double>(cells[at].as_integer()));
        ++found;
        return true;
    });
    for (; found < stored_.size(); ++found) {
        const std::size_t at = stored_[found];
        const Column& column = columns_[at];
        if (!column.rowid && !column.has_missing) fail_short(page, at);
        cells[at] = column.rowid ? Cell::integer(rowid) : column.missing;
    }
}

void RowLayout::decode_key(std::span<const std::byte> record, std::uint32_t page, std::span<Cell> cells) const {
    std::size_t found = 0;
    visit_record(record, page, [&](std::size_t index, std::uint64_t type, std::span<const std::byte> bytes) {
        if (index == key_width_) return false;
        cells[index] = serial_value(type, bytes);
        ++found;
        return true;
    });
    if (found < key_width_) fail_page(page, fmt::format("a row of {} ends within its key", printable(table_, 100)));
}

bool same_value(const Cell& left, const Cell& right) noexcept { return left.kind() != CellKind::absent && same_cell(left, right); }

bool same_values(std::span<const Cell> left, std::span<const Cell> right) noexcept {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), same_value);
}

std::uint64_t hash_values(std::span<const Cell> cells) noexcept {
    std::uint64_t hash = 0;
    for (const Cell& cell : cells) {
        std::uint64_t value = 0;
        if (cell.kind() == CellKind::integer) value = static_cast<std::uint64_t>(cell.as_integer());
        if (cell.kind() == CellKind::real) value = std::bit_cast<std::uint64_t>(cell.as_real());
        if (cell.kind() >= CellKind::text) value = std::hash<std::string_view>{}(cell.bytes());
        hash = mix(mix(hash, static_cast<std::uint64_t>(cell.kind())), value);
    }
    return hash;
}

Cell copy_into(Arena& arena, const Cell& cell) {
    if (cell.kind() == CellKind::text) return Cell::text(arena.copy(cell.bytes()));
    if (cell.kind() == CellKind::blob) return Cell::blob(arena.copy(cell.bytes()));
    return cell;
}

}  // namespace rowferry
