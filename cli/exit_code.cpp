#include "cli/exit_code.h"

#include <stdexcept>

namespace rowferry {

ExitCode exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::retryable: return ExitCode::retryable;
        case ErrorKind::usage: return ExitCode::usage;
        case ErrorKind::refused: return ExitCode::refused;
        case ErrorKind::interrupted: return ExitCode::interrupted;
        case ErrorKind::halted: return ExitCode::halted;
    }
    throw std::logic_error{"error kind"};
}

ExitCode exit_code(const std::exception& error) {
    if (const auto* known = dynamic_cast<const Error*>(&error)) return exit_code(known->kind());
    return ExitCode::retryable;
}

}  // namespace rowferry
