#include "applier/postgresql/pg_table_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/postgresql/pg_group_plan.h"
#include "applier/postgresql/pg_types.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"
#include "schemas/pg_ddl.h"
#include "schemas/same_cell.h"

namespace rowferry {
namespace {

// Column masks that keep a prepared statement per table. Applications have a handful; beyond that the text is sent each time.
constexpr std::size_t kMaxUpdates = 200;

const IndexSchema* index_of(const TableSchema& table, const UniqueKey& key) {
    for (const IndexSchema& index : table.indexes)
        if (index.unique && index.name == key.name && index.columns == key.columns) return &index;
    return nullptr;
}

bool is_text(const PgTargetColumn& column) { return column.base_type == "text" || column.base_type.starts_with("character"); }

/// Another enum type, with every label of the leader's.
bool holds_labels(const ColumnSchema& column, const PgTargetColumn& target) {
    return !column.enum_labels.empty() && std::ranges::all_of(column.enum_labels, [&](const std::string& label) {
        return std::ranges::find(target.labels, label) != target.labels.end();
    });
}

bool followed_by_unique_index(const TableSchema& leader, const PgTarget& follower, const UniqueKey& key) {
    std::vector<std::string> names;
    for (const std::uint16_t column : key.columns) {
        if (compares_specially(leader, index_of(leader, key), column)) return false;
        names.push_back(leader.columns.at(column).name);
    }
    return follower.has_unique_key(names);
}

const Cell& key_cell(const Change& change, std::uint16_t column) {
    return change.before.empty() ? change.after[column] : change.before[column];
}

}  // namespace

std::vector<std::string> check_target_columns(const TableSchema& leader, const PgTarget& follower) {
    std::vector<std::string> problems;
    const std::string table = to_string(follower.name);
    if (!follower.plain) return {fmt::format("{} is not a table", table)};
    for (std::size_t i = 0; i < leader.columns.size(); ++i) {
        const ColumnSchema& column = leader.columns[i];
        const PgTargetColumn* target = follower.column(column.name);
        const std::string name = printable(column.name, 80);
        if (target == nullptr) {
            problems.push_back(fmt::format("{} has no column {}: ALTER TABLE … ADD COLUMN", table, name));
            continue;
        }
        const bool asked = !column.wanted_type.empty() || column.encoding != TimeEncoding::none;
        try {
            static_cast<void>(resolve_conversion(leader, static_cast<std::uint16_t>(i), Engine::postgresql, target->values_type()));
        } catch (const RefusedError& error) {
            problems.emplace_back(error.what());
        }
        if (leader.engine == Engine::sqlite || asked) continue;
        if (const std::string& type = column.base_type.empty() ? column.type : column.base_type;
                   !target->generated && !pg_type_holds(type, target->base_type) && !holds_labels(column, *target)) {
            problems.push_back(
                fmt::format("{}.{} is {}, which does not hold every value of the leader's {} exactly: ALTER TABLE … ALTER COLUMN … TYPE",
                            table, name, printable(target->type, 80), printable(type, 80)));
        }
    }
    for (const PgTargetColumn& column : follower.columns) {
        if (leader.column_index(column.name) || !column.not_null || column.has_default || column.identity || column.generated) continue;
        problems.push_back(
            fmt::format("{}.{} is NOT NULL without a default, and the leader has no such column", table, printable(column.name, 80)));
    }
    if (follower.partitioned && leader.identity.empty() && !leader.insert_only)
        problems.push_back(fmt::format("{} is partitioned and has no key: rows cannot be told apart", table));
    return problems;
}

std::string binary_obstacle(const ColumnSchema& leader, const PgTargetColumn& follower) {
    const std::string name = printable(leader.name, 80);
    if (!pg_binary::is_portable(leader.type_oid)) return fmt::format("column {} is {}, which has no portable binary form", name, printable(leader.type, 80));
    if (leader.type_oid != follower.oid) return fmt::format("column {} is {} here, {} on the leader", name, printable(follower.type, 80), printable(leader.type, 80));
    if (!leader.wanted_type.empty() || leader.encoding != TimeEncoding::none) return fmt::format("a rule gives column {} another type", name);
    if (follower.generated) return fmt::format("column {} is generated here", name);
    return {};
}

PgTablePlan::PgTablePlan(TableSchema leader, PgTarget follower, std::size_t number)
    : leader_{std::move(leader)},
      follower_{std::move(follower)},
      prefix_{fmt::format("t{}", number)},
      updates_{kMaxUpdates} {
    std::string copied;
    for (std::size_t i = 0; i < leader_.columns.size(); ++i) {
        Column column;
        column.follower = follower_.column(leader_.columns[i].name);
        if (column.follower == nullptr)
            throw HaltError{fmt::format("{}: the follower's table has no column {}", to_string(follower_.name),
                                        printable(leader_.columns[i].name, 80))};
        column.written = !column.follower->generated;
        column.in_key = leader_.in_identity(static_cast<std::uint16_t>(i));
        column.conversion = resolve_conversion(leader_, static_cast<std::uint16_t>(i), Engine::postgresql, column.follower->values_type());
        column.binary = column.conversion == Conversion::to_bytea;
        column.takes_binary = binary_obstacle(leader_.columns[i], *column.follower).empty() && column.conversion == Conversion::identity;
        column.on_mismatch = leader_.columns[i].on_mismatch;
        lenient_ = lenient_ || column.on_mismatch != OnMismatch::stop;
        column.limited = !split_type(column.follower->base_type).arguments.empty();
        identity_column_ = identity_column_ || column.follower->identity;
        if (column.written) copied += (copied.empty() ? "" : ", ") + quote_identifier(column.follower->name);
        columns_.push_back(column);
    }
    match_ = leader_.identity;
    if (match_.empty())
        for (std::size_t i = 0; i < columns_.size(); ++i) match_.push_back(static_cast<std::uint16_t>(i));
    for (const UniqueKey& key : leader_.unique_keys)
        copy_finds_conflicts_ = copy_finds_conflicts_ && followed_by_unique_index(leader_, follower_, key);
    copy_sql_ = fmt::format("COPY {}{} FROM STDIN", quote_table(follower_.name), copied.empty() ? "" : " (" + copied + ")");
    insert_ = make_insert();
    remove_ = make_remove();
}

RowForm PgTablePlan::raw_form() const {
    if (leader_.engine != Engine::postgresql || lenient_ || columns_.empty()) return RowForm::cells;
    for (const Column& column : columns_)
        if (!column.written || column.conversion != Conversion::identity) return RowForm::cells;
    return std::ranges::all_of(columns_, &Column::takes_binary) ? RowForm::copy_binary : RowForm::copy_text;
}

PgTablePlan::~PgTablePlan() = default;

PgGroupPlan& PgTablePlan::group(bool binary) {
    std::unique_ptr<PgGroupPlan>& group = binary ? binary_group_ : group_;
    if (!group) group = std::make_unique<PgGroupPlan>(*this, binary);
    return *group;
}

std::string PgTablePlan::parameter(PgStatement& statement, std::uint16_t column, PgParameter::Image image) const {
    const PgParameter wanted{column, image};
    const auto found = std::find(statement.parameters.begin(), statement.parameters.end(), wanted);
    const auto place = found - statement.parameters.begin();
    if (found == statement.parameters.end()) {
        statement.parameters.push_back(wanted);
        statement.types.push_back(columns_[column].follower->oid);
        statement.formats.push_back(columns_[column].binary ? 1 : 0);
    }
    return fmt::format("${}", place + 1);
}

/// The row a change speaks of. A key is compared as the type compares; a whole row by its text form, which tells 1.0 from 1.00 and
/// also works for types that have no equality.
std::string PgTablePlan::row_condition(PgStatement& statement) const {
    std::string condition;
    for (const std::uint16_t column : match_) {
        const std::string name = quote_identifier(columns_[column].follower->name);
        const std::string value = parameter(statement, column, PgParameter::Image::key);
        condition += condition.empty() ? "" : " AND ";
        condition += leader_.identity.empty() ? fmt::format("{}::text IS NOT DISTINCT FROM {}::text", name, value)
                                              : fmt::format("{} {} {}", name, columns_[column].follower->equals, value);
    }
    return condition.empty() ? "true" : condition + indexed_condition(statement);
}

/// Follows from the condition over the whole row, and gives the server an index for it: that of a SQLite key which allows NULL, and so
/// identifies nothing.
std::string PgTablePlan::indexed_condition(PgStatement& statement) const {
    if (!leader_.identity.empty()) return "";
    for (const UniqueKey& key : leader_.unique_keys) {
        if (!followed_by_unique_index(leader_, follower_, key)) continue;
        std::string condition;
        for (const std::uint16_t column : key.columns) {
            const std::string name = quote_identifier(columns_[column].follower->name);
            const std::string value = parameter(statement, column, PgParameter::Image::key);
            condition += fmt::format(" AND ({0} {2} {1} OR ({0} IS NULL AND {1} IS NULL))", name, value, columns_[column].follower->equals);
        }
        return condition;
    }
    return "";
}

/// The condition that picks exactly one row: of equal rows in a keyless table any one.
std::string PgTablePlan::locate(PgStatement& statement) const {
    if (!leader_.identity.empty()) return row_condition(statement);
    return fmt::format("ctid = (SELECT ctid FROM {} WHERE {} LIMIT 1)", target(), row_condition(statement));
}

/// Rows that stand in the way of the row after, by any of the leader's unique keys; empty when there can be none. `mask`: the columns that
/// an update writes; a key without any of them cannot come into conflict.
std::string PgTablePlan::conflict_condition(PgStatement& statement, const ColumnMask* mask) const {
    std::string condition;
    for (const UniqueKey& key : leader_.unique_keys) {
        if (mask != nullptr && std::none_of(key.columns.begin(), key.columns.end(), [&](std::uint16_t c) { return mask->test(c); }))
            continue;
        condition += fmt::format("{}({})", condition.empty() ? "" : " OR ", same_key(statement, key));
    }
    return condition;
}

/// Rows that are equal to the row after in `key`, as the leader compares.
std::string PgTablePlan::same_key(PgStatement& statement, const UniqueKey& key) const {
    const IndexSchema* index = index_of(leader_, key);
    std::string same;
    for (const std::uint16_t column : key.columns) {
        std::string name = quote_identifier(columns_[column].follower->name);
        std::string value = parameter(statement, column, PgParameter::Image::after);
        std::string_view equals = columns_[column].follower->equals;
        if (compares_specially(leader_, index, column) && is_text(*columns_[column].follower)) {
            name = pg_fold(leader_, index, column, name);
            value = pg_fold(leader_, index, column, value);
            equals = "=";
        }
        same += fmt::format("{}{} {} {}", same.empty() ? "" : " AND ", name, equals, value);
    }
    return same;
}

std::string_view PgTablePlan::collation_of(const UniqueKey& key, std::uint16_t column) const {
    return key_collation(leader_, index_of(leader_, key), column);
}

PgStatement& PgTablePlan::displace(std::size_t unique_key) {
    displaces_.resize(leader_.unique_keys.size());
    PgStatement& statement = displaces_.at(unique_key);
    if (statement.name.empty()) {
        statement.name = fmt::format("{}k{}", prefix_, unique_key);
        statement.sql =
            fmt::format("DELETE FROM {} WHERE {}", target(), same_key(statement, leader_.unique_keys[unique_key]));
    }
    return statement;
}

PgStatement PgTablePlan::make_insert() const {
    PgStatement statement;
    statement.name = prefix_ + "i";
    std::string names;
    std::string values;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!columns_[i].written) continue;
        names += (names.empty() ? "" : ", ") + quote_identifier(columns_[i].follower->name);
        values += (values.empty() ? "" : ", ") + parameter(statement, static_cast<std::uint16_t>(i), PgParameter::Image::after);
    }
    const std::string table = quote_table(follower_.name);
    if (names.empty()) {
        statement.sql = fmt::format("INSERT INTO {} DEFAULT VALUES", table);
        return statement;
    }
    const std::string target = fmt::format("INSERT INTO {} ({}){}", table, names, identity_column_ ? " OVERRIDING SYSTEM VALUE" : "");
    if (!replaces()) {
        statement.sql = fmt::format("{} VALUES ({})", target, values);
        return statement;
    }
    // One statement, so that it can travel in a pipeline: reading the count makes the removal happen before the insert, and a unique
    // index does not count rows that its own transaction has removed.
    statement.counts_replaced = true;
    statement.sql = fmt::format(
        "WITH rowferry_gone AS (DELETE FROM {} WHERE {} RETURNING 1), "
        "rowferry_n AS (SELECT count(*) AS rowferry_replaced FROM rowferry_gone) "
        "{} SELECT {} FROM rowferry_n RETURNING (SELECT rowferry_replaced FROM rowferry_n)",
        this->target(), conflict_condition(statement, nullptr), target, values);
    return statement;
}

