#include "statements/postgresql/parameter_uses.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "statements/postgresql/sql_nodes.h"

namespace rowferry {
namespace {

using namespace sql_nodes;
using Place = ParameterUse::Place;

constexpr int kDeepestUse = 500;
constexpr std::array<std::string_view, 6> kComparingOperators{"=", "<>", "<", ">", "<=", ">="};

int parameter(const Json& node) { return node.is_object() && node.contains("ParamRef") ? operand(node).number : 0; }

/// The table whose columns an expression may name.
struct Scope {
    SqlName table;
    std::string alias;
    bool alone = false;  ///< No other one is there: a name without a qualifier is its column.
};

class Uses {
public:
    void statement(const std::string& kind, const Json& node) {
        if (kind == "InsertStmt") return insert(node);
        if (kind == "UpdateStmt") return update(node);
        if (kind == "DeleteStmt") return remove(node);
        anything(node);
    }
    std::vector<ParameterUse> take() { return std::move(uses_); }

private:
    void add(int number, Place place, const Scope& scope, std::string column, std::size_t index = 0) { uses_.push_back({number, place, scope.table, std::move(column), index}); }

    /// A place that determines nothing, but for casts in it.
    void anything(const Json& node) {
        if (++depth_ > kDeepestUse) throw StatementError{"it is nested too deeply"};
        if (const int number = parameter(node)) {
            uses_.push_back({number, Place::other, {}, {}, 0});
        } else if (node.is_object() && node.contains("TypeCast") && parameter(member(node["TypeCast"], "arg")) != 0) {
            cast(node["TypeCast"]);
        } else if (node.is_array() || node.is_object()) {
            for (const auto& item : node.items()) anything(item.value());
        }
        --depth_;
    }

    void cast(const Json& node) {
        const Json& type = member(node, "typeName");
        const Json& names = member(type, "names");
        // A schema of one's own may have a type of any name, an array and a length have rules of their own.
        const bool plain = member(type, "arrayBounds").empty() && member(type, "typmods").empty() && !flag(type, "setof") && (names.size() == 1 || (names.size() == 2 && name_of(names).schema == "pg_catalog"));
        uses_.push_back({parameter(member(node, "arg")), plain ? Place::cast : Place::other, {}, plain ? last_name(names) : "", 0});
    }

    /// The column of the scope's table that a node is; empty for anything else.
    static std::string column_of(const Json& node, const Scope& scope) {
        const Json& fields = member(member(node, "ColumnRef"), "fields");
        if (!fields.is_array() || fields.empty() || fields.size() > 2) return {};
        const std::string name = last_name(fields);
        if (name == "*") return {};
        if (fields.size() == 1) return scope.alone ? name : std::string{};
        return last_name(fields[0]) == scope.alias ? name : std::string{};
    }

    void condition(const Json& node, const Scope& scope) {
        if (node.is_object() && node.contains("BoolExpr")) {
            for (const Json& each : member(node["BoolExpr"], "args")) condition(each, scope);
            return;
        }
        const Json& expression = member(node, "A_Expr");
        if (!expression.is_object() || !comparison(expression, scope)) anything(node);
    }

    /// False where it is none.
    bool comparison(const Json& node, const Scope& scope) {
        const std::string kind = text(node, "kind");
        const std::string name = member(node, "name").size() == 1 ? last_name(member(node, "name")) : "";
        const Json& left = member(node, "lexpr");
        const Json& right = member(node, "rexpr");
        if (kind == "AEXPR_OP" && std::ranges::find(kComparingOperators, name) != kComparingOperators.end()) {
            if (const int number = parameter(right)) return compared(number, Place::compared, left, scope);
            if (const int number = parameter(left)) return compared(number, Place::compared, right, scope);
            return false;
        }
        if ((kind == "AEXPR_LIKE" || kind == "AEXPR_ILIKE") && parameter(right) != 0) return compared(parameter(right), Place::matched, left, scope);
        if (kind != "AEXPR_IN" && kind != "AEXPR_BETWEEN" && kind != "AEXPR_NOT_BETWEEN") return false;
        const Json& values = right.is_object() ? member(member(right, "List"), "items") : right;
        if (!values.is_array() || column_of(left, scope).empty()) return false;
        // Among constants and expressions the common type of all decides.
        if (!std::ranges::all_of(values, [](const Json& value) { return parameter(value) != 0; })) return false;
        for (const Json& value : values) compared(parameter(value), Place::compared, left, scope);
        return true;
    }

