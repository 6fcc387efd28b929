#pragma once

#include <string>
#include <vector>

#include "applier/sqlite/sqlite_table_info.h"
#include "schemas/conversion.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// The statements by which one leader table's changes reach its follower table, as text. Pure.
///
/// Parameters, for a table of N columns: ?1 … ?N are the row before, ?N+1 … ?2N the row after, ?2N+1 a rowid. A statement names only
/// those it needs. "The row" is found by the identity columns; without them (keyless) it is one of those equal in every column.
class SqlitePlanSql {
public:
    SqlitePlanSql(const TableSchema& leader, const FollowerTable& follower);

    [[nodiscard]] bool keyless() const noexcept { return keyless_; }

    [[nodiscard]] std::string insert() const;
    /// `set`: one flag per column; with none set the row is only touched, to see that it is there.
    [[nodiscard]] std::string update(const std::vector<bool>& set) const;
    [[nodiscard]] std::string remove() const;
    [[nodiscard]] std::string remove_all() const;
    /// Removes rows that an after image conflicts with on this unique key; `but_not_the_row`: other than the one about to be updated.
    [[nodiscard]] std::string displace(const FollowerIndex& unique, bool but_not_the_row) const;
    [[nodiscard]] std::string count_rows() const;       ///< 0 or 1: is the row there?
    [[nodiscard]] std::string count_same_rows() const;  ///< The same by the whole image before.

    /// Unique keys of the follower whose conflicts rows can wait for: those over plain columns that the leader has too.
    [[nodiscard]] const std::vector<FollowerIndex>& uniques() const noexcept { return uniques_; }
    /// The follower's unique keys that are also the leader's.
    [[nodiscard]] const std::vector<FollowerIndex>& leader_uniques() const noexcept { return leader_uniques_; }

    // The table of parked rows (see ParkedRows): temp."…", columns p0 … in the leader's order.
    [[nodiscard]] std::string create_parked(const std::string& parked) const;  ///< Several statements.
    [[nodiscard]] std::string park_new(const std::string& parked) const;
    [[nodiscard]] std::string park_row(const std::string& parked) const;
    [[nodiscard]] std::string find_parked(const std::string& parked) const;       ///< rowid of the parked row that is the row.
    [[nodiscard]] std::string find_same_parked(const std::string& parked) const;  ///< The same by the whole image before.
    [[nodiscard]] std::string update_parked(const std::string& parked, const std::vector<bool>& set) const;
    [[nodiscard]] std::string waiting_for(const std::string& parked, const FollowerIndex& unique) const;  ///< rowids waiting for the row's key.
    [[nodiscard]] std::string unpark(const std::string& parked) const;            ///< Inserts parked row ?2N+1.

private:
    [[nodiscard]] std::string before(std::size_t column) const;
    [[nodiscard]] std::string after(std::size_t column) const;
    [[nodiscard]] std::string rowid_parameter() const;
    [[nodiscard]] std::string parked_name(std::size_t column) const;
    [[nodiscard]] std::string key_condition() const;
    [[nodiscard]] std::string same_condition(bool of_parked) const;
    [[nodiscard]] std::string the_row() const;
    [[nodiscard]] std::size_t leader_column(const std::string& follower_column) const;

    std::string table_;                     // quoted, with schema
    std::string rowid_;                     // empty for WITHOUT ROWID
    std::vector<std::string> names_;        // quoted, in the leader's order
    std::vector<std::string> collations_;
    std::vector<Affinity> affinities_;
    std::vector<bool> nullable_;
    ColumnIndexes identity_;
    bool keyless_ = false;
    std::vector<FollowerIndex> uniques_;
    std::vector<FollowerIndex> leader_uniques_;
    std::vector<std::string> folded_;       // follower names, for leader_column()
};

/// The affinity a column really has: in a STRICT table ANY keeps everything.
[[nodiscard]] Affinity follower_affinity(const std::string& type, bool strict);

}  // namespace rowferry
