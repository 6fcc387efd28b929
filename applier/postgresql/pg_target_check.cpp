#include "applier/postgresql/pg_target_check.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "applier/postgresql/pg_checkpoint_store.h"
#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_own_domains.h"
#include "applier/postgresql/pg_table_plan.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_ddl.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

// PostgreSQL cuts longer names, with a notice that nobody reads.
constexpr std::size_t kLongestName = 63;

constexpr std::size_t kMostColumns = 1600;

void check_name(const std::string& name, const TableSchema& table) {
    if (name.empty())
        throw RefusedError{fmt::format("{}: a table or column without a name, which PostgreSQL cannot have: rename it for the follower, or leave it out",
                                       to_string(table.name))};
    if (name.size() > kLongestName)
        throw RefusedError{fmt::format("{}: the name {} is longer than the {} bytes that PostgreSQL keeps: rename it for the follower, or leave it out",
                                       to_string(table.name), printable(name, 200), kLongestName)};
}

void check_column_names(const TableSchema& table) {
    if (table.columns.size() > kMostColumns)
        throw RefusedError{fmt::format("{}: it has {} columns, a table of PostgreSQL at most {}: leave columns or the table out", to_string(table.name),
                                       table.columns.size(), kMostColumns)};
    for (const ColumnSchema& column : table.columns) {
        check_name(column.name, table);
        for (const std::string_view own : {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
            if (column.name == own)
                throw RefusedError{fmt::format("{}: every table of PostgreSQL has a column {} of its own: rename it for the follower, or leave it out",
                                               to_string(table.name), own)};
    }
}

bool type_exists(const PgRun& run, const std::string& type) {
    if (!is_plain_pg_type(type)) return false;
    try {
        return run(fmt::format("SELECT to_regtype({}) IS NOT NULL", quote_literal(type))).boolean(0, 0);
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        return false;  // not even a type's syntax
    }
}

std::vector<std::string> name_parts(const PgRun& run, const std::string& type) {
    std::vector<std::string> parts;
    const PgRows rows = run(fmt::format("SELECT unnest(parse_ident({}))", quote_literal(type)));
    for (const auto& row : rows) parts.push_back(row.front().value_or(""));
    return parts;
}

std::string joined(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "; ")); }

}  // namespace

std::vector<TableName> PgTargetCheck::names(const std::vector<TablePtr>& tables) {
    std::vector<TableName> result;
    for (const TablePtr& table : tables) result.push_back(follower_table(table->name, table->engine, Engine::postgresql));
    return result;
}

std::string PgTargetCheck::column_type(const TableSchema& table, std::uint16_t index, PgMakePlan& plan) const {
    const ColumnSchema& column = table.columns[index];
    const std::string where = fmt::format("{}.{}", to_string(table.name), printable(column.name, 80));
    if (!column.wanted_type.empty() || column.encoding != TimeEncoding::none || table.engine == Engine::sqlite) {
        ColumnMapping mapping = map_column(table, index, Engine::postgresql);
        if (!mapping.note.empty()) plan.notes.push_back(fmt::format("{}: {}", where, mapping.note));
        if (own_domain_missing(run, mapping.type))
            plan.domains.insert(mapping.type);
        else if (!type_exists(run, mapping.type))
            throw RefusedError{fmt::format("{}: the follower has no type {}, which the stream's rules ask for", where, printable(mapping.type, 80))};
        return mapping.type;
    }
    const std::string& type = base_type_of(column);
    if (type != column.type)
        plan.notes.push_back(fmt::format("{}: the domain {} becomes {}", where, printable(column.type, 80), printable(type, 80)));
    if (type_exists(run, type)) return type;
    if (!column.enum_labels.empty() && is_plain_pg_type(type) && !type.ends_with("]")) {
        std::vector<std::string> name = name_parts(run, type);
        const auto same = [&](const PgMakePlan::Enum& other) { return other.name == name; };
        if (std::none_of(plan.enums.begin(), plan.enums.end(), same)) {
            plan.notes.push_back(fmt::format("{}: the enum {} is made on the follower", where, printable(type, 80)));
            if (name.size() == 2) plan.schemas.push_back(name.front());
            plan.enums.push_back({std::move(name), column.enum_labels});
        }
        return type;
    }
    throw RefusedError{fmt::format(
        "{}: the follower has no type {}: CREATE TYPE or CREATE EXTENSION there first, or leave the table out with --exclude-table", where,
        printable(type, 80))};
}

PgMakePlan PgTargetCheck::plan_missing(const std::vector<TablePtr>& tables, const std::map<TableName, PgTarget>& existing) const {
    PgMakePlan plan;
    for (const TablePtr& table : tables) {
        PgMakePlan::Table made{table, follower_table(table->name, table->engine, Engine::postgresql), {}};
        if (existing.contains(made.name)) continue;
        check_name(made.name.schema, *table);
        check_name(made.name.name, *table);
        check_column_names(*table);
        for (std::size_t i = 0; i < table->columns.size(); ++i) {
            made.types.push_back(column_type(*table, static_cast<std::uint16_t>(i), plan));
        }
        plan.schemas.push_back(made.name.schema);
        plan.tables.push_back(std::move(made));
    }
    std::sort(plan.schemas.begin(), plan.schemas.end());
    plan.schemas.erase(std::unique(plan.schemas.begin(), plan.schemas.end()), plan.schemas.end());
    std::erase_if(plan.schemas, [&](const std::string& schema) {
        return !run(fmt::format("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {}", quote_literal(schema))).empty();
    });
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
    for (const auto& [name, table] : existing)
        for (const PgTargetForeignKey& key : table.foreign_keys)
            if (key.parent == name && !existing.contains(key.child))
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
    std::vector<std::string> lines;
    bool filled = false;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const auto found = existing.find(wanted[i]);
        if (found == existing.end()) {
            const auto rules = check_mismatch_rules(*tables[i], nullptr, replica_role);
            lines.insert(lines.end(), rules.begin(), rules.end());
            continue;
        }
        const auto unfit = problems(*tables[i], found->second);
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
        if (found == existing.end() || tables[i]->identity.empty() || tables[i]->insert_only) continue;
        std::vector<std::string> key;
        for (const std::uint16_t column : tables[i]->identity) key.push_back(tables[i]->columns[column].name);
        if (!found->second.has_unique_key(key))
            plan.notes.push_back(
                fmt::format("{}: no unique index over the leader's key; updates and deletes will be slow", to_string(wanted[i])));
    }
    for (const Checkpoint& other : pg_checkpoints::load(run)) {
        if (unfinished != nullptr && other.stream == unfinished->stream) continue;
        for (const TableState& state : other.tables)
            if (std::ranges::find(wanted, follower_table(state.name, state.shape.engine, Engine::postgresql)) != wanted.end())
                throw RefusedError{fmt::format("{} on the follower already belongs to stream {}", to_string(state.name), printable(other.stream, 40))};
    }
    return std::move(plan.notes);
}

}  // namespace rowferry
