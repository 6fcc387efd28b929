#include "applier/postgresql/pg_shape_change.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_table_plan.h"
#include "applier/postgresql/pg_types.h"
#include "db/pg_error.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_alter.h"
#include "schemas/pg_plan.h"
#include "schemas/pg_type_ddl.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

using Kind = ShapeStep::Kind;

TableName pg_name_on_follower(const TableSchema& table) {
    return table.renamed_to ? *table.renamed_to : follower_table(table, Engine::postgresql);
}

std::string only(const PgTarget& target) { return target.partitioned ? "" : "ONLY "; }

}  // namespace

PgShapeChange::PgShapeChange(const ShapeChange& change, Context context)
    : change_{change}, context_{std::move(context)}, before_{*change.before}, name_{pg_name_on_follower(*change.before)} {}

void PgShapeChange::halt(const std::string& why) const {
    const std::string what = change_.after == nullptr ? "it was dropped" : describe_diff(diff_, before_, *change_.after);
    throw HaltError{fmt::format("{}: the leader changed the table{}{}. {}", context_.place, what.empty() ? "" : ": ", what, why)};
}

void PgShapeChange::read_target() {
    const TableName wanted = change_.after == nullptr ? name_ : pg_name_on_follower(*change_.after);
    auto found = read_targets(context_.run, {name_, wanted});
    target_.reset();
    for (const TableName& name : {name_, wanted})
        if (const auto table = found.find(name); table != found.end() && !target_) {
            name_ = name;
            target_ = std::move(table->second);
        }
}

std::optional<PgTarget> PgShapeChange::follow() {
    if (change_.after != nullptr) diff_ = diff_shapes(before_, *change_.after);
    const std::string obstacle = change_.obstacle.empty() ? diff_.obstacle : std::string{change_.obstacle};
    if (!obstacle.empty())
        halt(fmt::format("The stream cannot take the follower there ({}). Copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`", obstacle,
                         to_string(before_.name)));
    read_target();
    if (change_.after == nullptr) {
        drop_table();
        return std::nullopt;
    }
    if (!target_) halt(fmt::format("The follower has no table {}: make it, or drop the stream and copy again", to_string(pg_name_on_follower(*change_.after))));
    for (const ShapeStep& step : diff_.steps) take(step);
    stop_if_needed();
    read_target();
    const auto problems = check_target_columns(*change_.after, *target_);
    if (!problems.empty()) halt(fmt::format("The follower's table does not fit: {}", fmt::join(problems, "; ")));
    return std::move(target_);
}

void PgShapeChange::drop_table() {
    if (!target_) return;
    const std::string sql = "DROP TABLE " + quote_table(name_);
    if (context_.mode == DdlMode::apply)
        context_.run(sql);
    else
        needs({sql});
    stop_if_needed();
}

void PgShapeChange::stop_if_needed() const {
    if (to_run_.empty()) return;
    if (context_.touched && !only_adds_)
        halt("The same transaction has changed rows of the table in its old shape before, so the follower can only be changed in between: start once with --ddl apply");
    halt(fmt::format("Run on the follower and start again: {}; (or start with --ddl apply)", fmt::join(to_run_, "; ")));
}

void PgShapeChange::needs(std::vector<std::string> statements) {
    for (std::string& sql : statements)
        if (std::ranges::find(to_run_, sql) == to_run_.end()) to_run_.push_back(std::move(sql));
}

void PgShapeChange::take(const ShapeStep& step) {
    const bool apply = context_.mode == DdlMode::apply;
    if (is_optional(step.kind)) {
        if (apply) attempt(statements_for(step), describe_step(step, before_, *change_.after));
        return;
    }
    if (!is_done(step)) {
        const std::vector<std::string> statements = statements_for(step);
        only_adds_ = only_adds_ && (step.kind == Kind::add_column || step.kind == Kind::add_label || step.kind == Kind::drop_not_null);
        if (!apply) {
            needs(statements);
        } else {
            const PgRun& run = step.kind == Kind::add_label ? context_.control : context_.run;
            for (const std::string& sql : statements) run(sql);
        }
    }
    if (step.kind != Kind::rename_table) return;
    name_ = pg_name_on_follower(*change_.after);
    if (apply) read_target();
}

