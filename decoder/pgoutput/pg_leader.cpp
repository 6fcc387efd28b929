#include "decoder/pgoutput/pg_leader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/pg_link.h"
#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "decoder/pgoutput/pg_ddl_trigger.h"
#include "decoder/pgoutput/pg_history.h"
#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_preflight.h"
#include "decoder/pgoutput/pg_publication.h"
#include "decoder/pgoutput/pg_rules.h"
#include "decoder/pgoutput/pg_slot.h"
#include "decoder/pgoutput/pg_snapshot.h"
#include "decoder/pgoutput/pg_source.h"
#include "decoder/pgoutput/pg_stream.h"
#include "decoder/pgoutput/pg_temporary.h"
#include "decoder/pgoutput/pg_watch.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

class PgLogicalLeader : public Leader {
public:
    PgLogicalLeader(PgConninfo conninfo, const StopSignal& stop, std::string stream)
        : conninfo_{std::move(conninfo)}, stop_{stop}, application_{application_name(stream)} {}

    [[nodiscard]] Engine engine() const override { return Engine::postgresql; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::logical; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::lsn; }
    [[nodiscard]] std::string describe() const override { return conninfo_.describe(); }
    [[nodiscard]] bool offers_temporary() const override { return true; }

    LeaderIdentity identify() override;
    Position current_position() override;
    std::vector<TablePtr> select_tables(const StreamRequest& request) override;
    std::vector<std::string> skipped(const StreamRequest& request) override { return skipped_relations(session(), request.selection); }
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) override;
    void release(const StreamRequest& request, const std::vector<TableName>& tables) override;
    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override;
    Position mark(const StreamRequest& request) override;
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    PgSession& session();
    void refuse_standby();
    std::string database_oid();
    std::vector<PgTable> selected(const StreamRequest& request, bool streamed);
    std::string slot(const std::string& stream) { return slot_name(database_oid(), stream); }
    std::unique_ptr<PgLink> replication_link();
    void verify_slot(const Checkpoint& checkpoint);
    void verify_history(const Checkpoint& checkpoint, PgLink& link);
    std::vector<std::string> streams_here();

    PgConninfo conninfo_;
    const StopSignal& stop_;
    std::string application_;
    std::unique_ptr<PgSession> session_;
    std::optional<LeaderIdentity> identity_;
    std::vector<PgTable> before_mark_;  ///< The stream's tables in front of the last mark.
    Position mark_;
    bool marked_ = false;
    std::string temporary_stream_;       ///< That this object began.
    std::unique_ptr<PgLink> temporary_;  ///< Between start() and follow() of a temporary stream: the slot lives as long as this connection.
};

PgSession& PgLogicalLeader::session() {
    if (!session_) session_ = std::make_unique<PgSession>(conninfo_, PgRole::leader, application_ + "_control");
    return *session_;
}

std::unique_ptr<PgLink> PgLogicalLeader::replication_link() {
    return std::make_unique<PgLink>(conninfo_, PgLink::Kind::replication, PgRole::leader, application_, stop_);
}

std::string PgLogicalLeader::database_oid() {
    return session().query("select oid from pg_catalog.pg_database where datname = current_database()").text(0, 0);
}

LeaderIdentity PgLogicalLeader::identify() {
    if (!identity_) identity_ = read_identity(session());
    return *identity_;
}

/// One that became a standby while a stream existed says so; a new stream's preflight looks for itself.
void PgLogicalLeader::refuse_standby() {
    if (session().query("select pg_catalog.pg_is_in_recovery()").boolean(0, 0)) throw RefusedError{"the leader is a standby in recovery: point rowferry at the primary"};
}

Position PgLogicalLeader::current_position() {
    refuse_standby();
    return {parse_lsn(session().query("select pg_catalog.pg_current_wal_flush_lsn()").text(0, 0)), 0};
}

std::vector<PgTable> PgLogicalLeader::selected(const StreamRequest& request, bool streamed) {
    std::vector<PgTable> tables = select_by_patterns(session(), request, request.partition_roots || publishes_via_root(session(), request.stream));
    if (streamed) settle_keyless_tables(tables, request.keyless, session().server_version());
    return tables;
}

std::vector<TablePtr> PgLogicalLeader::select_tables(const StreamRequest& request) {
    return read_carried_tables(session(), selected(request, false), request.one_off);
}

void PgLogicalLeader::check(const StreamRequest& request, const std::vector<TablePtr>&) {
    const std::vector<PgTable> tables = selected(request, !request.one_off);
    check_pg_leader(session(), request, tables, slot(request.stream));
    check_pg_rules(session(), request, tables);
    for (const std::string& line : skipped_relations(session(), request.selection)) spdlog::info("{}", line);
}

