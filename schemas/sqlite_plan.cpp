#include "schemas/sqlite_plan.h"

#include <map>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {

void check_sqlite_names(const std::vector<TablePtr>& tables) {
    std::map<std::string, const TableSchema*> seen;
    for (const TablePtr& table : tables) {
        const std::string name = sqlite_follower_name(*table);
        const auto [other, fresh] = seen.emplace(sqlite_folded(name), table.get());
        if (!fresh)
            throw RefusedError{fmt::format("{} and {} would both be the table {} in SQLite; leave one out with --exclude-table",
                                           to_string(other->second->name), to_string(table->name), printable(name, 100))};
        if (sqlite_folded(name).starts_with("rowferry_"))
            throw RefusedError{fmt::format("table {}: names that begin with rowferry_ are rowferry's own in SQLite", to_string(table->name))};
        std::map<std::string, std::string> columns;
        const auto check_column = [&](const std::string& column) {
            const auto [twin, new_column] = columns.emplace(sqlite_folded(column), column);
            if (!new_column)
                throw RefusedError{fmt::format("table {}: columns {} and {} have the same name in SQLite, which does not tell capitals apart",
                                               to_string(table->name), printable(twin->second, 100), printable(column, 100))};
        };
        for (const ColumnSchema& column : table->columns) check_column(column.name);
        for (const GeneratedColumn& column : table->generated) check_column(column.name);
    }
}

SqliteMakePlan plan_sqlite_tables(const std::vector<TablePtr>& tables) {
    check_sqlite_names(tables);
    SqliteMakePlan plan;
    std::vector<std::string> taken;
    for (const TablePtr& table : tables) taken.push_back(sqlite_folded(sqlite_follower_name(*table)));
    const std::vector<std::string> present = taken;
    for (const TablePtr& table : tables) {
        plan.tables.push_back(sqlite_create_table(*table, present));
        for (std::string& note : sqlite_notes(*table, present)) plan.notes.push_back(std::move(note));
    }
    for (const TablePtr& table : tables) {
        for (const SqliteIndex& index : sqlite_indexes(*table)) {
            const std::string name = sqlite_index_name(*table, index.wanted_name, taken);
            plan.indexes.push_back(sqlite_create_index(*table, index, name));
            taken.push_back(sqlite_folded(name));
        }
        for (const SqliteExpressionIndex& index : sqlite_parts(*table).indexes) {
            const std::string name = sqlite_index_name(*table, index.wanted_name, taken);
            plan.indexes.push_back(sqlite_create_index(*table, index, name));
            taken.push_back(sqlite_folded(name));
        }
    }
    return plan;
}

std::optional<std::string> sqlite_prime_number(const TableSchema& table, std::uint16_t column, std::int64_t next) {
    if (!sqlite_rowid_key(table) || table.primary_key.front() != column || !sqlite_autoincrements(table) || next <= 1) return std::nullopt;
    return fmt::format("INSERT INTO \"main\".\"sqlite_sequence\" (\"name\", \"seq\") VALUES ({}, {})", quote_literal(sqlite_follower_name(table)), next - 1);
}

}  // namespace rowferry
