#include "schemas/sqlite_alter.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_real.h"

namespace rowferry {

namespace {

using StepKind = ShapeStep::Kind;

}  // namespace

std::string sqlite_literal(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::null: return "NULL";
        case CellKind::integer: return std::to_string(cell.as_integer());
        case CellKind::real: {
            std::string real;
            append_sqlite_real(cell.as_real(), real);
            return real;
        }
        case CellKind::text: return quote_literal(cell.bytes());
        case CellKind::blob: {
            std::string hex = "x'";
            for (const char c : cell.bytes()) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
            return hex + "'";
        }
        case CellKind::unchanged:
        case CellKind::absent:
        case CellKind::binary: break;
    }
    throw std::logic_error{"a value that SQL text cannot say"};
}

std::vector<std::string> sqlite_alter(const ShapeStep& step, const TableSchema& after, const TableSchema& before, const std::string& table,
                                      const std::string& old_value) {
    const std::string name = quote_table({"main", table});
    const auto old = [&] { return quote_identifier(before.columns.at(step.before).name); };
    const auto now = [&] { return quote_identifier(after.columns.at(step.after).name); };
    switch (step.kind) {
        case StepKind::rename_table:
            return {fmt::format("ALTER TABLE {} RENAME TO {}", name, quote_identifier(follower_table(after, Engine::sqlite).name))};
        case StepKind::drop_column: return {fmt::format("ALTER TABLE {} DROP COLUMN {}", name, old())};
        case StepKind::rename_column: return {fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", name, old(), now())};
        case StepKind::add_column: {
            const std::string type = map_column(after, step.after, Engine::sqlite).type;
            // SQLite's own ADD COLUMN on the leader gave old rows the default, and so it does here.
            const bool same_engine = after.engine == Engine::sqlite && !old_value.empty();
            const bool not_null = same_engine && after.columns[step.after].not_null;
            std::vector<std::string> statements{fmt::format("ALTER TABLE {} ADD COLUMN {}{}{}{}{}", name, now(), type.empty() ? "" : " ", type,
                                                            not_null ? " NOT NULL" : "", same_engine ? " DEFAULT " + old_value : "")};
            if (!same_engine && !old_value.empty()) statements.push_back(fmt::format("UPDATE {} SET {} = {}", name, now(), old_value));
            return statements;
        }
        case StepKind::rename_label: {
            std::vector<std::string> statements;
            for (std::uint16_t i = 0; i < before.columns.size(); ++i) {
                const auto column = same_column(before, i, after);
                if (!column || !holds(before.columns[i].enum_labels, step.neighbour) || !holds(after.columns[*column].enum_labels, step.label)) continue;
                statements.push_back(fmt::format("UPDATE {0} SET {1} = {2} WHERE {1} = {3}", name, quote_identifier(after.columns[*column].name),
                                                 quote_literal(step.label), quote_literal(step.neighbour)));
            }
            return statements;
        }
        case StepKind::change_type:
        case StepKind::drop_not_null:
        case StepKind::set_not_null:
        case StepKind::set_default:
        case StepKind::add_label: return {};
    }
    throw std::logic_error{"shape step"};
}

}  // namespace rowferry
