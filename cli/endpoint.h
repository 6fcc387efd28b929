#pragma once

#include <string>
#include <string_view>

#include "schemas/identity.h"
#include "schemas/position.h"

namespace rowferry {

/// A database as the user names it. Not checked for existence. The target of a PostgreSQL endpoint may hold a password: never print it.
struct Endpoint {
    Engine engine = Engine::sqlite;
    std::string target;  ///< PostgreSQL: the whole URI. SQLite: the path, verbatim.
};

/// `postgresql://…`, `postgres://…` or `sqlite:PATH`. Throws UsageError without the text itself, which may hold a password.
[[nodiscard]] Endpoint parse_endpoint(std::string_view text);

/// Whether a URI carries a secret itself (`user:password@` or `?password=`). False for text that libpq cannot parse.
[[nodiscard]] bool holds_password(std::string_view text);

/// What positions of such a leader look like.
[[nodiscard]] PositionKind position_kind(Engine leader, CaptureMethod capture);

/// For messages and process lists: without user, password and options.
[[nodiscard]] std::string describe(const Endpoint& endpoint);

}  // namespace rowferry
