#include "statements/postgresql/log_begin.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/postgresql/tick.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kPause{250};
constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::seconds kServerPatience{5};
constexpr int kTellAfter = 12;
// Of a locking session that the server ended, in a row: then it is something else.
constexpr int kMostLosses = 5;

std::string random_text() {
    std::random_device device;
    return fmt::format("{:08x}{:08x}{:08x}", device(), device(), device());
}

bool shows(const std::string& path, std::uintmax_t from, const std::string& text) {
    std::ifstream in{path, std::ios::binary};
    in.seekg(static_cast<std::streamoff>(from));
    const std::string content{std::istreambuf_iterator<char>{in}, {}};
    return content.find(text) != std::string::npos;
}

std::uint64_t widened(std::uint32_t xid, std::uint64_t near) {
    constexpr std::uint64_t kHalf = 1ULL << 31;
    std::uint64_t full = (near & ~0xFFFFFFFFULL) | xid;
    if (full > near + kHalf && full >= 2 * kHalf) full -= 2 * kHalf;
    if (full + kHalf < near) full += 2 * kHalf;
    return full;
}

}  // namespace

std::map<std::string, std::uintmax_t> log_sizes(const std::vector<std::string>& paths) {
    std::map<std::string, std::uintmax_t> sizes;
    for (const std::string& pattern : paths) {
        glob_t found{};
        if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
            for (std::size_t i = 0; i < found.gl_pathc; ++i) {
                std::error_code error;
                const auto size = std::filesystem::file_size(found.gl_pathv[i], error);
                if (!error) sizes[found.gl_pathv[i]] = size;
            }
        ::globfree(&found);
    }
    return sizes;
}

bool log_shows(const std::vector<std::string>& paths, const std::map<std::string, std::uintmax_t>& since, const std::string& text) {
    for (const auto& [path, size] : log_sizes(paths)) {
        const auto known = since.find(path);
        if (known != since.end() && known->second == size) continue;
        if (shows(path, known == since.end() || size < known->second ? 0 : known->second, text)) return true;
    }
    return false;
}

void check_is_its_log(PgSession& leader, const LogSettings& settings, const StopSignal& stop) {
    const auto before = log_sizes(settings.paths);
    if (before.empty()) throw RefusedError{fmt::format("--statement-log {}: there is no such file", printable(fmt::format("{}", fmt::join(settings.paths, " "))))};
    const std::string token = random_text();
    leader.query(fmt::format("SELECT 'rowferry knocks {}'", token));
    const auto until = std::chrono::steady_clock::now() + kServerPatience;
    while (std::chrono::steady_clock::now() < until) {
        if (log_shows(settings.paths, before, token)) return;
        if (!stop.sleep(kLook)) throw InterruptedError{"stopped while waiting for the leader's log"};
    }
    throw RefusedError{fmt::format("a statement that was just run on the leader does not appear in --statement-log {}: these are the logs of another server, or not the ones it writes now",
                                   printable(fmt::format("{}", fmt::join(settings.paths, " "))))};
}

MarkedSnapshot::MarkedSnapshot(const PgConninfo& leader, const std::string& application, const StopSignal& stop)
    : control_{leader, PgRole::leader, application + "_control"}, exporter_{leader, PgRole::leader, application + "_copy"} {
    marker_.begin = "rowferry begins " + random_text();
    control_.query(fmt::format("SELECT '{}'", marker_.begin));
    wait_for_open(stop);
    const PgRows tables = control_.query(
        "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and c.relpersistence <> 't' "
        "and n.nspname not in ('pg_catalog', 'information_schema', 'rowferry') order by c.oid");
    std::string names;
    for (std::size_t row = 0; row < tables.size(); ++row) names += (names.empty() ? "" : ", ") + quote_table({tables.text(row, 0), tables.text(row, 1)});
    for (int attempt = 1; !take(leader, application + "_lock", names); ++attempt) {
        if (attempt == kTellAfter) spdlog::info("waiting for transactions that write: the copy begins in a moment in which nobody does");
        if (!stop.sleep(kPause)) throw InterruptedError{"stopped while waiting for the leader's tables"};
    }
}

