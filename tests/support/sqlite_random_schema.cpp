#include <algorithm>

#include <fmt/format.h>

#include "tests/support/random_schema.h"
#include "tests/support/sqlite_values.h"

namespace rowferry::test {
namespace {

constexpr const char* kDeclared[] = {"INTEGER", "INTEGER", "INT", "BIGINT", "TINYINT(1)", "TEXT", "TEXT", "VARCHAR(10)", "NCHAR(5)", "CLOB", "REAL", "DOUBLE PRECISION", "FLOAT", "NUMERIC",
                                     "DECIMAL(10,2)", "BLOB", "", "BOOLEAN", "DATE", "DATETIME", "TIMESTAMP", "TIME", "UUID", "JSON", "ANY", "MONEY", "My Type", "STRING", "POINT",
                                     "UNSIGNED BIG INT", "NATIVE CHARACTER(70)", "TIMESTAMPTZ", "guid", "FLOATING POINT", "DATE_TEXT", "NUMERIC_TEXT(10,2)"};
constexpr const char* kStrict[] = {"INTEGER", "INT", "TEXT", "REAL", "BLOB", "ANY"};

struct Column {
    std::string name;
    std::string declared;
    SqliteStyle style = SqliteStyle::texts;
    SqliteAffinity affinity = SqliteAffinity::none;
    bool not_null = false;
    std::string extra;
    bool generated = false;
    bool row_id = false;   ///< INTEGER PRIMARY KEY
    bool indexed = false;
};

struct Parent {
    std::string name;
    std::string column;
};

class Generator {
public:
    Generator(const SchemaLimits& limits, Random& random) : limits_{limits}, random_{random.fork()}, table_names_{random.fork()} {}

    RandomSchema make() {
        for (int i = 0; i < limits_.tables; ++i) table();
        return std::move(schema_);
    }

private:
    Column column(Names& names, bool strict) {
        Column column;
        column.name = names.next();
        choose_kind(column, strict);
        column.not_null = random_.chance(20);
        return column;
    }

    void choose_kind(Column& column, bool strict) {
        column.declared = strict ? random_.pick(kStrict) : random_.pick(kDeclared);
        column.affinity = strict && column.declared == "ANY" ? SqliteAffinity::none : affinity_of(column.declared);
        std::vector<SqliteStyle> styles = styles_for(column.affinity);
        if (strict && column.declared != "ANY") {
            styles = column.affinity == SqliteAffinity::integer ? std::vector{SqliteStyle::integers, SqliteStyle::zero_one}
                     : column.affinity == SqliteAffinity::real  ? std::vector{SqliteStyle::reals}
                     : column.affinity == SqliteAffinity::none  ? std::vector{SqliteStyle::blobs}
                                                                : std::vector{SqliteStyle::texts, SqliteStyle::dates, SqliteStyle::json};
        }
        column.style = random_.chance(45) ? styles[0] : random_.pick(styles);
    }

    void table() {
        Names names{random_.fork()};
        const std::string table = table_names_.next();
        const bool strict = random_.chance(10);
        std::vector<Column> columns;
        const int count = random_.chance(5) ? 30 : 1 + random_.below(7);
        for (int i = 0; i < count; ++i) columns.push_back(column(names, strict));
        std::vector<std::string> constraints;
        bool without_rowid = false;
        key(columns, names, constraints, strict, without_rowid);
        if (random_.chance(25)) reference(columns, names, constraints, table, strict);
        if (random_.chance(15)) generated(columns, names, strict);
        for (Column& column : columns) decorate(column);
        const auto plain = std::find_if(columns.begin(), columns.end(), [](const Column& c) { return !c.generated; });
        if (random_.chance(15)) {
            plain->indexed = true;
            constraints.push_back("UNIQUE (" + sql_name(plain->name) + ")");
        }
        if (random_.chance(15)) constraints.push_back("CHECK (" + sql_name(plain->name) + " IS NOT 'forbidden')");
        std::string body;
        for (const Column& column : columns) {
            body += body.empty() ? "\n  " : ",\n  ";
            body += sql_name(column.name) + (column.declared.empty() ? "" : " " + column.declared) + column.extra + (column.not_null ? " NOT NULL" : "");
        }
        for (const std::string& constraint : constraints) body += ",\n  " + constraint;
        const std::string options = strict && without_rowid ? " STRICT, WITHOUT ROWID" : strict ? " STRICT" : without_rowid ? " WITHOUT ROWID" : "";
        auto& statements = schema_.of_table[table];
        statements.push_back(fmt::format("CREATE TABLE {} ({}\n){}", sql_name(table), body, options));
        extras(columns, names, table, statements);
        triggers(columns, table, statements);
        witness_rows(columns, table);
        schema_.order.push_back(table);
    }

