#include "statements/sqlite/same_content.h"

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "schemas/same_cell.h"

namespace rowferry {
namespace {

constexpr std::size_t kRowsPerLook = 1000;

/// Both give the same rows in the same order?
bool same_results(SqliteDatabase& left, SqliteDatabase& right, const std::string& sql, const StopSignal& stop) {
    SqliteStatement a = left.prepare(sql);
    SqliteStatement b = right.prepare(sql);
    for (std::size_t row = 0;; ++row) {
        if (row % kRowsPerLook == 0) stop.check();
        const bool more = a.step();
        if (b.step() != more) return false;
        if (!more) return true;
        if (a.column_count() != b.column_count()) return false;
        for (int i = 0; i < a.column_count(); ++i)
            if (!same_cell(a.cell(i), b.cell(i))) return false;
    }
}

bool has_sequence(SqliteDatabase& db) { return db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'") != 0; }

}  // namespace

std::optional<std::string> first_difference(SqliteDatabase& leader, SqliteDatabase& scratch, const StopSignal& stop) {
    constexpr const char* kObjects =
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE name NOT LIKE 'rowferry\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'rowferry\\_%' ESCAPE '\\' AND name NOT LIKE "
        "'sqlite\\_%' ESCAPE '\\' ORDER BY type, name";
    if (!same_results(leader, scratch, kObjects, stop)) return "the schema is not what the statements made of it";
    for (const TableName& name : list_sqlite_tables(leader)) {
        const auto table = read_sqlite_table(leader, name.name);
        if (!table) continue;
        const std::string rowid = table->rowid_name.empty() ? std::string{} : table->rowid_name + ", ";
        // Not by an index: in the order of the table itself, which is the same in both.
        if (!same_results(leader, scratch, fmt::format("SELECT {}* FROM main.{} NOT INDEXED", rowid, quote_identifier(name.name)), stop))
            return fmt::format("{}: its rows are not what the statements made of them", to_string(name));
    }
    const bool numbered = has_sequence(leader);
    if (numbered && has_sequence(scratch) && !same_results(leader, scratch, "SELECT name, seq FROM main.sqlite_sequence ORDER BY name, seq", stop))
        return "sqlite_sequence: what AUTOINCREMENT has given out is not what the statements used";
    return std::nullopt;
}

}  // namespace rowferry
