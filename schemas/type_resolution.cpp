#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"
#include "schemas/type_resolution_parts.h"

namespace rowferry {

using resolution::column_affinity;
using resolution::refuse;

namespace resolution {

void refuse(const TableSchema& table, const ColumnSchema& column, std::string_view target, std::string_view why) {
    throw RefusedError{fmt::format("{}.{}: the follower's column of type \"{}\" cannot hold the leader's {} exactly: {}. Change the follower's column, or "
                                   "drop the follower's table and rowferry makes it",
                                   to_string(table.name), printable(column.name, 100), printable(target, 80),
                                   column.type.empty() ? "values" : printable(column.type, 80), why)};
}

Affinity column_affinity(const TableSchema& table, const ColumnSchema& column) {
    return is_strict_any(table, column.type) ? Affinity::blob : sqlite_affinity(column.type);
}

}  // namespace resolution

namespace {

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

}  // namespace

Conversion resolve_conversion(const TableSchema& table, std::uint16_t column, Engine to, std::string_view target) {
    const ColumnSchema& source = table.columns.at(column);
    if (source.encoding != TimeEncoding::none) return encoded(table, source, to, target);
    if (table.engine == Engine::postgresql) {
        if (to == Engine::postgresql) return Conversion::identity;
        return source.wanted_type.empty() ? pg_to_sqlite(table, source, target) : pg_to_asked_sqlite(table, source, target);
    }
    if (to == Engine::postgresql) return resolution::sqlite_to_pg(table, source, target);
    return source.wanted_type.empty() ? sqlite_to_sqlite(table, source, target) : Conversion{Conversion::identity};
}

}  // namespace rowferry
