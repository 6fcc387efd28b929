#include "statements/postgresql/parameter_types.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "statements/postgresql/parameter_values.h"

namespace rowferry {
namespace {

using Place = ParameterUse::Place;

constexpr std::size_t kMostStatements = 2000;

// Behind a domain its base decides. What somebody else than PostgreSQL brought along may turn a parameter into anything; casts among strings that change no byte (citext) do not.
constexpr const char* kTypes =
    "t.typname, t.typtype, n.nspname = 'pg_catalog', case when t.oid = 'pg_catalog.numeric'::pg_catalog.regtype and b.typmod >= 4 then ((b.typmod - 4) >> 16) & 65535 else 0 end, "
    "exists (select from pg_catalog.pg_cast c join pg_catalog.pg_type s on s.oid = c.castsource join pg_catalog.pg_type g on g.oid = c.casttarget where c.oid >= 16384 "
    "and not (c.castmethod = 'b' and s.typcategory = 'S' and g.typcategory = 'S') and ((c.casttarget = t.oid and c.castcontext in ('a', 'i')) or (c.castsource = t.oid and c.castcontext = 'i'))) "
    "or exists (select from pg_catalog.pg_operator o where o.oid >= 16384 and o.oprname in ('=', '<>', '<', '>', '<=', '>=', '+', '-', '~~', '~~*', '!~~', '!~~*') and o.oprleft <> o.oprright "
    "and t.oid in (o.oprleft, o.oprright)), "
    "exists (select from pg_catalog.pg_cast c where c.casttarget = t.oid and c.castcontext in ('a', 'i') and c.castsource <> t.oid) or t.typcategory = 'S' ";

ParameterType type_of(const PgRows& rows, std::size_t row, std::size_t column) {
    return {rows.text(row, column), rows.text(row, column + 1).front(), rows.boolean(row, column + 2), static_cast<int>(rows.integer(row, column + 3)), rows.boolean(row, column + 4), rows.boolean(row, column + 5)};
}

template <typename... Names>
bool is_any(std::string_view name, Names... names) {
    return ((name == names) || ...);
}

constexpr const char* kOtherType = "a bind parameter, whose type is not in the log and makes a difference there";
constexpr const char* kRounded = "a floating-point bind parameter, which the server may have rounded in its log (extra_float_digits)";

std::string numeric_doubt(Place place, const ParameterType& type, const NumberText& number, FloatText floats) {
    if (number.special || !number.may_be_float()) return {};
    if (floats == FloatText::rounded) return kRounded;
    // What a float gives a numeric are its first 6 or 15 digits.
    if (place != Place::compared) return (number.digits.size() > 6 && number.may_be_float4()) || (number.digits.size() > 15 && number.may_be_float8()) ? kOtherType : "";
    // A float makes it a comparison of floats: up to 15 digits these differ where the numbers do.
    const bool apart = type.digits > 0 && type.digits <= 15;
    return apart && (number.is_exact_float4() || !number.may_be_float4()) ? "" : kOtherType;
}

std::string float_doubt(Place place, const ParameterType& type, const NumberText& number, FloatText floats) {
    if (number.special) return {};
    const bool narrow = type.name == "float4";
    const bool alike = number.is_exact_float4() || (!number.may_be_float4() && !narrow) || (narrow && place != Place::compared && number.rounds_once());
    if (!alike) return kOtherType;
    if (floats == FloatText::exact || !number.may_be_float()) return {};
    return !narrow && number.digits.size() > 15 ? "" : kRounded;
}

std::string number_doubt(Place place, const ParameterType& type, const std::string& value, FloatText floats) {
    const auto number = NumberText::read(value);
    if (!number) return kOtherType;
    if (type.name == "numeric") return place == Place::added || place == Place::matched ? kOtherType : numeric_doubt(place, type, *number, floats);
    if (type.name.starts_with("float")) return place == Place::added || place == Place::matched || place == Place::cast ? kOtherType : float_doubt(place, type, *number, floats);
    if (floats == FloatText::rounded && place != Place::assigned && number->may_be_float()) return kRounded;
    // The sum of an integer of 8 bytes and a float is none of all its digits. A text that is no integer is an error here.
    if (place == Place::added) return is_any(type.name, "int2", "int4") && number->integer ? "" : kOtherType;
    return place == Place::assigned || (place == Place::compared && number->integer) ? "" : kOtherType;
}

std::string time_doubt(Place place, const ParameterType& type, const std::string& value) {
    if (value == "infinity" || value == "-infinity") return {};
    const TimeText time = TimeText::read(value);
    bool known = false;
    if (type.name == "date") known = time.has_date && (place != Place::compared || !time.has_clock);
    if (type.name == "timestamp") known = time.has_date && (place != Place::compared || !time.has_zone);
    if (type.name == "timestamptz") known = time.has_date && time.has_zone;
    if (type.name == "time") known = !time.has_date && time.has_clock && !time.has_zone && value < "24";
    if (type.name == "interval") known = value.find('-') == std::string::npos && value.find("ago") == std::string::npos;
    return known && place != Place::added && place != Place::matched ? "" : kOtherType;
}

/// A truth value, an address or a padded string becomes another text than it is printed as.
std::string text_doubt(Place place, const std::string& value) {
    if (value.ends_with(' ')) return kOtherType;
    if (place == Place::compared || place == Place::matched) return {};
    return place != Place::added && !is_other_text(value) ? "" : kOtherType;
}

std::string array_doubt(Place place, const ParameterType& type, const std::string& value) {
    if (place != Place::assigned) return kOtherType;
    const std::string_view element = std::string_view{type.name}.substr(1);
    if (is_any(element, "int2", "int4", "int8", "uuid", "bool")) return {};
    if (!is_any(element, "text", "varchar")) return kOtherType;
    return array_has_other_text(value) ? kOtherType : "";
}

}  // namespace

std::string parameter_doubt(Place place, const ParameterType& type, const std::string& value, FloatText floats) {
    if (place == Place::other || type.own_casts) return kOtherType;
    const std::string_view name = type.name;
    if (type.kind == 'e') return place == Place::assigned || place == Place::compared || place == Place::cast ? "" : kOtherType;
    if (type.builtin && is_any(name, "int2", "int4", "int8", "oid", "numeric", "float4", "float8")) return number_doubt(place, type, value, floats);
    if (type.builtin && is_any(name, "date", "timestamp", "timestamptz", "time", "interval")) return time_doubt(place, type, value);
    if (type.builtin && (is_any(name, "text", "varchar") || (name == "bpchar" && place != Place::matched))) return text_doubt(place, value);
    if (place == Place::added || place == Place::matched) return kOtherType;
    if (type.builtin && is_any(name, "bool", "uuid", "bytea", "jsonb", "json")) return {};
    if (type.builtin && name.starts_with('_')) return array_doubt(place, type, value);
    if (type.builtin && is_any(name, "inet", "cidr", "bit", "varbit")) return place == Place::cast ? kOtherType : "";
    if (type.builtin && is_any(name, "macaddr", "macaddr8", "int4range", "int8range", "numrange", "tsvector", "tsquery", "pg_lsn")) return place == Place::assigned ? "" : kOtherType;
    // Nothing else can be assigned to it.
    return place == Place::assigned && !type.builtin && type.kind == 'b' && !type.casts && !name.starts_with('_') ? "" : kOtherType;
}

const ParameterTypes::Columns& ParameterTypes::columns_of(const CatalogTable& table) {
    const auto [entry, made] = columns_.try_emplace(table.oid);
    if (!made) return entry->second;
    const PgRows rows = session_.query(
        std::string{"with recursive base(attnum, typid, typmod) as (select attnum, atttypid, atttypmod from pg_catalog.pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped "
                    "union all select b.attnum, t.typbasetype, case when t.typtypmod = -1 then b.typmod else t.typtypmod end from base b join pg_catalog.pg_type t on t.oid = b.typid where t.typtype = 'd') "
                    "select a.attname, "} +
            kTypes +
            "from base b join pg_catalog.pg_type t on t.oid = b.typid join pg_catalog.pg_namespace n on n.oid = t.typnamespace join pg_catalog.pg_attribute a on a.attrelid = $1 and a.attnum = b.attnum "
            "where t.typtype <> 'd' order by a.attnum",
        {std::to_string(table.oid)});
    for (std::size_t row = 0; row < rows.size(); ++row) entry->second.emplace_back(rows.text(row, 0), type_of(rows, row, 1));
    return entry->second;
}

/// PostgreSQL's own of that name, unless another one could be meant.
const std::optional<ParameterType>& ParameterTypes::type_named(const std::string& name) {
    const auto [entry, made] = types_.try_emplace(name);
    if (!made) return entry->second;
    const PgRows rows = session_.query(std::string{"select "} + kTypes +
                                           "from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace cross join (select -1) b(typmod) "
                                           "where t.typname = $1 and n.nspname !~ '^pg_(toast|temp)' and t.typtype <> 'd'",
                                       {name});
    if (rows.size() == 1) entry->second = type_of(rows, 0, 0);
    return entry->second;
}

/// Of each table that may be meant; none where it is not known.
std::vector<const ParameterType*> ParameterTypes::types_at(const ParameterUse& use, ServerCatalog& catalog) {
    if (use.place == Place::other) return {};
    if (use.place == Place::cast) {
        const auto& type = type_named(use.column);
        return type ? std::vector{&*type} : std::vector<const ParameterType*>{};
    }
    std::vector<const ParameterType*> types;
    for (const auto& table : catalog.tables(use.table)) {
        const Columns& columns = columns_of(*table);
        const auto found = use.column.empty() ? columns.begin() + static_cast<std::ptrdiff_t>(std::min(use.index, columns.size())) : std::ranges::find_if(columns, [&](const auto& column) { return column.first == use.column; });
        if (found == columns.end()) return {};
        types.push_back(&found->second);
    }
    return types;
}

FloatText ParameterTypes::floats_of(const LoggedSession& session) const {
    for (const auto& [name, statement] : session.settings) {
        if (name != "extra_float_digits") continue;
        const auto number = NumberText::read(read_sql(statement).value);
        return number && number->integer && number->value > 0 ? FloatText::exact : FloatText::rounded;
    }
    const auto role = role_float_digits_.find(session.user);
    const int digits = role == role_float_digits_.end() ? default_float_digits_ : role->second;
    return digits > 0 ? FloatText::unknown : FloatText::rounded;
}

std::string ParameterTypes::doubt(const LoggedStatement& statement, const LoggedSession& session, bool settings_moved, ServerCatalog& catalog) {
    if (statement.parameters.empty()) return {};
    auto& uses = uses_[statement.sql];
    if (!uses) uses = std::make_shared<const std::vector<ParameterUse>>(parameter_uses(statement.sql));
    const auto kept = uses;
    if (uses_.size() > kMostStatements) uses_.clear();
    const FloatText floats = settings_moved ? FloatText::rounded : floats_of(session);
    std::map<int, const ParameterType*> first;
    for (const ParameterUse& use : *kept) {
        const auto types = types_at(use, catalog);
        const std::string name = fmt::format("${}{}{}", use.number, use.column.empty() ? "" : " at ", printable(use.column, 64));
        if (types.empty() || use.number < 1 || static_cast<std::size_t>(use.number) > statement.parameters.size()) return fmt::format("{} ({})", kOtherType, name);
        const auto& value = statement.parameters[static_cast<std::size_t>(use.number - 1)];
        for (const ParameterType* type : types) {
            // The first place gives it the type that the others have to do with.
            const ParameterType* before = first.try_emplace(use.number, type).first->second;
            std::string doubt = before->name != type->name || before->builtin != type->builtin ? kOtherType : "";
            if (doubt.empty() && value) doubt = parameter_doubt(use.place, *type, *value, floats);
            if (!doubt.empty()) return fmt::format("{} ({})", doubt, name);
        }
    }
    return {};
}

}  // namespace rowferry
