#include "applier/postgresql/pg_sink.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_shape_change.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// From about this many rows on, leaving the pipeline for a COPY is faster than prepared inserts.
constexpr std::uint32_t kCopyRun = 50;
// After a conflict the table's inserts go one by one for a while, doubling up to the limit: a workload of REPLACEs stays off COPY.
constexpr std::uint32_t kFirstPause = 1000;
constexpr std::uint32_t kLongestPause = 64 * 1000;

// Counting costs the server a little for every statement, and saves a round trip for all of them.
constexpr std::size_t kOneTrip = 16;
// Behind a COMMIT: its record ends at the first or before it, and survives once the second has passed that.
constexpr std::string_view kLogPlace =
    "SELECT pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn, "
    "pg_catalog.current_setting('synchronous_standby_names') = ''";

}  // namespace

PgSink::PgSink(std::shared_ptr<PgSharedLink> shared, const Checkpoint& checkpoint, std::vector<PgSinkTable> tables, bool defer,
               PgShapePolicy policy)
    : shared_{std::move(shared)},
      link_{*shared_->link},
      pipeline_{link_, [this](const PgPipeline::Pending& pending, const PGresult* result) { on_result(pending, result); }},
      sender_{pipeline_, mismatches_},
      quarantine_{pipeline_, sender_, mismatches_, checkpoint.stream},
      writer_{pipeline_, sender_, link_},
      stream_{checkpoint.stream},
      kind_{checkpoint.position_kind},
      position_{checkpoint.position},
      term_{checkpoint.term},
      defer_{defer},
      policy_{std::move(policy)} {
    link_.query("DEALLOCATE ALL");
    // A plan is made once and for any array, while the table may still be empty: it has to find each row by the index.
    link_.query("SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; "
                "SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_memoize = off; SET enable_material = off");
    begin_.name = "begin";
    begin_.sql = kBegin;
    commit_.name = "commit";
    commit_.sql = "COMMIT";
    advance_ = pg_advance::statement();
    durable_ = checkpoint.position;
    look_at_durability();
    for (PgSinkTable& source : tables) {
        Table table;
        if (source.unfit.empty()) table.plan = std::make_unique<PgTablePlan>(source.leader, source.follower, plans_made_++);
        const TableName name = source.leader.name;
        table.source = std::move(source);
        tables_.emplace(name, std::move(table));
    }
    readmit();
}

PgSink::~PgSink() { rollback(); }

/// Do two shapes of a table lead to the same statements?
bool PgSink::writes_alike(const TableSchema& left, const TableSchema& right) {
    const auto same_column = [](const ColumnSchema& a, const ColumnSchema& b) {
        return a.name == b.name && a.type == b.type && a.type_oid == b.type_oid && a.collation == b.collation &&
               a.on_mismatch == b.on_mismatch;
    };
    return left.engine == right.engine && left.identity == right.identity && left.unique_keys == right.unique_keys &&
           std::equal(left.columns.begin(), left.columns.end(), right.columns.begin(), right.columns.end(), same_column);
}

void PgSink::open_transaction() {
    if (open_) return send_marks();
    open_ = true;
    send_begin();
    if (defer_) pipeline_.control("SET CONSTRAINTS ALL DEFERRED");
}

void PgSink::send_begin() { pipeline_.send(begin_, {}, {}, {}); }

PgSink::Table& PgSink::table_of(const TableSchema* schema) {
    if (schema == last_schema_) return *last_table_;
    Table*& known = known_[schema];
    if (known == nullptr) {
        const auto found = tables_.find(schema->name);
        if (found == tables_.end()) throw HaltError{fmt::format("{}: the stream has no such table", to_string(schema->name))};
        Table& table = found->second;
        if (!table.plan) throw HaltError{table.source.unfit};
        if (!writes_alike(table.plan->leader(), *schema)) use_shape(table, *schema);
        known = &table;
    }
    last_schema_ = schema;
    last_table_ = known;
    return *known;
}

