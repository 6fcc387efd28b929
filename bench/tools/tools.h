#pragma once

#include <libpq-fe.h>
#include <sqlite3.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// What the bare loops share. They are what rowferry is measured against, so they do the least that the work allows: no checks of values, no
// positions, nothing to resume from. Every error ends the program with a message and exit code 1.

namespace bench {

[[noreturn]] inline void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

/// One row of COPY's text format: views into the caller's buffer, a null is a view without data.
inline void split_row(std::string_view line, std::vector<std::string_view>& cells) {
    cells.clear();
    for (;;) {
        const std::size_t tab = line.find('\t');
        const std::string_view cell = line.substr(0, tab);
        if (cell == "\\N")
            cells.emplace_back();
        else if (cell.find('\\') != std::string_view::npos)
            fail("a value with a backslash: the benchmark's own rows have none");
        else
            cells.push_back(cell);
        if (tab == std::string_view::npos) return;
        line.remove_prefix(tab + 1);
    }
}

/// Lines of standard input, without their ends; a view holds until the next call.
class LineReader {
  public:
    bool next(std::string_view& line) {
        for (;;) {
            if (const void* end = std::memchr(buffer_.data() + begin_, '\n', size_ - begin_)) {
                const char* first = buffer_.data() + begin_;
                line = {first, static_cast<std::size_t>(static_cast<const char*>(end) - first)};
                begin_ += line.size() + 1;
                return true;
            }
            std::memmove(buffer_.data(), buffer_.data() + begin_, size_ - begin_);
            size_ -= begin_;
            begin_ = 0;
            if (size_ == buffer_.size()) fail("a line of more than 1 MB");
            const std::size_t got = std::fread(buffer_.data() + size_, 1, buffer_.size() - size_, stdin);
            if (got == 0) return false;
            size_ += got;
        }
    }

  private:
    std::vector<char> buffer_ = std::vector<char>(1 << 20);
    std::size_t begin_ = 0, size_ = 0;
};

class Sqlite {
  public:
    explicit Sqlite(const char* path) {
        check(sqlite3_open(path, &db_));
        sqlite3_busy_timeout(db_, 60'000);
    }
    ~Sqlite() { sqlite3_close(db_); }
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;

    void check(int code) const {
        if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) fail(std::string{"SQLite: "} + sqlite3_errmsg(db_));
    }
    void run(const std::string& sql) { check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr)); }
    sqlite3_stmt* prepare(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
        return statement;
    }
    sqlite3* handle() const { return db_; }

  private:
    sqlite3* db_ = nullptr;
};

struct Column {
    std::string name;
    bool integer;
};

/// The columns of a table; what is declared as a kind of integer, or as a boolean, is bound as one.
inline std::vector<Column> columns_of(Sqlite& db, const std::string& table) {
    std::vector<Column> columns;
    sqlite3_stmt* statement = db.prepare("SELECT name, type LIKE '%INT%' OR type = 'BOOLEAN' FROM pragma_table_info('" + table + "') ORDER BY cid");
    while (sqlite3_step(statement) == SQLITE_ROW)
        columns.push_back({reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)), sqlite3_column_int(statement, 1) != 0});
    sqlite3_finalize(statement);
    if (columns.empty()) fail("no table " + table);
    return columns;
}

inline void bind(sqlite3_stmt* statement, const std::vector<Column>& columns, const std::vector<std::string_view>& cells, std::size_t count) {
    if (cells.size() < count) fail("a row with fewer values than the table has columns");
    for (std::size_t i = 0; i < count; ++i) {
        const int at = static_cast<int>(i) + 1;
        if (cells[i].data() == nullptr)
            sqlite3_bind_null(statement, at);
        else if (columns[i].integer && (cells[i] == "t" || cells[i] == "f"))
            sqlite3_bind_int(statement, at, cells[i] == "t");
        else if (columns[i].integer)
            sqlite3_bind_int64(statement, at, std::strtoll(cells[i].data(), nullptr, 10));
        else
            sqlite3_bind_text(statement, at, cells[i].data(), static_cast<int>(cells[i].size()), SQLITE_STATIC);
    }
}

/// "INSERT", "UPDATE" by the first column, or "DELETE" by it. `parameter` is what stands before a parameter's number: ? or $.
inline std::string change_sql(const std::string& kind, const std::string& table, const std::vector<Column>& columns, char parameter) {
    const std::string key = columns[0].name + " = " + parameter + "1";
    if (kind == "delete") return "DELETE FROM " + table + " WHERE " + key;
    std::string list;
    for (std::size_t i = kind == "insert" ? 0 : 1; i < columns.size(); ++i) {
        if (!list.empty()) list += ", ";
        if (kind == "update") list += columns[i].name + " = ";
        list += parameter + std::to_string(i + 1);
    }
    if (kind == "insert") return "INSERT INTO " + table + " VALUES (" + list + ")";
    if (kind == "update") return "UPDATE " + table + " SET " + list + " WHERE " + key;
    fail("insert, update or delete, not " + kind);
}

class Postgresql {
  public:
    explicit Postgresql(const char* uri) : conn_{PQconnectdb(uri)} {
        if (PQstatus(conn_) != CONNECTION_OK) fail(PQerrorMessage(conn_));
    }
    ~Postgresql() { PQfinish(conn_); }
    Postgresql(const Postgresql&) = delete;
    Postgresql& operator=(const Postgresql&) = delete;

    PGconn* handle() const { return conn_; }
    void require(PGresult* result, ExecStatusType wanted) const {
        if (PQresultStatus(result) != wanted) fail(PQerrorMessage(conn_));
    }
    void run(const std::string& sql) {
        PGresult* result = PQexec(conn_, sql.c_str());
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN && status != PGRES_COPY_OUT) fail(PQerrorMessage(conn_));
        PQclear(result);
    }

  private:
    PGconn* conn_;
};

}  // namespace bench
