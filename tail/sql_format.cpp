#include "tail/sql_format.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "schemas/calendar.h"
#include "schemas/identifier.h"
#include "schemas/pg_alter.h"
#include "schemas/same_cell.h"
#include "schemas/shape_diff.h"
#include "schemas/sqlite_alter.h"
#include "tail/sql_literal.h"

namespace rowferry {
namespace {

bool is_postgresql(const PrintedTable& table) { return table.shape.engine == Engine::postgresql; }

/// Types without an operator = are compared by their text.
bool has_equality(ValueClass type) { return type != ValueClass::json && type != ValueClass::other; }

void append_condition(const Cell& cell, std::size_t column, const PrintedTable& table, bool keyed, std::string& out) {
    const ColumnSchema& shape = table.shape.columns[column];
    const bool postgresql = is_postgresql(table);
    out += table.columns[column];
    if (cell.is_null()) {
        out += " IS NULL";
        return;
    }
    if (postgresql && !has_equality(shape.value_class)) out += "::text";
    out += keyed ? " = " : postgresql ? " IS NOT DISTINCT FROM " : " IS ";
    append_sql_literal(cell, shape, table.shape.engine, out);
    // 1 IS 1.0
    if (keyed || postgresql) return;
    if (cell.kind() == CellKind::integer || cell.kind() == CellKind::real)
        fmt::format_to(std::back_inserter(out), " AND typeof({}) = '{}'", table.columns[column], cell.kind() == CellKind::integer ? "integer" : "real");
}

/// A name for the row's number that no column of the table has taken.
std::string_view row_number(const TableSchema& table) {
    if (table.engine == Engine::postgresql) return "ctid";
    for (const std::string_view name : {"rowid", "_rowid_", "oid"}) {
        const auto taken = [&](const ColumnSchema& column) {
            return std::ranges::equal(column.name, name, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
        };
        if (std::ranges::none_of(table.columns, taken)) return name;
    }
    return {};
}

/// The one row that was there before the change. Of several that are equal in all they have, any.
void append_where(const Change& change, const PrintedTable& table, std::string& out) {
    const std::span<const Cell> row = change.before.empty() ? change.after : change.before;
    out += " WHERE ";
    const ColumnIndexes& identity = table.shape.identity;
    if (!identity.empty()) {
        for (std::size_t i = 0; i < identity.size(); ++i) {
            if (i > 0) out += " AND ";
            append_condition(row[identity[i]], identity[i], table, true, out);
        }
        return;
    }
    const std::string_view number = row_number(table.shape);
    if (!number.empty()) fmt::format_to(std::back_inserter(out), "{0} = (SELECT {0} FROM {1} WHERE ", number, table.name);
    bool any = false;
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (!row[i].is_sent()) continue;
        if (any) out += " AND ";
        any = true;
        append_condition(row[i], i, table, false, out);
    }
    if (!any) out += "true";
    if (!number.empty()) out += " LIMIT 1)";
}

std::vector<std::string> statements_of(const ShapeStep& step, const TableSchema& before, const TableSchema& after, const TableName& now) {
    if (after.engine == Engine::postgresql) {
        const bool typed = step.kind == ShapeStep::Kind::add_column || step.kind == ShapeStep::Kind::change_type;
        const bool label = step.kind == ShapeStep::Kind::add_label || step.kind == ShapeStep::Kind::rename_label;
        return pg_alter(step, after, before, now, typed ? after.columns.at(step.after).type : label ? step.type : "");
    }
    std::string old;
    if (step.kind == ShapeStep::Kind::add_column)
        if (const OldValue value = old_value(after, step.after); value.kind == OldValue::Kind::text) old = quote_literal(value.text);
    return sqlite_alter(step, after, before, now.name, old);
}

/// Is the column known to be what it was before the update?
bool stayed(const Change& change, const PrintedTable& table, std::size_t column) {
    if (change.before.empty()) return table.shape.in_identity(static_cast<std::uint16_t>(column));
    return change.before[column].is_sent() && same_cell(change.before[column], change.after[column]);
}

/// Comments end with the line, whatever is in a name.
void append_comment(std::string_view text, std::string& out) { fmt::format_to(std::back_inserter(out), "-- {}\n", printable(text, 2000)); }

}  // namespace

void SqlFormat::prepare(PrintedTable& table) const {
    table.name = is_postgresql(table) ? quote_table(table.shape.name) : quote_identifier(table.shape.name.name);
    table.columns.clear();
    for (const ColumnSchema& column : table.shape.columns) table.columns.push_back(quote_identifier(column.name));
}

const char* SqlFormat::verb(const char* plain, const char* displacing, const PrintedTable& table) const {
    return displace_ && !table.shape.unique_keys.empty() ? displacing : plain;
}

void SqlFormat::insert(const Change& change, const PrintedTable& table, std::string& out) const {
    fmt::format_to(std::back_inserter(out), "{} INTO {} (", verb("INSERT", "INSERT OR REPLACE", table), table.name);
    bool any = false;
    bool always = false;
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        if (!change.after[i].is_sent()) continue;
        if (any) out += ", ";
        any = true;
        out += table.columns[i];
        always = always || table.shape.columns[i].auto_number == AutoNumber::always;
    }
    out += always ? ") OVERRIDING SYSTEM VALUE VALUES (" : ") VALUES (";
    any = false;
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        if (!change.after[i].is_sent()) continue;
        if (any) out += ", ";
        any = true;
        append_sql_literal(change.after[i], table.shape.columns[i], table.shape.engine, out);
    }
    out += ");\n";
}

