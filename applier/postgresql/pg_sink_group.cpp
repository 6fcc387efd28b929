// The part of the sink that applies many changes at once.
//
// Why a group that succeeds leaves what its changes, one by one, would have left: no trigger, rule or foreign key acts on rows applied by
// us (tables where one would are not grouped, nor is anything without the right to switch them off), so a row is only touched by the
// changes of its own key, and NetChanges keeps their outcome. Every statement has to affect as many rows as it has keys, none has to be
// found for a row that was made and removed again, and an insert fails where its key exists: what the changes took for granted is still
// asked for. Rows of different keys meet only in unique indexes and exclusion constraints. Those can refuse a group that the changes in
// order would have passed (two rows that swap a value), never let pass what the last change would have been refused for, as they hold for
// the rows that are left. A refused group is taken back and applied in order, so that the worst is time.

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_group_plan.h"
#include "applier/postgresql/pg_sink.h"
#include "db/pg_error.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

// Below that the savepoint and the arrays cost more than they save.
constexpr std::uint32_t kFewChanges = 16;
// After a group was refused, changes of its table go in order for a while, doubling up to the limit.
constexpr std::uint32_t kFirstGroupPause = 2000;
constexpr std::uint32_t kLongestGroupPause = 256 * 1000;

}  // namespace

/// Counts the changes of [first, end) and decides for each of their tables. False: all of them have to go in order.
bool PgSink::plan_group(std::uint32_t first, std::uint32_t end) {
    if (defer_ || !grouping_allowed_) return false;
    if (end - first < kFewChanges) return false;
    ++group_number_;
    grouped_.clear();
    const TableSchema* last_schema = nullptr;
    Table* table = nullptr;
    for (std::uint32_t i = first; i < end; ++i) {
        const auto* row = std::get_if<Change>(&events_[i]);
        if (row == nullptr) continue;
        if (row->table != last_schema) {
            last_schema = row->table;
            table = table_as_planned(last_schema);
            if (table == nullptr || !may_be_grouped(*table)) return false;
        }
        if (table->group_number != group_number_) {
            table->group_number = group_number_;
            table->inserts = table->others = 0;
            grouped_.push_back(table);
        }
        (row->operation == Operation::insert ? table->inserts : table->others) += 1;
    }
    std::uint64_t changes = 0;
    only_copies_ = true;
    std::erase_if(grouped_, [&](Table* one) {
        const std::uint32_t count = one->inserts + one->others;
        const PgGroupPlan& plan = one->plan->group(false);
        one->grouped = plan.merges() || (plan.appends() && one->others == 0);
        if (one->grouped && one->group_pause > 0) {
            one->group_pause -= std::min(one->group_pause, count);
            one->grouped = false;
        }
        if (one->grouped) changes += count;
        only_copies_ = only_copies_ && one->grouped && one->others == 0 && PgGroupWriter::copies(one->inserts);
        return !one->grouped;
    });
    if (changes >= kFewChanges) return true;
    for (Table* one : grouped_) one->grouped = false;
    return false;
}

/// What is kept in memory about the side table could not be taken back. A trigger may look at any table.
bool PgSink::may_be_grouped(const Table& table) {
    const PgTarget& follower = table.plan->follower();
    return table.quarantined.empty() && !table.plan->lenient() && follower.replica_triggers.empty() && follower.replica_rules.empty();
}

/// The table whose plan has this shape already; null where a closer look is due.
PgSink::Table* PgSink::table_as_planned(const TableSchema* schema) {
    if (const auto known = known_.find(schema); known != known_.end()) return known->second;
    const auto found = tables_.find(schema->name);
    if (found == tables_.end() || !found->second.plan || !writes_alike(found->second.plan->leader(), *schema)) return nullptr;
    return known_.emplace(schema, &found->second).first->second;
}

bool PgSink::apply_group(std::uint32_t first, std::uint32_t end) {
    if (!plan_group(first, end)) return false;
    const Position after = after_;
    const bool skipping = skipping_;
    const std::uint64_t transactions = transactions_;
    const std::uint64_t replaced = replaced_;
    // What went before is judged by its own rules.
    pipeline_.finish();
    begin_due_ = begin_due_ || !open_;
    open_ = true;
    savepoint_due_ = true;
    if (!only_copies_) send_marks();
    grouping_ = true;
    for (Table* table : grouped_) table->net.begin(table->plan->group(false).merges() ? table->plan->leader().identity : ColumnIndexes{});
    PgGroupFailed failure;
    try {
        if (only_copies_ && grouped_.size() == 1) {
            copy_group(first, end, *grouped_.front());
        } else {
            apply_in_order(first, end);
            write_groups();
        }
        grouping_ = false;
        release_due_ = !std::exchange(savepoint_due_, false);  // still due: there was nothing to write
        ++groups_written_;
        for (Table* table : grouped_) {
            table->next_group_pause = 0;
            table->grouped = false;
            table->net.clear();
        }
        return true;
    } catch (const PgGroupFailed& failed) {
        failure = failed;
    } catch (const Error& error) {
        // Perhaps something before it would have stopped the stream first.
        if (error.kind() != ErrorKind::halted) throw;
        failure.why = error.what();
    }
    grouping_ = false;
    take_group_back(failure.plan, failure.why);
    after_ = after;
    skipping_ = skipping;
    transactions_ = transactions;
    replaced_ = replaced;
    run_end_ = 0;
    return false;
}

