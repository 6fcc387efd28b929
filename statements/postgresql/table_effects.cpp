#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "statements/postgresql/effects.h"
#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

// pg_trigger.tgtype
constexpr int kRow = 1;
constexpr int kInsert = 4;
constexpr int kDelete = 8;
constexpr int kUpdate = 16;
constexpr int kInstead = 64;

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

bool sets_a_key(const CatalogTable& table, const SqlTarget& target) {
    return std::ranges::any_of(table.keys, [&](const CatalogTable::Key& key) { return std::ranges::any_of(key.columns, [&](const std::string& column) { return holds(target.columns, column); }); });
}

}  // namespace

bool EffectFinder::is_one_row(const SqlTarget& target) {
    if (target.op == SqlTarget::Op::insert) return !target.from_query && target.rows.size() <= 1;
    if (target.op == SqlTarget::Op::merge) return false;
    const auto& found = catalog_.tables(target.table);
    return !found.empty() && std::ranges::all_of(found, [&](const auto& table) {
        return !table->in_tree && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
            return std::ranges::all_of(key.columns, [&](const std::string& column) { return std::ranges::find(target.pins, column, &SqlPin::column) != target.pins.end(); });
        });
    });
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

void EffectFinder::fire(const CatalogTable& table, const CatalogTable::Trigger& trigger, bool many, Effects& effects) {
    const std::string name = fmt::format("trigger {} of {}", printable(trigger.name, 64), to_string(table.name));
    const auto& self = catalog_.tables({table.name.schema, table.name.name});
    const auto shared = self.empty() ? nullptr : self.front();
    const Context outer = context_;
    if (shared) context_.tables.push_back(shared);
    if (!trigger.condition.empty()) expression(trigger.condition, name, effects);
    if (trigger.deferrable) note(effects, fmt::format("what {} sees, which may wait for the commit", name));
    if (const CatalogRoutine* function = catalog_.routine(trigger.function); function != nullptr) {
        const Effects& inner = routine(*function, shared);
        merge(inner, name, effects);
        if (many && (trigger.events & kRow) != 0) {
            if (inner.rearranges) note(effects, fmt::format("the order in which {} sees the rows, as it changes others", name));
            row_triggers_.push_back({name, inner.reads});
        }
    }
    context_ = outer;
}

/// Functions that every row goes through: of checks, domains, generated columns, indexes.
void EffectFinder::row_functions(const CatalogTable& table, Effects& effects) {
    const Context outer = context_;
    for (const std::uint32_t function : table.functions) by_number(function, effects);
    // All that a generated column may have is IMMUTABLE; PostgreSQL calls the text of floats so, too, though it depends on the session.
    const auto& self = catalog_.tables({table.name.schema, table.name.name});
    if (!self.empty()) context_.tables = {self.front()};
    for (const CatalogTable::Column& column : table.columns) {
        if (column.computed.empty()) continue;
        const std::string of = fmt::format("the generated column {}.{}", to_string(table.name), printable(column.name, 64));
        try {
            const SqlFacts facts = read_sql_expression(column.computed);
            const auto as_text = [&](const SqlUse& use, const std::string& to) {
                if (!type_kinds::is_text(to)) return;
                for (const std::string& from : types_of(use, facts).names)
                    if (!type_kinds::prints_alike(from)) note(effects, fmt::format("how the session writes {} as text in {}", from.starts_with('?') ? from.substr(1) : from, of));
            };
            for (const SqlUse& use : facts.uses)
                if (use.kind == SqlUse::Kind::cast) as_text(use, catalog_.type(use.type));
            // What its own type makes of it is not written there.
            if (facts.gives.calls.empty() && facts.gives.types.empty()) as_text(facts.gives, column.type);
        } catch (const StatementError& error) {
            note(effects, fmt::format("{}, of which {}", of, error.what));
        }
    }
    context_ = outer;
}

