#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// What became of an expression on its way to the follower.
struct Translation {
    std::string text;    ///< In the follower's dialect, with the follower's names.
    std::string reason;  ///< Why there is none: the end of a sentence such as "the default is left out: …". Empty when there is one.
    std::string note;    ///< Translated, but worth a word.
    [[nodiscard]] bool done() const noexcept { return reason.empty(); }
};

/// Translates the expressions of one leader table for the table that a follower gets for it. What it gives means the same for every value the
/// follower's columns can hold, NULL included; whatever is not known to is refused with the reason. The rules are in docs/schema.md.
/// Expressions that stay on the same engine go as they stand, unless they need what only the leader's database has.
/// Pure. Holds a reference to the table. One thread at a time.
class ExpressionTranslator {
public:
    /// `types`: declared types of the follower's columns (map_column() where the user says nothing), one per column of `table`.
    ExpressionTranslator(const TableSchema& table, Engine to, std::vector<std::string> types);

    /// A CHECK or the predicate of an index. Its columns are looked up by the leader's names.
    [[nodiscard]] Translation condition(const std::string& expression) const;
    /// One key of an index; `collation`: by which a SQLite leader's index compares it.
    [[nodiscard]] Translation key(const std::string& expression, const std::string& collation = {}) const;
    /// What stands behind `ON table` for an index: keys, collations, order, predicate.
    [[nodiscard]] Translation index_body(const ExpressionIndex& index) const;
    /// What a generated column computes; `type` is the follower's type for it.
    [[nodiscard]] Translation generated(const GeneratedColumn& column, const std::string& type) const;
    /// The default of a column, its domain's where the column has none. Empty text and reason: there is none. NULL counts as none.
    [[nodiscard]] Translation default_value(std::uint16_t column) const;
    /// A CHECK of the domain that the column has, as a condition on the column.
    [[nodiscard]] Translation domain_check(std::uint16_t column, const std::string& expression) const;
    /// The domains of a column, outermost first. PostgreSQL leaders; empty otherwise.
    [[nodiscard]] std::vector<const UserType*> domains(std::uint16_t column) const;

private:
    [[nodiscard]] Translation unchanged(const std::string& expression) const;
    [[nodiscard]] Translation unchanged_default(const std::string& expression) const;

    const TableSchema& table_;
    Engine to_;
    std::vector<std::string> types_;
};

/// The columns that an expression in the leader's own dialect names, in the leader's spelling where it is a SQLite one (names compare
/// without regard to case there), each once. Throws RefusedError for what cannot be taken apart.
[[nodiscard]] std::vector<std::string> expression_columns(Engine engine, const std::string& expression);

/// Is this the name of a function that every SQLite database has, and that gives the same for the same arguments (or the time)?
[[nodiscard]] bool is_sqlite_function(std::string_view name);

}  // namespace rowferry
