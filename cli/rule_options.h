#pragma once

#include "cli/settings.h"
#include "schemas/table_rules.h"

namespace rowferry {

/// Subset and shape as the settings ask for them: the config file's sections first, then what the command line says, which goes before.
/// Reads the salt file. Throws UsageError that says where the wrong value came from.
[[nodiscard]] TableRules resolve_rules(const SettingLayer& settings);

}  // namespace rowferry
