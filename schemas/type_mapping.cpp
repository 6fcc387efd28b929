#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

std::string place(const TableSchema& table, const ColumnSchema& column) {
    return fmt::format("{}.{}", to_string(table.name), printable(column.name, 100));
}

// PostgreSQL → PostgreSQL.

ColumnMapping same_pg_type(const TableSchema& table, const ColumnSchema& column) {
    if (!is_plain_pg_type(column.type))
        throw RefusedError{fmt::format("{}: the leader calls the column's type \"{}\", which is not the name of a type; nothing else goes into the "
                                       "follower's DDL. Leave the table out with --exclude-table, or create it on the follower yourself",
                                       place(table, column), printable(column.type, 100))};
    return {column.type, {}};
}

// PostgreSQL → SQLite. Every name is chosen for the affinity it has: whatever is kept as text holds TEXT and neither INT nor any other
// substring that SQLite looks for first.

std::string with_modifiers(std::string_view name, const PgTypeName& type) {
    return type.modifiers.empty() ? std::string{name} : fmt::format("{}({})", name, fmt::join(type.modifiers, ","));
}

ColumnMapping pg_to_sqlite(const ColumnSchema& column) {
    const std::string& base = base_type_of(column);
    const PgTypeName type = parse_pg_type(base);
    const auto as_text = [&](std::string declared) {
        std::string why = fmt::format("{} is kept as text, exactly as PostgreSQL prints it ({})", printable(base, 100), declared);
        return ColumnMapping{std::move(declared), std::move(why)};
    };
    const std::string& target = conversion_target(column.type, base);
    if (target == kSqliteValue) return {"", {}};  // without a type SQLite stores exactly what it is given
    if (target == kSqliteNumeric) return {"NUMERIC", {}};
    if (!column.enum_labels.empty() && !type.array) return as_text("ENUM_TEXT");
    if (type.name == "citext" && !type.array)
        return {"TEXT COLLATE NOCASE", "citext becomes text that compares without regard to case in ASCII only"};
    switch (pg_value_class(base)) {
        case ValueClass::integer: return {type.name == "smallint" ? "SMALLINT" : type.name == "integer" ? "INTEGER" : "BIGINT", {}};
        case ValueClass::boolean: return {"BOOLEAN", {}};
        // Not REAL: in that affinity SQLite keeps whole values as integers, and -0 loses its sign.
        case ValueClass::real: return {type.name == "real" ? "FLOAT4_BLOB" : "FLOAT8_BLOB", {}};
        case ValueClass::bytes: return {"BLOB", {}};
        case ValueClass::text:
            if (type.name == "character varying" && !type.modifiers.empty()) return {with_modifiers("VARCHAR", type), {}};
            if (type.name == "character" || type.name == "bpchar") return {with_modifiers("CHAR_TEXT", type), {}};
            return {"TEXT", {}};
        case ValueClass::numeric: return as_text(with_modifiers("NUMERIC_TEXT", type));
        case ValueClass::date: return as_text("DATE_TEXT");
        case ValueClass::time: return as_text("TIME_TEXT");
        case ValueClass::timestamp: return as_text("TIMESTAMP_TEXT");
        case ValueClass::timestamptz: return as_text("TIMESTAMPTZ_TEXT");
        case ValueClass::uuid: return as_text("UUID_TEXT");
        case ValueClass::json: return as_text("JSON_TEXT");
        case ValueClass::other:
        case ValueClass::any: break;
    }
    if (!type.array && type.schema.empty()) {
        if (type.name == "money") return as_text("MONEY_TEXT");
        if (type.name == "time with time zone") return as_text("TIMETZ_TEXT");
        if (type.name.starts_with("interval")) return as_text("PERIOD_TEXT");
    }
    return as_text("PG_TEXT");
}

// SQLite → SQLite.

