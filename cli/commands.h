#pragma once

#include <string>

#include "cli/options.h"
#include "db/stop_signal.h"

namespace rowferry {

/// One function per command. Data goes to standard output; the returned text, if any, is the last line of the log. Errors: Error.
std::string run_command(const Options& options, const LogOptions& log, const StopSignal& stop);
std::string clone_command(const Options& options, const LogOptions& log, const StopSignal& stop);
std::string copy_table_command(const Options& options, const LogOptions& log, const StopSignal& stop);
std::string tail_command(const Options& options, const StopSignal& stop);
/// Prints the rows of its queries as the sqlite3 program does: columns separated by |, NULL as nothing.
std::string exec_command(const Options& options, const StopSignal& stop);
std::string drop_command(const Options& options, const StopSignal& stop);
/// The DDL of a new follower on standard output. Needs the leader only.
std::string schema_command(const Options& options, const StopSignal& stop);
std::string positions_command(const Options& options, const StopSignal& stop);

/// The two forms of `positions`, each ending with a newline.
[[nodiscard]] std::string positions_json(const PositionsReport& report);
[[nodiscard]] std::string positions_text(const PositionsReport& report, bool with_follower);

/// Writes data for the user. Throws RetryableError when standard output does not take it.
void print(const std::string& text);

}  // namespace rowferry
