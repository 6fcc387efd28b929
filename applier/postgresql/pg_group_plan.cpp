#include "applier/postgresql/pg_group_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/pg_binary.h"

namespace rowferry {
namespace {

// Beyond that an application draws its columns by lot.
constexpr std::size_t kMaxGroupUpdates = 50;

/// Does the leader's REPLACE remove nothing but the row with the same key?
bool replaces_by_key_only(const PgTablePlan& table) {
    const TableSchema& leader = table.leader();
    if (leader.unique_keys.size() != 1 || !table.copy_finds_conflicts()) return false;
    ColumnIndexes key = leader.unique_keys.front().columns;
    std::sort(key.begin(), key.end());
    return key == leader.identity &&
           std::none_of(leader.expression_indexes.begin(), leader.expression_indexes.end(), [](const ExpressionIndex& index) { return index.unique; });
}

}  // namespace

PgGroupPlan::PgGroupPlan(const PgTablePlan& table, bool binary) : table_{table}, binary_{binary}, updates_{kMaxGroupUpdates} {
    const PgTarget& follower = table_.follower();
    appends_ = castable() && !table_.lenient() && follower.replica_triggers.empty() && follower.replica_rules.empty() && !table_.replaces();
    std::vector<std::string> key;
    for (const std::uint16_t column : table_.leader().identity) key.push_back(table_.leader().columns[column].name);
    merges_ = (appends_ || (table_.replaces() && replaces_by_key_only(table_) && castable() && !table_.lenient() &&
                            follower.replica_triggers.empty() && follower.replica_rules.empty())) &&
              !key.empty() && follower.has_unique_key(key);
    if (!appends_ && !merges_) return;
    insert_ = make_insert();
    if (merges_) remove_ = make_remove();
}

bool PgGroupPlan::castable() const {
    bool any = false;
    for (std::size_t i = 0; i < table_.leader().columns.size(); ++i) {
        const PgTablePlan::Column& column = table_.column(i);
        if (!column.written && !column.in_key) continue;
        if (!column.binary && !(binary_ && column.takes_binary) && column.follower->cast_type.empty()) return false;
        any = any || column.written;
    }
    return any;
}

std::string PgGroupPlan::names() const { return table_.prefix() + (binary_ ? "b" : "g"); }

/// The element of a row, as a value of the column's type.
std::string PgGroupPlan::element(PgStatement& statement, std::uint16_t column, PgParameter::Image image) const {
    const PgParameter wanted{column, image};
    const auto found = std::find(statement.parameters.begin(), statement.parameters.end(), wanted);
    const auto place = found - statement.parameters.begin();
    const PgTablePlan::Column& plan = table_.column(column);
    const bool own_type = binary_ && plan.takes_binary;
    if (found == statement.parameters.end()) {
        statement.parameters.push_back(wanted);
        statement.types.push_back(own_type ? pg_binary::array_of(plan.follower->oid) : plan.binary ? kByteaArrayOid : kTextArrayOid);
        statement.formats.push_back(1);
    }
    if (own_type || plan.binary || plan.follower->cast_type == "text") return fmt::format("u.c{}", place);
    return fmt::format("u.c{}::{}", place, plan.follower->cast_type);
}

std::string PgGroupPlan::same_key(PgStatement& statement) const {
    std::string condition;
    for (const std::uint16_t column : table_.leader().identity)
        condition += fmt::format("{}t.{} {} {}", condition.empty() ? "" : " AND ", quote_identifier(table_.column(column).follower->name),
                                 table_.column(column).follower->equals, element(statement, column, PgParameter::Image::key));
    return condition;
}

/// The rows that the arrays hold, `ROWS FROM (unnest($1), unnest($2)) AS u (c0, c1)`.
std::string PgGroupPlan::source(const PgStatement& statement) {
    std::string arrays;
    std::string names;
    for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
        arrays += fmt::format("{}pg_catalog.unnest(${})", i == 0 ? "" : ", ", i + 1);
        names += fmt::format("{}c{}", i == 0 ? "" : ", ", i);
    }
    return fmt::format("ROWS FROM ({}) AS u ({})", arrays, names);
}

PgStatement PgGroupPlan::make_insert() const {
    PgStatement statement;
    statement.name = names() + "i";
    std::string names;
    std::string values;
    bool numbered = false;
    for (std::size_t i = 0; i < table_.leader().columns.size(); ++i) {
        const PgTablePlan::Column& column = table_.column(i);
        if (!column.written) continue;
        names += (names.empty() ? "" : ", ") + quote_identifier(column.follower->name);
        values += (values.empty() ? "" : ", ") + element(statement, static_cast<std::uint16_t>(i), PgParameter::Image::after);
        numbered = numbered || column.follower->identity;
    }
    statement.sql = fmt::format("INSERT INTO {} ({}){} SELECT {} FROM {}", quote_table(table_.follower().name), names,
                                numbered ? " OVERRIDING SYSTEM VALUE" : "", values, source(statement));
    return statement;
}

PgStatement PgGroupPlan::make_remove() const {
    PgStatement statement;
    statement.name = names() + "d";
    const std::string condition = same_key(statement);
    statement.sql = fmt::format("DELETE FROM {} AS t USING {} WHERE {}", table_.target(), source(statement), condition);
    return statement;
}

PgStatement PgGroupPlan::make_update(const ColumnMask& mask) const {
    PgStatement statement;
    std::string assignments;
    std::string condition = same_key(statement);
    for (std::size_t i = 0; i < table_.leader().columns.size(); ++i) {
        if (!mask.test(i)) continue;
        const std::string name = quote_identifier(table_.column(i).follower->name);
        const std::string value = element(statement, static_cast<std::uint16_t>(i), PgParameter::Image::after);
        // As in PgTablePlan: SET of such a column is refused, a row that would need it is not found.
        if (table_.column(i).follower->identity_always)
            condition += fmt::format(" AND t.{} = {}", name, value);
        else
            assignments += fmt::format("{}{} = {}", assignments.empty() ? "" : ", ", name, value);
    }
    if (!assignments.empty())
        statement.sql = fmt::format("UPDATE {} AS t SET {} FROM {} WHERE {}", table_.target(), assignments, source(statement), condition);
    return statement;
}

PgStatement* PgGroupPlan::update(std::span<const Cell> after) {
    mask_.reset(after.size());
    for (std::size_t i = 0; i < after.size(); ++i)
        if (after[i].is_sent() && table_.column(i).written && !table_.column(i).in_key) mask_.set(i);
    PgStatement* update = updates_.find(mask_);
    if (update == nullptr && !updates_.full()) update = &updates_.add(mask_, make_update(mask_), names() + "u");
    return update == nullptr || update->sql.empty() ? nullptr : update;
}

}  // namespace rowferry
