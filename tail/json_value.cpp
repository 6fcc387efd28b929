#include "tail/json_value.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/hex.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

constexpr std::int64_t kLargestExact = (std::int64_t{1} << 53) - 1;

void append_tagged(std::string_view tag, std::string_view plain, std::string& out) {
    fmt::format_to(std::back_inserter(out), R"({{"{}":"{}"}})", tag, plain);
}

void append_tagged_hex(std::string_view tag, std::string_view bytes, std::string& out) {
    fmt::format_to(std::back_inserter(out), R"({{"{}":")", tag);
    append_hex(bytes, out);
    out += "\"}";
}

void append_integer(std::int64_t value, std::string& out) {
    char digits[24];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    const std::string_view text{digits, static_cast<std::size_t>(end - digits)};
    if (value >= -kLargestExact && value <= kLargestExact)
        out += text;
    else
        append_tagged("integer", text, out);
}

/// `text`: how PostgreSQL prints `value`; the shortest digits that read back the same.
void append_real(double value, std::string_view text, std::string& out) {
    if (std::isfinite(value) && value != std::trunc(value))
        out += text;
    else
        append_tagged("real", text, out);
}

void append_real(double value, std::string& out) {
    if (std::isinf(value)) return append_tagged("real", value < 0 ? "-Infinity" : "Infinity", out);
    if (std::isnan(value)) return append_tagged("real", "NaN", out);
    char digits[32];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    append_real(value, {digits, static_cast<std::size_t>(end - digits)}, out);
}

void append_json_text(std::string_view text, std::string& out) {
    if (is_utf8(text))
        append_json_string(text, out);
    else
        append_tagged_hex("text", text, out);
}

/// PostgreSQL's text form by what the type means; what does not look like it (a mask's, say) is a string.
void append_pg_text(std::string_view text, ValueClass type, std::string& out) {
    const char* const end = text.data() + text.size();
    switch (type) {
        case ValueClass::boolean:
            if (text == "t") return void(out += "true");
            if (text == "f") return void(out += "false");
            break;
        case ValueClass::integer: {
            std::int64_t value = 0;
            const auto [stop, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc{} && stop == end) return append_integer(value, out);
            break;
        }
        case ValueClass::real: {
            double value = 0;
            const auto [stop, error] = std::from_chars(text.data(), end, value);
            // from_chars() takes "nan" and "inf" too; a number too small or too large for a double does not come from a double.
            if (error == std::errc{} && stop == end) return append_real(value, text, out);
            break;
        }
        case ValueClass::bytes:
            if (text.starts_with("\\x")) return append_tagged("bytes", text.substr(2), out);
            break;
        default: break;
    }
    append_json_text(text, out);
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (;;) {
        const std::size_t bad = find_bad_text(text);
        if (bad == std::string_view::npos) return true;
        if (text[bad] != '\0') return false;
        text.remove_prefix(bad + 1);
    }
}

void append_json_string(std::string_view text, std::string& out) {
    out += '"';
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        out.append(text, from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else {
            out += "\\u00";
            append_hex(text.substr(i, 1), out);
        }
    }
    out.append(text, from, text.size() - from);
    out += '"';
}

void append_json_value(const Cell& cell, const ColumnSchema& column, Engine engine, std::string& out) {
    switch (cell.kind()) {
        case CellKind::null: out += "null"; return;
        case CellKind::integer: return append_integer(cell.as_integer(), out);
        case CellKind::real: return append_real(cell.as_real(), out);
        case CellKind::blob: return append_tagged_hex("bytes", cell.bytes(), out);
        case CellKind::text: return engine == Engine::postgresql ? append_pg_text(cell.bytes(), column.value_class, out) : append_json_text(cell.bytes(), out);
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary: break;
    }
    throw std::logic_error{"a cell that is no value is not printed"};
}

}  // namespace rowferry
