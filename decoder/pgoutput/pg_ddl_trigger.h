#pragma once

#include <string>
#include <vector>

#include "db/pg_session.h"

namespace rowferry {

/// The event triggers by which a PostgreSQL leader tells, at the exact place in its log, how its tables change: schema `rowferry` with one
/// function and three triggers, shared by every stream of the database. The function writes a transactional logical message
/// (decoder/pgoutput/ddl_message.h) and never lets the application's statement fail.
namespace pg_ddl_trigger {

/// Makes what is missing, where the role may (superusers only). False, and nothing is asked of the server that it would log as an error, where
/// it may not.
bool install(PgSession& session);

/// Every trigger is there, enabled for every session, and the function is ours.
[[nodiscard]] bool is_healthy(PgSession& session);

/// Removes all of it; one line each. Leaves it alone, with a warning, where the role may not.
std::vector<std::string> remove(PgSession& session);

}  // namespace pg_ddl_trigger
}  // namespace rowferry
