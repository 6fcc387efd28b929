#include "cli/cli_main.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/config_file.h"
#include "cli/environment.h"
#include "cli/exit_code.h"
#include "cli/logging.h"
#include "cli/options.h"
#include "cli/signals.h"

namespace rowferry {
namespace {

/// The argument list can be read by every user of the machine; from here on it shows the endpoint without its password.
void hide_passwords(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (!holds_password(argv[i])) continue;
        const std::string shown = describe(parse_endpoint(argv[i]));
        const std::size_t size = std::strlen(argv[i]);
        std::memset(argv[i], 0, size);
        std::memcpy(argv[i], shown.data(), std::min(size, shown.size()));
        spdlog::warn("a password on the command line can be seen by others; use PGPASSFILE, or a config file with mode 600");
    }
}

SettingLayer gather_settings(const CommandLine& line, Environment environment) {
    if (!environment.unknown.empty())
        spdlog::warn("unknown in the environment, without effect: {}", fmt::join(environment.unknown, ", "));
    SettingLayer settings = merge(line.flags, std::move(environment.settings), {});
    const auto config = settings.find("config");
    if (config == settings.end()) return settings;
    SettingLayer file = read_config_file(config->second.values.front());
    return merge(std::move(settings), {}, std::move(file));
}

std::string dispatch(const Options& options, const LogOptions& log, const StopSignal& stop) {
    switch (options.command) {
        case Command::run: return run_command(options, log, stop);
        case Command::clone: return clone_command(options, log, stop);
        case Command::copy_table: return copy_table_command(options, log, stop);
        case Command::tail: return tail_command(options, stop);
        case Command::exec: return exec_command(options, stop);
        case Command::drop: return drop_command(options, stop);
        case Command::schema: return schema_command(options, stop);
        case Command::positions: return positions_command(options, stop);
    }
    throw std::logic_error{"command"};
}

/// What the process exits with when it has to be ended by force after a signal.
ExitCode forced_exit_code(const Options& options) {
    const bool ends_by_signal = (options.command == Command::run || options.command == Command::tail) && options.run.until.kind == Until::Kind::never;
    return ends_by_signal ? ExitCode::done : ExitCode::interrupted;
}

void run_program(int argc, char** argv) {
    const auto parsed = parse_command_line(argc, argv);
    if (const auto* information = std::get_if<InformationRequest>(&parsed)) return print(information->text);
    const auto& line = std::get<CommandLine>(parsed);
    Environment environment = read_environment(process_environment());
    // Before anything else is said, as far as it is known without the file.
    start_logging(log_options(merge(line.flags, environment.settings, {})));
    hide_passwords(argc, argv);
    const SettingLayer settings = gather_settings(line, std::move(environment));
    const LogOptions log = log_options(settings);
    start_logging(log);
    const Options options = resolve_options(line.command, settings);

    StopSignal stop;
    const SignalThread signals{stop, forced_exit_code(options)};
    const std::string reason = dispatch(options, log, stop);
    if (!reason.empty()) log_reason(spdlog::level::info, reason);
}

}  // namespace

int cli_main(int argc, char** argv) {
    keep_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN);
    try {
        start_logging({});
        try {
            run_program(argc, argv);
            return static_cast<int>(ExitCode::done);
        } catch (const std::bad_alloc&) {
            log_reason(spdlog::level::err, "out of memory");
            return static_cast<int>(ExitCode::retryable);
        } catch (const std::exception& error) {
            log_reason(spdlog::level::err, error.what());
            return static_cast<int>(exit_code(error));
        }
    } catch (...) {
        return static_cast<int>(ExitCode::retryable);  // Not even the log works.
    }
}

}  // namespace rowferry