/// A default or a constraint that the follower does not take is not worth a stop.
void PgShapeChange::attempt(const std::vector<std::string>& statements, const std::string& what) {
    context_.run("SAVEPOINT rowferry_shape");
    try {
        for (const std::string& sql : statements) context_.run(sql);
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        context_.run("ROLLBACK TO SAVEPOINT rowferry_shape");
        spdlog::warn("{}: {}, which the follower does not take over: {}", context_.place, what, error.what());
    }
    context_.run("RELEASE SAVEPOINT rowferry_shape");
}

/// The follower's column of a step, by its name before or after.
const PgTargetColumn* PgShapeChange::target_column(const ShapeStep& step) const {
    if (step.kind != Kind::drop_column)
        if (const PgTargetColumn* column = target_->column(change_.after->columns[step.after].name)) return column;
    return step.kind == Kind::add_column ? nullptr : target_->column(before_.columns[step.before].name);
}

bool PgShapeChange::is_done(const ShapeStep& step) {
    const TableSchema& after = *change_.after;
    switch (step.kind) {
        case Kind::rename_table: return name_ == pg_name_on_follower(after);
        case Kind::drop_column: return target_->column(before_.columns[step.before].name) == nullptr || is_added_again(step);
        case Kind::rename_column: return target_->column(before_.columns[step.before].name) == nullptr && target_->column(after.columns[step.after].name) != nullptr;
        case Kind::add_column: {
            if (old_value(after, step.after).kind == OldValue::Kind::unknown)
                halt(fmt::format("What old rows have in column {} cannot be told. Copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`",
                                 printable(after.columns[step.after].name, 80), to_string(before_.name)));
            const PgTargetColumn* column = target_->column(after.columns[step.after].name);
            // In the way of the new one is the old one of the same name, as long as it has not been dropped.
            const bool replaced = std::ranges::any_of(diff_.steps, [&](const ShapeStep& other) {
                return other.kind == Kind::drop_column && before_.columns[other.before].name == after.columns[step.after].name;
            });
            if (column == nullptr) return false;
            if (replaced) return context_.mode == DdlMode::stop && has_old_values(step, *column);
            if (!has_old_values(step, *column))
                halt(fmt::format("The follower has the column {} already, but not with the value that old rows have on the leader: drop it there, and start again for "
                                 "the statements",
                                 printable(column->name, 80)));
            return true;
        }
        case Kind::change_type: {
            const PgTargetColumn* column = target_column(step);
            return column != nullptr && pg_type_holds(base_type_of(after.columns[step.after]), column->base_type) &&
                   (base_type_of(before_.columns[step.before]) != "real" || column->base_type == "double precision");
        }
        case Kind::drop_not_null: {
            const PgTargetColumn* column = target_column(step);
            return column != nullptr && !column->not_null;
        }
        case Kind::add_label:
        case Kind::rename_label: return label_is_done(step);
        case Kind::set_not_null:
        case Kind::set_default: return true;
    }
    throw std::logic_error{"shape step"};
}

/// Dropped and added again under its name by a person: then it holds what the new column holds in old rows.
bool PgShapeChange::is_added_again(const ShapeStep& step) {
    if (context_.mode == DdlMode::apply) return false;
    for (const ShapeStep& other : diff_.steps) {
        if (other.kind != Kind::add_column || change_.after->columns[other.after].name != before_.columns[step.before].name) continue;
        return has_old_values(other, *target_->column(before_.columns[step.before].name));
    }
    return false;
}

bool PgShapeChange::has_old_values(const ShapeStep& step, const PgTargetColumn& column) {
    const OldValue value = old_value(*change_.after, step.after);
    const std::string name = quote_identifier(column.name);
    // Some types have no equality: their text tells as much.
    const std::string differs = value.kind == OldValue::Kind::null
                                    ? fmt::format("{} IS NOT NULL", name)
                                    : fmt::format("({})::text IS DISTINCT FROM ({}::{})::text", name, quote_literal(value.text), column.type);
    if (!pg_type_holds(base_type_of(change_.after->columns[step.after]), column.base_type) && change_.after->engine == Engine::postgresql) return false;
    return !context_.run(fmt::format("SELECT EXISTS (SELECT 1 FROM {}{} WHERE {})", only(*target_), quote_table(target_->name), differs)).boolean(0, 0);
}

