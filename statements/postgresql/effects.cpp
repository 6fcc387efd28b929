#include "statements/postgresql/effects.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "statements/postgresql/function_kinds.h"

namespace rowferry {
namespace {

// pg_trigger.tgtype
constexpr int kInsert = 4;
constexpr int kDelete = 8;
constexpr int kUpdate = 16;
constexpr int kTruncate = 32;
constexpr int kInstead = 64;

constexpr int kDeepestCalls = 40;

void note(Effects& effects, std::string reason) {
    if (std::ranges::find(effects.undetermined, reason) == effects.undetermined.end()) effects.undetermined.push_back(std::move(reason));
}

std::string shown(const SqlName& name) { return printable(name.schema.empty() ? name.name : name.schema + "." + name.name, 130); }

int events_of(const SqlTarget& target) {
    switch (target.op) {
        case SqlTarget::Op::insert: return kInsert | (target.on_conflict == SqlTarget::OnConflict::update ? kUpdate : 0);
        case SqlTarget::Op::update: return kUpdate;
        case SqlTarget::Op::remove: return kDelete;
        case SqlTarget::Op::merge: return kInsert | kUpdate | kDelete;
        case SqlTarget::Op::lock: return 0;
    }
    return 0;
}

bool is_time(const std::string& type) { return type == "date" || type.starts_with("timestamp") || type == "time" || type == "timetz"; }

bool has_setting(const LoggedSession& session, std::string_view name) {
    return std::ranges::any_of(session.settings, [&](const auto& setting) { return setting.first == name; });
}

}  // namespace

const std::vector<std::shared_ptr<const CatalogTable>>& EffectFinder::resolve(const SqlName& name, Effects& effects) {
    const auto& found = catalog_.tables(name);
    if (found.size() > 1 && name.schema.empty() && !context_.has_path && effects.refused.empty())
        effects.refused = fmt::format("{} is a table of several schemas, and the log does not say the session's search_path: name the schema, or SET search_path", shown(name));
    return found;
}

void EffectFinder::expression(const std::string& sql, const std::string& of, Effects& effects) {
    try {
        const bool nested = std::exchange(context_.nested, true);
        const auto* parameters = std::exchange(context_.parameters, nullptr);
        Effects inner;
        statement(read_sql_expression(sql), inner, true);
        context_.nested = nested;
        context_.parameters = parameters;
        for (const std::string& reason : inner.undetermined) note(effects, fmt::format("{} in {}", reason, of));
        effects.reads.merge(inner.reads);
        for (const TableName& table : inner.writes) effects.indirect.insert(table);
        effects.writes.merge(inner.writes);
        effects.writes_unknown = effects.writes_unknown || inner.writes_unknown;
        if (effects.refused.empty()) effects.refused = inner.refused;
    } catch (const StatementError& error) {
        note(effects, fmt::format("{}, of which {}", of, error.what));
    }
}

/// The columns that an INSERT leaves to their defaults.
void EffectFinder::defaults(const CatalogTable& table, const SqlTarget& target, Effects& effects) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const CatalogTable::Column& column = table.columns[i];
        if (!column.fallback) continue;
        std::size_t place = i;
        if (!target.columns.empty()) place = static_cast<std::size_t>(std::ranges::find(target.columns, column.name) - target.columns.begin());
        const bool named = target.columns.empty() || place < target.columns.size();
        const bool given = target.from_query ? named && !target.columns.empty()
                                             : named && !target.rows.empty() &&
                                                   std::ranges::all_of(target.rows, [&](const auto& row) { return place < row.size() && row[place].kind != SqlOperand::Kind::fallback; });
        // INSERT … SELECT without names: how many columns it gives is not known here.
        if (given) continue;
        expression(*column.fallback, fmt::format("the default of {}.{}", to_string(table.name), printable(column.name, 64)), effects);
    }
}