void SqlFormat::update(const Change& change, const PrintedTable& table, std::string& out) const {
    fmt::format_to(std::back_inserter(out), "{} {} SET ", verb("UPDATE", "UPDATE OR REPLACE", table), table.name);
    bool any = false;
    std::string note;
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        const Cell& cell = change.after[i];
        const ColumnSchema& column = table.shape.columns[i];
        if (!cell.is_sent() || stayed(change, table, i)) continue;
        if (column.auto_number == AutoNumber::always) {
            fmt::format_to(std::back_inserter(note), " -- GENERATED ALWAYS: {} = ", table.columns[i]);
            append_sql_literal(cell, column, table.shape.engine, note);
            continue;
        }
        if (any) out += ", ";
        any = true;
        out += table.columns[i];
        out += " = ";
        append_sql_literal(cell, column, table.shape.engine, out);
    }
    if (!any) fmt::format_to(std::back_inserter(out), "{0} = {0}", table.columns.front());
    append_where(change, table, out);
    out += ';';
    out += note;
    out += '\n';
}

void SqlFormat::change(const Change& change, const PrintedTable& table, std::uint64_t, std::string& out) const {
    switch (change.operation) {
        case Operation::insert: return insert(change, table, out);
        case Operation::update: return update(change, table, out);
        case Operation::remove:
            fmt::format_to(std::back_inserter(out), "DELETE FROM {}", table.name);
            append_where(change, table, out);
            out += ";\n";
            return;
    }
    throw std::logic_error{"operation"};
}

void SqlFormat::truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t, std::string& out) const {
    // The tables that it cascaded to are listed.
    for (std::size_t i = 0; i < tables.size(); ++i) fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "TRUNCATE ONLY " : ", ONLY ", tables[i]->name);
    fmt::format_to(std::back_inserter(out), "{}{};\n", truncate.restart_identity ? " RESTART IDENTITY" : "", truncate.cascade ? " CASCADE" : "");
}

void SqlFormat::shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t, std::string& out) const {
    if (!change.obstacle.empty()) append_comment(change.obstacle, out);
    if (after == nullptr) {
        fmt::format_to(std::back_inserter(out), "DROP TABLE {};\n", before.name);
        return;
    }
    const ShapeDiff diff = diff_shapes(before.shape, after->shape);
    if (!diff.obstacle.empty()) append_comment(diff.obstacle, out);
    TableName now = before.shape.name;
    for (const ShapeStep& step : diff.steps) {
        const std::vector<std::string> statements = statements_of(step, before.shape, after->shape, now);
        if (statements.empty()) append_comment(describe_step(step, before.shape, after->shape), out);
        for (const std::string& statement : statements) {
            out += statement;
            out += ";\n";
        }
        if (step.kind == ShapeStep::Kind::rename_table) now = after->shape.name;
    }
}

void SqlFormat::begin(const TransactionHead& head, std::string& out) {
    fmt::format_to(std::back_inserter(out), "BEGIN; -- {}", to_string(head.kind, head.position));
    if (head.xid != 0) fmt::format_to(std::back_inserter(out), ", transaction {}", head.xid);
    if (head.time_us != 0) fmt::format_to(std::back_inserter(out), ", {}", utc_time(head.time_us));
    if (head.merged) out += ", several transactions together";
    out += '\n';
}

void SqlFormat::record(std::string_view body, bool, std::string& out) const { out += body; }

}  // namespace rowferry
