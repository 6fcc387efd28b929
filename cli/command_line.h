#pragma once

#include <string>
#include <variant>

#include "cli/settings.h"

namespace rowferry {

struct CommandLine {
    Command command = Command::run;
    SettingLayer flags;
};

/// --help or --version: text for standard output.
struct InformationRequest {
    std::string text;
};

/// Takes the arguments apart with CLI11; values are looked at later, together with those of environment and file. Throws UsageError.
[[nodiscard]] std::variant<CommandLine, InformationRequest> parse_command_line(int argc, const char* const* argv);

}  // namespace rowferry
