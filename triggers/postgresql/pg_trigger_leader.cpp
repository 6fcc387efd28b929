#include "triggers/postgresql/pg_trigger_leader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_preflight.h"
#include "decoder/pgoutput/pg_snapshot.h"
#include "decoder/pgoutput/pg_stream.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "triggers/postgresql/capture_install.h"
#include "triggers/postgresql/capture_store.h"
#include "triggers/postgresql/pg_trigger_preflight.h"
#include "triggers/postgresql/pg_trigger_source.h"

namespace rowferry {
namespace {

using namespace pg_capture;

/// Rows as of a tick.
class TickSnapshot : public PgSnapshot {
public:
    TickSnapshot(const PgConninfo& conninfo, const std::string& application, const std::string& exported, Tick tick, const StopSignal& stop)
        : PgSnapshot{conninfo, application, exported, tick.number, stop}, tick_{std::move(tick)} {}
    [[nodiscard]] std::string resume() const override { return resume_text(tick_); }

private:
    Tick tick_;
};

class PgTriggerLeader : public Leader {
public:
    PgTriggerLeader(PgConninfo conninfo, const StopSignal& stop, std::string stream)
        : conninfo_{std::move(conninfo)}, stop_{stop}, stream_{std::move(stream)}, application_{application_name(stream_)} {}

    [[nodiscard]] Engine engine() const override { return Engine::postgresql; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::triggers; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::sequence; }
    [[nodiscard]] std::string describe() const override { return conninfo_.describe(); }

    LeaderIdentity identify() override;
    Position current_position() override;
    std::vector<TablePtr> select_tables(const StreamRequest& request) override;
    std::vector<std::string> skipped(const StreamRequest& request) override { return skipped_relations(session(), request.selection); }
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& names) override;
    void release(const StreamRequest& request, const std::vector<TableName>& tables) override;
    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override;
    Position mark(const StreamRequest& request) override;
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    PgSession& session();
    std::vector<PgTable> selected(const StreamRequest& request);
    [[nodiscard]] bool captures_leaves(const std::string& stream);
    std::unique_ptr<Snapshot> snapshot_at_tick(const StreamRequest& request, const std::vector<PgTable>& tables);
    void refuse_while_read(const std::string& stream);

    PgConninfo conninfo_;
    const StopSignal& stop_;
    std::string stream_;
    std::string application_;
    std::unique_ptr<PgSession> session_;
    std::optional<LeaderIdentity> identity_;
};

PgSession& PgTriggerLeader::session() {
    if (!session_) {
        session_ = std::make_unique<PgSession>(conninfo_, PgRole::leader, application_ + "_control");
        session_->query("SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off; SET jit = off");
    }
    return *session_;
}

LeaderIdentity PgTriggerLeader::identify() {
    if (!identity_) identity_ = read_identity(session());
    return *identity_;
}

Position PgTriggerLeader::current_position() {
    if (!is_installed(session())) return {};
    const auto last = last_tick(session());
    if (last && !has_changes(session(), parse_snapshot(last->snapshot), nullptr)) return {last->number, 0};
    return {make_tick(session()).number, 0};
}

Position PgTriggerLeader::mark(const StreamRequest&) { return current_position(); }

/// A stream that began with leaves has them whatever is asked for: roots are the default for a SQLite follower, also in front of `copy-table`.
bool PgTriggerLeader::captures_leaves(const std::string& stream) {
    if (!is_installed(session())) return false;
    return session()
        .query("select exists (select from rowferry.capture_member m join pg_catalog.pg_class c on c.oid = m.rel where m.stream = $1 and c.relispartition)", {stream})
        .boolean(0, 0);
}

std::vector<PgTable> PgTriggerLeader::selected(const StreamRequest& request) {
    std::vector<PgTable> tables = select_by_patterns(session(), request, request.partition_roots && !captures_leaves(request.stream));
    if (!request.one_off) settle_identity(tables, request.keyless);
    return tables;
}

std::vector<TablePtr> PgTriggerLeader::select_tables(const StreamRequest& request) {
    return read_carried_tables(session(), selected(request), request.one_off);
}

void PgTriggerLeader::check(const StreamRequest& request, const std::vector<TablePtr>&) {
    check_leader(session(), request, selected(request));
    for (const std::string& line : skipped_relations(session(), request.selection)) spdlog::info("{}", line);
}

/// The tick's snapshot and the one that is copied are the same: it is taken while nobody can make another tick.
std::unique_ptr<Snapshot> PgTriggerLeader::snapshot_at_tick(const StreamRequest& request, const std::vector<PgTable>& tables) {
    PgTransaction ticking{session(), "BEGIN; LOCK TABLE rowferry.capture_tick IN SHARE ROW EXCLUSIVE MODE"};
    const ExportedSnapshot exported{conninfo_, application_ + "_copy"};
    Tick tick = make_tick(session(), exported.bounds());
    ticking.commit();
    auto snapshot = std::make_unique<TickSnapshot>(conninfo_, application_ + "_copy", exported.name(), std::move(tick), stop_);
    snapshot->use_tables(tables, request);
    return snapshot;
}

std::unique_ptr<Snapshot> PgTriggerLeader::start(const StreamRequest& request) {
    install_objects(session());
    if (!lock_stream(session(), request.stream)) throw RetryableError{fmt::format("another session on the leader still reads stream {}", request.stream)};
    // What an unfinished start of the same follower left; check() has refused everybody else's.
    static_cast<void>(remove_stream(session(), request.stream, stop_));
    add_stream(session(), request.stream, request.follower_id);
    unlock_stream(session(), request.stream);
    const std::vector<PgTable> tables = selected(request);
    spdlog::info("putting triggers on {} table(s) of the leader", tables.size());
    capture_tables(session(), request.stream, tables, stop_);
    return snapshot_at_tick(request, tables);
}

std::unique_ptr<Snapshot> PgTriggerLeader::snapshot(const StreamRequest& request) {
    const ExportedSnapshot exported{conninfo_, application_ + "_copy"};
    auto snapshot = std::make_unique<PgSnapshot>(conninfo_, application_ + "_copy", exported.name(), current_position().major, stop_);
    snapshot->use_tables(selected(request), request);
    return snapshot;
}

std::unique_ptr<Snapshot> PgTriggerLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& names) {
    std::vector<PgTable> tables = select_by_names(session(), request, names, false);
    settle_identity(tables, request.keyless);
    check_tables(session(), request, tables);
    if (!read_stream(session(), request.stream)) throw HaltError{fmt::format("stream {} is gone from the leader. {}", request.stream, kCopyAgain)};
    capture_tables(session(), request.stream, tables, stop_);
    return snapshot_at_tick(request, tables);
}

