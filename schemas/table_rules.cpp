#include "schemas/table_rules.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/ascii.h"
#include "schemas/digest.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

bool same_folded(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) { return lower(a) == lower(b); });
}

void merge(ColumnRule& into, const ColumnRule& rule) {
    if (rule.rename) into.rename = rule.rename;
    if (rule.type) into.type = rule.type;
    if (rule.type || rule.encoding != TimeEncoding::none) into.encoding = rule.encoding;
    if (rule.mask.kind != Mask::Kind::none) into.mask = rule.mask;
    if (rule.on_mismatch) into.on_mismatch = rule.on_mismatch;
}

void merge(RulesOfTable& into, const TableRule& rule, Engine engine) {
    if (!rule.columns.empty() || !rule.excluded_columns.empty()) {
        into.columns = rule.columns;
        into.excluded_columns = rule.excluded_columns;
    }
    if (rule.filter) into.filter = rule.filter;
    if (rule.rename) into.rename = rule.rename;
    if (rule.on_mismatch) into.on_mismatch = *rule.on_mismatch;
    for (const ColumnRule& column : rule.column_rules) {
        const auto known = std::ranges::find_if(into.column_rules, [&](const ColumnRule& c) { return same_column_name(engine, c.column, column.column); });
        if (known == into.column_rules.end())
            into.column_rules.push_back(column);
        else
            merge(*known, column);
    }
}

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) line += c == '\n' ? std::string{"\\n"} : std::string{c};
    return line;
}

std::string quoted_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + one_line(quote_identifier(name));
    return text;
}

std::string type_text(const std::string& type, TimeEncoding encoding) {
    return one_line(type) + (encoding == TimeEncoding::none ? "" : fmt::format(" from {}", to_string(encoding)));
}

void add_lines(std::string& text, const TableRule& rule) {
    const auto line = [&](const std::string& what) { text += fmt::format("{}table {} {}", text.empty() ? "" : "\n", one_line(rule.table.text()), what); };
    if (!rule.columns.empty()) line("columns " + quoted_names(rule.columns));
    if (!rule.excluded_columns.empty()) line("exclude-columns " + quoted_names(rule.excluded_columns));
    if (rule.filter) line("filter " + one_line(*rule.filter));
    if (rule.rename) line("rename " + one_line(*rule.rename));
    for (const ColumnRule& column : rule.column_rules) {
        const std::string name = "column " + one_line(quote_identifier(column.column));
        if (column.rename) line(fmt::format("{} rename {}", name, one_line(quote_identifier(*column.rename))));
        if (column.type || column.encoding != TimeEncoding::none) line(fmt::format("{} type {}", name, type_text(column.type.value_or(""), column.encoding)));
        const Mask& mask = column.mask;
        if (mask.kind == Mask::Kind::none) continue;
        line(fmt::format("{} mask {}{}", name, to_string(mask.kind),
                         mask.kind == Mask::Kind::constant   ? " " + one_line(quote_literal(mask.text))
                         : mask.kind == Mask::Kind::truncate ? fmt::format(" {}", mask.length)
                                                             : ""));
    }
}

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

std::string only_in(const std::vector<std::string>& lines, const std::vector<std::string>& others) {
    std::vector<std::string> own;
    for (const std::string& line : lines)
        if (!line.empty() && std::ranges::find(others, line) == others.end()) own.push_back(line);
    return own.empty() ? "nothing else" : printable(fmt::format("{}", fmt::join(own, "; ")), 600);
}

}  // namespace

bool same_column_name(Engine engine, std::string_view left, std::string_view right) {
    return engine == Engine::sqlite ? same_folded(left, right) : left == right;
}

const ColumnRule* RulesOfTable::column(Engine engine, std::string_view name) const {
    const auto found = std::ranges::find_if(column_rules, [&](const ColumnRule& rule) { return same_column_name(engine, rule.column, name); });
    return found == column_rules.end() ? nullptr : &*found;
}

bool TableRules::match(const TableRule& rule, const TableSchema& table) const {
    return rule.table.matches(table.engine, table.name) || (!table.partition_root.name.empty() && rule.table.matches(table.engine, table.partition_root));
}

RulesOfTable TableRules::of(const TableSchema& table) const {
    RulesOfTable result;
    result.on_mismatch = on_mismatch.value_or(OnMismatch::stop);
    for (const TableRule& rule : rules)
        if (match(rule, table)) merge(result, rule, table.engine);
    return result;
}

std::string TableRules::canonical() const {
    std::string text;
    for (const TableRule& rule : rules) add_lines(text, rule);
    for (const TypeRule& type : types)
        text += fmt::format("{}type {} is {}", text.empty() ? "" : "\n", one_line(type.leader_type), type_text(type.type, type.encoding));
    const bool salted = std::ranges::any_of(rules, [](const TableRule& rule) {
        return std::ranges::any_of(rule.column_rules, [](const ColumnRule& column) { return column.mask.kind == Mask::Kind::sha256; });
    });
    // A few digits tell another salt and are no help to whoever guesses.
    if (salted) text += fmt::format("\nsalt {}", sha256_hex("rowferry salt " + salt).substr(0, 8));
    return text;
}

std::string describe_difference(const std::string& before, const std::string& now) {
    const std::vector<std::string> old_lines = split_lines(before);
    const std::vector<std::string> new_lines = split_lines(now);
    return fmt::format("it was started with [{}], now there is [{}]", only_in(old_lines, new_lines), only_in(new_lines, old_lines));
}

std::string_view to_string(Mask::Kind kind) {
    switch (kind) {
        case Mask::Kind::none: return "none";
        case Mask::Kind::drop: return "drop";
        case Mask::Kind::constant: return "constant";
        case Mask::Kind::sha256: return "sha256";
        case Mask::Kind::truncate: return "truncate";
    }
    throw std::logic_error{"mask"};
}

std::string_view to_string(TimeEncoding encoding) {
    switch (encoding) {
        case TimeEncoding::none: return "none";
        case TimeEncoding::epoch_s: return "epoch-s";
        case TimeEncoding::epoch_ms: return "epoch-ms";
        case TimeEncoding::epoch_us: return "epoch-us";
        case TimeEncoding::julian_day: return "julian-day";
    }
    throw std::logic_error{"time encoding"};
}

std::string_view to_string(OnMismatch mode) {
    switch (mode) {
        case OnMismatch::stop: return "stop";
        case OnMismatch::quarantine: return "quarantine";
        case OnMismatch::null_value: return "null";
    }
    throw std::logic_error{"on-mismatch"};
}

}  // namespace rowferry
