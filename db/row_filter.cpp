#include "db/row_filter.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_subset.h"

namespace rowferry {
namespace {

constexpr const char* kResult = "rowferry_passes";
constexpr const char* kRow = "rowferry_row";

/// What the expression uses, as SQLite reports it while it compiles.
struct Uses {
    std::set<std::string> columns;
    bool dates = false;
};

int note_use(void* uses, int action, const char* first, const char* second, const char*, const char*) {
    auto& noted = *static_cast<Uses*>(uses);
    if (action == SQLITE_READ && second != nullptr) noted.columns.insert(second);
    if (action == SQLITE_FUNCTION && second != nullptr)
        for (const char* name : {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"})
            noted.dates = noted.dates || sqlite3_stricmp(name, second) == 0;
    static_cast<void>(first);
    return SQLITE_OK;
}

bool is_built_in(const std::string& collation) {
    return collation.empty() || collation == "BINARY" || collation == "NOCASE" || collation == "RTRIM";
}

std::string column_definition(const TableSchema& table, const ColumnSchema& column) {
    const Affinity affinity = is_strict_any(table, column.type) ? Affinity::blob : sqlite_affinity(column.type);
    std::string text = quote_identifier(column.name);
    switch (affinity) {
        case Affinity::integer: text += " INTEGER"; break;
        case Affinity::text: text += " TEXT"; break;
        case Affinity::real: text += " REAL"; break;
        case Affinity::numeric: text += " NUMERIC"; break;
        case Affinity::blob: break;
    }
    if (!column.collation.empty() && is_built_in(column.collation)) text += " COLLATE " + column.collation;
    return text;
}

}  // namespace

std::string where_clause(const std::string& expression) { return expression.empty() ? "" : fmt::format(" WHERE ({}\n)", expression); }

RowFilter::RowFilter(const TableSchema& table, const std::string& expression, const std::string& encoding)
    : name_{to_string(table.name)}, db_{"the filter of " + name_, SqliteDatabase::Mode::memory} {
    // A misspelt name in double quotes must not become a text.
    sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    try {
        db_.execute("PRAGMA encoding = " + quote_literal(encoding));
        db_.execute("PRAGMA journal_mode = MEMORY");
        make_table(table, "NULL");
        read_columns(table, expression);
        db_.execute("DROP TABLE main." + quote_identifier(table.name.name));
        make_table(table, expression);
        const std::string name = quote_identifier(table.name.name);
        db_.execute(fmt::format("BEGIN; INSERT INTO main.{} ({}) VALUES (1)", name, kRow));
        std::string assignments;
        for (const std::uint16_t column : columns_) assignments += fmt::format("{}{} = ?", assignments.empty() ? "" : ", ", quote_identifier(table.columns[column].name));
        if (!columns_.empty()) set_ = db_.prepare(fmt::format("UPDATE main.{} SET {}", name, assignments));
        test_ = db_.prepare(fmt::format("SELECT {} IS TRUE FROM main.{}", kResult, name));
        test_.step();  // what can be evaluated for no value at all is evaluated now
        test_.reset();
    } catch (const SqliteError& error) {
        throw RefusedError{fmt::format("{}: SQLite does not take the filter: {}", name_, sqlite3_errmsg(db_.handle()))};
    }
}

void RowFilter::make_table(const TableSchema& table, const std::string& expression) {
    std::string columns;
    for (const ColumnSchema& column : table.columns) columns += column_definition(table, column) + ", ";
    // Without a rowid, so that the expression cannot speak of one: ours would be another than the leader's.
    db_.execute(fmt::format("CREATE TABLE main.{} ({}{} INTEGER PRIMARY KEY, {} AS (({}\n))) WITHOUT ROWID", quote_identifier(table.name.name), columns, kRow, kResult,
                            expression));
}

void RowFilter::read_columns(const TableSchema& table, const std::string& expression) {
    const std::string sql = fmt::format("SELECT ({}\n) FROM main.{}", expression, quote_identifier(table.name.name));
    Uses uses;
    sqlite3_set_authorizer(db_.handle(), note_use, &uses);
    sqlite3_stmt* statement = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(db_.handle(), sql.data(), static_cast<int>(sql.size()), 0, &statement, &rest);
    sqlite3_set_authorizer(db_.handle(), nullptr, nullptr);
    const int results = sqlite3_column_count(statement);
    const int parameters = sqlite3_bind_parameter_count(statement);
    sqlite3_finalize(statement);
    if (code != SQLITE_OK) db_.fail(code, "the expression");
    if (results != 1 || rest != sql.data() + sql.size()) throw RefusedError{fmt::format("{}: the filter is not one expression", name_)};
    if (parameters != 0) throw RefusedError{fmt::format("{}: the filter has a parameter in it", name_)};
    if (uses.dates)
        for (const char* word : {"now", "localtime", "utc"})
            if (mentions(expression, word))
                throw RefusedError{fmt::format("{}: the filter depends on the time at which it is looked at ({}): rows would come and go without a change", name_, word)};
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const ColumnSchema& column = table.columns[i];
        if (!std::ranges::any_of(uses.columns, [&](const std::string& used) { return same_sqlite_name(used, column.name); })) continue;
        if (!is_built_in(column.collation))
            throw RefusedError{fmt::format("{}: the filter reads column {}, whose collation {} is the application's own", name_, printable(column.name, 80),
                                           printable(column.collation, 80))};
        columns_.push_back(static_cast<std::uint16_t>(i));
    }
}

bool RowFilter::passes(const std::function<Cell(std::uint16_t)>& value) {
    try {
        if (set_) {
            int index = 0;
            for (const std::uint16_t column : columns_) set_.bind(++index, value(column));
            set_.run();
        }
        const bool passes = test_.step() && test_.integer(0) != 0;
        test_.reset();
        return passes;
    } catch (const SqliteError& error) {
        test_.reset();
        throw HaltError{fmt::format("{}: the filter cannot be evaluated for a row: {}", name_, sqlite3_errmsg(db_.handle()))};
    }
}

}  // namespace rowferry
