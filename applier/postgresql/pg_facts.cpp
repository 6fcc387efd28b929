#include "applier/postgresql/pg_facts.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "db/pg_user_types.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr const char* kExtensions = R"(
SELECT e.name, e.installed_version IS NOT NULL,
       coalesce(bool_or(v.trusted) AND has_database_privilege(current_database(), 'CREATE'), false) OR NOT coalesce(bool_or(v.superuser), true)
       OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
FROM pg_catalog.pg_available_extensions e
LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
GROUP BY e.name, e.installed_version)";

constexpr const char* kCollations = R"(
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.collname)
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.collencoding IN (-1, (SELECT encoding FROM pg_catalog.pg_database WHERE datname = current_database())))";

std::vector<TableName> wanted_relations(const std::vector<TablePtr>& tables) {
    std::vector<TableName> names;
    for (const TablePtr& table : tables) {
        names.push_back(follower_table(*table, Engine::postgresql));
        for (const TableSchema& ancestor : table->ancestors) names.push_back(follower_table(ancestor, Engine::postgresql));
        for (const TableName& parent : table->parents) names.push_back(follower_table(parent, table->engine, Engine::postgresql));
        for (const ForeignKey& key : table->foreign_keys) names.push_back(follower_parent(*table, key, Engine::postgresql));
    }
    return names;
}

void read_relations(const PgRun& run, const std::vector<TablePtr>& tables, PgFollowerFacts& facts) {
    std::set<std::string> schemas;
    for (const TableName& name : wanted_relations(tables)) schemas.insert(quote_literal(name.schema));
    if (schemas.empty()) return;
    const PgRows rows = run(fmt::format("SELECT n.nspname, c.relname, c.relkind = 'p' FROM pg_catalog.pg_class c "
                                        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ({})",
                                        fmt::join(schemas, ", ")));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TableName name{rows.text(row, 0), rows.text(row, 1)};
        facts.relations.insert(name);
        if (rows.boolean(row, 2)) facts.partitioned.insert(name);
    }
}

void read_types(const PgRun& run, const std::vector<TablePtr>& tables, PgFollowerFacts& facts) {
    // Those of rowferry's own are always looked for: the tables do not list them.
    std::set<std::string> names{"('public', 'sqlite_value')", "('public', 'sqlite_numeric')"};
    for (const TablePtr& table : tables)
        for (const UserType& type : table->types) names.insert(fmt::format("({}, {})", quote_literal(type.name.schema), quote_literal(type.name.name)));
    const PgRows rows = run(fmt::format("SELECT t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
                                        "WHERE (n.nspname, t.typname) IN ({})",
                                        fmt::join(names, ", ")));
    std::vector<std::uint32_t> oids;
    for (std::size_t row = 0; row < rows.size(); ++row) oids.push_back(static_cast<std::uint32_t>(rows.integer(row, 0)));
    for (UserType& type : PgUserTypes::read(run, oids).needed(oids)) {
        const TableName name = type.name;
        facts.types.emplace(name, std::move(type));
    }
}

}  // namespace

PgFollowerFacts read_facts(const PgRun& run, const std::vector<TablePtr>& tables, bool replica_role) {
    PgFollowerFacts facts;
    facts.replica_role = replica_role;
    facts.schemas.clear();
    const PgRows schemas = run("SELECT nspname FROM pg_catalog.pg_namespace");
    for (std::size_t row = 0; row < schemas.size(); ++row) facts.schemas.insert(schemas.text(row, 0));
    read_relations(run, tables, facts);
    read_types(run, tables, facts);
    const PgRows extensions = run(kExtensions);
    facts.available_extensions.emplace();
    for (std::size_t row = 0; row < extensions.size(); ++row) {
        if (extensions.boolean(row, 1)) facts.extensions.insert(extensions.text(row, 0));
        facts.available_extensions->emplace(extensions.text(row, 0), extensions.boolean(row, 2) ? "" : "this role may not install it: CREATE EXTENSION there first, as a superuser");
    }
    const PgRows collations = run(kCollations);
    facts.collations.emplace();
    for (std::size_t row = 0; row < collations.size(); ++row) facts.collations->insert(collations.text(row, 0));
    return facts;
}

}  // namespace rowferry
