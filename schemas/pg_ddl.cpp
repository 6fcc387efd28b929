#include "schemas/pg_ddl.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "schemas/contained_sql.h"
#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/pg_parts.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

std::string quote_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote_identifier(name);
    return text;
}

std::string_view deferral(bool deferrable, bool initially_deferred) {
    if (!deferrable) return "";
    return initially_deferred ? " DEFERRABLE INITIALLY DEFERRED" : " DEFERRABLE";
}

/// Options of a sequence that are not the type's own.
std::string numbering_options(const Numbering& numbering, std::string_view type) {
    const std::int64_t most = type == "smallint" ? std::numeric_limits<std::int16_t>::max()
                              : type == "integer" ? std::numeric_limits<std::int32_t>::max()
                                                  : std::numeric_limits<std::int64_t>::max();
    const bool down = numbering.increment < 0;
    // What the leader's sequence may give beyond the follower's column goes by the column.
    const std::int64_t minimum = std::max(numbering.minimum, -most - 1);
    const std::int64_t maximum = std::min(numbering.maximum, most);
    const std::int64_t start = std::clamp(numbering.start, minimum, std::max(minimum, maximum));
    std::string options;
    if (start != (down ? maximum : minimum)) options += fmt::format(" START WITH {}", start);
    if (numbering.increment != 1) options += fmt::format(" INCREMENT BY {}", numbering.increment);
    if (minimum != (down ? -most - 1 : 1)) options += fmt::format(" MINVALUE {}", minimum);
    if (maximum != (down ? -1 : most)) options += fmt::format(" MAXVALUE {}", maximum);
    if (numbering.cycle) options += " CYCLE";
    return options.empty() ? "" : fmt::format(" ({})", options.substr(1));
}

std::string identity_clause(const ColumnSchema& column, std::string_view type) {
    if (column.auto_number == AutoNumber::none) return "";
    return fmt::format(" GENERATED {} AS IDENTITY{}", column.auto_number == AutoNumber::always ? "ALWAYS" : "BY DEFAULT",
                       column.numbering ? numbering_options(*column.numbering, type) : "");
}

/// By the leader's own text. A name only, where the server is to choose.
std::string index_by_definition(const TableName& table, bool unique, bool constraint, const std::string& definition, const std::string& name) {
    const std::string& text = contained_sql(table, definition);
    if (constraint) return fmt::format("ALTER TABLE {} ADD {}{}", quote_table(table), name.empty() ? "" : "CONSTRAINT " + quote_identifier(name) + " ", text);
    return fmt::format("CREATE {}INDEX {}ON {} USING {}", unique ? "UNIQUE " : "", name.empty() ? "" : quote_identifier(name) + " ", quote_table(table), text);
}

/// Only the actions that SQL knows get into the text.
std::string action(std::string_view event, std::string_view name) {
    for (const std::string_view known : {"RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"})
        if (name == known) return fmt::format("{}{}", event, name);
    return "";
}

std::string primary_key_clause(const TableSchema& leader, bool named) {
    named = named && !leader.primary_key_name.empty() && leader.engine == Engine::postgresql;
    return fmt::format("{}PRIMARY KEY ({}){}", named ? "CONSTRAINT " + quote_identifier(leader.primary_key_name) + " " : "",
                       quote_columns(leader, leader.primary_key), deferral(leader.primary_key_deferrable, leader.primary_key_initially_deferred));
}

}  // namespace

bool pg_is_integer(std::string_view type) { return type == "smallint" || type == "integer" || type == "bigint"; }

std::string quote_columns(const TableSchema& table, const ColumnIndexes& columns) {
    std::vector<std::string> names;
    for (const std::uint16_t column : columns) names.push_back(table.columns.at(column).name);
    return quote_names(names);
}

std::optional<std::string> pg_default(const TableSchema& leader, const ColumnSchema& column) {
    if (leader.engine != Engine::postgresql || column.default_expression.empty()) return std::nullopt;
    return contained_sql(leader.name, column.default_expression);
}