/// Rows of the table change, whoever does it. `many`: more than one of them, in an order that only the server knows.
void EffectFinder::change(const CatalogTable& table, int events, bool keys_change, bool direct, bool many, Effects& effects) {
    effects.writes.insert(table.name);
    if (!direct) effects.indirect.insert(table.name);
    if (!changed_.insert({table.name, events | (keys_change ? 1 : 0) | (many ? 2 : 0)}).second) return;
    if (++depth_ > kDeepestCalls) {
        note(effects, "more triggers and foreign keys than can be followed");
        effects.writes_unknown = true;
        return;
    }
    if (table.row_security && effects.refused.empty())
        effects.refused = fmt::format("{} has row security: which rows a statement gets at depends on its role, which the scratch does not have", to_string(table.name));
    if (table.kind == 'f' && effects.refused.empty()) effects.refused = fmt::format("{} is a foreign table", to_string(table.name));
    for (const CatalogTable::Trigger& trigger : table.triggers)
        if ((trigger.events & events) != 0) fire(table, trigger, many, effects);
    if ((events & (kInsert | kUpdate)) != 0) row_functions(table, effects);
    for (const CatalogTable::Cascade& cascade : table.cascades) {
        const bool acts = (cascade.on_delete && (events & kDelete) != 0) || (cascade.on_update && (events & kUpdate) != 0 && keys_change);
        if (!acts) continue;
        for (const auto& child : catalog_.tables({cascade.child.schema, cascade.child.name})) {
            change(*child, kDelete | kUpdate, true, false, true, effects);
            if (!cascade.sets_default) continue;
            for (const CatalogTable::Column& column : child->columns)
                if (column.fallback) expression(*column.fallback, fmt::format("the default of {}.{}", to_string(child->name), printable(column.name, 64)), effects);
        }
    }
    for (const std::string& rule : table.rules) {
        note(effects, fmt::format("a rule of {}", to_string(table.name)));
        effects.writes_unknown = effects.writes_unknown || !rule.empty();
    }
    if (table.in_tree)
        for (const TableName& member : catalog_.tree(table)) {
            for (const auto& part : catalog_.tables({member.schema, member.name})) change(*part, events, keys_change, direct, many, effects);
        }
    --depth_;
}

/// UPDATE … FROM takes any of the rows that it finds for one.
void EffectFinder::joined_rows(const SqlTarget& target, Effects& effects) {
    bool one_row = !target.joins_others && target.joined.size() == 1;
    if (one_row) {
        const auto& joined = resolve(target.joined.front(), effects);
        one_row = !joined.empty() && std::ranges::all_of(joined, [&](const auto& table) {
            return !table->in_tree && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
                return std::ranges::all_of(key.columns, [&](const std::string& column) { return holds(target.join_columns, "0." + column); });
            });
        });
    }
    if (!one_row) note(effects, "UPDATE … FROM, which may find several rows for one");
}

