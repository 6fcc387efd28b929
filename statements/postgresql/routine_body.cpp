#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pg_query.h>

#include "statements/postgresql/sql_facts.h"
#include "statements/postgresql/sql_nodes.h"

namespace rowferry {
namespace {

using sql_nodes::Json;

// What its statements may be. Of FOR and SELECT … INTO the query has to say which row comes first; handlers of errors see what went on beside them.
constexpr std::array<std::string_view, 18> kKnownStatements{"block", "assign", "if", "case", "loop", "while", "fori", "fors", "foreach_a", "exit", "return", "return_next", "return_query", "raise", "assert",
                                                  "execsql", "perform", "call"};
constexpr std::string_view kStatement = "PLpgSQL_stmt_";

std::string query_of(const Json& node, const char* name) { return sql_nodes::text(sql_nodes::member(sql_nodes::member(node, name), "PLpgSQL_expr"), "query"); }

/// An expression where PL/pgSQL wants one: `x := now()`, `now()`, or a statement.
std::string as_statement(std::string query) {
    try {
        static_cast<void>(sql_nodes::parse(query));
        return query;
    } catch (const StatementError&) {
    }
    if (const auto assigned = query.find(":="); assigned != std::string::npos) query.erase(0, assigned + 2);
    return "SELECT " + query;
}

/// What stands behind `x :=` or `x =`.
std::string given_by(const std::string& query) {
    const auto colon = query.find(":=");
    const auto at = std::min(colon, query.find('='));
    return at == std::string::npos ? "SELECT " + query : "SELECT " + query.substr(at + (at == colon ? 2 : 1));
}

/// The count of rows is all that a diagnostic may tell.
bool only_counts(const Json& node) {
    return std::ranges::all_of(sql_nodes::member(node, "diag_items"), [](const Json& item) { return sql_nodes::text(sql_nodes::member(item, "PLpgSQL_diag_item"), "kind") == "ROW_COUNT"; });
}

void look_at(const std::string& kind, const Json& node, RoutineBody& body) {
    if (kind == "getdiag" ? !only_counts(node) : std::ranges::find(kKnownStatements, kind) == kKnownStatements.end()) body.opaque = fmt::format("runs {} in its body", kind);
    if (node.contains("dynquery")) body.opaque = "puts statements together while it runs";
    if (kind == "fors") body.ordered.push_back(query_of(node, "query"));
    if (kind == "execsql" && sql_nodes::flag(node, "into") && !sql_nodes::flag(node, "strict")) body.ordered.push_back(query_of(node, "sqlstmt"));
    body.fills = body.fills || kind == "fors" || sql_nodes::flag(node, "into");
    if (kind == "fors") body.filling.push_back(query_of(node, "query"));
    if (kind == "execsql" && sql_nodes::flag(node, "into")) body.filling.push_back(query_of(node, "sqlstmt"));
    if (kind == "assign") {
        const std::string query = query_of(node, "expr");
        std::string target = query.substr(0, std::min(query.find(":="), query.find('=')));
        std::erase_if(target, [](unsigned char c) { return std::isspace(c) != 0; });
        std::ranges::transform(target, target.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        body.assigned.push_back({target, given_by(query)});
    }
    if (kind == "return" && node.contains("expr")) body.assigned.push_back({"", as_statement(query_of(node, "expr"))});
}

void collect(const Json& node, RoutineBody& body, int depth) {
    if (depth > 900) throw StatementError{"it is nested too deeply"};
    if (node.is_array()) {
        for (const Json& item : node) collect(item, body, depth + 1);
        return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
        if (key.starts_with(kStatement)) look_at(key.substr(kStatement.size()), value, body);
        if (key == "PLpgSQL_exception_block") body.opaque = "catches errors, which depend on what goes on beside it";
        if (key == "PLpgSQL_var") {
            std::string type = sql_nodes::text(sql_nodes::member(sql_nodes::member(value, "datatype"), "PLpgSQL_type"), "typname");
            while (type.ends_with(' ')) type.pop_back();
            if (sql_nodes::member(value, "cursor_explicit_expr").is_object()) body.opaque = "has a cursor";
            const std::string name = sql_nodes::text(value, "refname");
            // They come first, before the one that all routines have.
            if (!body.variables.contains("found") && name != "found") body.parameters.push_back(name);
            body.variables[name] = name == "found" ? "boolean" : type;
            if (value.contains("default_val")) body.assigned.push_back({name, as_statement(query_of(value, "default_val"))});
        }
        if (key == "PLpgSQL_expr" && value.contains("query") && value["query"].is_string())
            body.statements.push_back(as_statement(value["query"].get<std::string>()));
        else
            collect(value, body, depth + 1);
    }
}

}  // namespace

RoutineBody read_plpgsql(const std::string& definition) {
    const PgQueryPlpgsqlParseResult parsed = pg_query_parse_plpgsql(definition.c_str());
    const struct Free {
        const PgQueryPlpgsqlParseResult& result;
        ~Free() { pg_query_free_plpgsql_parse_result(result); }
    } free{parsed};
    if (parsed.error != nullptr) throw StatementError{"its body cannot be taken apart"};
    const Json tree = Json::parse(parsed.plpgsql_funcs, nullptr, false);
    if (!tree.is_array() || tree.size() != 1) throw StatementError{"its body cannot be taken apart"};
    RoutineBody body;
    collect(tree, body, 0);
    return body;
}

RoutineBody read_sql_body(const std::string& source) {
    const PgQuerySplitResult split = pg_query_split_with_parser(source.c_str());
    const struct Free {
        const PgQuerySplitResult& result;
        ~Free() { pg_query_free_split_result(result); }
    } free{split};
    if (split.error != nullptr) throw StatementError{"its body cannot be taken apart"};
    RoutineBody body;
    for (int i = 0; i < split.n_stmts; ++i)
        body.statements.push_back(source.substr(static_cast<std::size_t>(split.stmts[i]->stmt_location), static_cast<std::size_t>(split.stmts[i]->stmt_len)));
    return body;
}

}  // namespace rowferry
