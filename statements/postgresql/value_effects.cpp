#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "statements/postgresql/effects.h"
#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

using type_kinds::conversion_doubt;

bool is_time_of_day_and_year(const std::string& type) { return type_kinds::is_timely(type) && type != "interval" && !type.starts_with('?') && type != "money" && !type.starts_with("reg"); }

bool joins_as_it_is(const std::string& type) { return type.starts_with('_') || type == "jsonb" || type == "tsvector" || type == "bit" || type == "varbit" || type == "bytea"; }

}  // namespace

bool EffectFinder::Types::has_timely() const {
    return std::ranges::any_of(names, [](const std::string& type) { return type_kinds::is_timely(type); });
}

/// All tables whose columns the statement may name.
EffectFinder::Tables EffectFinder::involved(const SqlFacts& facts) {
    Tables tables = context_.tables;
    const auto add = [&](const SqlName& name) {
        for (const auto& table : catalog_.tables(name))
            if (std::ranges::find(tables, table) == tables.end()) tables.push_back(table);
    };
    for (const SqlTarget& target : facts.targets) add(target.table);
    for (const SqlName& name : facts.reads) add(name);
    return tables;
}

/// As PL/pgSQL declares it: `int`, `account.amount%TYPE`.
std::string EffectFinder::variable_type(const std::string& declared) {
    constexpr std::string_view kLike = "%type";
    if (declared.starts_with('=')) return declared.substr(1);
    std::string lower = declared;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower.ends_with(kLike)) {
        lower.erase(lower.size() - kLike.size());
        const auto dot = lower.rfind('.');
        if (dot == std::string::npos) return "?" + lower;
        const auto before = lower.rfind('.', dot - 1);
        const SqlName table{before == std::string::npos ? "" : lower.substr(0, before), lower.substr(before == std::string::npos ? 0 : before + 1, dot - (before == std::string::npos ? 0 : before + 1))};
        const auto& found = catalog_.tables(table);
        const auto* column = found.size() == 1 ? found.front()->column(lower.substr(dot + 1)) : nullptr;
        return column == nullptr ? "?" + lower : column->type;
    }
    const auto type = read_sql_type(declared);
    return type ? catalog_.type(*type) : "?" + lower;
}

/// A name that no table has, of a subquery's column or a whole row, may be any of them.
EffectFinder::Types EffectFinder::types_of(const SqlUse& use, const SqlFacts& facts) {
    Types types;
    const Tables tables = involved(facts);
    const auto add = [&](const std::string& type, bool exact) {
        types.names.insert(type);
        types.exact = types.exact && exact;
    };
    const auto returned = [&](const SqlCall& call) {
        const auto& candidates = catalog_.routines(call.name, call.arguments);
        // One that takes just what it is given is the one.
        std::set<std::string> given;
        if (call.use.calls.empty())
            for (const std::string& column : call.use.columns)
                for (const auto& table : tables)
                    if (const auto* found = table->column(column)) given.insert(found->type);
        const auto fits = [&](const CatalogRoutine& routine) {
            return !given.empty() && !routine.arguments.empty() && std::ranges::all_of(routine.arguments, [&](const std::string& type) { return given.contains(type); });
        };
        const bool one = call.plain_arguments && call.use.types.empty() && given.size() == 1 && std::ranges::any_of(candidates, fits);
        for (const CatalogRoutine& routine : candidates) {
            if (one && !fits(routine)) continue;
            for (const std::string& type : routine.results)
                if (type != "record" && type != "trigger" && type != "void" && !type.starts_with("any")) add(type, type_kinds::is_exact(type));
        }
    };
    const auto all = [&] {
        for (const auto& table : tables)
            for (const auto& column : table->columns) add(column.type, column.exact);
        for (const SqlCall& call : facts.calls) returned(call);
        for (const SqlUse& each : facts.uses)
            for (const SqlType& type : each.types) add(catalog_.type(type), true);
    };
    const bool hidden = std::ranges::any_of(facts.row_functions, [&](const auto& function) {
        return std::ranges::any_of(catalog_.routines(function.first, function.second), [](const CatalogRoutine& routine) {
            const bool rows = routine.results.size() != 1 || (routine.results.back() == "record" || routine.results.back().starts_with('?'));
            return routine.builtin ? routine.name.name.find("populate_record") != std::string::npos : rows;
        });
    });
    constexpr std::array<std::string_view, 5> kBuiltin{"key", "value", "lexeme", "positions", "weights"};
    const auto shadowed = [&](const std::string& name) {
        return hidden || facts.made.contains(name) || context_.shadowed.contains(name) || (!facts.row_functions.empty() && std::ranges::find(kBuiltin, name) != kBuiltin.end());
    };
    for (const std::string& name : use.columns) {
        if (name.starts_with('$')) {
            std::size_t number = 0;
            std::from_chars(name.data() + 1, name.data() + name.size(), number);
            if (context_.parameters == nullptr)
                all();
            else if (number > 0 && number <= context_.parameters->size() && (*context_.parameters)[number - 1] && type_kinds::is_written_time(*(*context_.parameters)[number - 1]))
                add("timestamptz", true);
            continue;
        }
        bool found = false;
        for (const auto& table : tables)
            if (const auto* column = table->column(name)) {
                add(column->type, column->exact);
                found = true;
            }
        if (const auto variable = context_.variables.find(name); variable != context_.variables.end() && variable->second != "UNKNOWN") {
            add(variable_type(variable->second), false);
            found = true;
        }
        if (shadowed(name)) found = false;
        if (!found && name != "new" && name != "old" && name != "excluded") all();
        if (name == "new" || name == "old") all();
    }
    for (const SqlType& type : use.types) {
        const std::string name = catalog_.type(type);
        add(name, type_kinds::is_exact(name));
    }
    for (const std::string& function : use.calls)
        for (const SqlCall& call : facts.calls)
            if (call.name.name == function) returned(call);
    return types;
}

