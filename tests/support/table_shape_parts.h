#pragma once

#include <vector>

#include "tests/support/table_shape.h"

// The two halves of read_shapes().

namespace rowferry::test {

std::vector<TableShape> read_pg_shapes(const Database& database, bool pool);
std::vector<TableShape> read_sqlite_shapes(const Database& database, bool pool);

}  // namespace rowferry::test
