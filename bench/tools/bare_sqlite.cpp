// bare_sqlite FILE insert|update|delete TABLE GROUP [SQL...] < rows
// A loop of one prepared statement over rows in COPY's text format, committed every GROUP rows. The first column is the key; each SQL (such
// as a PRAGMA) runs first.
#include "tools.h"

using namespace bench;

int main(int argc, char** argv) {
    if (argc < 5) fail("usage: bare_sqlite FILE insert|update|delete TABLE GROUP [SQL...] < rows");
    const std::string kind = argv[2], table = argv[3];
    const long group = std::strtol(argv[4], nullptr, 10);
    if (group < 1) fail("GROUP has to be a positive number");
    Sqlite db{argv[1]};
    for (int i = 5; i < argc; ++i) db.run(argv[i]);

    const std::vector<Column> columns = columns_of(db, table);
    sqlite3_stmt* change = db.prepare(change_sql(kind, table, columns, '?'));
    const std::size_t bound = kind == "delete" ? 1 : columns.size();
    LineReader lines;
    std::vector<std::string_view> cells;
    long in_group = 0;
    for (std::string_view line; lines.next(line);) {
        if (in_group == 0) db.run("BEGIN IMMEDIATE");
        split_row(line, cells);
        bind(change, columns, cells, bound);
        db.check(sqlite3_step(change));
        sqlite3_reset(change);
        if (sqlite3_changes(db.handle()) != 1) fail("a row that is not there");
        if (++in_group == group) {
            db.run("COMMIT");
            in_group = 0;
        }
    }
    if (in_group != 0) db.run("COMMIT");
    sqlite3_finalize(change);
}
