#include "tests/support/sqlite_db.h"

#include <stdexcept>

#include <fmt/format.h>

namespace rowferry::test {
namespace {

[[noreturn]] void fail(sqlite3* db, const std::string& sql) {
    throw std::runtime_error{fmt::format("{} ({}) in: {}", sqlite3_errmsg(db), sqlite3_extended_errcode(db), sql.substr(0, 400))};
}

struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

SqliteValue read_value(sqlite3_stmt* statement, int column) {
    const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(statement, column)); };
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER: return sqlite3_column_int64(statement, column);
        case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
        case SQLITE_TEXT: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
            return std::string(text, size());
        }
        case SQLITE_BLOB: {
            const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
            return SqliteBlob{bytes == nullptr ? std::string{} : std::string(bytes, size())};
        }
        default: return std::monostate{};
    }
}

}  // namespace

SqliteDb::SqliteDb(const std::filesystem::path& path, bool foreign_keys) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) fail(db, "open " + path.string());
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 10000);
    if (foreign_keys) exec("PRAGMA foreign_keys = ON");
}

void SqliteDb::exec(const std::string& sql) {
    if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(db_.get(), sql);
}

bool SqliteDb::try_exec(const std::string& sql) {
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) & 0xff;
    if (code == SQLITE_OK) return true;
    if (code != SQLITE_CONSTRAINT && code != SQLITE_BUSY) fail(db_.get(), sql);
    return false;
}

std::vector<SqliteRow> SqliteDb::query(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) fail(db_.get(), sql);
    const std::unique_ptr<sqlite3_stmt, Finalize> statement{raw};
    std::vector<SqliteRow> rows;
    int code = 0;
    while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
        SqliteRow& row = rows.emplace_back();
        for (int i = 0; i < sqlite3_column_count(raw); ++i) row.push_back(read_value(raw, i));
    }
    if (code != SQLITE_DONE) fail(db_.get(), sql);
    return rows;
}

std::string SqliteDb::value(const std::string& sql) {
    const std::vector<SqliteRow> rows = query(sql);
    if (rows.empty()) throw std::runtime_error{"no row from: " + sql};
    struct Text {
        std::string operator()(std::monostate) const { return {}; }
        std::string operator()(std::int64_t v) const { return std::to_string(v); }
        std::string operator()(double v) const { return fmt::format("{}", v); }
        std::string operator()(const std::string& v) const { return v; }
        std::string operator()(const SqliteBlob& v) const { return v.bytes; }
    };
    return std::visit(Text{}, rows[0].at(0));
}

}  // namespace rowferry::test
