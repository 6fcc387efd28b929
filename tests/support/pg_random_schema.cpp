#include <algorithm>

#include <fmt/format.h>

#include "tests/support/random_schema.h"

namespace rowferry::test {
namespace {

// With btree order, so that they may stand in keys.
constexpr const char* kOrdered[] = {"smallint", "integer", "bigint", "oid", "boolean", "real", "double precision", "numeric", "numeric(12,3)", "numeric(5,5)", "numeric(6,-2)",
                                    "money", "text", "varchar", "varchar(12)", "char(5)", "name", "bytea", "date", "time", "time(3)", "timetz", "timestamp", "timestamp(0)",
                                    "timestamptz", "timestamptz(3)", "interval", "uuid", "jsonb", "inet", "cidr", "macaddr", "macaddr8", "bit(7)", "varbit", "varbit(9)", "tsvector",
                                    "pg_lsn", "int4range", "daterange", "numrange", "int4multirange", "integer[]", "text[]", "numeric[]", "\"char\"", "xid8"};
constexpr const char* kOthers[] = {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "tsquery", "jsonpath", "point[]", "json[]", "bytea[]", "timestamptz[]",
                                   "boolean[]", "tstzrange", "datemultirange", "pg_snapshot", "uuid[]", "varchar(4)[]", "box[]", "interval day to second", "xid", "regclass", "int2vector",
                                   "real[]", "date[]", "bit(3)[]", "money[]", "double precision[]"};
constexpr const char* kKeys[] = {"integer", "bigint", "smallint", "text", "uuid", "numeric(10,2)", "numeric", "varchar(20)", "timestamptz", "date", "bytea", "char(4)", "oid", "boolean", "inet"};

struct Column {
    std::string name;
    std::string type;
    bool not_null = false;
    bool ordered = true;
    std::string extra;  ///< DEFAULT …, GENERATED …, COLLATE …
    bool generated = false;
};

struct Parent {
    std::string name;
    std::string in_sql;
    std::string column;
    std::string type;
};

class Generator {
public:
    Generator(const SchemaLimits& limits, Random& random) : limits_{limits}, random_{random.fork()}, table_names_{random.fork(), limits.sqlite_follower && limits.postgresql_follower ? 45 : 63} {}

    RandomSchema make() {
        schema_.short_in_indexes = limits_.sqlite_follower && limits_.postgresql_follower;
        types();
        schemas_.push_back("public");
        for (int i = 0; i < 2; ++i) {
            schemas_.push_back(i == 0 ? "second" : "Sch\"ema " + std::to_string(random_.below(9)));
            schema_.setup.push_back("CREATE SCHEMA " + sql_name(schemas_.back()));
        }
        for (int i = 0; i < limits_.tables; ++i) table();
        return std::move(schema_);
    }

private:
    void types() {
        auto& setup = schema_.setup;
        setup.push_back("CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'it''s \"fine\"', 'ünï', '', 'a,b', 'NULL')");
        setup.push_back("CREATE DOMAIN public.positive AS numeric(14,4) CHECK (VALUE IS NULL OR VALUE <> 77)");
        setup.push_back("CREATE DOMAIN public.\"Short Text\" AS varchar(30)");
        setup.push_back("CREATE DOMAIN public.shorter AS public.\"Short Text\" CHECK (length(VALUE) < 29)");
        setup.push_back("CREATE DOMAIN public.whole AS bigint");
        setup.push_back("CREATE TYPE public.pair AS (a integer, \"b c\" text, m public.mood)");
        setup.push_back("CREATE TYPE public.nest AS (p public.pair, list integer[], at timestamptz)");
        setup.push_back("CREATE TYPE public.floatrange AS RANGE (subtype = float8)");
        setup.push_back("DO $$ BEGIN CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; EXCEPTION WHEN OTHERS THEN "
                        "CREATE DOMAIN citext AS text; CREATE DOMAIN hstore AS text; CREATE DOMAIN ltree AS text; END $$");
        own_ordered_ = {"public.mood", "public.positive", "public.\"Short Text\"", "public.shorter", "public.whole", "public.citext", "public.ltree", "public.mood[]", "public.floatrange"};
        own_others_ = {"public.pair", "public.nest", "public.pair[]", "public.whole[]", "public.hstore", "public.shorter[]"};
    }

    [[nodiscard]] bool own_types() const { return limits_.own_types || !limits_.postgresql_follower; }

