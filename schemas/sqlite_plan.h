#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// What a new SQLite follower is made of, in the order of execution. Pure data; the follower makes its tables from the same functions
/// (schemas/sqlite_ddl.h), statement by statement.
struct SqliteMakePlan {
    std::vector<std::string> tables;   ///< Before the copy.
    std::vector<std::string> indexes;  ///< After it.
    std::vector<std::string> notes;    ///< What is not an identity mapping, one line each.
};

/// For a file without tables. Throws RefusedError for what SQLite cannot hold.
[[nodiscard]] SqliteMakePlan plan_sqlite_tables(const std::vector<TablePtr>& tables);

/// SQLite compares names without regard to case, PostgreSQL does not, and several schemas become one. Throws RefusedError for two tables, or two
/// columns of one, that would be the same.
void check_sqlite_names(const std::vector<TablePtr>& tables);

/// What makes `next` the next number of the table's AUTOINCREMENT in a new file; nothing where it needs no word.
[[nodiscard]] std::optional<std::string> sqlite_prime_number(const TableSchema& table, std::uint16_t column, std::int64_t next);

}  // namespace rowferry