/// The leader's table has another shape from here on.
void PgSink::use_shape(Table& table, TableSchema schema) {
    // What the columns held when the table was copied is known to the checkpoint only.
    for (ColumnSchema& column : schema.columns)
        if (const auto known = table.source.leader.column_index(column.name)) column.profile = table.source.leader.columns[*known].profile;
    const auto problems = check_target_columns(schema, table.source.follower);
    if (!problems.empty())
        throw HaltError{fmt::format("{}: the leader's table has changed its shape: {}", to_string(schema.name), problems.front())};
    table.retired.push_back(std::move(table.plan));
    table.plan = std::make_unique<PgTablePlan>(std::move(schema), table.source.follower, plans_made_++);
    if (table.quarantined.empty()) return;
    pipeline_.finish();
    load_quarantined(table, {});
}

bool PgSink::already_in(const Table& table) const { return skipping_ || after_ < table.source.included_to; }

/// What is known by the addresses of other events is void.
void PgSink::start_events(std::span<const Event> events) {
    events_ = events;
    known_.clear();
    last_schema_ = nullptr;
    run_end_ = 0;
}

void PgSink::apply(std::span<const Event> events) {
    start_events(events);
    const auto count = static_cast<std::uint32_t>(events.size());
    for (std::uint32_t first = 0; first < count;) {
        // Nothing passes a truncate or a change of shape.
        std::uint32_t end = first;
        while (end < count && !std::holds_alternative<Truncate>(events[end]) && !std::holds_alternative<ShapeChange>(events[end])) ++end;
        if (end > first && !apply_group(first, end)) apply_in_order(first, end);
        first = std::min(end + 1, count);
        if (end < first) apply_in_order(end, first);
    }
    if (finish_later_) return;
    pipeline_.finish();
    counts_due_ = false;
    events_ = {};
}

void PgSink::apply_in_order(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i < last; ++i) {
        const Event& event = events_[i];
        if (const auto* row = std::get_if<Change>(&event)) {
            Table& table = table_of(row->table);
            if (already_in(table)) continue;
            table.touched_by = transactions_;
            if (grouping_ && table.grouped) {
                add_to_group(i, *row, table);
                continue;
            }
            open_transaction();
            if (row->operation == Operation::insert && i >= run_end_) {
                const std::uint32_t end = insert_run(i, *row);
                if (const std::uint32_t done = copy_run(i, end, table); done > i) {
                    i = done - 1;
                    continue;
                }
                run_end_ = end;
            }
            change(i, *row, table);
        } else if (const auto* begin = std::get_if<Begin>(&event)) {
            begin_leader_transaction(*begin);
        } else if (const auto* shape = std::get_if<ShapeChange>(&event)) {
            change_shape(i, *shape);
        } else if (std::holds_alternative<Commit>(event)) {
            check_all_fit();
        } else if (const auto* tables = std::get_if<Truncate>(&event)) {
            truncate(i, *tables);
        }
    }
}

void PgSink::begin_leader_transaction(const Begin& begin) {
    after_ = begin.after;
    // Sent again after a reconnect: its commit lies before the checkpoint. The next one may begin exactly there.
    skipping_ = begin.after < position_;
    ++transactions_;
}

/// One past the last event of a run of inserts into the same table. Transactions may begin and end in it: they change no rows.
std::uint32_t PgSink::insert_run(std::uint32_t first, const Change& change) const {
    std::uint32_t end = first + 1;
    for (std::uint32_t i = end; i < events_.size(); ++i) {
        const Event& event = events_[i];
        if (const auto* next = std::get_if<Change>(&event)) {
            if (next->operation != Operation::insert || next->table != change.table) break;
            end = i + 1;
        } else if (const auto* begin = std::get_if<Begin>(&event)) {
            if (begin->after < position_) break;
        } else if (std::holds_alternative<Truncate>(event) || std::holds_alternative<ShapeChange>(event)) {
            break;
        }
    }
    return end;
}

