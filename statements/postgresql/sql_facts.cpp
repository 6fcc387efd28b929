#include "statements/postgresql/sql_facts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pg_query.h>

#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "statements/postgresql/sql_nodes.h"

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

// The walk is a recursion, as the parser's own writer is.
constexpr int kDeepestStatement = 900;

constexpr std::array kRowColumns{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};
constexpr std::array kOrderedAggregates{"array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg", "json_arrayagg", "json_objectagg"};
constexpr std::array kSums{"sum", "avg", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept",
                           "regr_r2", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy"};

/// 'now', ' Today ', 'tomorrow 10:00': one of its words is special to the input of dates and times.
bool is_clock_word(std::string_view value) {
    if (value.size() > 64) return false;
    std::string word;
    const auto special = [&] { return word == "now" || word == "today" || word == "tomorrow" || word == "yesterday"; };
    for (const char c : value) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else {
            if (special()) return true;
            word.clear();
        }
    }
    return special();
}

class Walk {
public:
    explicit Walk(SqlFacts& facts) : facts_{facts} {}

    void statement(const std::string& kind, const Json& node);
    void walk(const Json& node);

private:
    void visit(const std::string& kind, const Json& node);
    void call(const Json& node);
    void select(const Json& node);
    void target(SqlTarget::Op op, const Json& node);
    void where(const Json& condition, SqlTarget& target, const std::vector<std::string>& own_names);
    void from_of_update(const Json& list, SqlTarget& target, std::vector<std::string>& aliases);
    void children(const Json& node, std::string_view but = {});
    void utility(const std::string& kind, const Json& node);
    void weakness(std::string what) {
        if (!holds(facts_.weaknesses, what)) facts_.weaknesses.push_back(std::move(what));
    }

    SqlFacts& facts_;
    int depth_ = 0;
};

void Walk::children(const Json& node, std::string_view but) {
    if (node.is_array()) {
        for (const Json& item : node) walk(item);
    } else if (node.is_object()) {
        for (const auto& [key, value] : node.items())
            if (key != but) walk(value);
    }
}

/// Nodes are wrapped in an object with their kind as its only key, which begins with a capital letter; everything else is passed through.
void Walk::walk(const Json& node) {
    if (++depth_ > kDeepestStatement) throw StatementError{"it is nested too deeply"};
    if (node.is_object() && node.size() == 1 && std::isupper(static_cast<unsigned char>(node.begin().key().front())) != 0)
        visit(node.begin().key(), node.begin().value());
    else
        children(node);
    --depth_;
}

void Walk::visit(const std::string& kind, const Json& node) {
    if (kind == "InsertStmt") return target(SqlTarget::Op::insert, node);
    if (kind == "UpdateStmt") return target(SqlTarget::Op::update, node);
    if (kind == "DeleteStmt") return target(SqlTarget::Op::remove, node);
    if (kind == "MergeStmt") return target(SqlTarget::Op::merge, node);
    if (kind == "SelectStmt") return select(node);
    if (kind == "FuncCall") return call(node);
    if (kind == "RangeVar") {
        facts_.reads.push_back(relation(node));
        return;
    }
    if (kind == "CommonTableExpr") facts_.common.insert(text(node, "ctename"));
    if (kind == "RangeTableSample") weakness("a sample of a table (TABLESAMPLE)");
    if (kind == "CurrentOfExpr") weakness("the place of a cursor (WHERE CURRENT OF)");
    if (kind == "ColumnRef") {
        const std::string name = last_name(member(node, "fields"));
        if (holds(kRowColumns, name)) weakness("where and by whom a row was written (" + name + ")");
    }
    if (kind == "SQLValueFunction") {
        std::string op = text(node, "op");
        op.erase(0, op.starts_with("SVFOP_") ? 6 : 0);
        const bool clock = op.starts_with("CURRENT_DATE") || op.starts_with("CURRENT_TIME") || op.starts_with("LOCALTIME");
        (clock ? facts_.clock : facts_.identity).push_back(op.ends_with("_N") ? op.substr(0, op.size() - 2) : op);
    }
    if (kind == "A_Const") {
        const SqlOperand value = operand(Json{{"A_Const", node}});
        if (value.kind == SqlOperand::Kind::string && is_clock_word(value.text)) facts_.clock_words.push_back(value.text);
        return;
    }
    if (kind == "A_Expr") facts_.operators.insert(last_name(member(node, "name")));
    children(node);
}

void Walk::call(const Json& node) {
    SqlCall call{name_of(member(node, "funcname")), member(node, "args").size(), {}};
    for (const Json& argument : member(node, "args")) call.constants.push_back(operand(argument));
    const bool own = call.name.schema.empty() || call.name.schema == "pg_catalog";
    if (!member(node, "over").is_null()) weakness("a window function");
    if (own && holds(kOrderedAggregates, call.name.name) && member(node, "agg_order").empty()) weakness(call.name.name + "() without ORDER BY");
    if (own && holds(kSums, call.name.name)) facts_.sums = true;
    facts_.calls.push_back(std::move(call));
    children(node, "funcname");
}

