#pragma once

#include <cstdint>
#include <string>

#include "db/sqlite.h"

namespace rowferry {

/// What a connection does to rows, told by SQLite itself, as one number: the sum of a digest of each change (table, rowid, values before and after). Rows of SQLite's
/// and of our own tables do not count, nor does the order of the changes. One thread; must not outlive the connection.
class RowDigest {
public:
    explicit RowDigest(SqliteDatabase& db);
    ~RowDigest();
    RowDigest(const RowDigest&) = delete;
    RowDigest& operator=(const RowDigest&) = delete;

    void begin() noexcept { count_ = low_ = high_ = 0; }
    /// `12:` and 32 hexadecimal digits: how many changes, and their sum.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// For SQLite's hook.
    void add(int operation, const char* table, std::int64_t old_rowid, std::int64_t new_rowid);

private:
    void add_value(sqlite3_value* value);

    SqliteDatabase& db_;
    std::string row_;  ///< Recycled.
    std::uint64_t count_ = 0;
    std::uint64_t low_ = 0;
    std::uint64_t high_ = 0;
};

}  // namespace rowferry
