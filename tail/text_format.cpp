#include "tail/text_format.h"

#include <iterator>

#include <fmt/format.h>

#include "schemas/calendar.h"
#include "schemas/identifier.h"
#include "schemas/same_cell.h"
#include "schemas/shape_diff.h"

namespace rowferry {
namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kMagenta = "\x1b[35m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kPlain = "\x1b[0m";

constexpr std::size_t kLongestValue = 120;  // in bytes; json and sql have all of it

/// Cut between two characters.
std::string_view beginning(std::string_view text) {
    if (text.size() <= kLongestValue) return text;
    std::size_t end = kLongestValue;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

void append_cut(std::string_view shown, std::string_view whole, std::string& out) {
    if (shown.size() < whole.size()) fmt::format_to(std::back_inserter(out), "…({} bytes)", whole.size());
}

void append_quoted_text(std::string_view text, std::string& out) {
    const std::string_view shown = beginning(text);
    fmt::format_to(std::back_inserter(out), "'{}'", printable(shown, 8 * kLongestValue));
    append_cut(shown, text, out);
}

bool shown_bare(ValueClass type) {
    return type == ValueClass::integer || type == ValueClass::boolean || type == ValueClass::real || type == ValueClass::numeric;
}

void append_value(const Cell& cell, const ColumnSchema& column, Engine engine, std::string& out) {
    switch (cell.kind()) {
        case CellKind::null: out += "NULL"; return;
        case CellKind::unchanged: out += "(unchanged)"; return;
        case CellKind::absent: out += "(absent)"; return;
        case CellKind::integer: fmt::format_to(std::back_inserter(out), "{}", cell.as_integer()); return;
        case CellKind::real: fmt::format_to(std::back_inserter(out), "{}", cell.as_real()); return;
        case CellKind::text:
            if (engine == Engine::postgresql && shown_bare(column.value_class)) return void(out += printable(beginning(cell.bytes())));
            return append_quoted_text(cell.bytes(), out);
        case CellKind::blob: {
            const std::string_view shown = cell.bytes().substr(0, kLongestValue / 2);
            out += "x'";
            for (const char c : shown) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
            out += '\'';
            return append_cut(shown, cell.bytes(), out);
        }
        case CellKind::binary: break;
    }
    throw std::logic_error{"a value in binary form is not printed"};
}

}  // namespace

void TextFormat::paint(std::string_view colour, std::string_view text, std::string& out) const {
    if (!colour_) return void(out += text);
    out += colour;
    out += text;
    out += kPlain;
}

void TextFormat::prepare(PrintedTable& table) const {
    table.name = printable(table.shape.engine == Engine::sqlite ? table.shape.name.name : to_string(table.shape.name), 200);
    table.columns.clear();
    for (const ColumnSchema& column : table.shape.columns) table.columns.push_back(printable(column.name, 200));
}

void TextFormat::verb(std::string_view colour, std::string_view word, const PrintedTable& table, std::string& out) const {
    out += "  ";
    paint(colour, fmt::format("{:8}", word), out);
    paint(kBold, table.name, out);
}

/// ` name=value …` for what was sent.
void TextFormat::columns(std::span<const Cell> cells, const PrintedTable& table, bool without_key, std::string& out) const {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].kind() == CellKind::absent) continue;
        if (without_key && table.shape.in_identity(static_cast<std::uint16_t>(i))) continue;
        out += ' ';
        paint(kDim, table.columns[i] + "=", out);
        append_value(cells[i], table.shape.columns[i], table.shape.engine, out);
    }
}

void TextFormat::key(const Change& change, const PrintedTable& table, std::string& out) const {
    const std::span<const Cell> row = change.before.empty() ? change.after : change.before;
    for (const std::uint16_t column : table.shape.identity) {
        out += ' ';
        paint(kDim, table.columns[column] + "=", out);
        append_value(row[column], table.shape.columns[column], table.shape.engine, out);
    }
}

/// ` id=7: name 'a' → 'b'`, where the leader says what was there before, else ` id=7: name='b'`.
void TextFormat::update(const Change& change, const PrintedTable& table, std::string& out) const {
    if (table.shape.identity.empty())
        columns(change.before, table, false, out);
    else
        key(change, table, out);
    out += ':';
    bool any = false;
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        const Cell& now = change.after[i];
        const bool in_key = table.shape.in_identity(static_cast<std::uint16_t>(i));
        const bool has_before = !change.before.empty() && change.before[i].is_sent();
        if (now.kind() == CellKind::unchanged || (in_key && change.before.empty()) || (has_before && same_cell(change.before[i], now))) continue;
        out += any ? ", " : " ";
        any = true;
        paint(kDim, table.columns[i], out);
        out += has_before ? " " : "=";
        if (has_before) {
            append_value(change.before[i], table.shape.columns[i], table.shape.engine, out);
            out += " → ";
        }
        append_value(now, table.shape.columns[i], table.shape.engine, out);
    }
    if (!any) out += " as it was";
}

void TextFormat::change(const Change& change, const PrintedTable& table, std::uint64_t, std::string& out) const {
    switch (change.operation) {
        case Operation::insert:
            verb(kGreen, "insert", table, out);
            columns(change.after, table, false, out);
            break;
        case Operation::update:
            verb(kYellow, "update", table, out);
            update(change, table, out);
            break;
        case Operation::remove:
            verb(kRed, "delete", table, out);
            key(change, table, out);
            columns(change.before, table, true, out);
            break;
    }
    out += '\n';
}

void TextFormat::truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t, std::string& out) const {
    for (const PrintedTable* table : tables) {
        verb(kMagenta, "truncate", *table, out);
        if (truncate.cascade) out += " cascade";
        if (truncate.restart_identity) out += " restart identity";
        out += '\n';
    }
}

void TextFormat::shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t, std::string& out) const {
    verb(kCyan, "shape", before, out);
    if (after == nullptr)
        out += ": the table was dropped";
    else
        fmt::format_to(std::back_inserter(out), ": {}", printable(describe_diff(diff_shapes(before.shape, after->shape), before.shape, after->shape), 2000));
    if (!change.obstacle.empty()) fmt::format_to(std::back_inserter(out), " ({})", printable(change.obstacle, 2000));
    out += '\n';
}

void TextFormat::begin(const TransactionHead& head, std::string& out) {
    std::string line;
    if (head.time_us != 0) line += utc_time(head.time_us) + "  ";
    line += to_string(head.kind, head.position);
    if (head.xid != 0) fmt::format_to(std::back_inserter(line), "  transaction {}", head.xid);
    if (head.merged) line += "  (several transactions together)";
    paint(kDim, line, out);
    out += '\n';
}

void TextFormat::record(std::string_view body, bool, std::string& out) const { out += body; }

}  // namespace rowferry
