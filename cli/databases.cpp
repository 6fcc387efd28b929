#include "cli/databases.h"

#include <stdexcept>

#include <fmt/format.h>

#include "applier/postgresql/pg_follower.h"
#include "applier/sqlite/sqlite_follower.h"
#include "db/pg_conninfo.h"
#include "decoder/pgoutput/pg_leader.h"
#include "decoder/sqlite_wal/sqlite_wal_leader.h"
#include "schemas/error.h"
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

[[noreturn]] void no_source(const Endpoint& endpoint, CaptureMethod capture) {
    throw RefusedError{fmt::format("this rowferry cannot capture changes of a {} leader by {}", to_string(endpoint.engine), to_string(capture))};
}

}  // namespace

LeaderFactory leader_factory(const Options& options, CaptureMethod capture, const StopSignal& stop) {
    switch (capture) {
        case CaptureMethod::logical: return logical_leader(options.leader, options.run.request.stream, stop);
        case CaptureMethod::triggers: return trigger_leader(options.leader, options.run.request.stream, stop);
        case CaptureMethod::statements: no_source(options.leader, capture);
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
