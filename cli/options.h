#pragma once

#include <optional>

#include "cli/endpoint.h"
#include "cli/logging.h"
#include "cli/settings.h"
#include "replication/stream.h"
#include "replication/tail_stream.h"
#include "statements/sqlite/recorded_statement.h"
#include "tail/record_format.h"

namespace rowferry {

/// What only `tail` needs to know. The rest of it is in RunOptions.
struct TailSettings {
    TailFormat format = TailFormat::text;
    unsigned kinds = 0;  ///< Bits of record_kind.
    From from;
    std::string state;   ///< Path; empty for a temporary stream.
};

/// Where the statements of a leader that is captured by them come from, and where they are run again.
struct StatementLogSettings {
    std::vector<std::string> paths;      ///< Patterns too. Empty: none was named.
    std::optional<Endpoint> scratch;
    std::string database;                ///< Empty: the leader's.
    std::optional<Endpoint> start;       ///< A database in the state before the log.
    std::optional<Endpoint> rows;        ///< Nothing: what the log does not determine is a stop.
};

/// What only `exec` needs to know.
struct ExecSettings {
    std::optional<std::string> sql;
    std::optional<std::string> file;  ///< `-`: standard input.
    std::vector<GivenParameter> parameters;
};

/// Everything a command needs to know, checked.
struct Options {
    Command command = Command::run;
    Endpoint leader;
    std::optional<Endpoint> follower;  ///< Always there for run, clone and copy-table. For tail its state, if it has one.
    RunOptions run;
    std::optional<CaptureMethod> capture;  ///< What --capture says; see choose_capture().
    std::optional<bool> progress;      ///< Nothing: when standard error is a terminal.
    std::vector<std::string> tables_to_copy;  ///< copy-table: patterns. The stream's own come from its checkpoint.
    bool all = false;
    bool json = false;
    TailSettings tail;
    StatementLogSettings statements;
    ExecSettings exec;
    std::optional<Engine> schema_for;  ///< schema: always there.
};

/// Reads merged settings. Throws UsageError that says where the wrong value came from.
[[nodiscard]] LogOptions log_options(const SettingLayer& settings);
[[nodiscard]] Options resolve_options(Command command, const SettingLayer& settings);

/// Stream names appear in names of slots and triggers. Throws UsageError.
void check_stream_name(std::string_view name);

}  // namespace rowferry