PgStatement PgTablePlan::make_remove() const {
    PgStatement statement;
    statement.name = prefix_ + "d";
    statement.sql = fmt::format("DELETE FROM {} WHERE {}", target(), locate(statement));
    return statement;
}

PgStatement PgTablePlan::make_update(const ColumnMask& mask) const {
    PgStatement statement;
    std::string assignments;
    std::string conditions;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!mask.test(i)) continue;
        const auto column = static_cast<std::uint16_t>(i);
        const std::string name = quote_identifier(columns_[i].follower->name);
        const std::string value = parameter(statement, column, PgParameter::Image::after);
        // SET of a GENERATED ALWAYS identity column is refused by the server. A row that would need it is not found, and so reported.
        if (columns_[i].follower->identity_always)
            conditions += fmt::format(" AND {} = {}", name, value);
        else
            assignments += fmt::format("{}{} = {}", assignments.empty() ? "" : ", ", name, value);
    }
    const std::string table = target();
    const std::string where = locate(statement) + conditions;
    if (assignments.empty()) {
        // Nothing to write, but the row has to be there.
        statement.sql = fmt::format("SELECT 1 FROM {} WHERE {}", table, where);
        return statement;
    }
    if (const std::string conflict = replaces() ? conflict_condition(statement, &mask) : ""; !conflict.empty()) {
        statement.counts_replaced = true;
        statement.sql = fmt::format(
            "WITH rowferry_gone AS (DELETE FROM {} WHERE ({}) AND NOT ({}) RETURNING 1), "
            "rowferry_n AS (SELECT count(*) AS rowferry_replaced FROM rowferry_gone) "
            "UPDATE {} SET {} FROM rowferry_n WHERE {} RETURNING rowferry_replaced",
            table, conflict, locate(statement), table, assignments, where);
        return statement;
    }
    statement.sql = fmt::format("UPDATE {} SET {} WHERE {}", table, assignments, where);
    return statement;
}

