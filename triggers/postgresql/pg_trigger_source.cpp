#include "triggers/postgresql/pg_trigger_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/pg_row_reader.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"
#include "triggers/postgresql/capture_install.h"

namespace rowferry {
namespace {

using namespace pg_capture;
using std::chrono::milliseconds;

constexpr milliseconds kShortestNap{1};
constexpr milliseconds kLongestNap{100};
constexpr std::chrono::seconds kAckInterval{1};
constexpr std::chrono::seconds kHeartbeat{60};
constexpr std::chrono::seconds kLookInterval{10};
// Ticks behind which there is nothing of this stream become positions this often.
constexpr std::chrono::seconds kEmptyInterval{1};

// Indexes of a table that nobody ever analyses; sorting happens once per batch.
constexpr const char* kReaderSettings = "SET enable_seqscan = off; SET jit = off; SET work_mem = '32MB'; SET default_transaction_isolation = 'read committed'; SET lock_timeout = '5s'";

}  // namespace

PgTriggerSource::PgTriggerSource(const PgConninfo& conninfo, const StreamRequest& request, const Checkpoint& checkpoint, const std::string& application, const StopSignal& stop)
    : control_{conninfo, PgRole::leader, application + "_control"},
      link_{conninfo, PgLink::Kind::sql, PgRole::leader, application, stop},
      stream_{checkpoint.stream},
      tables_{checkpoint, request},
      pruner_{control_, checkpoint.stream, checkpoint.follower_id},
      at_{parse_resume(checkpoint.position.major, checkpoint.resume)},
      bounds_{parse_snapshot(at_.snapshot)},
      acked_{checkpoint.acked.major} {
    control_.query(kReaderSettings);
    link_.query(kReaderSettings);
    if (!lock_stream(control_, stream_)) throw RetryableError{fmt::format("another session on the leader still reads stream {}", stream_)};
    unreported_.emplace_back(at_.number, at_.snapshot);
    link_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    look();
    link_.query("COMMIT");
}

void PgTriggerSource::look() {
    const PgResult result = link_.query(tables_.fingerprint_query());
    const std::string now = PQgetvalue(result.get(), 0, 0);
    if (now == fingerprint_) return;
    {
        // What is compared is what the batch sees, not what came since.
        const PgResult exported = link_.query("SELECT pg_catalog.pg_export_snapshot()");
        PgTransaction transaction{control_, import_snapshot(PQgetvalue(exported.get(), 0, 0))};
        tables_.look(control_);
        transaction.commit();
    }
    // The leaves that were found belong to it.
    const PgResult again = link_.query(tables_.fingerprint_query());
    fingerprint_ = PQgetvalue(again.get(), 0, 0);
}

std::optional<Tick> PgTriggerSource::next_tick() {
    const PgRows rows = control_.query("select coalesce(max(number), 0), pg_catalog.pg_current_snapshot()::text from rowferry.capture_tick");
    const auto newest = static_cast<std::uint64_t>(rows.integer(0, 0));
    if (newest < at_.number) throw HaltError{fmt::format("stream {}: the leader's positions end at {}, behind this follower's {}: it lost its tail or was restored", stream_, newest, at_.number)};
    if (fence_ && at_.number < *fence_ && *fence_ <= newest) return read_tick(control_, *fence_);
    const std::string snapshot = rows.text(0, 1);
    if (snapshot != idle_snapshot_) {
        const auto logged = tables_.oids();
        if (has_changes(control_, bounds_, &logged)) return make_tick(control_);
        idle_snapshot_ = snapshot;
    }
    if (newest == at_.number || Clock::now() < next_empty_) return std::nullopt;
    next_empty_ = Clock::now() + kEmptyInterval;
    return read_tick(control_, newest);
}

std::string PgTriggerSource::tangled_pairs(const SnapshotBounds& to) {
    if (!tables_.any_row_level()) return {};
    const std::string entries = between_snapshots("xid, rel, op, depth, late, old_tid, new_tid", fmt::format(" AND rel = ANY ('{}'::oid[])", oid_array(tables_.oids())), bounds_, &to);
    const PgResult pairs = link_.query(fmt::format(
        "SELECT xid, rel FROM ({}) e WHERE op <> 'T' GROUP BY xid, rel HAVING bool_and(old_tid IS NOT NULL OR new_tid IS NOT NULL) AND (bool_or(coalesce(late, false)) OR min(depth) <> max(depth))",
        entries));
    std::string values;
    for (int row = 0; row < PQntuples(pairs.get()); ++row)
        values += fmt::format("{}({}::bigint, {}::oid)", row == 0 ? "" : ", ", PQgetvalue(pairs.get(), row, 0), PQgetvalue(pairs.get(), row, 1));
    return values;
}

/// On the other connection, as this one copies: the log between the two snapshots does not change any more.
NestingCheck::Crossed PgTriggerSource::crossed_pairs(const SnapshotBounds& to) {
    const std::string entries = between_snapshots("xid, rel, seq, depth", fmt::format(" AND op <> 'T' AND old_tid IS NULL AND new_tid IS NULL AND rel = ANY ('{}'::oid[])", oid_array(tables_.oids())),
                                                  bounds_, &to);
    const PgRows rows = control_.query(
        fmt::format("SELECT xid, rel, max(seq) FROM (SELECT xid, rel, seq, depth, max(depth) OVER (PARTITION BY xid, rel ORDER BY seq) AS deepest FROM ({}) e) d WHERE depth < deepest GROUP BY xid, rel", entries));
    NestingCheck::Crossed crossed;
    for (std::size_t row = 0; row < rows.size(); ++row)
        crossed[{static_cast<std::uint64_t>(rows.integer(row, 0)), static_cast<std::uint32_t>(std::stoul(rows.text(row, 1)))}] = static_cast<std::uint64_t>(rows.integer(row, 2));
    return crossed;
}

/// Where triggers changed rows of a table while a statement on it was still running, the log's order is not that of the changes. Then the versions of the rows tell what the transaction came
/// to: versions that it found and that are gone are removed, those that it made and left are inserted, whatever happened in between.
void PgTriggerSource::open_batch(Tick target) {
    const SnapshotBounds to = parse_snapshot(target.snapshot);
    link_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    look();
    const std::string rels = fmt::format(" AND rel = ANY ('{}'::oid[])", oid_array(tables_.oids()));
    const std::string pairs = tangled_pairs(to);
    std::string sql;
    if (pairs.empty()) {
        sql = fmt::format("SELECT * FROM ({}) e ORDER BY seq", between_snapshots(kEntryColumns, rels, bounds_, &to));
    } else {
        sql = fmt::format(
            "WITH v(xid, rel) AS (VALUES {0}), "
            "a AS (SELECT c.*, max(c.seq) FILTER (WHERE c.op = 'T') OVER w AS cut, max(c.seq) OVER w AS last FROM rowferry.capture_change c JOIN v ON v.xid = c.xid AND v.rel = c.rel "
            "WINDOW w AS (PARTITION BY c.xid, c.rel)), "
            "p AS (SELECT * FROM a WHERE op <> 'T' AND seq > coalesce(cut, 0)) "
            "SELECT e.* FROM ({1}) e WHERE e.op = 'T' OR NOT EXISTS (SELECT FROM v WHERE v.xid = e.xid AND v.rel = e.rel) "
            "UNION ALL SELECT last, xid, rel, 'D'::\"char\", 1::smallint, true, olds, NULL::text[] FROM p WHERE old_tid IS NOT NULL "
            "AND NOT EXISTS (SELECT FROM p q WHERE q.xid = p.xid AND q.rel = p.rel AND q.new_tid = p.old_tid) "
            "UNION ALL SELECT last, xid, rel, 'I'::\"char\", 1::smallint, true, NULL::text[], news FROM p WHERE new_tid IS NOT NULL "
            "AND NOT EXISTS (SELECT FROM p q WHERE q.xid = p.xid AND q.rel = p.rel AND q.old_tid = p.new_tid) ORDER BY 1, 4",
            pairs, between_snapshots(kEntryColumns, rels, bounds_, &to));
    }
    link_.query("COPY (" + sql + ") TO STDOUT (FORMAT binary)");
    target_ = std::move(target);
    header_ = true;
    begun_ = false;
    nesting_.begin([this, to] { return crossed_pairs(to); });
}

void PgTriggerSource::begin(Batch& batch) {
    if (!std::exchange(begun_, true)) batch.add(Begin{{at_.number, 0}, 0, Boundary::merged});
}

void PgTriggerSource::add_truncate(const Truncation& truncation, Batch& batch) {
    const std::span<const TableSchema*> tables = batch.arena().array<const TableSchema*>(truncation.tables.size());
    for (std::size_t i = 0; i < truncation.tables.size(); ++i) tables[i] = batch.keep(truncation.tables[i]);
    batch.add(Truncate{tables, false, false});
}

/// Tables of one statement are emptied as one, or a foreign key between them would be in the way. Entries of other sessions may stand between theirs, also of another TRUNCATE: they have nothing to
/// do with its tables, which it has locked.
void PgTriggerSource::keep_truncated(const TablePtr& table) {
    auto own = std::ranges::find(truncations_, entry_.xid, &Truncation::xid);
    if (own == truncations_.end()) own = truncations_.insert(own, {entry_.xid, {}});
    if (std::ranges::find(own->tables, table) == own->tables.end()) own->tables.push_back(table);
}

/// Those that the entry stands behind: of its own transaction, and of its table.
void PgTriggerSource::add_truncates_before(Batch& batch) {
    if (truncations_.empty()) return;
    const TablePtr* table = tables_.truncated(entry_, target_->number);
    const auto is_before = [&](const Truncation& truncation) {
        return truncation.xid == entry_.xid || (table != nullptr && std::ranges::any_of(truncation.tables, [&](const TablePtr& each) { return each->name == (*table)->name; }));
    };
    for (const Truncation& truncation : truncations_)
        if (is_before(truncation)) add_truncate(truncation, batch);
    std::erase_if(truncations_, is_before);
}

bool PgTriggerSource::fill(Batch& batch, std::size_t budget) {
    std::string_view message;
    while (batch.size_bytes() < budget) {
        if (!link_.get_copy(message)) return false;
        if (std::exchange(header_, false)) {
            if (!message.starts_with(pg_binary::kCopyHeader)) throw DecodeError{"the leader's COPY does not begin as PostgreSQL's binary format does"};
            message.remove_prefix(pg_binary::kCopyHeader.size());
        }
        if (message.empty() || message == pg_binary::kCopyTrailer) continue;
        decode_entry(message, entry_);
        if (entry_.op == 'T') {
            const TablePtr* table = tables_.truncated(entry_, target_->number);
            if (table == nullptr) continue;
            begin(batch);
            keep_truncated(*table);
            continue;
        }
        add_truncates_before(batch);
        // Begin stands in front, also of a change of shape; an entry that is none of ours must not leave an empty transaction, which does no harm either.
        begin(batch);
        if (tables_.decode(entry_, target_->number, batch) && !entry_.row_level) {
            nesting_.see(entry_, tables_, scratch_);
            scratch_.clear();
        }
    }
    return true;
}

void PgTriggerSource::finish_batch(Batch& batch) {
    for (const Truncation& truncation : truncations_) add_truncate(truncation, batch);
    truncations_.clear();
    begin(batch);
    const Tick reached = std::move(*target_);
    target_.reset();
    link_.query("COMMIT");
    batch.add(Commit{{reached.number, 0}, reached.made_us, batch.arena().copy(resume_text(reached))});
    at_ = reached;
    bounds_ = parse_snapshot(at_.snapshot);
    tables_.at(at_.number);
    idle_snapshot_.clear();
    unreported_.emplace_back(at_.number, at_.snapshot);
}

void PgTriggerSource::read(Batch& batch, std::size_t budget, milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    for (;;) {
        if (!target_) {
            if (Clock::now() >= next_look_) {
                next_look_ = Clock::now() + kLookInterval;
                link_.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                look();
                link_.query("COMMIT");
                tables_.look_for_new(control_);
            }
            if (auto target = next_tick()) open_batch(std::move(*target));
        }
        if (target_) {
            nap_ = kShortestNap;
            if (!fill(batch, budget)) finish_batch(batch);
            return;
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return;
        pollfd woken{wake_fd_, POLLIN, 0};
        link_.wait(wake_fd_, std::min(nap_, left));
        // What the server says by itself (a reloaded setting, its end) would keep the socket readable, and us awake.
        if (PQconsumeInput(link_.get()) == 0) link_.fail("waiting for the leader");
        nap_ = std::min(nap_ * 2, kLongestNap);
        if (wake_fd_ >= 0 && ::poll(&woken, 1, 0) > 0) return;
    }
}

void PgTriggerSource::report(Position durable) {
    const auto now = Clock::now();
    while (unreported_.size() > 1 && unreported_[1].first <= durable.major) unreported_.pop_front();
    const bool moved = durable.major > acked_ && unreported_.front().first > acked_;
    if (now < next_ack_ || (!moved && now < next_heartbeat_ && !pruner_.more_to_prune())) return;
    next_ack_ = now + kAckInterval;
    if (!moved && now < next_heartbeat_) return pruner_.prune();
    next_heartbeat_ = now + kHeartbeat;
    if (unreported_.front().first > durable.major) return;
    pruner_.acknowledge(unreported_.front().first, unreported_.front().second);
    acked_ = unreported_.front().first;
    pruner_.prune();
}

}  // namespace rowferry
