#include "schemas/table_subset.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/shown.h"

namespace rowferry {
namespace {

constexpr std::uint16_t kLeftOut = 0xFFFF;

/// Every column that a rule names.
std::vector<std::string> named_columns(const TableRule& rule) {
    std::vector<std::string> names = rule.columns;
    names.insert(names.end(), rule.excluded_columns.begin(), rule.excluded_columns.end());
    for (const ColumnRule& column : rule.column_rules) names.push_back(column.column);
    return names;
}

bool has_column(const TableSchema& table, const std::string& name) {
    return std::ranges::any_of(table.columns, [&](const ColumnSchema& column) { return same_column_name(table.engine, column.name, name); });
}

/// A generated column is not in the stream, so nothing can be asked for it.
bool is_generated(const TableSchema& table, const std::string& name) {
    return std::ranges::any_of(table.generated, [&](const GeneratedColumn& column) { return same_column_name(table.engine, column.name, name); });
}

std::string names_of(const std::vector<const TableSchema*>& tables) {
    std::string text;
    for (const TableSchema* table : tables) text += (text.empty() ? "" : ", ") + to_string(table->name);
    return printable(text, 500);
}

bool lists(Engine engine, const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::any_of(names, [&](const std::string& listed) { return same_column_name(engine, listed, name); });
}

/// Takes a table's parts over to fewer columns.
class Narrowing {
public:
    Narrowing(const TableSchema& whole, const ColumnIndexes& kept) : whole_{whole}, table_{whole}, place_(whole.columns.size(), kLeftOut) {
        for (std::size_t i = 0; i < kept.size(); ++i) place_[kept[i]] = static_cast<std::uint16_t>(i);
    }

    TableSchema narrow() {
        table_.columns.clear();
        for (std::size_t i = 0; i < whole_.columns.size(); ++i)
            if (place_[i] != kLeftOut) table_.columns.push_back(whole_.columns[i]);
        narrow_identity();
        if (!moved(table_.primary_key)) {
            note("its primary key, which needs a column that is left out");
            table_.primary_key.clear();
            table_.primary_key_name.clear();
        }
        std::erase_if(table_.unique_keys, [&](UniqueKey& key) { return !moved(key.columns); });
        std::erase_if(table_.indexes, [&](IndexSchema& index) { return !moved_or_noted(index.columns, "index", index.name); });
        for (IndexSchema& index : table_.indexes)
            if (!index.definition.empty() && stands_on_what_is_left_out(index.definition, "the storage details of index", index.name)) index.definition.clear();
        std::erase_if(table_.foreign_keys, [&](ForeignKey& key) { return !moved_or_noted(key.columns, "foreign key", key.name); });
        narrow_generated();
        std::erase_if(table_.checks, [&](const CheckConstraint& check) { return stands_on_what_is_left_out(check.expression, "check", check.name); });
        std::erase_if(table_.expression_indexes, [&](const ExpressionIndex& index) {
            std::string text = index.predicate;
            for (const ExpressionIndex::Key& key : index.keys) text += " " + key.expression;
            text += " " + index.definition;
            return stands_on_what_is_left_out(text, "index", index.name);
        });
        return std::move(table_);
    }

private:
    void note(std::string line) { table_.not_carried.push_back(std::move(line)); }

    bool moved(ColumnIndexes& columns) const {
        for (std::uint16_t& column : columns) {
            if (place_[column] == kLeftOut) return false;
            column = place_[column];
        }
        return true;
    }

    bool moved_or_noted(ColumnIndexes& columns, std::string_view what, const std::string& name) {
        if (moved(columns)) return true;
        note(fmt::format("{} {}: it needs a column that is left out", what, shown(name)));
        return false;
    }

    void narrow_identity() {
        for (const std::uint16_t column : whole_.identity)
            if (place_[column] == kLeftOut)
                throw RefusedError{fmt::format("{}: column {} is part of the key by which the leader identifies rows and cannot be left out", to_string(whole_.name),
                                               shown(whole_.columns[column].name))};
        moved(table_.identity);
    }

    bool stands_on_what_is_left_out(const std::string& expression, std::string_view what, const std::string& name) {
        for (std::size_t i = 0; i < whole_.columns.size(); ++i) {
            if (place_[i] != kLeftOut || !mentions(expression, whole_.columns[i].name)) continue;
            note(fmt::format("{} {}: it needs column {}, which is left out", what, shown(name), shown(whole_.columns[i].name)));
            return true;
        }
        return false;
    }

