#include "applier/postgresql/pg_checkpoint_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/postgresql/pg_quarantine_store.h"
#include "applier/postgresql/pg_table_copier.h"
#include "schemas/error.h"
#include "schemas/hex.h"
#include "schemas/identifier.h"

namespace rowferry::pg_checkpoints {
namespace {

// The checkpoint is updated with every group: room on its page keeps the new version there, without an entry in the index.
constexpr std::string_view kOwnTables = R"(
CREATE SCHEMA IF NOT EXISTS rowferry;
CREATE TABLE IF NOT EXISTS rowferry.checkpoint (
    stream         text PRIMARY KEY,
    layout         integer NOT NULL,
    follower_id    text NOT NULL,
    leader         text NOT NULL,
    capture        text NOT NULL,
    state          text NOT NULL CHECK (state IN ('copying', 'ready')),
    position       text NOT NULL,
    resume         bytea NOT NULL,
    commit_time_us bigint NOT NULL,
    acked          text NOT NULL,
    term           bigint NOT NULL,
    selection      text NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS rowferry.table_state (
    stream         text NOT NULL REFERENCES rowferry.checkpoint ON DELETE CASCADE,
    schema         text NOT NULL,
    name           text NOT NULL,
    included_to    text NOT NULL,
    shape          text NOT NULL,
    made           boolean NOT NULL,
    PRIMARY KEY (stream, schema, name)
))";

ParsedPosition stored_position(const std::string& text) {
    try {
        return parse_position(text);
    } catch (const UsageError&) {
        throw HaltError{fmt::format("the checkpoint holds a position \"{}\" that this version cannot read", printable(text, 80))};
    }
}

Checkpoint checkpoint_from(const PgRows& rows, std::size_t i) {
    Checkpoint checkpoint;
    checkpoint.stream = rows.text(i, 0);
    checkpoint.follower_id = rows.text(i, 1);
    checkpoint.leader = parse_identity(rows.text(i, 2));
    checkpoint.capture = parse_capture_method(rows.text(i, 3));
    checkpoint.state = parse_checkpoint_state(rows.text(i, 4));
    const ParsedPosition position = stored_position(rows.text(i, 5));
    checkpoint.position_kind = position.kind;
    checkpoint.position = position.position;
    checkpoint.resume = from_hex(rows.text(i, 6));
    checkpoint.commit_time_us = rows.integer(i, 7);
    checkpoint.acked = stored_position(rows.text(i, 8)).position;
    checkpoint.term = static_cast<std::uint64_t>(rows.integer(i, 9));
    checkpoint.selection = rows.text(i, 10);
    return checkpoint;
}

}  // namespace

bool exist(const PgRun& run) { return run("SELECT to_regclass('rowferry.checkpoint') IS NOT NULL").boolean(0, 0); }

std::vector<Checkpoint> load(const PgRun& run) {
    if (!exist(run)) return {};
    const PgRows layout = run("SELECT max(layout) FROM rowferry.checkpoint");
    if (!layout.is_null(0, 0) && layout.integer(0, 0) > kCheckpointLayout)
        throw HaltError{fmt::format("the follower's checkpoint has layout {}, this version knows {}: use the newer rowferry that wrote it",
                                    layout.integer(0, 0), kCheckpointLayout)};
    std::vector<Checkpoint> checkpoints;
    const PgRows rows =
        run("SELECT stream, follower_id, leader, capture, state, position, encode(resume, 'hex'), commit_time_us, acked, term, selection "
            "FROM rowferry.checkpoint ORDER BY stream");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        Checkpoint checkpoint = checkpoint_from(rows, i);
        const PgRows tables =
            run(fmt::format("SELECT schema, name, included_to, shape FROM rowferry.table_state WHERE stream = {} ORDER BY 1, 2",
                            quote_literal(checkpoint.stream)));
        for (std::size_t t = 0; t < tables.size(); ++t)
            checkpoint.tables.push_back(
                {{tables.text(t, 0), tables.text(t, 1)}, stored_position(tables.text(t, 2)).position, table_from_json(tables.text(t, 3))});
        checkpoints.push_back(std::move(checkpoint));
    }
    return checkpoints;
}

void create_tables(const PgRun& run) {
    if (!exist(run)) run(std::string{kOwnTables});
}

