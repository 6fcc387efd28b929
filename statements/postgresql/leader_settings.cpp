#include "statements/postgresql/leader_settings.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kLogging =
    "'log_line_prefix', 'log_statement', 'log_min_duration_statement', 'log_parameter_max_length', 'log_min_messages', 'log_min_error_statement', 'log_error_verbosity', 'log_statement_sample_rate', "
    "'log_transaction_sample_rate', 'log_min_duration_sample', 'lc_messages', 'default_transaction_isolation', 'standard_conforming_strings', 'session_replication_role', 'array_nulls', 'backslash_quote', "
    "'server_encoding'";

/// A value as ALTER DATABASE … SET takes it: a list of schemas is one already.
std::string as_ddl(const std::string& name, const std::string& value) {
    if (name == "search_path") return value.empty() ? "''" : value;
    return quote_literal(value);
}

bool ends_with_any(const std::string& path, std::initializer_list<std::string_view> endings) {
    return std::ranges::any_of(endings, [&](std::string_view ending) { return path.ends_with(ending); });
}

bool has_columns(const LogSettings& settings) {
    return std::ranges::all_of(settings.paths, [](const std::string& path) { return ends_with_any(path, {".csv", ".csv*", ".json", ".json*", ".csv.gz", ".json.gz", ".csv.bz2", ".json.bz2"}); });
}

/// What the sessions of any role begin with that has nothing of its own.
std::map<std::string, std::string> defaults_of(PgSession& leader, const std::string& names) {
    // What this session has set itself, and so what is shown as its settings' source, is out of the way for a moment.
    PgTransaction transaction{leader, "BEGIN; RESET ALL"};
    const PgRows rows = leader.query(fmt::format("select name, setting, source from pg_catalog.pg_settings where name in ({})", names));
    std::map<std::string, std::string> is;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::string source = rows.text(row, 2);
        if (source == "user" || source == "database user" || source == "client")
            throw RefusedError{fmt::format("{} is set for rowferry's own role or connection on the leader, so that what other sessions begin with cannot be told: ALTER ROLE … RESET {}, or take it out of "
                                           "PGOPTIONS and the URL",
                                           rows.text(row, 0), rows.text(row, 0))};
        is[rows.text(row, 0)] = rows.text(row, 1);
    }
    return is;
}

/// What is set for single roles and not for all would make some sessions' logs something else than they are taken for.
void check_roles(PgSession& leader) {
    const PgRows rows = leader.query(fmt::format(
        "select r.rolname, pg_catalog.lower(c.name), c.value from pg_catalog.pg_db_role_setting s join pg_catalog.pg_roles r on r.oid = s.setrole left join pg_catalog.pg_database d on d.oid = s.setdatabase "
        "cross join lateral (select split_part(t.text, '=', 1), substr(t.text, strpos(t.text, '=') + 1) from unnest(s.setconfig) t(text)) c(name, value) "
        "where (s.setdatabase = 0 or d.datname = current_database()) and pg_catalog.lower(c.name) in ({}) order by 1, 2",
        kLogging));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::string name = rows.text(row, 1);
        const std::string value = rows.text(row, 2);
        const bool same = (name == "log_statement" && value == "all") || (name == "log_min_duration_statement" && value == "0") || (name == "log_parameter_max_length" && value == "-1") ||
                          (name == "standard_conforming_strings" && value == "on");
        if (!same)
            throw RefusedError{fmt::format("role {} has its own {} on the leader: what its statements are, or mean, cannot be told from the log. ALTER ROLE … RESET {}", printable(rows.text(row, 0), 64), name, name)};
    }
}

}  // namespace

LogSettings settings_of_leader(PgSession& leader, const std::vector<std::string>& paths) {
    const std::int64_t now = leader.query("select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint").integer(0, 0);
    auto is = defaults_of(leader, kLogging);
    check_roles(leader);
    if (is["server_encoding"] != "UTF8") throw RefusedError{fmt::format("the leader's database is encoded in {}: its log can be read where that is UTF8", is["server_encoding"])};
    if (is["log_statement"] != "all" && is["log_min_duration_statement"] != "0")
        throw RefusedError{fmt::format("log_statement is {} and log_min_duration_statement {} on the leader: the log does not have every statement. It needs log_statement = all, or "
                                       "log_min_duration_statement = 0",
                                       is["log_statement"], is["log_min_duration_statement"])};
    if (is["standard_conforming_strings"] != "on" || is["array_nulls"] != "on" || is["session_replication_role"] != "origin")
        throw RefusedError{"standard_conforming_strings and array_nulls have to be on and session_replication_role origin on the leader: else its statements do not mean what they say"};
    LogSettings settings;
    settings.paths = paths;
    settings.read_at = now;
    settings.line_prefix = is["log_line_prefix"];
    settings.complete = true;
    settings.whole_parameters = is["log_parameter_max_length"] == "-1";
    settings.default_isolation = is["default_transaction_isolation"];
    settings.database = leader.query("select current_database()").text(0, 0);
    return settings;
}