void PgSink::change(std::uint32_t event, const Change& change, Table& table) {
    PgTablePlan& plan = *table.plan;
    try {
        if (table.quarantined.concern(plan, change)) return quarantine(event, change, table);
        switch (change.operation) {
            case Operation::insert:
                if (table.copy_pause > 0) --table.copy_pause;
                // A trigger may swallow it that we do not know of: one of a partition, or made since we looked.
                return send_counted(plan, change, plan.insert(), event);
            case Operation::update: return send_counted(plan, change, plan.update(change), event);
            case Operation::remove: return send_counted(plan, change, plan.remove(), event);
        }
    } catch (const ValueError& error) {
        if (!plan.lenient() || change.operation == Operation::remove) fail_value(plan, change, error.what(), place(event));
    }
    quarantine(event, change, table);
}

/// A row that is missing is no error to the server. Where the commit follows in the same pipeline the server has to make it one.
void PgSink::send_counted(PgTablePlan& plan, const Change& change, PgStatement& statement, std::uint32_t event) {
    PgStatement* const counted = finish_later_ && events_.size() <= kOneTrip && plan.follower().replica_rules.empty() ? plan.counted(statement) : nullptr;
    counts_due_ = counts_due_ || counted == nullptr;
    sender_.send(plan, change, counted == nullptr ? statement : *counted, event);
}

void PgSink::on_result(const PgPipeline::Pending& pending, const PGresult* result) {
    using Kind = PgPipeline::Pending::Kind;
    const auto status = PQresultStatus(result);
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (grouping_) check_in_group(pending, result, good);
    if (good && pending.kind == Kind::rows) return;
    if (good && (pending.kind == Kind::change || pending.kind == Kind::displaced)) {
        std::uint64_t rows = 0;
        const std::string_view count = PQcmdTuples(const_cast<PGresult*>(result));
        std::from_chars(count.data(), count.data() + count.size(), rows);
        if (pending.kind == Kind::displaced) {
            replaced_ += rows;
            return;
        }
        if (rows != 1) fail_count(*pending.plan, change_at(pending.event), rows, place(pending.event));
        if (pending.counts_replaced) {
            std::uint64_t gone = 0;
            const std::string_view text = PQgetvalue(result, 0, 0);
            std::from_chars(text.data(), text.data() + text.size(), gone);
            replaced_ += gone;
        }
        return;
    }
    if (good) {
        if (pending.kind == Kind::log_place) keep_log_place(result);
        if (pending.kind == Kind::advance && std::string_view{PQcmdTuples(const_cast<PGresult*>(result))} != "1")
            throw HaltError{fmt::format("stream {}: the follower has no checkpoint of it any more: somebody has removed it. Drop the stream and copy again", stream_)};
        if (pending.kind == Kind::commit && std::strcmp(PQcmdStatus(const_cast<PGresult*>(result)), "COMMIT") != 0)
            throw HaltError{"the follower rolled back where it should have committed"};
        return;
    }
    const PgDiagnosis diagnosis = diagnose(result, link_.get());
    if (pending.of_many)
        throw PgError{diagnosis.sqlstate, fmt::format("{}: {}", to_string(pending.plan->follower().name), diagnosis.message)};
    if (pg_advance::is_refusal(diagnosis.sqlstate, diagnosis.message))
        throw HaltError{
            fmt::format("stream {}: the follower's checkpoint is no longer at {}: another rowferry writes to this follower, or the "
                        "checkpoint was changed by hand. Nothing was written; start again to continue from what it says",
                        stream_, to_string(kind_, position_))};
    if (const auto rows = refused_count(diagnosis.sqlstate, diagnosis.message); rows && pending.plan != nullptr)
        fail_count(*pending.plan, change_at(pending.event), *rows, place(pending.event));
    if (pending.plan != nullptr) fail_change(*pending.plan, change_at(pending.event), pending.statement, diagnosis, place(pending.event));
    std::string_view doing = "transaction";
    if (pending.kind == Kind::commit || pending.kind == Kind::advance) doing = "commit";
    const std::string where = pending.kind == Kind::truncate ? "truncate, " + to_string(place(pending.event)) : std::string{doing};
    throw PgError{diagnosis.sqlstate,
                  fmt::format("{}: {}{}{}", where, diagnosis.message, diagnosis.constraint.empty() ? "" : ", constraint ",
                              printable(diagnosis.constraint, 80))};
}

