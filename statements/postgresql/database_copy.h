#pragma once

#include <string>

#include "db/pg_conninfo.h"
#include "db/stop_signal.h"

namespace rowferry {

/// Copies a whole database with all its objects, as of a snapshot that some session exported, into another one that is empty: PostgreSQL's own pg_dump into psql, which know every kind of object.
/// Owners, privileges, publications, subscriptions and large objects are left out. Passwords reach neither program's command line. Throws RefusedError when one of the programs is missing or
/// the other side refuses something, InterruptedError.
void copy_database(const PgConninfo& from, const std::string& snapshot, const PgConninfo& to, const StopSignal& stop);

}  // namespace rowferry
