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

[[noreturn]] void no_source(const Endpoint& endpoint, CaptureMethod capture) {
    throw RefusedError{fmt::format("this rowferry cannot capture changes of a {} leader by {}", to_string(endpoint.engine), to_string(capture))};
}

}  // namespace

LeaderFactory leader_factory(const Endpoint& endpoint, CaptureMethod capture, const std::string& stream, const StopSignal& stop) {
    switch (endpoint.engine) {
        case Engine::postgresql:
            switch (capture) {
                case CaptureMethod::logical:
                    return [conninfo = PgConninfo{endpoint.target}, stream, &stop] { return make_pg_logical_leader(conninfo, stop, stream); };
                case CaptureMethod::triggers:
                    return [conninfo = PgConninfo{endpoint.target}, stream, &stop] { return make_pg_trigger_leader(conninfo, stop, stream); };
                case CaptureMethod::statements: no_source(endpoint, capture);
            }
            break;
        case Engine::sqlite:
            switch (capture) {
                case CaptureMethod::triggers: return [path = endpoint.target, &stop] { return make_sqlite_trigger_leader(path, stop); };
                case CaptureMethod::logical: return [path = endpoint.target, &stop] { return make_sqlite_wal_leader(path, stop); };
                case CaptureMethod::statements: no_source(endpoint, capture);
            }
            break;
    }
    throw std::logic_error{"engine"};
}

LeaderFactory copied_leader_factory(const Endpoint& endpoint, const StopSignal& stop) {
    return leader_factory(endpoint, endpoint.engine == Engine::postgresql ? CaptureMethod::logical : CaptureMethod::triggers, "copy", stop);
}

FollowerFactory follower_factory(const Endpoint& endpoint, const StopSignal& stop) {
    switch (endpoint.engine) {
        case Engine::postgresql: return [conninfo = PgConninfo{endpoint.target}, &stop] { return make_pg_follower(conninfo, stop); };
        case Engine::sqlite: return [path = endpoint.target, &stop] { return make_sqlite_follower(path, stop); };
    }
    throw std::logic_error{"engine"};
}

}  // namespace rowferry