/// The declared type is part of the leader's DDL and goes into the follower's as it stands, unless something in it could end it there:
/// then as one quoted word, which has the same affinity.
ColumnMapping same_sqlite_type(const ColumnSchema& column) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ' ' || c == ',' || c == '(' || c == ')' ||
               c == '-' || c == '+' || c == '.';
    };
    const std::string& type = column.type;
    const auto open = type.find('(');
    const bool closed = open == std::string::npos ? type.find(')') == std::string::npos
                                                  : open > 0 && type.find_first_of("()", open + 1) == type.size() - 1 && type.back() == ')';
    if (closed && std::all_of(type.begin(), type.end(), plain) && type.find("--") == std::string::npos &&
        type.substr(0, open).find_first_of(",+-.") == std::string::npos)
        return {type, {}};
    return {quote_identifier(type), "the declared type is quoted on the follower"};
}

// SQLite → PostgreSQL.

/// The storage classes that the profile has seen.
std::string seen_classes(const ColumnProfile& profile) {
    std::string seen;
    const auto add = [&](bool occurs, std::string_view name) {
        if (occurs) seen += fmt::format("{}{}", seen.empty() ? "" : ", ", name);
    };
    add(profile.integers, "INTEGER");
    add(profile.reals, "REAL");
    add(profile.texts, "TEXT");
    add(profile.blobs, "BLOB");
    return seen;
}

class SqliteColumn {
public:
    SqliteColumn(const TableSchema& table, std::uint16_t index)
        : table_{table}, column_{table.columns.at(index)}, index_{index}, profile_{column_.profile}, class_{sqlite_value_class(column_.type)} {}

    [[nodiscard]] ColumnMapping map() const {
        if (nothing()) return empty();
        switch (class_) {
            case ValueClass::integer: return only_integers() ? ColumnMapping{"bigint", {}} : numbers_or(false);
            case ValueClass::boolean: return only_integers() && profile_.only_zero_or_one ? ColumnMapping{"boolean", {}} : by_profile();
            case ValueClass::real: return real();
            case ValueClass::numeric: return numeric();
            case ValueClass::text: return good_texts() ? text() : by_profile();
            case ValueClass::bytes: return only_blobs() ? ColumnMapping{"bytea", {}} : by_profile();
            case ValueClass::date:
            case ValueClass::time:
            case ValueClass::timestamp:
            case ValueClass::timestamptz: return temporal();
            case ValueClass::uuid: return only_texts() && profile_.only_uuids ? shaped("uuid", "a UUID in PostgreSQL's form") : by_profile();
            case ValueClass::json: return json();
            case ValueClass::any:
            case ValueClass::other: return by_profile();
        }
        throw std::logic_error{"value class"};
    }

private:
    [[nodiscard]] bool only_integers() const { return profile_.integers && !profile_.reals && !profile_.texts && !profile_.blobs; }
    [[nodiscard]] bool only_texts() const { return profile_.texts && !profile_.integers && !profile_.reals && !profile_.blobs; }
    [[nodiscard]] bool only_blobs() const { return profile_.blobs && !profile_.integers && !profile_.reals && !profile_.texts; }
    [[nodiscard]] bool good_texts() const { return only_texts() && !profile_.bad_texts; }
    [[nodiscard]] bool nothing() const { return !profile_.integers && !profile_.reals && !profile_.texts && !profile_.blobs; }
    /// A name that map_column itself gives: what is in the column came from PostgreSQL.
    [[nodiscard]] bool own_name() const { return column_.type.find("_TEXT") != std::string::npos; }
    [[nodiscard]] std::string declared() const {
        return column_.type.empty() ? "without a declared type" : "declared " + printable(column_.type, 80);
    }

    [[nodiscard]] ColumnMapping shaped(std::string type, std::string_view form) const {
        std::string why = fmt::format("{} and every text seen is {}: {}; a later value of another form stops the stream", declared(), form, type);
        return {std::move(type), std::move(why)};
    }

