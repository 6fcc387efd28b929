#include <memory>

#include <fmt/format.h>

#include "tests/support/pg_values.h"
#include "tests/support/table_shape.h"
#include "tests/support/table_shape_parts.h"

namespace rowferry::test {
namespace {

/// Some hundred values of each column, as literals.
std::vector<std::vector<std::string>> values_there(PgConnection& connection, const TableShape& table) {
    std::string list;
    for (const ColumnShape& column : table.columns) list += (list.empty() ? "" : ", ") + sql_name(column.name) + "::text";
    std::vector<std::vector<std::string>> literals(table.columns.size());
    for (const PgRow& row : connection.query(fmt::format("SELECT {} FROM ONLY {} LIMIT 300", list, table.in_sql)))
        for (std::size_t i = 0; i < row.size(); ++i)
            if (row[i]) literals[i].push_back(sql_text(*row[i]));
    return literals;
}

void read_columns(PgConnection& connection, const std::shared_ptr<const PgValues>& values, bool pool, TableShape& table, const std::string& oid) {
    std::vector<std::pair<std::uint32_t, int>> types;
    for (const PgRow& row : connection.query(
             "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> '', attidentity = 'a', atttypid, atttypmod "
             "FROM pg_attribute WHERE attrelid = " + oid + " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum")) {
        table.columns.push_back({.name = row[0].value(), .type = row[1].value(), .not_null = row[2] == "t", .has_default = row[3] == "t",
                                 .always_identity = row[4] == "t", .value = {}});
        types.emplace_back(static_cast<std::uint32_t>(std::stoul(row[5].value())), std::stoi(row[6].value()));
    }
    std::vector<std::vector<std::string>> there(table.columns.size());
    if (pool && !table.columns.empty()) there = values_there(connection, table);
    for (std::size_t i = 0; i < table.columns.size(); ++i)
        table.columns[i].value = [values, type = types[i].first, modifier = types[i].second, known = values->knows(types[i].first), there = there[i]](Random& random) {
            if (!there.empty() && (!known || random.chance(50))) return random.pick(there);
            return known ? sql_text(values->text(type, modifier, random)) : std::string{"NULL"};
        };
}

}  // namespace

std::vector<TableShape> read_pg_shapes(const Database& database, bool pool) {
    PgConnection connection{database.uri()};
    const auto values = std::make_shared<const PgValues>(connection);
    std::vector<TableShape> tables;
    for (const PgRow& row : connection.query(
             "SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND "
             "c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rowferry') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 2, 3")) {
        TableShape& table = tables.emplace_back();
        table.name = row[1] == "public" && row[2].value().find('.') == std::string::npos ? row[2].value() : row[1].value() + "." + row[2].value();
        table.in_sql = sql_name(row[1].value()) + "." + sql_name(row[2].value());
        table.row_id = "ctid";
        table.rows = std::stoi(connection.value("SELECT count(*) FROM ONLY " + table.in_sql));
        read_columns(connection, values, pool, table, row[0].value());
        for (const PgRow& key : connection.query("SELECT indexrelid FROM pg_index WHERE indisunique AND indimmediate AND indisvalid AND indpred IS NULL AND "
                                                 "indexprs IS NULL AND indrelid = " + row[0].value() + " ORDER BY 1")) {
            std::vector<std::string>& names = table.unique_keys.emplace_back();
            for (const PgRow& name : connection.query("SELECT attname FROM pg_attribute WHERE attrelid = " + key[0].value() + " ORDER BY attnum"))
                names.push_back(name[0].value());
        }
    }
    return tables;
}

}  // namespace rowferry::test