    void key(std::vector<Column>& columns, Names& names, std::vector<std::string>& constraints, bool strict, bool& without_rowid) {
        const int dice = random_.below(100);
        if (dice < 20) return;
        const auto anywhere = [&](Column column) { columns.insert(columns.begin() + random_.below(static_cast<int>(columns.size()) + 1), std::move(column)); };
        if (dice < 55) {
            Column id{.name = names.next(), .declared = "INTEGER", .style = SqliteStyle::integers, .affinity = SqliteAffinity::integer, .not_null = random_.chance(20), .extra = {}, .generated = false, .row_id = true};
            if (random_.chance(50)) id.extra = random_.chance(40) ? " PRIMARY KEY AUTOINCREMENT" : " PRIMARY KEY";
            else constraints.push_back("PRIMARY KEY (" + sql_name(id.name) + ")");
            anywhere(id);
            return;
        }
        const int count = dice < 75 ? 1 : 2 + random_.below(2);
        without_rowid = random_.chance(35);
        std::string list;
        for (int i = 0; i < count; ++i) {
            Column part = column(names, strict);
            if (part.style == SqliteStyle::zero_one && count == 1) part.style = SqliteStyle::integers;
            if (random_.chance(60) && !strict) part.declared = "TEXT", part.affinity = SqliteAffinity::text, part.style = SqliteStyle::texts;
            if (count == 1 && part.declared == "INTEGER") part.style = SqliteStyle::integers;  // it may become the rowid
            if (random_.chance(40)) part.not_null = true;
            part.indexed = true;
            static const char* const odd[] = {"", "", "", " COLLATE NOCASE", " DESC", " COLLATE RTRIM"};
            list += (list.empty() ? "" : ", ") + sql_name(part.name) + random_.pick(odd);
            anywhere(part);
        }
        constraints.push_back("PRIMARY KEY (" + list + ")");
    }

