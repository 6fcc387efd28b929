#include "tail/sql_literal.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/hex.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_real.h"
#include "schemas/value_shapes.h"
#include "tail/json_value.h"

namespace rowferry {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// With escapes where a plain literal would hold control characters.
void append_pg_string(std::string_view text, std::string& out) {
    if (std::ranges::none_of(text, is_control)) {
        out += quote_literal(text);
        return;
    }
    out += "E'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out.append(2, c);
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (is_control(c))
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
        else
            out += c;
    }
    out += '\'';
}

void append_pg_literal(std::string_view text, ValueClass type, std::string& out) {
    switch (type) {
        case ValueClass::boolean:
            if (text == "t") return void(out += "true");
            if (text == "f") return void(out += "false");
            break;
        case ValueClass::integer:
        case ValueClass::real:
        case ValueClass::numeric:
            // Infinities and NaN are strings, and so is what an operator in front of it would take apart or a number cannot say: -0.
            if (!text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos) return void(out += text);
            break;
        default: break;
    }
    append_pg_string(text, out);
}

void append_sqlite_text(std::string_view text, std::string& out) {
    if (!is_utf8(text)) {
        out += "CAST(x'";
        append_hex(text, out);
        out += "' AS TEXT)";
        return;
    }
    if (std::ranges::none_of(text, is_control)) {
        out += quote_literal(text);
        return;
    }
    for (std::size_t from = 0; from < text.size();) {
        const bool control = is_control(text[from]);
        std::size_t to = from;
        while (to < text.size() && is_control(text[to]) == control) ++to;
        if (from > 0) out += " || ";
        if (control) {
            out += "char(";
            for (std::size_t i = from; i < to; ++i) fmt::format_to(std::back_inserter(out), "{}{}", i == from ? "" : ", ", static_cast<int>(text[i]));
            out += ')';
        } else {
            out += quote_literal(text.substr(from, to - from));
        }
        from = to;
    }
}

}  // namespace

void append_sql_literal(const Cell& cell, const ColumnSchema& column, Engine engine, std::string& out) {
    switch (cell.kind()) {
        case CellKind::null: out += "NULL"; return;
        case CellKind::integer: fmt::format_to(std::back_inserter(out), "{}", cell.as_integer()); return;
        case CellKind::real: return append_sqlite_real(cell.as_real(), out);
        case CellKind::text:
            return engine == Engine::postgresql ? append_pg_literal(cell.bytes(), column.value_class, out) : append_sqlite_text(cell.bytes(), out);
        case CellKind::blob:
            out += "x'";
            append_hex(cell.bytes(), out);
            out += '\'';
            return;
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary: break;
    }
    throw std::logic_error{"a cell that is no value is not printed"};
}

}  // namespace rowferry
