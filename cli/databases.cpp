#include "cli/databases.h"

#include <stdexcept>

#include "applier/postgresql/pg_follower.h"
#include "applier/sqlite/sqlite_follower.h"
#include "db/pg_conninfo.h"
#include "decoder/pgoutput/pg_leader.h"
#include "triggers/sqlite/sqlite_leader.h"

namespace rowferry {

LeaderFactory leader_factory(const Endpoint& endpoint, const std::string& stream, const StopSignal& stop) {
    switch (endpoint.engine) {
        case Engine::postgresql:
            return [conninfo = PgConninfo{endpoint.target}, stream, &stop] { return make_pg_logical_leader(conninfo, stop, stream); };
        case Engine::sqlite: return [path = endpoint.target, &stop] { return make_sqlite_trigger_leader(path, stop); };
    }
    throw std::logic_error{"engine"};
}

FollowerFactory follower_factory(const Endpoint& endpoint, const StopSignal& stop) {
    switch (endpoint.engine) {
        case Engine::postgresql: return [conninfo = PgConninfo{endpoint.target}, &stop] { return make_pg_follower(conninfo, stop); };
        case Engine::sqlite: return [path = endpoint.target, &stop] { return make_sqlite_follower(path, stop); };
    }
    throw std::logic_error{"engine"};
}

}  // namespace rowferry
