#pragma once

#include <functional>
#include <string>

#include "db/pg_link.h"
#include "db/pg_session.h"

namespace rowferry {

/// Runs control SQL on whichever connection holds the transaction it belongs to: the control session, or during a clone the link that
/// copies. Values in it go through quote_literal().
using PgRun = std::function<PgRows(const std::string& sql)>;

[[nodiscard]] PgRun run_on(PgSession& session);
[[nodiscard]] PgRun run_on(PgLink& link);

}  // namespace rowferry
