// The contract that scripts rely on: commands, exit codes, where text goes, options and where they come from.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/support/stream_test.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

using Environment = std::map<std::string, std::string>;

/// A SQLite pair with one small table: most of the contract needs no server.
Pair small_pair() {
    Pair pair = {Database::sqlite("leader"), Database::sqlite("follower")};
    pair.leader.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a')");
    return pair;
}

std::string config_file(const std::string& text) {
    const std::filesystem::path path = new_temp_dir("config") / "rowferry.toml";
    std::ofstream{path} << text;
    return path.string();
}

TEST(CommandLine, VersionAndHelpGoToStandardOutput) {
    const RowferryResult version = rowferry({"--version"});
    EXPECT_TRUE(ended(version, 0));
    EXPECT_TRUE(version.out.starts_with("rowferry ")) << version;
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"--help"}, {"run", "--help"}, {"clone", "--help"}, {"drop", "--help"}, {"positions", "--help"}}) {
        const RowferryResult help = rowferry(words);
        EXPECT_TRUE(ended(help, 0));
        EXPECT_NE(help.out.find("Example"), std::string::npos) << help;
        EXPECT_EQ(help.err, "");
    }
}

TEST(CommandLine, WrongUsageIsTwoWithTheReasonLastAndNothingOnStandardOutput) {
    const auto [leader, follower] = small_pair();
    const std::string from = leader.endpoint();
    const std::string to = follower.endpoint();
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{}, ""},
        {{"fly", from, to}, ""},
        {{"run"}, ""},
        {{"run", from}, ""},
        {{"clone", from}, ""},
        {{"run", from, to, "third"}, ""},
        {{"run", from, to, "--no-such-option"}, "--no-such-option"},
        {{"run", from, to, "--until", "soon"}, "soon"},
        {{"run", from, to, "--until", "lsn:0/1"}, ""},  // not a position of a SQLite leader
        {{"run", from, to, "--on-existing", "merge"}, "merge"},
        {{"run", from, to, "--keyless", "some"}, "some"},
        {{"run", from, to, "--capture", "magic"}, "none of logical, triggers, statements"},
        {{"run", from, to, "--log-level", "loud"}, "loud"},
        {{"run", from, to, "--log-format", "xml"}, "xml"},
        {{"run", from, to, "--retry-for", "a while"}, ""},
        {{"run", from, to, "--table", "\"open"}, ""},
        {{"run", "log:changes", to}, "reserved"},
        {{"run", from, "log:changes"}, "reserved"},
        {{"run", "nats://broker/x", to}, "reserved"},
        {{"run", from, "nats://broker/x"}, "reserved"},
        {{"run", "mysql://host/db", to}, ""},
        {{"run", "sqlite:", to}, ""},
        {{"run", leader.path().string(), to}, ""},  // a path without its scheme
        {{"run", from, to, "--config", "/no/such/file.toml"}, "/no/such/file.toml"},
    };
    for (const auto& [arguments, reason] : cases) {
        const RowferryResult result = rowferry(arguments);
        EXPECT_TRUE(ended(result, 2, reason)) << testing::PrintToString(arguments);
        EXPECT_EQ(result.out, "");
    }
    EXPECT_FALSE(std::filesystem::exists(follower.path()));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
}

TEST(CommandLine, StreamNamesAreChecked) {
    const auto [leader, follower] = small_pair();
    for (const std::string& name : {std::string{"Shop"}, std::string{"a-b"}, std::string{"a b"}, std::string{"é"}, std::string(33, 'a')}) {
        for (const char* word : {"run", "drop", "positions"})
            EXPECT_TRUE(ended(rowferry(command(word, leader, follower, {"--stream", name})), 2)) << word << " " << name;
    }
    EXPECT_TRUE(ended(run_until_current(leader, follower, {"--stream", std::string(30, 'a') + "_9"}), 0));
}