/// Writes the inserts of [first, end) by COPY as far as that is worth it and keeps their meaning. Returns one past the last event that is
/// done with; `first`: nothing was written.
std::uint32_t PgSink::copy_run(std::uint32_t first, std::uint32_t end, Table& table) {
    PgTablePlan& plan = *table.plan;
    if (end - first < kCopyRun || table.copy_pause > 0 || (plan.replaces() && !plan.copy_finds_conflicts())) return first;
    std::uint32_t inserts = 0;
    for (std::uint32_t i = first; i < end; ++i) inserts += std::holds_alternative<Change>(events_[i]) ? 1 : 0;
    if (inserts < kCopyRun || table.quarantined.concern(plan, change_at(first))) return first;

    pipeline_.finish();
    if (!copy_) copy_ = std::make_unique<PgCopyStream>(link_);
    copy_->begin(plan, plan.replaces() ? "SAVEPOINT rowferry_run; " : "", PgCopyStream::form_of(events_.subspan(first, end - first)));
    bool cut = false;
    for (std::uint32_t i = first; i < end; ++i) {
        const auto* row = std::get_if<Change>(&events_[i]);
        if (row == nullptr) continue;
        cut = table.quarantined.concern(plan, *row);
        try {
            if (!cut) copy_->add(*row);
        } catch (const ValueError& error) {
            if (!plan.lenient()) fail_value(plan, *row, error.what(), place(i));
            cut = true;
        }
        if (cut) end = i;  // change() sees what is to become of it
    }
    copy_->end();
    if (const auto failure = copy_->result()) {
        if (plan.replaces() && failure->diagnosis.sqlstate == "23505") {
            link_.query("ROLLBACK TO SAVEPOINT rowferry_run; RELEASE SAVEPOINT rowferry_run");
            table.next_pause = std::min(std::max(2 * table.next_pause, kFirstPause), kLongestPause);
            table.copy_pause = table.next_pause;
            return first;
        }
        fail_copy(plan, *failure, first, end);
    }
    if (plan.replaces()) link_.query("RELEASE SAVEPOINT rowferry_run");
    copy_->tell(mismatches_);
    table.next_pause = 0;
    if (cut) table.copy_pause = kFirstPause;
    for (std::uint32_t i = first; i < end; ++i)
        if (const auto* begin = std::get_if<Begin>(&events_[i])) after_ = begin->after;
    return end;
}

void PgSink::fail_copy(const PgTablePlan& plan, const PgCopyStream::Failure& failure, std::uint32_t first, std::uint32_t end) const {
    std::uint64_t row = failure.row;
    for (std::uint32_t i = first; i < end; ++i)
        if (std::holds_alternative<Change>(events_[i]) && row-- == 0) fail_change(plan, change_at(i), nullptr, failure.diagnosis, place(i));
    throw PgError{failure.diagnosis.sqlstate, fmt::format("insert into {}, {}: {}", to_string(plan.follower().name),
                                                          to_string(place(first)), failure.diagnosis.message)};
}

