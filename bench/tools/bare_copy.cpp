// bare_copy to-sqlite URI FILE TABLE | bare_copy to-postgresql FILE URI TABLE
// A whole table in one transaction: COPY into prepared inserts, or SELECT into COPY. The table exists on both sides.
#include "tools.h"

using namespace bench;

namespace {

void to_sqlite(const char* uri, const char* file, const std::string& table) {
    Postgresql leader{uri};
    Sqlite follower{file};
    const std::vector<Column> columns = columns_of(follower, table);
    sqlite3_stmt* insert = follower.prepare(change_sql("insert", table, columns, '?'));
    std::vector<std::string_view> cells;
    leader.run("SET TimeZone = 'UTC'");
    follower.run("BEGIN IMMEDIATE");
    leader.run("COPY " + table + " TO STDOUT");
    for (;;) {
        char* row = nullptr;
        const int size = PQgetCopyData(leader.handle(), &row, 0);
        if (size == -1) break;
        if (size < 0) fail(PQerrorMessage(leader.handle()));
        split_row({row, static_cast<std::size_t>(size) - 1}, cells);
        bind(insert, columns, cells, columns.size());
        follower.check(sqlite3_step(insert));
        sqlite3_reset(insert);
        PQfreemem(row);
    }
    PGresult* result = PQgetResult(leader.handle());
    leader.require(result, PGRES_COMMAND_OK);
    PQclear(result);
    follower.run("COMMIT");
    sqlite3_finalize(insert);
}

void to_postgresql(const char* file, const char* uri, const std::string& table) {
    Sqlite leader{file};
    Postgresql follower{uri};
    sqlite3_stmt* rows = leader.prepare("SELECT * FROM " + table);
    const int columns = sqlite3_column_count(rows);
    follower.run("COPY " + table + " FROM STDIN");
    std::string text;
    const auto flush = [&] {
        if (PQputCopyData(follower.handle(), text.data(), static_cast<int>(text.size())) != 1) fail(PQerrorMessage(follower.handle()));
        text.clear();
    };
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < columns; ++i) {
            if (i > 0) text += '\t';
            const auto* value = reinterpret_cast<const char*>(sqlite3_column_text(rows, i));
            if (value == nullptr)
                text += "\\N";
            else
                text.append(value, static_cast<std::size_t>(sqlite3_column_bytes(rows, i)));
        }
        text += '\n';
        if (text.size() > 60'000) flush();
    }
    leader.check(sqlite3_finalize(rows));
    flush();
    if (PQputCopyEnd(follower.handle(), nullptr) != 1) fail(PQerrorMessage(follower.handle()));
    PGresult* result = PQgetResult(follower.handle());
    follower.require(result, PGRES_COMMAND_OK);
    PQclear(result);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 5 && std::strcmp(argv[1], "to-sqlite") == 0)
        to_sqlite(argv[2], argv[3], argv[4]);
    else if (argc == 5 && std::strcmp(argv[1], "to-postgresql") == 0)
        to_postgresql(argv[2], argv[3], argv[4]);
    else
        fail("usage: bare_copy to-sqlite URI FILE TABLE | bare_copy to-postgresql FILE URI TABLE");
}
