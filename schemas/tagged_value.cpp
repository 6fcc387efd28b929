#include "schemas/tagged_value.h"

#include <array>
#include <cmath>
#include <cstring>

#include "schemas/conversion_parts.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using conversion::misfit;
using conversion::parse_whole;

constexpr char kDigits[] = "0123456789abcdef";

/// `tag`, then the printed number in `buffer`, which has room for both.
template <typename Number>
std::string_view tagged_number(std::array<char, 64>& buffer, char tag, Number value) {
    buffer[0] = tag;
    buffer[1] = ':';
    const auto [end, failure] = std::to_chars(buffer.data() + 2, buffer.data() + buffer.size(), value);
    if (failure != std::errc{}) throw std::logic_error{"a number does not fit into 62 characters"};
    return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

std::string_view tagged_real(std::array<char, 64>& buffer, double value) {
    if (std::isinf(value)) return value < 0 ? "r:-Infinity" : "r:Infinity";
    const bool zero_below = value == 0 && std::signbit(value);
    if (!zero_below && value > -conversion::kTwoTo63 && value < conversion::kTwoTo63 && value == std::trunc(value))
        return tagged_number(buffer, 'r', static_cast<std::int64_t>(value));
    return tagged_number(buffer, 'r', value);
}

Cell tagged_bytes(char tag, std::string_view bytes, bool hex, Arena& arena) {
    const std::size_t size = 2 + bytes.size() * (hex ? 2 : 1);
    char* const text = arena.bytes(size);
    text[0] = tag;
    text[1] = ':';
    char* to = text + 2;
    if (!hex && !bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    if (hex) {
        for (const char c : bytes) {
            *to++ = kDigits[static_cast<unsigned char>(c) >> 4];
            *to++ = kDigits[static_cast<unsigned char>(c) & 15];
        }
    }
    return Cell::text({text, size});
}

constexpr int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

[[noreturn]] void not_tagged(const Cell& cell) { misfit(cell, "that is not a tagged SQLite value (i:42, r:0.1, t:abc, x:ff, b:ff), in a sqlite_value column"); }

std::string_view from_hex(const Cell& cell, std::string_view hex, Arena& arena) {
    if (hex.size() % 2 != 0) not_tagged(cell);
    const std::size_t size = hex.size() / 2;
    char* const bytes = arena.bytes(size);
    int all = 0;  // negative as soon as one digit is not one
    for (std::size_t i = 0; i < size; ++i) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        all |= high | low;
        bytes[i] = static_cast<char>(static_cast<unsigned>(high) << 4 | static_cast<unsigned>(low));
    }
    if (all < 0) not_tagged(cell);
    return {bytes, size};
}

Cell untag_real(const Cell& cell, std::string_view text) {
    if (text == "r:Infinity") return Cell::real(HUGE_VAL);
    if (text == "r:-Infinity") return Cell::real(-HUGE_VAL);
    double value = 0;
    std::array<char, 64> buffer;
    if (!parse_whole(text.substr(2), value) || !std::isfinite(value) || tagged_real(buffer, value) != text) not_tagged(cell);
    return Cell::real(value);
}

Cell untag_integer(const Cell& cell, std::string_view text) {
    std::int64_t value = 0;
    std::array<char, 64> buffer;
    if (!parse_whole(text.substr(2), value) || tagged_number(buffer, 'i', value) != text) not_tagged(cell);
    return Cell::integer(value);
}

}  // namespace

Cell tag_value(const Cell& cell, Arena& arena) {
    std::array<char, 64> buffer;
    switch (cell.kind()) {
        case CellKind::integer: return Cell::text(arena.copy(tagged_number(buffer, 'i', cell.as_integer())));
        case CellKind::real: return Cell::text(arena.copy(tagged_real(buffer, cell.as_real())));
        case CellKind::text: {
            const bool good = find_bad_text(cell.bytes()) == std::string_view::npos;
            return tagged_bytes(good ? 't' : 'x', cell.bytes(), !good, arena);
        }
        case CellKind::blob: return tagged_bytes('b', cell.bytes(), true, arena);
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary: break;
    }
    throw std::logic_error{"a cell that is no value of SQLite has no tag"};
}

Cell untag_value(const Cell& cell, Arena& arena) {
    const std::string_view text = conversion::text_of(cell, "sqlite_value");
    if (text.size() < 2 || text[1] != ':') not_tagged(cell);
    switch (text[0]) {
        case 'i': return untag_integer(cell, text);
        case 'r': return untag_real(cell, text);
        case 't': return Cell::text(text.substr(2));
        case 'b': return Cell::blob(from_hex(cell, text.substr(2), arena));
        case 'x': {
            const std::string_view bytes = from_hex(cell, text.substr(2), arena);
            if (find_bad_text(bytes) == std::string_view::npos) not_tagged(cell);
            return Cell::text(bytes);
        }
        default: not_tagged(cell);
    }
}

}  // namespace rowferry
