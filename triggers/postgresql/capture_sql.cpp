#include "triggers/postgresql/capture_sql.h"

#include <fmt/format.h>

#include "schemas/identifier.h"

namespace rowferry::pg_capture {
namespace {

// Values get the text form in which logical decoding and the copy show them, whatever the application's session has set. SECURITY DEFINER: the application's
// roles need no right of ours. A plan that was made for a large statement serves the small ones behind it: compiled anew each time, it would cost a hundred times what it saves.
//
// A part of a statement holds at most 250 rows and 4 MB, or one row that is larger: no value of ours may outgrow what PostgreSQL allows, nor a reader's memory.
//
// A plan made for one row must do for the next statement's 100,000: a nested loop over two transition tables would not.
constexpr const char* kPins =
    "SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 3 "
    "SET bytea_output = 'hex' SET lc_monetary = 'C' SET jit = off SET enable_nestloop = off SET enable_hashjoin = on";

// The log. `xid` is the number of the top-level transaction (xid8, which never wraps), as bigint. A row of the log holds the rows of a statement, or a part of them,
// as record_out() writes them: it names no column, so no change of the table's shape can make it fail, and it is exact for every type. Arrays of text,
// uncompressed, because the compression would cost more than the disk.
constexpr const char* kChange = R"sql(
CREATE TABLE IF NOT EXISTS rowferry.capture_change (
  slot smallint NOT NULL,
  seq bigint NOT NULL,
  xid bigint NOT NULL,
  rel oid NOT NULL,
  op "char" NOT NULL,        -- I, U, D, T
  depth smallint NOT NULL,   -- statements: a measure of the calls they came from, 0 for the client's own; row by row: pg_trigger_depth()
  late boolean,              -- row by row: the new version had been changed again before this was logged, perhaps
  old_tid tid,               -- row by row: the versions of the row
  new_tid tid,
  olds text[],
  news text[]) PARTITION BY LIST (slot))sql";

// Running sums cut the parts: of the rows between two multiples of 4 MB one part is made, and the row that passes a multiple is one alone. What tells parts apart never
// falls from row to row, so that it can be one sum: a single key costs a tenth less than three. OFFSET 0 keeps record_out() from being called for each mention of its row.
//
// Where the application's columns are in sight nothing but x.* is named, which none of them can stand for. Not x.*::text: whoever owns a table can make a cast of its rows to text,
// which would run with our rights.
constexpr const char* kInsert = R"sql(
  INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, news)
  SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'I', frames, c.news
    FROM (SELECT array_agg(p.row) AS news
            FROM (SELECT r.row, row_number() OVER w / 250 AS part, sum(octet_length(r.row)) OVER w AS size
                    FROM (SELECT textin(record_out(n.*)) AS row FROM rowferry_new n OFFSET 0) r WINDOW w AS (ROWS UNBOUNDED PRECEDING)) p
           GROUP BY p.part + p.size / 4000000 + (p.size - octet_length(p.row)) / 4000000) c;
)sql";

// The two transition tables have their rows in the same order, that of the statement, which the log keeps: a key that one row gives up may be the next one's.
constexpr const char* kUpdate = R"sql(
  INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, olds, news)
  SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'U', frames, c.olds, c.news
    FROM (SELECT min(p.number) AS number, array_agg(p.old_row ORDER BY p.number) AS olds, array_agg(p.new_row ORDER BY p.number) AS news
            FROM (SELECT o.number, o.row AS old_row, n.row AS new_row, o.number / 250 AS part,
                         sum(octet_length(o.row) + octet_length(n.row)) OVER (ORDER BY o.number ROWS UNBOUNDED PRECEDING) AS size
                    FROM (SELECT row_number() OVER () AS number, textin(record_out(t.*)) AS row FROM rowferry_old t) o
                    JOIN (SELECT row_number() OVER () AS number, textin(record_out(t.*)) AS row FROM rowferry_new t) n ON n.number = o.number) p
           GROUP BY p.part + p.size / 4000000 + (p.size - octet_length(p.old_row) - octet_length(p.new_row)) / 4000000) c
   ORDER BY c.number;
)sql";

constexpr const char* kDelete = R"sql(
  INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, olds)
  SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'D', frames, c.olds
    FROM (SELECT array_agg(p.row) AS olds
            FROM (SELECT r.row, row_number() OVER w / 250 AS part, sum(octet_length(r.row)) OVER w AS size
                    FROM (SELECT textin(record_out(o.*)) AS row FROM rowferry_old o OFFSET 0) r WINDOW w AS (ROWS UNBOUNDED PRECEDING)) p
           GROUP BY p.part + p.size / 4000000 + (p.size - octet_length(p.row)) / 4000000) c;
)sql";

