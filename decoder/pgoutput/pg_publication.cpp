#include "decoder/pgoutput/pg_publication.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_rules.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;

/// ALTER TABLE and ALTER PUBLICATION queue behind the application's locks, and everything else queues behind them: not for long.
class LockTimeout {
public:
    explicit LockTimeout(PgSession& session) : session_{session} { session_.query("SET lock_timeout = '3s'"); }
    ~LockTimeout() {
        try {
            session_.query("SET lock_timeout = 0");
        } catch (const Error&) {  // the session is gone
        }
    }
    LockTimeout(const LockTimeout&) = delete;
    LockTimeout& operator=(const LockTimeout&) = delete;

private:
    PgSession& session_;
};

std::string note_to_json(const PublicationNote& note) {
    Json json{{"rowferry", 1}, {"follower", note.follower_id}, {"restore", Json::array()}, {"insert_only", Json::array()},
              {"members", note.members}, {"leaves", note.leaves}, {"subset", note.subset}};
    if (note.temporary) json["temporary"] = true;
    for (const auto& item : note.restore)
        json["restore"].push_back({{"schema", item.table.schema}, {"table", item.table.name}, {"identity", std::string{item.replica_identity}}, {"oid", item.oid}});
    for (const auto& item : note.insert_only)
        json["insert_only"].push_back({{"schema", item.table.schema}, {"table", item.table.name}, {"changes", item.updates_and_deletes}, {"oid", item.oid}});
    return json.dump();
}

std::optional<PublicationNote> note_from_json(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("rowferry") || !json.contains("follower")) return std::nullopt;
    try {
        PublicationNote note;
        note.follower_id = json.at("follower").get<std::string>();
        for (const Json& item : json.at("restore"))
            note.restore.push_back({{item.at("schema").get<std::string>(), item.at("table").get<std::string>()}, item.at("identity").get<std::string>().at(0), item.value("oid", std::uint32_t{0})});
        for (const Json& item : json.at("insert_only"))
            note.insert_only.push_back({{item.at("schema").get<std::string>(), item.at("table").get<std::string>()}, item.at("changes").get<std::int64_t>(), item.value("oid", std::uint32_t{0})});
        note.temporary = json.value("temporary", false);
        note.members = json.value("members", "");
        note.leaves = json.value("leaves", "");
        note.subset = json.value("subset", "");
        return note;
    } catch (const std::exception&) {  // somebody edited the comment
        return std::nullopt;
    }
}

/// Statement that puts a replica identity back; `i` cannot occur, as a table with an identity index is not keyless.
std::string identity_statement(const TableName& table, char identity) {
    return fmt::format("ALTER TABLE ONLY {} REPLICA IDENTITY {}", quote_table(table), identity == 'n' ? "NOTHING" : identity == 'f' ? "FULL" : "DEFAULT");
}

bool needed_by_another_stream(const std::vector<StreamPublication>& publications, const std::string& stream, const TableName& table) {
    return std::ranges::any_of(publications, [&](const StreamPublication& publication) {
        return publication.stream != stream &&
               std::ranges::any_of(publication.note.restore, [&](const auto& item) { return item.table == table; });
    });
}

std::string table_list(const std::vector<PgTable>& tables, bool insert_only) {
    std::string list;
    for (const PgTable& table : tables)
        if (table.schema.insert_only == insert_only) list += (list.empty() ? "ONLY " : ", ONLY ") + quote_table(table.schema.name) + publication_part(table);
    return list;
}

/// Gives noted tables the names they have now, and forgets those that are gone.
void follow_renames(PgSession& session, std::vector<StreamPublication>& publications) {
    std::string oids;
    const auto collect = [&](const auto& items) {
        for (const auto& item : items)
            if (item.oid != 0) oids += fmt::format("{}{}", oids.empty() ? "" : ",", item.oid);
    };
    for (const StreamPublication& publication : publications) {
        collect(publication.note.restore);
        collect(publication.note.insert_only);
    }
    if (oids.empty()) return;
    std::map<std::uint32_t, TableName> names;
    const PgRows rows = session.query(
        "select c.oid, n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = any ($1::oid[])",
        {"{" + oids + "}"});
    for (std::size_t row = 0; row < rows.size(); ++row) names[static_cast<std::uint32_t>(rows.integer(row, 0))] = {rows.text(row, 1), rows.text(row, 2)};
    const auto follow = [&](auto& items) {
        std::erase_if(items, [&](const auto& item) { return item.oid != 0 && !names.contains(item.oid); });
        for (auto& item : items)
            if (item.oid != 0) item.table = names.at(item.oid);
    };
    for (StreamPublication& publication : publications) {
        follow(publication.note.restore);
        follow(publication.note.insert_only);
    }
}