    Column column(Names& names) {
        Column column{.name = names.next(), .type = {}, .not_null = random_.chance(25), .ordered = random_.chance(65), .extra = {}, .generated = false};
        if (own_types() && random_.chance(15)) column.type = column.ordered ? random_.pick(own_ordered_) : random_.pick(own_others_);
        else column.type = column.ordered ? random_.pick(kOrdered) : random_.pick(kOthers);
        if (random_.chance(20)) column.extra = default_for(column.type);
        if (random_.chance(4) && (column.type == "text" || column.type.starts_with("varchar"))) column.extra = " COLLATE \"C\"" + column.extra;
        return column;
    }

    std::string default_for(const std::string& type) {
        if (type == "integer" || type == "bigint" || type == "smallint") return random_.chance(50) ? " DEFAULT 42" : " DEFAULT (2 + 3) * 4";
        if (type == "text" || type == "varchar" || type == "name") return random_.chance(50) ? " DEFAULT 'it''s a \\ default'" : " DEFAULT lower('ABC'::text) || 'x'";
        if (type == "boolean") return random_.chance(50) ? " DEFAULT true" : " DEFAULT (NOT true)";
        if (type == "numeric" || type == "double precision" || type == "real") return " DEFAULT 1.50";
        if (type == "timestamptz" || type == "timestamp" || type == "date") return random_.chance(50) ? " DEFAULT now()" : " DEFAULT '2020-02-02'";
        if (type == "uuid") return " DEFAULT gen_random_uuid()";
        if (type == "jsonb" || type == "json") return " DEFAULT '{\"a\": []}'";
        if (type == "bytea") return " DEFAULT '\\x00ff'";
        if (type == "integer[]" || type == "text[]") return " DEFAULT '{}'";
        if (type == "public.mood") return " DEFAULT 'it''s \"fine\"'";
        return random_.chance(30) ? " DEFAULT NULL" : "";
    }

    void table() {
        Names names{random_.fork()};
        const std::string schema = random_.chance(70) ? "public" : random_.pick(schemas_);
        const std::string table = table_names_.next();
        const std::string name = schema == "public" && table.find('.') == std::string::npos ? table : schema + "." + table;
        const std::string in_sql = sql_name(schema) + "." + sql_name(table);
        std::vector<Column> columns;
        const int count = random_.chance(5) ? 40 : 1 + random_.below(8);
        for (int i = 0; i < count; ++i) columns.push_back(column(names));
        std::vector<std::string> constraints;
        const std::vector<std::string> key = make_key(columns, names, constraints);
        if (random_.chance(25)) reference(columns, names, constraints, name);
        if (random_.chance(12)) generated(columns, names);
        if (random_.chance(20)) unique(columns, constraints);
        if (random_.chance(15)) constraints.push_back(fmt::format("CONSTRAINT {} CHECK ({} IS NOT NULL OR true)", sql_name(names.next()), sql_name(random_.pick(columns).name)));
        std::string body;
        for (const Column& column : columns)
            body += fmt::format("{}\n  {} {}{}{}", body.empty() ? "" : ",", sql_name(column.name), column.type, column.extra, column.not_null ? " NOT NULL" : "");
        for (const std::string& constraint : constraints) body += ",\n  " + constraint;
        auto& statements = schema_.of_table[name];
        statements.push_back(fmt::format("CREATE TABLE {} ({}\n)", in_sql, body));
        extras(columns, names, in_sql, key, statements);
        schema_.order.push_back(name);
        if (key.size() != 1) return;
        const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == key[0]; });
        if (found->type == "integer" || found->type == "text" || found->type == "uuid" || found->type == "bigint") parents_.push_back({name, in_sql, key[0], found->type});
    }

    /// The primary key's columns in key order, none for a table without one.
    std::vector<std::string> make_key(std::vector<Column>& columns, Names& names, std::vector<std::string>& constraints) {
        const int dice = random_.below(100);
        if (dice < 18) return {};
        std::vector<std::string> key;
        const int count = dice < 65 ? 1 : 2 + random_.below(2);
        for (int i = 0; i < count; ++i) {
            Column column{.name = names.next(), .type = random_.pick(kKeys), .not_null = random_.chance(20), .ordered = true, .extra = {}, .generated = false};
            if (own_types() && random_.chance(8)) column.type = random_.pick(own_ordered_);
            if (i == 0 && count == 1 && random_.chance(35)) {
                static const char* const numbered[] = {"serial", "bigserial", "integer GENERATED BY DEFAULT AS IDENTITY", "bigint GENERATED ALWAYS AS IDENTITY", "smallserial"};
                column.type = random_.pick(numbered);
            }
            key.push_back(column.name);
            columns.insert(columns.begin() + random_.below(static_cast<int>(columns.size()) + 1), column);
        }
        std::string list;
        for (const std::string& name : key) list += (list.empty() ? "" : ", ") + sql_name(name);
        constraints.push_back(fmt::format("{}PRIMARY KEY ({})", random_.chance(20) ? "CONSTRAINT " + sql_name(table_names_.next()) + " " : "", list));
        return key;
    }