void EffectFinder::literal(const CatalogTable::Column& column, const SqlOperand& operand, Effects& effects, std::size_t& settled) {
    std::string value = operand.text;
    if (operand.kind == SqlOperand::Kind::parameter) {
        if (context_.parameters == nullptr || operand.number < 1 || static_cast<std::size_t>(operand.number) > context_.parameters->size()) return;
        const auto& parameter = (*context_.parameters)[static_cast<std::size_t>(operand.number - 1)];
        if (!parameter) return;
        value = *parameter;
    } else if (operand.kind != SqlOperand::Kind::string) {
        return;
    }
    if (!is_time(column.type)) {
        // 'now' in a text column is a text.
        if (operand.kind == SqlOperand::Kind::string) ++settled;
        return;
    }
    const auto digit = [&](std::size_t at) { return at < value.size() && std::isdigit(static_cast<unsigned char>(value[at])) != 0; };
    if (column.type == "time" || column.type == "timetz") return;
    const bool iso = digit(0) && digit(1) && digit(2) && digit(3) && value.size() > 4 && value[4] == '-' && digit(5);
    const bool endless = value == "infinity" || value == "-infinity" || value == "epoch";
    if (!iso && !endless)
        note(effects, fmt::format("a date or time for {} that is not written as 2026-11-20 (its meaning depends on the session)", printable(column.name, 64)));
    else if (column.type == "timestamptz" && iso && !context_.has_zone && value.find_last_of("+-Zz") < 11 && !value.ends_with('Z') && !value.ends_with('z'))
        note(effects, fmt::format("a time without its zone for {} (the log does not say the session's TimeZone)", printable(column.name, 64)));
    if (operand.kind == SqlOperand::Kind::string) ++settled;
}

/// Constants for columns of this table: what they mean is known with the column's type.
void EffectFinder::literals(const CatalogTable& table, const SqlTarget& target, Effects& effects, std::size_t& settled) {
    for (const auto& row : target.rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            const CatalogTable::Column* column = nullptr;
            if (target.columns.empty())
                column = i < table.columns.size() ? &table.columns[i] : nullptr;
            else if (i < target.columns.size())
                column = table.column(target.columns[i]);
            if (column != nullptr) literal(*column, row[i], effects, settled);
        }
    for (const SqlPin& pin : target.pins)
        if (const auto* column = table.column(pin.column)) literal(*column, pin.value, effects, settled);
}

/// Rows of the table change, whoever does it.
void EffectFinder::change(const CatalogTable& table, int events, bool keys_change, bool direct, Effects& effects) {
    effects.writes.insert(table.name);
    if (!direct) effects.indirect.insert(table.name);
    if (!changed_.insert({table.name, events | (keys_change ? 1 : 0)}).second) return;
    if (++depth_ > kDeepestCalls) {
        note(effects, "more triggers and foreign keys than can be followed");
        effects.writes_unknown = true;
        return;
    }
    if (table.row_security && effects.refused.empty())
        effects.refused = fmt::format("{} has row security: which rows a statement gets at depends on its role, which the scratch does not have", to_string(table.name));
    if (table.kind == 'f' && effects.refused.empty()) effects.refused = fmt::format("{} is a foreign table", to_string(table.name));
    for (const CatalogTable::Trigger& trigger : table.triggers) {
        if ((trigger.events & events) == 0) continue;
        const std::string name = fmt::format("trigger {} of {}", printable(trigger.name, 64), to_string(table.name));
        if (!trigger.condition.empty()) expression(trigger.condition, name, effects);
        const CatalogRoutine* function = catalog_.routine(trigger.function);
        if (function == nullptr) continue;
        Effects inner;
        routine(*function, inner);
        for (const std::string& reason : inner.undetermined) note(effects, fmt::format("{} in {}", reason, name));
        if (effects.refused.empty()) effects.refused = inner.refused;
        effects.reads.merge(inner.reads);
        for (const TableName& written : inner.writes) effects.indirect.insert(written);
        effects.writes.merge(inner.writes);
        effects.writes_unknown = effects.writes_unknown || inner.writes_unknown;
    }
    for (const CatalogTable::Cascade& cascade : table.cascades) {
        const bool acts = (cascade.on_delete && (events & kDelete) != 0) || (cascade.on_update && (events & kUpdate) != 0 && keys_change);
        if (!acts) continue;
        for (const auto& child : catalog_.tables({cascade.child.schema, cascade.child.name})) change(*child, kDelete | kUpdate, true, false, effects);
    }
    for (const std::string& rule : table.rules) {
        note(effects, fmt::format("a rule of {}", to_string(table.name)));
        effects.writes_unknown = effects.writes_unknown || !rule.empty();
    }
    if (table.in_tree)
        for (const TableName& member : catalog_.tree(table)) {
            for (const auto& part : catalog_.tables({member.schema, member.name})) change(*part, events, keys_change, direct, effects);
        }
    --depth_;
}

