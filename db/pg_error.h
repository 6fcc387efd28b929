#pragma once

#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "schemas/error.h"

namespace rowferry {

/// A statement that PostgreSQL refused, or a connection that ended. The kind follows from the SQLSTATE: class 08, 53, 57P, 40 and
/// 55P03 are retryable, everything else is halted. Server text is treated as data: control characters escaped, length capped.
class PgError : public Error {
public:
    PgError(std::string sqlstate, const std::string& what);
    /// Five characters; empty when the connection broke before the server said anything.
    [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

private:
    std::string sqlstate_;
};

/// What a SQLSTATE means for the stream. Empty means a broken connection.
[[nodiscard]] ErrorKind kind_of_sqlstate(std::string_view sqlstate);

}  // namespace rowferry
