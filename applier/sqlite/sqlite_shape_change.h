#pragma once

#include <optional>
#include <string>
#include <vector>

#include "applier/sqlite/sqlite_table_info.h"
#include "db/sqlite.h"
#include "schemas/batch.h"
#include "schemas/follower.h"
#include "schemas/shape_diff.h"

namespace rowferry {

/// Brings a follower's table from one shape of the leader's to the next, or says what a person has to do; inside the sink's transaction. Works
/// on what the file holds now, so that steps which somebody has done already are left alone. Errors have no place in them: the sink adds it.
class SqliteShapeChange {
public:
    /// `touched`: the same transaction has changed rows of the table before, in the old shape.
    SqliteShapeChange(SqliteDatabase& db, const ShapeChange& change, DdlMode mode, bool touched);

    /// The follower's table afterwards; nothing when it is gone with the leader's. Throws HaltError, RefusedError.
    [[nodiscard]] std::optional<FollowerTable> follow();

private:
    void drop_table();
    void take(const ShapeStep& step);
    void drop_indexes(const std::string& column);
    [[nodiscard]] bool is_done(const ShapeStep& step);
    [[nodiscard]] bool is_added_again(const ShapeStep& step);
    [[nodiscard]] bool column_is_done(const ShapeStep& step);
    [[nodiscard]] bool has_old_values(const ShapeStep& step, const FollowerColumn& column);
    [[nodiscard]] bool label_is_done(const ShapeStep& step);
    void check_type(const ShapeStep& step);
    [[nodiscard]] std::string old_literal(const ShapeStep& step, const std::string& declared);
    void read_follower();
    void stop_if_needed() const;
    [[noreturn]] void halt(const std::string& why) const;
    [[noreturn]] void offer_copy(const std::string& why) const;

    SqliteDatabase& db_;
    const ShapeChange& change_;
    const TableSchema& before_;
    DdlMode mode_;
    bool touched_;
    ShapeDiff diff_;
    std::string name_;  ///< What statements call the table from here on.
    std::optional<FollowerTable> follower_;
    std::vector<std::string> to_run_;  ///< DdlMode::stop: what is missing.
    bool only_adds_ = true;            ///< All of to_run_ leaves the table fit for rows of the old shape.
};

}  // namespace rowferry
