#include "applier/postgresql/pg_table_copier.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "applier/postgresql/pg_checkpoint_store.h"
#include "applier/postgresql/pg_copy_target.h"
#include "applier/postgresql/pg_quarantine_store.h"
#include "applier/postgresql/pg_table_maker.h"
#include "applier/postgresql/pg_table_plan.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::string_view kRequestTable = R"(
CREATE TABLE IF NOT EXISTS rowferry.table_copy (
    number   bigint GENERATED ALWAYS AS IDENTITY,
    stream   text NOT NULL,
    id       text NOT NULL,
    state    text NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (stream, id)
))";

/// BEGIN … COMMIT on whatever connection `run` stands for.
class RunTransaction {
public:
    explicit RunTransaction(const PgRun& run) : run_{run} { run_("BEGIN"); }
    ~RunTransaction() {
        if (!open_) return;
        try {
            run_("ROLLBACK");
        } catch (const Error&) {  // the connection is lost, and with it the transaction
        }
    }
    RunTransaction(const RunTransaction&) = delete;
    RunTransaction& operator=(const RunTransaction&) = delete;
    void commit() {
        run_("COMMIT");
        open_ = false;
    }

private:
    const PgRun& run_;
    bool open_ = true;
};

TableName staging_table(const std::string& staging) { return {"rowferry", staging}; }

TableName follower_name(const TablePtr& table) { return PgTargetCheck::names({table}).front(); }

bool has_requests(const PgRun& run) { return run("SELECT to_regclass('rowferry.table_copy') IS NOT NULL").boolean(0, 0); }

std::vector<TableCopy> load_copies(const PgRun& run, const std::string& stream) {
    std::vector<TableCopy> copies;
    if (!has_requests(run)) return copies;
    const PgRows rows = run(fmt::format("SELECT document FROM rowferry.table_copy WHERE stream = {} ORDER BY number", quote_literal(stream)));
    for (std::size_t i = 0; i < rows.size(); ++i) copies.push_back(table_copy_from_json(rows.text(i, 0)));
    return copies;
}

/// What refers to the table and would be lost with it: views, foreign keys of other tables, functions over its rows.
std::vector<std::string> dependents(const PgRun& run, const TableName& table) {
    const PgRows rows = run(fmt::format(
        "SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d "
        "ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) OR (d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype) "
        "LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid "
        "WHERE c.oid = {}::regclass AND d.deptype = 'n' AND k.conrelid IS DISTINCT FROM c.oid ORDER BY 1 LIMIT 5",
        quote_literal(quote_table(table))));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) names.push_back(printable(rows.text(i, 0), 120));
    return names;
}

/// The columns of the leader that can be written on `target`, as a list.
std::string column_list(const TableSchema& table, const PgTarget& target) {
    std::string list;
    for (const ColumnSchema& column : table.columns)
        if (const PgTargetColumn* there = target.column(column.name); there != nullptr && !there->generated)
            list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    return list;
}

std::string every_column(const TableSchema& table) {
    std::string list;
    for (const ColumnSchema& column : table.columns) list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    return list;
}

}  // namespace

std::vector<TableCopy> PgTableCopier::load() { return load_copies(access_.control(), stream_); }

void PgTableCopier::write(const PgRun& run, const TableCopy& copy) const {
    if (!has_requests(run)) run(std::string{kRequestTable});
    run(fmt::format("INSERT INTO rowferry.table_copy (stream, id, state, document) VALUES ({}, {}, {}, {}) ON CONFLICT (stream, id) "
                    "DO UPDATE SET state = excluded.state, document = excluded.document",
                    quote_literal(stream_), quote_literal(copy.id), quote_literal(to_string(copy.state)), quote_literal(to_json(copy))));
}

void PgTableCopier::save(const TableCopy& copy) { write(access_.control(), copy); }

bool PgTableCopier::withdraw(const std::string& id) {
    const PgRun run = access_.control();
    if (!has_requests(run)) return false;
    return !run(fmt::format("DELETE FROM rowferry.table_copy WHERE stream = {} AND id = {} AND state IN ('requested', 'done', 'failed') RETURNING id",
                            quote_literal(stream_), quote_literal(id)))
                .empty();
}

