#include "tests/support/compare.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/support/random.h"

namespace rowferry::test {
namespace {

using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

/// What a PostgreSQL column's type makes of its values; none for a SQLite column compared with another one.
enum class Kind { none, integer, boolean, real, numeric, bytes, clock, tagged, text };

struct Column {
    std::string name;
    Kind kind = Kind::none;
};

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string quote(const std::string& name) { return sql_name(name); }
std::string literal(const std::string& text) { return sql_text(text); }

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

std::string bits(double value) { return fmt::format("f:{:016x}", std::bit_cast<std::uint64_t>(value)); }

constexpr const char* kNan = "f:7ff8000000000000";

/// See the table in the header.
std::string canonical_clock(std::string text) {
    if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
    const std::size_t start = text.find(':');
    if (start == std::string::npos) return text;  // infinity
    std::string zone;
    const std::size_t sign = text.find_first_of("+-Z", start);
    if (sign != std::string::npos) {
        zone = text.substr(sign);
        text.resize(sign);
        if (zone == "Z") zone = "+00";
        if (zone.starts_with("+00:00")) zone = "+00" + zone.substr(6);  // an era may follow
    }
    if (std::count(text.begin(), text.end(), ':') == 1) text += ":00";
    if (text.find('.') != std::string::npos) {
        while (text.back() == '0') text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text + zone;
}

// ---- PostgreSQL ----

Kind kind_of(const std::string& type) {
    static const std::map<std::string, Kind> kinds{
        {"int2", Kind::integer}, {"int4", Kind::integer},    {"int8", Kind::integer},        {"oid", Kind::integer},
        {"bool", Kind::boolean}, {"float4", Kind::real},     {"float8", Kind::real},         {"numeric", Kind::numeric},
        {"bytea", Kind::bytes},  {"timestamp", Kind::clock}, {"timestamptz", Kind::clock}, {"time", Kind::clock},
    };
    const auto found = kinds.find(type);
    return found == kinds.end() ? Kind::text : found->second;
}

/// The schema in front of the dot; a dot of its own is U+001F there.
std::string schema_of(const std::string& table, std::size_t dot) {
    std::string schema = table.substr(0, dot);
    std::replace(schema.begin(), schema.end(), '\x1f', '.');
    return schema;
}

/// `name` or `schema.name` as user_tables() gives it.
std::string quote_table(const std::string& table) {
    const std::size_t dot = table.find('.');
    if (dot == std::string::npos) return "public." + quote(table);
    return quote(schema_of(table, dot)) + "." + quote(table.substr(dot + 1));
}

std::vector<Column> pg_columns(PgConnection& connection, const std::string& table) {
    std::vector<Column> columns;
    for (const PgRow& row : connection.query(fmt::format(
             "WITH RECURSIVE base AS (SELECT oid AS type, oid, typname, typtype, typbasetype FROM pg_type UNION ALL SELECT base.type, t.oid, t.typname, "
             "t.typtype, t.typbasetype FROM base JOIN pg_type t ON base.typtype = 'd' AND t.oid = base.typbasetype) "
             "SELECT a.attname, base.typname, (SELECT typname FROM pg_type WHERE oid = a.atttypid) FROM pg_attribute a "
             "JOIN base ON base.type = a.atttypid AND base.typtype <> 'd' "
             "WHERE a.attrelid = {}::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
             literal(quote_table(table)))))
        columns.push_back({row[0].value(), row[2].value() == "sqlite_value" ? Kind::tagged : kind_of(row[1].value())});
    return columns;
}

/// Undoes the escapes of COPY's text format.
std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            result += text[i];
            continue;
        }
        switch (text.at(++i)) {
            case 'b': result += '\b'; break;
            case 'f': result += '\f'; break;
            case 'n': result += '\n'; break;
            case 'r': result += '\r'; break;
            case 't': result += '\t'; break;
            case 'v': result += '\v'; break;
            default: result += text[i];
        }
    }
    return result;
}

/// The SQLite value that a text of the domain sqlite_value stands for.
std::string canonical_tagged(const std::string& text) {
    const std::string value = text.substr(2);
    switch (text.at(0)) {
        case 'r': return bits(value == "Infinity" ? HUGE_VAL : value == "-Infinity" ? -HUGE_VAL : std::strtod(value.c_str(), nullptr));
        case 'x': {
            std::string bytes;
            for (std::size_t i = 0; i < value.size(); i += 2) bytes += static_cast<char>(std::stoi(value.substr(i, 2), nullptr, 16));
            return "t:" + bytes;
        }
        default: return text;
    }
}