    void reference(std::vector<Column>& columns, Names& names, std::vector<std::string>& constraints, const std::string& table, bool) {
        if (parents_.empty()) return;
        const Parent& parent = random_.pick(parents_);
        static const char* const actions[] = {"", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE", " ON UPDATE CASCADE ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"};
        Column column{.name = names.next(), .declared = "INTEGER", .style = SqliteStyle::integers, .affinity = SqliteAffinity::integer, .not_null = false, .extra = {}, .generated = false, .row_id = false};
        constraints.push_back(fmt::format("FOREIGN KEY ({}) REFERENCES {} ({}){}", sql_name(column.name), sql_name(parent.name), sql_name(parent.column), random_.pick(actions)));
        schema_.values[table][column.name] = [parent](Random& random) {
            return fmt::format("(SELECT {} FROM {} ORDER BY 1 LIMIT 1 OFFSET {})", sql_name(parent.column), sql_name(parent.name), random.below(8));
        };
        columns.push_back(column);
    }

    void generated(std::vector<Column>& columns, Names& names, bool strict) {
        const auto source = std::find_if(columns.begin(), columns.end(), [](const Column& c) { return !c.row_id && c.style != SqliteStyle::raw && c.style != SqliteStyle::mixed; });
        if (source == columns.end()) return;
        const std::string expression = "typeof(" + sql_name(source->name) + ") || '!'";
        Column column{.name = names.next(), .declared = strict || random_.chance(60) ? "TEXT" : "", .style = SqliteStyle::texts, .affinity = SqliteAffinity::text, .not_null = false,
                      .extra = " GENERATED ALWAYS AS (" + expression + ")" + (random_.chance(50) ? " STORED" : " VIRTUAL"), .generated = true, .row_id = false};
        columns.insert(columns.begin() + random_.below(static_cast<int>(columns.size()) + 1), column);
    }

    void decorate(Column& column) {
        if (column.generated || column.row_id) return;
        static const char* const collations[] = {" COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"};
        if (column.affinity == SqliteAffinity::text && random_.chance(10)) column.extra += random_.pick(collations);
        if (!random_.chance(15)) return;
        switch (column.style) {
            case SqliteStyle::integers: column.extra += random_.chance(50) ? " DEFAULT 42" : " DEFAULT (2 + 3)"; break;
            case SqliteStyle::zero_one: column.extra += " DEFAULT 1"; break;
            case SqliteStyle::texts: column.extra += random_.chance(50) ? " DEFAULT 'it''s a default'" : " DEFAULT (lower('ABC') || 'x')"; break;
            case SqliteStyle::reals: column.extra += " DEFAULT 1.5"; break;
            case SqliteStyle::dates: column.extra += random_.chance(50) ? " DEFAULT CURRENT_DATE" : " DEFAULT '2020-02-02'"; break;
            case SqliteStyle::timestamps: column.extra += " DEFAULT CURRENT_TIMESTAMP"; break;
            case SqliteStyle::blobs: column.extra += random_.chance(50) ? " DEFAULT (randomblob(4))" : " DEFAULT x'00ff'"; break;
            default: break;
        }
    }

    void extras(std::vector<Column>& columns, Names& names, const std::string& table, std::vector<std::string>& statements) {
        Column& column = columns[static_cast<std::size_t>(random_.below(static_cast<int>(columns.size())))];
        column.indexed = true;
        const std::string name = sql_name(column.name);
        const std::string on = sql_name(table);
        if (random_.chance(20)) statements.push_back(fmt::format("CREATE INDEX {} ON {} ({}{})", sql_name(table + names.next()), on, name, random_.chance(30) ? " COLLATE NOCASE DESC" : ""));
        if (random_.chance(8)) statements.push_back(fmt::format("CREATE UNIQUE INDEX {} ON {} ({})", sql_name(table + names.next()), on, name));
        // What REPLACE removes by these only BEFORE triggers see. Over the row's number they would be refused.
        if (random_.chance(6) && !column.row_id)
            statements.push_back(fmt::format("CREATE UNIQUE INDEX {} ON {} ({}) WHERE typeof({}) <> 'text'", sql_name(table + names.next()), on, name, name));
        if (random_.chance(6) && !column.row_id) statements.push_back(fmt::format("CREATE UNIQUE INDEX {} ON {} (substr({}, 1, 2))", sql_name(table + names.next()), on, name));
        if (random_.chance(6)) statements.push_back(fmt::format("CREATE INDEX {} ON {} ({}) WHERE {} IS NOT NULL", sql_name(table + names.next()), on, name, name));
        if (random_.chance(6)) statements.push_back(fmt::format("CREATE INDEX {} ON {} (lower({}))", sql_name(table + names.next()), on, name));
    }

    /// The application's own triggers, which change the row that was just written.
    void triggers(const std::vector<Column>& columns, const std::string& table, std::vector<std::string>& statements) {
        const auto id = std::find_if(columns.begin(), columns.end(), [](const Column& c) { return c.row_id; });
        const auto other = std::find_if(columns.begin(), columns.end(), [](const Column& c) { return !c.row_id && !c.generated && !c.indexed; });
        if (id == columns.end() || other == columns.end() || !random_.chance(30)) return;
        const std::string on = sql_name(table);
        const std::string key = sql_name(id->name);
        const std::string column = sql_name(other->name);
        const auto trigger = [&](const char* when, const std::string& what) {
            statements.push_back(fmt::format("CREATE TRIGGER {} {} ON {} BEGIN {}; END", sql_name(fmt::format("{} {}", table, when)), when, on, what));
        };
        if (random_.chance(50)) trigger("AFTER INSERT", fmt::format("DELETE FROM {} WHERE {} = new.{} AND new.{} % 7 = 0", on, key, key, key));
        if (random_.chance(50)) trigger("AFTER UPDATE", fmt::format("UPDATE {} SET {} = old.{} WHERE {} = new.{} AND new.{} % 5 = 0", on, column, column, key, key, key));
        if (random_.chance(50)) trigger("AFTER DELETE", fmt::format("UPDATE {} SET {} = old.{} WHERE {} = old.{} + 1", on, column, column, key, key));
    }

    /// Rows with each column's witnesses in turn.
    void witness_rows(const std::vector<Column>& columns, const std::string& table) {
        std::size_t most = 2;
        for (const Column& column : columns) most = std::max(most, witnesses(column.style).size());
        auto& values = schema_.values[table];
        const auto id = std::find_if(columns.begin(), columns.end(), [](const Column& c) { return c.row_id; });
        if (id != columns.end()) parents_.push_back({table, id->name});
        for (std::size_t i = 0; i < most; ++i) {
            std::string names;
            std::string row;
            for (const Column& column : columns) {
                if (column.generated || values.contains(column.name)) continue;
                const std::vector<std::string> there = witnesses(column.style);
                Random extra{i + 1};
                names += (names.empty() ? "" : ", ") + sql_name(column.name);
                row += (row.empty() ? "" : ", ") + (i < there.size() ? there[i] : sqlite_value(column.style, column.affinity, extra, true));
            }
            // Keys and unique columns may have met the value already.
            if (!names.empty()) schema_.witnesses[table].push_back(fmt::format("INSERT OR REPLACE INTO {} ({}) VALUES ({})", sql_name(table), names, row));
        }
        for (const Column& column : columns)
            if (!column.generated && !values.contains(column.name))
                values[column.name] = [style = column.style, affinity = column.affinity, indexed = column.indexed](Random& random) {
                    return sqlite_value(style, affinity, random, indexed);
                };
    }

    SchemaLimits limits_;
    Random random_;
    Names table_names_;
    RandomSchema schema_;
    std::vector<Parent> parents_;
};

}  // namespace

RandomSchema random_sqlite_schema(const SchemaLimits& limits, Random& random) { return Generator{limits, random}.make(); }

}  // namespace rowferry::test
