#include "cli/environment.h"

#include <unistd.h>

namespace rowferry {
namespace {

constexpr std::string_view kPrefix = "ROWFERRY_";

std::string variable_name(std::string_view setting) {
    std::string name{kPrefix};
    for (const char c : setting) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return name;
}

const Setting* setting_of(std::string_view variable) {
    for (const Setting& setting : all_settings())
        if (!setting.flag_only && variable_name(setting.name) == variable) return &setting;
    return nullptr;
}

/// A quoted identifier in a pattern may hold a comma.
std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    std::string item;
    bool quoted = false;
    for (const char c : text) {
        if (c == '"') quoted = !quoted;
        if (c == ',' && !quoted) {
            items.push_back(std::move(item));
            item.clear();
        } else {
            item += c;
        }
    }
    items.push_back(std::move(item));
    return items;
}

}  // namespace

Environment read_environment(const std::vector<std::string>& variables) {
    Environment environment;
    for (const std::string& variable : variables) {
        const auto equals = variable.find('=');
        if (!variable.starts_with(kPrefix) || equals == std::string::npos) continue;
        const std::string name = variable.substr(0, equals);
        const std::string value = variable.substr(equals + 1);
        const Setting* setting = setting_of(name);
        if (setting == nullptr) {
            environment.unknown.push_back(name);
        } else if (!value.empty()) {
            auto values = setting->type == Setting::Type::list ? split_list(value) : std::vector{value};
            environment.settings.insert_or_assign(std::string{setting->name}, SettingValue{std::move(values), name});
        }
    }
    return environment;
}

std::vector<std::string> process_environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) variables.emplace_back(*variable);
    return variables;
}

}  // namespace rowferry