/// What is open where the log's reading begins is not in what is read: it has to be in the snapshot.
void MarkedSnapshot::wait_for_open(const StopSignal& stop) {
    const std::string since = control_.query("select pg_catalog.clock_timestamp()::text").text(0, 0);
    // A procedure that commits has transactions that began later than its line in the log.
    const auto open = [&] {
        return control_.query(
            "select pid from pg_catalog.pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid() "
            "and (xact_start <= $1::timestamptz or (state = 'active' and query_start <= $1::timestamptz)) union all select 0 from pg_catalog.pg_prepared_xacts where database = current_database() and prepared <= $1::timestamptz",
            {since});
    };
    const PgRows present = control_.query(
        "select pid from pg_catalog.pg_stat_activity where datname = current_database() and backend_type = 'client backend' "
        "and pid <> pg_catalog.pg_backend_pid()");
    marker_.settled_us = control_.query("select (extract(epoch from pg_catalog.pg_conf_load_time()) * 1000000)::bigint").integer(0, 0);
    for (std::size_t row = 0; row < present.size(); ++row) marker_.present.push_back(static_cast<std::uint32_t>(present.integer(row, 0)));
    // In this order: who began before `since` and is open behind this has the id that is seen here.
    const PgRows ids = control_.query("select pid, virtualxid from pg_catalog.pg_locks where locktype = 'virtualxid' and granted and pid is not null");
    PgRows rows = open();
    for (std::size_t row = 0; row < rows.size(); ++row)
        if (rows.integer(row, 0) != 0) marker_.open_at_begin.push_back(static_cast<std::uint32_t>(rows.integer(row, 0)));
    for (std::size_t row = 0; row < ids.size(); ++row) {
        const auto pid = static_cast<std::uint32_t>(ids.integer(row, 0));
        if (std::ranges::find(marker_.open_at_begin, pid) != marker_.open_at_begin.end()) marker_.open_transactions[pid] = ids.text(row, 1);
    }
    for (int attempt = 1; !rows.empty(); ++attempt, rows = open()) {
        if (attempt == kTellAfter) spdlog::info("waiting for {} transaction(s) that are open on the leader: the log is read from behind them on", rows.size());
        if (!stop.sleep(kPause)) throw InterruptedError{"stopped while waiting for open transactions of the leader"};
    }
}

/// Under the locks whoever has written to a table has ended, and whoever wants to waits. What is open then is told by its lock on itself, which it holds until it has ended. Whatever becomes of
/// rowferry meanwhile, the server takes the locks back within a second; what was seen without them does not count.
bool MarkedSnapshot::take(const PgConninfo& leader, const std::string& application, const std::string& tables) {
    try {
        PgSession locker{leader, PgRole::leader, application};
        PgTransaction locking{locker, "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '250ms'; SET LOCAL statement_timeout = '500ms'; SET LOCAL idle_in_transaction_session_timeout = '1s'"};
        if (!tables.empty()) locker.query("LOCK TABLE " + tables + " IN SHARE MODE");
        // Whoever ended just before has its last line in the log by now.
        locker.query("SELECT pg_catalog.pg_sleep(0.02)");
        marker_.open.clear();
        marker_.end = "rowferry copies " + random_text();
        const PgRows open = control_.query(fmt::format(
            "SELECT a.pid, (extract(epoch from coalesce(a.xact_start, pg_catalog.clock_timestamp())) * 1000000)::bigint, '{}', coalesce(a.state = 'active' and a.xact_start > a.query_start, false) from pg_catalog.pg_stat_activity a "
            "where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid() "
            "and exists (select from pg_catalog.pg_locks l where l.locktype = 'virtualxid' and l.granted and l.pid = a.pid)",
            marker_.end));
        for (std::size_t row = 0; row < open.size(); ++row) {
            // Of a procedure the snapshot would have what it has committed so far, and the log has one line for all of it.
            if (open.boolean(row, 3)) return false;
            marker_.open.push_back({static_cast<std::uint32_t>(open.integer(row, 0)), open.integer(row, 1)});
        }
        exporter_.query("ROLLBACK");
        exporter_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        const PgRows taken = exporter_.query("select pg_catalog.pg_current_snapshot()::text, pg_catalog.pg_export_snapshot()");
        marker_.snapshot = taken.text(0, 0);
        exported_ = taken.text(0, 1);
        // The marker's own last line needs one behind it.
        control_.query("SELECT 'rowferry has copied'");
        // Only with the locks' owner still there were they there all the time.
        locking.commit();
        return true;
    } catch (const PgError& error) {
        // Locks that could not be had, or not in time, or not for long enough; and a connection that the server ended for that.
        const bool lost = error.sqlstate() == "25P03" || error.sqlstate().empty();
        if (!lost && error.sqlstate() != "55P03" && error.sqlstate() != "57014") throw;
        if (lost && ++losses_ > kMostLosses) throw;
        return false;
    }
}

bool is_in_snapshot(const LogMarker& marker, const LoggedTransaction& transaction) {
    const bool same_file = transaction.commit.path != nullptr && *transaction.commit.path == marker.path;
    const bool before = same_file ? transaction.commit.offset < marker.offset : transaction.committed < marker.time_us;
    // The log has milliseconds: a transaction began at most one of them behind the time that its first line shows.
    constexpr std::int64_t kClock = 1000;
    const bool open = std::ranges::any_of(marker.open, [&](const OpenSession& session) { return session.pid == transaction.session->pid && session.since_us <= transaction.began + kClock; });
    const bool seen = before && !open;
    if (transaction.xid) {
        const auto bounds = pg_capture::parse_snapshot(marker.snapshot);
        if (bounds.sees(widened(*transaction.xid, bounds.xmax)) != seen)
            throw HaltError{fmt::format("{}: by its place in the log transaction {} is {}the copy, and by its number it is {}: the log is not the leader's, or its lines are in disorder",
                                        to_string(transaction.commit), *transaction.xid, seen ? "in " : "not in ", seen ? "not" : "there")};
    }
    return seen;
}

}  // namespace rowferry
