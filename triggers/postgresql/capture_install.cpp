#include "triggers/postgresql/capture_install.h"

#include <chrono>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/postgresql/capture_sql.h"
#include "triggers/postgresql/capture_store.h"

namespace rowferry::pg_capture {
namespace {

// While we wait for a table's lock the application's writers queue behind us: never for long, and then they get their turn.
constexpr const char* kLockTimeout = "SET LOCAL lock_timeout = '250ms'";
constexpr int kAttemptsToRemove = 15;
constexpr int kAttemptsToTell = 4;
// An autovacuum gives way, but only to who has waited for deadlock_timeout.
constexpr int kAttemptsToOutwait = 5;
constexpr const char* kOutwaitVacuum =
    "select pg_catalog.set_config('lock_timeout', least(500 + s.setting::int, 3000) || 'ms', true) from pg_catalog.pg_settings s where s.name = 'deadlock_timeout' and exists ("
    "select from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "where l.granted and l.mode = 'ShareUpdateExclusiveLock' and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database()) "
    "and n.nspname = $1 and c.relname = $2)";
constexpr std::chrono::milliseconds kPause{250};

constexpr const char* kInstallLock = "select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('rowferry_capture', 0))";

/// `work` in a transaction, again and again while somebody else's lock is in the way; `attempts` 0: as long as it takes. False when the last one was in vain.
bool with_table(PgSession& session, const TableName& table, int attempts, const StopSignal& stop, const std::function<void()>& work) {
    for (int attempt = 1;; ++attempt) {
        try {
            PgTransaction transaction{session};
            session.query(kLockTimeout);
            if (attempt % kAttemptsToOutwait == 0) session.query(kOutwaitVacuum, {table.schema, table.name});
            work();
            transaction.commit();
            return true;
        } catch (const PgError& error) {
            if (error.sqlstate() != "55P03") throw;
            if (attempt == attempts) return false;
            if (attempt == kAttemptsToTell) spdlog::info("waiting for transactions that write to {}: triggers need a moment in which nobody does", to_string(table));
        }
        if (!stop.sleep(kPause)) throw InterruptedError{"stopped while waiting for a table's lock"};
    }
}

/// Statement triggers see nothing of what happens through a parent table or comes from a subscription, and where triggers or foreign keys change the table again while a
/// statement on it still runs, only the versions of its rows tell the order.
Level level_for(PgSession& session, std::uint32_t oid) {
    const PgRows rows = session.query(
        "select exists (select from pg_catalog.pg_trigger where tgrelid = c.oid and not tgisinternal and tgenabled <> 'D' and not starts_with(tgname, 'rowferry_')) "
        "or c.relispartition or c.relkind <> 'r' or exists (select from pg_catalog.pg_inherits where inhrelid = c.oid or inhparent = c.oid) "
        "or exists (select from pg_catalog.pg_subscription_rel where srrelid = c.oid) "
        "or exists (select from pg_catalog.pg_constraint where contype = 'f' and conrelid = c.oid and confrelid = c.oid and (confupdtype in ('c', 'n', 'd') or confdeltype in ('c', 'n', 'd'))) "
        "from pg_catalog.pg_class c where c.oid = $1",
        {std::to_string(oid)});
    return !rows.empty() && rows.boolean(0, 0) ? Level::row : Level::statement;
}

bool logs_at(const std::string& triggers, Level level) { return Member{triggers, {}}.row_level() == (level == Level::row); }

void capture_table(PgSession& session, const std::string& stream, const PgTable& table) {
    const std::uint32_t oid = table.schema.leader_id;
    session.query(fmt::format("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", quote_table(table.schema.name)));
    const Level level = level_for(session, oid);
    const std::string before = read_triggers(session, {oid})[oid];
    std::string now = before;
    if (before.empty() || !logs_at(before, level)) {
        for (const std::string& statement : remove_triggers(table.schema.name)) session.query(statement);
        for (const std::string& statement : make_triggers(table.schema.name, level)) session.query(statement);
        now = read_triggers(session, {oid})[oid];
        if (now.empty()) throw HaltError{fmt::format("{}: the triggers were made, and are not there", to_string(table.schema.name))};
        // Nobody could write in between: what relied on the old ones may rely on these.
        if (!before.empty()) session.query("update rowferry.capture_member set triggers = $1 where rel = $2 and triggers = $3", {now, std::to_string(oid), before});
    }
    session.query(
        "insert into rowferry.capture_member (stream, rel, triggers, layout) select $1, $2, $3, coalesce(pg_catalog.string_agg(a.attnum::text, ' ' order by a.attnum), '') "
        "from pg_catalog.pg_attribute a where a.attrelid = $2 and a.attnum > 0 and not a.attisdropped "
        "on conflict (stream, rel) do update set triggers = excluded.triggers, layout = excluded.layout",
        {stream, std::to_string(oid), now});
}

struct Triggered {
    std::uint32_t oid = 0;
    TableName name;
    std::vector<std::string> triggers;
};

/// Of these tables (null: of all) those with triggers of ours that no other stream than `leaving` needs. Triggers go by their functions: what a dump restored has new numbers, and its members name other tables.
std::vector<Triggered> unneeded(PgSession& session, const std::vector<std::uint32_t>* oids, const std::string& leaving) {
    const PgRows rows = session.query(
        "select c.oid, n.nspname, c.relname, t.tgname from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace f on f.oid = p.pronamespace "
        "join pg_catalog.pg_class c on c.oid = t.tgrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where f.nspname = 'rowferry' and p.proname in ('capture_insert', 'capture_update', 'capture_delete', 'capture_truncate', 'capture_row') and t.tgparentid = 0 "
        "and ($1::oid[] is null or c.oid = any ($1::oid[])) and not exists (select from rowferry.capture_member m where m.rel = c.oid and m.stream <> $2) order by c.oid, t.tgname",
        {oids == nullptr ? std::nullopt : std::optional<std::string>{oid_array(*oids)}, leaving});
    std::vector<Triggered> tables;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const auto oid = static_cast<std::uint32_t>(std::stoul(rows.text(row, 0)));
        if (tables.empty() || tables.back().oid != oid) tables.push_back({oid, {rows.text(row, 1), rows.text(row, 2)}, {}});
        tables.back().triggers.push_back(rows.text(row, 3));
    }
    return tables;
}

