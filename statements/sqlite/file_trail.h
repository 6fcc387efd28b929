#pragma once

#include <string>

#include "db/leader_file.h"
#include "db/sqlite.h"

namespace rowferry {

/// Which commit of a file is its last one, by what SQLite counts: its change counter, in WAL mode the log's salts, last frame and number of changes. With what was
/// noted at one write of ours it can be told at the next whether anybody else committed in between. One thread.
class FileTrail {
public:
    explicit FileTrail(const std::string& path);

    /// The last commit before the transaction that is open on `db`: a write transaction, in rollback-journal mode a read transaction will do.
    /// Empty where it cannot be told.
    [[nodiscard]] std::string last_commit(SqliteDatabase& db) const;
    /// The same for a read transaction, which this begins on `db`. In WAL mode nobody commits between the two.
    [[nodiscard]] std::string begin_read(SqliteDatabase& db) const;

    /// Is there exactly one commit behind `before`, up to and with `now`? False also where that cannot be told.
    [[nodiscard]] bool one_commit_between(const std::string& before, const std::string& now, SqliteDatabase& db) const;

private:
    [[nodiscard]] std::string wal_state() const;

    std::string path_;
    LeaderFile file_;
};

}  // namespace rowferry
