#include "cli/rule_options.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/rule_text.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_shape.h"

namespace rowferry {
namespace {

/// `TABLE=VALUE`; an equals sign inside double quotes belongs to the name.
struct Assignment {
    std::string target;
    std::string value;
};

Assignment parse_assignment(const std::string& text, std::string_view form) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < text.size() && (quoted || text[end] != '='); ++end) quoted = quoted != (text[end] == '"');
    if (end == 0 || end == text.size()) throw UsageError{fmt::format("\"{}\": expected {}", printable(text, 100), form)};
    return {text.substr(0, end), text.substr(end + 1)};
}

/// `[SCHEMA.]TABLE.COLUMN`
std::pair<std::string, std::string> parse_column(const std::string& text) {
    std::vector<std::string> parts = split_unquoted(text, '.');
    if (parts.size() < 2) throw UsageError{fmt::format("\"{}\": expected TABLE.COLUMN", printable(text, 100))};
    std::string table;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) table += (i == 0 ? "" : ".") + parts[i];
    return {table, plain_name(parts.back())};
}

/// Rules from the command line, one for each pattern.
class CommandLineRules {
public:
    TableRule& table(const std::string& pattern) {
        for (TableRule& rule : rules_)
            if (rule.table.text() == pattern) return rule;
        rules_.push_back({TablePattern{pattern}, {}, {}, {}, {}, {}, {}});
        return rules_.back();
    }

    ColumnRule& column(const std::string& target) {
        const auto [pattern, name] = parse_column(target);
        TableRule& rule = table(pattern);
        for (ColumnRule& column : rule.column_rules)
            if (column.column == name) return column;
        rule.column_rules.emplace_back().column = name;
        return rule.column_rules.back();
    }

    [[nodiscard]] std::vector<TableRule> take() { return std::move(rules_); }

private:
    std::vector<TableRule> rules_;
};

[[noreturn]] void twice(const std::string& target) { throw UsageError{fmt::format("it is given twice for {}", printable(target, 100))}; }

std::vector<std::string> parse_names(const std::string& text) {
    std::vector<std::string> names;
    for (const std::string& name : split_unquoted(text, ',')) names.push_back(plain_name(name));
    return names;
}

/// Calls `take` with each value of a list setting; errors get their origin in front.
template <typename Take>
void each(const SettingLayer& settings, std::string_view name, Take take) {
    const auto found = settings.find(name);
    if (found == settings.end()) return;
    for (const std::string& text : found->second.values) {
        try {
            take(text);
        } catch (const UsageError& error) {
            throw UsageError{fmt::format("{}: {}", found->second.origin, error.what())};
        }
    }
}

void take_tables(const SettingLayer& settings, CommandLineRules& rules) {
    const auto columns = [&](const std::string& text, std::vector<std::string> TableRule::*list, std::vector<std::string> TableRule::*other) {
        const auto [target, value] = parse_assignment(text, "TABLE=COLUMN,COLUMN");
        TableRule& rule = rules.table(target);
        if (!(rule.*list).empty()) twice(target);
        if (!(rule.*other).empty()) throw UsageError{fmt::format("--columns and --exclude-columns exclude each other ({})", printable(target, 100))};
        rule.*list = parse_names(value);
    };
    each(settings, "columns", [&](const std::string& text) { columns(text, &TableRule::columns, &TableRule::excluded_columns); });
    each(settings, "exclude-columns", [&](const std::string& text) { columns(text, &TableRule::excluded_columns, &TableRule::columns); });
    each(settings, "filter", [&](const std::string& text) {
        const auto [target, value] = parse_assignment(text, "TABLE=EXPRESSION");
        TableRule& rule = rules.table(target);
        if (rule.filter) twice(target);
        if (value.find_first_not_of(" \t\n") == std::string::npos) throw UsageError{fmt::format("the filter of {} is empty", printable(target, 100))};
        rule.filter = value;
    });
    each(settings, "rename-table", [&](const std::string& text) {
        const auto [target, value] = parse_assignment(text, "TABLE=NAME");
        static_cast<void>(parse_table_name(value));
        TableRule& rule = rules.table(target);
        if (rule.rename) twice(target);
        rule.rename = value;
    });
}

void take_columns(const SettingLayer& settings, CommandLineRules& rules) {
    each(settings, "rename-column", [&](const std::string& text) {
        const auto [target, value] = parse_assignment(text, "TABLE.COLUMN=NAME");
        ColumnRule& rule = rules.column(target);
        if (rule.rename) twice(target);
        rule.rename = plain_name(value);
    });
    each(settings, "type", [&](const std::string& text) {
        const auto [target, value] = parse_assignment(text, "TABLE.COLUMN=TYPE[:ENCODING]");
        ColumnRule& rule = rules.column(target);
        if (rule.type) twice(target);
        auto [type, encoding] = parse_wanted_type(value);
        rule.type = std::move(type);
        rule.encoding = encoding;
    });
    each(settings, "mask", [&](const std::string& text) {
        const auto [target, value] = parse_assignment(text, "TABLE.COLUMN=MASK");
        ColumnRule& rule = rules.column(target);
        if (rule.mask.kind != Mask::Kind::none) twice(target);
        rule.mask = parse_mask(value);
    });
}

void take_mismatches(const SettingLayer& settings, CommandLineRules& rules, TableRules& all) {
    each(settings, "on-mismatch", [&](const std::string& text) {
        if (text.find('=') == std::string::npos) {
            if (all.on_mismatch) twice("every table");
            all.on_mismatch = parse_on_mismatch(text);
            return;
        }
        const auto [target, value] = parse_assignment(text, "[TABLE[.COLUMN]=]MODE");
        const OnMismatch mode = parse_on_mismatch(value);
        // Three parts name a column; two are a schema and its table.
        std::optional<OnMismatch>& place = split_unquoted(target, '.').size() > 2 ? rules.column(target).on_mismatch : rules.table(target).on_mismatch;
        if (place) twice(target);
        place = mode;
    });
}

std::string read_salt_file(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) throw UsageError{fmt::format("{}: {}", printable(path), std::generic_category().message(errno))};
    if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) throw UsageError{fmt::format("{} can be read by others: chmod 600 it", printable(path))};
    std::ifstream in{path, std::ios::binary};
    std::string salt{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    if (!in.good() && !in.eof()) throw UsageError{fmt::format("{} cannot be read", printable(path))};
    while (!salt.empty() && (salt.back() == '\n' || salt.back() == '\r')) salt.pop_back();
    if (salt.empty()) throw UsageError{fmt::format("{} is empty: put a long random text into it", printable(path))};
    return salt;
}

std::string read_salt(const SettingLayer& settings) {
    std::string salt;
    each(settings, "mask-salt", [&](const std::string& text) { salt = text; });
    each(settings, "salt-file", [&](const std::string& path) {
        if (!salt.empty()) throw UsageError{"there is a salt in the environment (ROWFERRY_MASK_SALT) as well: give one of the two"};
        salt = read_salt_file(path);
    });
    return salt;
}

}  // namespace

TableRules resolve_rules(const SettingLayer& settings) {
    TableRules all;
    if (const auto sections = settings.find(kRuleSections); sections != settings.end()) {
        all.rules = sections->second.rules;
        all.types = sections->second.types;
    }
    CommandLineRules rules;
    take_tables(settings, rules);
    take_columns(settings, rules);
    take_mismatches(settings, rules, all);
    std::ranges::move(rules.take(), std::back_inserter(all.rules));
    all.salt = read_salt(settings);
    return all;
}

}  // namespace rowferry
