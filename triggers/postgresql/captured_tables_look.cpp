// What the catalog says about a stream's tables: everything that would leave a gap in the log, or another meaning in its rows, is found here.

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/shape_diff.h"
#include "triggers/postgresql/captured_tables.h"

namespace rowferry::pg_capture {
namespace {

using Kind = ShapeStep::Kind;


}  // namespace

void CapturedTables::look(PgSession& session) {
    look_at_triggers(session);
    look_at_partitions(session);
    look_at_columns(session);
    look_at_shapes(session);
}

std::string CapturedTables::fingerprint_query() const {
    const std::string oids = oid_array(this->oids());
    const std::string streams = quote_literal(stream_);
    return fmt::format(
        "SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(x, ',' ORDER BY x), '')) FROM ("
        "SELECT pg_catalog.concat_ws(' ', 'c', oid, relnamespace, relname, relkind, relfilenode, relreplident, relispartition) FROM pg_catalog.pg_class WHERE oid = ANY ('{0}'::oid[]) "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 'a', attrelid, attnum, attname, atttypid, atttypmod, attnotnull, attisdropped, attgenerated) "
        "FROM pg_catalog.pg_attribute WHERE attrelid = ANY ('{0}'::oid[]) AND attnum > 0 "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 't', oid, xmin, tgenabled) FROM pg_catalog.pg_trigger WHERE tgrelid = ANY ('{0}'::oid[]) "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 'i', inhrelid, inhparent) FROM pg_catalog.pg_inherits WHERE inhrelid = ANY ('{0}'::oid[]) OR inhparent = ANY ('{0}'::oid[]) "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 'x', indexrelid, indisreplident, indisprimary, indisvalid, indimmediate) FROM pg_catalog.pg_index WHERE indrelid = ANY ('{0}'::oid[]) "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 's', srrelid) FROM pg_catalog.pg_subscription_rel WHERE srrelid = ANY ('{0}'::oid[]) "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 'm', rel, triggers) FROM rowferry.capture_member WHERE stream = {1} "
        "UNION ALL SELECT pg_catalog.concat_ws(' ', 'f', oid, xmin) FROM pg_catalog.pg_proc WHERE pronamespace = 'rowferry'::pg_catalog.regnamespace) AS f(x)",
        oids, streams);
}

void CapturedTables::look_at_triggers(PgSession& session) {
    const auto members = read_members(session, stream_);
    const auto triggers = read_triggers(session, oids());
    any_row_level_ = false;
    for (const auto& [oid, known] : tables_) {
        if (passes_over(known.shape->name)) continue;
        const auto member = members.find(oid);
        if (session.query("select from pg_catalog.pg_class where oid = $1::oid", {std::to_string(oid)}).empty())
            throw HaltError{fmt::format("{}: the table was dropped on the leader. Drop the stream and copy everything again", where(*known.shape))};
        if (member == members.end()) halt(*known.shape, "its capture was taken out of the stream on the leader");
        if (triggers.at(oid).empty()) halt(*known.shape, "the triggers of rowferry on it were dropped, disabled or replaced: what was written since is in no log");
        if (triggers.at(oid) != member->second.triggers)
            halt(*known.shape, "the triggers of rowferry on it are not those with which the stream began (disabled for a while, or made again): what was written in between is in no log");
        any_row_level_ = any_row_level_ || member->second.row_level();
        if (member->second.row_level()) continue;
        const PgRows blind = session.query(
            "select exists (select from pg_catalog.pg_inherits where inhrelid = $1::oid or inhparent = $1::oid), exists (select from pg_catalog.pg_subscription_rel where srrelid = $1::oid), "
            "(select pg_catalog.string_agg(pg_catalog.quote_ident(tgname), ', ') from pg_catalog.pg_trigger where tgrelid = $1::oid and not tgisinternal and tgenabled <> 'D' and not "
            "starts_with(tgname, 'rowferry_'))",
            {std::to_string(oid)});
        if (blind.boolean(0, 0)) halt(*known.shape, "it has become part of an inheritance tree or a partition, whose statements its triggers do not see");
        if (blind.boolean(0, 1)) halt(*known.shape, "a subscription writes to it now, for which no statement triggers fire");
        if (!blind.is_null(0, 2) && told_triggers_.insert(oid).second)
            spdlog::warn("{}: there are triggers now that were not there when its capture began ({}). While they do not change rows of the table itself nothing is different; where they do, the stream "
                         "may have to stop. `rowferry copy-table` captures it row by row from then on",
                         to_string(known.shape->name), printable(blind.text(0, 2), 200));
    }
    const PgRows functions = session.query(
        "select count(*) from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname = 'rowferry' and p.prosecdef and p.proname in "
        "('capture_insert', 'capture_update', 'capture_delete', 'capture_truncate', 'capture_row')");
    if (functions.integer(0, 0) != 5) throw HaltError{fmt::format("stream {}: the trigger functions in schema rowferry were changed. Drop the stream and copy again", stream_)};
}

