#include "decoder/sqlite_wal/schema_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

enum SchemaColumn : std::size_t { kType, kName, kTable, kRoot, kSql, kSchemaColumns };

std::string text_of(const Cell& cell) { return cell.kind() == CellKind::text ? std::string{cell.bytes()} : std::string{}; }

std::unique_ptr<SqliteDatabase> in_memory(std::string what) { return std::make_unique<SqliteDatabase>(std::move(what), SqliteDatabase::Mode::memory); }

/// In `db` the objects of `rows`, with empty b-trees of their own: the rows are put in the place of those of as many tables. Throws SqliteError.
void fill(SqliteDatabase& db, const std::vector<SchemaRow>& rows) {
    // Our own database in memory: nothing there needs to be defended, and only so the rows may be written.
    sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    db.execute("BEGIN");
    for (std::size_t i = 0; i < rows.size(); ++i) db.execute(fmt::format("CREATE TABLE t{} (x)", i));
    db.execute("COMMIT; PRAGMA writable_schema = 1; BEGIN");
    SqliteStatement set =
        db.prepare("UPDATE main.sqlite_schema SET type = ?2, name = ?3, tbl_name = ?4, sql = ?5, rootpage = iif(?6, 0, rootpage) WHERE rowid = ?1");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        set.bind(1, static_cast<std::int64_t>(i + 1)).bind(2, std::string_view{rows[i].type}).bind(3, std::string_view{rows[i].name});
        set.bind(4, std::string_view{rows[i].table});
        if (rows[i].sql.empty())
            set.bind_null(5);
        else
            set.bind(5, std::string_view{rows[i].sql});
        set.bind(6, static_cast<std::int64_t>(rows[i].root == 0));
        set.run();
    }
    db.execute("COMMIT; PRAGMA writable_schema = RESET");
    sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    static_cast<void>(db.query_integer("SELECT count(*) FROM main.sqlite_schema"));  // reads the schema, or says why it cannot
}

/// Constants are all that ALTER TABLE ADD COLUMN takes for a table that has rows.
bool is_constant(const std::string& expression) {
    std::vector<SqliteToken> tokens = sqlite_tokens(expression);
    while (!tokens.empty() && (tokens.front().is_symbol("-") || tokens.front().is_symbol("+"))) tokens.erase(tokens.begin());
    if (tokens.empty()) return false;
    const SqliteToken& token = tokens.front();
    if (token.is_word("cast")) return true;
    if (tokens.size() > 1) return false;
    const bool clock = token.is_word("current_time") || token.is_word("current_date") || token.is_word("current_timestamp");
    return token.kind != SqliteToken::Kind::symbol && token.kind != SqliteToken::Kind::broken && !clock;
}

/// The constant as a column of that affinity has it; in the arena. Nothing when SQLite does not take it as a constant.
std::optional<Cell> evaluate(const std::string& expression, Affinity affinity, Arena& arena) {
    SqliteDatabase db{"the default of a column", SqliteDatabase::Mode::memory};
    const char* type = affinity == Affinity::integer ? "INT" : affinity == Affinity::text ? "TEXT" : affinity == Affinity::real ? "REAL" : affinity == Affinity::numeric ? "NUM" : "BLOB";
    for (const char* form : {"CREATE TABLE t (x {} DEFAULT {})", "CREATE TABLE t (x {} DEFAULT ({}))"}) {
        try {
            db.execute(fmt::format(fmt::runtime(form), type, expression));
            db.execute("INSERT INTO t DEFAULT VALUES");
            SqliteStatement value = db.prepare("SELECT x FROM t");
            value.step();
            return copy_into(arena, value.cell(0));
        } catch (const SqliteError&) {
            db.execute("DROP TABLE IF EXISTS t");
        }
    }
    return std::nullopt;
}

bool same_text_type(const std::string& left, const std::string& right) { return sqlite3_stricmp(left.c_str(), right.c_str()) == 0; }

}  // namespace

