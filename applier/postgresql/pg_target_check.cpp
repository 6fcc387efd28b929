#include "applier/postgresql/pg_target_check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "applier/postgresql/pg_checkpoint_store.h"
#include "applier/postgresql/pg_facts.h"
#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_table_plan.h"
#include "applier/postgresql/pg_target_fit.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/nullability.h"
#include "schemas/pg_ddl.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

bool type_exists(const PgRun& run, const std::string& type) {
    if (!is_plain_pg_type(type)) return false;
    try {
        return run(fmt::format("SELECT to_regtype({}) IS NOT NULL", quote_literal(type))).boolean(0, 0);
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        return false;  // not even a type's syntax
    }
}

bool is_made(const PgMakePlan& plan, const std::string& type) {
    const TableName name = catalog_name(type);
    return std::any_of(plan.types.begin(), plan.types.end(),
                       [&](const UserType& made) { return made.name == name || TableName{made.name.schema, made.multirange} == name; });
}

std::string joined(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "; ")); }

}  // namespace

std::vector<TableName> PgTargetCheck::names(const std::vector<TablePtr>& tables) {
    std::vector<TableName> result;
    for (const TablePtr& table : tables) result.push_back(follower_table(*table, Engine::postgresql));
    return result;
}

/// Types that the plan neither makes nor finds: one of a newer PostgreSQL, or of the stream's rules.
void PgTargetCheck::check_types(const PgMakePlan& plan) const {
    std::set<std::string> known;
    for (const PgMakePlan::Table& table : plan.tables)
        for (std::size_t i = 0; i < table.types.size(); ++i) {
            const std::string& type = table.types[i];
            if (!known.insert(type).second || is_made(plan, type) || type_exists(run, type)) continue;
            throw RefusedError{fmt::format(
                "{}.{}: the follower has no type {}: CREATE TYPE or CREATE EXTENSION there first, or leave the table out with --exclude-table",
                to_string(table.leader->name), printable(table.leader->columns[i].name, 80), printable(type, 80))};
        }
}

PgMakePlan PgTargetCheck::plan_missing(const std::vector<TablePtr>& tables, const std::map<TableName, PgTarget>& existing) const {
    std::vector<TablePtr> missing;
    for (const TablePtr& table : tables)
        if (!existing.contains(follower_table(*table, Engine::postgresql))) missing.push_back(table);
    if (missing.empty()) return {};
    PgMakePlan plan = plan_pg_tables(missing, read_facts(run, missing, replica_role));
    check_types(plan);
    return plan;
}

std::vector<std::string> PgTargetCheck::problems(const TableSchema& leader, const PgTarget& existing) const {
    std::vector<std::string> lines = check_target_columns(leader, existing);
    const std::vector<std::string> rules = check_mismatch_rules(leader, &existing, replica_role);
    lines.insert(lines.end(), rules.begin(), rules.end());
    const std::string table = to_string(existing.name);
    if (existing.plain && !existing.writable)
        lines.push_back(fmt::format("{} may not be written: GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {} TO {}", table,
                                    quote_table(existing.name), role));
    if (replica_role) return lines;
    const std::string way_out = fmt::format("as a superuser: GRANT SET ON PARAMETER session_replication_role TO {}", role);
    for (const std::string& trigger : existing.triggers)
        lines.push_back(fmt::format("{}: the trigger {} would fire for replicated rows; {}", table, printable(trigger, 80), way_out));
    for (const PgTargetForeignKey& key : existing.foreign_keys)
        if (!key.deferrable || key.acts)
            lines.push_back(fmt::format("{}: the foreign key {} of {} {}, which gets in the way of replicated rows; {}", table,
                                        printable(key.name, 80), to_string(key.child), key.acts ? "acts by itself" : "is not deferrable",
                                        way_out));
    return lines;
}

void PgTargetCheck::check_rights(const PgMakePlan& plan) const {
    std::vector<std::string> lines;
    const bool may_create = run("SELECT has_database_privilege(current_database(), 'CREATE')").boolean(0, 0);
    const bool has_schema = run("SELECT to_regnamespace('rowferry') IS NOT NULL").boolean(0, 0);
    if (!may_create && (!plan.schemas.empty() || !has_schema))
        lines.push_back(fmt::format("{} may not make schemas in this database: GRANT CREATE ON DATABASE … TO {}", role, role));
    std::set<std::string> schemas;
    for (const PgMakePlan::Table& table : plan.tables) schemas.insert(table.name.schema);
    for (const UserType& type : plan.types) schemas.insert(type.name.schema);
    for (const std::string& schema : schemas) {
        if (std::find(plan.schemas.begin(), plan.schemas.end(), schema) != plan.schemas.end()) continue;
        if (!run(fmt::format("SELECT has_schema_privilege({}, 'CREATE')", quote_literal(schema))).boolean(0, 0))
            lines.push_back(fmt::format("{0} may not make tables in the schema {1}: GRANT CREATE ON SCHEMA {1} TO {0}", role,
                                        quote_identifier(schema)));
    }
    if (!lines.empty()) throw RefusedError{joined(lines)};
}

