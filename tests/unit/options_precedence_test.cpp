#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/config_file.h"
#include "cli/environment.h"
#include "cli/options.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

using Texts = std::vector<std::string>;

CommandLine command_line(const Texts& arguments) {
    std::vector<const char*> argv{"rowferry"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    auto parsed = parse_command_line(static_cast<int>(argv.size()), argv.data());
    return std::get<CommandLine>(parsed);
}

/// What a command would run with, given all three places.
Options options(const Texts& arguments, const Texts& environment = {}, const std::string& file = "") {
    const CommandLine line = command_line(arguments);
    return resolve_options(line.command, merge(line.flags, read_environment(environment).settings, parse_config(file, "shop.toml")));
}

std::string refusal(const Texts& arguments, const Texts& environment = {}, const std::string& file = "") {
    try {
        static_cast<void>(options(arguments, environment, file));
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

Texts patterns(const std::vector<TablePattern>& list) {
    Texts texts;
    for (const TablePattern& pattern : list) texts.push_back(pattern.text());
    return texts;
}

bool says(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

const Texts kRun{"run", "sqlite:a", "sqlite:b"};
Texts run_with(const Texts& more) {
    Texts all = kRun;
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

TEST(Precedence, FlagThenEnvironmentThenFile) {
    const std::string file = "stream = \"from_file\"\n";
    const Texts environment{"ROWFERRY_STREAM=from_env"};
    EXPECT_EQ(options(run_with({"--stream", "from_flag"}), environment, file).run.request.stream, "from_flag");
    EXPECT_EQ(options(kRun, environment, file).run.request.stream, "from_env");
    EXPECT_EQ(options(kRun, {}, file).run.request.stream, "from_file");
    EXPECT_EQ(options(kRun).run.request.stream, "default");
}

TEST(Precedence, ALaterLayerReplacesListsInsteadOfAdding) {
    const std::string file = "table = [\"f1\", \"f2\"]\n";
    const Texts environment{"ROWFERRY_TABLE=e1,e2"};
    EXPECT_EQ(patterns(options(run_with({"--table", "x", "--table", "y"}), environment, file).run.request.selection.tables), (Texts{"x", "y"}));
    EXPECT_EQ(patterns(options(kRun, environment, file).run.request.selection.tables), (Texts{"e1", "e2"}));
    EXPECT_EQ(patterns(options(kRun, {}, file).run.request.selection.tables), (Texts{"f1", "f2"}));
}

TEST(Precedence, AFlagCanTurnOffWhatTheFileTurnsOn) {
    EXPECT_EQ(options(run_with({"--no-progress"}), {"ROWFERRY_PROGRESS=true"}).progress, false);
    EXPECT_EQ(options(run_with({"--progress"}), {"ROWFERRY_PROGRESS=0"}).progress, true);
    EXPECT_EQ(options(kRun, {}, "progress = false\n").progress, false);
    EXPECT_EQ(options(kRun).progress, std::nullopt);
}

TEST(Precedence, EndpointsComeFromAnywhere) {
    const Options all = options({"run"}, {"ROWFERRY_LEADER=sqlite:env"}, "leader = \"sqlite:file\"\nfollower = \"sqlite:copy\"\n");
    EXPECT_EQ(all.leader.target, "env");
    EXPECT_EQ(all.follower->target, "copy");
    EXPECT_EQ(options({"run", "sqlite:flag"}, {"ROWFERRY_LEADER=sqlite:env", "ROWFERRY_FOLLOWER=sqlite:f"}).leader.target, "flag");
    EXPECT_TRUE(says(refusal({"run"}), "LEADER is missing"));
    EXPECT_TRUE(says(refusal({"run", "sqlite:a"}), "FOLLOWER is missing"));
    EXPECT_FALSE(options({"drop", "sqlite:a"}).follower.has_value());
    EXPECT_FALSE(options({"positions", "sqlite:a", "--json"}).follower.has_value());
}

TEST(Environment, EmptyCountsAsNotSetAndUnknownOnesAreNamed) {
    const Environment environment = read_environment({"ROWFERRY_STREAM=", "ROWFERRY_STRAEM=x", "HOME=/", "ROWFERRY_ALL=1", "ROWFERRYX=1", "ROWFERRY_RETRY_FOR=5s"});
    EXPECT_EQ(environment.settings.count("stream"), 0U);
    EXPECT_EQ(environment.unknown, (Texts{"ROWFERRY_STRAEM", "ROWFERRY_ALL"}));
    EXPECT_EQ(environment.settings.at("retry-for").values, Texts{"5s"});
}

TEST(Environment, CommasInQuotesDoNotSplit) {
    const Environment environment = read_environment({"ROWFERRY_EXCLUDE_TABLE=a,\"b,c\".d,e"});
    EXPECT_EQ(environment.settings.at("exclude-table").values, (Texts{"a", "\"b,c\".d", "e"}));
}

TEST(CommandLine, EndpointsAndPatternsAreVerbatim) {
    for (const std::string path : {"sqlite:a b", "sqlite:\"q\"", "sqlite:[x]", "sqlite:%20", "sqlite:'x'", "sqlite:run", "sqlite:a,b", "sqlite:{}", "sqlite:\\n"})
        EXPECT_EQ(command_line({"run", path, "sqlite:b"}).flags.at("leader").values, Texts{path});
    for (const std::string pattern : {"[ab]", "[0-9]*", "\"A\"", "\"A.b\".\"c\"", "a,b", "'x'", "a\"b\"c", "x|y"})
        EXPECT_EQ(command_line(run_with({"--table", pattern})).flags.at("table").values, Texts{pattern});
    EXPECT_EQ(command_line(run_with({"--table=[ab]"})).flags.at("table").values, Texts{"[ab]"});
}

TEST(CommandLine, APatternDoesNotSwallowTheEndpoints) {
    const CommandLine line = command_line({"run", "--table", "a", "sqlite:a", "--table", "b", "sqlite:b"});
    EXPECT_EQ(line.flags.at("table").values, (Texts{"a", "b"}));
    EXPECT_EQ(line.flags.at("follower").values, Texts{"sqlite:b"});
}

TEST(CommandLine, EveryCommandHasHelpWithAnExample) {
    for (const std::string command : {"", "run", "clone", "drop", "positions"}) {
        std::vector<const char*> argv{"rowferry"};
        if (!command.empty()) argv.push_back(command.c_str());
        argv.push_back("--help");
        const auto parsed = parse_command_line(static_cast<int>(argv.size()), argv.data());
        const std::string text = std::get<InformationRequest>(parsed).text;
        EXPECT_TRUE(says(text, "Example:\n  rowferry " + command)) << text;
    }
}

TEST(CommandLine, VersionNamesTheProgram) {
    const char* argv[] = {"rowferry", "--version"};
    const auto parsed = parse_command_line(2, argv);
    EXPECT_EQ(std::get<InformationRequest>(parsed).text.rfind("rowferry ", 0), 0U);
}

TEST(CommandLine, MistakesAreUsageErrors) {
    EXPECT_TRUE(says(refusal({}), "expected a command"));
    EXPECT_TRUE(says(refusal({"rum"}), "expected a command"));
    EXPECT_TRUE(says(refusal(run_with({"--tabel", "x"})), "--tabel"));
    EXPECT_TRUE(says(refusal(run_with({"--stream"})), "--stream"));
    EXPECT_NE(refusal(run_with({"--stream", "a", "--stream", "b"})), "accepted");
    EXPECT_NE(refusal(run_with({"sqlite:c"})), "accepted");
    EXPECT_NE(refusal({"drop", "sqlite:a", "--retry-for", "1s"}), "accepted");
    EXPECT_NE(refusal({"clone", "sqlite:a", "sqlite:b", "--until", "current"}), "accepted");
    EXPECT_FALSE(says(refusal(run_with({"postgresql://u:hunter2@h/d"})), "hunter2"));
}

TEST(Options, WrongValuesNameTheirOrigin) {
    EXPECT_TRUE(says(refusal(run_with({"--stream", "Shop"})), "--stream: "));
    EXPECT_TRUE(says(refusal(kRun, {"ROWFERRY_STREAM=a-b"}), "ROWFERRY_STREAM: "));
    EXPECT_TRUE(says(refusal(kRun, {}, "\nstream = \"\"\n"), "shop.toml:2: stream: "));
    EXPECT_TRUE(says(refusal(run_with({"--keyless", "maybe"})), "refuse, full, insert"));
    EXPECT_TRUE(says(refusal(run_with({"--on-existing", "drop"})), "refuse, truncate"));
    EXPECT_TRUE(says(refusal(run_with({"--partitions", "both"})), "leaf, root"));
    EXPECT_TRUE(says(refusal(run_with({"--retry-for", "soon"})), "--retry-for: "));
    EXPECT_TRUE(says(refusal(run_with({"--table", "a.b.c.d"})), "--table: "));
    EXPECT_TRUE(says(refusal(run_with({"--table", ""})), "--table: "));
    EXPECT_TRUE(says(refusal(kRun, {"ROWFERRY_EXACT_REPLACE=perhaps"}), "ROWFERRY_EXACT_REPLACE: "));
    EXPECT_TRUE(says(refusal({"drop", "sqlite:a", "--all", "--stream", "x"}), "exclude each other"));
    EXPECT_THROW(static_cast<void>(log_options(command_line(run_with({"--log-level", "loud"})).flags)), UsageError);
    EXPECT_THROW(static_cast<void>(log_options(command_line(run_with({"--log-format", "xml"})).flags)), UsageError);
}

TEST(Options, StreamNamesAreShortAndPlain) {
    EXPECT_EQ(refusal(run_with({"--stream", std::string(32, 'a')})), "accepted");
    for (const std::string& name : {std::string(33, 'a'), std::string{"A"}, std::string{"a b"}, std::string{"a.b"}, std::string{"ä"}, std::string{"a;b"}})
        EXPECT_NE(refusal(run_with({"--stream", name})), "accepted") << name;
}

TEST(Options, UntilFitsTheLeader) {
    EXPECT_EQ(options(kRun).run.until.kind, Until::Kind::never);
    EXPECT_EQ(options(run_with({"--until", "current"})).run.until.kind, Until::Kind::current);
    const Until until = options(run_with({"--until", "seq:42"})).run.until;
    EXPECT_EQ(until.kind, Until::Kind::position);
    EXPECT_EQ(until.position.major, 42U);
    EXPECT_TRUE(says(refusal(run_with({"--until", "lsn:0/1"})), "seq:42"));
    EXPECT_TRUE(says(refusal({"run", "postgresql://h/d", "sqlite:b", "--capture", "logical", "--until", "seq:1"}), "lsn:0/2A"));
    EXPECT_EQ(options({"run", "postgresql://h/d", "sqlite:b", "--capture", "triggers", "--until", "seq:1"}).run.until.position.major, 1U);
    EXPECT_FALSE(options(kRun).capture);
    EXPECT_EQ(options(run_with({"--capture", "triggers"})).capture, CaptureMethod::triggers);
    EXPECT_EQ(options(run_with({"--capture", "statements"})).capture, CaptureMethod::statements);
    EXPECT_TRUE(says(refusal(run_with({"--until", "now"})), "or current"));
    EXPECT_TRUE(says(refusal(run_with({"--until", "lsn:x"})), "--until: "));
}

TEST(Options, AStatementLogIsOnlyForItsMethod) {
    EXPECT_TRUE(says(refusal(run_with({"--capture", "triggers", "--statement-log", "a.log"})), "for --capture statements, not for triggers"));
    EXPECT_TRUE(says(refusal(run_with({"--scratch", "sqlite:s"})), "go with --statement-log"));
    EXPECT_TRUE(says(refusal(run_with({"--on-nondeterministic", "guess"})), "--on-nondeterministic: expected stop, or rows="));
    EXPECT_TRUE(says(refusal(run_with({"--statement-log", ""})), "--statement-log: the name of a log is empty"));
    // Whatever the method was.
    const Options drop = options({"drop", "sqlite:a", "--statement-log", "a*.log", "--statement-log", "b.log", "--scratch", "sqlite:s", "--log-database", "d", "--log-start", "sqlite:t",
                                  "--on-nondeterministic", "rows=postgresql://h/d"});
    EXPECT_EQ(drop.statements.paths, (Texts{"a*.log", "b.log"}));
    EXPECT_EQ(drop.statements.scratch->target, "s");
    EXPECT_EQ(drop.statements.database, "d");
    EXPECT_EQ(drop.statements.start->target, "t");
    EXPECT_EQ(drop.statements.rows->engine, Engine::postgresql);
}

TEST(Options, EveryOptionArrives) {
    const Options all = options(run_with({"--exclude-table", "x", "--schema", "s", "--retry-for", "5m", "--on-existing", "truncate", "--keyless", "full",
                                          "--exact-replace", "--fire-triggers", "--partitions", "root"}));
    EXPECT_EQ(patterns(all.run.request.selection.excluded), Texts{"x"});
    EXPECT_EQ(patterns(all.run.request.selection.schemas), Texts{"s"});
    EXPECT_EQ(all.run.retry_for, std::chrono::minutes{5});
    EXPECT_EQ(all.run.follower.on_existing, OnExisting::truncate);
    EXPECT_EQ(all.run.request.keyless, KeylessMode::full);
    EXPECT_TRUE(all.run.request.exact_replace);
    EXPECT_TRUE(all.run.follower.fire_triggers);
    EXPECT_TRUE(all.run.request.partition_roots);
    EXPECT_TRUE(options({"drop", "sqlite:a", "--all"}).all);
    EXPECT_TRUE(options({"positions", "sqlite:a", "--json"}).json);
    EXPECT_EQ(options(run_with({"--retry-for", "0"})).run.retry_for, std::chrono::milliseconds{0});
    EXPECT_FALSE(options(kRun).run.retry_for.has_value());
}

}  // namespace
}  // namespace rowferry
