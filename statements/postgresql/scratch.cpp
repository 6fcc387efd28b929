#include "statements/postgresql/scratch.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;

constexpr const char* kMakeOwn =
    "CREATE TABLE rowferry_log.state (one boolean PRIMARY KEY DEFAULT true CHECK (one), id text NOT NULL, filled boolean NOT NULL, facts jsonb NOT NULL, "
    "major numeric(20) NOT NULL, minor numeric(20) NOT NULL, log_resume text NOT NULL, unsettled text[] NOT NULL, tainted jsonb NOT NULL);"
    "CREATE TABLE rowferry_log.transaction_marker (place integer PRIMARY KEY, phase text NOT NULL, major numeric(20) NOT NULL, minor numeric(20) NOT NULL, before_major numeric(20) NOT NULL, "
    "before_minor numeric(20) NOT NULL, committed bigint NOT NULL, xid bigint NOT NULL);"
    "INSERT INTO rowferry_log.transaction_marker VALUES (1, 'end', 0, 0, 0, 0, 0, 0)";

std::string facts_of(const ScratchState& state) {
    Json open = Json::array();
    for (const OpenSession& session : state.marker.open) open.push_back(Json{{"pid", session.pid}, {"since_us", session.since_us}});
    Json roles = Json::object();
    for (const auto& [role, settings] : state.role_settings) roles[role] = settings;
    return Json{{"stream", state.stream},
                {"follower_id", state.follower_id},
                {"leader", to_string(state.leader)},
                {"marker",
                 {{"begin", state.marker.begin},
                  {"open_at_begin", state.marker.open_at_begin},
                  {"open_transactions", state.marker.open_transactions},
                  {"present", state.marker.present},
                  {"settled_us", state.marker.settled_us},
                  {"end", state.marker.end},
                  {"snapshot", state.marker.snapshot},
                  {"open", open},
                  {"path", state.marker.path},
                  {"offset", state.marker.offset},
                  {"time_us", state.marker.time_us}}},
                {"role_settings", roles},
                {"session_settings", state.session_settings},
                {"logging", state.logging}}
        .dump();
}

void read_facts(const std::string& text, ScratchState& state) {
    const Json facts = Json::parse(text);
    state.stream = facts.at("stream").get<std::string>();
    state.follower_id = facts.at("follower_id").get<std::string>();
    state.leader = parse_identity(facts.at("leader").get<std::string>());
    const Json& marker = facts.at("marker");
    state.marker.begin = marker.at("begin").get<std::string>();
    state.marker.open_at_begin = marker.at("open_at_begin").get<std::vector<std::uint32_t>>();
    state.marker.open_transactions = marker.at("open_transactions").get<std::map<std::uint32_t, std::string>>();
    state.marker.present = marker.at("present").get<std::vector<std::uint32_t>>();
    state.marker.settled_us = marker.at("settled_us").get<std::int64_t>();
    state.marker.end = marker.at("end").get<std::string>();
    state.marker.path = marker.at("path").get<std::string>();
    state.marker.offset = marker.at("offset").get<std::uint64_t>();
    state.marker.time_us = marker.at("time_us").get<std::int64_t>();
    state.marker.snapshot = marker.at("snapshot").get<std::string>();
    for (const Json& open : marker.at("open")) state.marker.open.push_back({open.at("pid").get<std::uint32_t>(), open.at("since_us").get<std::int64_t>()});
    state.session_settings = facts.at("session_settings").get<std::vector<std::pair<std::string, std::string>>>();
    state.logging = facts.at("logging").get<std::vector<std::pair<std::string, std::string>>>();
    for (const auto& [role, settings] : facts.at("role_settings").items())
        state.role_settings[role] = settings.get<std::vector<std::pair<std::string, std::string>>>();
}

std::uint64_t number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) throw HaltError{"the scratch's own state is damaged"};
    return value;
}

}  // namespace

PgScratch::PgScratch(PgConninfo conninfo, const std::string& application) : conninfo_{std::move(conninfo)}, application_{application + "_scratch"} {}

PgSession& PgScratch::session() {
    if (!session_) session_ = std::make_unique<PgSession>(conninfo_, PgRole::follower, application_);
    return *session_;
}

std::optional<ScratchState> PgScratch::state() {
    if (session().query("select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'rowferry_log' and c.relname = 'state'").empty()) return std::nullopt;
    const PgRows rows = session().query("select id, filled, facts::text, major::text, minor::text, log_resume, pg_catalog.to_json(unsettled)::text, tainted::text from rowferry_log.state");
    if (rows.empty()) return std::nullopt;
    ScratchState state;
    try {
        state.id = rows.text(0, 0);
        state.filled = rows.boolean(0, 1);
        read_facts(rows.text(0, 2), state);
        state.position = {number(rows.text(0, 3)), number(rows.text(0, 4))};
        state.log_resume = rows.text(0, 5);
        state.unsettled = Json::parse(rows.text(0, 6)).get<std::set<std::string>>();
        for (const Json& table : Json::parse(rows.text(0, 7))) state.tainted.insert({table.at(0).get<std::string>(), table.at(1).get<std::string>()});
    } catch (const Json::exception&) {
        throw HaltError{"the scratch's own state (rowferry_log.state) is damaged"};
    }
    return state;
}