/// The identity that a table had before any stream of ours set FULL.
char original_identity(const std::vector<StreamPublication>& publications, const PgTable& table) {
    for (const StreamPublication& publication : publications)
        for (const auto& item : publication.note.restore)
            if (item.table == table.schema.name) return item.replica_identity;
    return table.replica_identity;
}

}  // namespace

std::vector<StreamPublication> read_publications(PgSession& session) {
    const PgRows rows = session.query(
        "select p.pubname, pg_catalog.obj_description(p.oid, 'pg_publication') from pg_catalog.pg_publication p "
        "where p.pubname like 'rowferry\\_%' and p.pubname not like '%.insert' order by 1");
    std::vector<StreamPublication> publications;
    for (std::size_t row = 0; row < rows.size(); ++row)
        if (auto note = note_from_json(rows.text(row, 1))) publications.push_back({rows.text(row, 0).substr(9), std::move(*note)});
    follow_renames(session, publications);
    return publications;
}

std::optional<PublicationNote> read_publication_note(PgSession& session, const std::string& stream) {
    for (StreamPublication& publication : read_publications(session))
        if (publication.stream == stream) return std::move(publication.note);
    return std::nullopt;
}

bool publication_exists(PgSession& session, const std::string& name) {
    return !session.query("select from pg_catalog.pg_publication where pubname = $1", {name}).empty();
}

std::vector<TableName> published_tables(PgSession& session, const std::string& stream) {
    const PgRows rows = session.query(
        "select n.nspname, c.relname from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid "
        "join pg_catalog.pg_class c on c.oid = r.prrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where p.pubname in ($1, $2)",
        {publication_name(stream), insert_publication_name(stream)});
    std::vector<TableName> names;
    for (std::size_t row = 0; row < rows.size(); ++row) names.push_back({rows.text(row, 0), rows.text(row, 1)});
    std::ranges::sort(names);
    return names;
}

std::vector<PublishedTable> published_relations(PgSession& session, const std::string& stream) {
    const PgRows rows = session.query(
        "select c.oid, r.oid, n.nspname, c.relname from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid "
        "join pg_catalog.pg_class c on c.oid = r.prrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where p.pubname in ($1, $2)",
        {publication_name(stream), insert_publication_name(stream)});
    std::vector<PublishedTable> tables;
    for (std::size_t row = 0; row < rows.size(); ++row)
        tables.push_back({static_cast<std::uint32_t>(rows.integer(row, 0)), rows.text(row, 1), {rows.text(row, 2), rows.text(row, 3)}});
    return tables;
}

PublicationContent read_publication_content(PgSession& session, const std::string& stream) {
    const std::vector<std::optional<std::string>> names{publication_name(stream), insert_publication_name(stream)};
    const PgRows rows = session.query(
        "select coalesce(pg_catalog.string_agg(r.oid::text, ',' order by r.oid), ''), "
        "coalesce(pg_catalog.bool_and(p.pubinsert and p.pubtruncate and (p.pubname = $2 or (p.pubupdate and p.pubdelete))), true), "
        "coalesce(pg_catalog.string_agg(r.oid::text || ':' || coalesce(r.prattrs::text, '') || ':' || coalesce(pg_catalog.md5(r.prqual::text), ''), ',' order by r.oid) "
        "filter (where r.prqual is not null or r.prattrs is not null), '') "
        "from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid where p.pubname in ($1, $2)",
        names);
    const PgRows leaves = session.query(
        "with recursive tree(relid) as ("
        "select r.prrelid from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid "
        "join pg_catalog.pg_class c on c.oid = r.prrelid where p.pubname in ($1, $2) and c.relkind = 'p' "
        "union select i.inhrelid from tree t join pg_catalog.pg_inherits i on i.inhparent = t.relid) "
        "select coalesce(pg_catalog.string_agg(relid::text, ',' order by relid), '') from tree",
        names);
    return {rows.text(0, 0), leaves.text(0, 0), rows.text(0, 2), rows.boolean(0, 1)};
}