void PgSink::truncate(std::uint32_t event, const Truncate& truncate) {
    std::vector<Table*> emptied;
    std::vector<const PgTarget*> targets;
    for (const TableSchema* schema : truncate.tables) {
        Table& table = table_of(schema);
        if (already_in(table)) continue;
        emptied.push_back(&table);
        targets.push_back(&table.plan->follower());
    }
    if (targets.empty()) return;
    open_transaction();
    // A table with deferred checks still to come cannot be truncated.
    if (defer_) pipeline_.control("SET CONSTRAINTS ALL IMMEDIATE", PgPipeline::Pending::Kind::truncate, event);
    const std::string sql = fmt::format("TRUNCATE {}{}", truncate_list(targets), truncate.restart_identity ? " RESTART IDENTITY" : "");
    pipeline_.control(sql.c_str(), PgPipeline::Pending::Kind::truncate, event);
    if (defer_) pipeline_.control("SET CONSTRAINTS ALL DEFERRED");
    for (Table* table : emptied) quarantine_.truncate(*table->plan, table->quarantined, event);
}

void PgSink::change_shape(std::uint32_t event, const ShapeChange& change) {
    const auto found = tables_.find(change.before->name);
    if (found == tables_.end()) throw HaltError{fmt::format("{}: the stream has no such table", to_string(change.before->name))};
    Table& table = found->second;
    if (already_in(table)) return;
    open_transaction();
    // ALTER TABLE refuses a table with deferred checks still to come.
    if (defer_) pipeline_.control("SET CONSTRAINTS ALL IMMEDIATE", PgPipeline::Pending::Kind::truncate, event);
    pipeline_.finish();
    const PgRun run = run_on(link_);
    const std::string where = fmt::format("stream {}, table {}, {}", stream_, to_string(change.before->name), to_string(place(event)));
    if (!table.quarantined.empty() && change.after != nullptr && diff_shapes(*change.before, *change.after).needs_work())
        throw HaltError{fmt::format("{}: the leader changed the table while {} row(s) of it are in rowferry.quarantine in the old shape: correct them on the leader or "
                                    "delete them there, or copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`",
                                    where, table.quarantined.size(), to_string(change.before->name))};
    std::optional<PgTarget> target = PgShapeChange{change, {run, policy_.control, policy_.mode, where, table.touched_by == transactions_}}.follow();
    PgShapeChange::store(run, stream_, change);
    if (defer_) pipeline_.control("SET CONSTRAINTS ALL DEFERRED");
    if (change.after != nullptr) spdlog::info("{}: the follower has the leader's new shape ({})", where, describe_columns(*change.after));
    known_.clear();
    last_schema_ = nullptr;
    if (!target) {
        spdlog::info("{}: the table was dropped", where);
        tables_.erase(found);
        return;
    }
    table.source.leader = *change.after;
    table.source.follower = *target;
    table.source.unfit.clear();
    if (table.plan) table.retired.push_back(std::move(table.plan));
    table.plan = std::make_unique<PgTablePlan>(*change.after, std::move(*target), plans_made_++);
    if (change.after->name == change.before->name) return;
    auto node = tables_.extract(found);
    node.key() = change.after->name;
    tables_.insert(std::move(node));
}

/// A table that somebody changed on the follower has to be explained by the leader's transaction that comes first.
void PgSink::check_all_fit() const {
    if (skipping_) return;
    for (const auto& [name, table] : tables_)
        if (!table.plan) throw HaltError{table.source.unfit};
}

PgPlace PgSink::place(std::uint32_t event) const {
    PgPlace place{kind_, std::nullopt, after_};
    for (std::size_t i = event; i < events_.size(); ++i)
        if (const auto* commit = std::get_if<Commit>(&events_[i])) {
            place.commit = commit->position;
            break;
        }
    for (std::size_t i = event; i-- > 0;)
        if (const auto* begin = std::get_if<Begin>(&events_[i])) {
            place.after = begin->after;
            break;
        }
    return place;
}

