#include "applier/postgresql/pg_row_image.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/error.h"
#include "schemas/hex.h"
#include "schemas/identifier.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using Json = nlohmann::ordered_json;

std::string print_real(double value) {
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    std::array<char, 64> digits;
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

double read_real(const std::string& text) {
    if (text == "Infinity" || text == "-Infinity") return text.front() == '-' ? -HUGE_VAL : HUGE_VAL;
    double value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) throw HaltError{"not a real"};
    return value;
}

Json cell_json(const Cell& cell) {
    Json json;
    switch (cell.kind()) {
        case CellKind::null: break;
        case CellKind::integer: json["integer"] = cell.as_integer(); break;
        case CellKind::real: json["real"] = print_real(cell.as_real()); break;
        case CellKind::text:
            if (find_bad_text(cell.bytes()) == std::string_view::npos)
                json["text"] = cell.bytes();
            else
                json["text_hex"] = to_hex(cell.bytes());
            break;
        case CellKind::blob: json["blob"] = to_hex(cell.bytes()); break;
        case CellKind::absent:
        case CellKind::unchanged: throw HaltError{"an image without all its values cannot be kept"};
        case CellKind::binary: throw HaltError{"an image of values in binary form cannot be kept"};
    }
    return json;
}

Cell cell_from_json(const Json& json, Arena& arena) {
    if (json.is_null()) return Cell::null();
    const auto& item = json.items().begin();
    const std::string& tag = item.key();
    if (tag == "integer") return Cell::integer(item.value().get<std::int64_t>());
    if (tag == "real") return Cell::real(read_real(item.value().get<std::string>()));
    if (tag == "text") return Cell::text(arena.copy(item.value().get<std::string>()));
    if (tag == "text_hex") return Cell::text(arena.copy(from_hex(item.value().get<std::string>())));
    if (tag == "blob") return Cell::blob(arena.copy(from_hex(item.value().get<std::string>())));
    throw HaltError{fmt::format("unknown storage class {}", printable(tag, 40))};
}

void append_number(std::string& out, char tag, std::uint64_t bits) {
    out += tag;
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(bits >> shift & 0xFF);
}

void append_bytes(std::string& out, char tag, std::string_view bytes) {
    append_number(out, tag, bytes.size());
    out += bytes;
}

std::string fold(std::string_view text, std::string_view collation) {
    std::string folded{text};
    if (collation == "NOCASE")
        for (char& c : folded)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (collation == "RTRIM") folded.resize(folded.find_last_not_of(' ') + 1);
    return folded;
}

/// SQLite compares integers and reals by their value.
bool whole(double value, std::int64_t& integer) {
    constexpr double kTwoTo63 = 9223372036854775808.0;
    if (!(value >= -kTwoTo63 && value < kTwoTo63) || std::trunc(value) != value) return false;
    integer = static_cast<std::int64_t>(value);
    return true;
}

}  // namespace

std::string image_json(const TableSchema& table, const ColumnIndexes& columns, std::span<const Cell> row) {
    Json json = Json::object();
    for (const std::uint16_t column : columns) json[table.columns.at(column).name] = cell_json(row[column]);
    return json.dump();
}

std::vector<Cell> image_from_json(const std::string& text, const TableSchema& table, Arena& arena) {
    std::vector<Cell> row(table.columns.size(), Cell::absent());
    try {
        const Json json = Json::parse(text);
        for (std::size_t i = 0; i < row.size(); ++i)
            if (const auto found = json.find(table.columns[i].name); found != json.end()) row[i] = cell_from_json(*found, arena);
    } catch (const std::exception& error) {
        throw HaltError{fmt::format("rowferry.quarantine: an image of {} cannot be read: {}", to_string(table.name), printable(error.what()))};
    }
    return row;
}

std::string_view storage_class(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return "INTEGER";
        case CellKind::real: return "REAL";
        case CellKind::text: return "TEXT";
        case CellKind::blob: return "BLOB";
        case CellKind::null:
        case CellKind::unchanged:
        case CellKind::absent:
        case CellKind::binary: break;
    }
    return "NULL";
}

void append_exact(std::string& out, const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: append_number(out, 'i', static_cast<std::uint64_t>(cell.as_integer())); return;
        case CellKind::real: append_number(out, 'r', std::bit_cast<std::uint64_t>(cell.as_real())); return;
        case CellKind::text: append_bytes(out, 't', cell.bytes()); return;
        case CellKind::blob: append_bytes(out, 'b', cell.bytes()); return;
        case CellKind::binary: append_bytes(out, 'p', cell.bytes()); return;
        case CellKind::null:
        case CellKind::unchanged:
        case CellKind::absent: out += 'n'; return;
    }
}

bool append_folded(std::string& out, const Cell& cell, std::string_view collation) {
    if (!cell.is_sent() || cell.is_null()) return false;
    std::int64_t integer = 0;
    if (cell.kind() == CellKind::real && whole(cell.as_real(), integer))
        append_exact(out, Cell::integer(integer));
    else if (cell.kind() == CellKind::text && (collation == "NOCASE" || collation == "RTRIM"))
        append_bytes(out, 't', fold(cell.bytes(), collation));
    else
        append_exact(out, cell);
    return true;
}

}  // namespace rowferry
