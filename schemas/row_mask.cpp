#include "schemas/row_mask.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "schemas/conversion.h"

namespace rowferry {
namespace {

/// A SQLite column would store the constant as a number if it has that affinity.
Cell constant_cell(const TableSchema& table, const ColumnSchema& column, const std::string& text) {
    if (table.engine == Engine::postgresql || is_strict_any(table, column.type)) return Cell::text(text);
    const Affinity affinity = sqlite_affinity(column.type);
    if (affinity == Affinity::text || affinity == Affinity::blob) return Cell::text(text);
    const char* const end = text.data() + text.size();
    std::int64_t integer = 0;
    if (const auto [stop, failure] = std::from_chars(text.data(), end, integer); failure == std::errc{} && stop == end)
        return affinity == Affinity::real ? Cell::real(static_cast<double>(integer)) : Cell::integer(integer);
    double real = 0;
    if (const auto [stop, failure] = std::from_chars(text.data(), end, real); failure == std::errc{} && stop == end) return Cell::real(real);
    return Cell::text(text);
}

template <typename Number>
std::string_view printed(Number number, std::span<char, 32> buffer) {
    const auto [end, failure] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

}  // namespace

std::string_view digest_input(const Cell& cell, std::span<char, 32> buffer) {
    if (cell.kind() == CellKind::integer) return printed(cell.as_integer(), buffer);
    if (cell.kind() != CellKind::real) return cell.bytes();
    const double real = cell.as_real();
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    if (real == std::trunc(real) && real >= -kLimit && real < kLimit) return printed(static_cast<std::int64_t>(real), buffer);
    return printed(real, buffer);
}

std::string_view first_characters(std::string_view text, std::size_t length) {
    std::size_t at = 0;
    for (std::size_t count = 0; count < length && at < text.size(); ++count) {
        ++at;
        if ((static_cast<unsigned char>(text[at - 1]) & 0x80U) == 0) continue;
        for (int more = 0; more < 3 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; ++more) ++at;
    }
    return text.substr(0, at);
}

RowMask::RowMask(const TableRules& rules, const TableSchema& leader) : digest_{rules.salt} {
    const RulesOfTable own = rules.of(leader);
    for (std::size_t i = 0; i < leader.columns.size(); ++i) {
        const ColumnRule* rule = own.column(leader.engine, leader.columns[i].name);
        if (rule == nullptr || rule->mask.kind == Mask::Kind::none) continue;
        columns_.push_back({static_cast<std::uint16_t>(i), rule->mask, {}});
    }
    // After the last push_back: the cells view the texts where they stay.
    for (Column& column : columns_)
        if (column.mask.kind == Mask::Kind::constant) column.constant = constant_cell(leader, leader.columns[column.index], column.mask.text);
}

Cell RowMask::masked(const Column& column, const Cell& cell, Arena& arena) {
    if (!cell.is_sent() || cell.is_null()) return cell;
    switch (column.mask.kind) {
        case Mask::Kind::constant: return column.constant.kind() == CellKind::text ? Cell::text(arena.copy(column.constant.bytes())) : column.constant;
        case Mask::Kind::sha256: {
            char buffer[32];
            char* const text = arena.bytes(kSha256HexLength);
            digest_.hex(digest_input(cell, buffer), text);
            return Cell::text({text, kSha256HexLength});
        }
        case Mask::Kind::truncate:
            if (cell.kind() == CellKind::text) return Cell::text(arena.copy(first_characters(cell.bytes(), column.mask.length)));
            if (cell.kind() == CellKind::blob) return Cell::blob(arena.copy(cell.bytes().substr(0, column.mask.length)));
            return cell;  // TEXT affinity stores no numbers
        case Mask::Kind::none:
        case Mask::Kind::drop: break;
    }
    return cell;
}

std::span<const Cell> RowMask::apply(std::span<const Cell> row, Arena& arena) {
    if (row.empty() || columns_.empty()) return row;
    const std::span<Cell> cells = arena.array<Cell>(row.size());
    std::ranges::copy(row, cells.begin());
    for (const Column& column : columns_) cells[column.index] = masked(column, cells[column.index], arena);
    return cells;
}

}  // namespace rowferry
