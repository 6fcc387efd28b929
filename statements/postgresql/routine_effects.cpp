#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "statements/postgresql/effects.h"
#include "statements/postgresql/function_kinds.h"
#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

bool is_query(const SqlFacts& facts) {
    return facts.kind == "SelectStmt" || facts.kind == "InsertStmt" || facts.kind == "UpdateStmt" || facts.kind == "DeleteStmt" || facts.kind == "MergeStmt";
}

bool has_timely(const std::vector<std::string>& types) { return std::ranges::any_of(types, [](const std::string& type) { return type_kinds::is_timely(type) && !type.starts_with('?'); }); }

bool has_zoned(const std::vector<std::string>& types) { return std::ranges::any_of(types, [](const std::string& type) { return type_kinds::is_zoned(type) && !type.starts_with('?'); }); }

bool intersect(const std::set<TableName>& a, const std::set<TableName>& b) {
    return std::ranges::any_of(a, [&](const TableName& table) { return b.contains(table); });
}

/// Takes or gives rows or values of any type, such as hstore(record): by way of their text, which depends on the session, though an extension may declare it IMMUTABLE.
bool takes_anything(const CatalogRoutine& routine) {
    const auto any = [](const std::string& type) { return type == "record" || type == "_record" || type.starts_with("any"); };
    // Of a function with OUT parameters, record is only what they come to.
    const auto given = [&](const std::string& type) { return routine.results.size() > 1 ? type.starts_with("any") : any(type); };
    return std::ranges::any_of(routine.arguments, any) || std::ranges::any_of(routine.results, given);
}

}  // namespace

void EffectFinder::by_number(std::uint32_t oid, Effects& effects) {
    const CatalogRoutine* function = catalog_.routine(oid);
    // What an extension's own types are made of is taken at its word.
    if (function == nullptr || function->builtin) return;
    if (!function->extension.empty() && function->volatility == 'i') {
        if (takes_anything(*function)) note(effects, fmt::format("how the session writes values as text ({}())", shown(function->name)));
        return;
    }
    merge(routine(*function), shown(function->name) + "()", effects);
}

void EffectFinder::body(const CatalogRoutine& routine, const std::string& name, Effects& effects) {
    const bool plpgsql = routine.language == "plpgsql";
    if (!plpgsql && (routine.language != "sql" || routine.source.empty())) {
        note(effects, fmt::format("{}, a function in {}", name, printable(routine.language, 40)));
        effects.writes_unknown = effects.writes_unknown || routine.volatility == 'v';
        return;
    }
    const RoutineBody body = plpgsql ? read_plpgsql(routine.definition) : read_sql_body(routine.source);
    if (!body.opaque.empty()) {
        note(effects, fmt::format("{}, which {}", name, body.opaque));
        effects.writes_unknown = true;
    }
    context_.nested = true;
    context_.parameters = nullptr;
    context_.variables = body.variables;
    for (std::size_t i = 0; i < body.parameters.size() && body.parameters.size() == routine.arguments.size(); ++i) context_.variables[body.parameters[i]] = "=" + routine.arguments[i];
    // Records have the fields of what fills them.
    for (const std::string& sql : body.filling) {
        const SqlFacts facts = read_sql(sql);
        const Tables own = std::exchange(context_.tables, {});
        Tables filled = involved(facts);
        filled.insert(filled.end(), own.begin(), own.end());
        context_.tables = std::move(filled);
        context_.shadowed.insert(facts.shown.begin(), facts.shown.end());
    }
    for (const std::string& sql : body.statements) {
        const SqlFacts facts = read_sql(sql);
        if (facts.backslashes && !context_.has_strings) note(effects, fmt::format("what a backslash in a string means in {} (the log does not say the session's standard_conforming_strings)", name));
        if (!is_query(facts)) {
            note(effects, fmt::format("{} in {}", facts.kind.substr(0, facts.kind.size() - 4), name));
            effects.writes_unknown = true;
        }
        statement(facts, effects, true);
    }
    for (const std::string& sql : body.ordered) {
        const SqlFacts facts = read_sql(sql);
        if (facts.kind == "SelectStmt" && (!facts.outer || !is_total(*facts.outer, facts))) note(effects, fmt::format("which row comes first in a query of {}", name));
    }
    assignments(body, routine, name, effects);
    // Of a SQL function the last query gives the result, of several rows the first.
    if (!plpgsql && !body.statements.empty()) {
        const SqlFacts last = read_sql(body.statements.back());
        for (const std::string& to : routine.results) {
            SqlUse given;
            given.columns.assign(last.columns.begin(), last.columns.end());
            for (const std::string& from : types_of(given, last).names)
                if (type_kinds::is_timely(to) && type_kinds::is_timely(from) && from != to && !context_.has_zone) note(effects, fmt::format("the session's TimeZone, which the log does not say, in {}", name));
        }
        if (last.kind == "SelectStmt" && (!last.outer || !is_total(*last.outer, last))) note(effects, fmt::format("which row comes first in {}", name));
    }
}

