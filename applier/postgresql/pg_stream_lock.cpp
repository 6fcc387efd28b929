#include "applier/postgresql/pg_stream_lock.h"

#include <chrono>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::seconds kCopyPatience{3};
constexpr std::chrono::milliseconds kPause{100};

/// FNV-1a, cut to what PostgreSQL shows the same way as object id and as integer.
std::uint32_t lock_key(std::string_view text) {
    std::uint32_t hash = 2166136261U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash & 0x7FFFFFFFU;
}

/// Advisory locks belong to a database, so the stream's name is enough to tell them apart.
std::string keys(const std::string& stream) { return fmt::format("{}, {}", lock_key("rowferry"), lock_key(stream)); }

/// No stream has a name like this.
std::string copy_keys(const std::string& stream) { return keys(stream + "/copy"); }

}  // namespace

void take_stream_lock(const PgRun& run, const std::string& stream, std::chrono::milliseconds patience, const StopSignal& stop) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!run(fmt::format("SELECT pg_try_advisory_lock({})", keys(stream))).boolean(0, 0)) {
        if (std::chrono::steady_clock::now() < deadline) {
            if (!stop.sleep(kPause)) stop.check();
            continue;
        }
        const PgRows holder =
            run(fmt::format("SELECT l.pid, coalesce(a.client_addr::text, 'local'), a.application_name FROM pg_catalog.pg_locks l LEFT JOIN "
                            "pg_catalog.pg_stat_activity a USING (pid) "
                            "WHERE l.locktype = 'advisory' AND l.classid = {} AND l.objid = {} AND l.objsubid = 2 AND l.granted "
                            "AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
                            lock_key("rowferry"), lock_key(stream)));
        const std::string who = holder.empty() ? "another session"
                                               : fmt::format("server process {} ({}, client {})", holder.text(0, 0),
                                                             printable(holder.text(0, 2), 80), printable(holder.text(0, 1), 80));
        throw RefusedError{
            fmt::format("stream {} of this follower is in use: {} holds its lock. Stop that rowferry first", printable(stream, 80), who)};
    }
}

void share_copy_lock(const PgRun& run, const std::string& stream) {
    if (!run(fmt::format("SELECT pg_try_advisory_lock_shared({})", copy_keys(stream))).boolean(0, 0))
        throw RetryableError{fmt::format("stream {}: the copy is begun anew by another session", printable(stream, 80))};
}

void take_copy_lock(const PgRun& run, const std::string& stream, const StopSignal& stop) {
    const auto deadline = std::chrono::steady_clock::now() + kCopyPatience;
    while (!run(fmt::format("SELECT pg_try_advisory_xact_lock({})", copy_keys(stream))).boolean(0, 0)) {
        if (std::chrono::steady_clock::now() > deadline)
            throw RetryableError{fmt::format("stream {}: sessions of an earlier copy still write to the follower", printable(stream, 80))};
        if (!stop.sleep(kPause)) stop.check();
    }
}

void release_stream_lock(const PgRun& run, const std::string& stream) { run(fmt::format("SELECT pg_advisory_unlock({})", keys(stream))); }

}  // namespace rowferry
