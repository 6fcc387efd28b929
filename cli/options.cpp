#include "cli/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "cli/byte_size.h"
#include "cli/capture.h"
#include "cli/duration.h"
#include "cli/rule_options.h"
#include "cli/tail_options.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/tagged_value.h"

namespace rowferry {
namespace {

const SettingValue* find(const SettingLayer& settings, std::string_view name) {
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : &found->second;
}

/// Converts a text setting, if it is there; errors get their origin in front.
template <typename Convert>
auto converted(const SettingLayer& settings, std::string_view name, Convert convert)
    -> std::optional<decltype(convert(std::declval<const std::string&>()))> {
    const SettingValue* value = find(settings, name);
    if (value == nullptr) return std::nullopt;
    try {
        return convert(value->values.front());
    } catch (const UsageError& error) {
        throw UsageError{fmt::format("{}: {}", value->origin, error.what())};
    }
}

template <typename Value, std::size_t count>
Value one_of(const std::string& text, const std::array<std::pair<std::string_view, Value>, count>& choices) {
    std::string names;
    for (const auto& [name, value] : choices) {
        if (name == text) return value;
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    }
    throw UsageError{fmt::format("\"{}\" is none of {}", printable(text), names)};
}

template <typename Value, std::size_t count>
Value choice(const SettingLayer& settings, std::string_view name, const std::array<std::pair<std::string_view, Value>, count>& choices,
             Value otherwise) {
    return converted(settings, name, [&](const std::string& text) { return one_of(text, choices); }).value_or(otherwise);
}

constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 5> kLevels{{{"trace", spdlog::level::trace},
                                                                                        {"debug", spdlog::level::debug},
                                                                                        {"info", spdlog::level::info},
                                                                                        {"warn", spdlog::level::warn},
                                                                                        {"error", spdlog::level::err}}};
constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kFormats{{{"text", LogFormat::text}, {"json", LogFormat::json}}};
constexpr std::array<std::pair<std::string_view, OnExisting>, 2> kOnExisting{
    {{"refuse", OnExisting::refuse}, {"truncate", OnExisting::truncate}}};
constexpr std::array<std::pair<std::string_view, DdlMode>, 2> kDdl{{{"stop", DdlMode::stop}, {"apply", DdlMode::apply}}};
constexpr std::array<std::pair<std::string_view, KeylessMode>, 3> kKeyless{
    {{"refuse", KeylessMode::refuse}, {"full", KeylessMode::full}, {"insert", KeylessMode::insert}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kPartitions{{{"leaf", false}, {"root", true}}};
constexpr std::array<std::pair<std::string_view, Engine>, 2> kEngines{{{"postgresql", Engine::postgresql}, {"sqlite", Engine::sqlite}}};
constexpr std::array<std::pair<std::string_view, bool>, 4> kBooleans{{{"true", true}, {"false", false}, {"1", true}, {"0", false}}};

std::optional<bool> flag(const SettingLayer& settings, std::string_view name) {
    return converted(settings, name, [](const std::string& text) { return one_of(text, kBooleans); });
}

std::vector<TablePattern> patterns(const SettingLayer& settings, std::string_view name, bool schema_only) {
    std::vector<TablePattern> result;
    const SettingValue* value = find(settings, name);
    if (value == nullptr) return result;
    for (const std::string& text : value->values) {
        try {
            if (text.empty()) throw UsageError{"a pattern is empty"};
            result.emplace_back(text, schema_only);
        } catch (const UsageError& error) {
            throw UsageError{fmt::format("{}: {}", value->origin, error.what())};
        }
    }
    return result;
}

Until parse_until(const std::string& text) {
    if (text == "current") return {Until::Kind::current, {}, {}};
    try {
        const ParsedPosition parsed = parse_position(text);
        return {Until::Kind::position, parsed.kind, parsed.position};
    } catch (const UsageError& error) {
        throw UsageError{fmt::format("{}, or current", error.what())};
    }
}

/// Which of them it has to be is known once the method is chosen.
void check_until(const SettingLayer& settings, const Options& options) {
    if ((options.command != Command::run && options.command != Command::tail) || options.run.until.kind != Until::Kind::position) return;
    const auto methods = capture_methods(options.leader.engine);
    const auto fits = [&](CaptureMethod method) {
        return (!options.capture || *options.capture == method) && position_kind(options.leader.engine, method) == options.run.until.position_kind;
    };
    if (std::ranges::none_of(methods, fits))
        throw UsageError{fmt::format("{}: a {} leader has positions like {}", find(settings, "until")->origin, to_string(options.leader.engine),
                                     to_string(position_kind(options.leader.engine, options.capture.value_or(methods.front())), Position{42, 0}))};
}

std::size_t parse_jobs(const std::string& text) {
    std::size_t jobs = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), jobs);
    if (error != std::errc{} || end != text.data() + text.size() || jobs < 1 || jobs > 64)
        throw UsageError{fmt::format("\"{}\" is not a number of jobs: expected 1 to 64", printable(text))};
    return jobs;
}

SqliteLogOptions log_options_of_leader(const SettingLayer& settings) {
    SqliteLogOptions log;
    const auto shadow = converted(settings, "shadow", [](const std::string& text) {
        if (text.empty()) throw UsageError{"the folder of the shadow is empty: name one, or say off"};
        return text;
    });
    log.shadow = shadow != "off";
    if (shadow && log.shadow) log.shadow_folder = *shadow;
    log.most_log = converted(settings, "max-wal", [](const std::string& text) { return std::uint64_t{parse_byte_size(text)}; }).value_or(log.most_log);
    log.barrier = converted(settings, "wal-barrier", [](const std::string& text) { return std::uint64_t{parse_byte_size(text)}; }).value_or(log.barrier);
    return log;
}

StatementLogSettings statement_log_settings(const SettingLayer& settings) {
    StatementLogSettings statements;
    if (const SettingValue* paths = find(settings, "statement-log")) {
        statements.paths = paths->values;
        if (std::ranges::find(statements.paths, "") != statements.paths.end()) throw UsageError{fmt::format("{}: the name of a log is empty", paths->origin)};
    }
    statements.scratch = converted(settings, "scratch", [](const std::string& text) { return parse_endpoint(text); });
    statements.database = converted(settings, "log-database", [](const std::string& text) {
                              if (text.empty()) throw UsageError{"the name of the database is empty"};
                              return text;
                          }).value_or("");
    statements.start = converted(settings, "log-start", [](const std::string& text) { return parse_endpoint(text); });
    statements.rows = converted(settings, "on-nondeterministic", [](const std::string& text) -> std::optional<Endpoint> {
                          constexpr std::string_view kRows = "rows=";
                          if (text == "stop") return std::nullopt;
                          if (!text.starts_with(kRows)) throw UsageError{"expected stop, or rows= and the leader: rows=postgresql://…"};
                          return parse_endpoint(std::string_view{text}.substr(kRows.size()));
                      }).value_or(std::nullopt);
    return statements;
}

/// With a statement log the method is clear; with another method it would be ignored, and somebody counts on it.
void settle_statement_log(const SettingLayer& settings, Options& options) {
    options.statements = statement_log_settings(settings);
    const StatementLogSettings& statements = options.statements;
    if (options.command == Command::drop) return;
    const bool any = !statements.paths.empty() || statements.scratch || !statements.database.empty() || statements.start || statements.rows;
    if (any && options.capture && *options.capture != CaptureMethod::statements)
        throw UsageError{fmt::format("--statement-log and what goes with it are for --capture statements, not for {}", to_string(*options.capture))};
    if (any && !options.capture && statements.paths.empty()) throw UsageError{"--scratch, --log-database, --log-start and --on-nondeterministic go with --statement-log"};
    if (any) options.capture = parse_capture(options.leader.engine, to_string(CaptureMethod::statements));
}

/// `i:42` or `:name=t:text`.
GivenParameter parse_parameter(const std::string& text) {
    GivenParameter parameter;
    std::string value = text;
    if (!text.empty() && (text.front() == ':' || text.front() == '@' || text.front() == '$')) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos) throw UsageError{"--param: expected NAME=VALUE, such as :id=i:42"};
        parameter.name = text.substr(0, equals);
        value = text.substr(equals + 1);
    }
    if (value == "null") return parameter;
    try {
        Arena arena;
        const Cell cell = untag_value(Cell::text(value), arena);
        switch (cell.kind()) {
            case CellKind::integer: parameter.value = cell.as_integer(); return parameter;
            case CellKind::real: parameter.value = cell.as_real(); return parameter;
            case CellKind::text: parameter.value = std::string{cell.bytes()}; return parameter;
            case CellKind::blob: parameter.value = SqlBlob{std::string{cell.bytes()}}; return parameter;
            default: break;
        }
    } catch (const ValueError&) {
        // said below
    }
    throw UsageError{"--param: expected a value with its type: i:42, r:0.1, t:text, b:00ff (hex) or null"};
}

