#include "triggers/postgresql/pg_trigger_preflight.h"

#include <fmt/format.h>

#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_preflight.h"
#include "decoder/pgoutput/pg_publication.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/postgresql/capture_store.h"

namespace rowferry::pg_capture {
namespace {

void check_server(PgSession& session) {
    if (session.server_version() < 150000)
        throw RefusedError{fmt::format("the leader runs PostgreSQL {}: 15 or later is needed", session.server_version() / 10000)};
    if (session.query("select pg_catalog.pg_is_in_recovery()").boolean(0, 0)) throw RefusedError{"the leader is a standby in recovery: point rowferry at the primary"};
}

/// The schema `rowferry`, in which the log and the functions are.
void check_schema_right(PgSession& session) {
    const PgRows rows = session.query(
        "select current_user, pg_catalog.has_database_privilege(current_database(), 'CREATE'), n.oid is not null, "
        "case when n.oid is not null then pg_catalog.has_schema_privilege(n.oid, 'CREATE') end, pg_catalog.pg_get_userbyid(n.nspowner) "
        "from (select 1) one left join pg_catalog.pg_namespace n on n.nspname = 'rowferry'");
    const std::string role = printable(quote_identifier(rows.text(0, 0)));
    if (!rows.boolean(0, 2) && !rows.boolean(0, 1))
        throw RefusedError{fmt::format("the role may not make the schema rowferry: GRANT CREATE ON DATABASE … TO {0}, or CREATE SCHEMA rowferry AUTHORIZATION {0}", role)};
    if (!rows.boolean(0, 2)) return;
    if (!rows.boolean(0, 3))
        throw RefusedError{fmt::format("the schema rowferry on the leader belongs to {}: use that role for all streams of the database", printable(quote_identifier(rows.text(0, 4))))};
    const PgRows owner = session.query(
        "select pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.pg_get_userbyid(c.relowner) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'rowferry' and c.relname = 'capture_change'");
    if (!owner.empty() && !owner.boolean(0, 0))
        throw RefusedError{fmt::format("the change log on the leader belongs to {}: use that role for all streams of the database", printable(quote_identifier(owner.text(0, 1))))};
}

void check_table_rights(PgSession& session, const std::vector<PgTable>& tables) {
    for (const PgTable& table : tables) {
        const PgRows rows = session.query(
            "select pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.has_table_privilege(c.oid, 'SELECT'), current_user, pg_catalog.row_security_active(c.oid) "
            "from pg_catalog.pg_class c where c.oid = $1::oid",
            {std::to_string(table.schema.leader_id)});
        if (rows.empty()) continue;
        const std::string name = to_string(table.schema.name);
        // TRIGGER alone would do for making them, but not for ENABLE ALWAYS, nor for taking them off again.
        if (!rows.boolean(0, 0)) throw RefusedError{fmt::format("{}: only its owner may put triggers on a table and take them off, and role {} is not", name, printable(quote_identifier(rows.text(0, 2))))};
        if (!rows.boolean(0, 1)) throw RefusedError{fmt::format("{}: GRANT SELECT to role {}", name, printable(quote_identifier(rows.text(0, 2))))};
        if (rows.boolean(0, 3))
            throw RefusedError{fmt::format("{}: a row security policy would hide rows from the copy: use the owner or a role with BYPASSRLS", name)};
    }
}

/// Triggers of these names that are not ours.
void check_names(PgSession& session, const std::vector<PgTable>& tables) {
    for (const PgTable& table : tables) {
        const PgRows rows = session.query(
            "select t.tgname from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
            "where t.tgrelid = $1::oid and t.tgname in ('rowferry_insert', 'rowferry_update', 'rowferry_delete', 'rowferry_truncate') and n.nspname <> 'rowferry'",
            {std::to_string(table.schema.leader_id)});
        if (!rows.empty()) throw RefusedError{fmt::format("{}: trigger {} is not rowferry's: rename it", to_string(table.schema.name), rows.text(0, 0))};
    }
}

void check_rules(const std::vector<PgTable>& tables) {
    for (const PgTable& table : tables) {
        if (table.filter)
            throw RefusedError{fmt::format("{}: a filter on the rows needs logical decoding (--capture logical): the triggers log every row", to_string(table.schema.name))};
        static_cast<void>(carried_schema(table));  // the columns have to hold the identity
    }
}

/// Which leaves a root had at a position is kept nowhere, so one that came or went while nobody looked would be a silent gap.
void check_partitions(const StreamRequest& request, const std::vector<PgTable>& tables) {
    if (request.one_off) return;
    for (const PgTable& table : tables)
        if (table.partitioned)
            throw RefusedError{fmt::format("{}: a partitioned table cannot be captured through its root by triggers: use --partitions leaf, or logical decoding (--capture logical)",
                                           to_string(table.schema.name))};
}

}  // namespace

void check_tables(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables) {
    check_server(session);
    check_partitions(request, tables);
    check_table_rights(session, tables);
    check_names(session, tables);
    check_rules(tables);
}

void check_leader(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables) {
    check_tables(session, request, tables);
    check_not_copying(session);
    check_schema_right(session);
    if (const auto stream = read_stream(session, request.stream); stream && stream->follower_id != request.follower_id)
        throw RefusedError{fmt::format("stream {} exists on this leader for another follower: choose another --stream, or `rowferry drop` that one", request.stream)};
    if (publication_exists(session, publication_name(request.stream)))
        throw RefusedError{fmt::format("stream {} exists on this leader and is captured by logical decoding: choose another --stream, or `rowferry drop` that one", request.stream)};
}

}  // namespace rowferry::pg_capture