void Walk::select(const Json& node) {
    const Json& distinct = member(node, "distinctClause");
    if (distinct.is_array() && !distinct.empty() && !distinct[0].empty()) weakness("DISTINCT ON");
    if (!member(node, "limitCount").is_null() || !member(node, "limitOffset").is_null()) {
        SqlLimit limit;
        const Json& from = member(node, "fromClause");
        if (from.is_array() && from.size() == 1 && from[0].contains("RangeVar")) limit.table = relation(from[0]["RangeVar"]);
        for (const Json& sort : member(node, "sortClause"))
            if (const Json& by = member(member(sort, "SortBy"), "node"); by.contains("ColumnRef")) limit.order.push_back(last_name(member(by["ColumnRef"], "fields")));
        facts_.limits.push_back(std::move(limit));
    }
    for (const Json& lock : member(node, "lockingClause")) {
        const std::string wait = text(member(lock, "LockingClause"), "waitPolicy");
        if (wait == "LockWaitSkip") weakness("SKIP LOCKED");
    }
    if (!member(node, "intoClause").is_null()) {
        facts_.into_table = true;
        facts_.temporary = facts_.temporary || text(member(member(node, "intoClause"), "rel"), "relpersistence") == "t";
    }
    // Names of WITH are known before what uses them.
    walk(member(node, "withClause"));
    // The sides of UNION are no nodes of their own in the tree.
    for (const char* side : {"larg", "rarg"})
        if (const Json& one = member(node, side); one.is_object()) select(one);
    for (const auto& [key, value] : node.items())
        if (key != "withClause" && key != "larg" && key != "rarg") walk(value);
}

/// The conditions that all have to hold: pins of the target's own columns, and columns of the others that are held equal to something.
void Walk::where(const Json& condition, SqlTarget& target, const std::vector<std::string>& own_names) {
    if (condition.is_null()) return;
    target.only_pins = true;
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
            const Json& fields = member(member(member(equal, column_side), "ColumnRef"), "fields");
            if (fields.empty()) continue;
            const std::string column = last_name(fields);
            const std::string qualifier = fields.size() > 1 ? last_name(fields[fields.size() - 2]) : "";
            const bool own = qualifier.empty() ? target.joined.empty() && !target.joins_others : holds(own_names, qualifier);
            if (!own) target.join_columns.push_back(qualifier + "." + column);
            SqlOperand value = operand(member(equal, value_side));
            if (!own || value.kind == SqlOperand::Kind::other || value.kind == SqlOperand::Kind::null || pinned) continue;
            target.pins.push_back({column, std::move(value)});
            pinned = true;
        }
        if (!pinned) target.only_pins = false;
    }
    if (target.pins.empty()) target.only_pins = false;
}

void Walk::from_of_update(const Json& list, SqlTarget& target, std::vector<std::string>& aliases) {
    for (const Json& item : list) {
        if (item.contains("RangeVar") && !facts_.common.contains(text(item["RangeVar"], "relname"))) {
            target.joined.push_back(relation(item["RangeVar"]));
            aliases.push_back(text(member(item["RangeVar"], "alias"), "aliasname"));
        } else {
            target.joins_others = true;
        }
    }
}

void Walk::target(SqlTarget::Op op, const Json& node) {
    walk(member(node, "withClause"));
    SqlTarget target;
    target.op = op;
    target.table = relation(member(node, "relation"));
    std::vector<std::string> own{target.table.name};
    if (const std::string alias = text(member(member(node, "relation"), "alias"), "aliasname"); !alias.empty()) own = {alias};
    std::vector<std::string> aliases;
    if (op == SqlTarget::Op::update) from_of_update(member(node, "fromClause"), target, aliases);
    if (op == SqlTarget::Op::remove) from_of_update(member(node, "usingClause"), target, aliases);
    where(member(node, "whereClause"), target, own);
    if (op == SqlTarget::Op::insert) {
        for (const Json& column : member(node, "cols")) target.columns.push_back(text(member(column, "ResTarget"), "name"));
        const Json& source = member(member(node, "selectStmt"), "SelectStmt");
        const Json& values = member(source, "valuesLists");
        target.from_query = !source.is_null() && values.empty();
        for (const Json& row : values) {
            auto& cells = target.rows.emplace_back();
            for (const Json& cell : member(member(row, "List"), "items")) cells.push_back(operand(cell));
        }
        const std::string action = text(member(node, "onConflictClause"), "action");
        if (action == "ONCONFLICT_NOTHING") target.on_conflict = SqlTarget::OnConflict::nothing;
        if (action == "ONCONFLICT_UPDATE") target.on_conflict = SqlTarget::OnConflict::update;
    }
    if (op == SqlTarget::Op::update) {
        auto& cells = target.rows.emplace_back();
        for (const Json& set : member(node, "targetList")) {
            target.columns.push_back(text(member(set, "ResTarget"), "name"));
            cells.push_back(operand(member(member(set, "ResTarget"), "val")));
        }
    }
    // What a joined table's column is called by its alias is called by its name behind here.
    for (std::string& column : target.join_columns)
        for (std::size_t i = 0; i < aliases.size(); ++i)
            if (!aliases[i].empty() && column.starts_with(aliases[i] + ".")) column = target.joined[i].name + column.substr(aliases[i].size());
    facts_.targets.push_back(std::move(target));
    for (const auto& [key, value] : node.items())
        if (key != "withClause" && key != "relation") walk(value);
}

