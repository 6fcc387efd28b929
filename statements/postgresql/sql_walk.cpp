#include "statements/postgresql/sql_walk.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "schemas/holds.h"

namespace rowferry {
namespace {

using sql_nodes::flag;
using sql_nodes::Json;
using sql_nodes::last_name;
using sql_nodes::member;
using sql_nodes::name_of;
using sql_nodes::operand;
using sql_nodes::relation;
using sql_nodes::text;
using sql_nodes::type_of;

// The walk is a recursion, as the parser's own writer is.
constexpr int kDeepestStatement = 900;

constexpr std::array kRowColumns{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "tg_relid"};
constexpr std::array kSumming{"sum", "avg", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept",
                           "regr_r2", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy"};
constexpr std::array kComparisons{"=", "<>", "!=", "<", ">", "<=", ">="};
// What expressions, queries and changing statements are made of, as far as it is known to give the same again. What later versions of PostgreSQL add is not among it.
constexpr std::array kKnownNodes{
    "A_Const", "A_Expr", "A_Star", "A_Indices", "A_Indirection", "A_ArrayExpr", "Alias", "BitString", "Boolean", "BooleanTest", "BoolExpr", "CaseExpr", "CaseWhen", "CoalesceExpr", "CollateClause",
    "ColumnRef", "CommonTableExpr", "CTECycleClause", "CTESearchClause", "CurrentOfExpr", "DeleteStmt", "Float", "FuncCall", "GroupingFunc", "GroupingSet", "IndexElem", "InferClause", "InsertStmt",
    "Integer", "JoinExpr", "List", "LockingClause", "MergeStmt", "MergeWhenClause", "MinMaxExpr", "MultiAssignRef", "NamedArgExpr", "NullTest", "OnConflictClause", "ParamRef", "PLAssignStmt", "RangeFunction",
    "RangeSubselect", "RangeTableSample", "RangeVar", "ResTarget", "RowExpr", "SelectStmt", "SetToDefault", "SortBy", "SQLValueFunction", "String", "SubLink", "TypeCast", "TypeName", "UpdateStmt",
    "WindowDef", "WithClause"};

bool is_value(const Json& node) {
    if (node.contains("TypeCast")) return is_value(member(node["TypeCast"], "arg"));
    return node.contains("A_Const") || node.contains("ParamRef");
}

/// `a.b.c`: c; nothing where it is no plain column.
std::string column_of(const Json& node) {
    if (node.contains("CollateClause")) return column_of(member(node["CollateClause"], "arg"));
    const Json& reference = member(node, "ColumnRef");
    return reference.is_null() ? std::string{} : last_name(member(reference, "fields"));
}

/// Where it is a key that counts: not by another collation than its own, under which different values may be equal.
std::string key_column_of(const Json& node) {
    if (!node.contains("CollateClause")) return column_of(node);
    const std::string collation = last_name(member(node["CollateClause"], "collname"));
    return collation == "C" || collation == "POSIX" ? column_of(node) : std::string{};
}

bool compares_something(const Json& expression) {
    const std::string form = text(expression, "kind");
    const bool ordering = form == "AEXPR_BETWEEN" || form == "AEXPR_NOT_BETWEEN" || form == "AEXPR_BETWEEN_SYM" || form == "AEXPR_NOT_BETWEEN_SYM" || form == "AEXPR_IN" || form == "AEXPR_DISTINCT" ||
                          form == "AEXPR_NOT_DISTINCT" || form == "AEXPR_OP_ANY" || form == "AEXPR_OP_ALL";
    return ordering || (form != "AEXPR_NULLIF" && holds(kComparisons, last_name(member(expression, "name"))));
}

/// What an expression's value is made of; not what it only depends on.
void gather(const Json& node, SqlUse& use, int depth) {
    if (depth > kDeepestStatement) throw StatementError{"it is nested too deeply"};
    if (node.is_array()) {
        for (const Json& item : node) gather(item, use, depth + 1);
        return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
        if (key == "ColumnRef") {
            const std::string name = last_name(member(value, "fields"));
            if (!holds(use.columns, name)) use.columns.push_back(name);
            continue;
        }
        // Truth values, which are looked at by themselves.
        if (key == "BoolExpr" || key == "NullTest" || key == "BooleanTest" || (key == "A_Expr" && compares_something(value))) continue;
        if (key == "CaseWhen") {
            gather(member(value, "result"), use, depth + 1);
            continue;
        }
        if (key == "SelectStmt" || key == "larg" || key == "rarg") {
            for (const char* part : {"targetList", "valuesLists"}) gather(member(value, part), use, depth + 1);
            for (const char* side : {"larg", "rarg"})
                if (const Json& one = member(value, side); one.is_object()) gather(Json{{"SelectStmt", one}}, use, depth + 1);
            continue;
        }
        if (key == "ParamRef") use.columns.push_back(fmt::format("${}", operand(Json{{key, value}}).number));
        if (key == "TypeCast") {
            use.types.push_back(type_of(member(value, "typeName")));
            // Of '…'::date the text is not what counts.
            if (is_value(member(value, "arg"))) continue;
        }
        if (key == "FuncCall") {
            use.calls.push_back(last_name(member(value, "funcname")));
            gather(member(value, "args"), use, depth + 1);
            continue;
        }
        gather(value, use, depth + 1);
    }
}

/// What PostgreSQL calls a value that has no name of its own; nothing where no column could be called that.
std::string made_name(const Json& value) {
    if (value.contains("ColumnRef")) return column_of(value);
    if (value.contains("CollateClause")) return made_name(member(value["CollateClause"], "arg"));
    if (value.contains("TypeCast")) {
        const std::string name = made_name(member(value["TypeCast"], "arg"));
        return name.empty() ? type_of(member(value["TypeCast"], "typeName")).name.name : name;
    }
    if (value.contains("FuncCall")) return last_name(member(value["FuncCall"], "funcname"));
    if (value.contains("A_Indirection")) {
        const Json& parts = member(value["A_Indirection"], "indirection");
        for (auto part = parts.rbegin(); part != parts.rend(); ++part)
            if (part->contains("String")) return last_name(*part);
        return made_name(member(value["A_Indirection"], "arg"));
    }
    if (value.contains("CaseExpr")) {
        const std::string name = made_name(member(value["CaseExpr"], "defresult"));
        return name.empty() ? "case" : name;
    }
    if (value.contains("SubLink")) {
        const std::string kind = text(value["SubLink"], "subLinkType");
        if (kind == "EXISTS_SUBLINK") return "exists";
        if (kind == "ARRAY_SUBLINK") return "array";
        const Json* select = &member(member(value["SubLink"], "subselect"), "SelectStmt");
        while (member(*select, "larg").is_object()) select = &member(*select, "larg");
        const Json& outputs = member(*select, "targetList");
        if (outputs.empty()) return {};
        const std::string name = text(member(outputs[0], "ResTarget"), "name");
        return name.empty() ? made_name(member(member(outputs[0], "ResTarget"), "val")) : name;
    }
    constexpr std::array<std::pair<const char*, const char*>, 6> kNames{
        {{"A_ArrayExpr", "array"}, {"RowExpr", "row"}, {"CoalesceExpr", "coalesce"}, {"GroupingFunc", "grouping"}, {"XmlSerialize", "xmlserialize"}, {"BooleanTest", ""}}};
    for (const auto& [kind, name] : kNames)
        if (value.contains(kind)) return name;
    if (value.contains("MinMaxExpr")) return text(value["MinMaxExpr"], "op") == "IS_LEAST" ? "least" : "greatest";
    return text(member(value, "A_Expr"), "kind") == "AEXPR_NULLIF" ? "nullif" : "";
}

/// Nothing but aggregates over all rows: one row.
bool is_one_row(const Json& select) {
    constexpr std::array kOne{"count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every"};
    const Json& outputs = member(select, "targetList");
    return member(select, "groupClause").empty() && !outputs.empty() && std::ranges::all_of(outputs, [&](const Json& output) {
        const Json* value = &member(member(output, "ResTarget"), "val");
        if (value->contains("CoalesceExpr")) value = &member((*value)["CoalesceExpr"], "args")[0];
        const Json& call = member(*value, "FuncCall");
        return !call.is_null() && member(call, "over").is_null() && holds(kOne, last_name(member(call, "funcname")));
    });
}

}  // namespace

SqlUse SqlWalk::use(SqlUse::Kind kind, const Json& node, std::string name) const {
    SqlUse use;
    use.kind = kind;
    use.name = std::move(name);
    gather(node, use, 0);
    return use;
}

/// Names of a SELECT or RETURNING that are given to what is no column of that name.
void SqlWalk::made(const Json& outputs, std::set<std::string>& names) {
    for (const Json& output : outputs) {
        const Json& target = member(output, "ResTarget");
        const Json& value = member(target, "val");
        const std::string named = text(target, "name");
        const std::string name = named.empty() ? made_name(value) : named;
        if (!name.empty() && !(value.contains("ColumnRef") && column_of(value) == name)) names.insert(name);
    }
}

/// WITH x (a, b), FROM … AS x (a, b), FROM f() AS a.
void SqlWalk::aliases(const std::string& kind, const Json& node) {
    const auto add = [&](const Json& names) {
        for (const Json& name : names) facts_.made.insert(last_name(name));
    };
    if (kind == "CommonTableExpr") add(member(node, "aliascolnames"));
    if (const Json& alias = member(node, "alias"); alias.is_object()) add(member(alias, "colnames"));
    if (kind != "RangeFunction") return;
    const Json& alias = member(node, "alias");
    facts_.made.insert(text(alias, "aliasname"));
    for (const Json& column : member(node, "coldeflist")) facts_.made.insert(text(member(column, "ColumnDef"), "colname"));
    if (flag(node, "ordinality")) facts_.made.insert("ordinality");
    for (const Json& item : member(node, "functions"))
        for (const Json& part : member(member(item, "List"), "items")) {
            if (part.contains("ColumnDef")) facts_.made.insert(text(part["ColumnDef"], "colname"));
            const Json& function = member(part, "FuncCall");
            if (function.is_null()) continue;
            const SqlName name = name_of(member(function, "funcname"));
            facts_.made.insert(name.name);
            facts_.row_functions.emplace_back(name, member(function, "args").size());
        }
}

void SqlWalk::weakness(std::string what) {
    if (!quiet_ && !holds(facts_.weaknesses, what)) facts_.weaknesses.push_back(std::move(what));
}

void SqlWalk::children(const Json& node, std::string_view but) {
    if (node.is_array()) {
        for (const Json& item : node) walk(item);
    } else if (node.is_object()) {
        for (const auto& [key, value] : node.items())
            if (key != but) walk(value);
    }
}

/// Nodes are wrapped in an object with their kind as its only key, which begins with a capital letter; everything else is passed through.
void SqlWalk::walk(const Json& node) {
    if (++depth_ > kDeepestStatement) throw StatementError{"it is nested too deeply"};
    if (node.is_object() && node.size() == 1 && std::isupper(static_cast<unsigned char>(node.begin().key().front())) != 0)
        visit(node.begin().key(), node.begin().value());
    else
        children(node);
    --depth_;
}

void SqlWalk::visit(const std::string& kind, const Json& node) {
    if (kind == "InsertStmt") return target(SqlTarget::Op::insert, node);
    if (kind == "UpdateStmt") return target(SqlTarget::Op::update, node);
    if (kind == "DeleteStmt") return target(SqlTarget::Op::remove, node);
    if (kind == "MergeStmt") return target(SqlTarget::Op::merge, node);
    if (kind == "SelectStmt") return select(node);
    if (kind == "A_Const" || kind == "ParamRef") return literal(kind, node);
    if (kind == "TypeCast") return cast(node);
    if (kind == "A_Expr") return operation(node);
    if (!strict_ && definition(kind, node)) return;
    aliases(kind, node);
    // What constants in here are compared with is another thing.
    const std::string column = kind == "List" || kind == "A_ArrayExpr" ? column_ : std::exchange(column_, "");
    const auto casts = kind == "A_ArrayExpr" ? casts_ : std::exchange(casts_, {});
    if (kind == "FuncCall") {
        call(node);
    } else if (kind == "RangeVar") {
        facts_.reads.push_back(relation(node));
    } else if (kind == "CommonTableExpr") {
        facts_.common.insert(text(node, "ctename"));
        ++common_;
        children(node);
        --common_;
    } else {
        if (strict_ && !holds(kKnownNodes, kind)) weakness(kind);
        if (kind == "RangeTableSample") weakness("a sample of a table (TABLESAMPLE)");
        if (kind == "CurrentOfExpr") weakness("the place of a cursor (WHERE CURRENT OF)");
        // Its names end with it.
        if (kind == "SubLink") sublink_ = &member(member(node, "subselect"), "SelectStmt");
        if (kind == "SubLink" && text(node, "subLinkType") == "ARRAY_SUBLINK") weakness("ARRAY(SELECT …), whose order only the server knows");
        if (kind == "SubLink" && text(node, "subLinkType") == "ANY_SUBLINK" && !quiet_) facts_.uses.push_back(use(SqlUse::Kind::comparison, node));
        if (kind == "ColumnRef") {
            const std::string name = last_name(member(node, "fields"));
            if (holds(kRowColumns, name)) weakness("where and by whom a row was written (" + name + ")");
            if (!quiet_) facts_.columns.insert(name);
        }
        if (kind == "SQLValueFunction" && !quiet_) {
            std::string op = text(node, "op");
            op.erase(0, op.starts_with("SVFOP_") ? 6 : 0);
            const bool clock = op.starts_with("CURRENT_DATE") || op.starts_with("CURRENT_TIME") || op.starts_with("LOCALTIME");
            (clock ? facts_.clock : facts_.identity).push_back(op.ends_with("_N") ? op.substr(0, op.size() - 2) : op);
        }
        children(node);
    }
    column_ = column;
    casts_ = casts;
}

void SqlWalk::literal(const std::string& kind, const Json& node) {
    if (quiet_) return;
    SqlOperand value = operand(Json{{kind, node}});
    if (value.kind == SqlOperand::Kind::null) return;
    facts_.literals.push_back({std::move(value), column_, compared_, casts_});
}

void SqlWalk::cast(const Json& node) {
    const Json& arg = member(node, "arg");
    const SqlType type = type_of(member(node, "typeName"));
    const bool value = is_value(arg);
    // 'a'::text::date is read twice.
    const auto casts = value ? casts_ : std::exchange(casts_, {});
    if (value) {
        casts_.push_back(type);
    } else if (!quiet_) {
        SqlUse made = use(SqlUse::Kind::cast, arg);
        made.type = type;
        facts_.uses.push_back(std::move(made));
        if (arg.contains("A_ArrayExpr")) casts_.push_back(type);
    }
    const std::string column = std::exchange(column_, "");
    walk(arg);
    column_ = column;
    casts_ = casts;
}

void SqlWalk::operation(const Json& node) {
    const std::string name = last_name(member(node, "name"));
    const bool compares = compares_something(node) || text(node, "kind") == "AEXPR_NULLIF";
    facts_.operators.insert(name);
    if (name == "=" && text(node, "kind") == "AEXPR_OP" && (operand(member(node, "lexpr")).kind == SqlOperand::Kind::null || operand(member(node, "rexpr")).kind == SqlOperand::Kind::null))
        weakness("= NULL (transform_null_equals)");
    const Json& left = member(node, "lexpr");
    const Json& right = member(node, "rexpr");
    if (!quiet_) {
        SqlUse made = use(compares ? SqlUse::Kind::comparison : SqlUse::Kind::operation, left, name);
        gather(right, made, 0);
        facts_.uses.push_back(std::move(made));
    }
    const std::string column = std::exchange(column_, "");
    const bool compared = std::exchange(compared_, compares);
    const auto casts = std::exchange(casts_, {});
    for (const auto& [side, other] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
        column_ = column_of(*other);
        walk(*side);
    }
    column_ = column;
    compared_ = compared;
    casts_ = casts;
}

void SqlWalk::call(const Json& node) {
    const Json& arguments = member(node, "args");
    SqlCall call;
    call.name = name_of(member(node, "funcname"));
    call.arguments = arguments.size();
    for (const Json& argument : arguments) {
        call.constants.push_back(operand(argument));
        call.plain_arguments = call.plain_arguments && (is_value(argument) || argument.contains("ColumnRef"));
    }
    if (!member(node, "over").is_null()) weakness("a window function");
    if (flag(node, "agg_within_group")) weakness(call.name.name + "() WITHIN GROUP");
    for (const Json& sort : member(node, "agg_order")) {
        const Json& by = member(sort, "SortBy");
        if (const std::string column = key_column_of(member(by, "node")); !column.empty() && member(by, "useOp").empty()) call.order.columns.push_back(column);
    }
    call.order.table = only_;
    call.distinct = flag(node, "agg_distinct");
    if (!member(node, "agg_filter").is_null()) call.plain_arguments = call.plain_arguments && !call.order.columns.empty();
    const bool own = call.name.schema.empty() || call.name.schema == "pg_catalog";
    if (own && holds(kSumming, call.name.name)) facts_.sums = true;
    call.use = use(SqlUse::Kind::call, arguments, call.name.name);
    call.used = !quiet_;
    facts_.calls.push_back(std::move(call));
    children(node, "funcname");
}

void SqlWalk::order_of(const Json& select, SqlOrder& order) const {
    order.table = only_;
    order.pinned = (member(select, "fromClause").empty() && member(select, "valuesLists").empty()) || is_one_row(select);
    std::vector<const Json*> conjuncts{&member(select, "whereClause")};
    for (std::size_t i = 0; i < conjuncts.size(); ++i) {
        const Json& part = *conjuncts[i];
        if (part.contains("BoolExpr") && text(part["BoolExpr"], "boolop") == "AND_EXPR")
            for (const Json& each : member(part["BoolExpr"], "args")) conjuncts.push_back(&each);
        const Json& equal = member(part, "A_Expr");
        if (text(equal, "kind") != "AEXPR_OP" || member(equal, "name").size() != 1 || last_name(member(equal, "name")) != "=") continue;
        for (const auto& [one, other] : {std::pair{"lexpr", "rexpr"}, std::pair{"rexpr", "lexpr"}}) {
            const Json& value = member(equal, other);
            if (value.contains("CollateClause") || member(equal, one).contains("CollateClause")) continue;
            const std::string column = column_of(member(equal, one));
            if (column.empty() || (!is_value(value) && column_of(value).empty())) continue;
            const Json& fields = member(member(value, "ColumnRef"), "fields");
            const std::string qualifier = fields.size() > 1 ? last_name(fields[fields.size() - 2]) + "." : "";
            order.equals.emplace_back(column, is_value(value) ? "" : qualifier + column_of(value));
        }
    }
    for (const Json& sort : member(select, "sortClause")) {
        const Json& by = member(sort, "SortBy");
        const std::string column = key_column_of(member(by, "node"));
        if (column.empty() || !member(by, "useOp").empty()) continue;
        // A name that the SELECT gives to something else comes first.
        const bool other = std::ranges::any_of(member(select, "targetList"), [&](const Json& output) {
            const Json& target = member(output, "ResTarget");
            return text(target, "name") == column && column_of(member(target, "val")) != column;
        });
        if (!other) order.columns.push_back(column);
    }
}

void SqlWalk::select(const Json& node) {
    const bool own = &node == own_;
    const bool ends = &node == sublink_;
    if (own) {
        made(member(node, "targetList"), facts_.shown);
        gather(member(node, "targetList"), facts_.gives, 0);
    } else if (!ends) {
        made(member(node, "targetList"), facts_.made);
        const Json& rows = member(node, "valuesLists");
        for (std::size_t i = 1; !rows.empty() && i <= member(member(rows[0], "List"), "items").size(); ++i) facts_.made.insert(fmt::format("column{}", i));
    }
    const auto only = std::exchange(only_, std::nullopt);
    const std::string column = std::exchange(column_, "");
    const auto casts = std::exchange(casts_, {});
    const bool quiet = quiet_;
    const Json& from = member(node, "fromClause");
    if (from.is_array() && from.size() == 1 && from[0].contains("RangeVar")) only_ = relation(from[0]["RangeVar"]);
    const Json& distinct = member(node, "distinctClause");
    const bool combines = text(node, "op") != "SETOP_NONE" && !text(node, "op").empty();
    if (combines) only_.reset();
    if (distinct.is_array() && !distinct.empty()) {
        if (!distinct[0].empty()) weakness("DISTINCT ON");
        if (!quiet) facts_.uses.push_back(use(SqlUse::Kind::grouping, member(node, "targetList")));
    }
    if (combines && (!flag(node, "all") || text(node, "op") != "SETOP_UNION") && !quiet) {
        SqlUse both = use(SqlUse::Kind::grouping, member(node, "larg"));
        gather(member(node, "rarg"), both, 0);
        facts_.uses.push_back(std::move(both));
    }
    if (const Json& groups = member(node, "groupClause"); !groups.empty() && !quiet) {
        SqlUse grouped = use(SqlUse::Kind::grouping, groups);
        // GROUP BY 1, and by what a name of the SELECT's own stands for.
        const bool plain = std::ranges::all_of(groups, [](const Json& group) { return group.contains("ColumnRef"); });
        if (!plain) gather(member(node, "targetList"), grouped, 0);
        facts_.uses.push_back(std::move(grouped));
    }
    SqlOrder order;
    order_of(node, order);
    if (combines) order.pinned = false;
    if (!member(node, "limitCount").is_null() || !member(node, "limitOffset").is_null()) facts_.limits.push_back(order);
    for (const Json& lock : member(node, "lockingClause"))
        if (text(member(lock, "LockingClause"), "waitPolicy") == "LockWaitSkip") weakness("SKIP LOCKED");
    if (!member(node, "intoClause").is_null()) {
        const Json& into = member(member(node, "intoClause"), "rel");
        facts_.into_table = true;
        facts_.temporary = facts_.temporary || text(into, "relpersistence") == "t" || text(into, "schemaname") == "pg_temp";
    }
    // Names of WITH are known before what uses them.
    walk(member(node, "withClause"));
    // The sides of UNION are no nodes of their own in the tree.
    for (const char* side : {"larg", "rarg"})
        if (const Json& one = member(node, side); one.is_object()) {
            if (own) own_ = &one;
            if (ends) sublink_ = &one;
            select(one);
        }
    for (const auto& [key, value] : node.items())
        if (key != "withClause" && key != "larg" && key != "rarg") walk(value);
    facts_.outer = std::move(order);
    only_ = only;
    column_ = column;
    casts_ = casts;
    quiet_ = quiet;
}

}  // namespace rowferry
