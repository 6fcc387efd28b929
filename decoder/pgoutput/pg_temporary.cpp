#include "decoder/pgoutput/pg_temporary.h"

#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_publication.h"
#include "decoder/pgoutput/pg_slot.h"
#include "schemas/error.h"

namespace rowferry::pg_temporary {
namespace {

// Under the name of the publication; advisory locks belong to one database, as publications do.
constexpr const char* kLock = "select pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0))";
constexpr const char* kUnlock = "select pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended($1, 0))";

}  // namespace

void hold(PgSession& session, const std::string& stream) {
    if (!session.query(kLock, {publication_name(stream)}).boolean(0, 0)) throw RefusedError{"another process holds the temporary stream " + stream};
}

void remove_orphans(PgSession& session, const std::string& database_oid) {
    for (const StreamPublication& publication : read_publications(session)) {
        if (!publication.note.temporary) continue;
        const std::string& stream = publication.stream;
        if (!session.query(kLock, {publication_name(stream)}).boolean(0, 0)) continue;
        try {
            // A process whose control connection was lost may still read.
            if (!read_slot(session, slot_name(database_oid, stream)))
                for (const std::string& removed : drop_publications(session, stream)) spdlog::info("removed {} of a `rowferry tail` that was killed", removed);
        } catch (const Error& error) {
            spdlog::warn("{} of a `rowferry tail` that was killed is left: {}", publication_name(stream), error.what());
        }
        session.query(kUnlock, {publication_name(stream)});
    }
}

}  // namespace rowferry::pg_temporary