/// TRUNCATE refuses a table that another one refers to, whatever session_replication_role says.
void PgTargetCheck::check_emptying(const std::map<TableName, PgTarget>& existing) const {
    std::vector<const PgTarget*> targets;
    for (const auto& [name, table] : existing) targets.push_back(&table);
    const auto whole = whole_trees(targets);
    const auto emptied = [&](const TableName& child) {
        return existing.contains(child) || std::ranges::any_of(whole, [&](const PgPartitionTree* tree) { return tree->partitioned.contains(child); });
    };
    for (const auto& [name, table] : existing)
        for (const PgTargetForeignKey& key : table.foreign_keys)
            if (key.parent == name && !emptied(key.child))
                throw RefusedError{fmt::format("{} cannot be emptied: {} refers to it (foreign key {}) and is not part of the stream",
                                               to_string(name), to_string(key.child), printable(key.name, 80))};
}

std::vector<std::string> PgTargetCheck::check(const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                              const Checkpoint* unfinished) const {
    const std::vector<TableName> wanted = names(tables);
    for (std::size_t i = 0; i < wanted.size(); ++i)
        for (std::size_t other = 0; other < i; ++other)
            if (wanted[i] == wanted[other])
                throw RefusedError{fmt::format("{} and {} of the leader would be the same table {} here", to_string(tables[other]->name),
                                               to_string(tables[i]->name), to_string(wanted[i]))};
    const auto existing = read_targets(run, wanted);
    const PgTargetFit fit{replica_role, read_facts(run, tables, replica_role).types};
    std::vector<std::string> lines;
    bool filled = false;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const auto found = existing.find(wanted[i]);
        if (found == existing.end()) {
            const auto rules = check_mismatch_rules(*tables[i], nullptr, replica_role);
            lines.insert(lines.end(), rules.begin(), rules.end());
            continue;
        }
        auto unfit = problems(*tables[i], found->second);
        for (std::string& line : fit.problems(*tables[i], found->second)) unfit.push_back(std::move(line));
        lines.insert(lines.end(), unfit.begin(), unfit.end());
        if (!unfit.empty() || !target_has_rows(run, found->second)) continue;
        filled = true;
        const bool own = unfinished != nullptr && std::any_of(unfinished->tables.begin(), unfinished->tables.end(),
                                                              [&](const TableState& state) { return state.name == tables[i]->name; });
        if (options.on_existing == OnExisting::refuse && !own)
            lines.push_back(fmt::format("{} already holds rows: --on-existing truncate empties it first", to_string(wanted[i])));
    }
    if (!lines.empty()) throw RefusedError{joined(lines)};
    if (filled) check_emptying(existing);
    PgMakePlan plan = plan_missing(tables, existing);
    check_rights(plan);
    if (!replica_role) {
        plan.notes.push_back(fmt::format(
            "{} may not set session_replication_role: foreign keys of new tables become NO ACTION DEFERRABLE INITIALLY DEFERRED", role));
    }
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const auto found = existing.find(wanted[i]);
        if (found == existing.end()) continue;
        for (std::string& note : fit.notes(*tables[i], found->second)) plan.notes.push_back(std::move(note));
        if (tables[i]->identity.empty() || tables[i]->insert_only) continue;
        // A table that an unfinished copy made gets its key behind the rows.
        if (unfinished != nullptr && std::ranges::any_of(unfinished->tables, [&](const TableState& state) { return state.name == tables[i]->name; })) continue;
        std::vector<std::string> key;
        for (const std::uint16_t column : tables[i]->identity) key.push_back(tables[i]->columns[column].name);
        if (!found->second.has_unique_key(key))
            plan.notes.push_back(
                fmt::format("{}: no unique index over the leader's key; updates and deletes will be slow", to_string(wanted[i])));
    }
    for (const Checkpoint& other : pg_checkpoints::load(run)) {
        if (unfinished != nullptr && other.stream == unfinished->stream) continue;
        for (const TableState& state : other.tables)
            if (std::ranges::find(wanted, follower_table(state.shape, Engine::postgresql)) != wanted.end())
                throw RefusedError{fmt::format("{} on the follower already belongs to stream {}", to_string(state.name), printable(other.stream, 40))};
    }
    return std::move(plan.notes);
}

}  // namespace rowferry