std::unique_ptr<Snapshot> PgLogicalLeader::start(const StreamRequest& request) {
    const std::string name = slot(request.stream);
    // What an unfinished start of the same follower left; check() has refused everybody else's.
    try {
        if (drop_slot(session(), name, false)) spdlog::info("removed slot {} of an unfinished start", name);
    } catch (const RefusedError& error) {
        throw RetryableError{error.what()};  // the server has not noticed yet that its last reader is gone
    }
    drop_publications(session(), request.stream);

    pg_temporary::remove_orphans(session(), database_oid());

    const std::vector<PgTable> tables = selected(request, true);
    if (request.temporary)
        pg_temporary::hold(session(), temporary_stream_ = request.stream);
    else if (!pg_ddl_trigger::install(session()))
        spdlog::info("the role may not make event triggers: a shape change of a table will be found by comparing the catalog, and most will stop the stream");
    // The publication comes first: decoding looks it up in the catalog as it was at each change.
    create_publications(session(), request, tables);
    auto link = replication_link();
    spdlog::info("making slot {}: the leader first waits for the transactions that are open or prepared now", name);
    const PgResult created = link->query(fmt::format("CREATE_REPLICATION_SLOT {}{} LOGICAL pgoutput (SNAPSHOT 'export')", quote_identifier(name),
                                                     request.temporary ? " TEMPORARY" : ""));
    const std::uint64_t consistent_point = parse_lsn(PQgetvalue(created.get(), 0, 1));
    // The exported snapshot lives until the next command on `link`, which is dropped once the snapshot has imported it.
    auto snapshot = std::make_unique<PgSnapshot>(conninfo_, application_ + "_copy", PQgetvalue(created.get(), 0, 2), consistent_point, stop_);
    snapshot->use_tables(tables, request);
    if (request.temporary) temporary_ = std::move(link);
    return snapshot;
}

std::unique_ptr<Snapshot> PgLogicalLeader::snapshot(const StreamRequest& request) {
    const ExportedSnapshot exported{conninfo_, application_ + "_copy"};
    auto snapshot = std::make_unique<PgSnapshot>(conninfo_, application_ + "_copy", exported.name(), current_position().major, stop_);
    snapshot->use_tables(selected(request, false), request);
    return snapshot;
}

std::unique_ptr<Snapshot> PgLogicalLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& names) {
    std::vector<PgTable> tables = select_by_names(session(), request, names, publishes_via_root(session(), request.stream));
    settle_keyless_tables(tables, request.keyless, session().server_version());
    check_pg_tables(session(), request.stream, tables);
    check_pg_rules(session(), request, tables);
    publish_tables(session(), request, tables);

    // A slot of its own tells the exact place of a snapshot in the log; it goes with its connection.
    PgLink link{conninfo_, PgLink::Kind::replication, PgRole::leader, application_ + "_copy", stop_};
    const std::string name = copy_slot_name(database_oid(), request.stream);
    spdlog::info("taking a snapshot of {} table(s): the leader first waits for the transactions that are open or prepared now", tables.size());
    const PgResult created =
        link.query(fmt::format("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')", quote_identifier(name)));
    const std::uint64_t consistent_point = parse_lsn(PQgetvalue(created.get(), 0, 1));
    auto snapshot = std::make_unique<PgSnapshot>(conninfo_, application_ + "_copy", PQgetvalue(created.get(), 0, 2), consistent_point, stop_);
    snapshot->use_tables(tables, request);
    return snapshot;
}

void PgLogicalLeader::release(const StreamRequest& request, const std::vector<TableName>& tables) { unpublish_tables(session(), request.stream, tables); }

void PgLogicalLeader::verify_slot(const Checkpoint& checkpoint) {
    const std::string name = slot(checkpoint.stream);
    const std::string at = to_string(PositionKind::lsn, checkpoint.position);
    const auto found = read_slot(session(), name);
    if (!found) throw HaltError{fmt::format("slot {} is gone from the leader: the changes after {} cannot be had any more. {}", name, at, kCopyAgain)};
    if (found->plugin != "pgoutput") throw HaltError{fmt::format("slot {} was made again with plugin {}. {}", name, found->plugin, kCopyAgain)};
    if (found->wal_status == "lost")
        throw HaltError{fmt::format("slot {} was invalidated by the leader (max_slot_wal_keep_size): the changes after {} are gone. {}", name, at, kCopyAgain)};
    if (found->confirmed_flush > checkpoint.acked.major)
        throw HaltError{fmt::format("slot {} stands at {}, but this follower was never told past {}: somebody else moved or recreated it, and the changes from {} to {} "
                                    "may be missing. {}",
                                    name, to_string(PositionKind::lsn, {found->confirmed_flush, 0}), to_string(PositionKind::lsn, checkpoint.acked), at,
                                    to_string(PositionKind::lsn, {found->confirmed_flush, 0}), kCopyAgain)};
    const auto note = read_publication_note(session(), checkpoint.stream);
    if (note && note->follower_id != checkpoint.follower_id)
        throw HaltError{fmt::format("stream {} on the leader now belongs to another follower. {}", checkpoint.stream, kCopyAgain)};
}

