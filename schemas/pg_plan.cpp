#include "schemas/pg_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_parts.h"
#include "schemas/pg_type_ddl.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

// PostgreSQL cuts longer names, with a notice that nobody reads.
constexpr std::size_t kLongestPgName = 63;

constexpr std::size_t kMostColumns = 1600;

void check_name(const std::string& name, const TableSchema& table) {
    if (name.empty())
        throw RefusedError{fmt::format("{}: a table or column without a name, which PostgreSQL cannot have: rename it for the follower, or leave it out",
                                       to_string(table.name))};
    if (name.size() > kLongestPgName)
        throw RefusedError{fmt::format("{}: the name {} is longer than the {} bytes that PostgreSQL keeps: rename it for the follower, or leave it out",
                                       to_string(table.name), printable(name, 200), kLongestPgName)};
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

}  // namespace

std::optional<UserType> own_domain(std::string_view type) {
    if (type != kSqliteValue && type != kSqliteNumeric) return std::nullopt;
    UserType domain;
    domain.kind = UserType::Kind::domain;
    domain.name = {"public", std::string{type.substr(type.find('.') + 1)}};
    domain.base = type == kSqliteValue ? "text" : "numeric";
    return domain;
}

namespace {

class Planner {
public:
    explicit Planner(PgFollowerFacts facts) { plan_.facts = std::move(facts); }

    PgMakePlan plan(const std::vector<TablePtr>& tables) {
        for (const TablePtr& table : tables) add(table);
        std::sort(plan_.schemas.begin(), plan_.schemas.end());
        plan_.schemas.erase(std::unique(plan_.schemas.begin(), plan_.schemas.end()), plan_.schemas.end());
        std::erase_if(plan_.schemas, [&](const std::string& schema) { return plan_.facts.schemas.contains(schema); });
        return std::move(plan_);
    }

private:
    void add(const TablePtr& table) {
        for (const UserType& type : table->types) need(type, *table);
        for (const auto& index : table->expression_indexes) need_extensions(index.extensions);
        for (const auto& index : table->indexes) need_extensions(index.extensions);
        PgMakePlan::Table made = described(table, follower_table(*table, Engine::postgresql));
        made.attached = add_ancestors(*table, made.name);
        plan_.tables.push_back(std::move(made));
    }

    /// Names and types of a table to be made.
    PgMakePlan::Table described(const TablePtr& table, TableName name) {
        PgMakePlan::Table made{table, std::move(name), {}};
        check_name(made.name.schema, *table);
        check_name(made.name.name, *table);
        check_column_names(*table);
        for (std::size_t i = 0; i < table->columns.size(); ++i) {
            ColumnMapping mapping = map_column(*table, static_cast<std::uint16_t>(i), Engine::postgresql);
            if (!mapping.note.empty())
                plan_.notes.push_back(fmt::format("{}.{}: {}", to_string(table->name), printable(table->columns[i].name, 80), mapping.note));
            if (const auto own = own_domain(mapping.type)) need(*own, *table);
            made.types.push_back(std::move(mapping.type));
        }
        for (const ColumnSchema& column : table->columns)
            if (!column.pg_collation.empty() && plan_.facts.collations && !plan_.facts.collations->contains(column.pg_collation))
                plan_.notes.push_back(fmt::format("{}.{}: the follower has no collation {}: the column gets its type's own", to_string(table->name),
                                                  printable(column.name, 80), printable(column.pg_collation, 80)));
        for (std::string& note : pg_parts(*table, made.types).notes) plan_.notes.push_back(std::move(note));
        plan_.schemas.push_back(made.name.schema);
        return made;
    }

