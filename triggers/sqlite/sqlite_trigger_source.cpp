#include "triggers/sqlite/sqlite_trigger_source.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/shape_log.h"
#include "triggers/sqlite/trigger_check.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr auto kLookInterval = std::chrono::seconds{1};     // a full look even when nothing seems to have changed
constexpr auto kForeignInterval = std::chrono::seconds{1};  // how often a position is passed on when only other streams have changes
constexpr auto kSliceTime = milliseconds{4};                // read transaction in rollback-journal mode
constexpr int kRowsPerClock = 16;
constexpr int kBusyTimeoutMs = 50;
constexpr int kStartBusyTimeoutMs = 5000;
constexpr auto kBusyLimit = std::chrono::seconds{30};

bool carries_parts(const TableRules& rules) {
    return std::any_of(rules.rules.begin(), rules.rules.end(), [](const TableRule& rule) {
        const auto drops = [](const ColumnRule& column) { return column.mask.kind == Mask::Kind::drop; };
        return rule.filter || !rule.columns.empty() || !rule.excluded_columns.empty() || std::any_of(rule.column_rules.begin(), rule.column_rules.end(), drops);
    });
}

std::optional<std::int64_t> parse_tag(std::string_view text) {
    std::int64_t tag = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), tag);
    if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return tag;
}

}  // namespace

SqliteTriggerSource::SqliteTriggerSource(const std::string& path, const StreamRequest& request, const Checkpoint& checkpoint, const StopSignal& stop)
    : stream_{checkpoint.stream},
      request_{request},
      follower_id_{request.follower_id.empty() ? checkpoint.follower_id : request.follower_id},
      file_{path},
      db_{path, SqliteDatabase::Mode::read_write},
      stop_{stop},
      selection_{request.selection},
      watch_{path},
      acknowledger_{path, checkpoint.stream, follower_id_, checkpoint.acked.major} {
    if (!file_.try_lock_stream(stream_))
        throw RefusedError{fmt::format("{}: the stream {} is being read by another rowferry", printable(path), stream_)};
    last_.seq = checkpoint.position.major;
    target_ = last_;
    cursor_ = emitted_ = last_.seq;
    db_.execute("PRAGMA query_only = 1");
    db_.set_busy_timeout(kStartBusyTimeoutMs);
    {
        SqliteTransaction transaction{db_, "DEFERRED"};
        db_.guard_utf16();
        verify_start(checkpoint);
        known_tables_ = list_sqlite_tables(db_);
        transaction.commit();
    }
    if (shapes_moved_) log_shapes(kStartBusyTimeoutMs);
    data_version_statement_ = db_.prepare("PRAGMA main.data_version");
    db_.set_busy_timeout(kBusyTimeoutMs);
    last_commit_ = Clock::now();
}

std::string SqliteTriggerSource::where() const {
    return fmt::format("{}: stream {} at {}", printable(db_.path()), stream_, to_string(PositionKind::sequence, {last_.seq, 0}));
}

void SqliteTriggerSource::halt(const std::string& what) const { throw HaltError{fmt::format("{}: {}; {}", where(), what, way_out())}; }

void SqliteTriggerSource::verify_start(const Checkpoint& checkpoint) {
    const std::string id = read_leader_id(db_);
    if (id.empty()) halt("the file has no change table: the stream was removed from it, or it is another file");
    if (id != checkpoint.leader.system)
        halt(fmt::format("this is another leader: the follower belongs to sqlite:{}, the file is sqlite:{}", checkpoint.leader.system,
                         printable(id, 40)));
    const auto tag = parse_tag(checkpoint.resume);
    if (!tag) halt("the checkpoint's resume text is not that of a SQLite leader");
    last_.tag = target_.tag = *tag;
    verify_history();
    const auto stream = read_stream(db_, stream_);
    if (stream->acked_seq > std::max(checkpoint.acked, checkpoint.position).major)
        halt(fmt::format(
            "changes up to {} were acknowledged to the leader, but the follower only knows of {}: it was restored from a backup",
            to_string(PositionKind::sequence, {stream->acked_seq, 0}), to_string(PositionKind::sequence, checkpoint.acked)));
    std::vector<TablePtr> shapes;
    for (const TableState& state : checkpoint.tables) shapes.push_back(std::make_shared<TableSchema>(state.shape));
    for (const TablePtr& shape : shapes)
        if (std::find(stream->tables.begin(), stream->tables.end(), shape->leader_id) == stream->tables.end())
            halt(fmt::format("{} is not among the tables that are captured for this stream", to_string(shape->name)));
    carries_parts_ = carries_parts(request_.rules);
    if (carries_parts_) return use_tables(shapes);
    decoder_.set_tables(shapes);
    shapes_moved_ = !examine_shapes();
}

