#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "applier/postgresql/pg_table_plan.h"

namespace rowferry {

/// A value of a SQLite leader that its column cannot hold.
struct PgMisfit {
    std::uint16_t column = 0;
    std::string why;  ///< Without the value.
};

/// Does the row have to stay out of the table? Values that become NULL do not count. Throws ValueError, with the column's name in front,
/// for a value that stops the stream.
[[nodiscard]] std::optional<PgMisfit> find_misfit(const PgTablePlan& plan, std::span<const Cell> row);

/// Does a value that does not fit move a row of the table out of the way?
[[nodiscard]] bool quarantines(const TableSchema& leader);

/// Why what the stream asks for mismatches cannot be done with this table, one line each. `existing`: the follower's table, where there is
/// one. `replica_role`: foreign keys stand aside while rows are applied.
[[nodiscard]] std::vector<std::string> check_mismatch_rules(const TableSchema& leader, const PgTarget* existing, bool replica_role);

/// Counts what did not fit and tells the log: the first of each table and column at once, sums at most once a minute after that.
class PgMismatchLog {
public:
    ~PgMismatchLog() { tell(true); }

    /// `outcome`: what became of the value. `where`: key and position, where they are known.
    void note(const PgTablePlan& plan, std::uint16_t column, std::string_view outcome, std::string_view why, std::string_view where = {},
              std::uint64_t count = 1);
    /// Writes the sums that are due.
    void tell(bool now = false) noexcept;

private:
    struct Sum {
        std::uint64_t count = 0;
        std::uint64_t told = 0;
    };
    std::map<std::string, Sum> sums_;  // by table, column and outcome
    std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

inline constexpr std::string_view kMadeNull = "NULL in its place";
inline constexpr std::string_view kQuarantined = "the row is in rowferry.quarantine";

}  // namespace rowferry