    void need(const UserType& type, const TableSchema& table) {
        const auto same = [&](const UserType& other) { return other.name == type.name; };
        if (std::any_of(plan_.types.begin(), plan_.types.end(), same)) return;
        if (const auto existing = plan_.facts.types.find(type.name); existing != plan_.facts.types.end()) {
            if (const std::string difference = pg_type_difference(type, existing->second); !difference.empty())
                throw RefusedError{fmt::format("{}: the follower has a {} of its own, and {}", to_string(table.name), describe_type(type), difference)};
            return;
        }
        if (type.kind == UserType::Kind::extension) need_extension_of(type, table);
        if (type.kind == UserType::Kind::other) static_cast<void>(pg_create_type(type));
        check_name(type.name.name, table);
        plan_.schemas.push_back(type.name.schema);
        plan_.notes.push_back(fmt::format("the {} is made on the follower", describe_type(type)));
        plan_.types.push_back(type);
    }

    void need_extension_of(const UserType& type, const TableSchema& table) {
        if (plan_.facts.extensions.contains(type.extension))
            throw RefusedError{fmt::format("{}: its type {} comes with the extension {}, which the follower has in another schema or version: ALTER EXTENSION {} "
                                           "SET SCHEMA {} or UPDATE there",
                                           to_string(table.name), to_string(type.name), printable(type.extension, 80), quote_identifier(type.extension),
                                           quote_identifier(type.name.schema))};
        if (const std::string why = why_not(type.extension); !why.empty())
            throw RefusedError{fmt::format("{}: its type {} comes with the extension {}, and {}. Or leave the table out with --exclude-table",
                                           to_string(table.name), to_string(type.name), printable(type.extension, 80), why)};
    }

    [[nodiscard]] std::string why_not(const std::string& extension) const {
        if (!plan_.facts.available_extensions) return {};
        const auto found = plan_.facts.available_extensions->find(extension);
        return found == plan_.facts.available_extensions->end() ? "that is not available on the follower's server: install its package" : found->second;
    }

    /// Indexes are no reason to refuse a table: without its extension one is left out when it is made.
    void need_extensions(const std::vector<std::string>& extensions) {
        for (const std::string& qualified : extensions) {
            const std::size_t dot = std::min(qualified.rfind('.'), qualified.size());
            const TableName extension{qualified.substr(0, dot), qualified.substr(std::min(dot + 1, qualified.size()))};
            if (plan_.facts.extensions.contains(extension.name) || !why_not(extension.name).empty()) continue;
            if (std::find(plan_.extensions.begin(), plan_.extensions.end(), extension) != plan_.extensions.end()) continue;
            plan_.schemas.push_back(extension.schema);
            plan_.extensions.push_back(extension);
        }
    }

    /// Makes the partitioned tables above `table` part of the plan. False: it stands alone.
    bool add_ancestors(const TableSchema& table, const TableName& name) {
        if (table.ancestors.empty() || table.partition_bound.empty()) return false;
        for (const TableSchema& ancestor : table.ancestors) {
            const TableName above = follower_table(ancestor, Engine::postgresql);
            if (!plan_.facts.relations.contains(above) || plan_.facts.partitioned.contains(above)) continue;
            plan_.notes.push_back(fmt::format("{}: it stands alone, as {} is not a partitioned table on the follower", to_string(name), to_string(above)));
            return false;
        }
        for (const TableSchema& ancestor : table.ancestors) {
            const TableName above = follower_table(ancestor, Engine::postgresql);
            if (std::any_of(plan_.parents.begin(), plan_.parents.end(), [&](const PgMakePlan::Table& parent) { return parent.name == above; })) continue;
            PgMakePlan::Table made = described(std::make_shared<const TableSchema>(ancestor), above);
            made.attached = !ancestor.partition_bound.empty();
            plan_.parents.push_back(std::move(made));
        }
        return true;
    }

    PgMakePlan plan_;
};

}  // namespace

const PgMakePlan::Table* PgMakePlan::find(const TableName& name) const {
    for (const std::vector<Table>* list : {&tables, &parents})
        for (const Table& table : *list)
            if (table.name == name) return &table;
    return nullptr;
}

PgMakePlan plan_pg_tables(const std::vector<TablePtr>& tables, PgFollowerFacts facts) { return Planner{std::move(facts)}.plan(tables); }

}  // namespace rowferry
