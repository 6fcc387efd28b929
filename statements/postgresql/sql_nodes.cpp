#include "statements/postgresql/sql_nodes.h"

#include <fmt/format.h>
#include <pg_query.h>

#include "schemas/identifier.h"

namespace rowferry::sql_nodes {
namespace {

const Json kNothing;

}  // namespace

Json parse(const std::string& sql) {
    if (sql.find('\0') != std::string::npos) throw StatementError{"it has a NUL byte"};
    const PgQueryParseResult parsed = pg_query_parse(sql.c_str());
    const struct Free {
        const PgQueryParseResult& result;
        ~Free() { pg_query_free_parse_result(result); }
    } free{parsed};
    // The parser's message would quote the statement.
    if (parsed.error != nullptr) throw StatementError{fmt::format("the parser of PostgreSQL {} does not understand it (at character {})", PG_MAJORVERSION, parsed.error->cursorpos)};
    Json tree = Json::parse(parsed.parse_tree, nullptr, false);
    if (tree.is_discarded()) throw StatementError{"its tree cannot be read"};
    return tree;
}

const Json& member(const Json& node, const char* name) {
    if (!node.is_object()) return kNothing;
    const auto found = node.find(name);
    return found == node.end() ? kNothing : *found;
}

std::string text(const Json& node, const char* name) {
    const Json& value = member(node, name);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

bool flag(const Json& node, const char* name) {
    const Json& value = member(node, name);
    return value.is_boolean() && value.get<bool>();
}

std::string last_name(const Json& list) {
    const Json& last = list.is_array() && !list.empty() ? list.back() : list;
    if (last.contains("A_Star")) return "*";
    return text(member(last, "String"), "sval");
}

SqlName name_of(const Json& list) {
    SqlName name;
    if (!list.is_array() || list.empty()) return name;
    name.name = last_name(list);
    if (list.size() > 1) name.schema = text(member(list[list.size() - 2], "String"), "sval");
    return name;
}

SqlName relation(const Json& range_var) { return {text(range_var, "schemaname"), text(range_var, "relname")}; }

SqlType type_of(const Json& type_name) {
    return {name_of(member(type_name, "names")), !member(type_name, "arrayBounds").empty() || flag(type_name, "setof")};
}

SqlOperand operand(const Json& node) {
    using Kind = SqlOperand::Kind;
    if (node.contains("TypeCast")) {
        // Those that leave a key's text as it is: not varchar(2), not numeric.
        const Json& type = member(node["TypeCast"], "typeName");
        const std::string name = last_name(member(type, "names"));
        const bool kept = (name == "int2" || name == "int4" || name == "int8" || name == "text" || name == "uuid" || name == "varchar" || name == "bool") && member(type, "typmods").empty() &&
                          member(type, "arrayBounds").empty();
        return kept ? operand(member(node["TypeCast"], "arg")) : SqlOperand{};
    }
    if (node.contains("SetToDefault")) return {Kind::fallback};
    const auto located = [](SqlOperand value, const Json& of) {
        const Json& location = member(of, "location");
        value.location = location.is_number_integer() ? location.get<int>() : 0;
        return value;
    };
    if (node.contains("ParamRef")) return located({Kind::parameter, {}, member(node["ParamRef"], "number").is_number() ? node["ParamRef"]["number"].get<int>() : 0}, node["ParamRef"]);
    const Json& constant = member(node, "A_Const");
    if (flag(constant, "isnull")) return located({Kind::null}, constant);
    if (const Json& value = member(constant, "ival"); value.is_object()) return located({Kind::number, std::to_string(value.value("ival", 0))}, constant);
    if (const Json& value = member(constant, "fval"); value.is_object()) return located({Kind::number, text(value, "fval")}, constant);
    if (const Json& value = member(constant, "sval"); value.is_object()) return located({Kind::string, text(value, "sval")}, constant);
    if (const Json& value = member(constant, "boolval"); value.is_object()) return located({Kind::string, flag(value, "boolval") ? "true" : "false"}, constant);
    return {};
}

}  // namespace rowferry::sql_nodes
