#include "statements/postgresql/sql_facts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <pg_query.h>

#include "schemas/identifier.h"
#include "statements/postgresql/sql_walk.h"

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

constexpr std::array<std::string_view, 6> kQueries{"PrepareStmt", "CreateTableAsStmt", "DeclareCursorStmt", "CopyStmt", "ExecuteStmt", "CallStmt"};

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

/// Where what begins at `at` with $tag$ ends; npos where nothing does.
std::size_t end_of_dollars(const std::string& sql, std::size_t at) {
    if (at > 0 && is_name_character(sql[at - 1])) return std::string::npos;
    std::size_t close = at + 1;
    while (close < sql.size() && is_name_character(sql[close])) ++close;
    if (close >= sql.size() || sql[close] != '$' || std::isdigit(static_cast<unsigned char>(sql[at + 1])) != 0) return std::string::npos;
    const std::string tag = sql.substr(at, close - at + 1);
    const auto end = sql.find(tag, close + 1);
    return end == std::string::npos ? sql.size() : end + tag.size();
}

/// In '…' without an E in front. What is behind the first such one may be something else altogether.
bool has_backslash_in_string(const std::string& sql) {
    if (sql.find('\\') == std::string::npos) return false;
    for (std::size_t at = 0; at < sql.size();) {
        const char c = sql[at];
        if (sql.compare(at, 2, "--") == 0) {
            at = std::min(sql.find('\n', at), sql.size());
        } else if (sql.compare(at, 2, "/*") == 0) {
            int depth = 0;
            do {
                if (sql.compare(at, 2, "/*") == 0) {
                    ++depth;
                    at += 2;
                } else if (sql.compare(at, 2, "*/") == 0) {
                    --depth;
                    at += 2;
                } else {
                    ++at;
                }
            } while (depth > 0 && at < sql.size());
        } else if (c == '"') {
            at = std::min(sql.find('"', at + 1), sql.size() - 1) + 1;
        } else if (c == '$' && end_of_dollars(sql, at) != std::string::npos) {
            at = end_of_dollars(sql, at);
        } else if (c == '\'') {
            const bool escaped = at > 0 && (sql[at - 1] == 'e' || sql[at - 1] == 'E') && (at == 1 || !is_name_character(sql[at - 2]));
            for (++at; at < sql.size() && sql[at] != '\''; ++at) {
                if (sql[at] != '\\') continue;
                if (!escaped) return true;
                ++at;
            }
            ++at;
        } else {
            ++at;
        }
    }
    return false;
}

std::string lower(std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
}

}  // namespace

void SqlWalk::setting(const Json& node) {
    const std::string how = text(node, "kind");
    facts_.setting = how == "VAR_RESET_ALL" ? "*" : lower(text(node, "name"));
    facts_.local = flag(node, "is_local");
    facts_.resets = how == "VAR_RESET_ALL" || how == "VAR_RESET" || how == "VAR_SET_DEFAULT";
    for (const Json& value : member(node, "args")) facts_.value += (facts_.value.empty() ? "" : ",") + operand(value).text;
}