void check_shows_xids(const LogSettings& settings) {
    const std::string prefix = settings.line_prefix.value_or("");
    if (has_columns(settings) || prefix.find("%x") != std::string::npos) return;
    throw RefusedError{fmt::format("log_line_prefix ({}) has no %x on the leader, so the log cannot be held against the copy that is made of it: add %x, use csvlog or jsonlog, or give the state before "
                                   "the log with --log-start",
                                   printable(prefix, 80))};
}

void check_shows_users(const LogSettings& settings, const std::map<std::string, Settings>& roles) {
    if (roles.empty() || has_columns(settings) || settings.line_prefix.value_or("").find("%u") != std::string::npos) return;
    throw RefusedError{fmt::format("role {} has settings of its own on the leader ({}), and log_line_prefix has no %u that says whose statements are whose: add %u, or ALTER ROLE … RESET them",
                                   printable(roles.begin()->first, 64), printable(roles.begin()->second.front().first, 64))};
}

const std::string& meaningful_settings() {
    static const std::string names =
        "'search_path', 'TimeZone', 'timezone_abbreviations', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'xmloption', 'xmlbinary', 'default_text_search_config', "
        "'transform_null_equals', 'lc_monetary', 'lc_numeric', 'lc_time'";
    return names;
}

Settings session_defaults(PgSession& leader) {
    Settings result;
    for (const auto& [name, value] : defaults_of(leader, meaningful_settings())) result.emplace_back(name, as_ddl(name, value));
    // Those with a name of somebody's own are in no view but this one.
    const PgRows own = leader.query(
        "select distinct on (pg_catalog.lower(c.name)) c.name, c.value from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_database d on d.oid = s.setdatabase "
        "cross join lateral (select split_part(t.text, '=', 1), substr(t.text, strpos(t.text, '=') + 1) from unnest(s.setconfig) t(text)) c(name, value) "
        "where s.setrole = 0 and (s.setdatabase = 0 or d.datname = current_database()) and strpos(c.name, '.') > 0 order by pg_catalog.lower(c.name), s.setdatabase = 0");
    for (std::size_t row = 0; row < own.size(); ++row) result.emplace_back(own.text(row, 0), quote_literal(own.text(row, 1)));
    return result;
}

Settings logging_settings(PgSession& leader) {
    Settings result;
    for (const auto& [name, value] : defaults_of(leader, kLogging)) result.emplace_back(name, value);
    const PgRows own = leader.query(fmt::format(
        "select r.rolname || ':' || pg_catalog.lower(c.name), c.value from pg_catalog.pg_db_role_setting s join pg_catalog.pg_roles r on r.oid = s.setrole left join pg_catalog.pg_database d on d.oid = s.setdatabase "
        "cross join lateral (select split_part(t.text, '=', 1), substr(t.text, strpos(t.text, '=') + 1) from unnest(s.setconfig) t(text)) c(name, value) "
        "where (s.setdatabase = 0 or d.datname = current_database()) and pg_catalog.lower(c.name) in ({}) order by 1, 2",
        kLogging));
    for (std::size_t row = 0; row < own.size(); ++row) result.emplace_back(own.text(row, 0), own.text(row, 1));
    return result;
}

void check_has_no_subscription(PgSession& leader) {
    // Everybody may read this of it: only subconninfo is for superusers.
    const PgRows rows = leader.query(
        "select s.subname from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid where d.datname = current_database() and s.subenabled order by 1 limit 1");
    if (rows.empty()) return;
    throw RefusedError{fmt::format("the leader has a subscription ({}) that writes to it: its rows come from elsewhere, and no statement of its log has them. Capture by logical decoding or triggers, or "
                                   "ALTER SUBSCRIPTION … DISABLE",
                                   printable(rows.text(0, 0), 64))};
}

