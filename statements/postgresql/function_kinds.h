#pragma once

#include <cstddef>
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
    text,       ///< As steady as the text form of its arguments: concat(), to_jsonb().
    zone,       ///< Depends on TimeZone where its arguments do: date_trunc().
    sum,        ///< An aggregate, steady but for floating-point numbers.
    choice,     ///< An aggregate that takes one of the equal values: min().
    order,      ///< An aggregate whose result depends on the order of the rows: array_agg().
};

/// `volatility` and `kind` as in pg_proc. What is stable and not known here is `server`.
[[nodiscard]] FunctionKind function_kind(std::string_view name, char volatility, std::size_t arguments, char kind = 'f');

/// Extensions whose functions change no rows, whatever they say of themselves.
[[nodiscard]] bool is_harmless_extension(std::string_view name);

}  // namespace rowferry
