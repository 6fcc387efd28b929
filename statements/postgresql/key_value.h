#pragma once

#include <optional>
#include <string>
#include <vector>

#include "statements/postgresql/server_catalog.h"
#include "statements/postgresql/sql_facts.h"

namespace rowferry {

/// A key's value in a form that is the same for equal values and no others. Nothing where that cannot be told from the text: NULL, expressions, types with several
/// texts for one value.
[[nodiscard]] std::optional<std::string> key_value(const CatalogTable::Column& column, const SqlOperand& operand, const std::vector<std::optional<std::string>>& parameters);

}  // namespace rowferry
