#include "applier/postgresql/pg_target_fit.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/nullability.h"
#include "schemas/pg_type_ddl.h"

namespace rowferry {
namespace {

using Lines = std::vector<std::string>;

bool refuses_null(const PgTargetColumn& column) { return column.not_null || column.not_null_domain; }

void check_columns(const TableSchema& leader, const PgTarget& existing, Lines& lines) {
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) {
        const PgTargetColumn* column = existing.column(leader.columns[i].name);
        if (column == nullptr) continue;
        const std::string name = fmt::format("{}.{}", to_string(existing.name), printable(column->name, 80));
        if (column->generated)
            lines.push_back(fmt::format("{} is generated there, and has values of its own on the leader: ALTER TABLE … ALTER COLUMN … DROP EXPRESSION", name));
        else if (refuses_null(*column) && !forbids_null(leader, i) && !(column->in_primary_key && in_lax_key(leader, i)))
            lines.push_back(fmt::format("{} is NOT NULL there, and the leader's column may be NULL: {}", name,
                                        column->not_null ? "ALTER TABLE … ALTER COLUMN … DROP NOT NULL" : "give it a type that takes NULL"));
        for (const std::string& label : leader.columns[i].enum_labels)
            if (!column->labels.empty() && std::ranges::find(column->labels, label) == column->labels.end())
                lines.push_back(fmt::format("{} is of an enum without the label {} of the leader: ALTER TYPE {} ADD VALUE {}", name, printable(label, 80),
                                            printable(column->base_type, 80), quote_literal(printable(label, 80))));
    }
}

/// Types of the same name on both sides have to mean the same, down to the types that they are made of. Enums are told by the column's labels.
void check_type(const TableSchema& leader, const std::map<TableName, UserType>& own, const std::string& name, std::set<TableName>& seen, Lines& lines) {
    const UserType* type = find_user_type(leader, name);
    if (type == nullptr || !seen.insert(type->name).second) return;
    const auto found = own.find(type->name);
    if (found == own.end()) return;
    if (type->kind != UserType::Kind::enumeration || seen.size() > 1)
        if (const std::string difference = pg_type_difference(*type, found->second); !difference.empty())
            lines.push_back(fmt::format("{} on the follower is not the leader's: {}", describe_type(*type), difference));
    if (!type->base.empty()) check_type(leader, own, type->base, seen, lines);
    for (const UserType::Attribute& attribute : type->attributes) check_type(leader, own, attribute.type, seen, lines);
}

bool leader_checks(const TableSchema& leader, const std::string& expression) {
    return leader.engine == Engine::postgresql &&
           std::ranges::any_of(leader.checks, [&](const CheckConstraint& check) { return check.expression == expression && !check.not_valid; });
}

bool leader_is_unique(const TableSchema& leader, const PgTargetConstraint& constraint) {
    const auto is_it = [&](const ColumnIndexes& key) {
        Lines columns;
        for (const std::uint16_t column : key) columns.push_back(leader.columns[column].name);
        std::ranges::sort(columns);
        return columns == constraint.columns;
    };
    return is_it(leader.primary_key) || std::ranges::any_of(leader.unique_keys, [&](const UniqueKey& key) { return is_it(key.columns); }) ||
           std::ranges::any_of(leader.indexes, [&](const IndexSchema& index) { return index.unique && is_it(index.columns); });
}

bool leader_has_index(const TableSchema& leader, const std::string& name) {
    return std::ranges::any_of(leader.expression_indexes, [&](const ExpressionIndex& index) { return index.name == name; });
}

}  // namespace

Lines PgTargetFit::problems(const TableSchema& leader, const PgTarget& existing) const {
    if (!existing.plain) return {};  // told by check_target_columns()
    Lines lines;
    check_columns(leader, existing, lines);
    for (const ColumnSchema& column : leader.columns) {
        const PgTargetColumn* target = existing.column(column.name);
        std::set<TableName> seen;
        if (target != nullptr && target->type == column.type) check_type(leader, types, column.type, seen, lines);
    }
    const std::string table = to_string(existing.name);
    for (const std::string& rule : replica_role ? existing.replica_rules : existing.rules)
        lines.push_back(fmt::format("{0}: the rule {1} would rewrite what is replicated: ALTER TABLE {2} DISABLE RULE {3}", table, printable(rule, 80),
                                    quote_table(existing.name), quote_identifier(rule)));
    if (existing.row_security)
        lines.push_back(fmt::format("{}: its row level security applies to this role and would hide or refuse rows: let the role own the table, or BYPASSRLS", table));
    return lines;
}

Lines PgTargetFit::notes(const TableSchema& leader, const PgTarget& existing) const {
    Lines lines;
    const std::string table = to_string(existing.name);
    const auto note = [&](std::string_view what, const std::string& name) {
        lines.push_back(fmt::format("existing table {}: the {} {} is not the leader's; a row that it refuses will stop the stream", table, what, printable(name, 80)));
    };
    for (const PgTargetConstraint& constraint : existing.constraints) {
        if (!constraint.check.empty()) {
            if (!leader_checks(leader, constraint.check)) note("CHECK", constraint.name);
        } else if (constraint.columns.empty() || constraint.exclusion) {
            if (!leader_has_index(leader, constraint.name)) note(constraint.exclusion ? "exclusion constraint" : "unique index", constraint.name);
        } else if (!leader_is_unique(leader, constraint)) {
            note("unique index", constraint.name);
        }
    }
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) {
        const PgTargetColumn& column = *existing.column(leader.columns[i].name);
        if (column.checked_domain && column.type != leader.columns[i].type) note("CHECK of the domain of column", column.name);
        if (refuses_null(column) && !forbids_null(leader, i))
            lines.push_back(fmt::format("existing table {}: the leader's primary key allows NULL in {}, which SQLite does not forbid; a NULL will stop the stream",
                                        table, printable(column.name, 80)));
    }
    if (!existing.bound.empty() && leader.partition_bound.empty()) note("partition's bound", existing.bound);
    if (replica_role)
        for (const std::string& trigger : existing.replica_triggers)
            lines.push_back(fmt::format("existing table {}: the trigger {} fires for replicated rows", table, printable(trigger, 80)));
    return lines;
}

}  // namespace rowferry
