#include "decoder/pgoutput/pg_watch.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_names.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {
constexpr std::chrono::seconds kInterval{10};
}  // namespace

PgWatch::PgWatch(const PgConninfo& conninfo, const StreamRequest& request, const Checkpoint& checkpoint)
    : session_{conninfo, PgRole::leader, application_name(request.stream) + "_watch"}, stream_{request.stream}, selection_{request.selection}, passed_over_{checkpoint.passed_over} {
    for (const TableState& state : checkpoint.tables) {
        expected_.push_back(state.name);
        expected_oids_.push_back(state.shape.leader_id);
        shapes_.push_back(state.shape);
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
    const PublicationNote note = read_note();
    look_at_publication(note);
    look_at_insert_only_tables(note);
    look_at_partitions();
    look_at_shapes();
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
    if (!content.publishes_all)
        throw HaltError{fmt::format("publication {} was altered: it no longer publishes every row and column of every kind of change. Drop the stream and copy "
                                    "again",
                                    publication_name(stream_))};
    look_at_leaves(note.leaves, content.leaves);
    std::vector<TableName> published = published_tables(session_, stream_);
    std::erase_if(published, [&](const TableName& name) { return std::ranges::find(passed_over_, name) != passed_over_.end(); });
    if (published == expected_ && content.members != note.members)
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

/// Partitions below a root that is published as one table: one that left took its rows along, and one that came may have brought some.
void PgWatch::look_at_leaves(const std::string& before, const std::string& now) {
    const auto listed = [](const std::string& oids) {
        std::set<std::string> result;
        for (std::size_t start = 0; start < oids.size();) {
            const std::size_t comma = std::min(oids.find(',', start), oids.size());
            result.insert(oids.substr(start, comma - start));
            start = comma + 1;
        }
        return result;
    };
    const std::set<std::string> old = listed(before);
    const std::set<std::string> present = listed(now);
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
                                                   fmt::join(expected_oids_, ",")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TableName name{rows.text(row, 0), rows.text(row, 1)};
        if (!selects_partition(selection_, name, {rows.text(row, 2), rows.text(row, 3)})) continue;
        if (std::ranges::find(passed_over_, name) != passed_over_.end()) continue;
        throw HaltError{fmt::format("{} is a new partition of a replicated table and not in the stream. Take it in with `rowferry copy-table` "
                                    "(--partitions root follows new partitions by itself)",
                                    to_string(name))};
    }
}

/// A rewritten or widened table shows in the stream at its next change only, and old rows that changed with it never do.
void PgWatch::look_at_shapes() {
    for (const PgTable& table : read_tables(session_, expected_oids_)) {
        const auto known = std::ranges::find(shapes_, table.schema.leader_id, &TableSchema::leader_id);
        if (known == shapes_.end()) continue;
        const bool same = std::ranges::equal(known->columns, table.schema.columns, [](const ColumnSchema& a, const ColumnSchema& b) {
            return a.name == b.name && a.type_oid == b.type_oid && a.type_modifier == b.type_modifier;
        });
        if (!same)
            throw HaltError{fmt::format("stream {}, table {}: the table changed its shape on the leader: it was ({}), now it is ({}). Drop the stream and copy again",
                                        stream_, to_string(table.schema.name), describe_columns(*known), describe_columns(table.schema))};
    }
}

void PgWatch::look_at_standby_names() {
    leader_waits_ = standby_names_list(session_.query("show synchronous_standby_names").text(0, 0), application_name(stream_));
}

}  // namespace rowferry