bool publishes_via_root(PgSession& session, const std::string& stream) {
    return !session.query("select from pg_catalog.pg_publication where pubname = $1 and pubviaroot", {publication_name(stream)}).empty();
}

std::int64_t counted_changes(PgSession& session, const TableName& table) {
    const PgRows rows = session.query(
        "select coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint from pg_catalog.pg_stat_all_tables where schemaname = $1 and relname = $2",
        {table.schema, table.name});
    return rows.integer(0, 0);
}

void create_publications(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables) {
    const std::vector<StreamPublication> others = read_publications(session);
    PublicationNote note;
    note.follower_id = request.follower_id;
    note.temporary = request.temporary;
    std::vector<const PgTable*> to_set_full;
    for (const PgTable& table : tables) {
        if (table.schema.insert_only) note.insert_only.push_back({table.schema.name, counted_changes(session, table.schema.name), table.schema.leader_id});
        const bool made_full_by_us = table.replica_identity == 'f' && original_identity(others, table) != 'f';
        if ((table.has_identity && !made_full_by_us) || table.schema.insert_only) continue;
        note.restore.push_back({table.schema.name, original_identity(others, table), table.schema.leader_id});
        if (!table.has_identity) to_set_full.push_back(&table);
    }
    const LockTimeout timeout{session};
    const std::string main = quote_identifier(publication_name(request.stream));
    const std::string via_root = fmt::format("publish_via_partition_root = {}", request.partition_roots);
    // The note is there before anything it has to take back, and every table is locked alone.
    PgTransaction transaction{session};
    session.query(fmt::format("CREATE PUBLICATION {} WITH (publish = 'insert, update, delete, truncate', {})", main, via_root));
    session.query(fmt::format("COMMENT ON PUBLICATION {} IS {}", main, quote_literal(note_to_json(note))));
    transaction.commit();
    for (const PgTable* table : to_set_full) session.query(identity_statement(table->schema.name, 'f'));
    if (const std::string list = table_list(tables, false); !list.empty()) session.query(fmt::format("ALTER PUBLICATION {} ADD TABLE {}", main, list));
    if (const std::string list = table_list(tables, true); !list.empty())
        session.query(fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, truncate', {})",
                                  quote_identifier(insert_publication_name(request.stream)), list, via_root));
    const PublicationContent content = read_publication_content(session, request.stream);
    note.members = content.members;
    note.leaves = content.leaves;
    note.subset = content.subset;
    session.query(fmt::format("COMMENT ON PUBLICATION {} IS {}", main, quote_literal(note_to_json(note))));
}

namespace {

void write_note(PgSession& session, const std::string& stream, const PublicationNote& note) {
    session.query(fmt::format("COMMENT ON PUBLICATION {} IS {}", quote_identifier(publication_name(stream)), quote_literal(note_to_json(note))));
}

PublicationNote note_of(PgSession& session, const std::string& stream) {
    auto note = read_publication_note(session, stream);
    if (!note) throw HaltError{fmt::format("publication {} is gone, or its comment was changed: drop the stream and copy again", publication_name(stream))};
    return std::move(*note);
}

/// The members that the note knew and that are still there, and those of `tables`.
std::string members_with(PgSession& session, const std::string& stream, const std::string& known, const std::vector<PgTable>& tables) {
    std::string oids;
    for (const PgTable& table : tables) oids += fmt::format("{}{}", oids.empty() ? "" : ",", table.schema.leader_id);
    return session
        .query("select coalesce(pg_catalog.string_agg(r.oid::text, ',' order by r.oid), '') from pg_catalog.pg_publication p "
               "join pg_catalog.pg_publication_rel r on r.prpubid = p.oid where p.pubname in ($1, $2) "
               "and (r.oid::text = any (pg_catalog.string_to_array($3, ',')) or r.prrelid::text = any (pg_catalog.string_to_array($4, ',')))",
               {publication_name(stream), insert_publication_name(stream), known, oids})
        .text(0, 0);
}

/// PublicationNote::subset, entry by entry: the member it speaks of, and what it says.
std::vector<std::pair<std::string, std::string>> subset_entries(const std::string& subset) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (std::size_t start = 0; start < subset.size();) {
        const std::size_t comma = std::min(subset.find(',', start), subset.size());
        const std::string entry = subset.substr(start, comma - start);
        entries.emplace_back(entry.substr(0, entry.find(':')), entry);
        start = comma + 1;
    }
    return entries;
}