void resolve_exec(const SettingLayer& settings, Options& options) {
    if (options.leader.engine != Engine::sqlite) throw UsageError{"exec is for SQLite leaders: the server of a PostgreSQL leader writes its own statement log (log_statement)"};
    ExecSettings& exec = options.exec;
    if (const SettingValue* sql = find(settings, "sql")) exec.sql = sql->values.front();
    if (const SettingValue* file = find(settings, "file")) exec.file = file->values.front();
    if (exec.sql.has_value() == exec.file.has_value()) throw UsageError{"say what to run, once: rowferry exec LEADER SQL, or rowferry exec LEADER -f FILE"};
    if (const SettingValue* parameters = find(settings, "param"))
        for (const std::string& text : parameters->values) exec.parameters.push_back(parse_parameter(text));
}

SpoolOptions spool_options(const SettingLayer& settings) {
    SpoolOptions spool;
    if (const char* temporary = std::getenv("TMPDIR"); temporary != nullptr && *temporary != '\0') spool.directory = temporary;
    spool.directory = converted(settings, "spool", [](const std::string& text) {
                          if (text.empty()) throw UsageError{"the spool directory is empty"};
                          return text;
                      }).value_or(spool.directory);
    spool.memory = converted(settings, "spool-memory", [](const std::string& text) { return parse_byte_size(text); }).value_or(spool.memory);
    return spool;
}

