#pragma once

#include <string>
#include <vector>

#include <toml++/toml.h>

#include "schemas/table_rules.h"

namespace rowferry {

/// The sections `[table."PATTERN"]` of a config file. Throws UsageError with file and line.
[[nodiscard]] std::vector<TableRule> read_table_sections(const toml::table& sections, const std::string& file);

/// The section `[types]`.
[[nodiscard]] std::vector<TypeRule> read_types_section(const toml::table& section, const std::string& file);

}  // namespace rowferry
