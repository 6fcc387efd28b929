#include "schemas/pg_type_ddl.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/contained_sql.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"
#include "schemas/shown.h"

namespace rowferry {
namespace {

const std::string& plain_type(const UserType& type, const std::string& name) {
    if (!is_plain_pg_type(name)) throw RefusedError{fmt::format("{}: \"{}\" is not the name of a type", describe_type(type), printable(name, 100))};
    return name;
}

std::string collate(const UserType& type, const std::string& collation) {
    return collation.empty() ? "" : " COLLATE " + contained_sql(type.name, collation);
}

std::string create_enum(const UserType& type) {
    std::string labels;
    for (const std::string& label : type.labels) labels += (labels.empty() ? "" : ", ") + quote_literal(label);
    return fmt::format("CREATE TYPE {} AS ENUM ({})", quote_table(type.name), labels);
}

std::string create_domain(const UserType& type) {
    std::string sql = fmt::format("CREATE DOMAIN {} AS {}{}", quote_table(type.name), plain_type(type, type.base), collate(type, type.collation));
    if (!type.default_expression.empty()) sql += fmt::format(" DEFAULT ({})", contained_sql(type.name, type.default_expression));
    if (type.not_null) sql += " NOT NULL";
    for (const CheckConstraint& check : type.checks)
        sql += fmt::format(" CONSTRAINT {} CHECK ({})", quote_identifier(check.name), contained_sql(type.name, check.expression));
    return sql;
}

std::string create_composite(const UserType& type) {
    std::string attributes;
    for (const UserType::Attribute& attribute : type.attributes)
        attributes += fmt::format("{}{} {}{}", attributes.empty() ? "" : ", ", quote_identifier(attribute.name), plain_type(type, attribute.type),
                                  collate(type, attribute.collation));
    return fmt::format("CREATE TYPE {} AS ({})", quote_table(type.name), attributes);
}

std::string create_range(const UserType& type) {
    std::string options = "SUBTYPE = " + plain_type(type, type.base);
    if (!type.collation.empty()) options += ", COLLATION = " + contained_sql(type.name, type.collation);
    if (!type.multirange.empty()) options += ", MULTIRANGE_TYPE_NAME = " + quote_table({type.name.schema, type.multirange});
    return fmt::format("CREATE TYPE {} AS RANGE ({})", quote_table(type.name), options);
}

std::string_view kind_name(UserType::Kind kind) {
    switch (kind) {
        case UserType::Kind::enumeration: return "enum";
        case UserType::Kind::domain: return "domain";
        case UserType::Kind::composite: return "composite type";
        case UserType::Kind::range: return "range";
        case UserType::Kind::extension:
        case UserType::Kind::other: break;
    }
    return "type";
}

std::string domain_difference(const UserType& leader, const UserType& follower) {
    if (leader.base != follower.base) return fmt::format("it is over {} there, over {} on the leader", shown(follower.base), shown(leader.base));
    if (follower.not_null && !leader.not_null) return "it is NOT NULL there, and not on the leader";
    for (const CheckConstraint& check : follower.checks) {
        const auto same = [&](const CheckConstraint& other) { return other.expression == check.expression; };
        if (std::none_of(leader.checks.begin(), leader.checks.end(), same)) return fmt::format("it has the check {} there, which the leader's has not", shown(check.name));
    }
    if (!follower.not_carried.empty()) return "it has a check there that the leader's has not";
    return {};
}

std::string composite_difference(const UserType& leader, const UserType& follower) {
    for (std::size_t i = 0; i < std::max(leader.attributes.size(), follower.attributes.size()); ++i) {
        if (i >= follower.attributes.size()) return fmt::format("the attribute {} is missing there", shown(leader.attributes[i].name));
        if (i >= leader.attributes.size()) return fmt::format("it has the attribute {} there, which the leader's has not", shown(follower.attributes[i].name));
        const auto& ours = leader.attributes[i];
        const auto& theirs = follower.attributes[i];
        if (ours.name != theirs.name || ours.type != theirs.type)
            return fmt::format("its attribute {} is {} {} there, {} {} on the leader", i + 1, shown(theirs.name), shown(theirs.type), shown(ours.name), shown(ours.type));
    }
    return {};
}

}  // namespace

std::string describe_type(const UserType& type) { return fmt::format("{} {}", kind_name(type.kind), to_string(type.name)); }

std::string pg_create_type(const UserType& type) {
    switch (type.kind) {
        case UserType::Kind::enumeration: return create_enum(type);
        case UserType::Kind::domain: return create_domain(type);
        case UserType::Kind::composite: return create_composite(type);
        case UserType::Kind::range: return create_range(type);
        case UserType::Kind::extension:
            return fmt::format("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {} CASCADE", quote_identifier(type.extension), quote_identifier(type.name.schema));
        case UserType::Kind::other: break;
    }
    throw RefusedError{fmt::format("{} is a base type or the row type of a table, which rowferry does not make: CREATE it on the follower first, or leave the "
                                   "tables that use it out with --exclude-table",
                                   describe_type(type))};
}

std::string pg_type_difference(const UserType& leader, const UserType& follower) {
    if (leader.kind == UserType::Kind::extension || leader.kind == UserType::Kind::other) return {};
    if (leader.kind != follower.kind) return fmt::format("it is a {} there", kind_name(follower.kind));
    switch (leader.kind) {
        case UserType::Kind::enumeration:
            for (const std::string& label : leader.labels)
                if (std::find(follower.labels.begin(), follower.labels.end(), label) == follower.labels.end())
                    return fmt::format("the label {} is missing there: ALTER TYPE {} ADD VALUE {}", shown(label), quote_table(leader.name), quote_literal(shown(label)));
            return {};
        case UserType::Kind::domain: return domain_difference(leader, follower);
        case UserType::Kind::composite: return composite_difference(leader, follower);
        case UserType::Kind::range:
            return leader.base == follower.base ? "" : fmt::format("it is over {} there, over {} on the leader", shown(follower.base), shown(leader.base));
        case UserType::Kind::extension:
        case UserType::Kind::other: break;
    }
    return {};
}

}  // namespace rowferry
