#include "tests/support/table_shape.h"

#include "tests/support/table_shape_parts.h"

namespace rowferry::test {

std::vector<TableShape> read_shapes(const Database& database, bool pool) {
    return database.is_postgresql() ? read_pg_shapes(database, pool) : read_sqlite_shapes(database, pool);
}

}  // namespace rowferry::test
