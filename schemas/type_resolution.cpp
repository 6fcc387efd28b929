#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

[[noreturn]] void refuse(const TableSchema& table, const ColumnSchema& column, std::string_view target, std::string_view why) {
    throw RefusedError{fmt::format("{}.{}: the follower's column of type \"{}\" cannot hold the leader's {} exactly: {}. Change the follower's column, or "
                                   "drop the follower's table and rowferry makes it",
                                   to_string(table.name), printable(column.name, 100), printable(target, 80),
                                   column.type.empty() ? "values" : printable(column.type, 80), why)};
}

/// Of a leader's column.
Affinity column_affinity(const TableSchema& table, const ColumnSchema& column) {
    return is_strict_any(table, column.type) ? Affinity::blob : sqlite_affinity(column.type);
}

// PostgreSQL → SQLite.

Conversion pg_to_sqlite(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const std::string& base = base_type_of(column);
    const Affinity affinity = sqlite_affinity(target);
    const bool keeps_text = affinity == Affinity::text || affinity == Affinity::blob;
    const auto refuse_affinity = [&] { refuse(table, column, target, fmt::format("SQLite gives it {} affinity and would rewrite values", to_string(affinity))); };
    switch (pg_value_class(base)) {
        case ValueClass::bytes: return Conversion::hex_to_blob;  // no affinity touches a blob
        case ValueClass::integer:
        case ValueClass::boolean:
            if (affinity == Affinity::text) return Conversion::identity;
            if (affinity == Affinity::real) refuse_affinity();
            return pg_value_class(base) == ValueClass::integer ? Conversion::text_to_integer : Conversion::text_to_boolean;
        case ValueClass::real:
            if (affinity == Affinity::text) return Conversion::identity;
            if (affinity != Affinity::real && affinity != Affinity::blob) refuse_affinity();
            return parse_pg_type(base).name == "real" ? Conversion::text_to_float4 : Conversion::text_to_real;
        default:
            if (!keeps_text) refuse_affinity();
            return Conversion::identity;
    }
}

// SQLite → SQLite.

Conversion sqlite_to_sqlite(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const Affinity from = column_affinity(table, column);
    if (is_strict_any(table, column.type) && is_strict_any(table, target)) return Conversion::identity;
    const Affinity into = sqlite_affinity(target);
    const auto is_number = [](Affinity affinity) { return affinity == Affinity::integer || affinity == Affinity::numeric; };
    // INTEGER and NUMERIC store the same; they differ in CAST only.
    if (from != into && into != Affinity::blob && !(is_number(from) && is_number(into)))
        refuse(table, column, target, fmt::format("SQLite gives it {} affinity, the leader's has {} affinity", to_string(into), to_string(from)));
    return Conversion::identity;
}

// SQLite → PostgreSQL.

struct Classes {
    bool integers = false;
    bool reals = false;
    bool texts = false;
    bool blobs = false;
};

/// What a conversion takes at all.
Classes accepted(Conversion conversion) {
    switch (conversion.kind) {
        case Conversion::to_bigint:
        case Conversion::to_oid:
        case Conversion::to_boolean: return {.integers = true};
        case Conversion::to_double:
        case Conversion::to_float4:
        case Conversion::to_numeric: return {.integers = true, .reals = true, .texts = true};
        case Conversion::to_bytea: return {.blobs = true};
        default: return {.texts = true};
    }
}

/// What a column of this affinity usually holds; used where no value has been seen.
Classes usual(const TableSchema& table, const ColumnSchema& column) {
    switch (column_affinity(table, column)) {
        case Affinity::integer: return {.integers = true};
        case Affinity::real: return {.reals = true};
        case Affinity::text: return {.texts = true};
        case Affinity::numeric: return {.integers = true, .reals = true, .texts = true};
        case Affinity::blob: break;
    }
    return {true, true, true, true};
}

/// Do the texts seen have the shape the conversion asks for?
bool shape_fits(Conversion conversion, const ColumnProfile& profile) {
    switch (conversion.kind) {
        case Conversion::to_double:
        case Conversion::to_float4:
        case Conversion::to_numeric: return profile.only_numbers;
        case Conversion::to_date: return profile.only_dates;
        case Conversion::to_time: return profile.only_times;
        case Conversion::to_timestamp: return profile.only_timestamps;
        case Conversion::to_timestamptz: return profile.only_zoned_timestamps;
        case Conversion::to_uuid: return profile.only_uuids;
        case Conversion::to_json: return profile.only_json;
        default: return true;
    }
}

