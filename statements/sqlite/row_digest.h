#pragma once

#include <cstdint>
#include <string>

#include "db/sqlite.h"

namespace rowferry {

/// What a connection does to rows, told by SQLite itself, as one number: the sum of a digest (of table, rowid and values) of each row that came, less those of the rows that went. So it is the same for all
/// ways to the same end: SQLite tells of an update as such or as of a row that goes and one that comes, depending on triggers. Rows of SQLite's and of our own tables do not count. One thread; must not outlive the connection.
class RowDigest {
public:
    explicit RowDigest(SqliteDatabase& db);
    ~RowDigest();
    RowDigest(const RowDigest&) = delete;
    RowDigest& operator=(const RowDigest&) = delete;

    void begin() noexcept { count_ = low_ = high_ = 0; }
    /// 32 hexadecimal digits.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// For SQLite's hook.
    void add(int operation, const char* table, std::int64_t old_rowid, std::int64_t new_rowid);

private:
    void add_value(sqlite3_value* value);
    void add_row(bool is_there);

    SqliteDatabase& db_;
    std::string row_;  ///< Recycled.
    std::uint64_t count_ = 0;
    std::uint64_t low_ = 0;
    std::uint64_t high_ = 0;
};

}  // namespace rowferry
