#include "schemas/shape_diff.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/ascii.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

using StepKind = ShapeStep::Kind;

/// `"public"."Mood"` → `Mood`: enough to suspect that two names mean one type.
std::string bare_name(std::string_view type) {
    std::string name{type.substr(type.find_last_of('.') + 1)};
    std::erase(name, '"');
    return name;
}

bool is_same(const TableSchema& table, const ColumnSchema& before, const ColumnSchema& after) {
    if (table.engine == Engine::postgresql && before.attribute != 0) return before.attribute == after.attribute;
    if (before.attribute != 0 && after.attribute != 0) return before.attribute == after.attribute;
    return table.engine == Engine::sqlite ? lower(before.name) == lower(after.name) : before.name == after.name;
}

class Differ {
public:
    Differ(const TableSchema& before, const TableSchema& after) : before_{before}, after_{after} {}

    ShapeDiff run() {
        compare_tables();
        compare_labels();
        if (before_.name != after_.name) result_.steps.push_back({StepKind::rename_table});
        drop_columns();
        rename_columns();
        for (std::uint16_t i = 0; i < before_.columns.size(); ++i)
            if (const auto now = same_column(before_, i, after_)) compare_columns(i, *now);
        add_columns();
        for (ShapeStep& step : later_) result_.steps.push_back(std::move(step));
        return std::move(result_);
    }

private:
    void obstacle(const std::string& why) {
        if (result_.obstacle.empty()) result_.obstacle = why;
    }
    void column_step(StepKind kind, std::uint16_t before, std::uint16_t after) { result_.steps.push_back({kind, before, after}); }

    void compare_tables();
    void compare_identity();
    void compare_labels();
    void compare_labels(const std::string& type, const std::vector<std::string>& before, const std::vector<std::string>& after);
    void drop_columns();
    void rename_columns();
    void compare_columns(std::uint16_t before, std::uint16_t after);
    void add_columns();

    const TableSchema& before_;
    const TableSchema& after_;
    ShapeDiff result_;
    std::vector<ShapeStep> later_;  // constraints and defaults: behind the columns they speak of
};

void Differ::compare_tables() {
    if (before_.strict != after_.strict || before_.without_rowid != after_.without_rowid) obstacle("the table became another kind of table (STRICT, WITHOUT ROWID)");
    if (before_.insert_only != after_.insert_only) obstacle("the table is published in another way");
    compare_identity();
}

/// What finds a row in updates and deletes has to stay.
void Differ::compare_identity() {
    if (before_.insert_only && after_.insert_only) return;
    ColumnIndexes kept;
    for (const std::uint16_t column : before_.identity)
        if (const auto now = same_column(before_, column, after_)) kept.push_back(*now);
    std::ranges::sort(kept);
    if (kept.size() != before_.identity.size() || kept != after_.identity) obstacle("other columns identify its rows now (primary key or replica identity)");
}

void Differ::compare_labels() {
    std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>> enums;
    for (const UserType& type : before_.types) {
        if (type.kind != UserType::Kind::enumeration) continue;
        const auto now = std::ranges::find_if(after_.types, [&](const UserType& t) { return t.kind == type.kind && t.name == type.name; });
        if (now != after_.types.end()) enums[quote_table(type.name)] = {type.labels, now->labels};
    }
    for (std::uint16_t i = 0; i < before_.columns.size(); ++i) {
        const auto now = same_column(before_, i, after_);
        const ColumnSchema& column = before_.columns[i];
        if (!now || column.enum_labels.empty() || after_.columns[*now].enum_labels.empty() || column.type_oid != after_.columns[*now].type_oid) continue;
        const bool listed = std::ranges::any_of(enums, [&](const auto& item) { return item.second.first == column.enum_labels; });
        if (!listed) enums[base_type_of(column)] = {column.enum_labels, after_.columns[*now].enum_labels};
    }
    for (const auto& [type, labels] : enums) compare_labels(type, labels.first, labels.second);
}