/// Are the captured tables what they are said to be at the end of the log? False when a change has to be written into it first.
bool SqliteTriggerSource::examine_shapes() {
    const std::vector<TablePtr> shapes = decoder_.tables();
    const std::vector<TablePtr> at_end = shapes_at_end(db_, shapes, cursor_);
    const ShapeFindings found = examine_capture(db_, at_end, where());
    if (found.changed) return false;
    if (at_end == shapes)
        decoder_.set_tables(found.shapes);
    else
        decoder_.make_room_for(at_end);
    rows_ = db_.prepare(decoder_.select_sql());
    schema_version_ = db_.query_integer("PRAGMA main.schema_version");
    return true;
}

/// Outside any read transaction. When the file is busy the next look tries again.
void SqliteTriggerSource::log_shapes(int busy_timeout_ms) {
    try {
        SqliteDatabase writer{db_.path(), SqliteDatabase::Mode::read_write};
        writer.set_busy_timeout(busy_timeout_ms);
        SqliteTransaction transaction{writer, "IMMEDIATE"};
        log_shape_changes(writer, shapes_at_end(writer, decoder_.tables(), cursor_), cursor_, where());
        transaction.commit();
        shapes_moved_ = false;
    } catch (const SqliteError& error) {
        note_busy(error);
    }
}

void SqliteTriggerSource::find_new_tables() {
    std::vector<TableName> present = list_sqlite_tables(db_);
    const TriggerList triggers{db_};
    for (const TablePtr& table : decoder_.tables())  // under a new name they are not new
        if (auto name = triggers.table_of(static_cast<std::uint16_t>(table->leader_id))) known_tables_.push_back({"main", std::move(*name)});
    for (const TableName& name : present)
        if (std::find(known_tables_.begin(), known_tables_.end(), name) == known_tables_.end() && selection_.selects(Engine::sqlite, name)) {
            spdlog::warn("{} is new on the leader and matches the patterns of stream {}, but is not part of it: add it with `rowferry copy-table LEADER FOLLOWER "
                         "--table {}`",
                         to_string(name), stream_, quote_table(name));
            new_tables_.push_back(name);
        }
    known_tables_ = std::move(present);
}

/// For a stream with a filter or fewer columns: a captured table that changes its shape stops it.
void SqliteTriggerSource::use_tables(const std::vector<TablePtr>& shapes) {
    const std::vector<TablePart> parts = verify_capture(db_, shapes, request_, where());
    tables_.clear();
    for (const TablePart& part : parts) tables_.push_back(part.carried);
    decoder_.set_parts(parts);
    rows_ = db_.prepare(decoder_.select_sql());
    schema_version_ = db_.query_integer("PRAGMA main.schema_version");
}

/// Is this still the history that we read so far, and is the stream still ours?
void SqliteTriggerSource::verify_history() {
    const auto stream = read_stream(db_, stream_);
    if (!stream) halt("the leader no longer knows the stream: it was removed, or the file was restored from a backup");
    if (stream->follower_id != follower_id_) halt("the stream belongs to another follower now");
    if (stream->broken) halt(*stream->broken);
    const auto tag = read_tag(db_, last_.seq);
    if (!tag || *tag != last_.tag)
        halt(fmt::format("the leader {} the last change the follower has: it lost the end of its history, or was restored from a backup",
                         tag ? "has another change in the place of" : "no longer has"));
}

void SqliteTriggerSource::read(Batch& batch, std::size_t budget, milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    for (;;) {
        stop_.check();
        if (cursor_ < target_.seq) {
            if (emit(batch, budget)) return;
        } else if (emitted_ < last_.seq && (Clock::now() - last_commit_ >= kForeignInterval || fence_ == last_.seq)) {
            begin_transaction(batch);
            end_transaction(last_, batch);
            return;
        } else if (look()) {
            continue;
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left <= milliseconds::zero() || woken()) return;
        // While other streams' rows are passed over there is nothing to wait for.
        if (cursor_ == target_.seq || busy_since_) watch_.wait(left, wal_, stop_);
    }
}

SqliteTriggerSource::~SqliteTriggerSource() {
    // What lies at the path now is not the leader that we read.
    if (!file_.still_there()) acknowledger_.abandon();
}

void SqliteTriggerSource::report(Position durable) {
    if (file_.still_there()) acknowledger_.report(durable.major);
}

bool SqliteTriggerSource::woken() const {
    pollfd waker{wake_fd_, POLLIN, 0};
    return wake_fd_ >= 0 && ::poll(&waker, 1, 0) > 0;
}

/// In rollback-journal mode even a short read can make a commit of the application fail, so SQLite is asked only after the file's change
/// counter moved. In WAL mode readers are in nobody's way.
bool SqliteTriggerSource::may_have_changed() {
    if (!file_.still_there()) halt("the file was moved away or replaced by another one");
    const auto now = Clock::now();
    const auto header = file_.header();
    if (header && !header->wal) {
        wal_ = false;
        look_needed_ = look_needed_ || header->change_counter != change_counter_;
        change_counter_ = header->change_counter;
        return look_needed_;
    }
    wal_ = true;
    data_version_statement_.reset();
    const std::int64_t version = data_version_statement_.step() ? data_version_statement_.integer(0) : -1;
    data_version_statement_.reset();
    look_needed_ = look_needed_ || version != data_version_ || now - last_look_ >= kLookInterval;
    data_version_ = version;
    return look_needed_;
}