void SqlWalk::utility(const std::string& kind, const Json& node) {
    if (kind == "VariableSetStmt") setting(node);
    if (kind == "AlterRoleSetStmt" || kind == "AlterDatabaseSetStmt" || kind == "AlterSystemStmt") setting(member(node, "setstmt"));
    strict_ = std::ranges::find(kQueries, kind) != kQueries.end();
    if (kind == "AlterTableStmt") alter_table(node);
    for (const Json& type : member(node, "argtypes")) facts_.given.push_back(type_of(member(type, "TypeName")));
    if (kind == "ExecuteStmt")
        for (const Json& argument : member(node, "params")) facts_.arguments.push_back(operand(argument));
    names_of(kind, node);
    facts_.concurrently = flag(node, "concurrent");
    facts_.unique = kind == "IndexStmt" && flag(node, "unique");
    facts_.stands_alone = kind == "CreateTableAsStmt" || (kind == "CreateStmt" && member(node, "inhRelations").empty() && !member(node, "partbound").is_object());
    facts_.if_not_exists = flag(node, "if_not_exists");
    for (const Json& option : member(node, "options"))
        if (text(member(option, "DefElem"), "defname") == "new_version") facts_.versioned = true;
    facts_.cascade = text(node, "behavior") == "DROP_CASCADE";
    if (kind == "CreateStmt" || kind == "ViewStmt") {
        const Json& made = member(node, kind == "ViewStmt" ? "view" : "relation");
        facts_.temporary = text(made, "relpersistence") == "t" || text(made, "schemaname") == "pg_temp";
        facts_.dropped_at_commit = text(node, "oncommit") == "ONCOMMIT_DROP";
        facts_.reads.push_back(relation(made));
    } else if (const Json& touched = member(node, "relation"); touched.contains("relname")) {
        facts_.reads.push_back(relation(touched));
    }
    if (kind == "CreateTableAsStmt") {
        const Json& into = member(node, "into");
        facts_.into_table = true;
        facts_.temporary = text(member(into, "rel"), "relpersistence") == "t" || text(member(into, "rel"), "schemaname") == "pg_temp";
        facts_.dropped_at_commit = text(into, "onCommit") == "ONCOMMIT_DROP";
        facts_.reads.push_back(relation(member(into, "rel")));
    }
    if (kind == "CreateSeqStmt") facts_.temporary = text(member(node, "sequence"), "relpersistence") == "t";
    if (kind == "CreateFunctionStmt") facts_.temporary = name_of(member(node, "funcname")).schema == "pg_temp";
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
        return;
    }
}

void SqlWalk::names_of(const std::string& kind, const Json& node) {
    const auto add = [&](const SqlName& name) {
        if (!name.name.empty()) facts_.names.push_back(name);
    };
    for (const char* place : {"relation", "sequence", "view", "typevar"})
        if (const Json& made = member(node, place); made.contains("relname")) add(relation(made));
    if (const Json& into = member(member(node, "into"), "rel"); into.contains("relname")) add(relation(into));
    for (const char* place : {"funcname", "typeName", "domainname", "defnames"})
        if (const Json& made = member(node, place); made.is_array()) add(name_of(made));
    if (kind == "CreateSchemaStmt") add({text(node, "schemaname"), "*"});
    for (const Json& object : member(node, "objects")) {
        if (object.contains("List")) {
            const Json& parts = member(object["List"], "items");
            const std::string type = text(node, "removeType");
            // trigger ON schema.table: the table's name stands before the trigger's.
            const std::size_t needed = type == "OBJECT_TRIGGER" || type == "OBJECT_RULE" || type == "OBJECT_POLICY" ? 3 : 2;
            add({parts.size() >= needed ? "named" : "", last_name(parts)});
        }
        if (object.contains("TypeName")) add(name_of(member(object["TypeName"], "names")));
        if (object.contains("ObjectWithArgs")) add(name_of(member(object["ObjectWithArgs"], "objname")));
        if (object.contains("String")) add({"named", last_name(object)});
    }
}

/// Constants that are read as a column's type, once and for all.
bool SqlWalk::definition(const std::string& kind, const Json& node) {
    const auto as = [&](const Json& expression, SqlType type) {
        if (expression.contains("A_Const") || expression.contains("ParamRef")) {
            casts_.push_back(std::move(type));
        } else {
            SqlUse made = use(SqlUse::Kind::cast, expression);
            made.type = std::move(type);
            facts_.uses.push_back(std::move(made));
        }
        walk(expression);
        casts_.clear();
    };
    if (kind == "AlterTableCmd" && text(node, "subtype") == "AT_ColumnDefault") {
        column_ = text(node, "name");
        compared_ = true;
        walk(member(node, "def"));
        column_.clear();
        return true;
    }
    // Which rows pass was told by the leader.
    if (kind == "Constraint" && text(node, "contype") == "CONSTR_CHECK") return true;
    if (kind != "ColumnDef") return false;
    for (const Json& each : member(node, "constraints")) {
        const Json& constraint = member(each, "Constraint");
        if (text(constraint, "contype") == "CONSTR_DEFAULT")
            as(member(constraint, "raw_expr"), type_of(member(node, "typeName")));
        else
            walk(each);
    }
    children(node, "constraints");
    return true;
}