std::vector<SchemaRow> read_schema_rows(const Database& database) {
    const RowLayout layout{"sqlite_schema", {kType, kName, kTable, kRoot, kSql}, std::vector<RowLayout::Column>(kSchemaColumns), 0, database.format.encoding};
    std::vector<SchemaRow> rows;
    std::vector<std::byte> held;
    std::vector<std::byte> payload;
    std::vector<Cell> cells(kSchemaColumns);
    Arena arena;
    std::vector<std::uint32_t> open{kSchemaRoot};
    for (std::uint64_t visited = 0; !open.empty(); ++visited) {
        if (visited > database.view->page_count()) fail_page(kSchemaRoot, "the pages of the schema run in a circle");
        const BtreePage page = database.held_page(open.back(), held);
        open.pop_back();
        if (!page.is_table()) fail_page(page.number(), "is of another kind than the schema");
        if (page.is_interior())
            for (std::uint32_t i = page.cell_count() + 1; i-- > 0;) open.push_back(page.child(i));
        for (std::uint32_t i = 0; page.has_rows() && i < page.cell_count(); ++i) {
            const BtreeCell cell = page.cell(i);
            arena.clear();
            layout.decode(cell.rowid, whole_payload(database, cell, page.number(), payload), page.number(), arena, cells);
            SchemaRow row{text_of(cells[kType]), text_of(cells[kName]), text_of(cells[kTable]), 0, text_of(cells[kSql])};
            if (row.type != "table" && row.type != "index") continue;
            if (cells[kRoot].kind() == CellKind::integer) {
                const std::int64_t root = cells[kRoot].as_integer();
                if (root < 0 || root > database.view->page_count()) fail_page(page.number(), fmt::format("says that {} {} begins on page {}, which there is not", row.type, printable(row.name, 100), root));
                row.root = static_cast<std::uint32_t>(root);
            }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

SchemaReader::SchemaReader(const std::vector<SchemaRow>& rows) : db_{in_memory("the leader's schema")} {
    try {
        fill(*db_, rows);
        return;
    } catch (const SqliteError&) {
        // Something in it is newer than our SQLite, or broken. The rest may do without it.
    }
    std::vector<SchemaRow> rest = rows;
    leave_out_unreadable(rest);
    db_ = in_memory("the leader's schema");
    fill(*db_, rest);
}

void SchemaReader::leave_out_unreadable(std::vector<SchemaRow>& rows) {
    std::vector<std::string> names;
    for (const SchemaRow& row : rows)
        if (row.type == "table") names.push_back(row.name);
    for (const std::string& name : names) {
        std::vector<SchemaRow> own;
        std::ranges::copy_if(rows, std::back_inserter(own), [&](const SchemaRow& row) { return same_sqlite_name(row.table, name); });
        try {
            fill(*in_memory("the schema of " + printable(name, 100)), own);
        } catch (const SqliteError& error) {
            unreadable_.emplace_back(name, error.what());
            std::erase_if(rows, [&](const SchemaRow& row) { return same_sqlite_name(row.table, name); });
        }
    }
    std::erase_if(rows, [&](const SchemaRow& row) {
        return std::ranges::none_of(rows, [&](const SchemaRow& table) { return table.type == "table" && same_sqlite_name(table.name, row.table); });
    });
}

std::vector<std::string> SchemaReader::tables() {
    std::vector<std::string> names;
    for (TableName& name : list_sqlite_tables(*db_)) names.push_back(std::move(name.name));
    return names;
}

std::shared_ptr<const RowLayout> SchemaReader::layout(const SqliteTable& table, TextEncoding encoding) {
    const TableSchema& schema = table.schema;
    std::vector<RowLayout::Column> columns(schema.columns.size());
    std::vector<std::uint16_t> stored;
    Arena arena;
    for (std::uint16_t i = 0; i < columns.size(); ++i) {
        const ColumnSchema& column = schema.columns[i];
        // ANY of a STRICT table has no affinity although its name says NUMERIC.
        const Affinity affinity = is_strict_any(schema, column.type) ? Affinity::blob : sqlite_affinity(column.type);
        columns[i].real = affinity == Affinity::real;
        columns[i].rowid = !schema.without_rowid && column.auto_number == AutoNumber::by_default;
        columns[i].has_missing = column.default_expression.empty();
        columns[i].missing = Cell::null();
        if (!columns[i].has_missing && is_constant(column.default_expression)) {
            if (const auto value = evaluate(column.default_expression, affinity, arena)) {
                columns[i].has_missing = true;
                columns[i].missing = *value;
            }
        }
        stored.push_back(i);
    }
    std::size_t key_width = 0;
    if (schema.without_rowid) {
        // The b-tree of the table is that of its primary key, with all other columns behind the key's.
        stored.clear();
        SqliteStatement parts = db_->prepare(
            "SELECT part.name, part.key FROM pragma_index_list(?1, 'main') AS list, pragma_index_xinfo(list.name, 'main') AS part WHERE list.origin = 'pk' "
            "ORDER BY part.seqno");
        parts.bind(1, std::string_view{schema.name.name});
        while (parts.step()) {
            const auto column = schema.column_index(parts.text(0));
            if (!column) throw HaltError{fmt::format("{}: the primary key of this table without rowid has a column that was not found", to_string(schema.name))};
            stored.push_back(*column);
            if (parts.integer(1) != 0) ++key_width;
        }
        if (key_width == 0 || stored.size() != columns.size())
            throw HaltError{fmt::format("{}: the columns of this table without rowid were not found in its primary key", to_string(schema.name))};
    }
    return std::make_shared<const RowLayout>(schema.name.name, std::move(stored), std::move(columns), key_width, encoding);
}

void number_columns_like(const TableSchema& before, TableSchema& now) {
    std::vector<bool> taken(before.columns.size(), false);
    std::uint16_t last = 0;
    for (const ColumnSchema& column : before.columns) last = std::max(last, column.attribute);
    for (ColumnSchema& column : now.columns) {
        column.attribute = 0;
        for (std::size_t i = 0; i < before.columns.size(); ++i) {
            if (taken[i] || !same_sqlite_name(before.columns[i].name, column.name)) continue;
            taken[i] = true;
            column.attribute = before.columns[i].attribute;
            break;
        }
    }
    for (std::size_t i = 0; i < now.columns.size() && i < before.columns.size(); ++i) {
        if (now.columns[i].attribute != 0 || taken[i] || !same_text_type(now.columns[i].type, before.columns[i].type)) continue;
        taken[i] = true;
        now.columns[i].attribute = before.columns[i].attribute;
    }
    for (ColumnSchema& column : now.columns)
        if (column.attribute == 0) column.attribute = ++last;
}

}  // namespace rowferry