/// Empty when the member stands for all of its table.
std::string subset_entry(const std::string& subset, const std::string& member) {
    for (const auto& [known, entry] : subset_entries(subset))
        if (known == member) return entry;
    return {};
}

/// The note's subset with the members of `tables` as the catalog has them now, and all others as the note knew them: what somebody altered is still found.
std::string subset_with(PgSession& session, const std::string& stream, const std::string& known, const std::vector<PgTable>& tables) {
    std::vector<std::string> ours;
    for (const PublishedTable& published : published_relations(session, stream))
        if (std::ranges::any_of(tables, [&](const PgTable& table) { return table.schema.leader_id == published.oid; })) ours.push_back(published.member);
    std::string subset;
    for (const auto& [member, now] : subset_entries(read_publication_content(session, stream).subset)) {
        const std::string entry = std::ranges::find(ours, member) != ours.end() ? now : subset_entry(known, member);
        if (!entry.empty()) subset += (subset.empty() ? "" : ",") + entry;
    }
    return subset;
}

/// Takes tables out whose columns and filter in the publication are not what the rules come to now, because the leader's table got or lost columns, or because
/// somebody altered the publication. They are put back in the same transaction, so that the stream misses nothing.
void take_out_outdated(PgSession& session, const std::string& stream, const PublicationNote& note, const std::vector<PgTable>& tables) {
    const std::string subset = read_publication_content(session, stream).subset;
    for (const PgTable& table : tables) {
        const PgRows members = session.query(
            "select p.pubname, r.oid, coalesce(r.prattrs::text, '') from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid "
            "where p.pubname in ($1, $2) and r.prrelid = $3::oid",
            {publication_name(stream), insert_publication_name(stream), std::to_string(table.schema.leader_id)});
        for (std::size_t row = 0; row < members.size(); ++row) {
            const std::string now = subset_entry(subset, members.text(row, 1));
            const bool as_noted = now == subset_entry(note.subset, members.text(row, 1)) && now.empty() == publication_part(table).empty();
            if (as_noted && members.text(row, 2) == publication_columns(table)) continue;
            session.query(fmt::format("ALTER PUBLICATION {} DROP TABLE ONLY {}", quote_identifier(members.text(row, 0)), quote_table(table.schema.name)));
        }
    }
}

}  // namespace

void publish_tables(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables) {
    const std::vector<StreamPublication> others = read_publications(session);
    const LockTimeout timeout{session};
    PgTransaction transaction{session};
    PublicationNote note = note_of(session, request.stream);
    take_out_outdated(session, request.stream, note, tables);
    const std::vector<TableName> published = published_tables(session, request.stream);
    std::vector<PgTable> missing;
    std::ranges::copy_if(tables, std::back_inserter(missing), [&](const PgTable& table) { return !std::ranges::binary_search(published, table.schema.name); });
    for (const PgTable& table : tables) {
        const TableName& name = table.schema.name;
        std::erase_if(note.insert_only, [&](const auto& item) { return item.table == name; });
        if (table.schema.insert_only) note.insert_only.push_back({name, counted_changes(session, name), table.schema.leader_id});
        const bool noted = std::ranges::any_of(note.restore, [&](const auto& item) { return item.table == name; });
        const bool made_full_by_us = table.replica_identity == 'f' && original_identity(others, table) != 'f';
        if ((table.has_identity && !made_full_by_us) || table.schema.insert_only) continue;
        if (!noted) note.restore.push_back({name, original_identity(others, table), table.schema.leader_id});
        if (!table.has_identity) session.query(identity_statement(name, 'f'));
    }
    if (const std::string list = table_list(missing, false); !list.empty())
        session.query(fmt::format("ALTER PUBLICATION {} ADD TABLE {}", quote_identifier(publication_name(request.stream)), list));
    if (const std::string list = table_list(missing, true); !list.empty()) {
        const std::string name = quote_identifier(insert_publication_name(request.stream));
        session.query(publication_exists(session, insert_publication_name(request.stream))
                          ? fmt::format("ALTER PUBLICATION {} ADD TABLE {}", name, list)
                          : fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, truncate', publish_via_partition_root = {})", name, list,
                                        publishes_via_root(session, request.stream)));
    }
    note.members = members_with(session, request.stream, note.members, tables);
    note.leaves = read_publication_content(session, request.stream).leaves;
    note.subset = subset_with(session, request.stream, note.subset, tables);
    write_note(session, request.stream, note);
    transaction.commit();
}

