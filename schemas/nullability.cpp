#include "schemas/nullability.h"

#include <algorithm>

#include "schemas/holds.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

std::string unquoted(std::string_view name) {
    if (name.size() < 2 || name.front() != '"') return std::string{name};
    std::string result;
    for (std::size_t i = 1; i + 1 < name.size(); ++i) {
        if (name[i] == '"') ++i;
        result += name[i];
    }
    return result;
}

/// The domain of a value of this type; an array's elements are not asked.
const UserType* domain_of(const TableSchema& leader, std::string_view type) {
    const UserType* found = parse_pg_type(type).array ? nullptr : find_user_type(leader, type);
    return found == nullptr || found->kind != UserType::Kind::domain ? nullptr : found;
}


}  // namespace

TableName catalog_name(std::string_view type) {
    const PgTypeName parts = parse_pg_type(type);
    return {unquoted(parts.schema), unquoted(parts.name)};
}

const UserType* find_user_type(const TableSchema& leader, std::string_view type) {
    const TableName wanted = catalog_name(type);
    const auto found = std::ranges::find_if(leader.types, [&](const UserType& candidate) { return candidate.name == wanted; });
    return found == leader.types.end() ? nullptr : &*found;
}

bool forbids_null(const TableSchema& leader, std::uint16_t column) {
    if (leader.columns[column].not_null || holds(leader.primary_key, column)) return true;
    const UserType* domain = domain_of(leader, leader.columns[column].type);
    for (std::size_t depth = 0; domain != nullptr && depth < leader.types.size(); ++depth) {
        if (domain->not_null) return true;
        domain = domain_of(leader, domain->base);
    }
    return false;
}

bool in_lax_key(const TableSchema& leader, std::uint16_t column) {
    return leader.engine == Engine::sqlite && leader.primary_key.empty() &&
           std::ranges::any_of(leader.indexes, [&](const IndexSchema& index) { return index.unique && index.constraint && holds(index.columns, column); });
}

}  // namespace rowferry
