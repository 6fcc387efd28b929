#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/selection.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// What happens to a column's values on the way.
struct Mask {
    enum class Kind : std::uint8_t {
        none,
        drop,      ///< The follower has no such column.
        constant,  ///< `text` in place of every value that is not NULL.
        sha256,    ///< Hex of SHA-256 over the stream's salt and the value; the same value gives the same text. NULL stays NULL.
        truncate,  ///< The first `length` characters of a text.
    };
    Kind kind = Kind::none;
    std::string text;
    std::uint32_t length = 0;
    friend bool operator==(const Mask&, const Mask&) = default;
};

/// What a stream asks for one column; `column` is the leader's name.
struct ColumnRule {
    std::string column;
    std::optional<std::string> rename;
    std::optional<std::string> type;  ///< Type of the follower's column, in the follower's words.
    TimeEncoding encoding = TimeEncoding::none;
    Mask mask;
    std::optional<OnMismatch> on_mismatch;
    friend bool operator==(const ColumnRule&, const ColumnRule&) = default;
};

/// What a stream asks for the tables that a pattern matches. A later rule overrides an earlier one, field by field.
struct TableRule {
    TablePattern table;
    std::vector<std::string> columns;   ///< Only these, in the leader's names; empty: all.
    std::optional<std::string> filter;  ///< Only rows for which this is true: an expression in the leader's own dialect.
    std::optional<std::string> rename;  ///< `[schema.]name` on the follower. The pattern has to match one table only.
    std::optional<OnMismatch> on_mismatch;
    std::vector<ColumnRule> column_rules;
};

/// Subset and shape of a stream. The same in snapshot, stream, verification and audit.
struct TableRules {
    std::vector<TableRule> rules;
    std::optional<OnMismatch> on_mismatch;  ///< For every table without one of its own.
    std::string salt;                       ///< For sha256 masks; a secret, in no message and in no checkpoint.

    [[nodiscard]] bool empty() const noexcept { return rules.empty() && !on_mismatch; }
    /// Stable text for the checkpoint, so that a later start with other rules is noticed. Without the salt, but with a digest of it.
    [[nodiscard]] std::string canonical() const;
};

}  // namespace rowferry
