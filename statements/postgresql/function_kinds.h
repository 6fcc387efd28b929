#pragma once

#include <string_view>

namespace rowferry {

/// What calling one of PostgreSQL's own functions means for a statement that is run a second time, elsewhere and later.
enum class FunctionKind {
    steady,     ///< The same result for the same arguments, rows and settings.
    harmless,   ///< Another result perhaps, none that anybody stores: pg_sleep().
    clock,
    chance,     ///< random(), gen_random_uuid().
    sequence,   ///< nextval(), currval(), lastval().
    setting,    ///< set_config().
    objects,    ///< Large objects: no row of a table.
    sql,        ///< Runs its argument: query_to_xml().
    server,     ///< Who asks, where, and what else goes on.
};

/// `volatility` as in pg_proc.
[[nodiscard]] FunctionKind function_kind(std::string_view name, char volatility, std::size_t arguments);

}  // namespace rowferry
