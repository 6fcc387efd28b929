#include "applier/sqlite/sqlite_shape_change.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "applier/sqlite/sqlite_table_plan.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_alter.h"
#include "schemas/sqlite_alter.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

using Kind = ShapeStep::Kind;

std::string sqlite_name_on_follower(const TableSchema& table) {
    return table.renamed_to ? table.renamed_to->name : follower_table(table, Engine::sqlite).name;
}

bool contains(const std::vector<std::string>& list, const std::string& text) { return std::ranges::find(list, text) != list.end(); }

}  // namespace

SqliteShapeChange::SqliteShapeChange(SqliteDatabase& db, const ShapeChange& change, DdlMode mode, bool touched)
    : db_{db}, change_{change}, before_{*change.before}, mode_{mode}, touched_{touched}, name_{sqlite_name_on_follower(*change.before)} {}

void SqliteShapeChange::halt(const std::string& why) const {
    const std::string what = change_.after == nullptr ? "it was dropped" : describe_diff(diff_, before_, *change_.after);
    throw HaltError{fmt::format("the leader changed the table{}{}. {}", what.empty() ? "" : ": ", what, why)};
}

void SqliteShapeChange::offer_copy(const std::string& why) const {
    halt(fmt::format("The stream cannot take the follower there ({}). Copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`", why,
                     to_string(before_.name)));
}

void SqliteShapeChange::read_follower() {
    follower_ = read_follower_table(db_, name_);
    if (follower_ || change_.after == nullptr) return;
    follower_ = read_follower_table(db_, sqlite_name_on_follower(*change_.after));
    if (follower_) name_ = sqlite_name_on_follower(*change_.after);
}

std::optional<FollowerTable> SqliteShapeChange::follow() {
    if (change_.after != nullptr) diff_ = diff_shapes(before_, *change_.after);
    const std::string obstacle = change_.obstacle.empty() ? diff_.obstacle : std::string{change_.obstacle};
    if (!obstacle.empty()) offer_copy(obstacle);
    read_follower();
    if (change_.after == nullptr) {
        drop_table();
        return std::nullopt;
    }
    if (!follower_) halt(fmt::format("The follower has no table {}: make it, or drop the stream and copy again", printable(name_, 100)));
    for (const ShapeStep& step : diff_.steps) take(step);
    stop_if_needed();
    read_follower();
    check_follower_table(*change_.after, *follower_);
    return std::move(follower_);
}

void SqliteShapeChange::drop_table() {
    if (!follower_) return;
    const std::string sql = "DROP TABLE " + quote_table({"main", name_});
    if (mode_ == DdlMode::apply)
        db_.execute(sql);
    else
        to_run_.push_back(sql);
    stop_if_needed();
}

void SqliteShapeChange::stop_if_needed() const {
    if (to_run_.empty()) return;
    if (touched_ && !only_adds_)
        halt("The same transaction has changed rows of the table in its old shape before, so the follower can only be changed in between: start once with --ddl apply");
    halt(fmt::format("Run on the follower and start again: {}; (or start with --ddl apply)", fmt::join(to_run_, "; ")));
}

void SqliteShapeChange::take(const ShapeStep& step) {
    // SQLite changes neither defaults nor constraints of a column that is there.
    if (is_optional(step.kind)) return;
    if (step.kind == Kind::change_type) check_type(step);
    if (!is_done(step)) {
        if (step.kind == Kind::drop_not_null)
            offer_copy(fmt::format("SQLite cannot take NOT NULL from column {}", printable(change_.after->columns[step.after].name, 80)));
        std::string declared;
        if (step.kind == Kind::add_column) {
            declared = map_column(*change_.after, step.after, Engine::sqlite).type;
            declared = declared.substr(0, declared.find(" COLLATE "));
        }
        const std::string value = step.kind == Kind::add_column ? old_literal(step, declared) : "";
        std::vector<std::string> statements = sqlite_alter(step, *change_.after, before_, name_, value == "NULL" ? "" : value);
        if (step.kind == Kind::drop_column) drop_indexes(before_.columns[step.before].name);
        only_adds_ = only_adds_ && (step.kind == Kind::add_column || step.kind == Kind::add_label);
        for (std::string& sql : statements) {
            if (mode_ == DdlMode::apply)
                db_.execute(sql);
            else
                to_run_.push_back(std::move(sql));
        }
    }
    if (step.kind == Kind::rename_table) name_ = sqlite_name_on_follower(*change_.after);
}

/// On the leader they went with the column; SQLite keeps the column as long as one is left.
void SqliteShapeChange::drop_indexes(const std::string& column) {
    for (const FollowerIndex& index : follower_->indexes) {
        const bool over = std::ranges::any_of(index.parts, [&](const FollowerIndex::Part& part) { return sqlite_folded(part.column) == sqlite_folded(column); });
        if (!over || index.primary_key || index.name.empty() || index.name.starts_with("sqlite_autoindex_")) continue;
        const std::string sql = "DROP INDEX " + quote_table({"main", index.name});
        if (mode_ == DdlMode::apply) {
            spdlog::info("{}: the index {} goes with column {}", printable(name_, 100), printable(index.name, 100), printable(column, 80));
            db_.execute(sql);
        } else {
            to_run_.push_back(sql);
        }
    }
}

