#include "decoder/pgoutput/copy_text.h"

#include <cstring>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

[[noreturn]] void fail(const TableSchema& table, std::size_t column, std::string_view what) {
    const std::string name = column < table.columns.size() ? printable(table.columns[column].name) : fmt::format("number {}", column + 1);
    throw DecodeError{fmt::format("{}, column {}: {} in the COPY data", to_string(table.name), name, what)};
}

char unescaped(char code) {
    switch (code) {
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'v': return '\v';
        case '\\': return '\\';
        default: return '\0';
    }
}

Cell decode_field(std::string_view field, const TableSchema& table, std::size_t column, Arena& arena) {
    if (field == "\\N") return Cell::null();
    std::string_view text;
    if (std::memchr(field.data(), '\\', field.size()) == nullptr) {
        text = arena.copy(field);
    } else {
        char* start = arena.bytes(field.size());
        char* out = start;
        for (std::size_t i = 0; i < field.size(); ++i) {
            char c = field[i];
            if (c == '\\') {
                c = ++i < field.size() ? unescaped(field[i]) : '\0';
                if (c == '\0') fail(table, column, "an unknown escape");
            }
            *out++ = c;
        }
        *out = '\0';
        text = {start, static_cast<std::size_t>(out - start)};
    }
    if (find_bad_text(text) != std::string_view::npos) fail(table, column, "text that is not UTF-8");
    return Cell::text(text);
}

}  // namespace

void decode_copy_row(std::string_view row, const TableSchema& table, Arena& arena, std::span<Cell> cells) {
    if (row.ends_with('\n')) row.remove_suffix(1);
    if (table.columns.empty()) {
        if (!row.empty()) fail(table, 0, "more fields than columns");
        return;
    }
    for (std::size_t column = 0; column < cells.size(); ++column) {
        const auto tab = row.find('\t');
        const bool last = column + 1 == cells.size();
        if (last != (tab == std::string_view::npos)) fail(table, column, fmt::format("not {} fields", cells.size()));
        cells[column] = decode_field(row.substr(0, tab), table, column, arena);
        if (!last) row.remove_prefix(tab + 1);
    }
}

}  // namespace rowferry