PgTableCopier::Plan PgTableCopier::plan(const PgTargetCheck& looked, const std::vector<TablePtr>& tables, const Checkpoint& checkpoint) const {
    Plan plan;
    plan.tables = tables;
    for (const auto& [name, target] : read_targets(looked.run, PgTargetCheck::names(tables))) {
        const auto table = std::find_if(tables.begin(), tables.end(), [&, &wanted = name](const TablePtr& t) { return follower_name(t) == wanted; });
        const auto state = std::find_if(checkpoint.tables.begin(), checkpoint.tables.end(), [&](const TableState& s) { return s.name == (*table)->name; });
        const bool changed = state != checkpoint.tables.end() && !same_columns(state->shape, **table);
        if (!changed && check_target_columns(**table, target).empty())
            plan.kept.emplace(name, target);
        else
            plan.dropped.push_back(name);
    }
    plan.make = looked.plan_missing(tables, plan.kept);
    return plan;
}

/// The stored states have the leader's shapes, so it is those that tell whether a table changed.
PgTableCopier::Plan PgTableCopier::stored_plan(const PgTargetCheck& looked, const TableCopy& copy, const std::vector<TablePtr>& tables) const {
    Checkpoint stored = stored_checkpoint(looked.run);
    for (TableState& state : stored.tables) {
        const auto copied = std::find_if(copy.tables.begin(), copy.tables.end(), [&](const CopiedTable& table) { return table.leader.name == state.name; });
        if (copied == copy.tables.end()) continue;
        if (same_columns(state.shape, copied->leader))
            state.shape = copied->shape;
        else
            state.shape.columns.clear();
    }
    return plan(looked, tables, stored);
}

std::vector<std::string> PgTableCopier::check(const std::vector<TablePtr>& tables, const Checkpoint& checkpoint, const FollowerOptions& options) {
    const PgTargetCheck looked = access_.preflight();
    std::vector<TablePtr> added;
    for (const TablePtr& table : tables)
        if (std::none_of(checkpoint.tables.begin(), checkpoint.tables.end(), [&](const TableState& state) { return state.name == table->name; }))
            added.push_back(table);
    std::vector<std::string> notes = looked.check(added, options, nullptr);
    const Plan plan = this->plan(looked, tables, checkpoint);
    std::vector<std::string> lines;
    for (const TablePtr& table : tables) {
        const auto kept = plan.kept.find(follower_name(table));
        if (kept == plan.kept.end()) continue;
        for (std::string& line : looked.problems(*table, kept->second)) lines.push_back(std::move(line));
    }
    for (const TableName& name : plan.dropped)
        if (const auto others = dependents(looked.run, name); !others.empty())
            lines.push_back(fmt::format("{} has another shape than the leader's table and cannot be made again, because {} would be lost with it: drop "
                                        "that first, and make it again after the copy",
                                        to_string(name), fmt::join(others, ", ")));
    if (!lines.empty()) throw RefusedError{fmt::format("{}", fmt::join(lines, "; "))};
    return notes;
}

void PgTableCopier::stage(TableCopy& copy) {
    std::vector<TablePtr> tables;
    for (const CopiedTable& table : copy.tables) tables.push_back(std::make_shared<const TableSchema>(table.shape));
    const PgTargetCheck looked = access_.preflight();
    Plan plan = stored_plan(looked, copy, tables);
    RunTransaction transaction{looked.run};
    if (std::any_of(tables.begin(), tables.end(), [](const TablePtr& table) { return quarantines(*table); })) pg_quarantine::create_table(looked.run);
    // A table that has to be made is made under another name, for its columns.
    for (PgMakePlan::Table& table : plan.make.tables) {
        const auto index = static_cast<std::size_t>(std::find(tables.begin(), tables.end(), table.leader) - tables.begin());
        table.name = staging_table(fmt::format("model_{}_{}", copy.id, index));
    }
    pg_tables::make(looked.run, plan.make);
    for (std::size_t i = 0; i < tables.size(); ++i) {
        copy.tables[i].staging = fmt::format("copy_{}_{}", copy.id, i);
        const bool kept = plan.kept.contains(follower_name(tables[i]));
        const TableName model = kept ? follower_name(tables[i]) : staging_table(fmt::format("model_{}_{}", copy.id, i));
        looked.run(fmt::format("CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA", quote_table(staging_table(copy.tables[i].staging)),
                               every_column(*tables[i]), quote_table(model)));
        if (!kept) looked.run(fmt::format("DROP TABLE {}", quote_table(model)));
    }
    write(looked.run, copy);
    transaction.commit();
}