void unpublish_tables(PgSession& session, const std::string& stream, const std::vector<TableName>& tables) {
    const std::vector<StreamPublication> publications = read_publications(session);
    const LockTimeout timeout{session};
    PgTransaction transaction{session};
    PublicationNote note = note_of(session, stream);
    for (const TableName& table : tables) {
        for (const std::string& publication : {publication_name(stream), insert_publication_name(stream)}) {
            const PgRows member = session.query("select from pg_catalog.pg_publication_tables where pubname = $1 and schemaname = $2 and tablename = $3",
                                                {publication, table.schema, table.name});
            if (!member.empty()) session.query(fmt::format("ALTER PUBLICATION {} DROP TABLE ONLY {}", quote_identifier(publication), quote_table(table)));
        }
        for (const auto& item : note.restore)
            if (item.table == table && !needed_by_another_stream(publications, stream, table) &&
                !session.query("select pg_catalog.to_regclass($1)", {quote_table(table)}).is_null(0, 0))
                session.query(identity_statement(table, item.replica_identity));
        std::erase_if(note.restore, [&](const auto& item) { return item.table == table; });
        std::erase_if(note.insert_only, [&](const auto& item) { return item.table == table; });
    }
    note.members = members_with(session, stream, note.members, {});
    note.subset = subset_with(session, stream, note.subset, {});
    write_note(session, stream, note);
    transaction.commit();
}

std::vector<std::string> drop_publications(PgSession& session, const std::string& stream) {
    std::vector<std::string> removed;
    const std::vector<StreamPublication> publications = read_publications(session);
    const auto ours = std::ranges::find(publications, stream, &StreamPublication::stream);
    if (ours == publications.end()) {
        if (publication_exists(session, publication_name(stream)))
            spdlog::warn("publication {} is left alone: its comment does not say that it is rowferry's", publication_name(stream));
        return removed;
    }
    const LockTimeout timeout{session};
    if (publication_exists(session, insert_publication_name(stream))) {
        session.query("DROP PUBLICATION " + quote_identifier(insert_publication_name(stream)));
        removed.push_back("publication " + insert_publication_name(stream));
    }
    // First nothing is published any more, or the application's updates would fail once a table has its old identity again.
    std::string list;
    for (const TableName& name : published_tables(session, stream)) list += (list.empty() ? "ONLY " : ", ONLY ") + quote_table(name);
    const std::string main = quote_identifier(publication_name(stream));
    if (!list.empty()) session.query(fmt::format("ALTER PUBLICATION {} DROP TABLE {}", main, list));
    for (const auto& item : ours->note.restore) {
        if (needed_by_another_stream(publications, stream, item.table)) continue;
        if (session.query("select pg_catalog.to_regclass($1)", {quote_table(item.table)}).is_null(0, 0)) continue;
        session.query(identity_statement(item.table, item.replica_identity));
        removed.push_back(fmt::format("replica identity full of {}", to_string(item.table)));
    }
    session.query("DROP PUBLICATION " + main);
    removed.push_back("publication " + publication_name(stream));
    return removed;
}

}  // namespace rowferry
