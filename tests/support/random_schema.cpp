#include "tests/support/random_schema.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace rowferry::test {
namespace {

/// At most three columns are in an index, and a character of a literal may be two bytes in one (the other case of a letter, lower()).
constexpr std::size_t kMostInIndex = 400;

/// Table (in SQL) and column of everything that an index holds, be it in an expression or through a generated column.
std::set<std::pair<std::string, std::string>> indexed_columns(PgConnection& connection) {
    std::set<std::pair<std::string, std::string>> columns;
    for (const PgRow& row : connection.query(
             "SELECT n.nspname, c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
             "WHERE a.attnum > 0 AND (EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])) OR "
             "EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND "
             "d.classid = 'pg_class'::regclass AND (d.objsubid = 0 OR d.objid = c.oid)))"))
        columns.emplace(sql_name(row[0].value()) + "." + sql_name(row[1].value()), row[2].value());
    return columns;
}

ValueMaker shortened(ValueMaker maker) {
    return [maker = std::move(maker)](Random& random) {
        for (int i = 0; i < 50; ++i)
            if (std::string value = maker(random); value.size() <= kMostInIndex) return value;
        return std::string{"NULL"};
    };
}

}  // namespace

std::string Names::next() {
    static const char* const odd[] = {"select", "Order",  "a b",   "semi;colon", "new\nline", "quote\"d", "it's", "ünïcode", "日本",  "🦊",    "UPPER", "CamelCase", "back\\slash", "dot.ted",
                                      "%s",     "{}",     "-- c",  "tab\t",      "$1",        "1st",      "[x]",  "`b`",     " lead", "trail ", "user",  "rowid",     "oid",         "k0",
                                      "n0",     "tag",    "seq",   "op",         "excluded",  "new",      "old",  "ctid_",   "__",    "a__b",  "?1",    ":v",        "@x",          "null",
                                      "values", "TABLE",  "index", "primary",    "group",     "\u202e",   "e\u0301", "default", "check", "all"};
    for (;;) {
        std::string name = random_.chance(50) ? fmt::format("c{}", random_.below(1000)) : random_.pick(odd);
        if (random_.chance(4)) name += std::string(static_cast<std::size_t>(most_bytes_ - static_cast<int>(name.size())), 'x');
        if (std::find(taken_.begin(), taken_.end(), name) != taken_.end()) name += fmt::format("_{}", taken_.size());
        std::string folded = name;
        for (char& c : folded) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (static_cast<int>(name.size()) > most_bytes_ || std::find(taken_.begin(), taken_.end(), folded) != taken_.end()) continue;
        taken_.push_back(folded);
        return name;
    }
}

std::vector<TableShape> create(const Database& leader, const RandomSchema& schema) {
    for (const std::string& statement : schema.setup) leader.exec(statement);
    std::optional<PgConnection> pg;
    std::optional<SqliteDb> sqlite;
    if (leader.is_postgresql()) pg.emplace(leader.uri());
    else sqlite.emplace(leader.path());
    const auto attempt = [&](const std::string& sql) {
        if (pg) pg->try_exec(sql);
        else sqlite->attempt(sql);
    };
    for (const std::string& table : schema.order) {
        const std::vector<std::string>& statements = schema.of_table.at(table);
        leader.exec(statements.at(0));  // the table itself has to be right
        for (std::size_t i = 1; i < statements.size(); ++i) attempt(statements[i]);
    }
    std::vector<TableShape> shapes = read_shapes(leader, false);
    for (TableShape& shape : shapes) {
        const auto found = schema.values.find(shape.name);
        if (found == schema.values.end()) continue;
        for (ColumnShape& column : shape.columns)
            if (const auto value = found->second.find(column.name); value != found->second.end()) column.value = value->second;
    }
    if (schema.short_in_indexes) {
        const auto indexed = indexed_columns(*pg);
        for (TableShape& shape : shapes)
            for (ColumnShape& column : shape.columns)
                if (indexed.contains({shape.in_sql, column.name})) column.value = shortened(std::move(column.value));
    }
    return shapes;
}

void insert_witnesses(const Database& leader, const RandomSchema& schema) {
    for (const auto& [table, rows] : schema.witnesses)
        for (const std::string& row : rows) leader.exec(row);
}

}  // namespace rowferry::test
