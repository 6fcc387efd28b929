#include "statements/postgresql/function_kinds.h"

#include <algorithm>
#include <array>

#include "schemas/holds.h"

namespace rowferry {
namespace {

constexpr std::array<std::string_view, 7> kClock{"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "pg_postmaster_start_time", "pg_conf_load_time"};
constexpr std::array<std::string_view, 4> kSequence{"nextval", "currval", "lastval", "pg_sequence_last_value"};
constexpr std::array<std::string_view, 6> kChance{"random", "setseed", "gen_random_uuid", "random_normal", "uuidv4", "uuidv7"};
constexpr std::array<std::string_view, 4> kHarmless{"pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_notify"};
// Of the stable ones, which see more than rows and settings of the session.
constexpr std::array<std::string_view, 10> kServer{"current_setting", "current_schema", "current_schemas", "version", "current_user", "session_user", "current_database", "row_security_active",
                                                   "current_query", "getdatabaseencoding"};
constexpr std::array<std::string_view, 5> kServerPrefixes{"pg_", "has_", "inet_", "txid_", "to_reg"};

bool starts_with_any(std::string_view name, const auto& prefixes) {
    return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

FunctionKind function_kind(std::string_view name, char volatility, std::size_t arguments) {
    if (holds(kClock, name) || (name == "age" && arguments == 1 && volatility != 'i')) return FunctionKind::clock;
    if (holds(kSequence, name)) return FunctionKind::sequence;
    if (holds(kChance, name)) return FunctionKind::chance;
    if (name == "set_config") return FunctionKind::setting;
    if (holds(kHarmless, name) || name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_") || name == "setval") return FunctionKind::harmless;
    if (name.starts_with("lo_") || name == "loread" || name == "lowrite") return FunctionKind::objects;
    if (name.find("query_to_xml") != std::string_view::npos || name == "cursor_to_xml" || name.starts_with("table_to_xml") || name.starts_with("schema_to_xml") || name.starts_with("database_to_xml"))
        return FunctionKind::sql;
    if (volatility == 'i' || name == "pg_typeof") return FunctionKind::steady;
    if (volatility == 'v' || holds(kServer, name) || starts_with_any(name, kServerPrefixes)) return FunctionKind::server;
    return FunctionKind::steady;
}

}  // namespace rowferry
