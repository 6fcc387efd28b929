// bare_postgresql URI insert|update|delete TABLE GROUP < rows
// A loop of one prepared statement over rows in COPY's text format, pipelined, committed every GROUP rows. The first column is the key.
#include "tools.h"

using namespace bench;

namespace {

std::vector<Column> columns_of(Postgresql& db, const std::string& table) {
    const std::string sql = "SELECT attname FROM pg_attribute WHERE attrelid = '" + table + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    PGresult* result = PQexec(db.handle(), sql.c_str());
    db.require(result, PGRES_TUPLES_OK);
    std::vector<Column> columns;
    for (int row = 0; row < PQntuples(result); ++row) columns.push_back({PQgetvalue(result, row, 0), false});
    PQclear(result);
    return columns;
}

/// Reads the answers up to the pipeline's end; every change has to have met one row.
void collect(Postgresql& db, long changes) {
    long met = 0;
    for (;;) {
        PGresult* result = PQgetResult(db.handle());
        if (result == nullptr) continue;
        const ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) fail(PQerrorMessage(db.handle()));
        if (status == PGRES_COMMAND_OK && std::strcmp(PQcmdTuples(result), "1") == 0) ++met;
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) break;
    }
    if (met != changes) fail("a row that is not there");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) fail("usage: bare_postgresql URI insert|update|delete TABLE GROUP < rows");
    const std::string kind = argv[2], table = argv[3];
    const long group = std::strtol(argv[4], nullptr, 10);
    if (group < 1) fail("GROUP has to be a positive number");
    Postgresql db{argv[1]};
    const std::vector<Column> columns = columns_of(db, table);
    const std::size_t bound = kind == "delete" ? 1 : columns.size();
    PGresult* prepared = PQprepare(db.handle(), "change", change_sql(kind, table, columns, '$').c_str(), 0, nullptr);
    db.require(prepared, PGRES_COMMAND_OK);
    PQclear(prepared);
    if (PQenterPipelineMode(db.handle()) != 1) fail("no pipeline mode");

    LineReader lines;
    std::vector<std::string_view> cells;
    std::vector<std::string> texts(bound);
    std::vector<const char*> values(bound);
    const auto send = [&](const char* sql) {
        if (PQsendQueryParams(db.handle(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) fail(PQerrorMessage(db.handle()));
    };
    const auto commit = [&](long changes) {
        send("COMMIT");
        if (PQpipelineSync(db.handle()) != 1) fail(PQerrorMessage(db.handle()));
        collect(db, changes);
    };
    long in_group = 0;
    for (std::string_view line; lines.next(line);) {
        if (in_group == 0) send("BEGIN");
        split_row(line, cells);
        if (cells.size() < bound) fail("a row with fewer values than the table has columns");
        for (std::size_t i = 0; i < bound; ++i) {
            texts[i] = cells[i];
            values[i] = cells[i].data() == nullptr ? nullptr : texts[i].c_str();
        }
        if (PQsendQueryPrepared(db.handle(), "change", static_cast<int>(bound), values.data(), nullptr, nullptr, 0) != 1) fail(PQerrorMessage(db.handle()));
        if (++in_group == group) {
            commit(in_group);
            in_group = 0;
        }
    }
    if (in_group != 0) commit(in_group);
}