/// Where a constant's type is not known, could it be a date or a time? Not where none is anywhere near.
bool EffectFinder::is_timely(const SqlFacts& facts) {
    if (context_.nested) return true;
    SqlUse all;
    all.columns.assign(facts.columns.begin(), facts.columns.end());
    for (const SqlCall& call : facts.calls) all.calls.push_back(call.name.name);
    for (const SqlUse& use : facts.uses) {
        if (use.kind == SqlUse::Kind::cast) all.types.push_back(use.type);
        if (use.kind == SqlUse::Kind::assignment) all.columns.push_back(use.name);
        all.types.insert(all.types.end(), use.types.begin(), use.types.end());
    }
    all.types.insert(all.types.end(), facts.given.begin(), facts.given.end());
    if (types_of(all, facts).has_timely()) return true;
    for (const SqlTarget& target : facts.targets)
        if (target.from_query || !target.outputs.empty())
            for (const auto& table : catalog_.tables(target.table))
                if (std::ranges::any_of(table->columns, [](const auto& column) { return type_kinds::is_timely(column.type); })) return true;
    return std::ranges::any_of(facts.calls, [&](const SqlCall& call) {
        return std::ranges::any_of(catalog_.routines(call.name, call.arguments), [](const CatalogRoutine& routine) {
            return std::ranges::any_of(routine.arguments, [](const std::string& type) { return type_kinds::is_timely(type); });
        });
    });
}

/// What was bound to it; nothing where that is not known, or NULL.
std::string EffectFinder::parameter(int number) const {
    if (context_.parameters == nullptr || number < 1 || static_cast<std::size_t>(number) > context_.parameters->size()) return {};
    return (*context_.parameters)[static_cast<std::size_t>(number - 1)].value_or("");
}

void EffectFinder::literal(const SqlOperand& operand, const std::string& type, const std::string& of, Effects& effects) {
    std::string value = operand.text;
    const bool parameter = operand.kind == SqlOperand::Kind::parameter;
    if (parameter) {
        if (context_.parameters == nullptr || operand.number < 1 || static_cast<std::size_t>(operand.number) > context_.parameters->size()) return;
        const auto& given = (*context_.parameters)[static_cast<std::size_t>(operand.number - 1)];
        if (!given) return;
        value = *given;
    } else if (operand.kind != SqlOperand::Kind::string) {
        return;
    }
    // What stands in a prepared statement was read when it was prepared, in a routine when its session first ran it: perhaps in another zone.
    const bool at_once = parameter || context_.definition || (context_.at_once && !context_.nested);
    const bool may_be_array = type.empty() || type.starts_with('?') || type.starts_with('_');
    if (may_be_array && !(context_.has_nulls && at_once) && type_kinds::has_array_null(value)) note(effects, "NULL in an array's text (the session's array_nulls, which the log does not say)");
    if (const auto doubt = type_kinds::literal_doubt(type, value, context_.has_zone && at_once, !parameter))
        note(effects, of.empty() ? *doubt : fmt::format("{} for {}", *doubt, printable(of, 64)));
}

