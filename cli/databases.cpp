#include "cli/databases.h"

#include <stdexcept>

#include <fmt/format.h>

#include "applier/postgresql/pg_follower.h"
#include "applier/sqlite/sqlite_follower.h"
#include "db/pg_conninfo.h"
#include "decoder/pgoutput/pg_leader.h"
#include "decoder/sqlite_wal/sqlite_wal_leader.h"
#include "schemas/error.h"
#include "statements/postgresql/pg_statement_leader.h"
#include "statements/sqlite/sqlite_statement_leader.h"
#include "triggers/postgresql/pg_trigger_leader.h"
#include "triggers/sqlite/sqlite_leader.h"

namespace rowferry {

namespace {

LeaderFactory logical_leader(const Endpoint& endpoint, const std::string& stream, const StopSignal& stop) {
    if (endpoint.engine == Engine::sqlite) return [path = endpoint.target, &stop] { return make_sqlite_wal_leader(path, stop); };
    return [conninfo = PgConninfo{endpoint.target}, stream, &stop] { return make_pg_logical_leader(conninfo, stop, stream); };
}

LeaderFactory trigger_leader(const Endpoint& endpoint, const std::string& stream, const StopSignal& stop) {
    if (endpoint.engine == Engine::sqlite) return [path = endpoint.target, &stop] { return make_sqlite_trigger_leader(path, stop); };
    return [conninfo = PgConninfo{endpoint.target}, stream, &stop] { return make_pg_trigger_leader(conninfo, stop, stream); };
}

PgConninfo postgresql_only(const Endpoint& endpoint, std::string_view option) {
    if (endpoint.engine != Engine::postgresql) throw UsageError{fmt::format("{}: the statements of a PostgreSQL leader need a PostgreSQL database: postgresql://…", option)};
    return PgConninfo{endpoint.target};
}

LeaderFactory pg_statement_leader(const Options& options, const StopSignal& stop) {
    const StatementLogSettings& given = options.statements;
    PgStatementOptions statements{given.paths, std::nullopt, given.database, std::nullopt, std::nullopt};
    if (given.scratch) statements.scratch = postgresql_only(*given.scratch, "--scratch");
    if (given.start) statements.start = postgresql_only(*given.start, "--log-start");
    if (given.rows) statements.rows = postgresql_only(*given.rows, "--on-nondeterministic");
    return [conninfo = PgConninfo{options.leader.target}, statements, stream = options.run.request.stream, &stop] {
        return make_pg_statement_leader(conninfo, statements, stop, stream);
    };
}

LeaderFactory statement_leader(const Options& options, const StopSignal& stop) {
    if (options.leader.engine == Engine::postgresql) return pg_statement_leader(options, stop);
    const StatementLogSettings& given = options.statements;
    if (!given.database.empty() || given.rows) throw UsageError{"--log-database and --on-nondeterministic are for logs of PostgreSQL servers"};
    const auto path_of = [](const std::optional<Endpoint>& endpoint, const char* option) -> std::string {
        if (!endpoint) return {};
        if (endpoint->engine != Engine::sqlite) throw UsageError{fmt::format("{}: for a SQLite leader it is a SQLite database: sqlite:PATH", option)};
        return endpoint->target;
    };
    SqliteStatementLog log{given.paths, path_of(given.scratch, "--scratch"), path_of(given.start, "--log-start")};
    return [path = options.leader.target, log = std::move(log), stream = options.run.request.stream, &stop] { return make_sqlite_statement_leader(path, log, stream, stop); };
}

}  // namespace

LeaderFactory leader_factory(const Options& options, CaptureMethod capture, const StopSignal& stop) {
    switch (capture) {
        case CaptureMethod::logical: return logical_leader(options.leader, options.run.request.stream, stop);
        case CaptureMethod::triggers: return trigger_leader(options.leader, options.run.request.stream, stop);
        case CaptureMethod::statements: return statement_leader(options, stop);
    }
    throw std::logic_error{"capture method"};
}

LeaderFactory copied_leader_factory(const Endpoint& endpoint, const StopSignal& stop) {
    return endpoint.engine == Engine::postgresql ? logical_leader(endpoint, "copy", stop) : trigger_leader(endpoint, "copy", stop);
}

FollowerFactory follower_factory(const Endpoint& endpoint, const StopSignal& stop) {
    switch (endpoint.engine) {
        case Engine::postgresql: return [conninfo = PgConninfo{endpoint.target}, &stop] { return make_pg_follower(conninfo, stop); };
        case Engine::sqlite: return [path = endpoint.target, &stop] { return make_sqlite_follower(path, stop); };
    }
    throw std::logic_error{"engine"};
}

}  // namespace rowferry