TEST(CommandLine, UnknownConfigKeysAreRefusedWithKeyAndLine) {
    const auto [leader, follower] = small_pair();
    const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
        {"stream = \"shop\"\n\ntabel = [\"t\"]\n", {"tabel", ":3"}},
        {"[table.t]\nkeyless = \"full\"\n", {"table.t.keyless", "unknown", ":2"}},
        {"\n[[follower]]\nname = \"x\"\n", {"follower", "reserved", ":2"}},
        {"stream = 5\n", {"stream", ":1"}},
        {"stream = \"shop\n", {":1"}},
    };
    for (const auto& [text, parts] : cases) {
        const RowferryResult result = rowferry(command("run", leader, follower, {"--config", config_file(text)}));
        EXPECT_TRUE(ended(result, 2)) << text;
        for (const std::string& part : parts) EXPECT_NE(result.last_line.find(part), std::string::npos) << part << " in " << result;
    }
}

TEST(CommandLine, FlagBeatsEnvironmentBeatsFile) {
    const auto [leader, follower] = small_pair();
    const std::string file = config_file("stream = \"from_file\"\n");
    const auto stream_of = [&leader = leader](std::vector<std::string> arguments, const Environment& environment) {
        arguments.insert(arguments.begin(), {"positions", leader.endpoint(), "--json"});
        const RowferryResult result = rowferry(arguments, environment);
        EXPECT_EQ(result.exit_code, 0) << result;
        return result.exit_code == 0 ? nlohmann::json::parse(result.out).at("stream").get<std::string>() : "";
    };
    const Environment environment{{"ROWFERRY_STREAM", "from_env"}};
    EXPECT_EQ(stream_of({}, {}), "default");
    EXPECT_EQ(stream_of({"--config", file}, {}), "from_file");
    EXPECT_EQ(stream_of({"--config", file}, environment), "from_env");
    EXPECT_EQ(stream_of({"--config", file, "--stream", "from_flag"}, environment), "from_flag");
}

TEST(CommandLine, UnknownEnvironmentIsWarnedAbout) {
    const auto [leader, follower] = small_pair();
    std::vector<std::string> arguments = command("run", leader, follower, {"--until", "current"});
    const RowferryResult result = rowferry(arguments, {{"ROWFERRY_STRAEM", "shop"}});
    EXPECT_TRUE(ended(result, 0));
    EXPECT_NE(result.err.find("ROWFERRY_STRAEM"), std::string::npos) << result;
    EXPECT_TRUE(ended(rowferry(arguments, {{"ROWFERRY_STREAM", "Bad Name"}}), 2, "ROWFERRY_STREAM"));
}

TEST(CommandLine, JsonLogIsJsonOnEveryLine) {
    const auto [leader, follower] = small_pair();
    const RowferryResult good = run_until_current(leader, follower, {"--log-format", "json", "--log-level", "debug"});
    ASSERT_TRUE(ended(good, 0));
    const RowferryResult bad = rowferry(command("run", Database::sqlite("absent"), follower, {"--log-format", "json"}));
    EXPECT_NE(bad.exit_code, 0);
    int lines = 0;
    for (const RowferryResult* result : {&good, &bad}) {
        std::istringstream text{result->err};
        for (std::string line; std::getline(text, line); ++lines)
            EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    }
    EXPECT_GT(lines, 1);
}

TEST(ExitCode, AMissingLeaderFileIsAnErrorAndIsNotCreated) {
    const Database leader = Database::sqlite("absent");
    const Database follower = Database::sqlite("follower");
    for (const char* word : {"run", "clone"}) {
        const RowferryResult result = rowferry(command(word, leader, follower));
        EXPECT_TRUE(ended(result, 3, leader.path().string()));
        EXPECT_FALSE(std::filesystem::exists(leader.path()));
        EXPECT_FALSE(std::filesystem::exists(follower.path()));
    }
}

TEST(ExitCode, TheVeryFirstConnectionFailingIsOne) {
    const auto [leader, follower] = small_pair();
    const std::string nowhere = "postgresql://someone:s3cret@127.0.0.1:1/shop";
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"run", nowhere, follower.endpoint()},
                                                                                           {"run", leader.endpoint(), nowhere},
                                                                                           {"clone", nowhere, follower.endpoint()},
                                                                                           {"positions", nowhere}}) {
        const RowferryResult result = rowferry(arguments);
        EXPECT_TRUE(ended(result, 1));
        EXPECT_EQ((result.out + result.err).find("s3cret"), std::string::npos) << result;
    }
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
    EXPECT_TRUE(ended(rowferry({"run", "sqlite:/proc/no/such/folder/x.db", follower.endpoint()}), 3));
}

class ExitCodeTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
    void SetUp() override {
        pair_.leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); INSERT INTO t VALUES (1, 'a'), (2, NULL)");
    }
};

TEST_P(ExitCodeTest, UntilCurrentIsZeroAlsoOnAnIdleLeaderAndTwice) {
    for (int i = 0; i < 2; ++i) {
        const auto started = std::chrono::steady_clock::now();
        ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
        EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{15});
        EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    }
    pair_.leader.exec("UPDATE t SET s = 'b'; INSERT INTO t VALUES (3, '')");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(ExitCodeTest, ASignalEndsAnOpenRunWithZeroAndAnUnfinishedOneWithSix) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    for (const int signal : {SIGTERM, SIGINT}) {
        const auto process = start_run(pair_.leader, pair_.follower);
        std::this_thread::sleep_for(std::chrono::milliseconds{700});
        process->kill(signal);
        EXPECT_TRUE(ended(*process, 0, "", std::chrono::seconds{10}));
    }
    const std::string far = leads_postgresql(GetParam()) ? "lsn:7FFFFFFF/0" : "seq:99999999";
    const auto process = start_run(pair_.leader, pair_.follower, {"--until", far});
    std::this_thread::sleep_for(std::chrono::milliseconds{700});
    process->kill(SIGTERM);
    EXPECT_TRUE(ended(*process, 6, "", std::chrono::seconds{10}));
}

TEST_P(ExitCodeTest, UntilAPositionStopsExactlyThere) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    pair_.leader.exec("INSERT INTO t VALUES (10, 'before')");
    const std::string stop_at = positions(pair_.leader).at("leader").at("position");
    pair_.leader.exec("INSERT INTO t VALUES (11, 'after')");
    ASSERT_TRUE(ended(rowferry(command("run", pair_.leader, pair_.follower, {"--until", stop_at})), 0));
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t WHERE id = 10"), "1");
    EXPECT_EQ(pair_.follower.value("SELECT count(*) FROM t WHERE id = 11"), "0");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(ExitCodeTest, UntilAPositionBeforeTheSnapshotIsThree) {
    const std::string early = leads_postgresql(GetParam()) ? "lsn:0/1" : "seq:0";
    pair_.leader.exec("UPDATE t SET s = 'c'");
    if (leads_postgresql(GetParam())) {
        EXPECT_TRUE(ended(rowferry(command("run", pair_.leader, pair_.follower, {"--until", early})), 3));
        EXPECT_EQ(leftovers(pair_.leader), std::vector<std::string>{});
    }
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    pair_.leader.exec("UPDATE t SET s = 'd'");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(ended(rowferry(command("run", pair_.leader, pair_.follower, {"--until", early})), 3));
}

TEST_P(ExitCodeTest, PositionsTellsInJsonWhatItPromises) {
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    const nlohmann::json both = positions(pair_.leader, &pair_.follower);
    EXPECT_EQ(both.at("version"), 1);
    EXPECT_EQ(both.at("stream"), "default");
    EXPECT_EQ(both.at("capture"), leads_postgresql(GetParam()) ? "logical" : "triggers");
    EXPECT_TRUE(both.at("leader").at("identity").is_string());
    EXPECT_TRUE(both.at("leader").at("position").get<std::string>().starts_with(leads_postgresql(GetParam()) ? "lsn:" : "seq:"));
    EXPECT_EQ(both.at("follower").at("state"), "ready");
    EXPECT_TRUE(both.at("follower").at("position").is_string());
    EXPECT_TRUE(both.at("follower").at("acked").is_string());
    EXPECT_TRUE(both.at("follower").contains("commit_time"));
    EXPECT_EQ(both.at("follower").at("quarantined"), nlohmann::json::array());
    EXPECT_EQ(both.at("caught_up"), true);
    EXPECT_EQ(both.size(), 6U) << both;

    const nlohmann::json alone = positions(pair_.leader);
    EXPECT_TRUE(alone.at("follower").is_null());
    EXPECT_EQ(alone.at("caught_up"), false);

    pair_.leader.exec("INSERT INTO t VALUES (4, 'new')");
    EXPECT_EQ(positions(pair_.leader, &pair_.follower).at("caught_up"), false);
    EXPECT_TRUE(positions(pair_.leader, &pair_.follower, "other").at("follower").is_null());
}

