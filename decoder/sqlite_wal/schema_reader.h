#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/btree_page.h"
#include "decoder/sqlite_wal/row_layout.h"

namespace rowferry {

/// A row of sqlite_schema that has to do with tables: tables and indexes. Views and triggers change no row by themselves.
struct SchemaRow {
    std::string type;
    std::string name;
    std::string table;
    std::uint32_t root = 0;  ///< 0: none, a virtual table.
    std::string sql;         ///< Empty for indexes that belong to a constraint.
    friend bool operator==(const SchemaRow&, const SchemaRow&) = default;
};

/// The b-tree of sqlite_schema has its root on page 1.
constexpr std::uint32_t kSchemaRoot = 1;

/// In the order of the file. Throws DecodeError, and ValueError for text that has no form in UTF-8.
[[nodiscard]] std::vector<SchemaRow> read_schema_rows(const Database& database);

/// The shapes that schema rows speak of, as our own SQLite reads them: it is given the rows in a database in memory whose tables are empty. One thread.
class SchemaReader {
public:
    explicit SchemaReader(const std::vector<SchemaRow>& rows);

    /// Ordinary tables, nothing of SQLite's or ours, by name.
    [[nodiscard]] std::vector<std::string> tables();
    [[nodiscard]] std::optional<SqliteTable> read(const std::string& name) { return read_sqlite_table(*db_, name); }
    [[nodiscard]] std::shared_ptr<const RowLayout> layout(const SqliteTable& table, TextEncoding encoding);

    /// What this SQLite cannot parse, with its messages. Everything that belongs to such a table is missing.
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& unreadable() const noexcept { return unreadable_; }

private:
    void leave_out_unreadable(std::vector<SchemaRow>& rows);

    std::unique_ptr<SqliteDatabase> db_;
    std::vector<std::pair<std::string, std::string>> unreadable_;
};

/// Numbers the columns of `now` (ColumnSchema::attribute) so that those it has in common with `before` have the same numbers there: columns of the same name; then
/// one of another name in the place of one that is gone, if its type is the same. New columns have numbers that `before` does not use.
void number_columns_like(const TableSchema& before, TableSchema& now);

}  // namespace rowferry