void PgScratch::check_usable(const std::string& stream) {
    if (session().server_version() < 150000) throw RefusedError{fmt::format("the scratch runs PostgreSQL {}: 15 or later is needed", session().server_version() / 10000)};
    const auto there = state();
    if (there) {
        if (there->stream != stream || there->filled)
            throw RefusedError{fmt::format("the scratch {} holds stream {} already: `rowferry drop` that one (with --scratch), or use another database", conninfo_.describe(), printable(there->stream, 40))};
        return;
    }
    const PgRows objects = session().query(
        "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' order by 1, 2 limit 1");
    if (!objects.empty())
        throw RefusedError{fmt::format("the scratch {} is not empty ({} is there): it has to be a database of its own, which rowferry fills", conninfo_.describe(),
                                       to_string(TableName{objects.text(0, 0), objects.text(0, 1)}))};
    const PgRows rights = session().query("select pg_catalog.pg_has_role(d.datdba, 'USAGE') from pg_catalog.pg_database d where d.datname = current_database()");
    if (!rights.boolean(0, 0)) throw RefusedError{fmt::format("the scratch {} belongs to another role: it has to be the role's own", conninfo_.describe())};
}

/// Schema by schema: what they hold goes with them.
void PgScratch::wipe() {
    const PgRows schemas = session().query("select nspname from pg_catalog.pg_namespace where nspname not in ('pg_catalog', 'information_schema', 'rowferry_log') and nspname !~ '^pg_(toast|temp)'");
    session().query("SET client_min_messages = error");
    const PgRows triggers = session().query("select evtname from pg_catalog.pg_event_trigger");
    for (std::size_t row = 0; row < triggers.size(); ++row) session().query("DROP EVENT TRIGGER " + quote_identifier(triggers.text(row, 0)) + " CASCADE");
    for (std::size_t row = 0; row < schemas.size(); ++row) session().query("DROP SCHEMA " + quote_identifier(schemas.text(row, 0)) + " CASCADE");
    const PgRows extensions = session().query("select extname from pg_catalog.pg_extension where extname <> 'plpgsql'");
    for (std::size_t row = 0; row < extensions.size(); ++row) session().query("DROP EXTENSION IF EXISTS " + quote_identifier(extensions.text(row, 0)) + " CASCADE");
    // Ours goes last: while it is there, the rest is known as ours.
    session().query("DROP SCHEMA IF EXISTS rowferry_log CASCADE; CREATE SCHEMA public; RESET client_min_messages");
    const std::string database = quote_identifier(session().query("select current_database()").text(0, 0));
    session().query("ALTER DATABASE " + database + " RESET ALL");
}

void PgScratch::claim(const ScratchState& state) {
    if (this->state()) wipe();
    PgTransaction transaction{session()};
    session().query("CREATE SCHEMA rowferry_log");
    session().query(kMakeOwn);
    session().query("INSERT INTO rowferry_log.state (id, filled, facts, major, minor, log_resume, unsettled, tainted) VALUES ($1, false, $2::jsonb, 0, 0, '', '{}', '[]')", {state.id, facts_of(state)});
    transaction.commit();
}

void PgScratch::finish_filling(const ScratchState& state) {
    PgTransaction transaction{session(), "BEGIN; SET LOCAL client_min_messages = error"};
    // Of another stream of the leader, or of its own checkpoint: nothing of it is wanted here.
    session().query("DROP SCHEMA IF EXISTS rowferry CASCADE");
    const std::string database = quote_identifier(session().query("select current_database()").text(0, 0));
    for (const auto& [name, value] : state.session_settings) session().query(fmt::format("ALTER DATABASE {} SET {} TO {}", database, quote_identifier(name), value));
    session().query("UPDATE rowferry_log.state SET filled = true, facts = $1::jsonb", {facts_of(state)});
    transaction.commit();
}

void PgScratch::save_marker(const ScratchState& state) { session().query("UPDATE rowferry_log.state SET facts = $1::jsonb", {facts_of(state)}); }

bool PgScratch::lock() { return session().query("select pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('rowferry_log', 0))").boolean(0, 0); }

std::vector<std::string> PgScratch::remove() {
    if (!state()) return {};
    wipe();
    return {fmt::format("everything in the scratch {}", conninfo_.describe())};
}

}  // namespace rowferry
