#pragma once

#include <optional>
#include <string>

#include "tests/support/random.h"

namespace rowferry::test {

/// Which values of PostgreSQL's a follower of the other engine cannot hold, and so must not occur.
struct PgValueLimits {
    bool negative_zero = true;  ///< A SQLite column of REAL affinity stores -0.0 as 0.
    bool all_years = true;      ///< Before 0001 and after 9999.
};

/// A random value of one of PostgreSQL's own base types, or one of its extensions', in text form; nothing for types not known here.
/// `type` is pg_type.typname, `modifier` pg_attribute.atttypmod.
std::optional<std::string> pg_base_value(const std::string& type, int modifier, Random& random, const PgValueLimits& limits);

}  // namespace rowferry::test