/// Nothing but inserts into one table: the server tells whether two of them have the same key, and gets the first rows while we look at the next.
void PgSink::copy_group(std::uint32_t first, std::uint32_t end, Table& table) {
    if (!copy_) copy_ = std::make_unique<PgCopyStream>(link_);
    bool begun = false;
    for (const Event& event : events_.subspan(first, end - first)) {
        if (const auto* row = std::get_if<Change>(&event)) {
            if (already_in(table)) continue;
            table.touched_by = transactions_;
            if (!std::exchange(begun, true)) copy_->begin(*table.plan, marks(), PgCopyStream::form_of(events_.subspan(first, end - first)));
            copy_->add(*row);
        } else if (const auto* begin = std::get_if<Begin>(&event)) {
            begin_leader_transaction(*begin);
        } else {
            check_all_fit();
        }
    }
    if (!begun) return;
    copy_->end();
    if (const auto failure = copy_->result()) throw PgGroupFailed{table.plan.get(), failure->diagnosis.message};
}

/// A key that changes is a place that nothing of its table may pass.
void PgSink::add_to_group(std::uint32_t event, const Change& row, Table& table) {
    if (table.plan->changes_key(row)) {
        write_group(table);
        change(event, row, table);
        return;
    }
    if (!table.net.add(row, event)) throw PgGroupFailed{table.plan.get(), "changes of one key that do not follow each other"};
}

void PgSink::write_group(Table& table) {
    if (table.net.empty()) return;
    writer_.send(*table.plan, table.net);
    if (writer_.copies(table.net)) pipeline_.finish();
    writer_.send_inserts(*table.plan, table.net);
    table.net.clear();
}

/// What has to come in front of the group, as SQL.
std::string PgSink::marks() {
    std::string sql;
    if (std::exchange(begin_due_, false)) sql += fmt::format("{}; ", kBegin);
    if (std::exchange(release_due_, false)) sql += "RELEASE SAVEPOINT rowferry_group; ";
    if (std::exchange(savepoint_due_, false)) sql += "SAVEPOINT rowferry_group; ";
    return sql;
}

/// The same through the pipeline.
void PgSink::send_marks() {
    if (std::exchange(begin_due_, false)) send_begin();
    if (std::exchange(release_due_, false)) pipeline_.control("RELEASE SAVEPOINT rowferry_group");
    if (std::exchange(savepoint_due_, false)) pipeline_.control("SAVEPOINT rowferry_group");
}

/// Everything that the pipeline can take first, so that it is left once.
void PgSink::write_groups() {
    if (std::any_of(grouped_.begin(), grouped_.end(), [](const Table* table) { return !table->net.empty() && !PgGroupWriter::copies(table->net); }))
        send_marks();
    for (Table* table : grouped_) writer_.send(*table->plan, table->net);
    for (Table* table : grouped_)
        if (!writer_.copies(table->net)) writer_.send_inserts(*table->plan, table->net);
    pipeline_.finish();
    for (Table* table : grouped_)
        if (writer_.copies(table->net)) writer_.send_inserts(*table->plan, table->net, marks());
}

/// Throws for a result in a group that is not what it should be. Whether a failure may be tried again is told by others.
void PgSink::check_in_group(const PgPipeline::Pending& pending, const PGresult* result, bool good) const {
    using Kind = PgPipeline::Pending::Kind;
    if (!good) {
        const char* const sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (sqlstate != nullptr && PQstatus(link_.get()) == CONNECTION_OK && kind_of_sqlstate(sqlstate) != ErrorKind::retryable)
            throw PgGroupFailed{pending.plan, diagnose(result, link_.get()).message};
        return;
    }
    if (pending.kind != Kind::rows && pending.kind != Kind::change) return;
    std::uint64_t rows = 0;
    const std::string_view count = PQcmdTuples(const_cast<PGresult*>(result));
    std::from_chars(count.data(), count.data() + count.size(), rows);
    const std::uint64_t expected = pending.kind == Kind::rows ? pending.expected : 1;
    if (rows != expected) throw PgGroupFailed{pending.plan, fmt::format("{} rows instead of {}", rows, expected)};
}

void PgSink::take_group_back(const PgTablePlan* refused, std::string_view why) {
    ++groups_refused_;
    if (!pipeline_.abandon()) throw PgError{"", "the connection to the follower was lost"};
    if (writer_.copying() || (copy_ && copy_->awaiting())) link_.drain();
    // Where the savepoint was not even set nothing was written.
    if (!std::exchange(savepoint_due_, false)) link_.query("ROLLBACK TO SAVEPOINT rowferry_group; RELEASE SAVEPOINT rowferry_group");
    for (Table* table : grouped_) {
        table->net.clear();
        table->grouped = false;
        if (refused != nullptr && table->plan.get() != refused) continue;
        table->next_group_pause = std::min(std::max(2 * table->next_group_pause, kFirstGroupPause), kLongestGroupPause);
        table->group_pause = table->next_group_pause;
        spdlog::debug("{}: a group was refused ({}), changes go one by one for a while", to_string(table->plan->follower().name), why);
    }
}

}  // namespace rowferry