std::string pg_add_primary_key(const TableName& table, const TableSchema& leader, bool named) {
    return fmt::format("ALTER TABLE {} ADD {}", quote_table(table), primary_key_clause(leader, named));
}

std::string pg_create_table(const TableName& table, const TableSchema& leader, const std::vector<std::string>& types, const PgTableOptions& options) {
    std::string body;
    const auto add_line = [&](const std::string& line) { body += (body.empty() ? "\n    " : ",\n    ") + line; };
    const auto collate = [&](const std::string& collation) {
        const bool there = options.collations == nullptr || options.collations->contains(collation);
        return collation.empty() || !there ? "" : " COLLATE " + contained_sql(leader.name, collation);
    };
    const PgParts parts = pg_parts(leader, types);
    const auto add_generated = [&](std::size_t before) {
        for (const PgParts::Generated& column : parts.generated)
            if (column.before == before) add_line(column.clause);
        for (const GeneratedColumn& column : leader.generated)
            if (column.before == before && leader.engine == Engine::postgresql && is_plain_pg_type(column.type))
                add_line(fmt::format("{} {}{} GENERATED ALWAYS AS ({}) {}{}", quote_identifier(column.name), column.type, collate(column.collation),
                                     contained_sql(leader.name, column.expression), column.stored ? "STORED" : "VIRTUAL", column.not_null ? " NOT NULL" : ""));
    };
    for (std::size_t i = 0; i < leader.columns.size(); ++i) {
        add_generated(i);
        const ColumnSchema& column = leader.columns[i];
        const std::string& type = types.at(i);
        std::string line = fmt::format("{} {}{}", quote_identifier(column.name), type, collate(column.pg_collation));
        const bool numbered = options.numbered && column.auto_number != AutoNumber::none && pg_is_integer(type);
        if (const auto value = numbered ? std::nullopt : pg_default(leader, column)) line += fmt::format(" DEFAULT {}", *value);
        if (!numbered && !parts.defaults.at(i).empty()) line += " DEFAULT " + parts.defaults[i];
        if (numbered) line += identity_clause(column, type);
        if (column.not_null && !numbered) line += " NOT NULL";
        add_line(line);
    }
    add_generated(leader.columns.size());
    if (!leader.primary_key.empty() && options.primary_key) add_line(primary_key_clause(leader, options.primary_key_name));
    const bool partitioned = options.partitioned && !leader.partition_key.empty();
    return fmt::format("CREATE TABLE {} ({}\n){}", quote_table(table), body, partitioned ? " PARTITION BY " + contained_sql(leader.name, leader.partition_key) : "");
}

std::string_view key_collation(const TableSchema& leader, const IndexSchema* index, std::uint16_t column) {
    if (leader.engine != Engine::sqlite) return "";
    if (index != nullptr) {
        const auto found = std::find(index->columns.begin(), index->columns.end(), column);
        const auto place = static_cast<std::size_t>(found - index->columns.begin());
        if (place < index->collations.size() && !index->collations[place].empty()) return index->collations[place];
    }
    return leader.columns.at(column).collation;
}

/// Kept as tagged text on PostgreSQL, where the collation does not reach and 1 and 1.0 are two texts.
bool is_tagged(const TableSchema& leader, std::uint16_t column) {
    return leader.engine == Engine::sqlite && map_column(leader, column, Engine::postgresql).type == kSqliteValue;
}

bool compares_specially(const TableSchema& leader, const IndexSchema* index, std::uint16_t column) {
    const std::string type = leader.engine == Engine::sqlite ? map_column(leader, column, Engine::postgresql).type : "";
    if (type == kSqliteValue) return true;
    // A collation is for texts only; PostgreSQL has none for the blobs or dates that a column declared as text may hold instead.
    const ValueClass kept = pg_value_class(type);
    if (kept == ValueClass::bytes || kept == ValueClass::uuid || kept == ValueClass::date || kept == ValueClass::time || kept == ValueClass::timestamp ||
        kept == ValueClass::timestamptz)
        return false;
    const std::string_view collation = key_collation(leader, index, column);
    return leader.columns.at(column).value_class == ValueClass::text && !collation.empty() && collation != "BINARY";
}

