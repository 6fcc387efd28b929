#include "schemas/sqlite_ddl.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/error.h"
#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_parts.h"

namespace rowferry {
namespace {

/// Only what SQLite has built in: a collation of the application's own is not there in our connections.
std::string collate_clause(const TableSchema& table, const std::string& collation) {
    const std::string folded = sqlite_folded(collation);
    if (folded.empty()) return {};
    for (const char* known : {"binary", "nocase", "rtrim"})
        if (folded == known) return " COLLATE " + collation;
    throw RefusedError{fmt::format("table {}: the collation {} is not one of SQLite's own; leave the table out with --exclude-table",
                                   to_string(table.name), printable(collation, 80))};
}

bool is_binary(const std::string& collation) { return collation.empty() || sqlite_folded(collation) == "binary"; }

std::string referential_action(const TableSchema& table, const std::string& action) {
    static constexpr std::array kActions{"NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"};
    if (std::find(kActions.begin(), kActions.end(), action) == kActions.end())
        throw RefusedError{fmt::format("table {}: foreign key action \"{}\" is unknown", to_string(table.name), printable(action, 40))};
    return action;
}

std::string quoted_list(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quote_identifier(name);
    return text;
}

std::vector<std::string> column_names(const TableSchema& table, const ColumnIndexes& columns) {
    std::vector<std::string> names;
    for (const auto column : columns) names.push_back(table.columns.at(column).name);
    return names;
}

std::string parent_name(const TableSchema& table, const ForeignKey& key) {
    return follower_parent(table, key, Engine::sqlite).name;
}

std::string foreign_key_clause(const TableSchema& table, const ForeignKey& key) {
    std::string text = fmt::format("FOREIGN KEY ({}) REFERENCES {}", quoted_list(column_names(table, key.columns)), quote_identifier(parent_name(table, key)));
    if (!key.parent_columns.empty()) text += fmt::format(" ({})", quoted_list(key.parent_columns));
    if (key.on_update != "NO ACTION") text += " ON UPDATE " + referential_action(table, key.on_update);
    if (key.on_delete != "NO ACTION") text += " ON DELETE " + referential_action(table, key.on_delete);
    if (key.deferrable) text += key.initially_deferred ? " DEFERRABLE INITIALLY DEFERRED" : " DEFERRABLE INITIALLY IMMEDIATE";
    return text;
}

/// A SQLite leader's `INTEGER PRIMARY KEY DESC` is not the rowid, by a quirk that only the same words reproduce.
bool descending_quirk(const TableSchema& table) {
    return table.engine == Engine::sqlite && !table.without_rowid && table.primary_key.size() == 1 && !sqlite_rowid_key(table) &&
           sqlite_folded(table.columns.at(table.primary_key.front()).type) == "integer";
}

std::string column_clause(const TableSchema& table, std::uint16_t index, const SqliteParts& parts) {
    const ColumnSchema& column = table.columns.at(index);
    const bool only_key = table.primary_key.size() == 1 && table.primary_key.front() == index;
    std::string text = quote_identifier(column.name);
    const std::string& type = parts.types.at(index);
    if (!type.empty()) text += " " + type;
    if (only_key && sqlite_rowid_key(table)) text += sqlite_autoincrements(table) ? " PRIMARY KEY AUTOINCREMENT" : " PRIMARY KEY";
    if (only_key && descending_quirk(table)) text += " PRIMARY KEY DESC";
    if (column.not_null) text += " NOT NULL";
    if (!is_binary(column.collation)) text += collate_clause(table, column.collation);
    if (!parts.defaults.at(index).empty()) text += " DEFAULT " + parts.defaults.at(index);
    return text + sqlite_comment(column.comment);
}

std::string generated_name(const TableSchema& table, const SqliteIndex& index) {
    std::string name = sqlite_follower_name(table);
    for (const auto column : index.columns) name += "_" + table.columns.at(column).name;
    return name + (index.unique ? "_key" : "_idx");
}

}  // namespace

std::string sqlite_folded(std::string_view name) {
    std::string folded{name};
    for (char& c : folded)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folded;
}

std::string sqlite_follower_name(const TableSchema& table) { return follower_table(table, Engine::sqlite).name; }

/// A sequence that counts upwards goes on counting where the leader's would, also over numbers whose rows are gone.
bool sqlite_autoincrements(const TableSchema& table) {
    if (table.primary_key.size() != 1) return false;
    const ColumnSchema& column = table.columns.at(table.primary_key.front());
    if (table.engine == Engine::sqlite) return column.autoincrement;
    return column.auto_number != AutoNumber::none && (!column.numbering || column.numbering->increment > 0);
}

bool sqlite_rowid_key(const TableSchema& table) {
    if (table.primary_key.size() != 1 || table.without_rowid) return false;
    const ColumnSchema& column = table.columns.at(table.primary_key.front());
    if (table.engine == Engine::sqlite) return column.auto_number != AutoNumber::none;
    return column.value_class == ValueClass::integer;
}

std::string sqlite_create_table(const TableSchema& table, const std::vector<std::string>& present) {
    const std::string name = sqlite_follower_name(table);
    if (sqlite_folded(name).starts_with("sqlite_"))
        throw RefusedError{fmt::format("table {}: SQLite keeps names that begin with sqlite_ for itself", to_string(table.name))};
    if (table.columns.empty())
        throw RefusedError{fmt::format("table {} has no columns, which SQLite does not allow", to_string(table.name))};
    const SqliteParts parts = sqlite_parts(table);
    std::string body;
    const auto add = [&](const std::string& clause) { body += (body.empty() ? "\n    " : ",\n    ") + clause; };
    for (std::uint16_t i = 0; i <= table.columns.size(); ++i) {
        for (const SqliteParts::Generated& generated : parts.generated)
            if (generated.before == i) add(generated.clause);
        if (i < table.columns.size()) add(column_clause(table, i, parts));
    }
    if (!table.primary_key.empty() && !sqlite_rowid_key(table) && !descending_quirk(table))
        add(fmt::format("PRIMARY KEY ({})", quoted_list(column_names(table, table.primary_key))));
    for (const std::string& check : parts.checks) add(check);
    for (const ForeignKey& key : table.foreign_keys)
        if (holds(present, sqlite_folded(parent_name(table, key)))) add(foreign_key_clause(table, key));
    std::string options;
    if (table.without_rowid) options += " WITHOUT ROWID";
    if (table.strict) options += options.empty() ? " STRICT" : ", STRICT";
    return fmt::format("CREATE TABLE \"main\".{}{} ({}\n){}", quote_identifier(name), sqlite_comment(table.comment), body, options);
}

std::vector<SqliteIndex> sqlite_indexes(const TableSchema& table) {
    std::vector<SqliteIndex> result;
    const auto column_collations = [&](const ColumnIndexes& columns) {
        std::vector<std::string> collations;
        for (const auto column : columns) collations.push_back(sqlite_collation(table, column));
        return collations;
    };
    const auto is_primary_key = [&](const SqliteIndex& index) {
        if (!index.unique || index.columns != table.primary_key) return false;
        const auto own = column_collations(index.columns);
        return std::equal(own.begin(), own.end(), index.collations.begin(), [](const auto& a, const auto& b) { return sqlite_folded(a) == sqlite_folded(b); });
    };
    for (const IndexSchema& index : table.indexes) {
        SqliteIndex wanted{index.name, index.unique, index.columns, index.descending, index.collations};
        wanted.descending.resize(index.columns.size(), false);
        if (wanted.collations.size() != index.columns.size()) wanted.collations = column_collations(index.columns);
        for (std::size_t i = 0; i < wanted.columns.size(); ++i)
            if (wanted.collations[i].empty()) wanted.collations[i] = sqlite_collation(table, wanted.columns[i]);
        if (!is_primary_key(wanted)) result.push_back(std::move(wanted));
    }
    for (const UniqueKey& key : table.unique_keys) {
        const bool covered = std::any_of(result.begin(), result.end(), [&](const SqliteIndex& index) { return index.unique && index.columns == key.columns; });
        if (covered || key.columns == table.primary_key) continue;
        result.push_back({key.name, true, key.columns, std::vector<bool>(key.columns.size(), false), column_collations(key.columns)});
    }
    for (SqliteIndex& index : result)
        if (index.wanted_name.empty() || sqlite_folded(index.wanted_name).starts_with("sqlite_")) index.wanted_name = generated_name(table, index);
    return result;
}

std::string sqlite_index_name(const TableSchema& table, const std::string& wanted, const std::vector<std::string>& taken) {
    if (!holds(taken, sqlite_folded(wanted))) return wanted;
    const std::string longer = sqlite_follower_name(table) + "_" + wanted;
    std::string name = longer;
    for (int number = 2; holds(taken, sqlite_folded(name)); ++number) name = fmt::format("{}_{}", longer, number);
    return name;
}

std::string sqlite_create_index(const TableSchema& table, const SqliteIndex& index, const std::string& name, const std::vector<std::string>& existing) {
    std::string columns;
    for (std::size_t i = 0; i < index.columns.size(); ++i) {
        const std::uint16_t column = index.columns[i];
        const std::string own = existing.empty() ? sqlite_collation(table, column) : existing.at(column);
        columns += (i == 0 ? "" : ", ") + quote_identifier(table.columns.at(column).name);
        if (sqlite_folded(own) != sqlite_folded(index.collations[i])) columns += collate_clause(table, index.collations[i]);
        if (index.descending[i]) columns += " DESC";
    }
    return fmt::format("CREATE {}INDEX \"main\".{} ON {} ({})", index.unique ? "UNIQUE " : "", quote_identifier(name),
                       quote_identifier(sqlite_follower_name(table)), columns);
}

std::string sqlite_create_index(const TableSchema& table, const SqliteExpressionIndex& index, const std::string& name) {
    return fmt::format("CREATE {}INDEX \"main\".{} ON {} {}", index.unique ? "UNIQUE " : "", quote_identifier(name), quote_identifier(sqlite_follower_name(table)),
                       index.body);
}

std::string sqlite_collation(const TableSchema& table, std::uint16_t column) {
    if (table.engine == Engine::sqlite) return table.columns.at(column).collation.empty() ? "BINARY" : table.columns.at(column).collation;
    const std::string type = map_column(table, column, Engine::sqlite).type;
    constexpr std::string_view kClause = " COLLATE ";
    const auto clause = type.rfind(kClause);
    return clause == std::string::npos ? "BINARY" : type.substr(clause + kClause.size());
}

std::vector<std::string> sqlite_notes(const TableSchema& table, const std::vector<std::string>& present) {
    std::vector<std::string> notes;
    for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
        const std::string note = map_column(table, i, Engine::sqlite).note;
        const std::string column = fmt::format("{}.{}", to_string(table.name), printable(table.columns[i].name, 80));
        if (!note.empty()) notes.push_back(fmt::format("{}: {}", column, note));
        if (!table.columns[i].pg_collation.empty())
            notes.push_back(fmt::format("{}: the collation {} is not carried: texts compare by their bytes", column, printable(table.columns[i].pg_collation, 80)));
    }
    for (std::string& note : sqlite_parts(table).notes) notes.push_back(std::move(note));
    for (const IndexSchema& index : table.indexes)
        if (!index.definition.empty())
            notes.push_back(fmt::format("{}: the index {} is made over its columns, without what only PostgreSQL knows: {}", to_string(table.name),
                                        printable(index.name, 80), printable(index.definition, 200)));
    for (const ForeignKey& key : table.foreign_keys)
        if (!holds(present, sqlite_folded(parent_name(table, key))))
            notes.push_back(fmt::format("{}: the foreign key to {} is left out, as that table is not on the follower", to_string(table.name),
                                        to_string(key.parent)));
    return notes;
}

}  // namespace rowferry