    bool compared(int number, Place place, const Json& with, const Scope& scope) {
        std::string column = column_of(with, scope);
        if (column.empty()) return false;
        add(number, place, scope, std::move(column));
        return true;
    }

    /// A column gets a value.
    void assigned(const Json& value, const Scope& scope, const std::string& column, std::size_t index, bool whole) {
        if (const int number = parameter(value); number != 0 && whole) return add(number, Place::assigned, scope, column, index);
        const Json& expression = member(value, "A_Expr");
        if (whole && !column.empty() && text(expression, "kind") == "AEXPR_OP" && member(expression, "name").size() == 1) {
            const std::string name = last_name(member(expression, "name"));
            const int number = parameter(member(expression, "rexpr"));
            if ((name == "+" || name == "-") && number != 0 && column_of(member(expression, "lexpr"), scope) == column) return add(number, Place::added, scope, column);
        }
        anything(value);
    }

    void assignments(const Json& list, const Scope& scope) {
        for (const Json& item : list) {
            const Json& target = member(item, "ResTarget");
            assigned(member(target, "val"), scope, text(target, "name"), 0, member(target, "indirection").empty());
        }
    }

    static Scope scope_of(const Json& range_var) {
        Scope scope{relation(range_var), text(range_var, "relname"), true};
        if (const std::string alias = text(member(range_var, "alias"), "aliasname"); !alias.empty()) scope.alias = alias;
        return scope;
    }

    /// A row of VALUES. No column can be named in it.
    void values(const Json& cells, const Json& columns, const Scope& scope) {
        static const Json kNone;
        std::size_t index = 0;
        for (const Json& cell : cells) {
            const Json& target = columns.is_array() && index < columns.size() ? member(columns[index], "ResTarget") : kNone;
            if (const int number = parameter(cell); number != 0 && member(target, "indirection").empty())
                add(number, Place::assigned, scope, text(target, "name"), index);
            else
                anything(cell);
            ++index;
        }
    }

    void insert(const Json& node) {
        const Scope scope = scope_of(member(node, "relation"));
        const Json& columns = member(node, "cols");
        const Json& source = member(member(node, "selectStmt"), "SelectStmt");
        // With one of these it is INSERT … SELECT, whose values have types of their own.
        const bool plain = std::ranges::none_of(std::array{"sortClause", "limitOffset", "limitCount", "lockingClause", "withClause"}, [&](const char* part) { return !member(source, part).empty(); });
        if (plain)
            for (const Json& row : member(source, "valuesLists")) values(member(member(row, "List"), "items"), columns, scope);
        else
            anything(source);
        if (member(source, "valuesLists").empty()) anything(source);
        // `excluded` has the same columns: names without a qualifier would not be understood.
        const Json& conflict = member(node, "onConflictClause");
        assignments(member(conflict, "targetList"), scope);
        condition(member(conflict, "whereClause"), scope);
        anything(member(conflict, "infer"));
        anything(member(node, "withClause"));
        anything(member(node, "returningList"));
    }

    void update(const Json& node) {
        Scope scope = scope_of(member(node, "relation"));
        scope.alone = member(node, "fromClause").empty();
        assignments(member(node, "targetList"), scope);
        condition(member(node, "whereClause"), scope);
        anything(member(node, "fromClause"));
        anything(member(node, "withClause"));
        anything(member(node, "returningList"));
    }

    void remove(const Json& node) {
        Scope scope = scope_of(member(node, "relation"));
        scope.alone = member(node, "usingClause").empty();
        condition(member(node, "whereClause"), scope);
        anything(member(node, "usingClause"));
        anything(member(node, "withClause"));
        anything(member(node, "returningList"));
    }

    std::vector<ParameterUse> uses_;
    int depth_ = 0;
};

}  // namespace

std::vector<ParameterUse> parameter_uses(const std::string& sql) {
    const Json tree = parse(sql);
    const Json& statements = member(tree, "stmts");
    if (!statements.is_array() || statements.size() != 1) throw StatementError{"it is not one statement"};
    const Json& statement = member(statements[0], "stmt");
    if (!statement.is_object() || statement.size() != 1) throw StatementError{"it is put together in an unknown way"};
    Uses uses;
    uses.statement(statement.begin().key(), statement.begin().value());
    return uses.take();
}

}  // namespace rowferry
