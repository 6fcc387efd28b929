#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_rules.h"

namespace rowferry {

enum class Command : unsigned { run = 1, clone = 2, drop = 4, positions = 8, copy_table = 16, schema = 32, tail = 64, exec = 128 };
[[nodiscard]] std::string_view to_string(Command command);

/// One thing that can be set, under one name in all three places: flag, environment, config file.
struct Setting {
    enum class Type {
        text,    ///< One value.
        flag,    ///< True or false.
        list,    ///< Repeatable; a later layer replaces the whole list.
    };
    std::string_view name;
    Type type;
    unsigned commands;             ///< Bits of Command: where it is a flag. In environment and file it may stand for every command.
    std::string_view placeholder;  ///< Of the value in help; empty for flags.
    std::string_view help;
    bool flag_only = false;        ///< Asks for one action: not from environment or file.
    bool negatable = false;        ///< Has --no-NAME too.
    bool environment_only = false; ///< A secret.
};

[[nodiscard]] std::span<const Setting> all_settings();
/// Null for a name that does not exist.
[[nodiscard]] const Setting* find_setting(std::string_view name);

/// A value and where it came from (`--until`, `ROWFERRY_UNTIL`, `shop.toml:4: until`), for error messages.
struct SettingValue {
    std::vector<std::string> values;  ///< Exactly one unless a list; flags hold "true" or "false".
    std::string origin;
    std::vector<TableRule> rules = {};  ///< Only of kRuleSections.
    std::vector<TypeRule> types = {};
};
/// Under this name a config file's sections [table.…] and [types] stand in its layer; they are no setting of their own.
inline constexpr std::string_view kRuleSections = "[table]";
/// What one place says, by setting name.
using SettingLayer = std::map<std::string, SettingValue, std::less<>>;

/// Later layers of lower rank only fill in what is missing.
[[nodiscard]] SettingLayer merge(SettingLayer flags, SettingLayer environment, SettingLayer file);

}  // namespace rowferry
