#include "cli/config_rules.h"

#include <functional>
#include <map>

#include <fmt/format.h>

#include "cli/rule_text.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_shape.h"

namespace rowferry {
namespace {

/// Where something stands, for messages.
struct Place {
    const std::string& file;
    std::string section;

    [[nodiscard]] std::string of(const toml::key& key) const {
        return fmt::format("{}:{}: {}{}{}", file, key.source().begin.line, section, section.empty() ? "" : ".", printable(key.str(), 80));
    }
};

const std::string& text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    throw UsageError{"must be a string"};
}

const std::string& filled_text_of(const toml::node& node) {
    if (text_of(node).find_first_not_of(" \t\n") == std::string::npos) throw UsageError{"must not be empty"};
    return text_of(node);
}

const toml::table& table_of(const toml::node& node) {
    if (const auto* table = node.as_table()) return *table;
    throw UsageError{"must be a table"};
}

std::vector<std::string> names_of(const toml::node& node) {
    const auto* items = node.as_array();
    if (items == nullptr || items->empty()) throw UsageError{"must be an array of column names"};
    std::vector<std::string> names;
    for (const toml::node& item : *items) {
        const auto* text = item.as_string();
        if (text == nullptr || text->get().empty()) throw UsageError{"must be an array of column names"};
        names.push_back(text->get());
    }
    return names;
}

using Readers = std::map<std::string, std::function<void(const toml::node&)>, std::less<>>;

/// Reads a section key by key; errors get their place in front.
void read_section(const toml::table& section, const Place& place, const Readers& readers) {
    for (const auto& [key, node] : section) {
        const auto reader = readers.find(key.str());
        if (reader == readers.end()) {
            std::string known;
            for (const auto& [name, read] : readers) known += (known.empty() ? "" : ", ") + name;
            throw UsageError{fmt::format("{}: unknown key; known are {}", place.of(key), known)};
        }
        try {
            reader->second(node);
        } catch (const UsageError& error) {
            throw UsageError{fmt::format("{}: {}", place.of(key), error.what())};
        }
    }
}

ColumnRule read_column(const toml::key& name, const toml::table& section, const Place& table) {
    ColumnRule rule;
    rule.column = name.str();
    std::optional<std::string> value;
    std::optional<std::int64_t> length;
    const Place place{table.file, fmt::format("{}.column.{}", table.section, printable(name.str(), 80))};
    read_section(section, place,
                 {{"rename", [&](const toml::node& node) { rule.rename = filled_text_of(node); }},
                  {"type", [&](const toml::node& node) { rule.type = filled_text_of(node); }},
                  {"encoding", [&](const toml::node& node) { rule.encoding = parse_encoding(text_of(node)); }},
                  {"on-mismatch", [&](const toml::node& node) { rule.on_mismatch = parse_on_mismatch(text_of(node)); }},
                  {"mask", [&](const toml::node& node) { rule.mask.kind = parse_mask_kind(text_of(node)); }},
                  {"value", [&](const toml::node& node) { value = text_of(node); }},
                  {"length", [&](const toml::node& node) {
                       const auto* number = node.as_integer();
                       if (number == nullptr || number->get() < 1 || number->get() > 1'000'000'000) throw UsageError{"must be a number of characters"};
                       length = number->get();
                   }}});
    const std::string origin = fmt::format("{}:{}: {}", table.file, name.source().begin.line, place.section);
    if ((rule.mask.kind == Mask::Kind::constant) != value.has_value())
        throw UsageError{fmt::format("{}: mask = \"constant\" and value = \"…\" belong together", origin)};
    if ((rule.mask.kind == Mask::Kind::truncate) != length.has_value())
        throw UsageError{fmt::format("{}: mask = \"truncate\" and length = … belong together", origin)};
    if (value) rule.mask.text = *value;
    if (length) rule.mask.length = static_cast<std::uint32_t>(*length);
    return rule;
}

TableRule read_table(const toml::key& pattern, const toml::table& section, const std::string& file) {
    const Place place{file, fmt::format("table.{}", printable(pattern.str(), 80))};
    const std::string origin = fmt::format("{}:{}: {}", file, pattern.source().begin.line, place.section);
    const auto compiled = [&] {
        try {
            return TablePattern{std::string{pattern.str()}};
        } catch (const UsageError& error) {
            throw UsageError{fmt::format("{}: {}", origin, error.what())};
        }
    };
    TableRule rule{compiled(), {}, {}, {}, {}, {}, {}};
    read_section(section, place,
                 {{"columns", [&](const toml::node& node) { rule.columns = names_of(node); }},
                  {"exclude-columns", [&](const toml::node& node) { rule.excluded_columns = names_of(node); }},
                  {"filter", [&](const toml::node& node) { rule.filter = filled_text_of(node); }},
                  {"rename",
                   [&](const toml::node& node) {
                       static_cast<void>(parse_table_name(text_of(node)));
                       rule.rename = text_of(node);
                   }},
                  {"on-mismatch", [&](const toml::node& node) { rule.on_mismatch = parse_on_mismatch(text_of(node)); }},
                  {"column", [&](const toml::node& node) {
                       for (const auto& [name, column] : table_of(node)) {
                           if (!column.is_table())
                               throw UsageError{fmt::format("line {}: {} must be a table", name.source().begin.line, printable(name.str(), 80))};
                           rule.column_rules.push_back(read_column(name, *column.as_table(), place));
                       }
                   }}});
    if (!rule.columns.empty() && !rule.excluded_columns.empty())
        throw UsageError{fmt::format("{}: columns and exclude-columns exclude each other", origin)};
    return rule;
}

}  // namespace

std::vector<TableRule> read_table_sections(const toml::table& sections, const std::string& file) {
    // The parser keeps them by name; what counts is which one stands further down.
    std::multimap<std::pair<toml::source_index, toml::source_index>, TableRule> rules;
    for (const auto& [pattern, node] : sections) {
        if (!node.is_table())
            throw UsageError{fmt::format("{}:{}: table.{} must be a table: [table.\"{}\"]; patterns to replicate go into tables = […]", file,
                                         pattern.source().begin.line, printable(pattern.str(), 80), printable(pattern.str(), 80))};
        rules.emplace(std::pair{pattern.source().begin.line, pattern.source().begin.column}, read_table(pattern, *node.as_table(), file));
    }
    std::vector<TableRule> ordered;
    for (auto& [place, rule] : rules) ordered.push_back(std::move(rule));
    return ordered;
}

std::vector<TypeRule> read_types_section(const toml::table& section, const std::string& file) {
    std::vector<TypeRule> types;
    for (const auto& [name, node] : section) {
        try {
            auto [type, encoding] = parse_wanted_type(text_of(node));
            types.push_back({std::string{name.str()}, std::move(type), encoding});
        } catch (const UsageError& error) {
            throw UsageError{fmt::format("{}:{}: types.{}: {}", file, name.source().begin.line, printable(name.str(), 80), error.what())};
        }
    }
    return types;
}

}  // namespace rowferry
