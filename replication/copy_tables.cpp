#include "replication/copy_tables.h"

#include <chrono>
#include <map>

#include <spdlog/spdlog.h>

#include "schemas/table_shape.h"

namespace rowferry {
namespace {

constexpr std::size_t kCopyBatchBytes = 1024 * 1024;

class ProgressReport {
public:
    ProgressReport(Observer& observer, std::size_t tables, std::optional<std::uint64_t> expected) : observer_{observer} {
        progress_.tables = tables;
        progress_.rows_expected = expected;
    }
    void table(const TableSchema& table) {
        progress_.table = to_string(table.name);
        tell();
    }
    void rows(std::size_t count) {
        progress_.rows += count;
        tell();
    }
    void table_done() { ++progress_.tables_done; }
    void finished() {
        progress_.finished = true;
        progress_.table.clear();
        tell();
    }

private:
    void tell() {
        progress_.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_);
        observer_.copying(progress_);
    }
    Observer& observer_;
    CopyProgress progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::optional<std::uint64_t> expected_rows(Snapshot& snapshot, const std::vector<TablePtr>& tables) {
    std::uint64_t sum = 0;
    for (const TablePtr& table : tables) {
        const auto rows = snapshot.estimated_rows(*table);
        if (!rows) return std::nullopt;
        sum += *rows;
    }
    return sum;
}

}  // namespace

void copy_rows(Snapshot& snapshot, CopyTarget& target, const TablePtr& table, const StopSignal& stop, const std::function<void(std::size_t)>& progress) {
    snapshot.open_table(table);
    Batch batch;
    for (bool more = true; more;) {
        stop.check();
        batch.clear();
        more = snapshot.read_rows(batch, kCopyBatchBytes);
        if (batch.empty()) continue;
        target.write(batch.events());
        progress(batch.events().size());
    }
    target.finish();
}

namespace {

void prime_numbers(Snapshot& snapshot, Follower& follower, const TablePtr& table) {
    for (std::uint16_t column = 0; column < table->columns.size(); ++column) {
        if (table->columns[column].auto_number == AutoNumber::none) continue;
        if (const auto next = snapshot.next_number(*table, column)) follower.set_next_number(table, column, *next);
    }
}

/// The partitioned tables above some of `tables`, each once: they hold no rows, but they number those of their partitions.
std::vector<TablePtr> ancestors(const std::vector<TablePtr>& tables) {
    std::map<TableName, TablePtr> found;
    for (const TablePtr& table : tables)
        for (const TableSchema& ancestor : table->ancestors)
            if (!found.contains(ancestor.name)) found.emplace(ancestor.name, std::make_shared<const TableSchema>(ancestor));
    std::vector<TablePtr> result;
    for (auto& [name, table] : found) result.push_back(std::move(table));
    return result;
}

}  // namespace

void copy_tables(Snapshot& snapshot, Follower& follower, const StopSignal& stop, Observer& observer) {
    const std::vector<TablePtr> tables = snapshot.tables();
    ProgressReport progress{observer, tables.size(), expected_rows(snapshot, tables)};
    for (const TablePtr& table : tables) {
        progress.table(*table);
        const auto target = follower.copy_into(table);
        copy_rows(snapshot, *target, table, stop, [&](std::size_t rows) { progress.rows(rows); });
        prime_numbers(snapshot, follower, table);
        progress.table_done();
    }
    if (follower.engine() == Engine::postgresql)
        for (const TablePtr& table : ancestors(tables)) prime_numbers(snapshot, follower, table);
    progress.finished();
}

void check_copy(Leader& leader, Follower& follower, const RunOptions& options, const Checkpoint* unfinished) {
    std::vector<TablePtr> tables = leader.select_tables(options.request);
    const TableRules& rules = options.request.rules;
    (void)shape_tables(rules, tables, follower.engine());  // refuses what contradicts itself before the leader is asked for more
    leader.check(options.request, tables);
    // What a SQLite column may become on PostgreSQL depends on what it holds, so that has to be looked at before anything is written.
    if (options.request.need_profiles) tables = leader.snapshot(options.request)->tables();
    tables = shape_tables(rules, tables, follower.engine());
    for (const std::string& note : follower.check_tables(tables, options.follower, unfinished)) spdlog::info("{}", note);
    for (const TablePtr& table : tables)
        for (const std::string& line : table->not_carried) spdlog::warn("{}: not carried to the follower: {}", to_string(table->name), line);
}

}  // namespace rowferry