std::map<std::string, Settings> role_defaults(PgSession& leader) {
    // What is set for a role in one database goes before what is set for it in all.
    const PgRows rows = leader.query(fmt::format(
        "select distinct on (r.rolname, pg_catalog.lower(c.name)) r.rolname, c.name, c.value from pg_catalog.pg_db_role_setting s join pg_catalog.pg_roles r on r.oid = s.setrole "
        "left join pg_catalog.pg_database d on d.oid = s.setdatabase cross join lateral (select split_part(t.text, '=', 1), substr(t.text, strpos(t.text, '=') + 1) from unnest(s.setconfig) t(text)) c(name, value) "
        "where (s.setdatabase = 0 or d.datname = current_database()) and (pg_catalog.lower(c.name) in (select pg_catalog.lower(n) from unnest(array[{}]) n) or strpos(c.name, '.') > 0) "
        "order by 1, pg_catalog.lower(c.name), s.setdatabase = 0",
        meaningful_settings()));
    std::map<std::string, Settings> result;
    for (std::size_t row = 0; row < rows.size(); ++row) result[rows.text(row, 0)].emplace_back(rows.text(row, 1), as_ddl(rows.text(row, 1), rows.text(row, 2)));
    return result;
}

namespace {

/// How a database sorts and compares, a line for each part of it. `versions` are those of the libraries as they are now, not as they were when the database was made.
std::vector<std::pair<std::string, std::string>> likeness(PgSession& session) {
    const std::string locale = session.server_version() >= 170000 ? "datlocale" : "daticulocale";
    const std::string rules = session.server_version() >= 160000 ? "daticurules" : "null";
    const PgRows rows = session.query(fmt::format(
        "select (current_setting('server_version_num')::int / 10000)::text, pg_catalog.pg_encoding_to_char(encoding), datlocprovider::text, datcollate, datctype, coalesce({}, ''), coalesce({}, ''), "
        "coalesce(pg_catalog.pg_database_collation_actual_version(oid), ''), coalesce((select pg_catalog.pg_collation_actual_version(c.oid) from pg_catalog.pg_collation c where c.collname = 'und-x-icu' "
        "and c.collnamespace = 'pg_catalog'::regnamespace), ''), "
        "coalesce((select max(pg_catalog.pg_collation_actual_version(c.oid)) from pg_catalog.pg_collation c where c.collprovider = 'c' and c.collnamespace = 'pg_catalog'::regnamespace "
        "and c.collcollate not in ('C', 'POSIX')), '') from pg_catalog.pg_database where datname = current_database()",
        locale, rules));
    constexpr std::array kParts{"PostgreSQL's major version", "the encoding",     "the locale provider",          "LC_COLLATE",     "LC_CTYPE", "the ICU locale", "the ICU rules",
                                "the collation's version",    "the version of ICU", "the version of the C library's collations"};
    std::vector<std::pair<std::string, std::string>> parts;
    for (std::size_t i = 0; i < kParts.size(); ++i) parts.emplace_back(kParts[i], rows.text(0, i));
    return parts;
}

}  // namespace

void check_is_alike(PgSession& leader, PgSession& scratch) {
    const auto there = likeness(leader);
    const auto here = likeness(scratch);
    for (std::size_t i = 0; i < there.size(); ++i)
        // A library that only one of them was built with is missed where it is used: pg_dump's copy fails then.
        if (there[i].second != here[i].second && !((there[i].first == "the version of ICU" || there[i].first.starts_with("the version of the C")) && (there[i].second.empty() || here[i].second.empty())))
            throw RefusedError{fmt::format("{} is {} on the leader and {} on the scratch: statements would compare, sort or print otherwise there. Make the scratch on a server like the leader's, with "
                                           "CREATE DATABASE … TEMPLATE template0 and the leader's locale",
                                           there[i].first, printable(there[i].second.empty() ? "none" : there[i].second, 64), printable(here[i].second.empty() ? "none" : here[i].second, 64))};
}

void check_same_extensions(PgSession& leader, PgSession& scratch) {
    const char* const list = "select extname, extversion from pg_catalog.pg_extension order by extname";
    const PgRows there = leader.query(list);
    const PgRows here = scratch.query(list);
    std::map<std::string, std::string> versions;
    for (std::size_t row = 0; row < here.size(); ++row) versions[here.text(row, 0)] = here.text(row, 1);
    for (std::size_t row = 0; row < there.size(); ++row)
        if (const std::string version = versions[there.text(row, 0)]; version != there.text(row, 1))
            throw RefusedError{fmt::format("the extension {} has version {} on the leader and {} on the scratch: install the same one there", printable(there.text(row, 0), 64), printable(there.text(row, 1), 32),
                                           version.empty() ? "none" : printable(version, 32))};
}

}  // namespace rowferry
