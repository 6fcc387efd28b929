#include <algorithm>
#include <regex>

#include <fmt/format.h>

#include "tests/support/compare.h"
#include "tests/support/sqlite_values.h"
#include "tests/support/table_shape.h"
#include "tests/support/table_shape_parts.h"

namespace rowferry::test {
namespace {

std::string text_at(const SqliteRow& row, std::size_t i) {
    const auto* text = std::get_if<std::string>(&row.at(i));
    return text == nullptr ? "" : *text;
}

/// What the values of a column are, and some of them as SQL.
struct Pool {
    std::vector<std::string> literals;
    bool integers = false, reals = false, texts = false, blobs = false;
    bool zero_one = true;  ///< All integers are.
    bool words = true;     ///< No text looks like a number or a point in time, so that any other text goes as well.
};

/// One for each column.
std::vector<Pool> values_there(SqliteDb& db, const TableShape& table) {
    static const std::regex shaped{R"([-+0-9.:TZ ]+|[0-9a-fA-F-]{32,36}|[\[{"].*)"};
    std::string list;  // no double and no text with NUL through quote()
    for (const ColumnShape& column : table.columns)
        list += fmt::format("{1}typeof({0}), CASE typeof({0}) WHEN 'text' THEN 'CAST(x''' || hex({0}) || ''' AS TEXT)' WHEN 'real' THEN printf('%!.17g', {0}) "
                            "ELSE quote({0}) END, CASE typeof({0}) WHEN 'text' THEN substr({0}, 1, 100) END",
                            sql_name(column.name), list.empty() ? "" : ", ");
    std::vector<Pool> pools(table.columns.size());
    for (const SqliteRow& row : db.query(fmt::format("SELECT {} FROM {} LIMIT 2000", list, table.in_sql)))
        for (std::size_t i = 0; i < pools.size(); ++i) {
            Pool& pool = pools[i];
            const std::string type = text_at(row, 3 * i);
            const std::string literal = text_at(row, 3 * i + 1);
            if (type == "null") continue;
            (type == "integer" ? pool.integers : type == "real" ? pool.reals : type == "text" ? pool.texts : pool.blobs) = true;
            if (type == "integer" && literal != "0" && literal != "1") pool.zero_one = false;
            if (type == "text" && std::regex_match(text_at(row, 3 * i + 2), shaped)) pool.words = false;
            if (literal.find("nf") == std::string::npos || type != "real") pool.literals.push_back(literal);
        }
    return pools;
}

/// A value of the kind that is there; what a column without values is for, its declared type says.
ValueMaker maker(const Pool& pool, const std::string& declared) {
    const SqliteAffinity affinity = affinity_of(declared);
    SqliteStyle style = affinity == SqliteAffinity::integer ? SqliteStyle::integers
                        : affinity == SqliteAffinity::real  ? SqliteStyle::reals
                        : affinity == SqliteAffinity::none  ? SqliteStyle::blobs
                                                            : SqliteStyle::texts;
    bool only_known = pool.literals.empty() && affinity == SqliteAffinity::numeric;  // a date, a number, a boolean? nobody knows yet
    if (!pool.literals.empty()) {
        const int classes = pool.integers + pool.reals + pool.texts + pool.blobs;
        only_known = classes != 1 || (pool.integers && pool.zero_one) || (pool.texts && !pool.words) || (pool.reals && affinity != SqliteAffinity::real);
        style = pool.integers ? SqliteStyle::integers : pool.reals ? SqliteStyle::reals : pool.blobs ? SqliteStyle::blobs : SqliteStyle::texts;
    }
    return [=, there = pool.literals](Random& random) {
        if (there.empty() && only_known) return std::string{"NULL"};
        if (!there.empty() && (only_known || random.chance(50))) return random.pick(there);
        return sqlite_value(style, affinity, random, true);
    };
}

/// Empty: every name of the rowid is hidden by a column.
std::string rowid_name(const std::vector<ColumnShape>& columns) {
    for (const char* name : {"rowid", "_rowid_", "oid"})
        if (std::none_of(columns.begin(), columns.end(), [&](const ColumnShape& c) { return sqlite3_stricmp(c.name.c_str(), name) == 0; })) return name;
    return "";
}

void read_keys(SqliteDb& db, TableShape& table, const std::string& sql) {
    std::vector<std::pair<std::int64_t, std::string>> primary;
    for (const SqliteRow& row : db.query("SELECT pk, name FROM pragma_table_info(" + sql_text(table.name) + ") WHERE pk > 0 ORDER BY pk"))
        primary.emplace_back(std::get<std::int64_t>(row[0]), text_at(row, 1));
    std::vector<std::string>& key = table.unique_keys.emplace_back();
    std::string list;
    for (const auto& [place, name] : primary) {
        key.push_back(name);
        list += (list.empty() ? "" : ", ") + sql_name(name);
    }
    if (key.empty()) table.unique_keys.pop_back();
    static const std::regex without{"WITHOUT\\s+ROWID", std::regex::icase};
    const bool without_rowid = std::regex_search(sql, without);
    table.row_id = without_rowid ? list : rowid_name(table.columns);
    if (table.row_id.empty()) table.row_id = list;
    for (const SqliteRow& index : db.query("SELECT name FROM pragma_index_list(" + sql_text(table.name) + ") WHERE \"unique\" AND NOT partial AND origin <> 'pk'")) {
        std::vector<std::string> names;
        bool plain = true;
        for (const SqliteRow& row : db.query("SELECT name FROM pragma_index_info(" + sql_text(text_at(index, 0)) + ")")) {
            names.push_back(text_at(row, 0));
            plain = plain && !names.back().empty();  // else an expression
        }
        if (plain) table.unique_keys.push_back(std::move(names));
    }
}

}  // namespace

std::vector<TableShape> read_sqlite_shapes(const Database& database, bool pool) {
    SqliteDb db{database.path()};
    std::vector<TableShape> tables;
    for (const std::string& name : user_tables(database)) {
        TableShape& table = tables.emplace_back();
        table.name = name;
        table.in_sql = sql_name(name);
        table.rows = std::stoi(db.value("SELECT count(*) FROM " + table.in_sql));
        for (const SqliteRow& row : db.query("SELECT name, type, \"notnull\", dflt_value FROM pragma_table_xinfo(" + sql_text(name) + ") WHERE hidden = 0")) {
            table.columns.push_back({.name = text_at(row, 0), .type = text_at(row, 1), .not_null = std::get<std::int64_t>(row[2]) != 0,
                      .has_default = !std::holds_alternative<std::monostate>(row[3]), .always_identity = false, .value = {}});
        }
        std::vector<Pool> pools(table.columns.size());
        if (pool && !table.columns.empty()) pools = values_there(db, table);
        for (std::size_t i = 0; i < pools.size(); ++i) table.columns[i].value = maker(pools[i], table.columns[i].type);
        read_keys(db, table, db.value("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = " + sql_text(name)));
    }
    return tables;
}

}  // namespace rowferry::test
