// Which PostgreSQL columns can take a SQLite column's values, and how.

#include <array>
#include <limits>

#include <fmt/format.h>

#include "schemas/pg_type_name.h"
#include "schemas/type_resolution_parts.h"

namespace rowferry::resolution {
namespace {

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
        case Conversion::to_numeric:
        case Conversion::to_sqlite_numeric:
        case Conversion::to_asked_integer:
        case Conversion::to_asked_real:
        case Conversion::to_asked_numeric:
        case Conversion::to_asked_other: return {.integers = true, .reals = true, .texts = true};
        case Conversion::to_sqlite_value: return {true, true, true, true};
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
        case Conversion::to_sqlite_numeric: return profile.only_nan;
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

/// What the profile says about sizes.
void check_limits(const TableSchema& table, const ColumnSchema& column, Conversion conversion, std::string_view target) {
    const ColumnProfile& profile = column.profile;
    if (profile.integers && (conversion == Conversion::to_bigint || conversion == Conversion::to_oid)) {
        const bool oid = conversion == Conversion::to_oid;
        const std::int64_t most = oid                     ? std::numeric_limits<std::uint32_t>::max()
                                  : conversion.limit == 2 ? std::numeric_limits<std::int16_t>::max()
                                  : conversion.limit == 4 ? std::numeric_limits<std::int32_t>::max()
                                                          : std::numeric_limits<std::int64_t>::max();
        if (profile.most_integer > most || profile.least_integer < (oid ? 0 : -most - 1))
            refuse(table, column, target, "the leader's column holds integers outside its range");
    }
    if (!profile.texts) return;
    const auto limit = static_cast<std::uint64_t>(conversion.limit);
    if (conversion == Conversion::to_text && conversion.limit >= 0 && profile.longest_text > limit)
        refuse(table, column, target, "the leader's column holds longer texts");
    if (conversion == Conversion::to_char && (profile.longest_text != limit || profile.shortest_text != limit))
        refuse(table, column, target, "the leader's column holds texts of other lengths, which PostgreSQL would pad or cut");
    if (profile.bad_texts && conversion != Conversion::to_sqlite_value)
        refuse(table, column, target, "the leader's column holds texts with NUL bytes or invalid UTF-8, which PostgreSQL cannot hold");
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
    // What was seen and does not fit has its place then.
    if (column.on_mismatch != OnMismatch::stop) return;
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
    check_limits(table, column, conversion, target);
}

struct NamedConversion {
    std::string_view name;
    Conversion::Kind kind;
};

constexpr std::array kPlainTargets = {
    NamedConversion{"bigint", Conversion::to_bigint},           NamedConversion{"oid", Conversion::to_oid},
    NamedConversion{"boolean", Conversion::to_boolean},         NamedConversion{"text", Conversion::to_text},
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
    Rewriting{"time with time zone", "TIMETZ_TEXT", "it rounds and rewrites times"},
    Rewriting{"interval", "PERIOD_TEXT", "interval rewrites and rounds periods"},
    Rewriting{"name", "", "name cuts texts at 63 bytes"},
    Rewriting{"\"char\"", "", "it cuts texts after the first byte"},
};

Conversion builtin_target(const TableSchema& table, const ColumnSchema& column, const PgTypeName& type, std::string_view target) {
    const std::int32_t first = type.modifiers.empty() ? -1 : type.modifiers.front();
    for (const NamedConversion& plain : kPlainTargets)
        if (plain.name == type.name) return {plain.kind, first};
    if (type.name == "smallint" || type.name == "integer") return {Conversion::to_bigint, type.name == "smallint" ? 2 : 4};
    if (type.name == "real" || type.name == "double precision") {
        // Where SQLite converts nothing, an integer among reals is another value, which would not come back.
        const bool exact = column_affinity(table, column) == Affinity::blob && column.profile.reals && !column.profile.integers;
        return {type.name == "real" ? Conversion::to_float4 : Conversion::to_double, exact ? 0 : -1};
    }
    if (type.name == "character") return {Conversion::to_char, first < 0 ? 1 : first};
    if (type.name == "numeric") {
        if (type.modifiers.empty()) return Conversion::to_numeric;
        const int scale = type.modifiers.size() > 1 ? type.modifiers[1] : 0;
        if (scale < 0) refuse(table, column, target, "a negative scale rounds whole numbers");
        return {Conversion::to_numeric, scale, type.modifiers.front() - scale};
    }
    for (const Rewriting& rewriting : kRewriting) {
        if (rewriting.name != type.name && !(rewriting.name == "interval" && type.name.starts_with("interval"))) continue;
        const bool own = column.type == rewriting.own_name || (rewriting.own_name == "TIMETZ_TEXT" && column.type == "TIME_TEXT");
        if (rewriting.own_name.empty() || !own) refuse(table, column, target, rewriting.why);
        return rewriting.name == "jsonb" ? Conversion::to_json : Conversion::to_other;
    }
    return Conversion::to_other;
}

/// The user has asked for this type: numbers and texts may lose what it cannot hold.
Conversion asked_target(const TableSchema& table, const ColumnSchema& column, const PgTypeName& type, std::string_view target) {
    if (type.array || !type.schema.empty()) return Conversion::to_asked_other;
    if (type.name == "smallint" || type.name == "integer" || type.name == "bigint")
        return {Conversion::to_asked_integer, type.name == "smallint" ? 2 : type.name == "integer" ? 4 : -1};
    if (type.name == "real" || type.name == "double precision") return {Conversion::to_asked_real, type.name == "real" ? 4 : -1};
    if (type.name == "numeric") return Conversion::to_asked_numeric;
    if (type.name == "jsonb") return Conversion::to_json;
    for (const std::string_view exact : {"bytea", "json", "oid"})
        if (type.name == exact) return builtin_target(table, column, type, target);
    if (type.name == "boolean" && !column.profile.texts) return Conversion::to_boolean;
    const bool time = pg_is_time(target) || type.name.starts_with("time") || type.name.starts_with("interval") || type.name == "uuid";
    return time ? Conversion::to_other : Conversion::to_asked_other;
}

}  // namespace

Conversion sqlite_to_pg(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const PgTypeName type = parse_pg_type(target);
    Conversion conversion = Conversion::to_other;
    if (target == kSqliteValue)
        conversion = Conversion::to_sqlite_value;
    else if (target == kSqliteNumeric)
        conversion = Conversion::to_sqlite_numeric;
    else if (!column.wanted_type.empty())
        conversion = asked_target(table, column, type, target);
    else if (type.name == "citext" && !type.array)
        conversion = Conversion::to_text;
    else if (!type.array && type.schema.empty())
        conversion = builtin_target(table, column, type, target);
    check_profile(table, column, conversion, target);
    return conversion;
}

}  // namespace rowferry::resolution