TEST_P(ExitCodeTest, AStreamKeepsTheMethodOfItsCheckpoint) {
    const std::string method = leads_postgresql(GetParam()) ? "logical" : "triggers";
    const std::string other = leads_postgresql(GetParam()) ? "triggers" : "logical";
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower, {"--capture", method}), 0));
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    // As if the stream had been begun with the other method.
    const std::string checkpoint = follows_postgresql(GetParam()) ? "rowferry.checkpoint" : "rowferry_checkpoint";
    pair_.follower.exec("UPDATE " + checkpoint + " SET capture = '" + other + "'");
    const RowferryResult refused = run_until_current(pair_.leader, pair_.follower, {"--capture", method});
    EXPECT_TRUE(ended(refused, 3, "rowferry drop"));
    EXPECT_NE(refused.last_line.find("--capture " + method + " --on-existing truncate"), std::string::npos) << refused;
    EXPECT_TRUE(ended(rowferry(command("copy-table", pair_.leader, pair_.follower, {"--table", "t", "--capture", method})), 3, "rowferry drop"));
    EXPECT_TRUE(ended(rowferry({"positions", pair_.leader.endpoint(), pair_.follower.endpoint(), "--capture", method}), 3, "rowferry drop"));
    pair_.follower.exec("UPDATE " + checkpoint + " SET capture = '" + method + "'");
    pair_.leader.exec("INSERT INTO t VALUES (3, 'c')");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(ExitCodeTest, CloneCopiesAndLeavesNothingBehind) {
    ASSERT_TRUE(ended(rowferry(command("clone", pair_.leader, pair_.follower)), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
    EXPECT_EQ(leftovers(pair_.leader), std::vector<std::string>{});
    EXPECT_EQ(leftovers(pair_.follower), std::vector<std::string>{});
    EXPECT_TRUE(ended(rowferry(command("clone", pair_.leader, pair_.follower)), 3));  // rows are there now
    EXPECT_TRUE(ended(rowferry(command("clone", pair_.leader, pair_.follower, {"--on-existing", "truncate"})), 0));
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));
}

TEST_P(ExitCodeTest, DropRemovesOurThingsOnlyAndMayBeRepeated) {
    const Database other = follows_postgresql(GetParam()) ? Database::postgresql(PgCluster::shared(), "other") : Database::sqlite("other");
    ASSERT_TRUE(ended(run_until_current(pair_.leader, pair_.follower), 0));
    ASSERT_TRUE(ended(run_until_current(pair_.leader, other, {"--stream", "second"}), 0));
    const RowferryResult first = rowferry(command("drop", pair_.leader, pair_.follower));
    ASSERT_TRUE(ended(first, 0));
    EXPECT_NE(first.out, "");
    EXPECT_EQ(leftovers(pair_.follower), std::vector<std::string>{});
    EXPECT_TRUE(same_rows(pair_.leader, pair_.follower));

    pair_.leader.exec("INSERT INTO t VALUES (5, 'still followed')");
    EXPECT_TRUE(ended(run_until_current(pair_.leader, other, {"--stream", "second"}), 0));
    EXPECT_TRUE(same_rows(pair_.leader, other));
    EXPECT_TRUE(ended(rowferry(command("drop", pair_.leader, pair_.follower)), 0));  // once more
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(ended(rowferry(command("drop", pair_.leader, other, {"--all"})), 0));
    EXPECT_EQ(leftovers(pair_.leader), std::vector<std::string>{});
    EXPECT_EQ(leftovers(other), std::vector<std::string>{});
    EXPECT_TRUE(same_rows(pair_.leader, other));
    EXPECT_EQ(pair_.leader.value("SELECT count(*) FROM t"), "3");
}

INSTANTIATE_TEST_SUITE_P(All, ExitCodeTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
