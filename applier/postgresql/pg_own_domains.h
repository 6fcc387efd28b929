#pragma once

#include <string>

#include "applier/postgresql/pg_query.h"

namespace rowferry {

/// The domains by which a PostgreSQL follower keeps what SQLite had (kSqliteValue, kSqliteNumeric). They are made when a column needs one,
/// and stay when the stream is dropped, as the tables that use them do.

/// Is `type` one of them, and not there yet? Throws RefusedError when something else has its name.
[[nodiscard]] bool own_domain_missing(const PgRun& run, const std::string& type);
/// CREATE DOMAIN, with the schema it is in.
void make_own_domain(const PgRun& run, const std::string& type);

}  // namespace rowferry