void check_profile(const TableSchema& table, const ColumnSchema& column, Conversion conversion, std::string_view target) {
    const ColumnProfile& profile = column.profile;
    const Classes takes = accepted(conversion);
    if (!profile.integers && !profile.reals && !profile.texts && !profile.blobs) {
        const Classes has = usual(table, column);
        if (!(has.integers && takes.integers) && !(has.reals && takes.reals) && !(has.texts && takes.texts) && !(has.blobs && takes.blobs))
            refuse(table, column, target, "the two types have no value in common");
        return;
    }
    const auto unfit = [&](bool seen, bool taken, std::string_view what) {
        if (seen && !taken) refuse(table, column, target, fmt::format("the leader's column holds {} values", what));
    };
    unfit(profile.integers, takes.integers, "INTEGER");
    unfit(profile.reals, takes.reals, "REAL");
    unfit(profile.texts, takes.texts, "TEXT");
    unfit(profile.blobs, takes.blobs, "BLOB");
    if (conversion == Conversion::to_boolean && !profile.only_zero_or_one)
        refuse(table, column, target, "the leader's column holds integers other than 0 and 1");
    if (profile.texts && !shape_fits(conversion, profile))
        refuse(table, column, target, "the leader's column holds texts that PostgreSQL would not print back byte for byte");
}

struct NamedConversion {
    std::string_view name;
    Conversion::Kind kind;
};

constexpr std::array kPlainTargets = {
    NamedConversion{"smallint", Conversion::to_bigint},         NamedConversion{"integer", Conversion::to_bigint},
    NamedConversion{"bigint", Conversion::to_bigint},           NamedConversion{"oid", Conversion::to_oid},
    NamedConversion{"boolean", Conversion::to_boolean},         NamedConversion{"double precision", Conversion::to_double},
    NamedConversion{"real", Conversion::to_float4},             NamedConversion{"text", Conversion::to_text},
    NamedConversion{"character varying", Conversion::to_text},  NamedConversion{"bpchar", Conversion::to_text},
    NamedConversion{"bytea", Conversion::to_bytea},             NamedConversion{"uuid", Conversion::to_uuid},
    NamedConversion{"json", Conversion::to_json},               NamedConversion{"date", Conversion::to_date},
    NamedConversion{"time without time zone", Conversion::to_time},
    NamedConversion{"timestamp without time zone", Conversion::to_timestamp},
    NamedConversion{"timestamp with time zone", Conversion::to_timestamptz},
};

/// Types whose input function silently rewrites some texts. They take only columns that rowferry itself declared for that type,
/// whose texts PostgreSQL has printed.
struct Rewriting {
    std::string_view name;
    std::string_view own_name;
    std::string_view why;
};
constexpr std::array kRewriting = {
    Rewriting{"jsonb", "JSON_TEXT", "jsonb rewrites the text (json keeps it)"},
    Rewriting{"money", "MONEY_TEXT", "money rounds"},
    Rewriting{"time with time zone", "TIME_TEXT", "it rounds and rewrites times"},
    Rewriting{"interval", "PERIOD_TEXT", "interval rewrites and rounds periods"},
    Rewriting{"name", "", "name cuts texts at 63 bytes"},
    Rewriting{"\"char\"", "", "it cuts texts after the first byte"},
};

Conversion builtin_target(const TableSchema& table, const ColumnSchema& column, const PgTypeName& type, std::string_view target) {
    const std::int32_t first = type.modifiers.empty() ? -1 : type.modifiers.front();
    for (const NamedConversion& plain : kPlainTargets)
        if (plain.name == type.name) return {plain.kind, first};
    if (type.name == "character") return {Conversion::to_char, first < 0 ? 1 : first};
    if (type.name == "numeric") {
        if (type.modifiers.empty()) return Conversion::to_numeric;
        const int scale = type.modifiers.size() > 1 ? type.modifiers[1] : 0;
        if (scale < 0) refuse(table, column, target, "a negative scale rounds whole numbers");
        return {Conversion::to_numeric, scale};
    }
    for (const Rewriting& rewriting : kRewriting) {
        if (rewriting.name != type.name && !(rewriting.name == "interval" && type.name.starts_with("interval"))) continue;
        if (rewriting.own_name.empty() || column.type != rewriting.own_name) refuse(table, column, target, rewriting.why);
        return rewriting.name == "jsonb" ? Conversion::to_json : Conversion::to_other;
    }
    return Conversion::to_other;
}

Conversion sqlite_to_pg(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const PgTypeName type = parse_pg_type(target);
    Conversion conversion = Conversion::to_other;
    if (type.name == "citext" && !type.array)
        conversion = Conversion::to_text;
    else if (!type.array && type.schema.empty())
        conversion = builtin_target(table, column, type, target);
    check_profile(table, column, conversion, target);
    return conversion;
}

}  // namespace

Conversion resolve_conversion(const TableSchema& table, std::uint16_t column, Engine to, std::string_view target) {
    const ColumnSchema& source = table.columns.at(column);
    if (table.engine == Engine::postgresql) return to == Engine::postgresql ? Conversion{Conversion::identity} : pg_to_sqlite(table, source, target);
    return to == Engine::sqlite ? sqlite_to_sqlite(table, source, target) : sqlite_to_pg(table, source, target);
}

}  // namespace rowferry