/// What becomes of the rows that are there.
void SqlWalk::alter_table(const Json& node) {
    for (const Json& item : member(node, "cmds")) {
        const Json& command = member(item, "AlterTableCmd");
        const std::string what = text(command, "subtype");
        const Json& column = member(member(command, "def"), "ColumnDef");
        const SqlType type = type_of(member(column, "typeName"));
        if (what == "AT_AlterColumnType") {
            SqlUse changed;
            changed.type = type;
            changed.columns.push_back(text(command, "name"));
            facts_.uses.push_back(std::move(changed));
        }
        if (what != "AT_AddColumn") continue;
        facts_.given.push_back(type);
        const std::string name = type.name.name;
        facts_.numbers_rows = facts_.numbers_rows || name == "serial" || name == "bigserial" || name == "smallserial" || name == "serial2" || name == "serial4" || name == "serial8";
        for (const Json& each : member(column, "constraints")) {
            const Json& constraint = member(each, "Constraint");
            if (text(constraint, "contype") == "CONSTR_IDENTITY") facts_.numbers_rows = true;
        }
    }
}

void SqlWalk::statement(const std::string& kind, const Json& node) {
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
    const Json& query = member(node, "query");
    const Json& insert = kind == "InsertStmt" ? node : member(query, "InsertStmt");
    own_ = kind == "SelectStmt" ? &node : insert.is_object() ? &member(member(insert, "selectStmt"), "SelectStmt") : &member(query, "SelectStmt");
    if (kind == "SelectStmt" && !member(node, "lockingClause").empty()) {
        const Json& from = member(node, "fromClause");
        if (from.is_array() && from.size() == 1 && from[0].contains("RangeVar")) {
            SqlTarget locked;
            locked.op = SqlTarget::Op::lock;
            locked.table = relation(from[0]["RangeVar"]);
            const std::string alias = text(member(from[0]["RangeVar"], "alias"), "aliasname");
            where(member(node, "whereClause"), locked, {alias.empty() ? locked.table.name : alias}, {});
            facts_.targets.push_back(std::move(locked));
        }
    }
    if (!kind.ends_with("Stmt") || kind == "SelectStmt" || kind == "InsertStmt" || kind == "UpdateStmt" || kind == "DeleteStmt" || kind == "MergeStmt") return visit(kind, node);
    utility(kind, node);
    if (kind == "CallStmt") return;
    children(node);
}

SqlFacts read_sql(const std::string& sql) {
    SqlFacts facts;
    SqlWalk walk{facts};
    const Json tree = sql_nodes::parse(sql);
    const Json& statements = member(tree, "stmts");
    if (!statements.is_array() || statements.size() != 1) throw StatementError{fmt::format("it holds {} statements", statements.size())};
    const Json& statement = member(statements[0], "stmt");
    if (!statement.is_object() || statement.size() != 1) throw StatementError{"it is put together in an unknown way"};
    walk.statement(statement.begin().key(), statement.begin().value());
    facts.backslashes = has_backslash_in_string(sql);
    return facts;
}

SqlFacts read_sql_expression(const std::string& expression) { return read_sql("SELECT (" + expression + "\n)"); }

std::optional<SqlType> read_sql_type(const std::string& type) {
    try {
        const Json tree = sql_nodes::parse("SELECT NULL::" + type);
        const Json& select = member(member(member(tree, "stmts").at(0), "stmt"), "SelectStmt");
        const Json& outputs = member(select, "targetList");
        if (outputs.size() != 1 || select.contains("fromClause")) return std::nullopt;
        const Json& cast = member(member(member(outputs[0], "ResTarget"), "val"), "TypeCast");
        if (cast.is_null()) return std::nullopt;
        return type_of(member(cast, "typeName"));
    } catch (const StatementError&) {
        return std::nullopt;
    }
}

std::string without_constants(const std::string& sql) {
    const PgQueryNormalizeResult result = pg_query_normalize(sql.c_str());
    const std::string text = result.error == nullptr && result.normalized_query != nullptr ? printable(result.normalized_query, 200) : std::string{};
    pg_query_free_normalize_result(result);
    return text;
}

}  // namespace rowferry