void PgLogicalLeader::verify_history(const Checkpoint& checkpoint, PgLink& link) {
    const PgResult system = link.query("IDENTIFY_SYSTEM");
    const auto timeline = static_cast<std::uint32_t>(std::stoul(PQgetvalue(system.get(), 0, 1)));
    const std::uint64_t flushed = parse_lsn(PQgetvalue(system.get(), 0, 2));
    const std::string at = to_string(PositionKind::lsn, checkpoint.position);
    identity_ = identify();
    identity_->timeline = timeline;
    if (flushed < checkpoint.position.major)
        throw HaltError{fmt::format("the leader's log ends at {}, before this follower's position {}: it lost its tail or was restored, and the histories "
                                    "have diverged. {}",
                                    to_string(PositionKind::lsn, {flushed, 0}), at, kCopyAgain)};
    if (timeline == checkpoint.leader.timeline) return;
    if (timeline < checkpoint.leader.timeline)
        throw HaltError{fmt::format("the leader is on timeline {}, this follower has followed timeline {}: it is an old leader come back. {}", timeline,
                                    checkpoint.leader.timeline, kCopyAgain)};
    const PgResult history = link.query(fmt::format("TIMELINE_HISTORY {}", timeline));
    const auto end = timeline_end({PQgetvalue(history.get(), 0, 1), static_cast<std::size_t>(PQgetlength(history.get(), 0, 1))}, checkpoint.leader.timeline);
    if (!end || *end < checkpoint.position.major)
        throw HaltError{fmt::format("the leader left timeline {} at {}, before this follower's position {}: the follower holds transactions that this leader "
                                    "lost. {}",
                                    checkpoint.leader.timeline, end ? to_string(PositionKind::lsn, {*end, 0}) : "a point it does not know", at, kCopyAgain)};
    spdlog::info("the leader moved from timeline {} to {}, past this follower's position: same history", checkpoint.leader.timeline, timeline);
}

std::unique_ptr<Source> PgLogicalLeader::follow(const StreamRequest& request, const Checkpoint& checkpoint) {
    refuse_standby();
    verify_slot(checkpoint);
    auto shapes = std::make_unique<PgShapes>(checkpoint, request.selection, request.partition_roots);
    if (std::exchange(marked_, false) && mark_ >= checkpoint.position)
        for (const std::uint32_t oid : shapes->oids()) {
            const auto table = std::ranges::find(before_mark_, oid, [](const PgTable& t) { return t.schema.leader_id; });
            shapes->expect(oid, table == before_mark_.end() ? std::nullopt : std::optional{table->schema}, mark_.major);
        }
    auto watch = std::make_unique<PgWatch>(conninfo_, request, *shapes);
    if (request.temporary && !temporary_) throw HaltError{fmt::format("stream {} was temporary, and its slot has gone with the connection that made it", request.stream)};
    auto link = request.temporary ? std::move(temporary_) : replication_link();
    verify_history(checkpoint, *link);
    const std::string publications =
        quote_identifier(publication_name(request.stream)) +
        (publication_exists(session(), insert_publication_name(request.stream)) ? "," + quote_identifier(insert_publication_name(request.stream)) : "");
    const std::string name = slot(request.stream);
    const auto begin = [name, publications, binary = request.binary](PgLink& on, std::uint64_t from, bool streaming) {
        on.query(fmt::format("START_REPLICATION SLOT {} LOGICAL {} (proto_version '2', streaming '{}', messages 'true',{} publication_names {})",
                             quote_identifier(name), lsn_to_string(from), streaming ? "on" : "off", binary ? " binary 'true'," : "", quote_literal(publications)));
    };
    auto spool = std::make_unique<Spool>(request.spool.directory, request.spool.memory);
    // The slot of a temporary stream could not be read a second time (see receive_whole), so its transactions all come after their end.
    if (!request.temporary) wait_for_slot(session(), name, stop_);
    begin(*link, checkpoint.position.major, !request.temporary);
    // On the reader's thread, and so with a session of its own.
    auto receive_whole = [begin, name, conninfo = conninfo_, application = application_, &stop = stop_](std::uint64_t from) {
        PgSession control{conninfo, PgRole::leader, application + "_control"};
        wait_for_slot(control, name, stop);
        auto whole = std::make_unique<PgLink>(conninfo, PgLink::Kind::replication, PgRole::leader, application, stop);
        begin(*whole, from, false);
        return whole;
    };
    return std::make_unique<PgSource>(std::move(link), std::move(shapes), std::move(watch), checkpoint, std::move(spool), std::move(receive_whole),
                                      request.binary, request.in_progress);
}

