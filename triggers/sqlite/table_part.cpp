#include "triggers/sqlite/table_part.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "schemas/table_subset.h"
#include "triggers/sqlite/change_table.h"

namespace rowferry {
namespace {


std::string names_of(const TableSchema& table, const ColumnIndexes& columns) {
    std::string text;
    for (const std::uint16_t column : columns) text += (text.empty() ? "" : ", ") + printable(table.columns[column].name, 80);
    return text;
}

void check_filter_columns(const TableSchema& table, const ColumnIndexes& used) {
    const ColumnIndexes logged = logged_key(table);
    for (const std::uint16_t column : used)
        if (!holds(logged, column))
            throw RefusedError{fmt::format("{}: the filter reads column {}, which is not part of the key ({}): whether a row was in before an update could not be told. Make "
                                           "it part of the primary key, or filter by the key",
                                           to_string(table.name), printable(table.columns[column].name, 80), names_of(table, logged))};
}

bool is_hashed(const RulesOfTable& rules, const ColumnSchema& column) {
    const ColumnRule* rule = rules.column(Engine::sqlite, column.name);
    return rule != nullptr && rule->mask.kind == Mask::Kind::sha256;
}

/// The follower finds rows that REPLACE displaced by the leader's unique keys. It cannot with one that it does not have, or whose digests
/// differ where the leader's values compare equal.
void check_unique_keys(const TableSchema& table, const RulesOfTable& rules, const ColumnIndexes& carried) {
    for (const UniqueKey& key : table.unique_keys)
        for (const std::uint16_t column : key.columns) {
            const ColumnSchema& schema = table.columns[column];
            const bool compares_alike = !is_hashed(rules, schema) || schema.collation == "BINARY";
            if (holds(carried, column) && compares_alike) continue;
            throw RefusedError{fmt::format("{}: column {} is part of a unique key and {}: a row that REPLACE removes by that key would stay on the follower. Use "
                                           "--exact-replace, or let the column as it is",
                                           to_string(table.name), printable(schema.name, 80),
                                           holds(carried, column) ? "its digests would not compare as its values do" : "left out")};
        }
}

/// Only rows that the filter treats alike can be in each other's way where the key is all there is and equal means identical.
bool could_displace(const TableSchema& table) {
    return std::ranges::any_of(table.unique_keys, [&](const UniqueKey& key) {
        ColumnIndexes columns = key.columns;
        std::ranges::sort(columns);
        if (columns != table.identity) return true;
        return std::ranges::any_of(columns, [&](std::uint16_t column) {
            const ColumnSchema& schema = table.columns[column];
            return schema.collation != "BINARY" || is_strict_any(table, schema.type) || sqlite_affinity(schema.type) == Affinity::blob;
        });
    });
}

}  // namespace

TablePart whole_part(const TablePtr& table) {
    TablePart part{table, table, {}, nullptr, {}, false};
    part.columns.resize(table->columns.size());
    std::iota(part.columns.begin(), part.columns.end(), std::uint16_t{0});
    return part;
}

TablePart part_of_table(const StreamRequest& request, const TablePtr& whole, const std::string& encoding) {
    if (request.rules.empty()) return whole_part(whole);
    const RulesOfTable rules = request.rules.of(*whole);
    TablePart part{whole, whole, carried_columns(rules, *whole), nullptr, rules.filter.value_or(""), false};
    if (part.columns.size() != whole->columns.size()) {
        TableSchema from = *whole;
        // A copy identifies no rows.
        if (request.one_off && !std::ranges::all_of(from.identity, [&](std::uint16_t column) { return holds(part.columns, column); })) from.identity.clear();
        part.carried = std::make_shared<const TableSchema>(with_columns(from, part.columns));
    }
    if (rules.filter) part.filter = std::make_shared<RowFilter>(*whole, *rules.filter, encoding);
    if (request.one_off) return part;
    const bool exact = request.exact_replace && !whole->identity.empty();
    if (part.filter) check_filter_columns(*whole, part.filter->columns());
    if (!exact) check_unique_keys(*whole, rules, part.columns);
    part.may_displace = part.filter && !exact && could_displace(*whole);
    return part;
}

}  // namespace rowferry
