#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "db/sqlite_table_snapshot.h"
#include "decoder/sqlite_wal/frame_log.h"
#include "schemas/leader.h"

namespace rowferry {

/// A SQLite leader in WAL mode as one read transaction sees it.
class WalSnapshot : public SqliteTableSnapshot {
public:
    /// `db` has a read transaction open, at `place`.
    WalSnapshot(std::unique_ptr<SqliteDatabase> db, const WalPlace& place, const std::vector<TableName>& tables, const StreamRequest& request, const StopSignal& stop);
    ~WalSnapshot() override;

    [[nodiscard]] Position position() const override { return place_.position(); }
    [[nodiscard]] std::string resume() const override;

private:
    std::unique_ptr<SqliteDatabase> db_;
    WalPlace place_;
};

}  // namespace rowferry
