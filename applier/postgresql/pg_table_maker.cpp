#include "applier/postgresql/pg_table_maker.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_own_domains.h"
#include "db/pg_error.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_ddl.h"

namespace rowferry::pg_tables {
namespace {

bool name_is_taken(const PgRun& run, const std::string& schema, const std::string& name) {
    return !run(fmt::format("SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname "
                            "= {} AND c.relname = {}",
                            quote_literal(schema), quote_literal(name)))
                .empty();
}

/// The leader's name for an index, with a number behind it where another relation has that name. Empty for names that SQLite made up.
std::string free_name(const PgRun& run, const std::string& schema, const std::string& name) {
    if (name.empty() || name.starts_with("sqlite_autoindex_")) return "";
    // PostgreSQL keeps 63 bytes; characters must not be cut in half, so the server chooses where ours does not fit.
    if (name.size() > 60) return "";
    std::string free = name;
    for (int number = 1; name_is_taken(run, schema, free); ++number) free = fmt::format("{}_{}", name, number);
    return free;
}

void make_indexes(const PgRun& run, const TableSchema& leader, const TableName& table) {
    for (const IndexSchema& index : leader.indexes) {
        if (index.columns == leader.primary_key && index.unique) continue;
        run(pg_create_index(table, leader, index, free_name(run, table.schema, index.name)));
    }
}

/// SQLite: a unique key that compares otherwise than PostgreSQL gets a unique index that compares like the leader. That of the primary key
/// has to be made here, as the constraint cannot do it.
void make_folded_key(const PgRun& run, const TableSchema& leader, const TableName& table) {
    const bool special = std::any_of(leader.primary_key.begin(), leader.primary_key.end(),
                                     [&](std::uint16_t column) { return compares_specially(leader, nullptr, column); });
    if (!special) return;
    IndexSchema index;
    index.unique = true;
    index.columns = leader.primary_key;
    run(pg_create_index(table, leader, index, ""));
}

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

void make_foreign_keys(const PgRun& run, const TableSchema& leader, const TableName& table, bool replica_role,
                       const std::set<TableName>& quarantining) {
    for (const ForeignKey& key : leader.foreign_keys) {
        const TableName parent = follower_table(key.parent, leader.engine, Engine::postgresql);
        if (!replica_role && quarantining.contains(parent)) {
            spdlog::warn("{}: the foreign key to {} is left out: rows of that may be in quarantine, and it would refuse the rows that refer to them",
                         to_string(table), to_string(parent));
            continue;
        }
        if (!name_is_taken(run, parent.schema, parent.name)) {
            spdlog::warn("{}: no foreign key to {}, which is not on the follower", to_string(table), to_string(parent));
            continue;
        }
        const auto style = replica_role ? PgForeignKeyStyle::as_leader : PgForeignKeyStyle::deferred;
        std::string why;
        if (attempt(run, pg_add_foreign_key(table, leader, key, style), why)) continue;
        std::string again;
        if (replica_role && attempt(run, pg_add_foreign_key(table, leader, key, PgForeignKeyStyle::not_validated), again)) {
            spdlog::warn("{}: the foreign key to {} is made NOT VALID: {}", to_string(table), to_string(parent), why);
            continue;
        }
        spdlog::warn("{}: the foreign key to {} is left out: {}", to_string(table), to_string(parent), why);
    }
}

}  // namespace

void make(const PgRun& run, const PgMakePlan& plan) {
    for (const std::string& schema : plan.schemas) run(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", quote_identifier(schema)));
    for (const std::string& domain : plan.domains) make_own_domain(run, domain);
    for (const PgMakePlan::Enum& type : plan.enums) run(pg_create_enum(type.name, type.labels));
    for (const PgMakePlan::Table& table : plan.tables) run(pg_create_table(table.name, *table.leader, table.types));
}

void empty(const PgRun& run, const std::map<TableName, PgTarget>& existing) {
    std::string names;
    for (const auto& [name, table] : existing)
        names += fmt::format("{}{}{}", names.empty() ? "" : ", ", table.partitioned ? "" : "ONLY ", quote_table(name));
    const bool filled =
        std::any_of(existing.begin(), existing.end(), [&](const auto& entry) { return target_has_rows(run, entry.second); });
    if (filled) run("TRUNCATE " + names);
}

void finish(const PgRun& run, const std::vector<TablePtr>& tables, const std::set<TableName>& made, bool replica_role) {
    const auto ours = [&](const TablePtr& table, TableName& name) {
        name = follower_table(table->name, table->engine, Engine::postgresql);
        return made.contains(name);
    };
    TableName name;
    for (const TablePtr& table : tables) {
        if (!ours(table, name)) continue;
        make_indexes(run, *table, name);
        make_folded_key(run, *table, name);
    }
    std::set<TableName> quarantining;
    for (const TablePtr& table : tables)
        if (quarantines(*table)) quarantining.insert(follower_table(table->name, table->engine, Engine::postgresql));
    for (const TablePtr& table : tables)
        if (ours(table, name)) make_foreign_keys(run, *table, name, replica_role, quarantining);
    std::string names;
    for (const TablePtr& table : tables) {
        ours(table, name);
        names += (names.empty() ? "" : ", ") + quote_table(name);
    }
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
            "SELECT setval(s.seqrelid::regclass, greatest(least({0}, s.seqmax), s.seqmin), {0} > s.seqmax) FROM pg_catalog.pg_sequence s "
            "WHERE s.seqrelid = pg_get_serial_sequence({1}, {2})::regclass",
            number.next, quote_literal(quote_table(number.table)), quote_literal(number.column)));
    }
}

}  // namespace rowferry::pg_tables
