#include "decoder/pgoutput/pg_watch.h"

#include <algorithm>

#include <fmt/format.h>

#include "decoder/pgoutput/pg_names.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {
constexpr std::chrono::seconds kInterval{10};
}  // namespace

PgWatch::PgWatch(const PgConninfo& conninfo, const StreamRequest& request, const Checkpoint& checkpoint)
    : session_{conninfo, PgRole::leader, application_name(request.stream) + "_watch"}, stream_{request.stream}, selection_{request.selection} {
    for (const TableState& state : checkpoint.tables) {
        expected_.push_back(state.name);
        expected_oids_.push_back(std::to_string(state.shape.leader_id));
    }
    std::ranges::sort(expected_);
    // The reader looks, and while it waits nobody answers the leader.
    session_.query("SET lock_timeout = '2s'; SET statement_timeout = '5s'");
    look();
}

void PgWatch::look_if_due() {
    if (std::chrono::steady_clock::now() - last_look_ < kInterval) return;
    try {
        look();
    } catch (const PgError& error) {
        // Somebody holds a lock that the look needs: the next one will tell.
        if (error.sqlstate() != "55P03" && error.sqlstate() != "57014") throw;
        last_look_ = std::chrono::steady_clock::now();
    }
}

void PgWatch::look() {
    look_at_publication();
    look_at_insert_only_tables();
    look_at_partitions();
    look_at_standby_names();
    last_look_ = std::chrono::steady_clock::now();
}

void PgWatch::look_at_publication() {
    if (!publication_exists(session_, publication_name(stream_)))
        throw HaltError{fmt::format("publication {} is gone: changes since then are not in the stream. Drop the stream and copy again", publication_name(stream_))};
    const PgRows rows = session_.query(
        "select coalesce(pg_catalog.string_agg(r.oid::text, ',' order by r.oid), ''), "
        "coalesce(pg_catalog.bool_and(r.prqual is null and r.prattrs is null and p.pubinsert and p.pubtruncate "
        "and (p.pubname = $2 or (p.pubupdate and p.pubdelete))), true) "
        "from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid where p.pubname in ($1, $2)",
        {publication_name(stream_), insert_publication_name(stream_)});
    if (!rows.boolean(0, 1))
        throw HaltError{fmt::format("publication {} was altered: it no longer publishes every row and column of every kind of change. Drop the stream and copy "
                                    "again",
                                    publication_name(stream_))};
    if (members_.empty()) members_ = rows.text(0, 0);
    const std::vector<TableName> published = published_tables(session_, stream_);
    if (published == expected_ && members_ != rows.text(0, 0))
        throw HaltError{fmt::format("a table was taken out of publication {} and put back: changes in between are missing. Drop the stream and copy again",
                                    publication_name(stream_))};
    if (published == expected_) return;
    for (const TableName& name : expected_)
        if (!std::ranges::binary_search(published, name))
            throw HaltError{fmt::format("{} is no longer in publication {} (dropped, renamed or taken out): its changes are missing from the stream. "
                                        "Drop the stream and copy again",
                                        to_string(name), publication_name(stream_))};
    for (const TableName& name : published)
        if (!std::ranges::binary_search(expected_, name))
            throw HaltError{fmt::format("somebody added {} to publication {}, but it was never copied: take it out again, or drop the stream and copy again",
                                        to_string(name), publication_name(stream_))};
}

void PgWatch::look_at_insert_only_tables() {
    const auto note = read_publication_note(session_, stream_);
    if (!note) throw HaltError{fmt::format("the comment on publication {} was changed: rowferry cannot tell whose it is", publication_name(stream_))};
    for (const auto& table : note->insert_only) {
        const std::int64_t now = counted_changes(session_, table.table);
        // Counters that went down were reset; whatever they show was counted after that.
        const std::int64_t before = now < table.updates_and_deletes ? 0 : table.updates_and_deletes;
        if (now != before)
            throw HaltError{fmt::format("{} is replicated for inserts only (--keyless insert), but {} row(s) of it were updated or deleted on the leader (the server "
                                        "counts what was rolled back, too, and what happened while the copy began). "
                                        "Give it a key, or drop the stream and copy again with --keyless full",
                                        to_string(table.table), now - before)};
    }
}

void PgWatch::look_at_partitions() {
    const PgRows rows = session_.query(fmt::format(R"(
with recursive up(relid) as (
  select oid from pg_catalog.pg_class where oid = any ('{{{0}}}'::oid[]) and relispartition
  union select i.inhparent from up join pg_catalog.pg_inherits i on i.inhrelid = up.relid),
tree(root, relid) as (
  select c.oid, c.oid from up join pg_catalog.pg_class c on c.oid = up.relid where not c.relispartition
  union select t.root, i.inhrelid from tree t join pg_catalog.pg_inherits i on i.inhparent = t.relid)
select n.nspname, c.relname, rn.nspname, rc.relname from tree t
  join pg_catalog.pg_class c on c.oid = t.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class rc on rc.oid = t.root join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
 where c.relkind = 'r' and t.root <> all ('{{{0}}}'::oid[]) and c.oid <> all ('{{{0}}}'::oid[]))",
                                                   fmt::join(expected_oids_, ",")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TableName name{rows.text(row, 0), rows.text(row, 1)};
        if (!selects_partition(selection_, name, {rows.text(row, 2), rows.text(row, 3)})) continue;
        throw HaltError{fmt::format("{} is a new partition of a replicated table and not in the stream. Drop the stream and copy again "
                                    "(--partitions root follows new partitions by itself)",
                                    to_string(name))};
    }
}

void PgWatch::look_at_standby_names() {
    leader_waits_ = standby_names_list(session_.query("show synchronous_standby_names").text(0, 0), application_name(stream_));
}

}  // namespace rowferry