constexpr const char* kTruncate = R"sql(
  INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth)
  SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'T', pg_trigger_depth();
)sql";

// A version that nobody but its own transaction can have touched yet has a xmax only if that transaction changed (or locked) it again.
constexpr const char* kRow = R"sql(
  IF TG_OP = 'INSERT' THEN
    INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, late, new_tid, news)
    SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'I', pg_trigger_depth(), NEW.xmax::text <> '0', NEW.ctid,
           ARRAY[textin(record_out(NEW))];
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, late, old_tid, new_tid, olds, news)
    SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'U', pg_trigger_depth(), NEW.xmax::text <> '0', OLD.ctid, NEW.ctid,
           ARRAY[textin(record_out(OLD))], ARRAY[textin(record_out(NEW))];
  ELSE
    INSERT INTO rowferry.capture_change_@ (slot, seq, xid, rel, op, depth, late, old_tid, olds)
    SELECT @, nextval('rowferry.capture_sequence'), pg_current_xact_id()::text::bigint, TG_RELID, 'D', pg_trigger_depth(), false, OLD.ctid, ARRAY[textin(record_out(OLD))];
  END IF;
)sql";

// One at a time, and the snapshot is that of the INSERT, which begins when the lock is held: so each tick sees all that the one before it sees. Needs READ COMMITTED.
constexpr const char* kMakeTick = R"sql(
CREATE OR REPLACE FUNCTION rowferry.make_tick(snapshot_taken pg_snapshot DEFAULT NULL, OUT number bigint, OUT tag text, OUT snapshot text, OUT made bigint) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $rowferry$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'rowferry.make_tick() needs a READ COMMITTED transaction';
  END IF;
  LOCK TABLE rowferry.capture_tick IN SHARE ROW EXCLUSIVE MODE;
  INSERT INTO rowferry.capture_tick AS t (number, tag, snapshot, made)
  SELECT coalesce(max(o.number), 0) + 1, gen_random_uuid(), coalesce(snapshot_taken, pg_current_snapshot()), clock_timestamp() FROM rowferry.capture_tick o
  RETURNING t.number, t.tag::text, t.snapshot::text, (extract(epoch FROM t.made) * 1000000)::bigint
       INTO make_tick.number, make_tick.tag, make_tick.snapshot, make_tick.made;
END $rowferry$)sql";

/// `body` writes into partition @. One branch for each, because routing through the partitioned table would cost more than all the rest.
std::string trigger_function(const char* name, std::string_view body, bool of_statements = true) {
    std::string branches;
    for (int slot = 0; slot < kSlots; ++slot) {
        branches += fmt::format("{} written = {} THEN", slot == 0 ? "IF" : "ELSIF", slot);
        for (const char c : body) branches += c == '@' ? std::to_string(slot) : std::string{c};
    }
    // A statement that a function or trigger runs has the lines of whoever called it below its own, so it has more of them than the statement inside of which it ran. pg_trigger_depth() would not
    // count the functions.
    const char* const count_frames = "GET DIAGNOSTICS stack = PG_CONTEXT;\nframes := least(octet_length(stack) - octet_length(replace(stack, E'\\n', '')), 32767);\n";
    return fmt::format("CREATE OR REPLACE FUNCTION rowferry.{}() RETURNS trigger LANGUAGE plpgsql {} AS $rowferry$\nDECLARE written smallint; stack text; frames smallint;\nBEGIN\n{}"
                       "SELECT s.current INTO written FROM rowferry.capture_slot s;\n{}END IF;\nRETURN NULL;\nEND $rowferry$",
                       name, kPins, of_statements ? count_frames : "", branches);
}

struct StatementKind {
    const char* name;
    const char* event;
    const char* transitions;
};
constexpr StatementKind kInsertKind{"insert", "INSERT", " REFERENCING NEW TABLE AS rowferry_new"};
constexpr StatementKind kUpdateKind{"update", "UPDATE", " REFERENCING OLD TABLE AS rowferry_old NEW TABLE AS rowferry_new"};
constexpr StatementKind kDeleteKind{"delete", "DELETE", " REFERENCING OLD TABLE AS rowferry_old"};

std::string make_trigger(const TableName& table, const StatementKind& kind, Level level) {
    const bool rows = level == Level::row;
    return fmt::format("CREATE TRIGGER rowferry_{} AFTER {} ON {}{} FOR EACH {} EXECUTE FUNCTION rowferry.capture_{}()", kind.name, kind.event, quote_table(table),
                       rows ? "" : kind.transitions, rows ? "ROW" : "STATEMENT", rows ? "row" : kind.name);
}

}  // namespace

