#include "schemas/pg_alter.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/pg_type_name.h"

namespace rowferry {
namespace {

using StepKind = ShapeStep::Kind;

/// End of the literal that begins at 0: a number or a text in quotes. 0 when there is none.
std::size_t literal_end(std::string_view text) {
    if (text.starts_with('\'')) {
        for (std::size_t i = 1; i < text.size(); ++i) {
            if (text[i] != '\'') continue;
            if (i + 1 < text.size() && text[i + 1] == '\'')
                ++i;
            else
                return i + 1;
        }
        return 0;
    }
    const std::size_t sign = text.starts_with('-') ? 1 : 0;
    const std::size_t end = std::min(text.find_first_not_of("0123456789.", sign), text.size());
    return end > sign && text[sign] != '.' ? end : 0;
}

/// A SQLite default in the form in which PostgreSQL reads the value that SQLite keeps.
OldValue sqlite_default(const TableSchema& table, const ColumnSchema& column) {
    const std::string& text = column.default_expression;
    if (text.empty() || text == "NULL" || text == "null") return {};
    const Affinity affinity = sqlite_affinity(column.type);
    const bool whole = literal_end(text) == text.size();
    const bool quoted = whole && text.front() == '\'';
    const bool integer = whole && !quoted && text.find('.') == std::string::npos && text.size() < 18;
    if (quoted && (affinity == Affinity::text || affinity == Affinity::blob)) {
        std::string value;
        for (std::size_t i = 1; i + 1 < text.size(); ++i) {
            value += text[i];
            if (text[i] == '\'') ++i;
        }
        return {OldValue::Kind::text, value};
    }
    if (integer && (affinity == Affinity::integer || affinity == Affinity::numeric || (affinity == Affinity::blob && !table.strict)))
        return {OldValue::Kind::text, text};
    return {OldValue::Kind::unknown, {}};
}

std::vector<std::string> add_column(const ColumnSchema& column, const std::string& alter, const std::string& type, const OldValue& value, bool same_dialect) {
    const std::string name = quote_identifier(column.name);
    std::string sql = fmt::format("{} ADD COLUMN {} {}", alter, name, type);
    const bool has_value = value.kind == OldValue::Kind::text;
    if (has_value) sql += " DEFAULT " + quote_literal(value.text);
    // Without a value for old rows the leader had none.
    if (column.not_null) sql += " NOT NULL";
    std::vector<std::string> statements{std::move(sql)};
    if (same_dialect && is_plain_default(column.default_expression))
        statements.push_back(fmt::format("{} ALTER COLUMN {} SET DEFAULT {}", alter, name, column.default_expression));
    else if (has_value)
        statements.push_back(fmt::format("{} ALTER COLUMN {} DROP DEFAULT", alter, name));
    return statements;
}

}  // namespace

OldValue old_value(const TableSchema& table, std::uint16_t column) {
    const ColumnSchema& added = table.columns.at(column);
    if (table.engine == Engine::sqlite) return sqlite_default(table, added);
    if (!added.missing_value) return {};
    return {OldValue::Kind::text, *added.missing_value};
}

bool is_plain_default(std::string_view expression) {
    constexpr std::array<std::string_view, 9> kWords{"true", "false", "now()", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME", "gen_random_uuid()"};
    if (std::ranges::find(kWords, expression) != kWords.end()) return true;
    const std::size_t end = literal_end(expression);
    if (end == 0) return false;
    if (end == expression.size()) return true;
    const std::string_view cast = expression.substr(end);
    return cast.starts_with("::") && is_plain_pg_type(cast.substr(2));
}

std::vector<std::string> pg_alter(const ShapeStep& step, const TableSchema& after, const TableSchema& before, const TableName& table, const std::string& type) {
    const std::string alter = "ALTER TABLE " + quote_table(table);
    const auto old = [&] { return quote_identifier(before.columns.at(step.before).name); };
    const auto now = [&] { return quote_identifier(after.columns.at(step.after).name); };
    switch (step.kind) {
        case StepKind::rename_table: {
            const TableName wanted = follower_table(after, Engine::postgresql);
            std::vector<std::string> statements;
            if (wanted.schema != table.schema) statements.push_back(fmt::format("{} SET SCHEMA {}", alter, quote_identifier(wanted.schema)));
            if (wanted.name != table.name)
                statements.push_back(fmt::format("ALTER TABLE {} RENAME TO {}", quote_table({wanted.schema, table.name}), quote_identifier(wanted.name)));
            return statements;
        }
        case StepKind::drop_column: return {fmt::format("{} DROP COLUMN {}", alter, old())};
        case StepKind::rename_column: return {fmt::format("{} RENAME COLUMN {} TO {}", alter, old(), now())};
        case StepKind::add_column:
            return add_column(after.columns.at(step.after), alter, type, old_value(after, step.after), after.engine == Engine::postgresql);
        case StepKind::change_type: return {fmt::format("{} ALTER COLUMN {} TYPE {}", alter, now(), type)};
        case StepKind::drop_not_null: return {fmt::format("{} ALTER COLUMN {} DROP NOT NULL", alter, now())};
        case StepKind::set_not_null: return {fmt::format("{} ALTER COLUMN {} SET NOT NULL", alter, now())};
        case StepKind::set_default: {
            const std::string& expression = after.columns.at(step.after).default_expression;
            if (after.engine == Engine::postgresql && is_plain_default(expression)) return {fmt::format("{} ALTER COLUMN {} SET DEFAULT {}", alter, now(), expression)};
            return {fmt::format("{} ALTER COLUMN {} DROP DEFAULT", alter, now())};
        }
        case StepKind::add_label: {
            const std::string place = step.neighbour.empty() ? "" : fmt::format(" {} {}", step.in_front ? "BEFORE" : "AFTER", quote_literal(step.neighbour));
            return {fmt::format("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}{}", type, quote_literal(step.label), place)};
        }
        case StepKind::rename_label:
            return {fmt::format("ALTER TYPE {} RENAME VALUE {} TO {}", type, quote_literal(step.neighbour), quote_literal(step.label))};
    }
    throw std::logic_error{"shape step"};
}

}  // namespace rowferry