/// Takes `before` and then the triggers of ours that nobody needs off a table, both or neither. One line per table goes to `removed`. False for a table that is in use for long.
bool take_off(PgSession& session, const Triggered& table, const StopSignal& stop, const std::function<void()>& before, std::vector<std::string>& removed) {
    std::vector<std::string> gone;
    const bool done = with_table(session, table.name, kAttemptsToRemove, stop, [&] {
        gone.clear();
        session.query("LOCK TABLE " + quote_table(table.name) + " IN ACCESS EXCLUSIVE MODE");
        if (before) before();
        const std::vector<std::uint32_t> oid{table.oid};
        for (const Triggered& now : unneeded(session, &oid, {}))  // another stream may have begun with it
            for (const std::string& trigger : now.triggers) {
                session.query(fmt::format("DROP TRIGGER {} ON {}", quote_identifier(trigger), quote_table(table.name)));
                gone.push_back(trigger);
            }
    });
    if (done && !gone.empty()) removed.push_back(fmt::format("triggers {} on {}", fmt::join(gone, ", "), to_string(table.name)));
    return done;
}

/// What could be removed is; the rest is a matter of the next attempt.
void report_busy(const std::vector<std::string>& busy, const std::vector<std::string>& removed) {
    if (busy.empty()) return;
    for (const std::string& line : removed) spdlog::info("removed {}", line);
    throw RetryableError{fmt::format("{}: in use by transactions that last, and their triggers need a moment in which nobody uses them. What was removed stays removed: do the same again for the rest",
                                     fmt::join(busy, ", "))};
}

}  // namespace

