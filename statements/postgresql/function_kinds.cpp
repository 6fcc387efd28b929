#include "statements/postgresql/function_kinds.h"

#include <algorithm>
#include <array>

#include "schemas/holds.h"

namespace rowferry {
namespace {

constexpr std::array<std::string_view, 7> kClock{"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "pg_postmaster_start_time", "pg_conf_load_time"};
constexpr std::array<std::string_view, 4> kSequence{"nextval", "currval", "lastval", "pg_sequence_last_value"};
constexpr std::array<std::string_view, 6> kChance{"random", "setseed", "gen_random_uuid", "random_normal", "uuidv4", "uuidv7"};
constexpr std::array<std::string_view, 9> kHarmless{"pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_notify", "setval", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock",
                                                    "pg_advisory_xact_lock_shared"};
// Of the stable ones. All others see more than their arguments, rows and a TimeZone.
constexpr std::array<std::string_view, 14> kText{"concat", "concat_ws", "format", "to_json", "to_jsonb", "json_build_object", "json_build_array", "jsonb_build_object", "jsonb_build_array", "row_to_json",
                                                 "array_to_json", "array_to_string", "quote_literal", "quote_nullable"};
constexpr std::array<std::string_view, 9> kZone{"date_trunc", "date_part", "extract", "timezone", "make_timestamptz", "generate_series", "age", "date", "date_bin"};
constexpr std::array<std::string_view, 8> kSums{"sum", "avg", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"};
constexpr std::array<std::string_view, 7> kWholes{"count", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"};
// What server-side tools bring along to look at the server.
constexpr std::array<std::string_view, 14> kHarmlessExtensions{"pg_stat_statements", "pg_buffercache", "pgstattuple", "pageinspect", "pg_freespacemap", "pg_visibility", "pgrowlocks", "pg_prewarm", "pg_walinspect",
                                                               "uuid-ossp", "pgcrypto", "pg_trgm", "pg_wait_sampling", "amcheck"};

}  // namespace

FunctionKind function_kind(std::string_view name, char volatility, std::size_t arguments, char kind) {
    if (kind == 'a') {
        if (holds(kWholes, name)) return FunctionKind::steady;
        if (name == "min" || name == "max") return FunctionKind::choice;
        return holds(kSums, name) ? FunctionKind::sum : FunctionKind::order;
    }
    if (holds(kClock, name) || (name == "age" && arguments == 1 && volatility != 'i')) return FunctionKind::clock;
    if (holds(kSequence, name)) return FunctionKind::sequence;
    if (holds(kChance, name)) return FunctionKind::chance;
    if (name == "set_config") return FunctionKind::setting;
    if (holds(kHarmless, name)) return FunctionKind::harmless;
    if (name.starts_with("lo_") || name == "loread" || name == "lowrite") return FunctionKind::objects;
    if (name.find("query_to_xml") != std::string_view::npos || name == "cursor_to_xml" || name.starts_with("table_to_xml") || name.starts_with("schema_to_xml") || name.starts_with("database_to_xml") ||
        name.starts_with("cursor_to_xml") || name == "ts_stat" || (name == "ts_rewrite" && arguments == 2))
        return FunctionKind::sql;
    if (volatility == 'i') return FunctionKind::steady;
    if (volatility == 's' && holds(kText, name)) return FunctionKind::text;
    if (volatility == 's' && holds(kZone, name)) return FunctionKind::zone;
    return FunctionKind::server;
}

bool is_harmless_extension(std::string_view name) { return holds(kHarmlessExtensions, name); }

}  // namespace rowferry
