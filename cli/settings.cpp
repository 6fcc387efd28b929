#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace rowferry {
namespace {

constexpr unsigned kRun = static_cast<unsigned>(Command::run);
constexpr unsigned kClone = static_cast<unsigned>(Command::clone);
constexpr unsigned kDrop = static_cast<unsigned>(Command::drop);
constexpr unsigned kPositions = static_cast<unsigned>(Command::positions);
constexpr unsigned kCopyTable = static_cast<unsigned>(Command::copy_table);
constexpr unsigned kSchema = static_cast<unsigned>(Command::schema);
constexpr unsigned kTail = static_cast<unsigned>(Command::tail);
constexpr unsigned kExec = static_cast<unsigned>(Command::exec);
// Whatever shapes tables takes the rules.
constexpr unsigned kRuled = kRun | kClone | kCopyTable | kSchema | kTail;
constexpr unsigned kLogged = kRun | kDrop | kPositions | kCopyTable | kTail;
constexpr unsigned kEveryCommand = kRun | kClone | kDrop | kPositions | kCopyTable | kSchema | kTail | kExec;

using Type = Setting::Type;

// `leader` and `follower` are positional on the command line.
constexpr std::array kSettings{
    Setting{"leader", Type::text, 0, "LEADER", "Database to read from: postgresql://… or sqlite:PATH"},
    Setting{"follower", Type::text, 0, "FOLLOWER", "Database to write to: postgresql://… or sqlite:PATH"},
    Setting{"sql", Type::text, 0, "SQL", "Statements to run; or a script with -f", true},
    Setting{"file", Type::text, kExec, "FILE", "Run the statements of this script; - for standard input", true},
    Setting{"param", Type::list, kExec, "[NAME=]VALUE", "Value of a parameter of the statements, with its type: i:42, r:0.1, t:text, b:00ff (hex) or null; may be repeated", true},
    Setting{"stream", Type::text, kRun | kDrop | kPositions | kCopyTable | kTail, "NAME", "Name of the stream, [a-z0-9_]{1,32} (default: default; tail: none, and nothing is kept)"},
    Setting{"table", Type::list, kRun | kClone | kCopyTable | kSchema | kTail, "PATTERN", "Only tables that match, as in pg_dump; may be repeated"},
    Setting{"exclude-table", Type::list, kRun | kClone | kSchema | kTail, "PATTERN", "Leave out tables that match; may be repeated"},
    Setting{"schema", Type::list, kRun | kClone | kSchema | kTail, "PATTERN", "Replicate only schemas that match; may be repeated"},
    Setting{"columns", Type::list, kRuled, "TABLE=A,B,…", "Replicate only these columns of a table; may be repeated, as the next ones", true},
    Setting{"exclude-columns", Type::list, kRuled, "TABLE=A,B,…", "Leave these columns of a table out", true},
    Setting{"filter", Type::list, kRuled, "TABLE=EXPRESSION", "Replicate only rows for which this is true, in the leader's SQL", true},
    Setting{"rename-table", Type::list, kRuled, "TABLE=NAME", "Name of a table on the follower", true},
    Setting{"rename-column", Type::list, kRuled, "TABLE.COLUMN=NAME", "Name of a column on the follower", true},
    Setting{"type", Type::list, kRuled, "TABLE.COLUMN=TYPE[:ENCODING]",
            "Type of a column on the follower; encoding epoch-s, epoch-ms, epoch-us or julian-day", true},
    Setting{"mask", Type::list, kRuled, "TABLE.COLUMN=MASK", "drop, constant:TEXT, sha256 or truncate:LENGTH", true},
    Setting{"on-mismatch", Type::list, kRuled, "[TABLE[.COLUMN]=]MODE",
            "A SQLite leader's value that does not fit: stop, quarantine or null (default: stop)"},
    Setting{"salt-file", Type::text, kRuled, "FILE", "Salt for sha256 masks (or ROWFERRY_MASK_SALT in the environment)"},
    Setting{"mask-salt", Type::text, 0, "TEXT", "Salt for sha256 masks", false, false, true},
    Setting{"capture", Type::text, kRun | kPositions | kCopyTable | kTail, "METHOD",
            "How the leader's changes are read: logical, triggers or statements (default: the stream's own; for a new one logical where PostgreSQL lets us, else triggers)"},
    Setting{"until", Type::text, kRun | kTail, "current|POSITION", "End once what is committed now has arrived, or at exactly this position"},
    Setting{"on-existing", Type::text, kRun | kClone | kCopyTable, "refuse|truncate", "When the follower's tables hold rows already (default: refuse)"},
    Setting{"copy-jobs", Type::text, kRun, "N", "Parts of the first copy to copy side by side, 1 to 64 (default: 2)"},
    Setting{"ddl", Type::text, kRun, "stop|apply", "When the leader changes a table's shape: stop and say what to run, or follow (default: stop)"},
    Setting{"keyless", Type::text, kRun | kCopyTable | kTail, "refuse|full|insert", "PostgreSQL tables without replica identity (default: refuse)"},
    Setting{"exact-replace", Type::flag, kRun | kTail, "", "SQLite leader: log the rows that INSERT OR REPLACE removes"},
    Setting{"fire-triggers", Type::flag, kRun | kClone | kCopyTable, "", "SQLite follower: accept user triggers on its tables, and let them fire"},
    Setting{"partitions", Type::text, kRun | kClone | kSchema | kTail, "leaf|root",
            "Partitioned tables leaf by leaf, or as one through their root (default: leaf, for a SQLite follower root)"},
    Setting{"retry-for", Type::text, kRun | kCopyTable | kTail, "DURATION", "Give up after this long without a connection: 500ms, 30s, 5m, 2h, 0 (default: never)"},
    Setting{"spool", Type::text, kRun | kCopyTable | kTail, "DIR",
            "PostgreSQL leader: where large transactions wait for their end (default: $TMPDIR, else /var/tmp)"},
    Setting{"spool-memory", Type::text, kRun | kCopyTable | kTail, "SIZE", "How much of them waits in memory: 512kB, 16MB, 1GB (default: 16MB)"},
    Setting{"shadow", Type::text, kRun | kCopyTable | kTail, "DIR|off",
            "SQLite leader's log: where a copy of its pages is kept, so that nothing is lost while rowferry is away (default: beside the leader)"},
    Setting{"max-wal", Type::text, kRun | kCopyTable | kTail, "SIZE", "SQLite leader's log: let go of it when it has grown to this size (default: 1GB)"},
    Setting{"wal-barrier", Type::text, kRun | kCopyTable | kTail, "SIZE",
            "SQLite leader's log: above this size hold up writers for some milliseconds, so that it can begin anew (default: never)"},
    Setting{"statement-log", Type::list, kLogged, "PATH", "Statement log: a file or pattern ('/var/log/postgresql/*.log'); may be repeated"},
    Setting{"scratch", Type::text, kLogged, "DATABASE", "Statement log: an empty database in which its statements are run again"},
    Setting{"log-database", Type::text, kLogged, "NAME", "Statement log: the database whose statements count (default: the leader's)"},
    Setting{"log-start", Type::text, kLogged, "DATABASE", "Statement log of a server that is not at hand: a database as it was before the log began"},
    Setting{"on-nondeterministic", Type::text, kLogged, "stop|rows=LEADER",
            "Statement log: what its text does not determine stops the stream, or is taken from the leader, which stands still at the log's end (default: stop)"},
    Setting{"progress", Type::flag, kRun | kClone | kCopyTable, "", "Show progress (default: when standard error is a terminal)", false, true},
    Setting{"for", Type::text, kSchema, "postgresql|sqlite", "Engine of the follower (default: that of the config's follower)", true},
    Setting{"format", Type::text, kTail, "text|json|sql", "How changes are printed: to be read, a record a line, or as statements (default: text)", true},
    Setting{"op", Type::list, kTail, "insert|update|delete|truncate|shape", "Print only such changes; may be repeated", true},
    Setting{"from", Type::text, kTail, "now|start|POSITION",
            "Begin with what is committed from now on, with everything that the leader keeps for the stream (default), or behind this position", true},
    Setting{"state", Type::text, kTail, "FILE",
            "With --stream: where its position is kept (default: $XDG_STATE_HOME/rowferry/tail_NAME.db, or below ~/.local/state)", true},
    Setting{"all", Type::flag, kDrop, "", "Every stream of this leader", true},
    Setting{"json", Type::flag, kPositions, "", "Print JSON", true},
    Setting{"config", Type::text, kEveryCommand, "FILE", "Read settings from this TOML file; the keys are the names of the flags"},
    Setting{"log-level", Type::text, kEveryCommand, "LEVEL", "trace, debug, info, warn or error (default: info)"},
    Setting{"log-format", Type::text, kEveryCommand, "text|json", "Form of the log on standard error (default: text)"},
};

}  // namespace

std::string_view to_string(Command command) {
    switch (command) {
        case Command::run: return "run";
        case Command::clone: return "clone";
        case Command::drop: return "drop";
        case Command::positions: return "positions";
        case Command::copy_table: return "copy-table";
        case Command::schema: return "schema";
        case Command::tail: return "tail";
        case Command::exec: return "exec";
    }
    throw std::logic_error{"command"};
}

std::span<const Setting> all_settings() { return kSettings; }

const Setting* find_setting(std::string_view name) {
    const auto found = std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& setting) { return setting.name == name; });
    return found == kSettings.end() ? nullptr : &*found;
}

SettingLayer merge(SettingLayer flags, SettingLayer environment, SettingLayer file) {
    flags.merge(environment);  // std::map::merge keeps what is there already.
    flags.merge(file);
    return flags;
}

}  // namespace rowferry