void install_objects(PgSession& session) {
    PgTransaction transaction{session, "BEGIN; SET LOCAL client_min_messages = warning"};
    session.query(kInstallLock);
    if (!is_installed(session)) {
        // IF NOT EXISTS would ask for the right to make one all the same.
        if (session.query("select from pg_catalog.pg_namespace where nspname = 'rowferry'").empty()) session.query("CREATE SCHEMA rowferry");
        for (const std::string& statement : make_objects()) session.query(statement);
    }
    transaction.commit();
}

void add_stream(PgSession& session, const std::string& stream, const std::string& follower_id) {
    // What is acknowledged before the first snapshot is nothing: the log is kept from here on.
    session.query(
        "insert into rowferry.capture_stream (stream, follower_id, acked, acked_snapshot, acked_at) values ($1, $2, 0, pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp())",
        {stream, follower_id});
}

void capture_tables(PgSession& session, const std::string& stream, const std::vector<PgTable>& tables, const StopSignal& stop) {
    for (const PgTable& table : tables) static_cast<void>(with_table(session, table.schema.name, 0, stop, [&] { capture_table(session, stream, table); }));
}

std::vector<std::string> release_tables(PgSession& session, const std::string& stream, const std::vector<std::uint32_t>& oids, const StopSignal& stop) {
    constexpr const char* kLeave = "delete from rowferry.capture_member where stream = $1 and rel = any ($2::oid[])";
    std::vector<std::string> removed;
    std::vector<std::string> busy;
    std::vector<std::uint32_t> rest = oids;
    for (const Triggered& table : unneeded(session, &oids, stream)) {
        std::erase(rest, table.oid);
        const std::string oid = oid_array({table.oid});
        if (!take_off(session, table, stop, [&] { session.query(kLeave, {stream, oid}); }, removed)) busy.push_back(to_string(table.name));
    }
    // Tables that are gone, or that another stream needs.
    session.query(kLeave, {stream, oid_array(rest)});
    report_busy(busy, removed);
    return removed;
}

std::vector<std::string> remove_stream(PgSession& session, const std::string& stream, const StopSignal& stop) {
    std::vector<std::string> removed;
    if (!read_stream(session, stream)) return removed;
    std::vector<std::uint32_t> oids;
    for (const auto& [oid, triggers] : read_members(session, stream)) oids.push_back(oid);
    removed = release_tables(session, stream, oids, stop);
    session.query("delete from rowferry.capture_stream where stream = $1", {stream});
    removed.push_back("capture of stream " + stream);
    return removed;
}

std::vector<std::string> remove_unused_objects(PgSession& session, const StopSignal& stop) {
    std::vector<std::string> removed;
    if (!is_installed(session)) return removed;
    // Left by a removal that was cut short, or come out of a dump.
    std::vector<std::string> busy;
    for (const Triggered& table : unneeded(session, nullptr, {}))
        if (!take_off(session, table, stop, {}, removed)) busy.push_back(to_string(table.name));
    report_busy(busy, removed);
    PgTransaction transaction{session, "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = '3s'"};
    session.query(kInstallLock);
    if (!read_streams(session).empty()) return removed;
    for (const std::string& statement : remove_objects()) session.query(statement);
    removed.emplace_back("tables, functions and sequence rowferry.capture_…");
    // A leader that is itself a follower has its checkpoint there.
    const bool ours = session.query("select pg_catalog.pg_has_role(n.nspowner, 'USAGE') and not exists (select from pg_catalog.pg_depend d where d.refclassid = 'pg_catalog.pg_namespace'::regclass "
                                    "and d.refobjid = n.oid) from pg_catalog.pg_namespace n where n.nspname = 'rowferry'")
                          .boolean(0, 0);
    if (ours) {
        session.query("DROP SCHEMA rowferry");
        removed.emplace_back("schema rowferry");
    }
    transaction.commit();
    return removed;
}

bool lock_stream(PgSession& session, const std::string& stream) {
    return session.query("select pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('rowferry_capture ' || $1, 0))", {stream}).boolean(0, 0);
}

void unlock_stream(PgSession& session, const std::string& stream) {
    session.query("select pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended('rowferry_capture ' || $1, 0))", {stream});
}

}  // namespace rowferry::pg_capture
