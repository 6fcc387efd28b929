#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "schemas/position.h"

namespace rowferry {

struct SqlBlob {
    std::string bytes;
    friend bool operator==(const SqlBlob&, const SqlBlob&) = default;
};
/// NULL, INTEGER, REAL, TEXT, BLOB: the storage classes themselves, nothing converted.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string, SqlBlob>;

/// A value for a parameter of a statement.
struct GivenParameter {
    std::string name;  ///< `:id`, `@id`, `$id`; empty: the next of those without a name.
    SqlValue value;
};

/// One statement with everything that it takes from outside of the database.
struct RecordedStatement {
    std::string sql;
    std::vector<SqlValue> parameters;      ///< Of ?1, ?2 …
    std::optional<std::int64_t> clock_ms;  ///< What it takes for "now": ms since 1970-01-01 UTC. Nothing: it is not known.
    std::optional<std::vector<SqlValue>> randoms;  ///< What random() and randomblob() gave, in the order of the calls. Nothing: not known.
    std::optional<std::int64_t> seed;  ///< Of SQLite's own random numbers, where it used any: it draws the rowids of a table whose largest one is taken.
    std::uint64_t line = 0;                ///< In its file; in a log table its number in the transaction, from 1.
};

/// Settings of a connection that change what statements mean.
struct SessionSettings {
    bool foreign_keys = false;
    bool recursive_triggers = false;
    bool ignore_check_constraints = false;
    bool legacy_alter_table = false;
    friend bool operator==(const SessionSettings&, const SessionSettings&) = default;
};

/// `foreign_keys,recursive_triggers`: those that are on.
[[nodiscard]] std::string to_string(const SessionSettings& settings);
/// Throws HaltError.
[[nodiscard]] SessionSettings parse_session_settings(std::string_view text);

/// What is known of a transaction before its first statement is run.
struct TransactionStart {
    std::optional<SessionSettings> settings;       ///< Nothing: those of the transaction before.
    std::vector<std::string> pragmas;              ///< Run outside of the transaction, in front of it.
    std::optional<std::int64_t> last_insert_rowid;  ///< What last_insert_rowid() says at its beginning. Nothing: as the transaction before left it.
};

/// And behind its last one.
struct TransactionEnd {
    Position position;
    std::string tag;            ///< By which the log is known to be the same one later.
    std::int64_t time_us = 0;   ///< Of the commit; 0 where unknown.
    std::optional<std::string> rows;  ///< The digest of the rows that it changed.
    std::optional<std::string> files = {};  ///< Of a log of several files, where one more of them is used from here on: what has to be known of them later.
};

}  // namespace rowferry
