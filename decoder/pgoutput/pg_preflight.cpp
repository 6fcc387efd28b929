#include "decoder/pgoutput/pg_preflight.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/scratch_file.h"
#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_publication.h"
#include "decoder/pgoutput/pg_slot.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {

void check_settings(PgSession& session, const std::string& stream, const std::string& slot) {
    if (session.server_version() < 150000)
        throw RefusedError{fmt::format("the leader runs PostgreSQL {}: 15 or later is needed", session.server_version() / 10000)};
    const PgRows rows = session.query(R"(
select current_setting('wal_level'), pg_catalog.pg_is_in_recovery(),
       current_setting('max_replication_slots')::int - (select count(*) from pg_catalog.pg_replication_slots where slot_name <> $1),
       current_setting('max_wal_senders')::int - (select count(*) from pg_catalog.pg_stat_replication where application_name <> $2),
       current_setting('max_slot_wal_keep_size'), current_setting('synchronous_standby_names'),
       exists (select from pg_catalog.pg_stat_activity where wait_event = 'SyncRep'))",
                                     {slot, application_name(stream)});
    if (rows.text(0, 0) != "logical")
        throw RefusedError{fmt::format("wal_level is {} on the leader: set wal_level = logical in postgresql.conf and restart it", rows.text(0, 0))};
    if (rows.boolean(0, 1)) throw RefusedError{"the leader is a standby in recovery: point rowferry at the primary"};
    if (rows.integer(0, 2) < 1) throw RefusedError{"every replication slot of the leader is in use: raise max_replication_slots"};
    if (rows.integer(0, 3) < 1) throw RefusedError{"every WAL sender of the leader is in use: raise max_wal_senders"};
    if (rows.text(0, 4) == "-1")
        spdlog::info("max_slot_wal_keep_size is unlimited: while the follower is away the leader keeps all WAL, until its disk is full");
    // Creating a slot waits for every transaction that is under way, and those would wait for the stream that is not there yet.
    if (standby_names_list(rows.text(0, 5), application_name(stream)) && rows.boolean(0, 6))
        throw RefusedError{fmt::format("commits on the leader already wait for {}: take it out of synchronous_standby_names until the copy is complete",
                                       application_name(stream))};
    if (standby_names_list(rows.text(0, 5), "*"))
        spdlog::warn("synchronous_standby_names holds '*': commits on the leader will wait for rowferry as for any standby");
}

void check_rights(PgSession& session, const std::vector<PgTable>& tables) {
    const PgRows role = session.query(
        "select r.rolreplication, r.rolsuper, current_user, pg_catalog.has_database_privilege(current_database(), 'CREATE') "
        "from pg_catalog.pg_roles r where r.rolname = current_user");
    const bool superuser = role.boolean(0, 1);
    const std::string user = quote_identifier(role.text(0, 2));
    if (!role.boolean(0, 0) && !superuser) throw RefusedError{fmt::format("the role has no REPLICATION right: ALTER ROLE {} REPLICATION", printable(user))};
    if (superuser) return;
    if (!role.boolean(0, 3)) throw RefusedError{fmt::format("the role may not create publications: GRANT CREATE ON DATABASE … TO {}", printable(user))};
    for (const PgTable& table : tables) {
        const PgRows rows = session.query(
            "select pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.has_table_privilege(c.oid, 'SELECT') from pg_catalog.pg_class c where c.oid = $1",
            {std::to_string(table.schema.leader_id)});
        if (rows.empty()) continue;
        if (!rows.boolean(0, 0)) throw RefusedError{fmt::format("{}: only its owner may publish a table, and role {} is not", to_string(table.schema.name), printable(user))};
        if (!rows.boolean(0, 1)) throw RefusedError{fmt::format("{}: GRANT SELECT to role {}", to_string(table.schema.name), printable(user))};
    }
}

