#include "applier/postgresql/pg_table_maker.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_facts.h"
#include "applier/postgresql/pg_mismatch.h"
#include "db/pg_error.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_plan.h"

namespace rowferry::pg_tables {
namespace {

/// Runs `sql` so that a refusal leaves the transaction usable.
bool attempt(const PgRun& run, const std::string& sql, std::string& why) {
    run("SAVEPOINT rowferry_attempt");
    try {
        run(sql);
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        run("ROLLBACK TO SAVEPOINT rowferry_attempt; RELEASE SAVEPOINT rowferry_attempt");
        why = error.what();
        return false;
    }
    run("RELEASE SAVEPOINT rowferry_attempt");
    return true;
}

void run_steps(const PgRun& run, const std::vector<PgDdlStep>& steps) {
    for (const PgDdlStep& step : steps) {
        std::string why;
        std::string again;
        if (step.what.empty())
            run(step.sql);
        else if (attempt(run, step.sql, why))
            continue;
        else if (!step.otherwise.empty() && attempt(run, step.otherwise, again))
            spdlog::warn("{} {}: {}", step.what, step.otherwise_note, why);
        else
            spdlog::warn("{} is left out: {}", step.what, why);
    }
}

}  // namespace

void make(const PgRun& run, const PgMakePlan& plan, PgKeys keys) { run_steps(run, pg_before_copy(plan, keys)); }

void empty(const PgRun& run, const std::map<TableName, PgTarget>& existing) {
    std::vector<const PgTarget*> targets;
    for (const auto& [name, table] : existing) targets.push_back(&table);
    const bool filled =
        std::any_of(existing.begin(), existing.end(), [&](const auto& entry) { return target_has_rows(run, entry.second); });
    if (filled) run("TRUNCATE " + truncate_list(targets));
}

void finish(const PgRun& run, const std::vector<TablePtr>& tables, const PgMade& made, bool replica_role) {
    std::vector<TablePtr> ours;
    std::string names;
    for (const TablePtr& table : tables) {
        const TableName name = follower_table(*table, Engine::postgresql);
        if (made.tables.contains(name)) ours.push_back(table);
        names += (names.empty() ? "" : ", ") + quote_table(name);
    }
    PgFollowerFacts facts = read_facts(run, ours, replica_role);
    for (const TablePtr& table : tables)
        if (quarantines(*table)) facts.quarantining.insert(follower_table(*table, Engine::postgresql));
    PgMakePlan plan = plan_pg_tables(ours, std::move(facts));
    std::erase_if(plan.parents, [&](const PgMakePlan::Table& parent) { return !made.parents.contains(parent.name); });
    run_steps(run, pg_after_copy(plan, made.keys));
    for (const std::string& line : pg_left_out(plan)) spdlog::warn("{}", line);
    if (!names.empty()) run("ANALYZE " + names);
}

void set_next_numbers(const PgRun& run, const std::vector<PgNextNumber>& numbers) {
    for (const PgNextNumber& number : numbers) {
        const PgRows allowed = run(
            fmt::format("SELECT has_sequence_privilege(name, 'UPDATE') FROM pg_get_serial_sequence({}, {}) AS name WHERE name IS NOT NULL",
                        quote_literal(quote_table(number.table)), quote_literal(number.column)));
        if (allowed.empty()) continue;
        if (!allowed.boolean(0, 0)) {
            spdlog::warn(
                "{}: the sequence of {} may not be set, so the follower's own numbers would not continue the leader's; its next one is {}",
                to_string(number.table), printable(number.column, 80), number.next);
            continue;
        }
        // A leader whose numbers are used up has a next value outside the sequence: then the last one counts as taken.
        run(fmt::format(
            "SELECT setval(s.seqrelid::regclass, greatest(least({0}, s.seqmax), s.seqmin), CASE WHEN s.seqincrement > 0 THEN {0} > s.seqmax "
            "ELSE {0} < s.seqmin END) FROM pg_catalog.pg_sequence s "
            "WHERE s.seqrelid = pg_get_serial_sequence({1}, {2})::regclass",
            number.next, quote_literal(quote_table(number.table)), quote_literal(number.column)));
    }
}

}  // namespace rowferry::pg_tables
