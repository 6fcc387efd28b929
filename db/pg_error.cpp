#include "db/pg_error.h"

#include <utility>

namespace rowferry {

PgError::PgError(std::string sqlstate, const std::string& what) : Error{kind_of_sqlstate(sqlstate), what}, sqlstate_{std::move(sqlstate)} {}

ErrorKind kind_of_sqlstate(std::string_view sqlstate) {
    if (sqlstate.empty()) return ErrorKind::retryable;
    const std::string_view category = sqlstate.substr(0, 2);
    // Connection exceptions, insufficient resources, serialization failures and deadlocks.
    if (category == "08" || category == "53" || category == "40") return ErrorKind::retryable;
    // Shutdown, crash, starting up, terminated by an administrator, cancelled, idle session ended, database dropped while in use.
    if (category == "57") return ErrorKind::retryable;
    // Lock not available, object in use (a slot that its last walsender still holds).
    if (sqlstate == "55P03" || sqlstate == "55006") return ErrorKind::retryable;
    // Password or role refused: may be put right again while we retry (rotated passwords, pg_hba reloads).
    if (category == "28") return ErrorKind::retryable;
    // System errors of the server: I/O, disk.
    if (category == "58") return ErrorKind::retryable;
    // Idle-in-transaction and other session timeouts.
    if (sqlstate == "25P03" || sqlstate == "25P04") return ErrorKind::retryable;
    return ErrorKind::halted;
}

}  // namespace rowferry
