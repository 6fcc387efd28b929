#include "decoder/pgoutput/pg_watch.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_ddl_trigger.h"
#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {
constexpr std::chrono::seconds kInterval{10};

/// `1,2,3`.
std::set<std::string> listed_numbers(const std::string& oids) {
    std::set<std::string> result;
    for (std::size_t start = 0; start < oids.size();) {
        const std::size_t comma = std::min(oids.find(',', start), oids.size());
        result.insert(oids.substr(start, comma - start));
        start = comma + 1;
    }
    return result;
}
}  // namespace

PgWatch::PgWatch(const PgConninfo& conninfo, const StreamRequest& request, PgShapes& shapes)
    : session_{conninfo, PgRole::leader, application_name(request.stream) + "_watch"},
      stream_{request.stream},
      selection_{request.selection},
      rules_{request.rules},
      partition_roots_{request.partition_roots},
      shapes_{shapes} {
    shapes_.use_rules(request.rules);
    // The reader looks, and while it waits nobody answers the leader.
    session_.query("SET lock_timeout = '2s'; SET statement_timeout = '5s'");
    shapes_.read_catalog_with([this](std::uint32_t oid) -> std::optional<TableSchema> {
        auto tables = read_tables(session_, std::vector<std::uint32_t>{oid});
        if (tables.empty()) return std::nullopt;
        narrow(tables);
        return tables.front().schema;
    });
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
    const PublicationNote note = read_note();
    look_at_trigger();
    look_at_publication(note);
    look_at_insert_only_tables(note);
    look_at_partitions();
    look_at_shapes();
    look_at_new_tables();
    look_at_standby_names();
    last_look_ = std::chrono::steady_clock::now();
}

PublicationNote PgWatch::read_note() {
    if (!publication_exists(session_, publication_name(stream_)))
        throw HaltError{fmt::format("publication {} is gone: changes since then are not in the stream. Drop the stream and copy again", publication_name(stream_))};
    auto note = read_publication_note(session_, stream_);
    if (!note) throw HaltError{fmt::format("the comment on publication {} was changed: rowferry cannot tell whose it is", publication_name(stream_))};
    return std::move(*note);
}

void PgWatch::look_at_publication(const PublicationNote& note) {
    const PublicationContent content = read_publication_content(session_, stream_);
    if (!content.publishes_all || content.subset != note.subset)
        throw HaltError{fmt::format("publication {} was altered: it no longer publishes every row and column of every kind of change that was asked for. Drop the "
                                    "stream and copy again",
                                    publication_name(stream_))};
    look_at_leaves(note.leaves, content.leaves);
    const std::vector<PublishedTable> published = published_relations(session_, stream_);
    std::set<std::uint32_t> members;
    for (const PublishedTable& table : published) {
        members.insert(table.oid);
        if (shapes_.passes_over(table.name)) continue;
        if (shapes_.find(table.oid) == nullptr)
            throw HaltError{fmt::format("somebody added {} to publication {}, but it was never copied: take it out again, or drop the stream and copy again",
                                        to_string(table.name), publication_name(stream_))};
        if (!listed_numbers(note.members).contains(table.member))
            throw HaltError{fmt::format("{} was taken out of publication {} and put back: changes in between are missing. Drop the stream and copy again",
                                        to_string(table.name), publication_name(stream_))};
    }
    for (const std::uint32_t oid : shapes_.oids()) {
        if (members.contains(oid)) continue;
        // A table that was dropped left the publication with it; the log, or the look at the shapes, tells that.
        if (session_.query("select from pg_catalog.pg_class where oid = $1::oid", {std::to_string(oid)}).empty()) continue;
        throw HaltError{fmt::format("{} is no longer in publication {}: its changes are missing from the stream. Drop the stream and copy again",
                                    to_string(shapes_.find(oid)->name), publication_name(stream_))};
    }
}

/// Partitions below a root that is published as one table: one that left took its rows along, and one that came may have brought some.
void PgWatch::look_at_leaves(const std::string& before, const std::string& now) {
    const std::set<std::string> old = listed_numbers(before);
    const std::set<std::string> present = listed_numbers(now);
    for (const std::string& oid : old)
        if (!present.contains(oid))
            throw HaltError{fmt::format("a partition (oid {}) of a table that is replicated through its root was detached or dropped: its rows are still on the "
                                        "follower. Drop the stream and copy again",
                                        oid)};
    for (const std::string& oid : present)
        if (!old.contains(oid) && told_leaves_.insert(oid).second)
            spdlog::warn("partition {} is new below a table that is replicated through its root: rows it had before it was attached are not on the follower",
                         session_.query("select $1::oid::regclass", {oid}).text(0, 0));
}

void PgWatch::look_at_insert_only_tables(const PublicationNote& note) {
    for (const auto& table : note.insert_only) {
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
                                                   fmt::join(shapes_.oids(), ",")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TableName name{rows.text(row, 0), rows.text(row, 1)};
        if (!selects_partition(selection_, name, {rows.text(row, 2), rows.text(row, 3)})) continue;
        if (shapes_.passes_over(name)) continue;
        throw HaltError{fmt::format("{} is a new partition of a replicated table and not in the stream. Take it in with `rowferry copy-table` "
                                    "(--partitions root follows new partitions by itself)",
                                    to_string(name))};
    }
}

/// Without the triggers, or when they were silent, the catalog has to tell.
void PgWatch::look_at_trigger() {
    const bool healthy = pg_ddl_trigger::is_healthy(session_);
    if (!announced_ && !healthy)
        spdlog::info("the leader has no event triggers of rowferry (they need a superuser): shape changes are found by comparing the catalog, and most of them stop "
                     "the stream");
    if (announced_ == true && !healthy)
        spdlog::warn("the event triggers of rowferry were dropped or disabled on the leader: from here on shape changes are found by comparing the catalog");
    announced_ = healthy;
    shapes_.set_announced(healthy);
}

/// To what the stream carries of them.
void PgWatch::narrow(std::vector<PgTable>& tables) const {
    narrow_watched(rules_, tables, [this](std::uint32_t oid) { return shapes_.find(oid); });
}

void PgWatch::look_at_shapes() {
    const std::vector<std::uint32_t> oids = shapes_.oids();
    std::vector<PgTable> tables = read_tables(session_, oids);
    narrow(tables);
    // Behind the catalog: whatever it shows was committed, and so written, before.
    const std::uint64_t lsn = parse_lsn(session_.query("select pg_catalog.pg_current_wal_insert_lsn()").text(0, 0));
    for (const std::uint32_t oid : oids) {
        const auto found = std::ranges::find(tables, oid, [](const PgTable& table) { return table.schema.leader_id; });
        if (found == tables.end())
            shapes_.expect(oid, std::nullopt, lsn);
        else
            shapes_.expect(oid, std::move(found->schema), lsn);
    }
}

void PgWatch::look_at_new_tables() {
    for (const SelectableTable& table : selectable_tables(session_, partition_roots_))
        if (selects_partition(selection_, table.name, table.root) && shapes_.find(table.oid) == nullptr && !shapes_.passes_over(table.name)) shapes_.note_new_table(table.name);
}

void PgWatch::look_at_standby_names() {
    leader_waits_ = standby_names_list(session_.query("show synchronous_standby_names").text(0, 0), application_name(stream_));
}

}  // namespace rowferry