/// Constants for columns of this table: what they mean is known with the column's type.
void EffectFinder::settle(const CatalogTable& table, const SqlTarget& target, Effects& effects) {
    const auto given = [&](const CatalogTable::Column* column, const SqlOperand& operand) {
        if (column == nullptr || (operand.kind != SqlOperand::Kind::string && operand.kind != SqlOperand::Kind::parameter)) return;
        literal(operand, column->type, column->name, effects);
        settled_.insert(operand.location);
    };
    for (const auto& row : target.rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            const CatalogTable::Column* column = nullptr;
            if (target.columns.empty())
                column = i < table.columns.size() ? &table.columns[i] : nullptr;
            else if (i < target.columns.size())
                column = table.column(target.columns[i]);
            given(column, row[i]);
        }
    for (const SqlPin& set : target.sets) given(table.column(set.column), set.value);
    for (const SqlPin& pin : target.pins) given(table.column(pin.column), pin.value);
}

void EffectFinder::literals(const SqlFacts& facts, Effects& effects) {
    std::optional<bool> timely;
    const Tables tables = involved(facts);
    const bool zoned = tables.empty() || std::ranges::any_of(tables, [](const auto& table) { return std::ranges::any_of(table->columns, [](const auto& column) { return type_kinds::is_zoned(column.type); }); });
    const auto unknown = [&](const SqlLiteral& each) {
        // A partition's bounds, where its parent has no column that a zone says anything about.
        if (context_.definition && !zoned && type_kinds::is_written_time(each.value.text)) return;
        if (!timely) timely = is_timely(facts);
        const std::string value = each.value.kind == SqlOperand::Kind::parameter ? parameter(each.value.number) : each.value.text;
        if (*timely || type_kinds::has_array_null(value)) literal(each.value, "", each.column, effects);
    };
    for (const SqlLiteral& each : facts.literals) {
        if (settled_.contains(each.value.location)) continue;
        if (!each.casts.empty()) {
            for (const SqlType& type : each.casts) literal(each.value, catalog_.type(type), each.column, effects);
            continue;
        }
        std::set<std::string> types;
        for (const auto& table : tables)
            if (const auto* column = table->column(each.column)) types.insert(column->type);
        const bool known = !types.empty() && (each.compared || std::ranges::none_of(types, [](const std::string& type) { return type_kinds::is_timely(type); }));
        if (!known) {
            unknown(each);
            continue;
        }
        for (const std::string& type : types) literal(each.value, type, each.column, effects);
    }
}

void EffectFinder::use(const SqlUse& use, const SqlFacts& facts, Effects& effects) {
    const Types types = types_of(use, facts);
    const auto doubt = [&](const std::string& to) {
        for (const std::string& from : types.names)
            if (const auto reason = conversion_doubt(from, to, context_.has_zone)) note(effects, *reason);
    };
    switch (use.kind) {
        case SqlUse::Kind::cast: {
            const std::string to = catalog_.type(use.type);
            doubt(to);
            // ('no' || 'w')::timestamp
            if (type_kinds::is_timely(to) && !to.starts_with('?') && !types.has_timely()) note(effects, "a text that is read as a date or a time");
            if (!context_.has_nulls && to.starts_with('_') && std::ranges::any_of(types.names, [](const std::string& type) { return type_kinds::is_text(type) && !type.starts_with('_'); }))
                note(effects, "a text that is read as an array (the session's array_nulls, which the log does not say)");
            break;
        }
        case SqlUse::Kind::operation:
            // Of two of a kind, or one and a constant: what has a || of its own is put together as it is, all else by way of text.
            if (use.name == "||" && (types.names.size() > 1 || std::ranges::none_of(types.names, joins_as_it_is))) doubt("text");
            if (use.name == "@@" && std::ranges::any_of(types.names, [](const std::string& type) { return type_kinds::is_text(type); })) note(effects, "the session's default_text_search_config (operator @@)");
            if (!context_.has_zone && std::ranges::any_of(types.names, [](const std::string& type) { return type_kinds::is_zoned(type) && !type.starts_with('?'); }))
                note(effects, fmt::format("the session's TimeZone, which the log does not say (operator {})", printable(use.name, 40)));
            break;
        case SqlUse::Kind::comparison: {
            // Whole rows of one kind: old.* IS DISTINCT FROM new.*
            if (use.columns == std::vector<std::string>{"*"}) break;
            std::set<std::string> times;
            for (const std::string& type : types.names)
                if (is_time_of_day_and_year(type)) times.insert(type);
            if (!context_.has_zone && times.size() > 1 && std::ranges::any_of(times, [](const std::string& type) { return type_kinds::is_zoned(type); }))
                note(effects, "the session's TimeZone, which the log does not say (a comparison)");
            break;
        }
        case SqlUse::Kind::call: break;
        case SqlUse::Kind::assignment: {
            bool found = false;
            for (const auto& table : involved(facts))
                if (const auto* column = table->column(use.name)) {
                    doubt(column->type);
                    found = true;
                }
            if (!found) doubt("?");
            break;
        }
        case SqlUse::Kind::grouping:
            if (!types.exact) note(effects, "which of equal values GROUP BY, DISTINCT or UNION takes");
            break;
    }
}