/// Leaf by leaf: one more beside them.
void CapturedTables::look_at_partitions(PgSession& session) {
    const PgRows beside = session.query(
        "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_inherits i on i.inhrelid = c.oid "
        "where c.relkind = 'r' and c.relispartition and c.oid <> all ($1::oid[]) and i.inhparent in (select o.inhparent from pg_catalog.pg_inherits o join pg_catalog.pg_class l on l.oid = o.inhrelid "
        "where l.relispartition and o.inhrelid = any ($1::oid[]))",
        {oid_array(oids())});
    for (std::size_t row = 0; row < beside.size(); ++row) {
        const TableName name{beside.text(row, 0), beside.text(row, 1)};
        if (!selection_.selects(Engine::postgresql, name) || passes_over(name)) continue;
        throw HaltError{fmt::format("{} is a new partition of a replicated table and not in the stream. Take it in with `rowferry copy-table`",
                                    to_string(name))};
    }
}

void CapturedTables::look_at_columns(PgSession& session) {
    const auto members = read_members(session, stream_);
    logged_.clear();
    for (const std::uint32_t oid : oids()) logged_[oid] = {};
    const PgRows rows = session.query("select attrelid, attnum from pg_catalog.pg_attribute where attrelid = any ($1::oid[]) and attnum > 0 and not attisdropped order by attrelid, attnum",
                                      {oid_array(oids())});
    for (std::size_t row = 0; row < rows.size(); ++row) logged_.at(to_oid(rows.text(row, 0))).attributes.push_back(static_cast<std::int32_t>(rows.integer(row, 1)));
    for (const auto& [oid, known] : tables_) {
        const auto member = members.find(oid);
        if (member == members.end()) continue;
        const auto& now = logged_.at(oid).attributes;
        const auto& then = member->second.layout;
        if (now.size() < then.size() || !std::equal(then.begin(), then.end(), now.begin()))
            halt(*known.shape, "a column of it was dropped on the leader, and the log does not show where");
    }
}

void CapturedTables::look_at_shapes(PgSession& session) {
    std::vector<PgTable> tables = read_tables(session, oids());
    try {
        note_rules(rules_, tables);
        settle_identity(tables, keyless_);
        for (PgTable& table : tables) table.schema = carried_schema(table);
    } catch (const RefusedError& error) {
        throw HaltError{fmt::format("stream {}: the rules of the stream no longer fit a table: {}", stream_, error.what())};
    }
    for (PgTable& table : tables) {
        Known& known = tables_.at(table.schema.leader_id);
        if (passes_over(known.shape->name)) continue;
        const std::string why = obstacle(known, table.schema);
        if (!why.empty())
            halt(*known.shape, fmt::format("the table changed its shape on the leader: it was ({}), now ({}). {}", describe_columns(*known.shape), describe_columns(table.schema), why));
        known.next.reset();
        known.file_node = table.schema.file_node;
        if (table.schema.columns.size() == known.shape->columns.size()) continue;
        known.next = std::move(table.schema);
        known.next->insert_only = known.shape->insert_only;
        known.next->identity = known.shape->identity;
        // Columns that stay keep what the checkpoint knows of them.
        std::ranges::copy(known.shape->columns, known.next->columns.begin());
    }
}

/// Why the rows of the log do not show the change in full; empty when they do.
std::string CapturedTables::obstacle(const Known& known, TableSchema now) {
    const TableSchema& before = *known.shape;
    now.insert_only = before.insert_only;
    const ColumnIndexes key_now = now.identity;
    now.identity.clear();
    for (const std::uint16_t column : before.identity)
        if (const auto place = same_column(before, column, now)) now.identity.push_back(*place);
    std::ranges::sort(now.identity);
    const bool unique = now.identity.empty() || now.identity == key_now ||
                        std::ranges::any_of(now.unique_keys, [&](const UniqueKey& key) {
                            ColumnIndexes columns = key.columns;
                            std::ranges::sort(columns);
                            return columns == now.identity;
                        });
    if (!unique) return "The key by which its rows are found is gone";
    const ShapeDiff diff = diff_shapes(before, now);
    if (!diff.obstacle.empty()) return describe_diff(diff, before, now);
    for (const ShapeStep& step : diff.steps) {
        if (is_optional(step.kind) || step.kind == Kind::drop_not_null || step.kind == Kind::add_label) continue;
        const bool shown = step.kind == Kind::add_column && !now.columns[step.after].not_null && !now.columns[step.after].missing_value &&
                           step.after >= before.columns.size() && (known.file_node == 0 || known.file_node == now.file_node);
        if (!shown) return fmt::format("Only a new column without a default can be followed by triggers (docs/capture.md), but {}", describe_diff(diff, before, now));
    }
    return {};
}

}  // namespace rowferry::pg_capture
