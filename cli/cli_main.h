#pragma once

namespace rowferry {

/// The whole program: command line, environment and config file to exit code. Catches everything. The main thread only; changes the
/// process's signal mask while it runs, ignores SIGPIPE, and overwrites endpoints in `argv` that hold a password.
int cli_main(int argc, char** argv);

}  // namespace rowferry
