#pragma once

#include <string>
#include <vector>

#include "schemas/user_type.h"

namespace rowferry {

/// DDL text for user-defined types of a PostgreSQL follower. Pure. Throws RefusedError where the leader's texts are no names and expressions.

/// `CREATE TYPE` or `CREATE DOMAIN`, or `CREATE EXTENSION` for what comes with one. Not for Kind::other.
[[nodiscard]] std::string pg_create_type(const UserType& type);

/// Why a follower's own type of the same name cannot take the leader's values, empty when it can: labels or attributes that are missing, another
/// base, a constraint that the leader does not have.
[[nodiscard]] std::string pg_type_difference(const UserType& leader, const UserType& follower);

/// `domain public.year`, for messages.
[[nodiscard]] std::string describe_type(const UserType& type);

}  // namespace rowferry