void EffectFinder::target(const SqlFacts& facts, const SqlTarget& target, Effects& effects) {
    if (target.op == SqlTarget::Op::lock) return;
    const int events = events_of(target);
    std::size_t settled = 0;
    for (const auto& table : resolve(target.table, effects)) {
        if (table->system && effects.refused.empty()) effects.refused = fmt::format("it changes PostgreSQL's own catalog ({})", to_string(table->name));
        const bool keys_change = target.op != SqlTarget::Op::update || std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
                                     return std::ranges::any_of(key.columns, [&](const std::string& column) { return std::ranges::find(target.columns, column) != target.columns.end(); });
                                 }) || target.on_conflict == SqlTarget::OnConflict::update;
        if (table->kind == 'v') {
            const bool instead = std::ranges::any_of(table->triggers, [&](const auto& trigger) { return (trigger.events & kInstead) != 0 && (trigger.events & events) != 0; });
            try {
                const SqlFacts view = read_sql(table->view);
                for (const SqlName& below : view.reads)
                    for (const auto& base : catalog_.tables(below)) {
                        if (instead)
                            effects.reads.insert(base->name);
                        else if (base->kind == 'v')
                            note(effects, fmt::format("a view over the view {}", to_string(base->name)));
                        else
                            change(*base, events, true, false, effects);
                        if (!instead && target.op == SqlTarget::Op::insert) defaults(*base, target, effects);
                    }
                statement(view, effects, true);
            } catch (const StatementError& error) {
                note(effects, fmt::format("the view {}, of which {}", to_string(table->name), error.what));
            }
        }
        change(*table, events, keys_change, true, effects);
        if (target.op == SqlTarget::Op::insert || target.op == SqlTarget::Op::merge) defaults(*table, target, effects);
        if (target.op == SqlTarget::Op::update)
            for (std::size_t i = 0; i < target.columns.size() && !target.rows.empty(); ++i)
                if (const auto* column = table->column(target.columns[i]); column != nullptr && column->fallback && i < target.rows[0].size() && target.rows[0][i].kind == SqlOperand::Kind::fallback)
                    expression(*column->fallback, fmt::format("the default of {}.{}", to_string(table->name), printable(column->name, 64)), effects);
        literals(*table, target, effects, settled);
    }
    if (target.op == SqlTarget::Op::insert && target.from_query && target.on_conflict == SqlTarget::OnConflict::nothing)
        note(effects, "INSERT … SELECT … ON CONFLICT DO NOTHING (which of the rows is the first)");
    if (target.op == SqlTarget::Op::update && (target.joins_others || !target.joined.empty())) {
        bool one_row = !target.joins_others && target.joined.size() == 1;
        if (one_row)
            for (const auto& table : resolve(target.joined.front(), effects))
                one_row = one_row && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
                              return std::ranges::all_of(key.columns, [&](const std::string& column) {
                                  return std::ranges::any_of(target.join_columns, [&](const std::string& joined) { return joined.ends_with("." + column); });
                              });
                          });
        if (!one_row) note(effects, "UPDATE … FROM, which may find several rows for one");
    }
    // Words in places whose type is not known here count as the clock.
    if (facts.clock_words.size() > settled) note(effects, "the clock ('now', 'today' … as a date or time)");
    else if (!facts.clock_words.empty() && std::ranges::any_of(effects.undetermined, [](const std::string& reason) { return reason.starts_with("a date or time for"); }))
        note(effects, "the clock ('now', 'today' … as a date or time)");
}