void EffectFinder::target(const SqlFacts& facts, const SqlTarget& target, Effects& effects) {
    if (target.op == SqlTarget::Op::lock) return;
    const int events = events_of(target);
    const bool many = !is_one_row(target);
    effects.rearranges = effects.rearranges || target.op != SqlTarget::Op::insert || target.on_conflict != SqlTarget::OnConflict::none;
    for (const auto& table : resolve(target.table, effects)) {
        if (table->system && effects.refused.empty()) effects.refused = fmt::format("it changes PostgreSQL's own catalog ({})", to_string(table->name));
        const bool keys_change = target.op != SqlTarget::Op::update || sets_a_key(*table, target) || target.on_conflict == SqlTarget::OnConflict::update;
        if (table->kind == 'v') {
            const bool instead = std::ranges::any_of(table->triggers, [&](const auto& trigger) { return (trigger.events & kInstead) != 0 && (trigger.events & events) != 0; });
            try {
                const SqlFacts below = read_sql(table->view);
                for (const SqlName& name : below.reads)
                    for (const auto& base : catalog_.tables(name)) {
                        if (instead)
                            effects.reads.insert(base->name);
                        else if (base->kind == 'v')
                            note(effects, fmt::format("a view over the view {}", to_string(base->name)));
                        else
                            change(*base, events, true, false, many, effects);
                        // Which of its columns the view leaves out, or calls something else, is not followed: all defaults count.
                        const bool falls_back = target.op == SqlTarget::Op::insert || target.op == SqlTarget::Op::merge ||
                                                (!target.rows.empty() && std::ranges::any_of(target.rows[0], [](const SqlOperand& set) { return set.kind == SqlOperand::Kind::fallback; }));
                        if (!instead && falls_back) defaults(*base, SqlTarget{}, effects);
                    }
                view(*table, effects, true);
            } catch (const StatementError& error) {
                note(effects, fmt::format("the view {}, of which {}", to_string(table->name), error.what));
            }
        }
        change(*table, events, keys_change, true, many, effects);
        if (target.op == SqlTarget::Op::insert || target.op == SqlTarget::Op::merge) defaults(*table, target, effects);
        if (target.op == SqlTarget::Op::update)
            for (std::size_t i = 0; i < target.columns.size() && !target.rows.empty(); ++i)
                if (const auto* column = table->column(target.columns[i]); column != nullptr && column->fallback && i < target.rows[0].size() && target.rows[0][i].kind == SqlOperand::Kind::fallback)
                    expression(*column->fallback, fmt::format("the default of {}.{}", to_string(table->name), printable(column->name, 64)), effects);
        settle(*table, target, effects);
        outputs(target, *table, facts, effects);
    }
    if (target.op == SqlTarget::Op::insert && target.from_query && target.on_conflict == SqlTarget::OnConflict::nothing)
        note(effects, "INSERT … SELECT … ON CONFLICT DO NOTHING (which of the rows is the first)");
    if (target.op == SqlTarget::Op::update && (target.joins_others || !target.joined.empty())) joined_rows(target, effects);
}

/// What a view's query does and gives.
void EffectFinder::view(const CatalogTable& table, Effects& effects, bool writes) {
    if (!views_.insert({table.name, writes}).second) return;
    const Context outer = context_;
    context_.nested = true;
    context_.parameters = nullptr;
    try {
        const SqlFacts facts = read_sql(table.view);
        Effects inner;
        statement(facts, inner, writes);
        merge(inner, fmt::format("the view {}", to_string(table.name)), effects);
    } catch (const StatementError& error) {
        note(effects, fmt::format("the view {}, of which {}", to_string(table.name), error.what));
    }
    context_ = outer;
}

void EffectFinder::read(const SqlName& name, const SqlFacts& facts, Effects& effects, bool writes) {
    // What only reads may also read what cannot be told apart: nothing comes of it.
    const auto& found = writes ? resolve(name, effects) : catalog_.tables(name);
    if (found.empty() && !facts.common.contains(name.name)) return;  // the statement will fail, and say so
    for (const auto& table : found) {
        if (table->kind == 'v' && !table->system) view(*table, effects, writes);
        if (!writes) continue;
        if (table->system) {
            note(effects, fmt::format("the catalog ({})", to_string(table->name)));
            continue;
        }
        if (table->row_security && effects.refused.empty()) effects.refused = fmt::format("{} has row security, which the scratch does not know the role for", to_string(table->name));
        if (table->kind == 'S') note(effects, fmt::format("the sequence {}", to_string(table->name)));
        if (table->kind == 'f') note(effects, fmt::format("the foreign table {}", to_string(table->name)));
        if (table->kind == 'm') note(effects, fmt::format("the materialized view {}, which is refreshed at another time", to_string(table->name)));
        if (table->kind == 'r' || table->kind == 'p' || table->kind == 'm') {
            effects.reads.insert(table->name);
            if (table->in_tree)
                for (const TableName& member : catalog_.tree(*table)) effects.reads.insert(member);
        }
    }
}

}  // namespace rowferry
