#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"

namespace rowferry {

/// What the comment on a stream's publication says: whose it is, and what has to be put back by `drop`.
struct PublicationNote {
    struct Restore {
        TableName table;
        char replica_identity = 'd';  ///< As it was before we set FULL.
        std::uint32_t oid = 0;        ///< Names are as they are now: a renamed table is found by this. 0: a note of an older rowferry.
    };
    struct InsertOnly {
        TableName table;
        std::int64_t updates_and_deletes = 0;  ///< n_tup_upd + n_tup_del in the statistics views when the stream began.
        std::uint32_t oid = 0;
    };
    std::string follower_id;
    bool temporary = false;  ///< Of a stream that ends with the process that made it.
    std::vector<Restore> restore;
    std::vector<InsertOnly> insert_only;
    std::string members;  ///< Oids of the publications' pg_publication_rel rows: a table that is taken out and put back has another.
    std::string subset;   ///< Column lists and filters as the catalog has them, so that altered ones are noticed.
    std::string leaves;   ///< Oids of the partitions below the published roots when the stream began.
};

struct StreamPublication {
    std::string stream;
    PublicationNote note;
};

/// The streams of this database: publications named rowferry_* whose comment is ours. Others of that name have no note and are left out.
[[nodiscard]] std::vector<StreamPublication> read_publications(PgSession& session);
[[nodiscard]] std::optional<PublicationNote> read_publication_note(PgSession& session, const std::string& stream);
/// A publication of the stream's name exists, whoever made it.
[[nodiscard]] bool publication_exists(PgSession& session, const std::string& name);
/// The tables that the stream's publications hold now.
[[nodiscard]] std::vector<TableName> published_tables(PgSession& session, const std::string& stream);

struct PublishedTable {
    std::uint32_t oid = 0;
    std::string member;  ///< Oid of its pg_publication_rel row, see PublicationNote::members.
    TableName name;
};
[[nodiscard]] std::vector<PublishedTable> published_relations(PgSession& session, const std::string& stream);

struct PublicationContent {
    std::string members;        ///< As in the note.
    std::string leaves;
    std::string subset;
    bool publishes_all = true;  ///< Every kind of change that was asked for.
};
[[nodiscard]] PublicationContent read_publication_content(PgSession& session, const std::string& stream);
/// Partitioned tables are published through their root.
[[nodiscard]] bool publishes_via_root(PgSession& session, const std::string& stream);

/// Updates plus deletes that the statistics views have counted for a table since they were last reset.
[[nodiscard]] std::int64_t counted_changes(PgSession& session, const TableName& table);

/// Creates the stream's publications and their comment, and sets REPLICA IDENTITY FULL where `keyless` says so: one table at a time and with
/// a lock timeout, so that the application never waits for us longer than that. A crash in between leaves a publication whose comment says
/// what to put back.
void create_publications(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables);

/// Puts tables that are not there yet into the publications of a stream that exists, with what `keyless` wants. What the note says about
/// other tables stays as it is: one that was taken out and put back is still found.
void publish_tables(PgSession& session, const StreamRequest& request, const std::vector<PgTable>& tables);
/// Takes tables out again.
void unpublish_tables(PgSession& session, const std::string& stream, const std::vector<TableName>& tables);

/// Drops the stream's publications and puts replica identities back, unless another stream still needs them. One line each.
std::vector<std::string> drop_publications(PgSession& session, const std::string& stream);

}  // namespace rowferry