void EffectFinder::read(const SqlName& name, const SqlFacts& facts, Effects& effects) {
    const auto& found = resolve(name, effects);
    if (found.empty() && !facts.common.contains(name.name)) return;  // the statement will fail, and say so
    for (const auto& table : found) {
        if (table->system) {
            note(effects, fmt::format("the catalog ({})", to_string(table->name)));
            continue;
        }
        if (table->row_security && effects.refused.empty()) effects.refused = fmt::format("{} has row security, which the scratch does not know the role for", to_string(table->name));
        if (table->kind == 'S') note(effects, fmt::format("the sequence {}", to_string(table->name)));
        if (table->kind == 'f') note(effects, fmt::format("the foreign table {}", to_string(table->name)));
        if (table->kind == 'v' && views_.insert(table->name).second) {
            try {
                statement(read_sql(table->view), effects, true);
            } catch (const StatementError& error) {
                note(effects, fmt::format("the view {}, of which {}", to_string(table->name), error.what));
            }
        }
        if (table->kind == 'r' || table->kind == 'p' || table->kind == 'm') {
            effects.reads.insert(table->name);
            if (table->in_tree)
                for (const TableName& member : catalog_.tree(*table)) effects.reads.insert(member);
        }
        if (facts.sums && table->float_columns) note(effects, "a sum over floating-point numbers (the order of the rows)");
    }
}

void EffectFinder::routine(const CatalogRoutine& routine, Effects& effects) {
    const std::string name = shown(routine.name) + "()";
    if (!routines_.insert(routine.oid).second) return;
    if (++depth_ > kDeepestCalls) {
        note(effects, "more functions than can be followed");
        effects.writes_unknown = true;
        return;
    }
    try {
        const bool plpgsql = routine.language == "plpgsql";
        if (!plpgsql && (routine.language != "sql" || routine.source.empty())) {
            note(effects, fmt::format("{}, a function in {}", name, printable(routine.language, 40)));
            effects.writes_unknown = effects.writes_unknown || routine.volatility == 'v';
            --depth_;
            return;
        }
        const RoutineBody body = plpgsql ? read_plpgsql(routine.definition) : read_sql_body(routine.source);
        if (body.opaque) {
            note(effects, fmt::format("{}, which puts statements together while it runs", name));
            effects.writes_unknown = true;
        }
        const bool nested = std::exchange(context_.nested, true);
        const auto* parameters = std::exchange(context_.parameters, nullptr);
        for (const std::string& sql : body.statements) {
            const SqlFacts facts = read_sql(sql);
            const bool known = facts.kind == "SelectStmt" || facts.kind == "InsertStmt" || facts.kind == "UpdateStmt" || facts.kind == "DeleteStmt" || facts.kind == "MergeStmt";
            if (!known) {
                note(effects, fmt::format("{} in {}", facts.kind.substr(0, facts.kind.size() - 4), name));
                effects.writes_unknown = true;
            }
            // Its variables look like columns, and columns like variables: pins are none of this statement's own.
            statement(facts, effects, true);
        }
        context_.nested = nested;
        context_.parameters = parameters;
    } catch (const StatementError& error) {
        note(effects, fmt::format("{}, of which {}", name, error.what));
        effects.writes_unknown = true;
    }
    --depth_;
}

void EffectFinder::call(const SqlCall& call, Effects& effects, bool writes) {
    const auto& candidates = catalog_.routines(call.name, call.arguments);
    if (candidates.empty() && writes) note(effects, fmt::format("{}(), which the scratch does not have", shown(call.name)));
    for (const CatalogRoutine& candidate : candidates) {
        const std::string name = shown(call.name) + "()";
        if (!candidate.builtin) {
            if (candidate.volatility == 'i') continue;
            if (candidate.of_extension) {
                if (writes && candidate.volatility == 'v') note(effects, name);
                continue;
            }
            routine(candidate, effects);
            continue;
        }
        switch (function_kind(candidate.name.name, candidate.volatility, call.arguments)) {
            case FunctionKind::steady:
            case FunctionKind::harmless: break;
            case FunctionKind::clock:
                if (writes) note(effects, fmt::format("the clock ({})", name));
                break;
            case FunctionKind::chance:
            case FunctionKind::server:
                if (writes) note(effects, name);
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
        }
    }
}

