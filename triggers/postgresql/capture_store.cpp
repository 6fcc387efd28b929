#include "triggers/postgresql/capture_store.h"

#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/error.h"
#include "triggers/postgresql/capture_sql.h"

namespace rowferry::pg_capture {
namespace {


std::optional<Tick> first_tick(const PgRows& rows) {
    if (rows.empty()) return std::nullopt;
    return Tick{static_cast<std::uint64_t>(rows.integer(0, 0)), rows.text(0, 1), rows.text(0, 2), rows.integer(0, 3)};
}

}  // namespace

std::string oid_array(const std::vector<std::uint32_t>& oids) { return fmt::format("{{{}}}", fmt::join(oids, ",")); }

bool is_installed(PgSession& session) {
    // Not to_regclass(), which is an error for a role that may not look into the schema: then it is another role's, whose streams are none of ours.
    if (session
            .query("select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'rowferry' and c.relname = 'capture_slot' "
                   "and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT')")
            .empty())
        return false;
    const std::int64_t layout = session.query("select layout from rowferry.capture_slot").integer(0, 0);
    if (layout != kLayout)
        throw HaltError{fmt::format("the capture objects on the leader have layout {}, this rowferry knows {}: use the rowferry that made them, or drop every stream with it first", layout, kLayout)};
    return true;
}

std::optional<StreamRow> read_stream(PgSession& session, const std::string& stream) {
    if (!is_installed(session)) return std::nullopt;
    const PgRows rows = session.query(
        "select follower_id, acked, extract(epoch from pg_catalog.clock_timestamp() - acked_at)::bigint from rowferry.capture_stream where stream = $1", {stream});
    if (rows.empty()) return std::nullopt;
    return StreamRow{rows.text(0, 0), static_cast<std::uint64_t>(rows.integer(0, 1)), rows.integer(0, 2)};
}

std::vector<std::string> read_streams(PgSession& session) {
    std::vector<std::string> streams;
    if (!is_installed(session)) return streams;
    for (const auto& row : session.query("select stream from rowferry.capture_stream order by stream")) streams.push_back(row.at(0).value());
    return streams;
}

std::map<std::uint32_t, Member> read_members(PgSession& session, const std::string& stream) {
    std::map<std::uint32_t, Member> members;
    const PgRows rows = session.query("select rel, triggers, layout from rowferry.capture_member where stream = $1", {stream});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        Member& member = members[to_oid(rows.text(row, 0))];
        member.triggers = rows.text(row, 1);
        std::istringstream numbers{rows.text(row, 2)};
        for (int number = 0; numbers >> number;) member.layout.push_back(number);
    }
    return members;
}

std::map<std::uint32_t, std::string> read_triggers(PgSession& session, const std::vector<std::uint32_t>& oids) {
    std::map<std::uint32_t, std::string> triggers;
    for (const std::uint32_t oid : oids) triggers[oid] = {};
    const PgRows rows = session.query(
        "select t.tgrelid, case when count(*) = 4 and bool_and(t.tgenabled = 'A' and n.nspname = 'rowferry' and starts_with(p.proname, 'capture_')) "
        "then string_agg(t.oid || ':' || t.xmin::text || ':' || (t.tgtype & 1), ' ' order by t.tgname) else '' end "
        "from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
        "where t.tgrelid = any ($1::oid[]) and t.tgname in ('rowferry_insert', 'rowferry_update', 'rowferry_delete', 'rowferry_truncate') group by t.tgrelid",
        {oid_array(oids)});
    for (std::size_t row = 0; row < rows.size(); ++row) triggers[to_oid(rows.text(row, 0))] = rows.text(row, 1);
    return triggers;
}

Tick make_tick(PgSession& session, const std::string& snapshot) {
    return first_tick(session.query("select number, tag, snapshot, made from rowferry.make_tick($1)", {snapshot})).value();
}

Tick make_tick(PgSession& session) { return first_tick(session.query("select number, tag, snapshot, made from rowferry.make_tick()")).value(); }

std::optional<Tick> last_tick(PgSession& session) {
    return first_tick(session.query("select number, tag::text, snapshot::text, (extract(epoch from made) * 1000000)::bigint from rowferry.capture_tick order by number desc limit 1"));
}

std::optional<Tick> read_tick(PgSession& session, std::uint64_t number) {
    return first_tick(session.query("select number, tag::text, snapshot::text, (extract(epoch from made) * 1000000)::bigint from rowferry.capture_tick where number = $1", {std::to_string(number)}));
}

bool has_changes(PgSession& session, const SnapshotBounds& since, const std::vector<std::uint32_t>* oids) {
    const std::string where = oids == nullptr ? "" : fmt::format(" AND rel = ANY ('{}'::oid[])", oid_array(*oids));
    return session.query(fmt::format("SELECT EXISTS ({})", between_snapshots("1", where, since, nullptr))).boolean(0, 0);
}

}  // namespace rowferry::pg_capture
