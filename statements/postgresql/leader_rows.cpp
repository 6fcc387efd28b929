#include "statements/postgresql/leader_rows.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Rows come in pieces: the control connection has no COPY, and no piece may outgrow memory.
constexpr int kRowsAtOnce = 5000;

// A row's text is exact for every type and has no cast of the application's in it.
constexpr const char* kTables = "select c.oid::regclass::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2 and c.relkind = 'r'";

std::vector<std::string> columns_of(PgSession& session, const TableName& table) {
    const PgRows rows = session.query(
        "select a.attname from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum",
        {table.schema, table.name});
    std::vector<std::string> names;
    for (std::size_t row = 0; row < rows.size(); ++row) names.push_back(quote_identifier(rows.text(row, 0)));
    return names;
}

}  // namespace

LeaderRows::LeaderRows(const PgConninfo& leader, std::string application, const StopSignal& stop)
    : conninfo_{leader}, application_{std::move(application)}, stop_{stop}, session_{leader, PgRole::leader, application_ + "_rows"} {
    session_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    snapshot_ = session_.query("select pg_catalog.pg_current_snapshot()::text").text(0, 0);
}

/// A transaction that writes has a number: none was open, and none has begun since.
bool LeaderRows::is_still() {
    if (!snapshot_.ends_with(':')) return false;
    PgSession now{conninfo_, PgRole::leader, application_ + "_control"};
    return now.query("select pg_catalog.pg_current_snapshot()::text").text(0, 0) == snapshot_;
}

void LeaderRows::correct_table(PgSession& scratch, const TableName& table) {
    if (scratch.query(kTables, {table.schema, table.name}).empty()) return;  // a partitioned table: its leaves hold the rows
    if (session_.query(kTables, {table.schema, table.name}).empty())
        throw HaltError{fmt::format("{} is not a table of the leader that the rows are to be taken from: it does not stand where the log ends", to_string(table))};
    const std::vector<std::string> columns = columns_of(scratch, table);
    if (columns != columns_of(session_, table))
        throw HaltError{fmt::format("{} has other columns on the leader than behind the log: it does not stand where the log ends", to_string(table))};
    if (columns.empty()) return;
    const std::string names = fmt::format("{}", fmt::join(columns, ", "));
    const std::string target = quote_table(table);
    scratch.query(fmt::format("CREATE TEMPORARY TABLE rowferry_leader ON COMMIT DROP AS SELECT {} FROM ONLY {} WITH NO DATA", names, target));
    session_.query(fmt::format("DECLARE rowferry_rows NO SCROLL CURSOR FOR SELECT pg_catalog.textin(pg_catalog.record_out(r.*)) FROM (SELECT {} FROM ONLY {}) r", names, target));
    for (bool more = true; more;) {
        stop_.check();
        const PgRows rows = session_.query(fmt::format("FETCH {} FROM rowferry_rows", kRowsAtOnce));
        more = rows.size() == kRowsAtOnce;
        if (rows.empty()) break;
        std::string values;
        for (std::size_t row = 0; row < rows.size(); ++row) values += fmt::format("{}({}::pg_temp.rowferry_leader)", values.empty() ? "" : ",", quote_literal(rows.text(row, 0)));
        scratch.query("INSERT INTO pg_temp.rowferry_leader SELECT (v.r).* FROM (VALUES " + values + ") v(r)");
    }
    session_.query("CLOSE rowferry_rows");
    // Of equal rows as many as there are on both sides stay.
    scratch.query(fmt::format(
        "WITH there AS (SELECT r.id, r.row, pg_catalog.row_number() OVER (PARTITION BY r.row) AS place FROM (SELECT t.ctid AS id, pg_catalog.textin(pg_catalog.record_out(ROW({2}))) AS row FROM ONLY {1} t) r), "
        "wanted AS (SELECT r.row, pg_catalog.row_number() OVER (PARTITION BY r.row) AS place FROM (SELECT pg_catalog.textin(pg_catalog.record_out(ROW({3}))) AS row FROM pg_temp.rowferry_leader l) r) "
        "DELETE FROM ONLY {1} WHERE ctid IN (SELECT h.id FROM there h WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.row = h.row AND w.place = h.place))",
        names, target, fmt::format("t.{}", fmt::join(columns, ", t.")), fmt::format("l.{}", fmt::join(columns, ", l."))));
    scratch.query(fmt::format(
        "WITH there AS (SELECT r.row, pg_catalog.row_number() OVER (PARTITION BY r.row) AS place FROM (SELECT pg_catalog.textin(pg_catalog.record_out(ROW({2}))) AS row FROM ONLY {1} t) r), "
        "wanted AS (SELECT r.id, r.row, pg_catalog.row_number() OVER (PARTITION BY r.row) AS place FROM (SELECT l.ctid AS id, pg_catalog.textin(pg_catalog.record_out(ROW({3}))) AS row FROM pg_temp.rowferry_leader l) r) "
        "INSERT INTO {1} ({0}) OVERRIDING SYSTEM VALUE SELECT {0} FROM pg_temp.rowferry_leader WHERE ctid IN (SELECT w.id FROM wanted w WHERE NOT EXISTS (SELECT FROM there h WHERE h.row = w.row AND h.place = w.place))",
        names, target, fmt::format("t.{}", fmt::join(columns, ", t.")), fmt::format("l.{}", fmt::join(columns, ", l."))));
    scratch.query("DROP TABLE pg_temp.rowferry_leader");
}

void LeaderRows::correct(PgSession& scratch, const std::set<TableName>& tables) {
    // The leader's rows are what its triggers left. Ours fire all the same (ENABLE ALWAYS).
    scratch.query("SET LOCAL session_replication_role = replica; SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 3; "
                  "SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; SET LOCAL search_path = ''");
    for (const TableName& table : tables) correct_table(scratch, table);
}

}  // namespace rowferry