void EffectFinder::limits(const SqlFacts& facts, Effects& effects) {
    for (const SqlLimit& limit : facts.limits) {
        bool total = false;
        if (limit.table) {
            const auto& found = catalog_.tables(*limit.table);
            total = !found.empty() && std::ranges::all_of(found, [&](const auto& table) {
                return !table->in_tree && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
                           return std::ranges::all_of(key.columns, [&](const std::string& column) { return std::ranges::find(limit.order, column) != limit.order.end(); });
                       });
            });
        }
        if (!total) note(effects, "LIMIT without a total order (ORDER BY a unique key)");
    }
}

/// `writes`: what it gives goes somewhere. Else only what its functions do by themselves matters.
void EffectFinder::statement(const SqlFacts& facts, Effects& effects, bool writes) {
    for (const SqlTarget& each : facts.targets) target(facts, each, effects);
    for (const SqlCall& each : facts.calls) call(each, effects, writes);
    if (!writes) return;
    for (const SqlName& name : facts.reads) read(name, facts, effects);
    if (facts.sums)
        for (const SqlTarget& each : facts.targets)
            for (const auto& table : catalog_.tables(each.table))
                if (table->float_columns) note(effects, "a sum over floating-point numbers (the order of the rows)");
    for (const std::string& clock : facts.clock) note(effects, fmt::format("the clock ({})", clock));
    for (const std::string& identity : facts.identity) note(effects, fmt::format("who ran it ({})", identity));
    for (const std::string& weakness : facts.weaknesses) note(effects, weakness);
    for (const std::string& name : facts.operators)
        if (catalog_.unsteady_operator(name)) note(effects, fmt::format("operator {}", printable(name, 40)));
    if (facts.targets.empty() && !facts.clock_words.empty()) note(effects, "the clock ('now', 'today' … as a date or time)");
    limits(facts, effects);
}

void EffectFinder::begin(const std::vector<std::optional<std::string>>* parameters, const LoggedSession& session) {
    context_ = {parameters, has_setting(session, "search_path"), has_setting(session, "timezone"), false};
    routines_.clear();
    changed_.clear();
    views_.clear();
    depth_ = 0;
}

Effects EffectFinder::find_truncate(const SqlFacts& facts, const LoggedSession& session) {
    begin(nullptr, session);
    Effects effects;
    for (const SqlName& name : facts.reads)
        for (const auto& table : resolve(name, effects)) {
            change(*table, kTruncate, false, true, effects);
            // Children go with it only where it says so, or has partitions; the tables that refer to it only with CASCADE. All of them is more than it is.
            if (!facts.cascade) continue;
            std::vector<TableName> reached{table->name};
            for (std::size_t i = 0; i < reached.size(); ++i)
                for (const TableName& child : catalog_.referring(reached[i])) {
                    if (std::ranges::find(reached, child) != reached.end()) continue;
                    reached.push_back(child);
                    for (const auto& each : catalog_.tables({child.schema, child.name})) change(*each, kTruncate, false, false, effects);
                }
        }
    return effects;
}

Effects EffectFinder::find_routine(const SqlFacts& facts, const LoggedStatement& logged, const LoggedSession& session) {
    begin(&logged.parameters, session);
    Effects effects;
    if (facts.kind == "CallStmt") {
        for (const SqlCall& each : facts.calls) call(each, effects, true);
        return effects;
    }
    CatalogRoutine block;
    block.name = {"", "DO"};
    block.language = facts.language.empty() ? "plpgsql" : facts.language;
    block.definition = "CREATE FUNCTION rowferry_do() RETURNS void LANGUAGE plpgsql AS " + quote_literal(facts.body);
    block.source = facts.body;
    routine(block, effects);
    return effects;
}

Effects EffectFinder::find(const SqlFacts& facts, const LoggedStatement& logged, const LoggedSession& session) {
    begin(&logged.parameters, session);
    Effects effects;
    const bool changes = std::ranges::any_of(facts.targets, [](const SqlTarget& target) { return target.op != SqlTarget::Op::lock; });
    const bool only_reads = facts.kind == "SelectStmt" && !changes && !facts.into_table;
    statement(facts, effects, !only_reads);
    // A function of a SELECT that changes rows makes all of it count.
    if (only_reads && (!effects.writes.empty() || effects.writes_unknown)) {
        routines_.clear();
        changed_.clear();
        statement(facts, effects, true);
    }
    return effects;
}

}  // namespace rowferry