/// True when there is something new to read.
bool SqliteTriggerSource::look() {
    try {
        if (!may_have_changed()) return false;
        SqliteTransaction transaction{db_, "DEFERRED"};
        inspect();
        transaction.commit();
    } catch (const SqliteError& error) {
        note_busy(error);
        return false;
    }
    if (shapes_moved_) {
        log_shapes(kBusyTimeoutMs);
        return !shapes_moved_;
    }
    busy_since_.reset();
    look_needed_ = false;
    last_look_ = Clock::now();
    return cursor_ < target_.seq;
}

void SqliteTriggerSource::inspect() {
    if (!capture_installed(db_)) halt("the change table is gone");
    verify_history();
    const std::int64_t schema_version = db_.query_integer("PRAGMA main.schema_version");
    if (schema_version != schema_version_) {
        find_new_tables();
        if (carries_parts_) {
            use_tables(tables_);
        } else {
            shapes_moved_ = !examine_shapes();
            if (shapes_moved_) return;
        }
    }
    target_ = read_log_end(db_);
    if (fence_ && last_.seq < *fence_ && *fence_ < target_.seq)
        if (const auto tag = read_tag(db_, *fence_)) target_ = {*fence_, *tag};
}

bool SqliteTriggerSource::emit(Batch& batch, std::size_t budget) {
    const std::size_t events = batch.events().size();
    try {
        while (cursor_ < target_.seq && batch.size_bytes() < budget) read_slice(batch, budget);
    } catch (const SqliteError& error) {
        rows_.reset();
        note_busy(error);
    }
    return batch.events().size() > events || batch.size_bytes() >= budget;
}

void SqliteTriggerSource::read_slice(Batch& batch, std::size_t budget) {
    SqliteTransaction transaction{db_, "DEFERRED"};
    rows_.reset();
    rows_.bind(1, static_cast<std::int64_t>(cursor_)).bind(2, static_cast<std::int64_t>(target_.seq));
    const auto end = Clock::now() + kSliceTime;
    for (int count = 1;; ++count) {
        if (!rows_.step()) halt(fmt::format("rows {} to {} of the change table are missing", cursor_ + 1, target_.seq));
        busy_since_.reset();
        take_row(batch);
        if (cursor_ == target_.seq || batch.size_bytes() >= budget) break;
        if (count % kRowsPerClock == 0 && (stop_.requested() || (!wal_ && Clock::now() > end))) break;
    }
    rows_.reset();
    transaction.commit();
    stop_.check();
}

void SqliteTriggerSource::take_row(Batch& batch) {
    const auto seq = static_cast<std::uint64_t>(rows_.integer(ChangeDecoder::kSeq));
    if (seq != cursor_ + 1) halt(fmt::format("rows {} to {} of the change table are missing", cursor_ + 1, seq - 1));
    if (seq == target_.seq && rows_.integer(ChangeDecoder::kTag) != target_.tag)
        halt("the change table was replaced while it was being read");
    if (decoder_.concerns(rows_)) {
        // The stream may have to stop in front of it: what the application committed before gets there first.
        if (begun_ && !whole_ && ChangeDecoder::changes_shape(rows_)) end_transaction({cursor_, cursor_tag_}, batch);
        begin_transaction(batch);
        try {
            decoder_.decode(rows_, batch);
        } catch (const ValueError& error) {
            throw HaltError{fmt::format("{}: row {} of the change table, of {}: {}", where(), seq, decoder_.table_name(rows_), error.what())};
        }
    }
    cursor_ = seq;
    cursor_tag_ = rows_.integer(ChangeDecoder::kTag);
    if (cursor_ == target_.seq) reach_target(batch);
}

void SqliteTriggerSource::begin_transaction(Batch& batch) {
    if (begun_) return;
    batch.add(Begin{{emitted_, 0}, 0, Boundary::merged});
    begun_ = true;
}

void SqliteTriggerSource::reach_target(Batch& batch) {
    last_ = target_;
    decoder_.end_transaction();
    if (begun_) end_transaction(last_, batch);
}

void SqliteTriggerSource::end_transaction(LogEnd end, Batch& batch) {
    batch.add(Commit{{end.seq, 0}, 0, batch.arena().copy(std::to_string(end.tag))});
    emitted_ = end.seq;
    begun_ = false;
    last_commit_ = Clock::now();
}

void SqliteTriggerSource::note_busy(const SqliteError& error) {
    if (!error.busy()) throw error;
    const auto now = Clock::now();
    if (!busy_since_) busy_since_ = now;
    if (now - *busy_since_ > kBusyLimit)
        throw RetryableError{fmt::format("{}: the file has been locked for {} s", printable(db_.path()), kBusyLimit.count())};
}

}  // namespace rowferry