void Differ::compare_labels(const std::string& type, const std::vector<std::string>& before, const std::vector<std::string>& after) {
    if (before == after) return;
    const auto in = [](const std::vector<std::string>& list, const std::string& label) { return std::ranges::find(list, label) != list.end(); };
    if (before.size() == after.size()) {
        bool renamed = true;
        for (std::size_t i = 0; i < before.size(); ++i)
            renamed = renamed && (before[i] == after[i] || (!in(after, before[i]) && !in(before, after[i])));
        if (!renamed) return obstacle(fmt::format("the labels of {} are in another order", printable(type, 100)));
        for (const ColumnSchema& column : before_.columns)
            if (column.enum_labels.empty() && bare_name(parse_pg_type(base_type_of(column)).name) == bare_name(type))
                return obstacle(fmt::format("a label of {}, of which column {} is an array, was renamed", printable(type, 100), printable(column.name, 80)));
        for (std::size_t i = 0; i < before.size(); ++i)
            if (before[i] != after[i]) result_.steps.push_back({StepKind::rename_label, 0, 0, type, after[i], before[i]});
        return;
    }
    std::size_t known = 0;
    std::vector<ShapeStep> added;
    for (std::size_t i = 0; i < after.size(); ++i) {
        if (known < before.size() && before[known] == after[i]) {
            ++known;
            continue;
        }
        ShapeStep step{StepKind::add_label, 0, 0, type, after[i], i > 0 ? after[i - 1] : "", false};
        if (i == 0 && !before.empty()) step.neighbour = before.front();
        step.in_front = i == 0 && !before.empty();
        added.push_back(std::move(step));
    }
    if (known != before.size()) return obstacle(fmt::format("labels of {} were removed or put in another order", printable(type, 100)));
    for (ShapeStep& step : added) result_.steps.push_back(std::move(step));
}

void Differ::drop_columns() {
    for (std::uint16_t i = 0; i < before_.columns.size(); ++i)
        if (!same_column(before_, i, after_)) column_step(StepKind::drop_column, i, 0);
}

/// A name has to be free before another column can take it.
void Differ::rename_columns() {
    std::vector<std::pair<std::uint16_t, std::uint16_t>> left;
    for (std::uint16_t i = 0; i < before_.columns.size(); ++i)
        if (const auto now = same_column(before_, i, after_); now && before_.columns[i].name != after_.columns[*now].name) left.emplace_back(i, *now);
    while (!left.empty()) {
        const auto free = std::ranges::find_if(left, [&](const auto& rename) {
            return std::ranges::none_of(left, [&](const auto& other) { return before_.columns[other.first].name == after_.columns[rename.second].name; });
        });
        if (free == left.end()) return obstacle("columns exchanged their names");
        column_step(StepKind::rename_column, free->first, free->second);
        left.erase(free);
    }
}

void Differ::compare_columns(std::uint16_t before, std::uint16_t after) {
    const ColumnSchema& old = before_.columns[before];
    const ColumnSchema& now = after_.columns[after];
    const bool same_type = old.type_oid == now.type_oid && old.type_modifier == now.type_modifier && old.type == now.type && old.collation == now.collation;
    if (!same_type) {
        if (before_.engine == Engine::postgresql && old.type_oid == now.type_oid && old.type_modifier == now.type_modifier)
            obstacle(fmt::format("the type of column {} was renamed from {} to {}", printable(now.name, 80), printable(old.type, 80), printable(now.type, 80)));
        else if (before_.engine == Engine::sqlite || !is_widening(base_type_of(old), base_type_of(now)))
            obstacle(fmt::format("the type of column {} was changed from {} to {}, which gives old rows other values", printable(now.name, 80), printable(old.type, 80),
                                 printable(now.type, 80)));
        else
            column_step(StepKind::change_type, before, after);
    }
    if (old.not_null && !now.not_null) column_step(StepKind::drop_not_null, before, after);
    if (!old.not_null && now.not_null) later_.push_back({StepKind::set_not_null, before, after});
    if (old.default_expression != now.default_expression) later_.push_back({StepKind::set_default, before, after});
}

void Differ::add_columns() {
    std::uint16_t newest = 0;
    for (const ColumnSchema& column : before_.columns) newest = std::max(newest, column.attribute);
    for (std::uint16_t i = 0; i < after_.columns.size(); ++i) {
        const ColumnSchema& column = after_.columns[i];
        if (std::ranges::any_of(before_.columns, [&](const ColumnSchema& old) { return is_same(before_, old, column); })) continue;
        if (column.attribute != 0 && column.attribute < newest)
            obstacle(fmt::format("column {} was there before and was not replicated (a generated column?): its values are not known", printable(column.name, 80)));
        else
            column_step(StepKind::add_column, 0, i);
    }
}

