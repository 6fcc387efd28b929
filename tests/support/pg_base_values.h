#pragma once

#include <optional>
#include <string>

#include "tests/support/random.h"

namespace rowferry::test {

/// A random value of one of PostgreSQL's own base types, or one of its extensions', in text form; nothing for types not known here.
/// `type` is pg_type.typname, `modifier` pg_attribute.atttypmod.
std::optional<std::string> pg_base_value(const std::string& type, int modifier, Random& random);

}  // namespace rowferry::test