/// What an INSERT puts into its columns, converted where the types differ.
void EffectFinder::outputs(const SqlTarget& target, const CatalogTable& table, const SqlFacts& facts, Effects& effects) {
    std::vector<const CatalogTable::Column*> columns;
    for (const std::string& name : target.columns) columns.push_back(table.column(name));
    if (target.columns.empty())
        for (const auto& column : table.columns) columns.push_back(&column);
    const auto into = [&](std::size_t place, const std::string& from) {
        const std::string to = place < columns.size() && columns[place] != nullptr ? columns[place]->type : "?";
        if (const auto reason = conversion_doubt(from, to, context_.has_zone)) note(effects, *reason);
    };
    std::size_t shift = 0;
    for (const SqlUse& output : target.outputs) {
        if (output.columns == std::vector<std::string>{"*"} && output.name != "*") {
            // All columns of one table.
            const auto& only = facts.reads.size() == 1 ? catalog_.tables(facts.reads.front()) : Tables{};
            if (only.size() == 1) {
                std::size_t place = 0;
                std::from_chars(output.name.data(), output.name.data() + output.name.size(), place);
                for (std::size_t i = 0; i < only.front()->columns.size(); ++i) into(place + shift + i, only.front()->columns[i].type);
                shift += only.front()->columns.size() - 1;
                continue;
            }
        }
        std::size_t place = columns.size();
        if (output.name != "*") std::from_chars(output.name.data(), output.name.data() + output.name.size(), place);
        const bool anywhere = std::ranges::find(output.columns, "*") != output.columns.end() || place >= columns.size();
        for (const std::string& type : types_of(output, facts).names) into(anywhere ? columns.size() : place + (target.from_query ? shift : 0), type);
    }
}

bool EffectFinder::is_total(const SqlOrder& order, const SqlFacts& facts) {
    if (order.pinned) return true;
    if (!order.table || (order.table->schema.empty() && facts.common.contains(order.table->name))) return false;
    const auto& found = catalog_.tables(*order.table);
    return !found.empty() && std::ranges::all_of(found, [&](const auto& table) {
        return !table->in_tree && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
            const bool ordered = std::ranges::all_of(key.columns, [&](const std::string& column) {
                const auto* of = table->column(column);
                return of != nullptr && of->not_null && std::ranges::find(order.columns, column) != order.columns.end();
            });
            const bool pinned = std::ranges::all_of(key.columns, [&](const std::string& column) {
                return std::ranges::any_of(order.equals, [&](const auto& equal) {
                    const bool variable = equal.second.empty() || equal.second.starts_with("new.") || equal.second.starts_with("old.") ||
                                          (context_.variables.contains(equal.second) && table->column(equal.second) == nullptr);
                    return equal.first == column && variable;
                });
            });
            return ordered || pinned;
        });
    });
}

void EffectFinder::orders(const SqlFacts& facts, Effects& effects) {
    for (const SqlOrder& limit : facts.limits)
        if (!is_total(limit, facts)) note(effects, "LIMIT without a total order (ORDER BY a unique key)");
}

void EffectFinder::values(const SqlFacts& facts, Effects& effects) {
    for (const SqlUse& each : facts.uses) use(each, facts, effects);
    literals(facts, effects);
    settled_.clear();
}

}  // namespace rowferry
