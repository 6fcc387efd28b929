#include "tail/json_format.h"

#include <iterator>

#include <fmt/format.h>

#include "schemas/calendar.h"
#include "tail/json_value.h"

namespace rowferry {
namespace {

// Counts up when a member changes its meaning or goes away.
constexpr int kRecordVersion = 1;

std::string_view name_of(Operation operation) {
    switch (operation) {
        case Operation::insert: return "insert";
        case Operation::update: return "update";
        case Operation::remove: return "delete";
    }
    throw std::logic_error{"operation"};
}

void append_opening(std::uint64_t ordinal, std::string_view operation, std::string& out) {
    fmt::format_to(std::back_inserter(out), R"("ordinal":{},"operation":"{}",)", ordinal, operation);
}

/// `{"a":1,"b":null}`: what was sent of the row.
void append_image(std::span<const Cell> cells, const PrintedTable& table, std::string& out) {
    char before = '{';
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (!cells[i].is_sent()) continue;
        out += before;
        before = ',';
        out += table.columns[i];
        append_json_value(cells[i], table.shape.columns[i], table.shape.engine, out);
    }
    if (before == '{') out += '{';
    out += '}';
}

/// The columns that identify the row, as they were before the change.
void append_key(const Change& change, const PrintedTable& table, std::string& out) {
    const std::span<const Cell> row = change.before.empty() ? change.after : change.before;
    for (const std::uint16_t column : table.shape.identity)
        if (!row[column].is_sent()) return;
    if (table.shape.identity.empty()) return;
    out += R"(,"key":)";
    char before = '{';
    for (const std::uint16_t column : table.shape.identity) {
        out += before;
        before = ',';
        out += table.columns[column];
        append_json_value(row[column], table.shape.columns[column], table.shape.engine, out);
    }
    out += '}';
}

void append_unchanged(std::span<const Cell> cells, const PrintedTable& table, std::string& out) {
    bool any = false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].kind() != CellKind::unchanged) continue;
        out += any ? "," : R"(,"unchanged":[)";
        any = true;
        append_json_string(table.shape.columns[i].name, out);
    }
    if (any) out += ']';
}

/// `"columns":[…],"key":[…]`
void append_columns(const TableSchema& table, std::string& out) {
    out += R"("columns":[)";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const ColumnSchema& column = table.columns[i];
        out += i == 0 ? R"({"name":)" : R"(,{"name":)";
        append_json_string(column.name, out);
        out += R"(,"type":)";
        append_json_string(column.type, out);
        fmt::format_to(std::back_inserter(out), R"(,"not_null":{}}})", column.not_null);
    }
    out += R"(],"key":[)";
    for (std::size_t i = 0; i < table.identity.size(); ++i) {
        if (i > 0) out += ',';
        append_json_string(table.columns[table.identity[i]].name, out);
    }
    out += ']';
}

/// The name's object with the columns in it.
void append_shape(const PrintedTable& table, std::string& out) {
    out.append(table.name, 0, table.name.size() - 1);
    out += ',';
    append_columns(table.shape, out);
    out += '}';
}

}  // namespace

void JsonFormat::prepare(PrintedTable& table) const {
    table.name = R"({"schema":)";
    append_json_string(table.shape.name.schema, table.name);
    table.name += R"(,"name":)";
    append_json_string(table.shape.name.name, table.name);
    table.name += fmt::format(R"(,"version":"{}"}})", table.version);
    table.columns.clear();
    for (const ColumnSchema& column : table.shape.columns) {
        append_json_string(column.name, table.columns.emplace_back());
        table.columns.back() += ':';
    }
}

void JsonFormat::change(const Change& change, const PrintedTable& table, std::uint64_t ordinal, std::string& out) const {
    append_opening(ordinal, name_of(change.operation), out);
    out += R"("table":)";
    out += table.name;
    append_key(change, table, out);
    if (!change.before.empty()) {
        out += R"(,"before":)";
        append_image(change.before, table, out);
    }
    if (!change.after.empty()) {
        out += R"(,"after":)";
        append_image(change.after, table, out);
        append_unchanged(change.after, table, out);
    }
}

void JsonFormat::truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t ordinal, std::string& out) const {
    append_opening(ordinal, "truncate", out);
    out += R"("tables":[)";
    for (std::size_t i = 0; i < tables.size(); ++i) {
        if (i > 0) out += ',';
        out += tables[i]->name;
    }
    fmt::format_to(std::back_inserter(out), R"(],"cascade":{},"restart_identity":{})", truncate.cascade, truncate.restart_identity);
}

void JsonFormat::shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t ordinal, std::string& out) const {
    append_opening(ordinal, "shape", out);
    out += R"("before":)";
    append_shape(before, out);
    out += R"(,"after":)";
    if (after == nullptr)
        out += "null";
    else
        append_shape(*after, out);
    if (change.obstacle.empty()) return;
    out += R"(,"obstacle":)";
    append_json_string(change.obstacle, out);
}

void JsonFormat::description(const PrintedTable& table, std::string& out) const {
    out += R"("operation":"table","table":)";
    append_shape(table, out);
}

void JsonFormat::begin(const TransactionHead& head, std::string&) {
    leader_ = fmt::format(R"({{"rowferry":{},"leader":)", kRecordVersion);
    append_json_string(head.leader, leader_);
    leader_ += ',';
    const std::string id = head.xid == 0 ? "null" : std::to_string(head.xid);
    const std::string time = head.time_us == 0 ? "null" : fmt::format("\"{}\"", utc_time(head.time_us));
    transaction_ = fmt::format(R"("transaction":{{"id":{},"position":"{}","time":{},"merged":{}}},)", id, to_string(head.kind, head.position), time, head.merged);
}

void JsonFormat::record(std::string_view body, bool last, std::string& out) const {
    out += leader_;
    out += transaction_;
    out += last ? R"("last":true,)" : R"("last":false,)";
    out += body;
    out += "}\n";
}

void JsonFormat::described(std::string_view body, std::string& out) const {
    out += leader_;
    out += body;
    out += "}\n";
}

}  // namespace rowferry
