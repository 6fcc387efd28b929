#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
    std::vector<std::string> columns;           ///< Only these, in the leader's names; empty: all.
    std::vector<std::string> excluded_columns;  ///< All but these. Not together with `columns`.
    std::optional<std::string> filter;  ///< Only rows for which this is true: an expression in the leader's own dialect.
    std::optional<std::string> rename;  ///< `[schema.]name` on the follower. The pattern has to match one table only.
    std::optional<OnMismatch> on_mismatch;
    std::vector<ColumnRule> column_rules;
};

/// Every column of a leader's type, in every table. A rule for the column itself goes before.
struct TypeRule {
    std::string leader_type;  ///< As the leader names it, without regard to case; `numeric` means numeric(10,2) as well.
    std::string type;
    TimeEncoding encoding = TimeEncoding::none;
};

/// What the rules come to for one table.
struct RulesOfTable {
    std::vector<std::string> columns;
    std::vector<std::string> excluded_columns;
    std::optional<std::string> filter;
    std::optional<std::string> rename;
    OnMismatch on_mismatch = OnMismatch::stop;
    std::vector<ColumnRule> column_rules;  ///< One per column.

    /// Null when nothing is asked for the column.
    [[nodiscard]] const ColumnRule* column(Engine engine, std::string_view name) const;
};

/// Subset and shape of a stream. The same in snapshot, stream, verification and audit.
struct TableRules {
    std::vector<TableRule> rules;
    std::vector<TypeRule> types;
    std::optional<OnMismatch> on_mismatch;  ///< For every table without one of its own.
    std::string salt;                       ///< For sha256 masks; a secret, in no message and in no checkpoint.

    [[nodiscard]] bool empty() const noexcept { return rules.empty() && types.empty() && !on_mismatch; }
    /// A partition goes by its own name and by that of its root.
    [[nodiscard]] RulesOfTable of(const TableSchema& table) const;
    [[nodiscard]] bool match(const TableRule& rule, const TableSchema& table) const;
    /// Stable text for the checkpoint, one line for each thing that is asked for, so that a later start with other rules is noticed.
    /// Without the salt, but with a digest of it; without on_mismatch, which may change from start to start.
    [[nodiscard]] std::string canonical() const;
};

/// Do two names mean the same column on this leader? SQLite compares without regard to ASCII case.
[[nodiscard]] bool same_column_name(Engine engine, std::string_view left, std::string_view right);

[[nodiscard]] std::string_view to_string(Mask::Kind kind);
[[nodiscard]] std::string_view to_string(TimeEncoding encoding);
[[nodiscard]] std::string_view to_string(OnMismatch mode);

/// What two canonical texts do not share, for a message: `was … , is …`.
[[nodiscard]] std::string describe_difference(const std::string& before, const std::string& now);

}  // namespace rowferry