Position PgLogicalLeader::mark(const StreamRequest& request) {
    // Looked at before the mark: what the catalog shows by now, the log must have shown by then.
    std::vector<std::uint32_t> oids;
    for (const PublishedTable& table : published_relations(session(), request.stream)) oids.push_back(table.oid);
    before_mark_.clear();
    if (!oids.empty()) before_mark_ = read_tables(session(), oids);
    // Transactional, so that it has a commit record, which is flushed before the call returns.
    session().query("select pg_catalog.pg_logical_emit_message(true, 'rowferry', $1)", {"mark " + request.stream});
    mark_ = current_position();
    marked_ = true;
    return mark_;
}

bool PgLogicalLeader::caught_up(const StreamRequest& request, const Checkpoint& checkpoint) {
    const Position now = current_position();
    if (checkpoint.position >= now) return true;
    const auto found = read_slot(session(), slot(request.stream));
    if (!found || found->active) return false;
    // The log moves on by itself (checkpoints, other databases): what counts is whether anything for this stream is in it.
    try {
        PgTransaction transaction{session(), "BEGIN; SET LOCAL statement_timeout = '5s'"};
        std::string publications = quote_identifier(publication_name(request.stream));
        if (publication_exists(session(), insert_publication_name(request.stream))) publications += "," + quote_identifier(insert_publication_name(request.stream));
        const PgRows rows = session().query(
            // Transactions that end behind the checkpoint with a change of a row or of a shape; other messages are nothing to us.
            "select count(*) from (select c.xid from pg_catalog.pg_logical_slot_peek_binary_changes($1, null, 1000, 'proto_version', '1', 'messages', 'true', "
            "'publication_names', $2) c group by c.xid having bool_or(pg_catalog.get_byte(c.data, 0) = 67 and c.lsn > $3::pg_lsn) and "
            "bool_or(pg_catalog.get_byte(c.data, 0) in (73, 85, 68, 84) or (pg_catalog.get_byte(c.data, 0) = 77 and pg_catalog.\"position\"(c.data, $4::bytea) > 0))) t",
            {slot(request.stream), publications, lsn_to_string(checkpoint.position.major), std::string{pgoutput::kDdlPrefix}});
        transaction.commit();
        return rows.integer(0, 0) == 0;
    } catch (const PgError& error) {
        spdlog::debug("peeking into the slot: {}", error.what());
        return false;
    }
}

std::vector<std::string> PgLogicalLeader::streams_here() {
    std::vector<std::string> streams;
    for (const StreamPublication& publication : read_publications(session())) streams.push_back(publication.stream);
    const std::string prefix = slot_prefix(database_oid());
    const PgRows slots = session().query("select slot_name from pg_catalog.pg_replication_slots where starts_with(slot_name, $1)", {prefix});
    for (std::size_t row = 0; row < slots.size(); ++row) streams.push_back(slots.text(row, 0).substr(prefix.size()));
    std::ranges::sort(streams);
    streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
    return streams;
}

std::vector<std::string> PgLogicalLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    std::vector<std::string> removed;
    if (stream && *stream == temporary_stream_ && !dry_run) {
        // The slot goes with its connection; the server may still be working through something long for it.
        temporary_.reset();
        removed = drop_publications(session(), *stream);
        wait_for_slot(session(), slot(*stream), stop_);
        return removed;
    }
    // One of those made no event triggers, and a stream that is just beginning may have.
    const bool temporary = stream && std::ranges::any_of(read_publications(session()), [&](const StreamPublication& each) { return each.stream == *stream && each.note.temporary; });
    for (const std::string& name : stream ? std::vector<std::string>{*stream} : streams_here()) {
        if (drop_slot(session(), slot(name), dry_run) && !dry_run) removed.push_back("slot " + slot(name));
        if (!dry_run) std::ranges::copy(drop_publications(session(), name), std::back_inserter(removed));
    }
    if (!dry_run && !temporary && read_publications(session()).empty()) std::ranges::copy(pg_ddl_trigger::remove(session()), std::back_inserter(removed));
    return removed;
}

}  // namespace

std::unique_ptr<Leader> make_pg_logical_leader(PgConninfo conninfo, const StopSignal& stop, std::string stream) {
    return std::make_unique<PgLogicalLeader>(std::move(conninfo), stop, std::move(stream));
}

}  // namespace rowferry
