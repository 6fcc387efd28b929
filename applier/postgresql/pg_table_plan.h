#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "applier/postgresql/pg_statement.h"
#include "applier/postgresql/pg_target.h"
#include "schemas/batch.h"
#include "schemas/conversion.h"
#include "schemas/row_reader.h"
#include "schemas/table_schema.h"

namespace rowferry {

class PgGroupPlan;

/// How the changes of one leader table are written to its follower table: statements by operation and column mask, made once and kept.
/// Text only, no connection. Throws HaltError or RefusedError (from resolve_conversion) when the tables do not fit.
class PgTablePlan {
public:
    struct Column {
        const PgTargetColumn* follower = nullptr;
        Conversion conversion;
        bool written = true;  ///< Not a generated column of the follower.
        bool in_key = false;
        bool binary = false;
        bool takes_binary = false;  ///< What the leader sends in binary form is this column's own.
        bool limited = false;  ///< The type has a modifier that a value may exceed.
        OnMismatch on_mismatch = OnMismatch::stop;
    };

    /// `number` makes the names of prepared statements unique within a connection.
    PgTablePlan(TableSchema leader, PgTarget follower, std::size_t number);
    PgTablePlan(const PgTablePlan&) = delete;
    PgTablePlan& operator=(const PgTablePlan&) = delete;

    ~PgTablePlan();

    [[nodiscard]] const TableSchema& leader() const noexcept { return leader_; }
    [[nodiscard]] const PgTarget& follower() const noexcept { return follower_; }
    [[nodiscard]] const Column& column(std::size_t column) const { return columns_[column]; }
    /// Capture of this leader does not see what REPLACE removed: conflicting rows have to go.
    [[nodiscard]] bool replaces() const noexcept { return leader_.engine == Engine::sqlite && !leader_.unique_keys.empty(); }
    /// A conflict with any of the leader's unique keys is an error for COPY, so that trying it is safe.
    [[nodiscard]] bool copy_finds_conflicts() const noexcept { return copy_finds_conflicts_; }

    [[nodiscard]] PgStatement& insert();
    [[nodiscard]] PgStatement& remove();
    /// Throws ValueError for a change of a key that the follower lets nobody set. A statement without a name is valid until the next call.
    [[nodiscard]] PgStatement& update(const Change& change);
    /// counted() of one of the above; null for what returns something itself, or has no name.
    [[nodiscard]] PgStatement* counted(const PgStatement& statement);
    /// Deletes what is equal to the row after in this one of the leader's unique keys.
    [[nodiscard]] PgStatement& displace(std::size_t unique_key);
    /// `COPY … FROM STDIN`.
    [[nodiscard]] const std::string& copy() const noexcept { return copy_sql_; }
    /// The form of rows as a PostgreSQL leader's COPY gives them that copy() takes as they are; cells where they have to be looked into.
    [[nodiscard]] RowForm raw_form() const;

    /// The same for many rows at once. Made at the first use.
    [[nodiscard]] PgGroupPlan& group(bool binary);

    /// What the names of the prepared statements begin with.
    [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
    /// The follower's table as statements name it: without the children that inherit from it, which are tables of their own.
    [[nodiscard]] std::string target() const;
    /// Does an update give the row another key?
    [[nodiscard]] bool changes_key(const Change& change) const;

    /// A value that does not fit may have another end than that of the stream.
    [[nodiscard]] bool lenient() const noexcept { return lenient_; }
    /// By which the leader compares `column` in `key`.
    [[nodiscard]] std::string_view collation_of(const UniqueKey& key, std::uint16_t column) const;

    /// The identity columns; of a keyless table every column.
    [[nodiscard]] const ColumnIndexes& match() const noexcept { return match_; }
    /// `id=5, name=x` for messages; for a table without a key only that.
    [[nodiscard]] std::string describe_key(const Change& change) const;

private:
    std::string parameter(PgStatement& statement, std::uint16_t column, PgParameter::Image image) const;
    std::string row_condition(PgStatement& statement) const;
    std::string indexed_condition(PgStatement& statement) const;
    std::string locate(PgStatement& statement) const;
    std::string conflict_condition(PgStatement& statement, const ColumnMask* mask) const;
    std::string same_key(PgStatement& statement, const UniqueKey& key) const;
    PgStatement make_insert() const;
    PgStatement make_remove() const;
    PgStatement make_update(const ColumnMask& mask) const;

    TableSchema leader_;
    PgTarget follower_;
    std::string prefix_;
    std::vector<Column> columns_;
    ColumnIndexes match_;
    bool identity_column_ = false;
    bool copy_finds_conflicts_ = true;
    bool lenient_ = false;
    std::string copy_sql_;
    PgStatement insert_;
    PgStatement remove_;
    PgUpdateStatements updates_;
    std::vector<PgStatement> displaces_;  // one per unique key, made at the first use
    std::deque<std::pair<const PgStatement*, PgStatement>> counted_;  // made at the first use
    PgStatement overflow_;        // for a column mask that updates_ has no room for
    ColumnMask mask_;
    std::unique_ptr<PgGroupPlan> group_;
    std::unique_ptr<PgGroupPlan> binary_group_;
};

/// Why the two do not fit, one line each; empty when they do. Every column of the leader has to be there.
[[nodiscard]] std::vector<std::string> check_target_columns(const TableSchema& leader, const PgTarget& follower);

/// Why values of a PostgreSQL leader's column cannot be written here in their binary form; empty when they can.
[[nodiscard]] std::string binary_obstacle(const ColumnSchema& leader, const PgTargetColumn& follower);

}  // namespace rowferry
