#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "schemas/holds.h"
#include "statements/postgresql/sql_walk.h"

namespace rowferry {
namespace {

using sql_nodes::Json;
using sql_nodes::last_name;
using sql_nodes::member;
using sql_nodes::operand;
using sql_nodes::relation;
using sql_nodes::text;

/// `name.column`, or `column`.
std::pair<std::string, std::string> qualified(const Json& node) {
    const Json& fields = member(member(node, "ColumnRef"), "fields");
    if (fields.empty()) return {};
    return {fields.size() > 1 ? last_name(fields[fields.size() - 2]) : "", last_name(fields)};
}

}  // namespace

/// The conditions that all have to hold: pins of the target's own columns, and columns of the others that are held equal to a constant or to the target's columns.
void SqlWalk::where(const Json& condition, SqlTarget& target, const std::vector<std::string>& own_names, const std::vector<std::string>& aliases) {
    if (condition.is_null()) return;
    target.only_pins = true;
    const bool alone = target.joined.empty() && !target.joins_others;
    std::vector<const Json*> conjuncts{&condition};
    for (std::size_t i = 0; i < conjuncts.size(); ++i) {
        const Json& part = *conjuncts[i];
        if (part.contains("BoolExpr") && text(part["BoolExpr"], "boolop") == "AND_EXPR") {
            for (const Json& each : member(part["BoolExpr"], "args")) conjuncts.push_back(&each);
            continue;
        }
        const Json& equal = member(part, "A_Expr");
        if (text(equal, "kind") != "AEXPR_OP" || member(equal, "name").size() != 1 || last_name(member(equal, "name")) != "=") {
            target.only_pins = false;
            continue;
        }
        bool pinned = false;
        for (const auto& [column_side, value_side] : {std::pair{"lexpr", "rexpr"}, std::pair{"rexpr", "lexpr"}}) {
            const auto [qualifier, column] = qualified(member(equal, column_side));
            if (column.empty()) continue;
            const SqlOperand value = operand(member(equal, value_side));
            const bool constant = value.kind == SqlOperand::Kind::number || value.kind == SqlOperand::Kind::string || value.kind == SqlOperand::Kind::parameter;
            const bool own = qualifier.empty() ? alone : holds(own_names, qualifier);
            if (own) {
                if (!constant || pinned) continue;
                target.pins.push_back({column, value});
                pinned = true;
                continue;
            }
            // Whose column it is, is only sure where it says so.
            const std::string other = qualified(member(equal, value_side)).first;
            const auto joined = std::ranges::find(aliases, qualifier);
            if (joined == aliases.end() || (!constant && !holds(own_names, other))) continue;
            target.join_columns.push_back(fmt::format("{}.{}", joined - aliases.begin(), column));
        }
        if (!pinned) target.only_pins = false;
    }
    if (target.pins.empty()) target.only_pins = false;
}

void SqlWalk::from_of_update(const Json& list, SqlTarget& target, std::vector<std::string>& aliases) {
    for (const Json& item : list) {
        if (item.contains("RangeVar") && !facts_.common.contains(text(item["RangeVar"], "relname"))) {
            target.joined.push_back(relation(item["RangeVar"]));
            const std::string alias = text(member(item["RangeVar"], "alias"), "aliasname");
            aliases.push_back(alias.empty() ? target.joined.back().name : alias);
        } else {
            target.joins_others = true;
        }
    }
}

void SqlWalk::rows_of(SqlTarget::Op op, const Json& node, SqlTarget& target) {
    if (op == SqlTarget::Op::insert) {
        for (const Json& column : member(node, "cols")) {
            target.columns.push_back(text(member(column, "ResTarget"), "name"));
            if (!member(member(column, "ResTarget"), "indirection").empty()) weakness("a part of a column");
        }
        const Json& source = member(member(node, "selectStmt"), "SelectStmt");
        const Json& values = member(source, "valuesLists");
        target.from_query = !source.is_null() && values.empty();
        for (const Json& row : values) {
            auto& cells = target.rows.emplace_back();
            for (const Json& cell : member(member(row, "List"), "items")) {
                cells.push_back(operand(cell));
                if (cells.back().kind == SqlOperand::Kind::other) target.outputs.push_back(use(SqlUse::Kind::assignment, cell, std::to_string(cells.size() - 1)));
            }
        }
        if (target.from_query) {
            const bool plain = text(source, "op").empty() || text(source, "op") == "SETOP_NONE";
            static const Json kNothing;
            for (const Json& output : plain ? member(source, "targetList") : kNothing) target.outputs.push_back(use(SqlUse::Kind::assignment, member(member(output, "ResTarget"), "val"), std::to_string(target.outputs.size())));
            // Which side's, only the server knows.
            if (!plain) target.outputs.push_back(use(SqlUse::Kind::assignment, source, "*"));
        }
        const std::string action = text(member(node, "onConflictClause"), "action");
        if (text(node, "override") == "OVERRIDING_USER_VALUE") weakness("OVERRIDING USER VALUE (the number that a sequence gave)");
        if (action == "ONCONFLICT_NOTHING") target.on_conflict = SqlTarget::OnConflict::nothing;
        if (action == "ONCONFLICT_UPDATE") target.on_conflict = SqlTarget::OnConflict::update;
    }
    const auto assigned = [&](const Json& list) {
        for (const Json& set : list) {
            const Json& one = member(set, "ResTarget");
            if (one.is_null()) continue;
            const Json& value = member(one, "val");
            if (operand(value).kind == SqlOperand::Kind::other) facts_.uses.push_back(use(SqlUse::Kind::assignment, value, text(one, "name")));
            if (op == SqlTarget::Op::update) continue;
            if (op == SqlTarget::Op::insert && value.dump().find("\"SetToDefault\"") != std::string::npos) weakness("DEFAULT in ON CONFLICT");
            target.sets.push_back({text(one, "name"), operand(value)});
        }
    };
    if (op == SqlTarget::Op::update) {
        auto& cells = target.rows.emplace_back();
        for (const Json& set : member(node, "targetList")) {
            target.columns.push_back(text(member(set, "ResTarget"), "name"));
            const Json* value = &member(member(set, "ResTarget"), "val");
            // (a, b) = (1, DEFAULT)
            if (const Json& part = member(*value, "MultiAssignRef"); !part.is_null()) {
                const Json& parts = member(member(member(part, "source"), "RowExpr"), "args");
                const auto place = part.value("colno", std::size_t{0});
                if (parts.is_array() && place >= 1 && place <= parts.size()) value = &parts[place - 1];
            }
            cells.push_back(operand(*value));
        }
        assigned(member(node, "targetList"));
    }
    if (const Json& conflict = member(node, "onConflictClause"); !conflict.is_null()) assigned(member(conflict, "targetList"));
    for (const Json& clause : member(node, "mergeWhenClauses")) {
        const Json& when = member(clause, "MergeWhenClause");
        const Json& list = member(when, "targetList");
        const Json& values = member(when, "values");
        if (values.empty()) {
            assigned(list);
            continue;
        }
        // INSERT without names: by place, which is not looked up here.
        for (std::size_t i = 0; i < values.size(); ++i) facts_.uses.push_back(use(SqlUse::Kind::assignment, values[i], i < list.size() ? text(member(list[i], "ResTarget"), "name") : "*"));
    }
}

void SqlWalk::target(SqlTarget::Op op, const Json& node) {
    walk(member(node, "withClause"));
    SqlTarget target;
    target.op = op;
    target.table = relation(member(node, "relation"));
    std::vector<std::string> own{target.table.name};
    if (const std::string alias = text(member(member(node, "relation"), "alias"), "aliasname"); !alias.empty()) own = {alias};
    std::vector<std::string> aliases;
    if (op == SqlTarget::Op::update) from_of_update(member(node, "fromClause"), target, aliases);
    if (op == SqlTarget::Op::remove) from_of_update(member(node, "usingClause"), target, aliases);
    where(member(node, "whereClause"), target, own, aliases);
    rows_of(op, node, target);
    facts_.targets.push_back(std::move(target));
    const auto only = std::exchange(only_, std::nullopt);
    for (const auto& [key, value] : node.items()) {
        if (key == "withClause" || key == "relation") continue;
        if (key == "returningList") {
            made(value, common_ == 0 ? facts_.shown : facts_.made);
            if (common_ == 0) facts_.gives = use(SqlUse::Kind::assignment, value);
        }
        const bool quiet = std::exchange(quiet_, quiet_ || (key == "returningList" && common_ == 0));
        walk(value);
        quiet_ = quiet;
    }
    only_ = only;
}

}  // namespace rowferry