std::unique_ptr<CopyTarget> PgTableCopier::copy_into(const CopiedTable& table) {
    auto link = access_.link();
    const auto found = read_targets(run_on(*link->link), {staging_table(table.staging)});
    if (found.empty()) throw HaltError{fmt::format("{}: the follower's table is gone", to_string(staging_table(table.staging)))};
    return std::make_unique<PgCopyTarget>(std::move(link), table.shape, found.begin()->second, true, stream_);
}

Checkpoint PgTableCopier::stored_checkpoint(const PgRun& run) const {
    for (Checkpoint& checkpoint : pg_checkpoints::load(run))
        if (checkpoint.stream == stream_) return std::move(checkpoint);
    throw HaltError{fmt::format("the checkpoint of stream {} is gone from the follower", stream_)};
}

void PgTableCopier::swap_in(const TableCopy& copy, const Checkpoint& checkpoint) {
    std::vector<TablePtr> tables;
    for (const CopiedTable& table : copy.tables) tables.push_back(std::make_shared<const TableSchema>(table.shape));
    const PgTargetCheck looked = access_.preflight();
    const PgRun& run = looked.run;
    const Plan plan = stored_plan(looked, copy, tables);
    RunTransaction transaction{run};
    if (!looked.replica_role) run("SET CONSTRAINTS ALL DEFERRED");
    run(fmt::format("SELECT FROM rowferry.checkpoint WHERE stream = {} FOR UPDATE", quote_literal(stream_)));
    Checkpoint now = stored_checkpoint(run);
    if (now.position != copy.position || now.term != checkpoint.term || now.state != CheckpointState::ready)
        throw HaltError{fmt::format("stream {}: the checkpoint is no longer where the copy has to take its place: another process has moved it", stream_)};
    std::string dropped;
    for (const TableName& name : plan.dropped) dropped += (dropped.empty() ? "DROP TABLE " : ", ") + quote_table(name);
    if (!dropped.empty()) run(dropped);
    pg_tables::make(run, plan.make);
    // Every table is emptied before any is filled, as foreign keys between them may be checked row by row.
    for (const auto& [name, target] : plan.kept) run(fmt::format("DELETE FROM {}{}", target.partitioned ? "" : "ONLY ", quote_table(name)));
    const auto targets = read_targets(run, PgTargetCheck::names(tables));
    std::set<TableName> made;
    std::vector<PgNextNumber> numbers;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const TableName name = follower_name(tables[i]);
        const std::string columns = column_list(*tables[i], targets.at(name));
        run(fmt::format("INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}", quote_table(name), columns,
                        quote_table(staging_table(copy.tables[i].staging))));
        pg_quarantine::rename(run, stream_, staging_table(copy.tables[i].staging), name);
        if (!plan.kept.contains(name)) made.insert(name);
        for (const auto& number : copy.tables[i].numbers) numbers.push_back({name, tables[i]->columns.at(number.column).name, number.next});
        std::erase_if(now.tables, [&](const TableState& state) { return state.name == tables[i]->name; });
        now.tables.push_back({tables[i]->name, copy.position, copy.tables[i].leader});
    }
    pg_tables::finish(run, tables, {made, {}, PgKeys::at_once}, looked.replica_role);
    pg_tables::set_next_numbers(run, numbers);
    pg_checkpoints::write(run, now, {});
    drop_staging(run, copy);
    TableCopy done = copy;
    done.state = CopyState::done;
    done.tables.clear();
    write(run, done);
    transaction.commit();
}

void PgTableCopier::drop_staging(const PgRun& run, const TableCopy& copy) const {
    for (const CopiedTable& table : copy.tables) {
        if (table.staging.empty()) continue;
        run("DROP TABLE IF EXISTS " + quote_table(staging_table(table.staging)));
        pg_quarantine::clear(run, stream_, staging_table(table.staging));
    }
}

void PgTableCopier::discard(const TableCopy& copy) {
    const PgRun run = access_.control();
    RunTransaction transaction{run};
    drop_staging(run, copy);
    TableCopy left = copy;
    left.tables.clear();
    write(run, left);
    transaction.commit();
}

void drop_pg_table_copies(const PgRun& run, const std::string& stream) {
    if (!has_requests(run)) return;
    for (const TableCopy& copy : load_copies(run, stream))
        for (const CopiedTable& table : copy.tables)
            if (!table.staging.empty()) run("DROP TABLE IF EXISTS " + quote_table(staging_table(table.staging)));
    run(fmt::format("DELETE FROM rowferry.table_copy WHERE stream = {}", quote_literal(stream)));
}

}  // namespace rowferry