std::vector<std::string> make_objects() {
    std::vector<std::string> statements{
        "CREATE TABLE IF NOT EXISTS rowferry.capture_stream (stream text PRIMARY KEY, follower_id text NOT NULL, acked bigint NOT NULL, acked_snapshot pg_catalog.pg_snapshot NOT NULL, "
        "acked_at timestamptz NOT NULL)",
        "CREATE TABLE IF NOT EXISTS rowferry.capture_member (stream text NOT NULL REFERENCES rowferry.capture_stream ON DELETE CASCADE, rel oid NOT NULL, triggers text NOT NULL, layout text NOT NULL, "
        "PRIMARY KEY (stream, rel))",
        "CREATE TABLE IF NOT EXISTS rowferry.capture_tick (number bigint PRIMARY KEY, tag uuid NOT NULL, snapshot pg_catalog.pg_snapshot NOT NULL, made timestamptz NOT NULL)",
        kChange,
        "CREATE INDEX IF NOT EXISTS capture_change_xid ON rowferry.capture_change (xid)",
        "CREATE SEQUENCE IF NOT EXISTS rowferry.capture_sequence AS bigint CACHE 1",
        // A key on whatever is updated or deleted from: a publication FOR ALL TABLES makes PostgreSQL refuse that without one.
        "CREATE TABLE IF NOT EXISTS rowferry.capture_slot (one boolean PRIMARY KEY DEFAULT true CHECK (one), current smallint NOT NULL, layout integer NOT NULL)",
        fmt::format("INSERT INTO rowferry.capture_slot (current, layout) VALUES (0, {}) ON CONFLICT (one) DO NOTHING", kLayout),
    };
    for (int slot = 0; slot < kSlots; ++slot) {
        statements.push_back(fmt::format("CREATE TABLE IF NOT EXISTS rowferry.capture_change_{0} PARTITION OF rowferry.capture_change FOR VALUES IN ({0})", slot));
        statements.push_back(fmt::format("ALTER TABLE rowferry.capture_change_{} ALTER olds SET STORAGE EXTERNAL, ALTER news SET STORAGE EXTERNAL", slot));
    }
    statements.push_back(trigger_function("capture_insert", kInsert));
    statements.push_back(trigger_function("capture_update", kUpdate));
    statements.push_back(trigger_function("capture_delete", kDelete));
    statements.push_back(trigger_function("capture_truncate", kTruncate, false));
    statements.push_back(trigger_function("capture_row", kRow, false));
    statements.emplace_back(kMakeTick);
    statements.emplace_back(
        "REVOKE ALL ON FUNCTION rowferry.capture_insert(), rowferry.capture_update(), rowferry.capture_delete(), rowferry.capture_truncate(), rowferry.capture_row(), "
        "rowferry.make_tick(pg_catalog.pg_snapshot) FROM PUBLIC");
    return statements;
}

std::vector<std::string> remove_objects() {
    return {"DROP FUNCTION IF EXISTS rowferry.capture_insert(), rowferry.capture_update(), rowferry.capture_delete(), rowferry.capture_truncate(), rowferry.capture_row(), "
            "rowferry.make_tick(pg_catalog.pg_snapshot)",
            "DROP TABLE IF EXISTS rowferry.capture_change, rowferry.capture_tick, rowferry.capture_member, rowferry.capture_stream, rowferry.capture_slot",
            "DROP SEQUENCE IF EXISTS rowferry.capture_sequence"};
}

std::vector<std::string> make_triggers(const TableName& table, Level level) {
    std::vector<std::string> statements{make_trigger(table, kInsertKind, level), make_trigger(table, kUpdateKind, level), make_trigger(table, kDeleteKind, level),
                                        fmt::format("CREATE TRIGGER rowferry_truncate AFTER TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION rowferry.capture_truncate()", quote_table(table))};
    // Also where session_replication_role = replica: a leader that is a follower itself is captured, too.
    for (const char* name : {"insert", "update", "delete", "truncate"})
        statements.push_back(fmt::format("ALTER TABLE {} ENABLE ALWAYS TRIGGER rowferry_{}", quote_table(table), name));
    return statements;
}

std::vector<std::string> remove_triggers(const TableName& table) {
    std::vector<std::string> statements;
    for (const char* name : {"insert", "update", "delete", "truncate"}) statements.push_back(fmt::format("DROP TRIGGER IF EXISTS rowferry_{} ON {}", name, quote_table(table)));
    return statements;
}

}  // namespace rowferry::pg_capture
