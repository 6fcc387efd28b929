#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "applier/sqlite/sqlite_plan_sql.h"
#include "db/sqlite.h"
#include "schemas/arena.h"
#include "schemas/batch.h"
#include "schemas/conversion.h"

namespace rowferry {

/// How one leader table of one shape is applied: conversions resolved once per column, statements prepared once per operation and set of
/// columns. Holds the converted images of one change at a time. Belongs to its database.
class SqliteTablePlan {
public:
    /// Throws RefusedError when the follower's table cannot hold the leader's rows exactly.
    SqliteTablePlan(SqliteDatabase& db, const TableSchema& leader, const FollowerTable& follower);

    [[nodiscard]] const TableSchema& leader() const noexcept { return leader_; }
    [[nodiscard]] const SqlitePlanSql& sql() const noexcept { return sql_; }
    [[nodiscard]] SqliteDatabase& db() const noexcept { return db_; }

    /// Converts the images of a change; converted bytes go to `arena` and stay there as long as the change is worked on. Throws ValueError,
    /// with the column in its text, and HaltError for an image that lacks what it must have.
    void load(const Change& change, Arena& arena);

    // Each runs its statement for the loaded change and returns the number of rows. A duplicate is a SqliteError.
    std::int64_t insert();
    std::int64_t update();
    std::int64_t remove();
    std::int64_t remove_all();
    /// Removes rows that the loaded after image conflicts with on the leader's unique keys.
    std::int64_t displace(Operation operation);
    [[nodiscard]] bool row_exists();
    [[nodiscard]] bool same_row_exists();  ///< Needs full_before().

    /// The image before has a value for every column.
    [[nodiscard]] bool full_before() const noexcept { return full_before_; }
    /// The columns that the loaded update sets.
    [[nodiscard]] const std::vector<bool>& set_columns() const noexcept { return set_; }

    /// Binds the sent cells of the loaded images to the parameters of SqlitePlanSql.
    void bind_before(SqliteStatement& statement) const;
    void bind_after(SqliteStatement& statement) const;
    [[nodiscard]] int rowid_parameter() const noexcept { return static_cast<int>(2 * before_.size() + 1); }

    /// `id=7, kind='a'`: primary key or identity of a change, for messages.
    [[nodiscard]] static std::string describe_row(const Change& change);
    [[nodiscard]] static std::string describe_row(const TableSchema& table, std::span<const Cell> image);

private:
    struct Update {
        std::vector<bool> set;
        SqliteStatement statement;
    };
    struct Displacement {
        SqliteStatement on_insert;
        SqliteStatement on_update;
    };
    void convert_image(std::span<const Cell> image, std::vector<Cell>& converted, Arena& arena);
    void load_identity(const Change& change);
    void choose_columns(const Change& change);
    SqliteStatement& prepared(SqliteStatement& statement, std::string (SqlitePlanSql::*text)() const);
    SqliteStatement& update_statement();
    void bind_identity(SqliteStatement& statement) const;

    SqliteDatabase& db_;
    TableSchema leader_;
    SqlitePlanSql sql_;
    std::vector<Conversion> conversions_;
    std::vector<bool> drops_sign_;  // REAL affinity: a whole number is kept as an integer, which has no -0
    std::vector<Cell> before_;
    std::vector<Cell> after_;
    std::vector<bool> set_;
    bool full_before_ = false;

    SqliteStatement insert_;
    SqliteStatement remove_;
    SqliteStatement remove_all_;
    SqliteStatement count_rows_;
    SqliteStatement count_same_rows_;
    std::vector<Update> updates_;
    std::vector<Displacement> displacements_;
};

/// Why `follower` cannot take the rows of `leader`, or nothing to say. Throws RefusedError with the first reason.
void check_follower_table(const TableSchema& leader, const FollowerTable& follower);

}  // namespace rowferry
