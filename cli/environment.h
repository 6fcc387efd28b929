#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/settings.h"

namespace rowferry {

struct Environment {
    SettingLayer settings;
    std::vector<std::string> unknown;  ///< Names that begin with ROWFERRY_ and mean nothing.
};

/// Reads `ROWFERRY_<NAME>` (upper case, `_` for `-`) from `NAME=value` texts. An empty value counts as not set. Lists are separated
/// by commas outside double quotes.
[[nodiscard]] Environment read_environment(const std::vector<std::string>& variables);
/// The process's own environment, as such texts.
[[nodiscard]] std::vector<std::string> process_environment();

}  // namespace rowferry
