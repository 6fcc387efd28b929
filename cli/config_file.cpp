#include "cli/config_file.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "cli/config_rules.h"
#include "cli/endpoint.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// A file's text and its permission bits, taken from the same open file.
struct FileText {
    std::string text;
    mode_t mode = 0;
};

FileText read_text(const std::string& path) {
    const auto fail = [&](int code) -> UsageError {
        return UsageError{fmt::format("config file {}: {}", printable(path), std::generic_category().message(code))};
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw fail(errno);
    FileText file;
    struct stat status {};
    int failure = ::fstat(fd, &status) == 0 ? 0 : errno;
    file.mode = status.st_mode;
    char buffer[8192];
    while (failure == 0) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno != EINTR) failure = errno;
        if (got == 0) break;
        if (got > 0) file.text.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(fd);
    if (failure != 0) throw fail(failure);
    return file;
}

std::string known_names() {
    std::string names;
    for (const Setting& setting : all_settings())
        if (!setting.flag_only && !setting.environment_only && setting.name != "config") names += fmt::format("{}{}", names.empty() ? "" : ", ", setting.name);
    return names;
}

/// `[[follower]]` will mean something; a file that has it now expects more than this version does.
bool is_reserved(std::string_view name, const toml::node& node) { return name == "follower" && (node.is_array() || node.is_table()); }

/// Sections with rules for tables. True when the key was one.
bool take_rules(std::string_view name, const toml::node& node, const std::string& file, SettingLayer& layer) {
    const toml::table* section = node.as_table();
    if (section == nullptr || (name != "table" && name != "types")) return false;
    SettingValue& value = layer.try_emplace(std::string{kRuleSections}).first->second;
    value.origin = file;
    if (name == "table")
        value.rules = read_table_sections(*section, file);
    else
        value.types = read_types_section(*section, file);
    return true;
}

std::string text_of(const toml::node& node, const std::string& origin) {
    if (const auto* text = node.as_string()) return text->get();
    throw UsageError{fmt::format("{} must be a string", origin)};
}

SettingValue value_of(const Setting& setting, const toml::node& node, const std::string& origin) {
    SettingValue value{{}, origin};
    switch (setting.type) {
        case Setting::Type::text: value.values.push_back(text_of(node, origin)); break;
        case Setting::Type::flag:
            if (!node.is_boolean()) throw UsageError{fmt::format("{} must be true or false", origin)};
            value.values.emplace_back(node.as_boolean()->get() ? "true" : "false");
            break;
        case Setting::Type::list:
            if (const auto* items = node.as_array()) {
                for (const toml::node& item : *items) {
                    if (!item.is_string()) throw UsageError{fmt::format("{} must be an array of strings", origin)};
                    value.values.push_back(item.as_string()->get());
                }
            } else if (node.is_string()) {
                value.values.push_back(node.as_string()->get());
            } else {
                throw UsageError{fmt::format("{} must be an array of strings", origin)};
            }
            break;
    }
    return value;
}

}  // namespace

SettingLayer parse_config(std::string_view text, const std::string& path) {
    const std::string file = printable(path);
    toml::table document;
    try {
        document = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        // The description may quote the text around the error, which may be a password.
        throw UsageError{fmt::format("{}:{}: not valid TOML at column {} (texts need quotes)", file, error.source().begin.line, error.source().begin.column)};
    }
    SettingLayer layer;
    for (const auto& [key, node] : document) {
        const std::string_view name = key.str();
        const auto line = key.source().begin.line;
        const std::string origin = fmt::format("{}:{}: {}", file, line, printable(name));
        if (is_reserved(name, node))
            throw UsageError{fmt::format("{}:{}: [[follower]] is reserved for a later version", file, line)};
        if (take_rules(name, node, file, layer)) continue;
        // A file with sections [table.…] cannot have a list of that name as well.
        const Setting* setting = find_setting(name == "tables" ? "table" : name);
        if (setting != nullptr && setting->environment_only)
            throw UsageError{fmt::format("{} can only be given in the environment: use salt-file here", origin)};
        if (setting != nullptr && (setting->flag_only || name == "config"))
            throw UsageError{fmt::format("{} can only be given on the command line", origin)};
        if (setting == nullptr) throw UsageError{fmt::format("{}:{}: unknown key \"{}\"; known are {}", file, line, printable(name), known_names())};
        if (!layer.emplace(std::string{setting->name}, value_of(*setting, node, origin)).second)
            throw UsageError{fmt::format("{} and {} mean the same: give one of them", origin, setting->name)};
    }
    return layer;
}

SettingLayer read_config_file(const std::string& path) {
    const FileText file = read_text(path);
    SettingLayer layer = parse_config(file.text, path);
    if ((file.mode & (S_IRGRP | S_IROTH)) != 0) {
        for (const auto& [name, value] : layer) {
            for (const std::string& text : value.values)
                if (holds_password(text))
                    throw UsageError{fmt::format("{} holds a password and can be read by others: chmod 600 it, or keep the password in a "
                                                 "passfile (PGPASSFILE)", value.origin)};
        }
    }
    return layer;
}

}  // namespace rowferry