void check_row_security(PgSession& session, const std::vector<PgTable>& tables) {
    for (const PgTable& table : tables)
        if (session.query("select pg_catalog.row_security_active($1::oid)", {std::to_string(table.schema.leader_id)}).boolean(0, 0))
            throw RefusedError{fmt::format("{}: a row security policy would hide rows from the copy: use the owner or a role with BYPASSRLS", to_string(table.schema.name))};
}

void check_names(PgSession& session, const StreamRequest& request, const std::string& slot) {
    const auto note = read_publication_note(session, request.stream);
    if (note && note->follower_id != request.follower_id)
        throw RefusedError{fmt::format("stream {} exists on this leader for another follower: choose another --stream, or `rowferry drop` that one", request.stream)};
    if (note) return;
    for (const std::string& name : {publication_name(request.stream), insert_publication_name(request.stream)})
        if (publication_exists(session, name)) throw RefusedError{fmt::format("publication {} exists and is not rowferry's: choose another --stream", name)};
    if (read_slot(session, slot))
        throw RefusedError{fmt::format("slot {} exists without its publication: `rowferry drop --stream {}` removes it", slot, request.stream)};
}

/// Better now than in the middle of the first large transaction.
void check_spool(const SpoolOptions& spool) {
    try {
        const ScratchFile trial{spool.directory};
    } catch (const Error& error) {
        throw RefusedError{error.what()};
    }
}

}  // namespace

void check_not_copying(PgSession& session) {
    if (session.query("select pg_catalog.to_regclass('rowferry.checkpoint')").is_null(0, 0)) return;
    const PgRows rows = session.query("select stream from rowferry.checkpoint where state = 'copying'");
    if (!rows.empty())
        throw RefusedError{fmt::format("the leader is itself a follower whose copy (stream {}) is not complete: it promises nothing yet", printable(rows.text(0, 0)))};
}

void check_pg_leader(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables, const std::string& slot) {
    check_row_security(session, tables);
    check_not_copying(session);
    if (request.one_off) return;
    check_settings(session, request.stream, slot);
    check_spool(request.spool);
    check_rights(session, tables);
    check_names(session, request, slot);
}

void check_pg_tables(PgSession& session, const std::string& stream, const std::vector<PgTable>& tables) {
    check_row_security(session, tables);
    check_rights(session, tables);
    // The snapshot waits for every transaction that is under way, and those would wait for the stream, which stands still during the copy.
    if (standby_names_list(session.query("show synchronous_standby_names").text(0, 0), application_name(stream)))
        throw RefusedError{fmt::format("commits on the leader wait for {}, and the stream stands still while a table is copied: take it out of "
                                       "synchronous_standby_names until the copy is complete",
                                       application_name(stream))};
}

void settle_keyless_tables(std::vector<PgTable>& tables, KeylessMode mode, int server_version) {
    std::string statements;
    int count = 0;
    for (PgTable& table : tables) {
        if (table.has_identity) continue;
        if (mode == KeylessMode::insert) {
            table.schema.insert_only = true;
            continue;
        }
        if (mode == KeylessMode::full) {
            if (table.has_generated && server_version >= 180000)
                throw RefusedError{fmt::format("{}: REPLICA IDENTITY FULL on a table with generated columns would make the leader's own UPDATE fail: use "
                                               "--keyless insert, or give it a primary key",
                                               to_string(table.schema.name))};
            table.schema.identity = find_key(table.schema);
            continue;
        }
        ++count;
        statements += fmt::format(" ALTER TABLE {} REPLICA IDENTITY FULL;", printable(quote_table(table.schema.name), 200));
    }
    if (count > 0)
        throw RefusedError{fmt::format("{} table(s) have no replica identity, and publishing them would make UPDATE and DELETE fail on the leader. Give each a primary "
                                       "key, or run:{} or use --keyless full, --keyless insert or --exclude-table",
                                       count, statements)};
}

}  // namespace rowferry
