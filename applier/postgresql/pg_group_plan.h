#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "applier/postgresql/pg_table_plan.h"

namespace rowferry {

/// Statements that write many rows of one table at once: every parameter is an array (see PgArray), one element per row, and the affected
/// rows have to be as many as the arrays are long. Made once per operation and column set and kept; text only, no connection.
///
/// Values travel as text and are cast to the column's type without its modifier, as a parameter of that type would be: an explicit cast
/// with the modifier would cut a value that is too long, the assignment to the column complains. Those of a stream in binary form are of the
/// column's own type.
class PgGroupPlan {
public:
    /// Outlived by `table`.
    PgGroupPlan(const PgTablePlan& table, bool binary);

    /// May changes of the table be merged by key and applied in another order than the leader's? No statement of ours may look at rows but
    /// through the key (triggers and rules would), at most one row may have a key, and a REPLACE of the leader may hit no other key.
    [[nodiscard]] bool merges() const noexcept { return merges_; }
    /// May a run of nothing but inserts be applied at another place between the changes of other tables?
    [[nodiscard]] bool appends() const noexcept { return appends_; }

    [[nodiscard]] PgStatement& remove() { return remove_; }
    [[nodiscard]] PgStatement& insert() { return insert_; }
    /// Writes the columns of `after` that are sent. Null where only a statement of its own can do it: nothing to write, or too many sets of
    /// columns.
    [[nodiscard]] PgStatement* update(std::span<const Cell> after);

private:
    std::string element(PgStatement& statement, std::uint16_t column, PgParameter::Image image) const;
    std::string same_key(PgStatement& statement) const;
    static std::string source(const PgStatement& statement);
    PgStatement make_insert() const;
    PgStatement make_remove() const;
    PgStatement make_update(const ColumnMask& mask) const;
    [[nodiscard]] bool castable() const;
    /// What the names of the prepared statements begin with.
    std::string names() const;

    const PgTablePlan& table_;
    bool binary_;
    bool merges_ = false;
    bool appends_ = false;
    PgStatement insert_;
    PgStatement remove_;
    PgUpdateStatements updates_;
    ColumnMask mask_;
};

}  // namespace rowferry
