#include "statements/postgresql/effects.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

// pg_trigger.tgtype
constexpr int kTruncate = 32;

}  // namespace

bool EffectFinder::is_set(const LoggedSession& session, std::string_view setting) {
    const auto found = std::ranges::find(session.settings, setting, [](const auto& carried) { return std::string_view{carried.first}; });
    if (found == session.settings.end()) return false;
    try {
        // What the connection brought with it is in no log. "$user" is another one here.
        const SqlFacts facts = read_sql(found->second);
        return !facts.resets && facts.value.find("$user") == std::string::npos;
    } catch (const StatementError&) {
        return false;
    }
}

void note(Effects& effects, std::string reason) {
    if (std::ranges::find(effects.undetermined, reason) == effects.undetermined.end()) effects.undetermined.push_back(std::move(reason));
}

std::string shown(const SqlName& name) { return printable(name.schema.empty() ? name.name : name.schema + "." + name.name, 130); }

const std::vector<std::shared_ptr<const CatalogTable>>& EffectFinder::resolve(const SqlName& name, Effects& effects) {
    const auto& found = catalog_.tables(name);
    if (found.size() > 1 && name.schema.empty() && !context_.has_path && effects.refused.empty())
        effects.refused = fmt::format("{} is a table of several schemas, and the log does not say the session's search_path: name the schema, or SET search_path", shown(name));
    return found;
}

void EffectFinder::merge(const Effects& inner, const std::string& of, Effects& effects) const {
    for (const std::string& reason : inner.undetermined) note(effects, of.empty() ? reason : fmt::format("{} in {}", reason, of));
    effects.reads.insert(inner.reads.begin(), inner.reads.end());
    effects.indirect.insert(inner.writes.begin(), inner.writes.end());
    effects.writes.insert(inner.writes.begin(), inner.writes.end());
    effects.writes_unknown = effects.writes_unknown || inner.writes_unknown;
    effects.rearranges = effects.rearranges || inner.rearranges;
    effects.settings_inside = effects.settings_inside || inner.settings_inside || inner.changes_settings;
    if (effects.refused.empty()) effects.refused = inner.refused;
}

void EffectFinder::expression(const std::string& sql, const std::string& of, Effects& effects) {
    const Context outer = context_;
    try {
        context_.nested = true;
        context_.parameters = nullptr;
        Effects inner;
        statement(read_sql_expression(sql), inner, true);
        merge(inner, of, effects);
    } catch (const StatementError& error) {
        note(effects, fmt::format("{}, of which {}", of, error.what));
    }
    context_ = outer;
}

/// `writes`: what it gives goes somewhere. Else only what its functions do by themselves matters.
void EffectFinder::statement(const SqlFacts& facts, Effects& effects, bool writes) {
    for (const SqlTarget& each : facts.targets) target(facts, each, effects);
    for (const SqlCall& each : facts.calls) call(each, facts, effects, writes);
    for (const SqlName& name : facts.reads) read(name, facts, effects, writes);
    if (!writes) return;
    for (const std::string& clock : facts.clock) note(effects, fmt::format("the clock ({})", clock));
    for (const std::string& identity : facts.identity) note(effects, fmt::format("who ran it ({})", identity));
    for (const std::string& weakness : facts.weaknesses) note(effects, weakness);
    for (const std::string& name : facts.operators)
        for (const std::uint32_t function : catalog_.operators(name)) by_number(function, effects);
    for (const std::uint32_t function : catalog_.casts()) by_number(function, effects);
    values(facts, effects);
    orders(facts, effects);
    const auto same = [](const SqlTarget& a, const SqlTarget& b) { return a.op != SqlTarget::Op::lock && b.op != SqlTarget::Op::lock && a.table.name == b.table.name; };
    for (std::size_t i = 0; i < facts.targets.size(); ++i)
        for (std::size_t j = i + 1; j < facts.targets.size(); ++j)
            if (same(facts.targets[i], facts.targets[j])) note(effects, fmt::format("several changes of {} in one statement (which of them comes first)", shown(facts.targets[i].table)));
}

void EffectFinder::begin(const LoggedStatement* logged, const LoggedSession& session) {
    context_ = {};
    if (logged != nullptr) {
        context_.parameters = &logged->parameters;
        context_.at_once = logged->prepared.empty() && !logged->extended;
    }
    context_.has_nulls = is_set(session, "array_nulls");
    context_.has_path = is_set(session, "search_path");
    context_.has_zone = is_set(session, "timezone");
    context_.has_strings = is_set(session, "standard_conforming_strings");
    routines_.clear();
    changed_.clear();
    views_.clear();
    settled_.clear();
    row_triggers_.clear();
    depth_ = 0;
}

