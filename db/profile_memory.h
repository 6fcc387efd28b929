#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A connection to a leader, and what its tables' columns held when it last looked. Before a copy the columns are looked at twice: before anything is
/// written, and at the snapshot's own position. When nobody else has committed in between (our own writes touch no table of the leader's), the
/// second look is spared. One thread; one user at a time.
class ProfileMemory {
public:
    explicit ProfileMemory(const std::string& path) : db_{path, SqliteDatabase::Mode::read_write} {}
    [[nodiscard]] SqliteDatabase& db() noexcept { return db_; }

    /// profile_columns() in the read transaction that is open on db(), or what it said before.
    void profile(TableSchema& table, const std::string& filter, const StopSignal& stop);

private:
    using Key = std::pair<TableName, std::string>;  ///< Table and filter.

    SqliteDatabase db_;
    std::int64_t data_version_ = -1;  ///< Of SQLite for this connection: rises when another one has committed.
    std::map<Key, std::vector<ColumnSchema>> looked_;
};

}  // namespace rowferry