    void reference(std::vector<Column>& columns, Names& names, std::vector<std::string>& constraints, const std::string& table) {
        if (parents_.empty()) return;
        const Parent& parent = random_.pick(parents_);
        static const char* const actions[] = {"", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE", " ON UPDATE CASCADE ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"};
        columns.push_back({.name = names.next(), .type = parent.type, .not_null = false, .ordered = true, .extra = {}, .generated = false});
        constraints.push_back(fmt::format("FOREIGN KEY ({}) REFERENCES {} ({}){}", sql_name(columns.back().name), parent.in_sql, sql_name(parent.column), random_.pick(actions)));
        schema_.values[table][columns.back().name] = [parent](Random& random) {
            return fmt::format("(SELECT {} FROM {} ORDER BY 1 LIMIT 1 OFFSET {})", sql_name(parent.column), parent.in_sql, random.below(8));
        };
    }

    void generated(std::vector<Column>& columns, Names& names) {
        for (const Column& column : columns) {
            if (column.type != "integer" && column.type != "text" && column.type != "bigint") continue;
            const std::string expression = column.type == "text" ? fmt::format("upper({0}) || '!'", sql_name(column.name)) : fmt::format("({0})::numeric * 2 + 1", sql_name(column.name));
            columns.insert(columns.begin() + random_.below(static_cast<int>(columns.size()) + 1),
                           {.name = names.next(), .type = column.type == "text" ? "text" : "numeric", .not_null = false, .ordered = true,
                            .extra = " GENERATED ALWAYS AS (" + expression + ") STORED", .generated = true});
            return;
        }
    }

    void unique(const std::vector<Column>& columns, std::vector<std::string>& constraints) {
        const Column& column = random_.pick(columns);
        if (!column.ordered || column.type == "boolean" || column.generated) return;
        constraints.push_back(fmt::format("UNIQUE {}({}){}", random_.chance(20) ? "NULLS NOT DISTINCT " : "", sql_name(column.name), random_.chance(10) ? " DEFERRABLE INITIALLY DEFERRED" : ""));
    }

    void extras(const std::vector<Column>& columns, Names& names, const std::string& table, const std::vector<std::string>& key, std::vector<std::string>& statements) {
        const Column& column = random_.pick(columns);
        const std::string name = sql_name(column.name);
        if (random_.chance(20)) statements.push_back(fmt::format("CREATE INDEX {} ON {} ({}{})", sql_name(table_names_.next()), table, name, random_.chance(30) ? " DESC" : ""));
        if (random_.chance(6)) statements.push_back(fmt::format("CREATE UNIQUE INDEX {} ON {} ({}) WHERE {} IS NOT NULL", sql_name(table_names_.next()), table, name, name));
        if (random_.chance(6)) statements.push_back(fmt::format("CREATE INDEX {} ON {} ((lower({}::text)))", sql_name(table_names_.next()), table, name));
        if (random_.chance(10)) statements.push_back(fmt::format("COMMENT ON TABLE {} IS {}", table, sql_text(random_text(random_))));
        if (random_.chance(10)) statements.push_back(fmt::format("COMMENT ON COLUMN {}.{} IS 'it''s a \\ comment'", table, name));
        if (random_.chance(8)) statements.push_back(fmt::format("ALTER TABLE {} ALTER {} SET STORAGE EXTERNAL", table, name));
        if (key.empty() && random_.chance(30)) {
            // A key that is not the primary one.
            const std::string index = table_names_.next();
            statements.push_back(fmt::format("ALTER TABLE {0} ADD {1} integer NOT NULL DEFAULT 0, ADD CONSTRAINT {2} UNIQUE ({1})", table, sql_name(names.next()), sql_name(index)));
            statements.push_back(fmt::format("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", table, sql_name(index)));
        } else if (random_.chance(15)) {
            statements.push_back(fmt::format("ALTER TABLE {} REPLICA IDENTITY FULL", table));
        }
    }

    SchemaLimits limits_;
    Random random_;
    Names table_names_;
    RandomSchema schema_;
    std::vector<std::string> schemas_;
    std::vector<std::string> own_ordered_;
    std::vector<std::string> own_others_;
    std::vector<Parent> parents_;
};

}  // namespace

RandomSchema random_pg_schema(const SchemaLimits& limits, Random& random) { return Generator{limits, random}.make(); }

}  // namespace rowferry::test