    void narrow_generated() {
        std::erase_if(table_.generated, [&](const GeneratedColumn& column) { return stands_on_what_is_left_out(column.expression, "generated column", column.name); });
        for (GeneratedColumn& column : table_.generated) {
            const auto before = place_.begin() + std::min<std::ptrdiff_t>(column.before, static_cast<std::ptrdiff_t>(place_.size()));
            column.before = static_cast<std::uint16_t>(std::count_if(place_.begin(), before, [](std::uint16_t place) { return place != kLeftOut; }));
        }
    }

    const TableSchema& whole_;
    TableSchema table_;
    std::vector<std::uint16_t> place_;  // by index of `whole_`
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0; }

}  // namespace

std::string column_list(const TableSchema& table) {
    std::string text;
    for (const ColumnSchema& column : table.columns) text += (text.empty() ? "" : ", ") + shown(column.name);
    return printable(text, 500);
}

bool mentions(std::string_view expression, std::string_view name) {
    if (name.empty()) return true;
    const auto same = [](char a, char b) {
        const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
        return fold(a) == fold(b);
    };
    for (auto at = expression.begin();;) {
        at = std::search(at, expression.end(), name.begin(), name.end(), same);
        if (at == expression.end()) return name.find_first_of("\"[`") != std::string_view::npos && !expression.empty();
        const auto end = at + static_cast<std::ptrdiff_t>(name.size());
        const bool whole = (at == expression.begin() || !is_word(*(at - 1))) && (end == expression.end() || !is_word(*end));
        if (whole) return true;
        ++at;
    }
}

void check_rules(const TableRules& rules, const std::vector<const TableSchema*>& tables) {
    for (const TableRule& rule : rules.rules) {
        std::vector<const TableSchema*> matched;
        for (const TableSchema* table : tables)
            if (rules.match(rule, *table)) matched.push_back(table);
        const std::string pattern = printable(rule.table.text(), 100);
        if (matched.empty()) throw RefusedError{fmt::format("a rule for {} matches none of the replicated tables: {}", pattern, names_of(tables))};
        if (rule.rename && matched.size() > 1)
            throw RefusedError{fmt::format("the rule for {} gives one new name to {} tables: {}", pattern, matched.size(), names_of(matched))};
        for (const std::string& name : named_columns(rule)) {
            if (std::ranges::any_of(matched, [&](const TableSchema* table) { return has_column(*table, name); })) continue;
            const TableSchema& table = *matched.front();
            if (is_generated(table, name))
                throw RefusedError{fmt::format("{}: column {} is generated and not part of the stream, so there can be no rule for it", to_string(table.name), shown(name))};
            throw RefusedError{fmt::format("{} has no column {} (a rule for {} names it); it has {}", to_string(table.name), shown(name), pattern, column_list(table))};
        }
    }
    for (const TypeRule& rule : rules.types)
        if (rule.leader_type.empty() || rule.type.empty()) throw RefusedError{"a rule for a type needs the leader's type and the follower's"};
}

ColumnIndexes carried_columns(const RulesOfTable& rules, const TableSchema& table) {
    ColumnIndexes columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const std::string& name = table.columns[i].name;
        const ColumnRule* rule = rules.column(table.engine, name);
        const bool dropped = rule != nullptr && rule->mask.kind == Mask::Kind::drop;
        const bool listed = rules.columns.empty() || lists(table.engine, rules.columns, name);
        if (dropped && !rules.columns.empty() && listed)
            throw RefusedError{fmt::format("{}: column {} is listed among the columns and dropped by its mask at once", to_string(table.name), shown(name))};
        if (dropped && (rule->rename || rule->type || rule->encoding != TimeEncoding::none || rule->on_mismatch))
            throw RefusedError{fmt::format("{}: column {} is dropped, so there can be no other rule for it", to_string(table.name), shown(name))};
        const bool asked = rule != nullptr && (rule->rename || rule->type || rule->mask.kind != Mask::Kind::none || rule->on_mismatch);
        if (asked && !dropped && (!listed || lists(table.engine, rules.excluded_columns, name)))
            throw RefusedError{fmt::format("{}: there is a rule for column {}, which the columns of the table leave out", to_string(table.name), shown(name))};
        if (listed && !dropped && !lists(table.engine, rules.excluded_columns, name)) columns.push_back(static_cast<std::uint16_t>(i));
    }
    if (columns.empty()) throw RefusedError{fmt::format("{}: the rules leave no column of the table; leave it out with --exclude-table", to_string(table.name))};
    return columns;
}

TableSchema with_columns(const TableSchema& table, const ColumnIndexes& columns) {
    if (columns.size() == table.columns.size()) return table;
    return Narrowing{table, columns}.narrow();
}

}  // namespace rowferry