bool PgShapeChange::label_is_done(const ShapeStep& step) {
    const std::string type = fmt::format("pg_catalog.to_regtype({})", quote_literal(step.type));
    const auto has = [&](const std::string& label) {
        return context_.run(fmt::format("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = {} AND enumlabel = {})", type, quote_literal(label)))
            .boolean(0, 0);
    };
    // A follower may keep the values as text.
    if (!context_.run(fmt::format("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = {})", type)).boolean(0, 0)) return step.kind == Kind::add_label;
    return step.kind == Kind::add_label ? has(step.label) : !has(step.neighbour) && has(step.label);
}

std::string PgShapeChange::type_for(const ShapeStep& step) {
    if (!step.type.empty()) return step.type;
    if (step.kind != Kind::add_column && step.kind != Kind::change_type) return {};
    const std::string type = map_column(*change_.after, step.after, Engine::postgresql).type;
    if (own_domain(type)) return type;
    if (context_.run(fmt::format("SELECT pg_catalog.to_regtype({}) IS NULL", quote_literal(parse_pg_type(type).array ? type.substr(0, type.find('[')) : type.substr(0, type.find('('))))).boolean(0, 0))
        halt(fmt::format("The follower has no type {}: make it there as it is on the leader, and start again", printable(type, 100)));
    return type;
}

std::vector<std::string> PgShapeChange::statements_for(const ShapeStep& step) {
    if (step.kind == Kind::rename_label &&
        !context_.run(fmt::format("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype({}))", quote_literal(step.type))).boolean(0, 0))
        halt("The follower keeps the values of this enum as text: change them there, or copy the table again");
    const std::string type = type_for(step);
    std::vector<std::string> statements = own_domain_for(type);
    for (std::string& sql : pg_alter(step, *change_.after, before_, altered_table(step), type)) statements.push_back(std::move(sql));
    return statements;
}

/// Columns of a partition and inherited ones can be changed at the top only, where it is done for all of them at once; the others then find it done.
TableName PgShapeChange::altered_table(const ShapeStep& step) {
    const auto column = [&](const std::string& condition, const std::string& name, const char* of) {
        return fmt::format("EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {} AND a.attname = {} AND NOT a.attisdropped AND {})", of,
                           quote_literal(name), condition);
    };
    std::string from_above;
    switch (step.kind) {
        case Kind::add_column: from_above = "(SELECT c.relispartition FROM pg_catalog.pg_class c WHERE c.oid = up.oid)"; break;
        case Kind::drop_column:
        case Kind::rename_column: from_above = column("a.attinhcount > 0", before_.columns[step.before].name, "up.oid"); break;
        case Kind::change_type: from_above = column("a.attinhcount > 0", change_.after->columns[step.after].name, "up.oid"); break;
        case Kind::drop_not_null: from_above = column("a.attnotnull", change_.after->columns[step.after].name, "i.inhparent"); break;
        default: return name_;
    }
    const PgRows top = context_.run(fmt::format(
        "WITH RECURSIVE up(oid, height) AS (SELECT pg_catalog.to_regclass({})::oid, 0 UNION ALL "
        "SELECT i.inhparent, up.height + 1 FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid WHERE {}) "
        "SELECT n.nspname, c.relname FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "ORDER BY up.height DESC LIMIT 1",
        quote_literal(quote_table(name_)), from_above));
    return top.size() == 0 ? name_ : TableName{top.text(0, 0), top.text(0, 1)};
}

/// A SQLite leader's new column may be the first that needs a domain of ours.
std::vector<std::string> PgShapeChange::own_domain_for(const std::string& type) {
    const auto domain = own_domain(type);
    if (!domain || !context_.run(fmt::format("SELECT pg_catalog.to_regtype({}) IS NULL", quote_literal(type))).boolean(0, 0)) return {};
    return {pg_create_type(*domain)};
}

void PgShapeChange::store(const PgRun& run, const std::string& stream, const ShapeChange& change) {
    const TableName& old = change.before->name;
    const std::string row = fmt::format("stream = {} AND schema = {} AND name = {}", quote_literal(stream), quote_literal(old.schema), quote_literal(old.name));
    if (change.leader_after == nullptr) {
        run("DELETE FROM rowferry.table_state WHERE " + row);
        return;
    }
    const TableName& now = change.leader_after->name;
    run(fmt::format("UPDATE rowferry.table_state SET schema = {}, name = {}, shape = {} WHERE {}", quote_literal(now.schema), quote_literal(now.name),
                    quote_literal(to_json(*change.leader_after)), row));
}

}  // namespace rowferry
