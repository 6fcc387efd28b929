#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pg_query.h>

#include "statements/postgresql/sql_facts.h"
#include "statements/postgresql/sql_nodes.h"

namespace rowferry {
namespace {

using sql_nodes::Json;

constexpr std::array<std::string_view, 5> kOpaque{"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "PLpgSQL_stmt_commit", "PLpgSQL_stmt_rollback", "dynquery"};

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

void collect(const Json& node, RoutineBody& body, int depth) {
    if (depth > 900) throw StatementError{"it is nested too deeply"};
    if (node.is_array()) {
        for (const Json& item : node) collect(item, body, depth + 1);
        return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
        for (const std::string_view opaque : kOpaque)
            if (key == opaque) body.opaque = true;
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