void Walk::utility(const std::string& kind, const Json& node) {
    if (kind == "VariableSetStmt") {
        facts_.setting = text(node, "kind") == "VAR_RESET_ALL" ? "*" : text(node, "name");
        facts_.local = flag(node, "is_local");
        if (const Json& values = member(node, "args"); values.size() == 1) facts_.value = operand(values[0]).text;
    }
    facts_.concurrently = flag(node, "concurrent");
    facts_.cascade = text(node, "behavior") == "DROP_CASCADE";
    if (kind == "CreateStmt" || kind == "ViewStmt") {
        const Json& made = member(node, kind == "ViewStmt" ? "view" : "relation");
        facts_.temporary = text(made, "relpersistence") == "t";
        facts_.dropped_at_commit = text(node, "oncommit") == "ONCOMMIT_DROP";
        facts_.reads.push_back(relation(made));
    } else if (const Json& touched = member(node, "relation"); touched.contains("relname")) {
        facts_.reads.push_back(relation(touched));
    }
    if (kind == "CreateTableAsStmt") {
        const Json& into = member(node, "into");
        facts_.into_table = true;
        facts_.temporary = text(member(into, "rel"), "relpersistence") == "t";
        facts_.dropped_at_commit = text(into, "onCommit") == "ONCOMMIT_DROP";
        facts_.reads.push_back(relation(member(into, "rel")));
    }
    if (kind == "CopyStmt") {
        const bool from = flag(node, "is_from");
        facts_.stdin_copy = from && text(node, "filename").empty();
        facts_.reads_file = from && !facts_.stdin_copy;
    }
    if (kind == "DoStmt")
        for (const Json& option : member(node, "args")) {
            const Json& element = member(option, "DefElem");
            if (text(element, "defname") == "as") facts_.body = text(member(member(element, "arg"), "String"), "sval");
            if (text(element, "defname") == "language") facts_.language = text(member(member(element, "arg"), "String"), "sval");
        }
    if (kind == "CallStmt") {
        const Json& call = member(node, "funccall");
        facts_.routine = name_of(member(call, "funcname"));
        this->call(call);
    }
}

void Walk::statement(const std::string& kind, const Json& node) {
    if (kind == "ExplainStmt") {
        facts_.explains = true;
        for (const Json& option : member(node, "options"))
            if (text(member(option, "DefElem"), "defname") == "analyze") facts_.explains = false;
        const Json& query = member(node, "query");
        if (!query.is_object() || query.size() != 1) throw StatementError{"EXPLAIN of nothing known"};
        statement(query.begin().key(), query.begin().value());
        return;
    }
    facts_.kind = kind;
    if (kind == "SelectStmt" && !member(node, "lockingClause").empty()) {
        const Json& from = member(node, "fromClause");
        if (from.is_array() && from.size() == 1 && from[0].contains("RangeVar")) {
            SqlTarget locked;
            locked.op = SqlTarget::Op::lock;
            locked.table = relation(from[0]["RangeVar"]);
            const std::string alias = text(member(from[0]["RangeVar"], "alias"), "aliasname");
            where(member(node, "whereClause"), locked, {alias.empty() ? locked.table.name : alias});
            facts_.targets.push_back(std::move(locked));
        }
    }
    if (!kind.ends_with("Stmt") || kind == "SelectStmt" || kind == "InsertStmt" || kind == "UpdateStmt" || kind == "DeleteStmt" || kind == "MergeStmt") return visit(kind, node);
    utility(kind, node);
    children(node);
}

}  // namespace

SqlFacts read_sql(const std::string& sql) {
    SqlFacts facts;
    Walk walk{facts};
    const Json tree = sql_nodes::parse(sql);
    const Json& statements = member(tree, "stmts");
    if (!statements.is_array() || statements.size() != 1) throw StatementError{fmt::format("it holds {} statements", statements.size())};
    const Json& statement = member(statements[0], "stmt");
    if (!statement.is_object() || statement.size() != 1) throw StatementError{"it is put together in an unknown way"};
    walk.statement(statement.begin().key(), statement.begin().value());
    return facts;
}

SqlFacts read_sql_expression(const std::string& expression) { return read_sql("SELECT (" + expression + "\n)"); }

std::string without_constants(const std::string& sql) {
    const PgQueryNormalizeResult result = pg_query_normalize(sql.c_str());
    const std::string text = result.error == nullptr && result.normalized_query != nullptr ? printable(result.normalized_query, 200) : std::string{};
    pg_query_free_normalize_result(result);
    return text;
}

}  // namespace rowferry