std::string canonical_pg(Kind kind, std::string_view field, bool relaxed) {
    if (field == "\\N") return "n:";
    std::string text = unescape(field);
    switch (kind) {
        case Kind::integer: return "i:" + text;
        case Kind::boolean: return text == "t" ? "i:1" : "i:0";
        case Kind::real: return "f:" + text.substr(2);   // \x and the bytes of float8send
        case Kind::bytes: return "b:" + text.substr(2);
        case Kind::tagged: return relaxed ? canonical_tagged(text) : "t:" + text;
        case Kind::clock: return "t:" + (relaxed ? canonical_clock(std::move(text)) : text);
        default: return "t:" + text;
    }
}

Rows pg_rows(PgConnection& connection, const std::string& table, const std::vector<Column>& columns, bool relaxed) {
    std::string list;
    for (const Column& column : columns) {
        const std::string name = quote(column.name);
        list += (list.empty() ? "" : ", ") + (column.kind == Kind::real ? "float8send(" + name + "::float8)" : name);
    }
    Rows rows;
    for (const std::string& line : connection.copy_out("COPY (SELECT " + list + " FROM ONLY " + quote_table(table) + ") TO STDOUT")) {
        Row row;
        std::size_t start = 0;
        for (const Column& column : columns) {
            const std::size_t tab = std::min(line.find('\t', start), line.size());
            row.push_back(canonical_pg(column.kind, std::string_view{line}.substr(start, tab - start), relaxed));
            start = tab + 1;
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

PgConnection connect(const Database& database) {
    PgConnection connection{database.uri()};
    connection.exec("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; "
                    "SET client_encoding = 'UTF8'; SET lc_monetary = 'C'");
    return connection;
}

// ---- SQLite ----

std::vector<Column> sqlite_columns(SqliteDb& db, const std::string& table) {
    std::vector<Column> columns;
    for (const SqliteRow& row : db.query("PRAGMA table_info(" + quote(table) + ")"))  // without generated ones
        columns.push_back({std::get<std::string>(row[1]), Kind::none});
    return columns;
}

/// The shortest digits that stand for a double, written out without an exponent.
std::string decimal(double v) {
    char buffer[64];
    const std::string scientific(buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific).ptr);
    const std::size_t e = scientific.find('e');
    const int exponent = std::stoi(scientific.substr(e + 1));
    std::string digits;
    for (const char c : scientific.substr(0, e))
        if (std::isdigit(static_cast<unsigned char>(c)) != 0) digits += c;
    if (exponent < 0) digits.insert(0, static_cast<std::size_t>(-exponent), '0');
    const auto point = static_cast<std::size_t>(exponent < 0 ? 1 : exponent + 1);
    if (digits.size() < point) digits.append(point - digits.size(), '0');
    if (digits.size() > point) digits.insert(point, ".");
    return (v < 0 ? "-" : "") + digits;
}

struct Canonical {
    Kind kind;
    std::string operator()(std::monostate) const { return "n:"; }
    std::string operator()(std::int64_t v) const { return (kind == Kind::numeric ? "t:" : "i:") + std::to_string(v); }
    std::string operator()(double v) const {
        if (kind != Kind::numeric) return bits(v);
        if (std::isinf(v)) return v < 0 ? "t:-Infinity" : "t:Infinity";
        return "t:" + decimal(v);
    }
    std::string operator()(const std::string& v) const {
        if (kind == Kind::real && v == "NaN") return kNan;
        return "t:" + (kind == Kind::clock ? canonical_clock(v) : v);
    }
    std::string operator()(const SqliteBlob& v) const { return "b:" + hex(v.bytes); }
};

Rows sqlite_rows(SqliteDb& db, const std::string& table, const std::vector<Column>& columns) {
    std::string list;
    for (const Column& column : columns) list += (list.empty() ? "" : ", ") + quote(column.name);
    Rows rows;
    for (const SqliteRow& values : db.query("SELECT " + list + " FROM " + quote(table))) {
        Row& row = rows.emplace_back();
        for (std::size_t i = 0; i < values.size(); ++i) row.push_back(std::visit(Canonical{columns[i].kind}, values[i]));
    }
    return rows;
}

// ---- both ----

/// One of the two databases, with a connection for the whole comparison.
class Side {
public:
    explicit Side(const Database& database) {
        if (database.is_postgresql()) pg_.emplace(connect(database));
        else sqlite_.emplace(database.path());
    }
    [[nodiscard]] bool is_postgresql() const { return pg_.has_value(); }
    std::vector<Column> columns(const std::string& table) { return pg_ ? pg_columns(*pg_, table) : sqlite_columns(*sqlite_, table); }
    /// `as` are the columns to read in this order, with the kinds to read SQLite values by. Sorted.
    Rows rows(const std::string& table, const std::vector<Column>& as, bool relaxed) {
        Rows rows = pg_ ? pg_rows(*pg_, table, as, relaxed) : sqlite_rows(*sqlite_, table, as);
        std::sort(rows.begin(), rows.end());
        return rows;
    }

private:
    std::optional<PgConnection> pg_;
    std::optional<SqliteDb> sqlite_;
};

std::string describe(const Row& row, const std::vector<Column>& columns) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
        std::string cell = row[i].size() > 60 ? fmt::format("{}…({} bytes)", row[i].substr(0, 60), row[i].size()) : row[i];
        text += fmt::format("{}{}={}", i == 0 ? "" : " | ", columns[i].name, cell);
    }
    return text;
}

