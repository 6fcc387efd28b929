#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// DDL text for a PostgreSQL follower. Pure. `types` come from the follower's own catalog (or our mapping), one per column: they are
/// spliced as they are. Every other name is quoted here.

/// What the follower's circumstances change in a CREATE TABLE.
struct PgTableOptions {
    bool numbered = true;       ///< Identity columns. False: a partition, which is numbered by its root.
    bool partitioned = false;   ///< With PARTITION BY, where the leader's table has it.
    bool primary_key_name = true;  ///< False: the server chooses, as the leader's name is taken.
    const std::set<std::string>* collations = nullptr;  ///< Those there are; null: all.
    bool primary_key = true;       ///< False: it comes later, by pg_add_primary_key().
};

/// Columns with their collations, defaults and NOT NULL, generated and identity columns, and the primary key. Everything else follows after the
/// copy. Throws RefusedError for a leader's expression that is none.
[[nodiscard]] std::string pg_create_table(const TableName& table, const TableSchema& leader, const std::vector<std::string>& types,
                                          const PgTableOptions& options = {});

/// The leader's primary key for a table that was made without. `named`: with the leader's name for it, if it has one.
[[nodiscard]] std::string pg_add_primary_key(const TableName& table, const TableSchema& leader, bool named);

/// The default of a follower's column, ready for DDL; nothing when it has none that means the same there.
[[nodiscard]] std::optional<std::string> pg_default(const TableSchema& leader, const ColumnSchema& column);

/// UNIQUE constraint or plain index of the leader. An empty `name` leaves the choice to the server. SQLite: a column that the index
/// compares by NOCASE or RTRIM becomes an expression that tells the same values apart.
[[nodiscard]] std::string pg_create_index(const TableName& table, const TableSchema& leader, const IndexSchema& index,
                                          const std::string& name);

/// An index with a predicate or over expressions, of a PostgreSQL leader.
[[nodiscard]] std::string pg_create_index(const TableName& table, const ExpressionIndex& index, const std::string& name);

/// A CHECK of a PostgreSQL leader. Children get it as well, unless it says NO INHERIT.
[[nodiscard]] std::string pg_add_check(const TableName& table, const CheckConstraint& check);

/// How strict a foreign key of the follower is.
enum class PgForeignKeyStyle : std::uint8_t {
    as_leader,      ///< Actions and deferrability of the leader: session_replication_role keeps it out of the way of the stream.
    deferred,       ///< NO ACTION, DEFERRABLE INITIALLY DEFERRED: lets whole transactions pass without that right.
    not_validated,  ///< as_leader, for a leader whose own rows break it.
};
[[nodiscard]] std::string pg_add_foreign_key(const TableName& table, const TableSchema& leader, const ForeignKey& key,
                                             PgForeignKeyStyle style);

/// Is the unique comparison of `column` in `index` (primary key: nullptr) another one than PostgreSQL's `=`? SQLite only.
[[nodiscard]] bool compares_specially(const TableSchema& leader, const IndexSchema* index, std::uint16_t column);
/// `operand` folded so that `=` on the result compares as SQLite does with `collation`. Unknown collations compare as they are.
[[nodiscard]] std::string pg_fold(std::string_view collation, const std::string& operand);
/// The same for one column of a unique key, tagged values included (kSqliteValue).
[[nodiscard]] std::string pg_fold(const TableSchema& leader, const IndexSchema* index, std::uint16_t column, const std::string& operand);
/// The collation by which `index` (nullptr: the primary key) compares `column`.
[[nodiscard]] std::string_view key_collation(const TableSchema& leader, const IndexSchema* index, std::uint16_t column);

/// Can a column of this type be an identity column?
[[nodiscard]] bool pg_is_integer(std::string_view type);

/// `"a", "b"`.
[[nodiscard]] std::string quote_columns(const TableSchema& table, const ColumnIndexes& columns);

}  // namespace rowferry
