#include <algorithm>
#include <array>
#include <limits>

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
    const std::string& domain = conversion_target(column.type, base);
    const Affinity affinity = sqlite_affinity(target);
    const bool keeps_text = affinity == Affinity::text || affinity == Affinity::blob;
    const auto refuse_affinity = [&] { refuse(table, column, target, fmt::format("SQLite gives it {} affinity and would rewrite values", to_string(affinity))); };
    // What has no affinity takes the values as SQLite had them, and TEXT the form that PostgreSQL has.
    if (domain == kSqliteValue && affinity == Affinity::blob) return Conversion::sqlite_value_to_cell;
    if (domain == kSqliteNumeric && affinity != Affinity::text && affinity != Affinity::real) return Conversion::sqlite_numeric_to_number;
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

/// The user has asked for this type: numbers may lose what it cannot hold.
Conversion pg_to_asked_sqlite(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const std::string& base = base_type_of(column);
    const PgTypeName type = parse_pg_type(base);
    const ValueClass value_class = pg_value_class(base);
    const Affinity affinity = sqlite_affinity(target);
    if (value_class == ValueClass::bytes || conversion_target(column.type, base) != base) return pg_to_sqlite(table, column, target);
    switch (affinity) {
        case Affinity::text: return Conversion::identity;
        case Affinity::blob: return pg_to_sqlite(table, column, target);
        default: break;
    }
    const bool plain = !type.array && type.schema.empty() && column.enum_labels.empty();
    const bool number = value_class == ValueClass::integer || value_class == ValueClass::real || value_class == ValueClass::numeric || value_class == ValueClass::boolean;
    if (!plain || !(number || value_class == ValueClass::text))
        refuse(table, column, target, fmt::format("its values are no numbers, and SQLite gives the column {} affinity", to_string(affinity)));
    if (affinity == Affinity::integer) return Conversion::asked_integer;
    if (value_class == ValueClass::boolean) return Conversion::text_to_boolean;
    if (type.name == "real") return Conversion::text_to_float4;
    return affinity == Affinity::real ? Conversion::asked_real : Conversion::asked_number;
}

// Numbers that stand for points in time.

/// Digits behind the seconds that the encoding may have.
int encoded_digits(TimeEncoding encoding) { return encoding == TimeEncoding::epoch_s ? 0 : encoding == TimeEncoding::epoch_us ? 6 : 3; }

Conversion time_to_number(const TableSchema& table, const ColumnSchema& column, Engine to, std::string_view target) {
    const bool julian = column.encoding == TimeEncoding::julian_day;
    bool fits = false;
    if (to == Engine::sqlite) {
        const Affinity affinity = sqlite_affinity(target);
        fits = affinity == Affinity::blob || (julian ? affinity == Affinity::real : affinity == Affinity::integer || affinity == Affinity::numeric);
    } else {
        const PgTypeName type = parse_pg_type(target);
        fits = !type.array && type.schema.empty() && type.name == (julian ? "double precision" : "bigint");
    }
    if (!fits) refuse(table, column, target, julian ? "Julian days need a real number" : "seconds since 1970 need an integer of 64 bits");
    return {Conversion::time_to_epoch, static_cast<std::int32_t>(column.encoding), to == Engine::postgresql ? 1 : -1};
}

Conversion number_to_time(const TableSchema& table, const ColumnSchema& column, std::string_view target) {
    const PgTypeName type = parse_pg_type(target);
    const ValueClass value_class = pg_value_class(target);
    if (!pg_is_time(target)) refuse(table, column, target, "numbers that stand for points in time need a timestamp with or without time zone, or a date");
    if (!type.modifiers.empty() && type.modifiers.front() < encoded_digits(column.encoding))
        refuse(table, column, target, "its precision would round what the encoding can say");
    const bool from_text = table.engine == Engine::postgresql;
    if (from_text && pg_value_class(base_type_of(column)) != ValueClass::integer && pg_value_class(base_type_of(column)) != ValueClass::real)
        refuse(table, column, target, "the leader's values are no numbers");
    if (!from_text && (column.profile.texts || column.profile.blobs)) refuse(table, column, target, "the leader's column holds values that are no numbers");
    const auto kind = value_class == ValueClass::date        ? Conversion::epoch_to_date
                      : value_class == ValueClass::timestamp ? Conversion::epoch_to_timestamp
                                                             : Conversion::epoch_to_timestamptz;
    return {kind, static_cast<std::int32_t>(column.encoding), from_text ? 1 : -1};
}

Conversion encoded(const TableSchema& table, const ColumnSchema& column, Engine to, std::string_view target) {
    if (table.engine == Engine::postgresql && pg_is_time(base_type_of(column))) return time_to_number(table, column, to, target);
    if (to == Engine::sqlite) refuse(table, column, target, "a time encoding is between a number and one of PostgreSQL's types");
    return number_to_time(table, column, target);
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

}  // namespace

Conversion resolve_conversion(const TableSchema& table, std::uint16_t column, Engine to, std::string_view target) {
    const ColumnSchema& source = table.columns.at(column);
    if (source.encoding != TimeEncoding::none) return encoded(table, source, to, target);
    if (table.engine == Engine::postgresql) {
        if (to == Engine::postgresql) return Conversion::identity;
        return source.wanted_type.empty() ? pg_to_sqlite(table, source, target) : pg_to_asked_sqlite(table, source, target);
    }
    if (to == Engine::postgresql) return sqlite_to_pg(table, source, target);
    return source.wanted_type.empty() ? sqlite_to_sqlite(table, source, target) : Conversion{Conversion::identity};
}

}  // namespace rowferry
