#include "cli/schema_text.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/pg_plan.h"
#include "schemas/sqlite_plan.h"

namespace rowferry {
namespace {

constexpr std::size_t kLongestLine = 4000;

void for_sqlite(const std::vector<TablePtr>& tables, Snapshot& snapshot, SchemaText& text) {
    SqliteMakePlan plan = plan_sqlite_tables(tables);
    text.statements = std::move(plan.tables);
    for (const TablePtr& table : tables)
        for (std::uint16_t i = 0; i < table->columns.size(); ++i) {
            if (table->columns[i].auto_number == AutoNumber::none) continue;
            const auto next = snapshot.next_number(*table, i);
            if (!next) continue;
            if (auto prime = sqlite_prime_number(*table, i, *next)) text.statements.push_back(std::move(*prime));
        }
    std::ranges::move(plan.indexes, std::back_inserter(text.statements));
    text.decisions = std::move(plan.notes);
}

void prime_pg_numbers(const TableSchema& table, Snapshot& snapshot, SchemaText& text) {
    const TableName name = follower_table(table, Engine::postgresql);
    for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
        const ColumnSchema& column = table.columns[i];
        if (column.auto_number == AutoNumber::none) continue;
        const auto next = snapshot.next_number(table, i);
        if (!next) continue;
        // Where all numbers are used up the last one counts as taken.
        const bool over = column.numbering && column.numbering->maximum != 0 && *next > column.numbering->maximum;
        text.statements.push_back(fmt::format("SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {}), {}, {})", quote_literal(quote_table(name)),
                                              quote_literal(column.name), over ? column.numbering->maximum : *next, over));
    }
}

void for_postgresql(const std::vector<TablePtr>& tables, Snapshot& snapshot, SchemaText& text) {
    const PgMakePlan plan = plan_pg_tables(tables, {});
    const auto add = [&](const std::vector<PgDdlStep>& steps) {
        for (const PgDdlStep& step : steps) text.statements.push_back(step.sql);
    };
    add(pg_before_copy(plan));
    std::map<TableName, const TableSchema*> ancestors;
    for (const TablePtr& table : tables)
        for (const TableSchema& ancestor : table->ancestors) ancestors.emplace(ancestor.name, &ancestor);
    for (const auto& [name, ancestor] : ancestors) prime_pg_numbers(*ancestor, snapshot, text);
    for (const TablePtr& table : tables)
        if (table->ancestors.empty()) prime_pg_numbers(*table, snapshot, text);
    add(pg_after_copy(plan));
    text.decisions = plan.notes;
    std::ranges::move(pg_left_out(plan), std::back_inserter(text.not_carried));
}

void add_comments(std::string& out, const char* title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    out += fmt::format("--\n-- {}:\n", title);
    for (const std::string& line : lines) out += fmt::format("--   {}\n", printable(line, kLongestLine));
}

}  // namespace

SchemaText schema_text(const std::vector<TablePtr>& tables, Snapshot& snapshot, Engine follower) {
    SchemaText text;
    text.follower = follower;
    if (follower == Engine::sqlite)
        for_sqlite(tables, snapshot, text);
    else
        for_postgresql(tables, snapshot, text);
    for (const TablePtr& table : tables)
        for (const std::string& line : table->not_carried) text.not_carried.push_back(fmt::format("{}: {}", to_string(table->name), line));
    return text;
}

std::string to_string(const SchemaText& text) {
    std::string out = fmt::format("-- What a {} follower of {} gets.\n", text.follower == Engine::sqlite ? "SQLite" : "PostgreSQL", printable(text.leader));
    add_comments(out, "Decisions", text.decisions);
    add_comments(out, "Not carried", text.not_carried);
    add_comments(out, "Skipped", text.skipped);
    for (const std::string& statement : text.statements) out += fmt::format("\n{};\n", statement);
    return out;
}

}  // namespace rowferry
