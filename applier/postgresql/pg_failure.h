#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "applier/postgresql/pg_table_plan.h"
#include "schemas/position.h"

namespace rowferry {

/// What the server said about a failed statement, without DETAIL (it may hold row values).
struct PgDiagnosis {
    std::string sqlstate;  ///< Empty: the connection is gone.
    std::string message;
    std::string column;  ///< Where the server names one.
    std::string constraint;
    std::optional<std::size_t> parameter;  ///< 0-based, from the context.
    std::optional<std::uint64_t> line;     ///< 1-based line of a COPY, from the context.
};
/// `relation`: whose COPY it was, to find the line in the context whatever the server's language.
[[nodiscard]] PgDiagnosis diagnose(const PGresult* result, PGconn* connection, std::string_view relation = {});

/// Where in the stream a change is: known exactly once its commit has been seen.
struct PgPlace {
    PositionKind kind = PositionKind::lsn;
    std::optional<Position> commit;  ///< Of its transaction.
    Position after;                  ///< Before its transaction.
};
[[nodiscard]] std::string to_string(const PgPlace& place);

/// Throws what a refused change means: PgError where it may be tried again, else HaltError with table, key, column, position and a hint.
[[noreturn]] void fail_change(const PgTablePlan& plan, const Change& change, const PgStatement* statement, const PgDiagnosis& diagnosis,
                              const PgPlace& place);

/// Throws for a change that affected `rows` rows instead of one.
[[noreturn]] void fail_count(const PgTablePlan& plan, const Change& change, std::uint64_t rows, const PgPlace& place);

/// Throws for something in the change itself, such as a value that does not fit: `why` names the column.
[[noreturn]] void fail_value(const PgTablePlan& plan, const Change& change, std::string_view why, const PgPlace& place);

}  // namespace rowferry
