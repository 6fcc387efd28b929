#pragma once

#include <optional>
#include <string>
#include <vector>

#include "applier/postgresql/pg_query.h"
#include "applier/postgresql/pg_target.h"
#include "schemas/batch.h"
#include "schemas/follower.h"
#include "schemas/shape_diff.h"

namespace rowferry {

/// Brings a follower's table from one shape of the leader's to the next, or says what a person has to do. Works on what the follower's catalog
/// says now, so that steps which somebody has done already are left alone.
class PgShapeChange {
public:
    struct Context {
        PgRun run;      ///< The sink's link, inside its transaction.
        PgRun control;  ///< Another session, in autocommit: a label that was added to an enum serves other transactions only.
        DdlMode mode = DdlMode::stop;
        std::string place;     ///< `stream s, table t, transaction at …`, for messages.
        bool touched = false;  ///< The same transaction has changed rows of the table before, in the old shape.
    };
    PgShapeChange(const ShapeChange& change, Context context);

    /// The follower's table afterwards; nothing when it is gone with the leader's. Throws HaltError.
    [[nodiscard]] std::optional<PgTarget> follow();

    /// Writes the new shape into the stream's table state, in the same transaction.
    static void store(const PgRun& run, const std::string& stream, const ShapeChange& change);

private:
    void drop_table();
    void take(const ShapeStep& step);
    void attempt(const std::vector<std::string>& statements, const std::string& what);
    void needs(std::vector<std::string> statements);
    [[nodiscard]] bool is_done(const ShapeStep& step);
    [[nodiscard]] bool is_added_again(const ShapeStep& step);
    [[nodiscard]] bool has_old_values(const ShapeStep& step, const PgTargetColumn& column);
    [[nodiscard]] bool label_is_done(const ShapeStep& step);
    [[nodiscard]] std::string type_for(const ShapeStep& step);
    [[nodiscard]] TableName altered_table(const ShapeStep& step);
    [[nodiscard]] std::vector<std::string> own_domain_for(const std::string& type);
    [[nodiscard]] std::vector<std::string> statements_for(const ShapeStep& step);
    [[nodiscard]] const PgTargetColumn* target_column(const ShapeStep& step) const;
    void read_target();
    [[noreturn]] void halt(const std::string& why) const;
    void stop_if_needed() const;

    const ShapeChange& change_;
    Context context_;
    const TableSchema& before_;
    ShapeDiff diff_;
    TableName name_;       ///< What statements call the table from here on.
    std::optional<PgTarget> target_;
    std::vector<std::string> to_run_;  ///< DdlMode::stop: what is missing.
    bool only_adds_ = true;            ///< All of to_run_ leaves the table fit for rows of the old shape.
};

}  // namespace rowferry
