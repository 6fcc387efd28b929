#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <sqlite3.h>

namespace rowferry::test {

class StatementRelay;

struct SqliteBlob {
    std::string bytes;
    friend bool operator==(const SqliteBlob&, const SqliteBlob&) = default;
};
/// NULL, INTEGER, REAL, TEXT, BLOB: the storage classes themselves, nothing converted.
using SqliteValue = std::variant<std::monostate, std::int64_t, double, std::string, SqliteBlob>;
using SqliteRow = std::vector<SqliteValue>;

/// One SQLite connection, as an application would use it: waits 10 s for a busy file. One thread.
/// Every failure is a std::runtime_error with SQLite's text and code.
class SqliteDb {
public:
    explicit SqliteDb(const std::filesystem::path& path, bool foreign_keys = false);

    void exec(const std::string& sql);
    /// False for any failure.
    bool attempt(const std::string& sql);
    /// False instead of a throw on a constraint violation or a busy file.
    bool try_exec(const std::string& sql);
    std::vector<SqliteRow> query(const std::string& sql);
    /// First column of the first row as text; empty for NULL. Throws when there is no row.
    std::string value(const std::string& sql);

    /// Where statements run.
    [[nodiscard]] sqlite3* get() const noexcept { return rehearsal_ ? rehearsal_.get() : db_.get(); }

private:
    struct Close {
        void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    };
    int run(const std::string& sql);
    int relay(const std::string& sql);
    int relay_one(const std::string& statement);

    std::unique_ptr<sqlite3, Close> db_;
    // Of a leader that is written to through its statement log:
    std::shared_ptr<StatementRelay> relay_;
    std::unique_ptr<sqlite3, Close> rehearsal_;
    std::string settings_;  ///< Pragmas of this connection.
    std::string pending_;   ///< What its transaction has done so far.
};

}  // namespace rowferry::test