void PgSink::commit(const CheckpointAdvance& advance) {
    // A row that is missing may be no error to the server (send_counted()): behind it in the pipeline the COMMIT would take effect.
    if (std::exchange(counts_due_, false)) pipeline_.finish();
    release_due_ = false;
    open_transaction();
    const bool at_once = advance.at_once || !lazy_;
    const PgAdvanceValues values{{stream_, kind_, position_, term_}, advance, at_once ? std::string_view{at_once_} : "off"};
    PgPipeline::Pending pending;
    pending.kind = PgPipeline::Pending::Kind::advance;
    pipeline_.send(advance_, values.values(), values.lengths(), pending);
    pending.kind = PgPipeline::Pending::Kind::commit;
    pipeline_.send(commit_, {}, {}, pending);
    if (!at_once) {
        pending.kind = PgPipeline::Pending::Kind::log_place;
        pipeline_.send(log_place_, {}, {}, pending);
    }
    pipeline_.finish();
    events_ = {};
    open_ = release_due_ = false;
    position_ = advance.position;
    if (at_once) {
        // Whatever lies before it in the follower's log survives as well.
        unflushed_.clear();
        durable_ = position_;
    } else {
        unflushed_.push_back({position_, log_end_});
        looked_ = true;
    }
    for (auto& [name, table] : tables_) table.retired.clear();
    mismatches_.tell();
}

void PgSink::apply_and_commit(std::span<const Event> events, const CheckpointAdvance& advance) {
    finish_later_ = true;
    apply(events);
    finish_later_ = false;
    commit(advance);
}

/// May commits be lazy? What the checkpoint says was perhaps committed lazily by another process that is gone: it becomes durable before
/// anybody can tell the leader about it.
void PgSink::look_at_durability() {
    const PgRun run = run_on(link_);
    const PgRows settings = run("SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names')");
    at_once_ = settings.text(0, 0);
    // Where the follower's commits wait for standbys of its own they go on to do so.
    lazy_ = at_once_ == "local" || settings.text(0, 1).empty();
    log_place_.name = "log_place";
    log_place_.sql = kLogPlace;
    const PgRows kept = run(fmt::format("UPDATE rowferry.checkpoint SET acked = acked WHERE stream = {} AND position = {} AND term = {} RETURNING 1",
                                        quote_literal(stream_), quote_literal(to_string(kind_, position_)), term_));
    if (kept.empty()) throw RetryableError{fmt::format("stream {}: the follower is no longer at {}, perhaps it has crashed", stream_, to_string(kind_, position_))};
}

void PgSink::keep_log_place(const PGresult* result) {
    const auto number = [&](int column) {
        std::uint64_t value = 0;
        const std::string_view digits = PQgetvalue(result, 0, column);
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    };
    log_end_ = number(0);
    log_flushed_ = number(1);
    // Somebody has given the follower standbys to wait for.
    if (at_once_ != "local" && *PQgetvalue(result, 0, 2) != 't') lazy_ = false;
}

std::optional<Position> PgSink::durable() {
    if (!lazy_ && unflushed_.empty()) return std::nullopt;
    if (!unflushed_.empty() && !std::exchange(looked_, false)) keep_log_place(link_.query(std::string{kLogPlace}).get());
    while (!unflushed_.empty() && unflushed_.front().log_end <= log_flushed_) {
        durable_ = unflushed_.front().position;
        unflushed_.pop_front();
    }
    return durable_;
}

void PgSink::rollback() noexcept {
    finish_later_ = counts_due_ = false;
    if (!shared_->link) return;  // the follower has closed it
    try {
        const bool usable = pipeline_.abandon();
        events_ = {};
        if (!open_) return;
        open_ = begin_due_ = savepoint_due_ = release_due_ = false;
        if (!usable) return;
        if (copy_ && copy_->awaiting()) link_.drain();
        link_.query("ROLLBACK");
    } catch (const std::exception&) {
        // The connection is lost or the process is to stop: the server rolls back when it notices. The follower looks at the
        // connection's state before it uses it again.
    }
}

}  // namespace rowferry