int integer_rank(const std::string& name) {
    constexpr std::array<std::string_view, 3> kIntegers{"smallint", "integer", "bigint"};
    const auto found = std::ranges::find(kIntegers, name);
    return found == kIntegers.end() ? -1 : static_cast<int>(found - kIntegers.begin());
}

}  // namespace

std::optional<std::uint16_t> same_column(const TableSchema& before, std::uint16_t column, const TableSchema& after) {
    for (std::uint16_t i = 0; i < after.columns.size(); ++i)
        if (is_same(before, before.columns[column], after.columns[i])) return i;
    return std::nullopt;
}

bool is_widening(const std::string& from, const std::string& to) {
    if (from == to) return true;
    const PgTypeName old = parse_pg_type(from);
    const PgTypeName now = parse_pg_type(to);
    if (old.array != now.array || old.schema != now.schema) return false;
    const int rank = integer_rank(old.name);
    if (rank >= 0 && integer_rank(now.name) >= 0) return rank <= integer_rank(now.name);
    if (rank >= 0 && now.name == "numeric" && now.modifiers.empty()) return true;
    if (old.name == "real" && now.name == "double precision") return true;
    const bool varying = old.name == "character varying" || old.name == "text";
    if (varying && (now.name == "text" || (now.name == "character varying" && now.modifiers.empty()))) return true;
    if (old.name != now.name || old.modifiers.empty()) return false;
    if (old.name == "character" || old.name == "bit") return false;  // padded to their length
    if (now.modifiers.empty()) return true;
    if (old.name == "numeric")
        return old.modifiers.size() == 2 && now.modifiers.size() == 2 && old.modifiers[1] == now.modifiers[1] && old.modifiers[0] <= now.modifiers[0];
    const bool limited = old.name == "character varying" || old.name == "bit varying" || old.name.starts_with("time");
    return limited && old.modifiers[0] <= now.modifiers[0];
}

bool is_optional(StepKind kind) { return kind == StepKind::set_not_null || kind == StepKind::set_default; }

bool ShapeDiff::needs_work() const {
    return std::ranges::any_of(steps, [](const ShapeStep& step) { return !is_optional(step.kind); });
}

ShapeDiff diff_shapes(const TableSchema& before, const TableSchema& after) { return Differ{before, after}.run(); }

std::string describe_step(const ShapeStep& step, const TableSchema& before, const TableSchema& after) {
    const auto old = [&] { return printable(before.columns.at(step.before).name, 80); };
    const auto now = [&] { return printable(after.columns.at(step.after).name, 80); };
    switch (step.kind) {
        case StepKind::rename_table: return fmt::format("it was renamed to {}", to_string(after.name));
        case StepKind::drop_column: return fmt::format("column {} was dropped", old());
        case StepKind::rename_column: return fmt::format("column {} was renamed to {}", old(), now());
        case StepKind::add_column: {
            const ColumnSchema& column = after.columns.at(step.after);
            return fmt::format("column {} {} was added{}", now(), printable(column.type, 80), column.missing_value ? ", with a value for old rows" : "");
        }
        case StepKind::change_type:
            return fmt::format("the type of column {} was changed from {} to {}", now(), printable(before.columns.at(step.before).type, 80),
                               printable(after.columns.at(step.after).type, 80));
        case StepKind::drop_not_null: return fmt::format("column {} may be NULL", now());
        case StepKind::set_not_null: return fmt::format("column {} may not be NULL any more", now());
        case StepKind::set_default: return fmt::format("the default of column {} was changed", now());
        case StepKind::add_label: return fmt::format("type {} got the label {}", printable(step.type, 100), printable(step.label, 80));
        case StepKind::rename_label: return fmt::format("the label {} of type {} was renamed to {}", printable(step.neighbour, 80), printable(step.type, 100), printable(step.label, 80));
    }
    throw std::logic_error{"shape step"};
}

std::string describe_diff(const ShapeDiff& diff, const TableSchema& before, const TableSchema& after) {
    std::string text;
    for (const ShapeStep& step : diff.steps) text += (text.empty() ? "" : ", ") + describe_step(step, before, after);
    if (!diff.obstacle.empty()) text += (text.empty() ? "" : ", ") + diff.obstacle;
    return text;
}

}  // namespace rowferry