std::string parse_stream(const std::string& text) {
    check_stream_name(text);
    return text;
}

void require_endpoints(Command command, bool leader, bool follower) {
    const bool needs_follower = command == Command::run || command == Command::clone || command == Command::copy_table;
    if (leader && (follower || !needs_follower)) return;
    if (command == Command::tail) throw UsageError{"LEADER is missing: rowferry tail LEADER (or ROWFERRY_LEADER, or the key leader of a config file)"};
    throw UsageError{fmt::format("{} is missing: rowferry {} LEADER {} (or ROWFERRY_{}, or the key {} of a config file)",
                                 leader ? "FOLLOWER" : "LEADER", to_string(command), needs_follower ? "FOLLOWER" : "[FOLLOWER]",
                                 leader ? "FOLLOWER" : "LEADER", leader ? "follower" : "leader")};
}

}  // namespace

void check_stream_name(std::string_view name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (name.empty() || name.size() > 32 || !std::all_of(name.begin(), name.end(), allowed))
        throw UsageError{fmt::format("\"{}\" is not a stream name: expected 1 to 32 of a-z, 0-9 and _", printable(name))};
}

LogOptions log_options(const SettingLayer& settings) {
    LogOptions options;
    options.level = choice(settings, "log-level", kLevels, options.level);
    options.format = choice(settings, "log-format", kFormats, options.format);
    return options;
}

Options resolve_options(Command command, const SettingLayer& settings) {
    Options options;
    options.command = command;
    const auto leader = converted(settings, "leader", [](const std::string& text) { return parse_endpoint(text); });
    options.follower = converted(settings, "follower", [](const std::string& text) { return parse_endpoint(text); });
    require_endpoints(command, leader.has_value(), options.follower.has_value());
    options.leader = *leader;
    if (command == Command::schema) {
        options.schema_for = converted(settings, "for", [](const std::string& text) { return one_of(text, kEngines); });
        if (!options.schema_for && options.follower) options.schema_for = options.follower->engine;
        if (!options.schema_for) throw UsageError{"--for is missing: rowferry schema LEADER --for postgresql|sqlite"};
        options.follower.reset();
    }

    StreamRequest& request = options.run.request;
    request.stream = converted(settings, "stream", parse_stream).value_or("default");
    request.selection.tables = patterns(settings, "table", false);
    request.selection.excluded = patterns(settings, "exclude-table", false);
    request.selection.schemas = patterns(settings, "schema", true);
    if (command == Command::tail) resolve_tail(settings, options);
    if (command == Command::exec) {
        resolve_exec(settings, options);
        return options;
    }
    if (command == Command::copy_table) {
        // In environment and file `table` means the tables of the stream.
        const SettingValue* tables = find(settings, "table");
        if (tables == nullptr || tables->origin != "--table") throw UsageError{"say which table to copy: rowferry copy-table LEADER FOLLOWER --table TABLE"};
        options.tables_to_copy = tables->values;
        request.selection = {};
    }
    request.rules = resolve_rules(settings);
    request.keyless = choice(settings, "keyless", kKeyless, KeylessMode::refuse);
    request.spool = spool_options(settings);
    request.log = log_options_of_leader(settings);
    request.exact_replace = flag(settings, "exact-replace").value_or(false);
    // SQLite has no partitions: there the rows belong into one table.
    const bool to_sqlite = (options.follower && options.follower->engine == Engine::sqlite) || options.schema_for == Engine::sqlite;
    request.partition_roots = choice(settings, "partitions", kPartitions, to_sqlite && options.leader.engine == Engine::postgresql);
    options.run.follower.on_existing = choice(settings, "on-existing", kOnExisting, OnExisting::refuse);
    options.run.follower.ddl = choice(settings, "ddl", kDdl, DdlMode::stop);
    options.run.follower.fire_triggers = flag(settings, "fire-triggers").value_or(false);
    options.run.retry_for = converted(settings, "retry-for", [](const std::string& text) { return parse_duration(text); });
    options.run.copy_jobs = converted(settings, "copy-jobs", parse_jobs).value_or(options.run.copy_jobs);
    options.capture = converted(settings, "capture", [&](const std::string& text) { return parse_capture(options.leader.engine, text); });
    options.run.until = converted(settings, "until", parse_until).value_or(Until{});
    settle_statement_log(settings, options);
    check_until(settings, options);

    options.progress = flag(settings, "progress");
    options.all = flag(settings, "all").value_or(false);
    options.json = flag(settings, "json").value_or(false);
    if (options.all && find(settings, "stream") != nullptr && find(settings, "stream")->origin == "--stream")
        throw UsageError{"--all and --stream exclude each other"};
    return options;
}

}  // namespace rowferry