std::string differences(const Rows& leader, const Rows& follower, const std::vector<Column>& columns) {
    Rows only_leader;
    Rows only_follower;
    std::set_difference(leader.begin(), leader.end(), follower.begin(), follower.end(), std::back_inserter(only_leader));
    std::set_difference(follower.begin(), follower.end(), leader.begin(), leader.end(), std::back_inserter(only_follower));
    std::string text = fmt::format("{} rows on the leader, {} on the follower\n", leader.size(), follower.size());
    const auto list = [&](const char* side, const Rows& rows) {
        for (std::size_t i = 0; i < rows.size() && i < 5; ++i) text += fmt::format("    only {}: {}\n", side, describe(rows[i], columns));
        if (rows.size() > 5) text += fmt::format("    … and {} more only {}\n", rows.size() - 5, side);
    };
    list("on the leader", only_leader);
    list("on the follower", only_follower);
    return text;
}

/// Empty when equal.
std::string compare_table(Side& leader, const std::string& leader_table, Side& follower, const std::string& follower_table) {
    const bool across = leader.is_postgresql() != follower.is_postgresql();
    std::vector<Column> ours = leader.columns(leader_table);
    const std::vector<Column> theirs_unordered = follower.columns(follower_table);
    std::vector<Column> theirs;
    for (Column& column : ours) {
        const auto found = std::find_if(theirs_unordered.begin(), theirs_unordered.end(), [&](const Column& other) {
            return across ? lower(other.name) == lower(column.name) : other.name == column.name;
        });
        if (found == theirs_unordered.end()) return fmt::format("the follower has no column {}\n", column.name);
        Column other = *found;
        if (across) (leader.is_postgresql() ? other.kind : column.kind) = leader.is_postgresql() ? column.kind : other.kind;
        theirs.push_back(other);
    }
    const Rows leader_rows = leader.rows(leader_table, ours, across);
    const Rows follower_rows = follower.rows(follower_table, theirs, across);
    return leader_rows == follower_rows ? std::string{} : differences(leader_rows, follower_rows, ours);
}

}  // namespace

std::vector<std::string> user_tables(const Database& database) {
    std::vector<std::string> tables;
    if (database.is_postgresql()) {
        for (const PgRow& row : database.cluster().query(
                 database.name(),
                 "SELECT CASE WHEN n.nspname = 'public' AND c.relname NOT LIKE '%.%' THEN c.relname ELSE replace(n.nspname, '.', chr(31)) || '.' || c.relname END FROM pg_class c "
                 "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p' "
                 "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rowferry') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1"))
            tables.push_back(row[0].value());
    } else {
        SqliteDb db{database.path()};
        for (const SqliteRow& row :
             db.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                      "AND name NOT LIKE 'rowferry\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1"))
            tables.push_back(std::get<std::string>(row[0]));
    }
    return tables;
}

/// PostgreSQL's `schema.name` as SQLite has it, and without case.
std::string flat_name(const std::string& table, bool postgresql) {
    const std::size_t dot = postgresql ? table.find('.') : std::string::npos;
    if (dot == std::string::npos) return lower(table);
    const std::string schema = schema_of(table, dot);
    return lower((schema == "public" ? "" : schema + "__") + table.substr(dot + 1));
}

testing::AssertionResult same_rows(const Database& leader, const Database& follower, const std::vector<std::string>& tables) {
    const std::vector<std::string> wanted = tables.empty() ? user_tables(leader) : tables;
    if (wanted.empty()) return testing::AssertionFailure() << "the leader has no tables: nothing was compared";
    std::vector<std::string> there = user_tables(follower);
    const bool across = leader.is_postgresql() != follower.is_postgresql();
    Side leading{leader};
    Side following{follower};
    std::string problems;
    for (const std::string& table : wanted) {
        auto found = across ? there.end() : std::find(there.begin(), there.end(), table);
        if (found == there.end())  // else by way of the other engine
            found = std::find_if(there.begin(), there.end(), [&](const std::string& other) {
                return flat_name(other, follower.is_postgresql()) == flat_name(table, leader.is_postgresql());
            });
        if (found == there.end()) {
            problems += "  " + table + ": the follower has no such table\n";
            continue;
        }
        const std::string problem = compare_table(leading, table, following, *found);
        if (!problem.empty()) problems += "  " + table + ": " + problem;
        there.erase(found);
    }
    if (tables.empty())
        for (const std::string& table : there) problems += "  " + table + ": only the follower has it\n";
    if (problems.empty()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "leader and follower differ\n" << problems;
}

}  // namespace rowferry::test
