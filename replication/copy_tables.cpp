#include "replication/copy_tables.h"

#include <chrono>
#include <map>

#include <spdlog/spdlog.h>

#include "replication/copy_workers.h"
#include "replication/copy_writers.h"
#include "schemas/table_shape.h"

namespace rowferry {
namespace {

constexpr std::size_t kCopyBatchBytes = 1024 * 1024;
constexpr std::size_t kRawBytes = 1024 * 1024;
// Parts for each job, so that none is left with a large one at the end.
constexpr std::size_t kPartsPerJob = 4;
// A table of this size is worth further connections, even if only one side can have them.
constexpr std::uint64_t kManyRows = 50'000;
// As many small tables are worth further connections.
constexpr std::size_t kManyTables = 16;

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
    void set(std::string table, std::size_t tables_done, std::uint64_t rows) {
        progress_.table = std::move(table);
        progress_.tables_done = tables_done;
        progress_.rows = rows;
        tell();
    }
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

void copy_rows(RowReader& reader, CopyTarget& target, const TablePtr& table, const std::string& range, const StopSignal& stop,
               const std::function<void(std::size_t)>& progress) {
    if (reader.open_table(table, range, target.raw_form()) != RowForm::cells) {
        RawRows rows;
        for (bool more = true; more;) {
            stop.check();
            more = reader.read_raw(rows, kRawBytes);
            if (rows.rows == 0) continue;
            const std::uint64_t count = rows.rows;
            target.write_raw(rows);
            progress(count);
        }
    } else {
        Batch batch;
        for (bool more = true; more;) {
            stop.check();
            batch.clear();
            more = reader.read_rows(batch, kCopyBatchBytes);
            if (batch.empty()) continue;
            target.write(batch.events());
            progress(batch.events().size());
        }
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

/// Parts of tables over several connections on both sides. False, and nothing was done, where there cannot be any.
bool copy_side_by_side(Snapshot& snapshot, Follower& follower, std::vector<CopyPart> parts, std::size_t jobs, const StopSignal& stop, ProgressReport& progress) {
    const auto open_way = [&] {
        CopyWorkers::Way way{snapshot.another_reader(), nullptr};
        if (way.reader) way.lane = follower.copy_lane();
        return way;
    };
    CopyWorkers::Way first = further_connection(open_way);
    if (!first) return false;
    spdlog::debug("{} part(s) to copy, {} at a time", parts.size(), jobs);
    CopyWorkers workers{std::move(parts), std::move(first), open_way, stop};
    const auto tell = [&] { progress.set(workers.table(), workers.tables_done(), workers.rows()); };
    workers.run(jobs, [&] {
        stop.check();
        tell();
    });
    tell();
    return true;
}

/// Targets for the rows of one reader: several for a large table where the follower has several ways in.
class CopyTargets {
public:
    CopyTargets(Follower& follower, std::size_t jobs) : follower_{follower}, jobs_{jobs} {}

    std::vector<std::unique_ptr<CopyTarget>> open(const TablePtr& table, std::optional<std::uint64_t> rows) {
        std::vector<std::unique_ptr<CopyTarget>> targets;
        if (jobs_ > 1 && rows.value_or(0) >= kManyRows) {
            if (!asked_) open_lanes();
            for (const auto& lane : lanes_) targets.push_back(lane->copy_into(table));
        }
        if (targets.empty()) targets.push_back(follower_.copy_into(table));
        return targets;
    }

private:
    void open_lanes() {
        asked_ = true;
        while (lanes_.size() < jobs_) {
            auto lane = further_connection([&] { return follower_.copy_lane(); });
            if (!lane) break;
            lanes_.push_back(std::move(lane));
        }
    }

    Follower& follower_;
    std::size_t jobs_;
    bool asked_ = false;
    std::vector<std::unique_ptr<CopyLane>> lanes_;
};

/// One reader; the writers, one for each target, work beside it once the table has more rows than a batch.
void copy_read_ahead(RowReader& reader, const TablePtr& table, std::vector<std::unique_ptr<CopyTarget>> targets, const StopSignal& stop,
                     ProgressReport& progress) {
    if (targets.front()->raw_form() != RowForm::cells) {
        copy_rows(reader, *targets.front(), table, {}, stop, [&](std::size_t rows) { progress.rows(rows); });
        return;
    }
    reader.open_table(table);
    auto rows = std::make_unique<Batch>();
    bool more = reader.read_rows(*rows, kCopyBatchBytes);
    progress.rows(rows->events().size());
    if (!more) {
        if (!rows->empty()) targets.front()->write(rows->events());
        for (const auto& target : targets) target->finish();
        return;
    }
    CopyWriters writers{std::move(targets)};
    const auto waiting = [&] {
        stop.check();
        progress.rows(0);
    };
    for (;;) {
        writers.write(std::move(rows), waiting);
        if (!more) break;
        stop.check();
        rows = writers.take_empty();
        more = reader.read_rows(*rows, kCopyBatchBytes);
        progress.rows(rows->events().size());
    }
    writers.finish(waiting);
}

/// The parts that are worth several connections; none where there is too little to copy.
std::vector<CopyPart> parts_of(Snapshot& snapshot, const std::vector<TablePtr>& tables, std::size_t jobs) {
    if (jobs <= 1) return {};
    std::vector<CopyPart> parts;
    for (const TablePtr& table : tables)
        for (std::string& range : snapshot.ranges(*table, jobs * kPartsPerJob)) parts.push_back({table, std::move(range)});
    if (parts.size() == tables.size() && tables.size() < kManyTables) return {};
    return parts;
}

}  // namespace

void copy_tables(Snapshot& snapshot, Follower& follower, std::size_t jobs, const StopSignal& stop, Observer& observer) {
    const std::vector<TablePtr> tables = snapshot.tables();
    ProgressReport progress{observer, tables.size(), expected_rows(snapshot, tables)};
    auto parts = parts_of(snapshot, tables, jobs);
    if (parts.empty() || !copy_side_by_side(snapshot, follower, std::move(parts), jobs, stop, progress)) {
        CopyTargets targets{follower, jobs};
        for (const TablePtr& table : tables) {
            progress.table(*table);
            copy_read_ahead(snapshot, table, targets.open(table, snapshot.estimated_rows(*table)), stop, progress);
            progress.table_done();
        }
    }
    for (const TablePtr& table : tables) prime_numbers(snapshot, follower, table);
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
