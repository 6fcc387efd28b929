#include "decoder/pgoutput/pg_ddl_trigger.h"

#include <spdlog/spdlog.h>

namespace rowferry::pg_ddl_trigger {
namespace {

// SECURITY DEFINER: whoever changes a table needs no right of ours, and the right to write logical messages may be taken from PUBLIC.
// The settings give values the text form in which the stream shows them. Catalog rows only; pg_get_expr() looks at the table, which is locked by
// the statement itself where it is called. A cancelled statement is cancelled here too: WHEN OTHERS does not catch that.
//
// The EXCEPTION block is a subtransaction, and decoding sorts what its transactions wrote by position, where a message counts as written at its end:
// that is the beginning of the next record. The empty message behind it is that record, or the application's next row might overtake us.
//
// USING of ALTER COLUMN … TYPE is in no catalog, so the statement's text is looked at: the client's, and that of every PL/pgSQL or SPI frame
// above us. Frames that do not show it (SQL functions, extension scripts) count as if they had one.
constexpr const char* kFunction = R"sql(
CREATE OR REPLACE FUNCTION rowferry.report_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 3
SET bytea_output = 'hex' SET xmloption = 'content' SET lc_monetary = 'C' AS $rowferry$
DECLARE
  told json;
  stack text;
  altered oid[];
  by_type oid[];
  types oid[];
BEGIN
  IF tg_event = 'table_rewrite' THEN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    SELECT json_build_object('rewrite', c.oid::bigint, 'reason', pg_event_trigger_table_rewrite_reason(),
             'above', (SELECT json_agg(a.relid::oid::bigint) FROM pg_partition_ancestors(c.oid) a WHERE a.relid <> c.oid),
             'using', (coalesce(current_query(), 'using') || stack) ~* '\musing\M' OR stack ~ '(^|\n)SQL function' OR tg_tag <> 'ALTER TABLE'
                      OR coalesce(current_query(), '') !~* '\malter\s+table\M' AND stack !~* '\malter\s+table\M')
      INTO told FROM pg_class c WHERE c.oid = pg_event_trigger_table_rewrite_oid() AND c.relpersistence = 'p' AND c.relkind <> 'm';
  ELSE
    IF tg_event = 'sql_drop' THEN
      SELECT json_build_object('dropped', json_agg(json_build_object('oid', d.objid::bigint, 'schema', d.schema_name, 'name', d.object_name)))
        INTO told FROM pg_event_trigger_dropped_objects() d
       WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.object_type = 'table' AND NOT d.is_temporary HAVING count(*) > 0;
      IF told IS NOT NULL THEN
        PERFORM pg_logical_emit_message(true, 'rowferry_ddl', convert_to(told::text, 'UTF8')), pg_logical_emit_message(true, 'rowferry', '');
      END IF;
      told := NULL;
      SELECT array_agg(DISTINCT d.objid) INTO altered FROM pg_event_trigger_dropped_objects() d
       WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.object_type = 'table column';
    ELSE
      WITH RECURSIVE roots(oid) AS (
          SELECT c.objid FROM pg_event_trigger_ddl_commands() c WHERE c.classid = 'pg_class'::regclass AND c.command_tag <> 'CREATE INDEX'
          UNION SELECT k.oid FROM pg_event_trigger_ddl_commands() c JOIN pg_class k ON k.relnamespace = c.objid
                 WHERE c.classid = 'pg_namespace'::regclass AND c.command_tag = 'ALTER SCHEMA'),
        tree(oid) AS (SELECT oid FROM roots UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
      SELECT array_agg(oid) INTO altered FROM tree;
      SELECT array_agg(c.objid) INTO types FROM pg_event_trigger_ddl_commands() c
       WHERE c.classid = 'pg_type'::regclass AND c.command_tag IN ('ALTER TYPE', 'ALTER DOMAIN');
      IF types IS NOT NULL THEN
        WITH RECURSIVE uses(oid) AS (
            SELECT unnest(types)
            UNION SELECT x.oid FROM uses u CROSS JOIN LATERAL (
                SELECT t.oid FROM pg_type t WHERE t.typelem = u.oid OR t.typbasetype = u.oid
                UNION ALL SELECT k.reltype FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid WHERE a.atttypid = u.oid AND k.relkind = 'c'
                UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngsubtype = u.oid) x)
        SELECT array_agg(DISTINCT a.attrelid) INTO by_type FROM uses u JOIN pg_attribute a ON a.atttypid = u.oid WHERE NOT a.attisdropped AND a.attnum > 0;
      END IF;
    END IF;
    IF altered IS NOT NULL OR by_type IS NOT NULL THEN
      SELECT json_build_object('tag', tg_tag, 'tables', json_agg(json_build_object(
               'oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname, 'partition', c.relispartition, 'kind', c.relkind, 'identity', c.relreplident,
               'file', c.relfilenode::bigint, 'extension', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
               'key', (SELECT to_json(p.conkey) FROM pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p'),
               'key_deferrable', (SELECT p.condeferrable FROM pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p'),
               'identity_key', (SELECT to_json(string_to_array(i.indkey::text, ' ')::int[]) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident),
               'columns', (SELECT json_agg(json_build_object(
                   'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'type_oid', a.atttypid::bigint, 'modifier', a.atttypmod,
                   'not_null', a.attnotnull, 'generated', a.attgenerated, 'auto', a.attidentity,
                   'serial', pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) IS NOT NULL,
                   'default', CASE WHEN c.oid = ANY (altered) AND a.atthasdef THEN pg_get_expr(ad.adbin, ad.adrelid) END, 'defaults', c.oid = ANY (altered),
                   'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END,
                   'base_oid', b.oid::bigint, 'base', format_type(b.oid, b.modifier),
                   'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid)) ORDER BY a.attnum)
                 FROM pg_attribute a LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
                CROSS JOIN LATERAL (
                  WITH RECURSIVE domains(oid, base, modifier, next_modifier, depth) AS (
                    SELECT t.oid, t.typbasetype, a.atttypmod, t.typtypmod, 0 FROM pg_type t WHERE t.oid = a.atttypid
                    UNION ALL SELECT t.oid, t.typbasetype, d.next_modifier, t.typtypmod, d.depth + 1
                      FROM domains d JOIN pg_type t ON t.oid = d.base WHERE d.base <> 0)
                  SELECT d.oid, d.modifier FROM domains d ORDER BY d.depth DESC LIMIT 1) b
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))),
             'types', (SELECT json_agg(json_build_object('schema', tn.nspname, 'name', t.typname,
                         'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)))
                         FROM pg_type t JOIN pg_namespace tn ON tn.oid = t.typnamespace WHERE t.oid = ANY (types) AND t.typtype = 'e'))
        INTO told FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE (c.oid = ANY (altered) OR c.oid = ANY (by_type)) AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' HAVING count(*) > 0;
    END IF;
  END IF;
  IF told IS NOT NULL THEN
    PERFORM pg_logical_emit_message(true, 'rowferry_ddl', convert_to(told::text, 'UTF8')), pg_logical_emit_message(true, 'rowferry', '');
  END IF;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    PERFORM pg_logical_emit_message(true, 'rowferry_ddl', convert_to(json_build_object('unknown', tg_tag, 'error', sqlstate)::text, 'UTF8')),
            pg_logical_emit_message(true, 'rowferry', '');
  EXCEPTION WHEN OTHERS THEN
    NULL;  -- the catalog is compared as well
  END;
END $rowferry$)sql";

struct Trigger {
    const char* name;
    const char* event;
};
constexpr Trigger kTriggers[] = {{"rowferry_ddl", "ddl_command_end"}, {"rowferry_drop", "sql_drop"}, {"rowferry_rewrite", "table_rewrite"}};

bool is_superuser(PgSession& session) {
    return !session.query("select from pg_catalog.pg_roles where rolname = current_user and rolsuper").empty();
}

bool trigger_exists(PgSession& session, const char* name) {
    return !session.query("select from pg_catalog.pg_event_trigger where evtname = $1", {name}).empty();
}

}  // namespace

bool install(PgSession& session) {
    if (is_healthy(session)) return true;
    if (!is_superuser(session)) return false;
    PgTransaction transaction{session};
    session.query("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('rowferry_ddl', 0))");
    // Our own statements need no report of theirs.
    for (const Trigger& trigger : kTriggers) session.query(std::string{"DROP EVENT TRIGGER IF EXISTS "} + trigger.name);
    session.query("CREATE SCHEMA IF NOT EXISTS rowferry");
    session.query(kFunction);
    session.query("REVOKE ALL ON FUNCTION rowferry.report_ddl() FROM PUBLIC");
    for (const Trigger& trigger : kTriggers) {
        session.query(std::string{"CREATE EVENT TRIGGER "} + trigger.name + " ON " + trigger.event + " EXECUTE FUNCTION rowferry.report_ddl()");
        // Also in sessions with session_replication_role = replica.
        session.query(std::string{"ALTER EVENT TRIGGER "} + trigger.name + " ENABLE ALWAYS");
    }
    transaction.commit();
    return true;
}

bool is_healthy(PgSession& session) {
    const PgRows rows = session.query(
        "select count(*) from pg_catalog.pg_event_trigger e join pg_catalog.pg_proc p on p.oid = e.evtfoid "
        "join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname = 'rowferry' and p.proname = 'report_ddl' and p.prosecdef "
        "and e.evtenabled = 'A' and (e.evtname, e.evtevent) in (('rowferry_ddl', 'ddl_command_end'), ('rowferry_drop', 'sql_drop'), "
        "('rowferry_rewrite', 'table_rewrite'))");
    return rows.integer(0, 0) == 3;
}

std::vector<std::string> remove(PgSession& session) {
    std::vector<std::string> removed;
    const bool function = !session.query("select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
                                         "where n.nspname = 'rowferry' and p.proname = 'report_ddl'")
                               .empty();
    std::vector<const char*> triggers;
    for (const Trigger& trigger : kTriggers)
        if (trigger_exists(session, trigger.name)) triggers.push_back(trigger.name);
    if (!function && triggers.empty()) return removed;
    if (!is_superuser(session)) {
        spdlog::warn("the event triggers rowferry_ddl, rowferry_drop and rowferry_rewrite are left: only a superuser may drop them. Run: "
                     "DROP EVENT TRIGGER rowferry_ddl, and so on; DROP SCHEMA rowferry CASCADE if nothing else of yours is in it");
        return removed;
    }
    PgTransaction transaction{session};
    for (const char* name : triggers) {
        session.query(std::string{"DROP EVENT TRIGGER IF EXISTS "} + name);
        removed.push_back(std::string{"event trigger "} + name);
    }
    session.query("DROP FUNCTION IF EXISTS rowferry.report_ddl()");
    removed.emplace_back("function rowferry.report_ddl");
    // A leader that is itself a follower has its checkpoint there.
    const bool empty = session.query("select from pg_catalog.pg_depend d join pg_catalog.pg_namespace n on n.oid = d.refobjid "
                                     "where d.refclassid = 'pg_catalog.pg_namespace'::regclass and n.nspname = 'rowferry'")
                           .empty();
    if (empty) {
        session.query("DROP SCHEMA IF EXISTS rowferry");
        removed.emplace_back("schema rowferry");
    }
    transaction.commit();
    return removed;
}

}  // namespace rowferry::pg_ddl_trigger