/// PL/pgSQL turns what it is given into what the variable is, by way of text where there is no other.
void EffectFinder::assignments(const RoutineBody& body, const CatalogRoutine& routine, const std::string& name, Effects& effects) {
    const auto declared = [&](const std::string& target) -> std::string {
        if (target.empty()) return routine.results.size() == 1 ? routine.results.front() : "?";
        if (const auto variable = context_.variables.find(target); variable != context_.variables.end()) return variable->second == "UNKNOWN" ? "?" : variable_type(variable->second);
        const auto dot = target.rfind('.');
        if (!target.starts_with("new.") || dot == std::string::npos || context_.tables.empty()) return "?";
        const auto* column = context_.tables.back()->column(target.substr(dot + 1));
        return column == nullptr ? "?" : column->type;
    };
    for (const auto& [target, sql] : body.assigned) {
        const std::string to = declared(target);
        if (to == "trigger" || to == "event_trigger" || to == "void" || to == "record") continue;
        const SqlFacts facts = read_sql(sql);
        SqlUse given;
        given.columns.assign(facts.columns.begin(), facts.columns.end());
        for (const SqlCall& call : facts.calls) given.calls.push_back(call.name.name);
        for (const SqlUse& use : facts.uses) given.types.insert(given.types.end(), use.types.begin(), use.types.end());
        const Types types = types_of(given, facts);
        for (const std::string& from : types.names)
            if (const auto doubt = type_kinds::conversion_doubt(from, to, context_.has_zone)) note(effects, fmt::format("{} in {}", *doubt, name));
        const bool made = !facts.operators.empty() || !facts.calls.empty() || facts.literals.size() > 1;
        if (type_kinds::is_timely(to) && !to.starts_with('?') && made && !types.has_timely()) note(effects, fmt::format("a text that is read as a date or a time in {}", name));
    }
    // SELECT … INTO, FOR … IN: which of the variables, is not looked at.
    for (const std::string& sql : body.filling) {
        const SqlFacts facts = read_sql(sql);
        const Types types = types_of(facts.gives, facts);
        for (const auto& [variable, type] : context_.variables) {
            const std::string to = type == "UNKNOWN" ? "int4" : variable_type(type);
            for (const std::string& from : types.names)
                if (const auto doubt = type_kinds::conversion_doubt(from, to, context_.has_zone)) note(effects, fmt::format("{} in {}", *doubt, name));
        }
    }
    for (const auto& [variable, type] : context_.variables)
        if (body.fills && type != "UNKNOWN" && type_kinds::is_timely(variable_type(type))) note(effects, fmt::format("a date or time that a query fills in {}", name));
}

const Effects& EffectFinder::routine(const CatalogRoutine& routine, const std::shared_ptr<const CatalogTable>& of) {
    const auto key = std::pair{routine.oid, of ? of->oid : 0};
    const auto [entry, made] = routines_.try_emplace(key);
    if (!made) return entry->second;  // a recursion finds it unfinished: it is merged where it is done
    Effects effects;
    const std::string name = shown(routine.name) + "()";
    if (++depth_ > kDeepestCalls) {
        note(effects, "more functions than can be followed");
        effects.writes_unknown = true;
    } else {
        const Context outer = context_;
        const auto settled = std::exchange(settled_, {});
        context_.variables.clear();
        try {
            body(routine, name, effects);
        } catch (const StatementError& error) {
            note(effects, fmt::format("{}, of which {}", name, error.what));
            effects.writes_unknown = true;
        }
        context_ = outer;
        settled_ = settled;
    }
    --depth_;
    Effects& kept = routines_[key];
    kept = std::move(effects);
    return kept;
}

void EffectFinder::own_call(const CatalogRoutine& candidate, const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes) {
    const std::string name = shown(call.name) + "()";
    const bool compiled = candidate.language != "sql" && candidate.language != "plpgsql";
    if (candidate.kind == 'a') {
        if (writes) note(effects, fmt::format("the aggregate {}", name));
        return;
    }
    if (!candidate.extension.empty() && (compiled || is_harmless_extension(candidate.extension))) {
        if (candidate.volatility == 'i') {
            if (writes && takes_anything(candidate)) note(effects, fmt::format("how the session writes values as text ({})", name));
            return;
        }
        if (writes) note(effects, name);
        if (candidate.volatility == 'v' && !is_harmless_extension(candidate.extension)) {
            note(effects, fmt::format("{}, a function of extension {}", name, printable(candidate.extension, 64)));
            effects.writes_unknown = true;
        }
        return;
    }
    if (!candidate.defaults.empty() && call.arguments < candidate.arguments.size()) expression(candidate.defaults, fmt::format("the defaults of {}", name), effects);
    const Effects& inner = routine(candidate);
    merge(inner, name, effects);
    const bool one = facts.reads.empty() && std::ranges::all_of(facts.targets, [&](const SqlTarget& target) {
        return target.op == SqlTarget::Op::insert ? is_one_row(target) : target.only_pins && is_one_row(target);
    });
    if (one) return;
    if (!inner.writes.empty() || inner.writes_unknown) note(effects, fmt::format("the order of the rows for which {} is called, as it changes rows", name));
    if (candidate.volatility == 'v' && intersect(inner.reads, effects.writes)) note(effects, fmt::format("the order of the rows for which {} is called, as it reads what the statement changes", name));
}

