#pragma once

#include <string>

#include "db/pg_session.h"

namespace rowferry::pg_temporary {

// A temporary stream has a temporary slot, which the server drops with its connection, and a publication, for which the server has no such thing.
// So the session that makes one holds an advisory lock as long as it lives. A publication of a temporary stream that nobody holds is an orphan
// of a process that was killed.

/// Before the publication is made. Released with the session.
void hold(PgSession& session, const std::string& stream);

/// Removes what killed processes left in this database. What cannot be removed is left with a warning: it is not why anybody came.
void remove_orphans(PgSession& session, const std::string& database_oid);

}  // namespace rowferry::pg_temporary
