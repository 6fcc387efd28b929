#pragma once

#include <memory>
#include <string>

#include "db/sqlite.h"
#include "decoder/sqlite_wal/kept_file.h"
#include "decoder/sqlite_wal/wal_index.h"
#include "schemas/error.h"

namespace rowferry {

/// A file that cannot be followed by its log. what() has the path, and the way out.
class LogRefusedError : public RefusedError {
public:
    LogRefusedError(const std::string& path, const std::string& reason, const std::string& way_out);
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

private:
    std::string reason_;
};

/// A leader in WAL mode, held open: while one of these lives, no other connection is the last one, which would remove the log. One thread.
class WalAccess {
public:
    /// Throws LogRefusedError for files that cannot be followed by their log: rollback-journal mode, an encrypted file, a network file
    /// system, an exclusive lock, no shared memory.
    explicit WalAccess(const std::string& path);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string wal_path() const { return path_ + "-wal"; }
    [[nodiscard]] SqliteDatabase& db() noexcept { return *db_; }
    [[nodiscard]] const KeptFile& database() const noexcept { return database_; }
    [[nodiscard]] const WalIndex& index() const noexcept { return *index_; }
    [[nodiscard]] std::uint32_t page_size() const noexcept { return page_size_; }
    /// Pages of the database as that header's snapshot sees it. An index that no commit has been written to does not know.
    [[nodiscard]] std::uint32_t page_count(const WalIndexHeader& header) const;
    /// False when the database or its -shm was removed or replaced.
    [[nodiscard]] bool still_there() const noexcept { return database_.still_at(path_) && index_->still_there(); }

private:
    std::string path_;
    KeptFile database_;
    std::unique_ptr<SqliteDatabase> db_;
    std::unique_ptr<WalIndex> index_;
    std::uint32_t page_size_ = 0;
};

/// Who the file is: its number in its file system and when it was made, which survive a restart of the machine and tell a copy from the original.
[[nodiscard]] std::string file_identity(const std::string& path);

}  // namespace rowferry
