#pragma once

#include <string>
#include <string_view>

#include "cli/settings.h"

namespace rowferry {

/// Reads a TOML config file: the same names as the flags, plus `leader` and `follower`. Throws UsageError with file and line for syntax
/// errors, unknown or reserved keys and wrong types, and for a file that holds a password and can be read by group or others.
[[nodiscard]] SettingLayer read_config_file(const std::string& path);

/// The same over text; `path` only names it in messages.
[[nodiscard]] SettingLayer parse_config(std::string_view text, const std::string& path);

}  // namespace rowferry