    /// The declared type alone decides.
    [[nodiscard]] ColumnMapping empty() const {
        const auto plain = [&](std::string type) {
            std::string why = fmt::format("{} without a value yet: {}", declared(), type);
            return ColumnMapping{std::move(type), std::move(why)};
        };
        switch (class_) {
            case ValueClass::integer: return {"bigint", {}};
            case ValueClass::real: return {column_.type == "FLOAT4_BLOB" ? "real" : "double precision", {}};
            case ValueClass::numeric: return own_name() ? ColumnMapping{"numeric", {}} : sqlite_numeric();
            case ValueClass::text: return text();
            case ValueClass::bytes: return {"bytea", {}};
            case ValueClass::boolean: return plain("boolean");
            case ValueClass::json: return plain(own_name() && !needs_equality() ? "json" : "text");
            case ValueClass::date: return plain(own_name() ? "date" : "text");
            case ValueClass::time: return plain(own_name() ? "time without time zone" : "text");
            case ValueClass::timestamp: return plain(own_name() ? "timestamp without time zone" : "text");
            case ValueClass::timestamptz: return plain(own_name() ? "timestamp with time zone" : "text");
            case ValueClass::uuid: return plain(own_name() ? "uuid" : "text");
            case ValueClass::any:
            case ValueClass::other: break;
        }
        // Nothing is promised at all: whatever comes is kept. A name that SQLite does not know promises texts more than anything else.
        if (column_.type.empty() || is_strict_any(table_, column_.type)) return plain(std::string{kSqliteValue});
        return plain("text");
    }

    [[nodiscard]] ColumnMapping sqlite_numeric() const {
        return {std::string{kSqliteNumeric},
                fmt::format("{}: numeric under the domain {}, by which integers and reals come back as what they are", declared(), kSqliteNumeric)};
    }

    /// NaN is the one number that stays a text in SQLite.
    [[nodiscard]] ColumnMapping numbers_or(bool nan) const {
        if (!profile_.blobs && (!profile_.texts || (nan && profile_.only_nan && (profile_.integers || profile_.reals)))) return sqlite_numeric();
        return by_profile();
    }

    [[nodiscard]] ColumnMapping real() const {
        if (profile_.blobs || profile_.integers || (profile_.texts && !profile_.only_nan)) return by_profile();
        return {column_.type == "FLOAT4_BLOB" && profile_.only_floats ? "real" : "double precision", {}};
    }

    [[nodiscard]] ColumnMapping numeric() const {
        // Texts that are numbers survive in TEXT affinity only. Without precision and scale: SQLite does not enforce them.
        if (own_name()) return only_texts() && profile_.only_numbers ? shaped("numeric", "a decimal number in PostgreSQL's form") : by_profile();
        return numbers_or(true);
    }

    [[nodiscard]] ColumnMapping text() const {
        const PgTypeName type = parse_pg_type(column_.type);
        if (type.name != "CHAR_TEXT") return {"text", {}};
        if (type.modifiers.empty()) return {"bpchar", {}};
        const auto length = static_cast<std::uint64_t>(type.modifiers.front());
        const bool padded = !profile_.texts || (profile_.shortest_text == length && profile_.longest_text == length);
        return {padded ? fmt::format("character({})", length) : "text", {}};
    }

    [[nodiscard]] ColumnMapping temporal() const {
        if (only_texts()) {
            const bool day_only = class_ == ValueClass::date;
            const bool clock_only = class_ == ValueClass::time;
            const auto zoned = [&] { return shaped("timestamp with time zone", "a timestamp in UTC in PostgreSQL's form"); };
            if (day_only && profile_.only_dates) return shaped("date", "a date in PostgreSQL's form");
            if (clock_only && profile_.only_times) return shaped("time without time zone", "a time in PostgreSQL's form");
            // `infinity` is of both kinds.
            if (class_ == ValueClass::timestamptz && profile_.only_zoned_timestamps) return zoned();
            if (!clock_only && profile_.only_timestamps) return shaped("timestamp without time zone", "a timestamp in PostgreSQL's form");
            if (!clock_only && profile_.only_zoned_timestamps) return zoned();
        }
        return by_profile();
    }