bool SqliteShapeChange::is_done(const ShapeStep& step) {
    switch (step.kind) {
        case Kind::rename_table: return name_ == sqlite_name_on_follower(*change_.after);
        case Kind::drop_column:
        case Kind::rename_column:
        case Kind::add_column:
        case Kind::drop_not_null: return column_is_done(step);
        case Kind::rename_label: return label_is_done(step);
        case Kind::change_type:
        case Kind::add_label:
        case Kind::set_not_null:
        case Kind::set_default: return true;
    }
    throw std::logic_error{"shape step"};
}

bool SqliteShapeChange::column_is_done(const ShapeStep& step) {
    const TableSchema& after = *change_.after;
    const auto old = [&] { return follower_->column(before_.columns[step.before].name); };
    const auto now = [&] { return follower_->column(after.columns[step.after].name); };
    if (step.kind == Kind::drop_column) return old() == nullptr || is_added_again(step);
    if (step.kind == Kind::rename_column) return now() != nullptr && now()->name == after.columns[step.after].name;
    if (step.kind == Kind::drop_not_null) {
        const FollowerColumn* column = now() != nullptr ? now() : old();
        return column != nullptr && !column->not_null;
    }
    if (now() == nullptr) return false;
    // In the way of the new one is the old one of the same name, as long as it has not been dropped.
    const bool replaced = std::ranges::any_of(diff_.steps, [&](const ShapeStep& other) {
        return other.kind == Kind::drop_column && sqlite_folded(before_.columns[other.before].name) == sqlite_folded(after.columns[step.after].name);
    });
    if (replaced) return mode_ == DdlMode::stop && has_old_values(step, *now());
    if (!has_old_values(step, *now()))
        halt(fmt::format("The follower has the column {} already, but not with the value that old rows have on the leader: drop it there, and start again for the "
                         "statements",
                         printable(now()->name, 80)));
    return true;
}

/// Dropped and added again under its name by a person: then it holds what the new column holds in old rows.
bool SqliteShapeChange::is_added_again(const ShapeStep& step) {
    if (mode_ == DdlMode::apply) return false;
    for (const ShapeStep& other : diff_.steps) {
        if (other.kind != Kind::add_column || change_.after->columns[other.after].name != before_.columns[step.before].name) continue;
        return has_old_values(other, *follower_->column(before_.columns[step.before].name));
    }
    return false;
}

std::string SqliteShapeChange::old_literal(const ShapeStep& step, const std::string& declared) {
    const OldValue value = old_value(*change_.after, step.after);
    if (value.kind == OldValue::Kind::null) return "NULL";
    if (value.kind == OldValue::Kind::unknown)
        offer_copy(fmt::format("what old rows have in column {} cannot be told", printable(change_.after->columns[step.after].name, 80)));
    if (change_.after->engine == Engine::sqlite) return change_.after->columns[step.after].default_expression;
    Arena arena;
    return sqlite_literal(convert(resolve_conversion(*change_.after, step.after, Engine::sqlite, declared), Cell::text(value.text), arena));
}

bool SqliteShapeChange::has_old_values(const ShapeStep& step, const FollowerColumn& column) {
    return db_.query_integer(fmt::format("SELECT EXISTS (SELECT 1 FROM {} WHERE {} IS NOT {})", quote_table({"main", follower_->name}),
                                         quote_identifier(column.name), old_literal(step, column.type))) == 0;
}

bool SqliteShapeChange::label_is_done(const ShapeStep& step) {
    for (std::uint16_t i = 0; i < before_.columns.size(); ++i) {
        const auto now = same_column(before_, i, *change_.after);
        if (!now || !contains(before_.columns[i].enum_labels, step.neighbour) || !contains(change_.after->columns[*now].enum_labels, step.label)) continue;
        const std::string& name = follower_->column(before_.columns[i].name) != nullptr ? before_.columns[i].name : change_.after->columns[*now].name;
        if (db_.query_integer(fmt::format("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = {})", quote_table({"main", follower_->name}), quote_identifier(name),
                                          quote_literal(step.neighbour))) != 0)
            return false;
    }
    return true;
}

/// Where SQLite keeps both types' values alike there is nothing to do.
void SqliteShapeChange::check_type(const ShapeStep& step) {
    const FollowerColumn* column = follower_->column(change_.after->columns[step.after].name);
    if (column == nullptr) column = follower_->column(before_.columns[step.before].name);
    if (column == nullptr) return;  // the check behind the last step tells
    try {
        const Conversion now = resolve_conversion(*change_.after, step.after, Engine::sqlite, column->type);
        const Conversion old = resolve_conversion(before_, step.before, Engine::sqlite, column->type);
        const bool wider_real = old.kind == Conversion::text_to_float4 && now.kind == Conversion::text_to_real;
        if (now.kind == old.kind || wider_real) return;
    } catch (const RefusedError& error) {
        offer_copy(error.what());
    }
    offer_copy(fmt::format("SQLite keeps the new type of column {} in another form", printable(column->name, 80)));
}

}  // namespace rowferry