PgStatement* PgTablePlan::counted(const PgStatement& statement) {
    if (statement.name.empty() || statement.counts_replaced) return nullptr;
    for (auto& [plain, known] : counted_)
        if (plain == &statement) return &known;
    return &counted_.emplace_back(&statement, rowferry::counted(statement)).second;
}

PgStatement& PgTablePlan::insert() { return insert_; }
PgStatement& PgTablePlan::remove() { return remove_; }

std::string PgTablePlan::target() const { return (follower_.partitioned ? "" : "ONLY ") + quote_table(follower_.name); }

bool PgTablePlan::changes_key(const Change& change) const {
    if (change.operation != Operation::update || change.before.empty()) return false;
    return std::any_of(leader_.identity.begin(), leader_.identity.end(), [&](std::uint16_t column) {
        return change.after[column].is_sent() && !same_cell(change.before[column], change.after[column]);
    });
}

PgStatement& PgTablePlan::update(const Change& change) {
    const bool key_changed = changes_key(change);
    // An index that is not written to keeps the row's new version on its page, so an unchanged key stays out of SET.
    mask_.reset(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i)
        if (change.after[i].is_sent() && columns_[i].written && (key_changed || !columns_[i].in_key)) mask_.set(i);
    if (key_changed)
        for (const std::uint16_t column : leader_.identity)
            if (columns_[column].follower->identity_always)
                throw ValueError{
                    fmt::format("the leader changed {}, which is GENERATED ALWAYS AS IDENTITY on the follower: "
                                "ALTER TABLE … ALTER COLUMN … SET GENERATED BY DEFAULT",
                                printable(columns_[column].follower->name, 80))};
    if (PgStatement* const known = updates_.find(mask_)) return *known;
    if (!updates_.full()) return updates_.add(mask_, make_update(mask_), prefix_ + "u");
    overflow_ = make_update(mask_);
    return overflow_;
}

std::string PgTablePlan::describe_key(const Change& change) const {
    if (leader_.identity.empty()) return "a row (the table has no key)";
    std::string text = "key ";
    for (const std::uint16_t column : leader_.identity) {
        const Cell& cell = key_cell(change, column);
        text += text.size() > 4 ? ", " : "";
        text += printable(leader_.columns[column].name, 80) + "=";
        switch (cell.kind()) {
            case CellKind::absent:
            case CellKind::unchanged: text += "(not sent)"; break;
            case CellKind::null: text += "NULL"; break;
            case CellKind::integer: text += std::to_string(cell.as_integer()); break;
            case CellKind::real: text += fmt::format("{}", cell.as_real()); break;
            case CellKind::text: text += printable(cell.bytes(), 80); break;
            case CellKind::blob: text += fmt::format("({} bytes)", cell.bytes().size()); break;
            case CellKind::binary: text += pg_binary::describe(leader_.columns[column].type_oid, cell.bytes()); break;
        }
    }
    return text;
}

}  // namespace rowferry
