#pragma once

#include <exception>

#include "schemas/error.h"

namespace rowferry {

/// What scripts rely on; docs/operations.md has the table. 4 and 5 are reserved.
enum class ExitCode : int {
    done = 0,
    retryable = 1,    ///< The same command may succeed later.
    usage = 2,        ///< Wrong command line, environment or config file.
    refused = 3,      ///< Refused before anything was written.
    interrupted = 6,  ///< A signal ended it before --until was reached.
    halted = 7,       ///< Needs a person.
};

[[nodiscard]] ExitCode exit_code(ErrorKind kind);
/// The kind's code for an Error; everything else is a failure that may be retried.
[[nodiscard]] ExitCode exit_code(const std::exception& error);

}  // namespace rowferry
