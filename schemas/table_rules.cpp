#include "schemas/table_rules.h"

#include <fmt/format.h>

#include "schemas/identifier.h"

namespace rowferry {

std::string TableRules::canonical() const {
    std::string text;
    for (const TableRule& rule : rules) text += fmt::format("{}{}", text.empty() ? "" : " ", quote_literal(rule.table.text()));
    return text;
}

}  // namespace rowferry
