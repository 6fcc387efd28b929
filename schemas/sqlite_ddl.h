#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/sqlite_parts.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// DDL text for a SQLite follower, made from a leader's table. Pure: nothing here looks at a database.

/// ASCII lower case: SQLite compares names without regard to ASCII case.
[[nodiscard]] std::string sqlite_folded(std::string_view name);

/// `CREATE TABLE "main"."…" (…)` with columns, defaults, generated columns, primary key, CHECKs, comments and the foreign keys to the tables in `present` (folded follower names of
/// every table that is or will be there). Unique keys and indexes come after the copy. Throws RefusedError for what SQLite cannot hold.
[[nodiscard]] std::string sqlite_create_table(const TableSchema& table, const std::vector<std::string>& present);

/// One index the follower's table is to have.
struct SqliteIndex {
    std::string wanted_name;               ///< The leader's name, or one made from table and columns; may collide.
    bool unique = false;
    ColumnIndexes columns;
    std::vector<bool> descending;          ///< One per column.
    std::vector<std::string> collations;   ///< One per column, never empty.
    friend bool operator==(const SqliteIndex&, const SqliteIndex&) = default;
};

/// Everything beside the primary key: the leader's unique keys and its plain indexes, each set of columns once.
[[nodiscard]] std::vector<SqliteIndex> sqlite_indexes(const TableSchema& table);

/// A name for the index that is not in `taken` (folded names of tables and indexes): the leader's, then with the table's in front, then numbered.
[[nodiscard]] std::string sqlite_index_name(const TableSchema& table, const std::string& wanted, const std::vector<std::string>& taken);

/// `existing`: the collation of each of the follower's columns, in the leader's order, when the table was not made by sqlite_create_table().
[[nodiscard]] std::string sqlite_create_index(const TableSchema& table, const SqliteIndex& index, const std::string& name,
                                              const std::vector<std::string>& existing = {});

[[nodiscard]] std::string sqlite_create_index(const TableSchema& table, const SqliteExpressionIndex& index, const std::string& name);

/// The collation a column has in a table made by sqlite_create_table().
[[nodiscard]] std::string sqlite_collation(const TableSchema& table, std::uint16_t column);

/// What the follower will not have or has in another form, one line each.
[[nodiscard]] std::vector<std::string> sqlite_notes(const TableSchema& table, const std::vector<std::string>& present);

/// What a leader's table is called on the follower.
[[nodiscard]] std::string sqlite_follower_name(const TableSchema& table);

/// Does the follower's table number its rows by AUTOINCREMENT? Only with sqlite_rowid_key().
[[nodiscard]] bool sqlite_autoincrements(const TableSchema& table);

/// Does SQLite keep this primary key as the rowid (INTEGER PRIMARY KEY)?
[[nodiscard]] bool sqlite_rowid_key(const TableSchema& table);

}  // namespace rowferry