void PgTriggerLeader::release(const StreamRequest& request, const std::vector<TableName>& names) {
    std::vector<std::uint32_t> oids;
    for (const PgTable& table : read_tables(session(), false))
        if (std::ranges::find(names, table.schema.name) != names.end()) oids.push_back(table.schema.leader_id);
    static_cast<void>(release_tables(session(), request.stream, oids, stop_));
}

std::unique_ptr<Source> PgTriggerLeader::follow(const StreamRequest& request, const Checkpoint& checkpoint) {
    const std::string at = to_string(PositionKind::sequence, checkpoint.position);
    const auto stream = read_stream(session(), checkpoint.stream);
    if (!stream) throw HaltError{fmt::format("stream {} is gone from the leader: the changes after {} cannot be had any more. {}", checkpoint.stream, at, kCopyAgain)};
    if (stream->follower_id != checkpoint.follower_id) throw HaltError{fmt::format("stream {} on the leader now belongs to another follower. {}", checkpoint.stream, kCopyAgain)};
    if (stream->acked > checkpoint.acked.major)
        throw HaltError{fmt::format("the leader was told {}, and this follower knows of {} only: it was restored from a backup, and the changes in between are gone from the leader's log. {}",
                                    to_string(PositionKind::sequence, {stream->acked, 0}), to_string(PositionKind::sequence, checkpoint.acked), kCopyAgain)};
    const Tick tick = parse_resume(checkpoint.position.major, checkpoint.resume);
    const auto there = read_tick(session(), checkpoint.position.major);
    if (!there || there->tag != tick.tag)
        throw HaltError{fmt::format("the leader has {} {}: it lost the end of its history, or was restored and written to again, and the histories have diverged. {}", there ? "another" : "no", at,
                                    kCopyAgain)};
    return std::make_unique<PgTriggerSource>(conninfo_, request, checkpoint, application_, stop_);
}

bool PgTriggerLeader::caught_up(const StreamRequest& request, const Checkpoint& checkpoint) {
    if (!read_stream(session(), request.stream)) return false;
    std::vector<std::uint32_t> oids;
    for (const auto& [oid, member] : read_members(session(), request.stream)) oids.push_back(oid);
    return !has_changes(session(), parse_snapshot(parse_resume(checkpoint.position.major, checkpoint.resume).snapshot), &oids);
}

void PgTriggerLeader::refuse_while_read(const std::string& stream) {
    if (!lock_stream(session(), stream)) throw RefusedError{fmt::format("stream {} is being read: stop the rowferry that runs it first", stream)};
    unlock_stream(session(), stream);
}

std::vector<std::string> PgTriggerLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    std::vector<std::string> removed;
    if (!is_installed(session())) return removed;
    for (const std::string& name : stream ? std::vector<std::string>{*stream} : read_streams(session())) {
        if (!read_stream(session(), name)) continue;
        refuse_while_read(name);
        if (!dry_run) std::ranges::copy(remove_stream(session(), name, stop_), std::back_inserter(removed));
    }
    if (!dry_run) std::ranges::copy(remove_unused_objects(session(), stop_), std::back_inserter(removed));
    return removed;
}

}  // namespace

std::unique_ptr<Leader> make_pg_trigger_leader(PgConninfo conninfo, const StopSignal& stop, std::string stream) {
    return std::make_unique<PgTriggerLeader>(std::move(conninfo), stop, std::move(stream));
}

std::string logical_decoding_obstacle(const PgConninfo& conninfo, const std::string& stream) {
    PgSession session{conninfo, PgRole::leader, application_name(stream) + "_control"};
    const PgRows rows = session.query(
        "select current_setting('wal_level'), r.rolreplication or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user");
    if (rows.text(0, 0) != "logical") return fmt::format("wal_level is {} on the leader, not logical", rows.text(0, 0));
    if (!rows.boolean(0, 1)) return "the role has no REPLICATION right";
    return {};
}

bool is_captured_by_triggers(const PgConninfo& conninfo, const std::string& stream) {
    PgSession session{conninfo, PgRole::leader, application_name(stream) + "_control"};
    return read_stream(session, stream).has_value();
}

}  // namespace rowferry