void EffectFinder::builtin_call(const CatalogRoutine& candidate, const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes) {
    const std::string name = shown(call.name) + "()";
    if (candidate.kind == 'w' && writes) note(effects, "a window function");
    const Types types = writes ? types_of(call.use, facts) : Types{};
    const auto kind = function_kind(candidate.name.name, candidate.volatility, call.arguments, candidate.kind);
    // What is there for dates and times alone has no part in numbers.
    const bool timely = types.has_timely() || std::ranges::any_of(call.constants, [](const SqlOperand& constant) { return constant.kind == SqlOperand::Kind::string || constant.kind == SqlOperand::Kind::parameter; });
    const bool other = has_timely(candidate.arguments) && !timely;
    switch (kind) {
        case FunctionKind::steady:
            if (writes && !context_.has_zone && has_zoned(candidate.arguments) && types.has_timely()) note(effects, fmt::format("the session's TimeZone, which the log does not say ({})", name));
            break;
        case FunctionKind::harmless: break;
        case FunctionKind::clock:
            if (writes) note(effects, fmt::format("the clock ({})", name));
            break;
        case FunctionKind::chance: if (writes) note(effects, name); break;
        case FunctionKind::server:
            if (writes && !other) note(effects, name);
            break;
        case FunctionKind::sequence:
            if (writes) note(effects, fmt::format("the number that a sequence gave ({})", name));
            break;
        case FunctionKind::setting:
            // Which the log's reader has not seen as a SET.
            effects.changes_settings = true;
            break;
        case FunctionKind::objects:
            if (effects.refused.empty()) effects.refused = fmt::format("it works on large objects ({}), which are not replicated", name);
            break;
        case FunctionKind::sql:
            note(effects, fmt::format("{}, which runs a text as a query", name));
            effects.writes_unknown = true;
            break;
        case FunctionKind::text:
            for (const std::string& type : types.names)
                if (writes && !type_kinds::prints_alike(type)) note(effects, fmt::format("how the session writes {} as text ({})", type.starts_with('?') ? type.substr(1) : type, name));
            break;
        case FunctionKind::zone:
            if (writes && !context_.has_zone && !other) note(effects, fmt::format("the session's TimeZone, which the log does not say ({})", name));
            break;
        case FunctionKind::sum: {
            const bool powers = std::ranges::any_of(facts.operators, [](const std::string& name) { return name == "^" || name == "|/" || name == "||/" || name == "<->"; });
            const bool floats = powers || std::ranges::any_of(types.names, [](const std::string& type) { return type.starts_with("float") || type.starts_with('?'); });
            if (writes && floats) note(effects, "a sum over floating-point numbers (the order of the rows)");
            if (writes && call.distinct && !types.exact) note(effects, fmt::format("which of equal values {} takes", name));
            break;
        }
        case FunctionKind::choice:
            if (writes && !types.exact) note(effects, fmt::format("which of equal values {} takes", name));
            break;
        case FunctionKind::order: {
            // Ordered by all that goes in, or by a key.
            const bool all = !call.order.columns.empty() && call.plain_arguments && types.exact &&
                             std::ranges::all_of(call.use.columns, [&](const std::string& column) { return std::ranges::find(call.order.columns, column) != call.order.columns.end(); });
            if (writes && !all && (call.order.columns.empty() || !is_total(call.order, facts))) note(effects, fmt::format("{} without a total ORDER BY", name));
            for (const std::string& type : types.names)
                if (writes && name != "array_agg()" && !type_kinds::prints_alike(type)) note(effects, fmt::format("how the session writes {} as text ({})", type.starts_with('?') ? type.substr(1) : type, name));
            break;
        }
    }
}

void EffectFinder::call(const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes) {
    const bool used = writes && call.used;
    const auto& candidates = catalog_.routines(call.name, call.arguments);
    if (candidates.empty() && used) note(effects, fmt::format("{}(), which the scratch does not have", shown(call.name)));
    const bool several = std::ranges::any_of(candidates, [&](const CatalogRoutine& one) { return one.name.schema != candidates.front().name.schema; });
    if (several && used && call.name.schema.empty() && !context_.has_path && effects.refused.empty())
        effects.refused = fmt::format("{}() is a function of several schemas, and the log does not say the session's search_path: name the schema, or SET search_path", shown(call.name));
    for (const CatalogRoutine& candidate : candidates) {
        if (candidate.builtin)
            builtin_call(candidate, call, facts, effects, used);
        else
            own_call(candidate, call, facts, effects, used);
    }
}

}  // namespace rowferry