std::string pg_fold(const TableSchema& leader, const IndexSchema* index, std::uint16_t column, const std::string& operand) {
    const std::string folded = pg_fold(key_collation(leader, index, column), operand);
    if (!is_tagged(leader, column)) return folded;
    // r:1 is equal to i:1, r:-0 to i:0.
    return fmt::format("regexp_replace(regexp_replace({}, '^r:-0$', 'r:0'), '^r:(-?[0-9]+)$', 'i:\\1')", folded);
}

std::string pg_fold(std::string_view collation, const std::string& operand) {
    // lower() under the C collation folds ASCII only, as NOCASE does.
    if (collation == "NOCASE") return fmt::format("lower({} COLLATE \"C\")", operand);
    if (collation == "RTRIM") return fmt::format("rtrim({}, ' ')", operand);
    return operand;
}

std::string pg_create_index(const TableName& table, const TableSchema& leader, const IndexSchema& index, const std::string& name) {
    if (!index.definition.empty() && leader.engine == Engine::postgresql)
        return index_by_definition(table, index.unique, index.constraint, index.definition, name);
    const bool special = std::any_of(index.columns.begin(), index.columns.end(),
                                     [&](std::uint16_t column) { return compares_specially(leader, &index, column); });
    if (index.constraint && !special)
        return fmt::format("ALTER TABLE {} ADD {}UNIQUE ({}){}", quote_table(table),
                           name.empty() ? "" : "CONSTRAINT " + quote_identifier(name) + " ", quote_columns(leader, index.columns),
                           deferral(index.deferrable, index.initially_deferred));
    std::string columns;
    for (std::size_t i = 0; i < index.columns.size(); ++i) {
        const std::string column = quote_identifier(leader.columns.at(index.columns[i]).name);
        columns += columns.empty() ? "" : ", ";
        // Only uniqueness needs the leader's comparison; an ordinary index serves the follower's own queries better plain.
        const bool folded = index.unique && compares_specially(leader, &index, index.columns[i]);
        columns += folded ? "(" + pg_fold(leader, &index, index.columns[i], column) + ")" : column;
        if (i < index.descending.size() && index.descending[i]) columns += " DESC";
    }
    return fmt::format("CREATE {}INDEX {}{}ON {} ({})", index.unique ? "UNIQUE " : "", name.empty() ? "" : quote_identifier(name),
                       name.empty() ? "" : " ", quote_table(table), columns);
}

std::string pg_create_index(const TableName& table, const ExpressionIndex& index, const std::string& name) {
    return index_by_definition(table, index.unique, index.constraint, index.definition, name);
}

std::string pg_add_check(const TableName& table, const CheckConstraint& check) {
    return fmt::format("ALTER TABLE {} ADD {}CHECK ({}){}{}", quote_table(table), check.name.empty() ? "" : "CONSTRAINT " + quote_identifier(check.name) + " ",
                       contained_sql(table, check.expression), check.no_inherit ? " NO INHERIT" : "", check.not_valid ? " NOT VALID" : "");
}

std::string pg_add_foreign_key(const TableName& table, const TableSchema& leader, const ForeignKey& key, PgForeignKeyStyle style) {
    const TableName parent = follower_parent(leader, key, Engine::postgresql);
    std::string sql = fmt::format("ALTER TABLE {} ADD {}FOREIGN KEY ({}) REFERENCES {}", quote_table(table),
                                  key.name.empty() ? "" : "CONSTRAINT " + quote_identifier(key.name) + " ",
                                  quote_columns(leader, key.columns), quote_table(parent));
    if (!key.parent_columns.empty()) sql += fmt::format(" ({})", quote_names(key.parent_columns));
    if (style == PgForeignKeyStyle::deferred) return sql + " DEFERRABLE INITIALLY DEFERRED";
    sql += action(" ON UPDATE ", key.on_update);
    sql += action(" ON DELETE ", key.on_delete);
    sql += deferral(key.deferrable, key.initially_deferred);
    if (style == PgForeignKeyStyle::not_validated) sql += " NOT VALID";
    return sql;
}

}  // namespace rowferry
