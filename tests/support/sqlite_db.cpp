#include "tests/support/sqlite_db.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/support/statement_relay.h"

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
    relay_ = StatementRelay::of(path);
    if (relay_) {
        sqlite3* rehearsal = nullptr;
        const int opened = sqlite3_open_v2(relay_->rehearsal().c_str(), &rehearsal, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
        rehearsal_.reset(rehearsal);
        if (opened != SQLITE_OK) fail(rehearsal, "open the rehearsal of " + path.string());
        sqlite3_extended_result_codes(rehearsal, 1);
        sqlite3_busy_timeout(rehearsal, 10000);
    }
    if (foreign_keys) exec("PRAGMA foreign_keys = ON");
}

int SqliteDb::run(const std::string& sql) { return relay_ ? relay(sql) : sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr); }

void SqliteDb::exec(const std::string& sql) {
    if (run(sql) != SQLITE_OK) fail(get(), sql);
}

bool SqliteDb::attempt(const std::string& sql) { return run(sql) == SQLITE_OK; }

bool SqliteDb::try_exec(const std::string& sql) {
    const int code = run(sql) & 0xff;
    if (code == SQLITE_OK) return true;
    if (code != SQLITE_CONSTRAINT && code != SQLITE_BUSY) fail(get(), sql);
    return false;
}

/// Statement by statement, as sqlite3_exec() does.
int SqliteDb::relay(const std::string& sql) {
    for (const char* at = sql.c_str(); *at != '\0';) {
        sqlite3_stmt* raw = nullptr;
        const char* tail = nullptr;
        const int code = sqlite3_prepare_v2(get(), at, -1, &raw, &tail);
        const std::unique_ptr<sqlite3_stmt, Finalize> statement{raw};
        if (code != SQLITE_OK) return code;
        std::string text{at, tail};
        at = tail;
        if (raw == nullptr) continue;
        if (text.back() != ';') text += ';';
        if (const int failed = relay_one(text); failed != SQLITE_OK) return failed;
    }
    return SQLITE_OK;
}

int SqliteDb::relay_one(const std::string& statement) {
    const auto is = [&](std::string_view word) {
        const std::size_t begin = std::min(statement.find_first_not_of(" \n\t"), statement.size());
        return sqlite3_strnicmp(statement.c_str() + begin, word.data(), static_cast<int>(word.size())) == 0;
    };
    const auto on_rehearsal = [&](const char* sql) { return sqlite3_exec(get(), sql, nullptr, nullptr, nullptr); };
    if (is("pragma")) {
        settings_ += statement + "\n";
        return on_rehearsal(statement.c_str());
    }
    const bool alone = sqlite3_get_autocommit(get()) != 0 && !is("begin") && !is("savepoint");
    if (alone)
        if (const int code = on_rehearsal("BEGIN IMMEDIATE"); code != SQLITE_OK) return code;
    const bool ends = is("commit") || is("end") || is("release");
    std::unique_lock<std::mutex> turn;
    if (ends) turn = relay_->turn();
    int code = on_rehearsal(statement.c_str());
    if (code == SQLITE_OK) pending_ += statement + "\n";
    if (alone && code == SQLITE_OK && sqlite3_get_autocommit(get()) == 0) {
        turn = relay_->turn();
        code = on_rehearsal("COMMIT");
        pending_ = "BEGIN;\n" + pending_ + "COMMIT;\n";
    }
    if (alone && sqlite3_get_autocommit(get()) == 0) on_rehearsal("ROLLBACK");
    if (sqlite3_get_autocommit(get()) == 0) return code;  // it goes on
    if (turn.owns_lock() && code == SQLITE_OK) relay_->send("PRAGMA foreign_keys = OFF;\n" + settings_ + pending_);
    pending_.clear();
    return code;
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