void write(const PgRun& run, const Checkpoint& checkpoint, const std::map<TableName, bool>& made) {
    const PositionKind kind = checkpoint.position_kind;
    run(fmt::format("DELETE FROM rowferry.table_state WHERE stream = {}", quote_literal(checkpoint.stream)));
    run(fmt::format(
        "INSERT INTO rowferry.checkpoint (stream, layout, follower_id, leader, capture, state, position, resume, commit_time_us, acked, "
        "term, selection) "
        "VALUES ({}, {}, {}, {}, {}, {}, {}, decode('{}', 'hex'), {}, {}, {}, {}) ON CONFLICT (stream) DO UPDATE SET layout = "
        "excluded.layout, "
        "follower_id = excluded.follower_id, leader = excluded.leader, capture = excluded.capture, state = excluded.state, "
        "position = excluded.position, resume = excluded.resume, commit_time_us = excluded.commit_time_us, acked = excluded.acked, "
        "term = excluded.term, selection = excluded.selection",
        quote_literal(checkpoint.stream), kCheckpointLayout, quote_literal(checkpoint.follower_id),
        quote_literal(to_string(checkpoint.leader)), quote_literal(to_string(checkpoint.capture)),
        quote_literal(to_string(checkpoint.state)), quote_literal(to_string(kind, checkpoint.position)), to_hex(checkpoint.resume),
        checkpoint.commit_time_us, quote_literal(to_string(kind, checkpoint.acked)), checkpoint.term, quote_literal(checkpoint.selection)));
    for (const TableState& table : checkpoint.tables) {
        const auto ours = made.find(table.name);
        run(fmt::format("INSERT INTO rowferry.table_state (stream, schema, name, included_to, shape, made) VALUES ({}, {}, {}, {}, {}, {})",
                        quote_literal(checkpoint.stream), quote_literal(table.name.schema), quote_literal(table.name.name),
                        quote_literal(to_string(kind, table.included_to)), quote_literal(to_json(table.shape)),
                        ours != made.end() && ours->second));
    }
}

std::map<TableName, bool> made_tables(const PgRun& run, const std::string& stream) {
    std::map<TableName, bool> made;
    if (!exist(run)) return made;
    const PgRows rows =
        run(fmt::format("SELECT t.schema, t.name, t.made FROM rowferry.table_state t JOIN rowferry.checkpoint c USING (stream) WHERE "
                        "t.stream = {} AND c.state = 'copying'",
                        quote_literal(stream)));
    for (std::size_t i = 0; i < rows.size(); ++i) made[{rows.text(i, 0), rows.text(i, 1)}] = rows.boolean(i, 2);
    return made;
}

std::vector<std::string> drop(const PgRun& run, const std::vector<std::string>& streams, bool dry_run) {
    std::vector<std::string> removed;
    if (!exist(run)) return removed;
    std::vector<std::string> left;
    const PgRows stored = run("SELECT stream FROM rowferry.checkpoint ORDER BY stream");
    for (const auto& row : stored) {
        const std::string stream = row.front().value_or("");
        if (std::find(streams.begin(), streams.end(), stream) == streams.end()) {
            left.push_back(stream);
            continue;
        }
        removed.push_back(fmt::format("follower: checkpoint of stream {}", printable(stream, 80)));
        if (dry_run) continue;
        drop_pg_table_copies(run, stream);
        run(fmt::format("DELETE FROM rowferry.checkpoint WHERE stream = {}", quote_literal(stream)));
    }
    const auto quarantine = pg_quarantine::drop(run, streams, left.empty(), dry_run);
    removed.insert(removed.end(), quarantine.begin(), quarantine.end());
    if (!left.empty()) return removed;
    removed.emplace_back("follower: tables rowferry.checkpoint and rowferry.table_state");
    if (!dry_run) run("DROP TABLE IF EXISTS rowferry.table_copy; DROP TABLE rowferry.table_state, rowferry.checkpoint");
    const PgRows others =
        run("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "
            "'rowferry' "
            "AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname NOT IN ('checkpoint', 'table_state', 'quarantine', 'table_copy', "
            "'table_copy_number_seq')) "
            "OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = "
            "'rowferry')");
    if (others.boolean(0, 0)) return removed;
    removed.emplace_back("follower: schema rowferry");
    // Without CASCADE: what nobody expected there stays, and says so.
    if (!dry_run) run("DROP SCHEMA rowferry");
    return removed;
}

}  // namespace rowferry::pg_checkpoints