void EffectFinder::finish(Effects& effects) {
    for (const RowTrigger& trigger : row_triggers_)
        if (std::ranges::any_of(trigger.reads, [&](const TableName& table) { return effects.writes.contains(table); }))
            note(effects, fmt::format("the order of the rows that {} sees, as it reads what the statement changes", trigger.name));
    if (effects.settings_inside && effects.refused.empty()) effects.refused = "a function or trigger of it changes settings (set_config)";
    // Such a table is gone when the leader's rows are taken.
    const bool temporary = std::ranges::any_of(effects.writes, [](const TableName& table) { return table.schema.starts_with("pg_temp"); });
    if (temporary && !effects.undetermined.empty() && effects.refused.empty()) effects.refused = fmt::format("rows of a temporary table depend on {}", effects.undetermined.front());
}

Effects EffectFinder::find_truncate(const SqlFacts& facts, const LoggedSession& session) {
    begin(nullptr, session);
    Effects effects;
    for (const SqlName& name : facts.reads)
        for (const auto& table : resolve(name, effects)) {
            change(*table, kTruncate, false, true, true, effects);
            // Children go with it only where it says so, or has partitions; the tables that refer to it only with CASCADE. All of them is more than it is.
            if (!facts.cascade) continue;
            std::vector<TableName> reached{table->name};
            for (std::size_t i = 0; i < reached.size(); ++i)
                for (const TableName& child : catalog_.referring(reached[i])) {
                    if (std::ranges::find(reached, child) != reached.end()) continue;
                    reached.push_back(child);
                    for (const auto& each : catalog_.tables({child.schema, child.name})) change(*each, kTruncate, false, false, true, effects);
                }
        }
    finish(effects);
    return effects;
}

Effects EffectFinder::find_routine(const SqlFacts& facts, const LoggedStatement& logged, const LoggedSession& session) {
    begin(&logged, session);
    Effects effects;
    if (facts.kind == "CallStmt") {
        statement(facts, effects, true);
    } else {
        CatalogRoutine block;
        block.name = {"", "DO"};
        block.language = facts.language.empty() ? "plpgsql" : facts.language;
        block.definition = "CREATE FUNCTION rowferry_do() RETURNS void LANGUAGE plpgsql AS " + quote_literal(facts.body);
        block.source = facts.body;
        merge(routine(block), {}, effects);
    }
    finish(effects);
    return effects;
}

Effects EffectFinder::find_alteration(const SqlFacts& facts, const LoggedStatement& logged, const LoggedSession& session) {
    begin(&logged, session);
    Effects effects;
    statement(facts, effects, true);
    effects.reads.clear();
    for (const SqlName& name : facts.reads)
        for (const auto& each : resolve(name, effects)) effects.writes.insert(each->name);
    if (facts.numbers_rows) note(effects, "the order in which existing rows are numbered");
    for (const SqlType& type : facts.given)
        if (const auto fallback = catalog_.domain_default(type)) expression(*fallback, fmt::format("the default of domain {}", shown(type.name)), effects);
    return effects;
}

Effects EffectFinder::find_definition(const SqlFacts& facts, const LoggedSession& session) {
    begin(nullptr, session);
    context_.nested = true;
    context_.definition = true;
    Effects effects;
    literals(facts, effects);
    for (const std::string& weakness : facts.weaknesses)
        if (weakness.starts_with("= NULL")) note(effects, weakness);
    return effects;
}

Effects EffectFinder::find(const SqlFacts& facts, const LoggedStatement& logged, const LoggedSession& session) {
    Effects effects;
    const bool changes = std::ranges::any_of(facts.targets, [](const SqlTarget& target) { return target.op != SqlTarget::Op::lock; });
    const bool query = facts.kind == "SelectStmt" || facts.kind == "DeclareCursorStmt" || facts.kind == "CopyStmt";
    const bool only_reads = query && !changes && !facts.into_table;
    begin(&logged, session);
    statement(facts, effects, !only_reads);
    // A function of a SELECT that changes rows makes all of it count.
    if (only_reads && (!effects.writes.empty() || effects.writes_unknown)) {
        begin(&logged, session);
        statement(facts, effects, true);
    }
    finish(effects);
    return effects;
}

}  // namespace rowferry