    [[nodiscard]] ColumnMapping json() const {
        if (!only_texts() || !profile_.only_json) return by_profile();
        if (needs_equality()) return {"text", fmt::format("{} but part of a key or index: text", declared())};
        return shaped("json", "valid JSON");
    }

    /// PostgreSQL's json can be neither compared nor indexed.
    [[nodiscard]] bool needs_equality() const {
        const auto in = [&](const ColumnIndexes& columns) { return std::find(columns.begin(), columns.end(), index_) != columns.end(); };
        const auto has = [&](const auto& key) { return in(key.columns); };
        return table_.identity.empty() || in(table_.identity) || in(table_.primary_key) ||
               std::any_of(table_.unique_keys.begin(), table_.unique_keys.end(), has) ||
               std::any_of(table_.indexes.begin(), table_.indexes.end(), has) ||
               std::any_of(table_.foreign_keys.begin(), table_.foreign_keys.end(), has);
    }

    /// The one storage class that occurs decides. Several are kept apart by tags.
    [[nodiscard]] ColumnMapping by_profile() const {
        const std::string seen = seen_classes(profile_);
        const bool several = seen.find(',') != std::string::npos;
        if (several || profile_.bad_texts)
            return {std::string{kSqliteValue},
                    fmt::format("{} and holds {}: text under the domain {}, tagged with the storage class (i:42, r:0.1, t:abc, b:ff)", declared(),
                                several ? "values of several storage classes (" + seen + ")" : "texts that PostgreSQL cannot hold", kSqliteValue)};
        const char* type = profile_.integers ? "bigint" : profile_.reals ? "double precision" : profile_.texts ? "text" : "bytea";
        return {type, fmt::format("{} and holds {} values only: {}", declared(), seen, type)};
    }

    const TableSchema& table_;
    const ColumnSchema& column_;
    std::uint16_t index_;
    const ColumnProfile& profile_;
    ValueClass class_;
};

// What the user asked for.

ColumnMapping asked_type(const TableSchema& table, const ColumnSchema& column, Engine to) {
    std::string type = column.wanted_type;
    if (type.empty()) {
        const bool to_number = table.engine == Engine::postgresql && pg_is_time(base_type_of(column));
        const bool julian = column.encoding == TimeEncoding::julian_day;
        if (to == Engine::sqlite)
            type = julian ? "REAL" : "INTEGER";
        else
            type = !to_number ? "timestamp with time zone" : julian ? "double precision" : "bigint";
    }
    if (to == Engine::sqlite) {
        ColumnSchema wanted;
        wanted.type = type;
        type = same_sqlite_type(wanted).type;
    } else {
        if (type == "sqlite_value" || type == "sqlite_numeric") type = "public." + type;
        if (!is_plain_pg_type(type))
            throw RefusedError{fmt::format("{}: \"{}\", which the stream's rules ask for, is not the name of a type", place(table, column), printable(type, 100))};
    }
    std::string why = fmt::format("{} becomes {}, as the stream's rules ask", column.type.empty() ? "the column" : printable(column.type, 80), printable(type, 80));
    return {std::move(type), std::move(why)};
}

}  // namespace

ColumnMapping map_column(const TableSchema& table, std::uint16_t column, Engine to) {
    const ColumnSchema& source = table.columns.at(column);
    if (!source.wanted_type.empty() || source.encoding != TimeEncoding::none) return asked_type(table, source, to);
    if (table.engine == Engine::postgresql) return to == Engine::postgresql ? same_pg_type(table, source) : pg_to_sqlite(source);
    return to == Engine::sqlite ? same_sqlite_type(source) : SqliteColumn{table, column}.map();
}

}  // namespace rowferry
