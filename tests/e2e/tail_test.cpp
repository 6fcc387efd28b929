// `rowferry tail`: what it prints, by a real validator and by replaying it; that it leaves nothing on the leader; that a position which is kept
// loses nothing.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/stream_test.h"
#include "tests/support/tail_records.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace rowferry::test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

class TailTest : public StreamTest {
protected:
    static Database pg_leader() { return Database::postgresql(PgCluster::shared(), "leader"); }
    static Database sqlite_leader() {
        Database leader = Database::sqlite("leader");
        leader.exec("PRAGMA journal_mode = wal");
        return leader;
    }
    /// `--stream audit` with a state file of its own.
    static std::vector<std::string> kept(std::vector<std::string> more = {}) {
        std::vector<std::string> options{"--stream", "audit", "--state", (new_temp_dir("state") / "state.db").string()};
        options.insert(options.end(), more.begin(), more.end());
        return options;
    }
    static std::string state_of(const std::vector<std::string>& options) { return "sqlite:" + options.at(3); }
    /// The slot of a process that ended is dropped by the server a moment later.
    static std::vector<std::string> left_over(const Database& leader) {
        for (int i = 0; i < 600 && !leftovers(leader).empty(); ++i) std::this_thread::sleep_for(milliseconds{50});
        return leftovers(leader);
    }
    static std::string out_of(const std::vector<std::string>& options, const Database& leader, const std::string& format) {
        std::vector<std::string> arguments{"tail", leader.endpoint(), "--format", format, "--until", "current"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        const RowferryResult result = rowferry(arguments);
        EXPECT_TRUE(ended(result, 0));
        return result.out;
    }
};

TEST_F(TailTest, PostgresqlChangesAsTheyHappenAndNothingIsLeft) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE orders (id int PRIMARY KEY, total numeric, big int8, f float8, raw bytea, ok bool, body text);"
                "ALTER TABLE orders ALTER body SET STORAGE EXTERNAL; CREATE TABLE other (id int PRIMARY KEY)");
    const auto tail = start_tail(leader);
    ASSERT_TRUE(tail->wait_for_err("following"));
    EXPECT_EQ(leader.value("SELECT count(*) FROM pg_replication_slots WHERE temporary AND database = current_database()"), "1");
    leader.exec("BEGIN; INSERT INTO orders VALUES (1, '19.90', 9223372036854775807, 'NaN', '\\x00ff', true, repeat(md5('x'), 300)); INSERT INTO other VALUES (7); COMMIT");
    leader.exec("UPDATE orders SET total = NULL, big = 7, f = 0.5 WHERE id = 1; UPDATE orders SET id = 2; DELETE FROM orders; TRUNCATE orders, other RESTART IDENTITY");
    ASSERT_TRUE(prints(*tail, 6));
    tail->kill(SIGTERM);
    ASSERT_TRUE(ended(*tail, 0, "6 record(s) printed"));
    EXPECT_TRUE(valid_records(tail->out()));
    EXPECT_EQ(left_over(leader), std::vector<std::string>{});

    const auto records = changes_of(parse_records(tail->out()));
    ASSERT_EQ(records.size(), 6U);
    json after = records[0]["after"];
    after.erase("body");
    EXPECT_EQ(after, json::parse(R"({"id":1,"total":"19.90","big":{"integer":"9223372036854775807"},"f":{"real":"NaN"},"raw":{"bytes":"00ff"},"ok":true})"));
    EXPECT_EQ(records[0]["last"], false);
    EXPECT_EQ(records[1]["last"], true);
    EXPECT_EQ(records[0]["transaction"], records[1]["transaction"]);
    EXPECT_EQ(records[1]["ordinal"], 2);
    EXPECT_EQ(records[2]["after"], json::parse(R"({"id":1,"total":null,"big":7,"f":0.5,"raw":{"bytes":"00ff"},"ok":true})"));
    EXPECT_EQ(records[2]["unchanged"], json::array({"body"}));
    EXPECT_FALSE(records[2].contains("before"));
    EXPECT_EQ(records[3]["before"], json::parse(R"({"id":1})"));
    EXPECT_EQ(records[3]["key"], json::parse(R"({"id":1})"));
    EXPECT_EQ(records[3]["after"]["id"], 2);
    EXPECT_EQ(records[4]["operation"], "delete");
    EXPECT_EQ(records[5]["operation"], "truncate");
    EXPECT_EQ(records[5]["tables"].size(), 2U);
    EXPECT_EQ(records[5]["restart_identity"], true);
    EXPECT_GT(records[0]["transaction"]["id"].get<int>(), 0);
    EXPECT_EQ(records[0]["leader"], fmt::format("postgresql:{}:1:{}", leader.value("SELECT system_identifier FROM pg_control_system()"), leader.name()));
}

TEST_F(TailTest, WhatAKilledOneLeftIsRemovedByTheNext) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const auto living = start_tail(leader);
    ASSERT_TRUE(living->wait_for_err("following"));
    {
        const auto killed = start_tail(leader);
        ASSERT_TRUE(killed->wait_for_err("following"));
        killed->kill(SIGKILL);
        killed->wait();
    }
    // A publication without its slot keeps nothing and costs nothing.
    ASSERT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()", "1"));
    EXPECT_EQ(leader.value("SELECT count(*) FROM pg_publication"), "2");
    EXPECT_TRUE(ended(tail_until_current(leader), 0));
    EXPECT_EQ(leader.value("SELECT count(*) FROM pg_publication"), "1") << "that of the living one";
    leader.exec("INSERT INTO t VALUES (1)");
    EXPECT_TRUE(prints(*living, 1));
    living->kill(SIGINT);
    EXPECT_TRUE(ended(*living, 0));
    EXPECT_EQ(left_over(leader), std::vector<std::string>{});
}

TEST_F(TailTest, ASqliteLeadersTypesStayWhatTheyAre) {
    const Database leader = sqlite_leader();
    leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE \"odd \"\"name\" (\"a\nb\" TEXT PRIMARY KEY NOT NULL)");
    const auto options = kept();
    ASSERT_TRUE(ended(tail_until_current(leader, options), 0, "0 record(s)"));
    leader.exec("INSERT INTO t VALUES (1, 1), (2, 1.0), (3, '1'), (4, x'31'), (5, NULL), (6, CAST(x'ff' AS TEXT)), (7, 9223372036854775807), (8, -0.0), (9, 9e999);"
                "UPDATE t SET id = 10 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO \"odd \"\"name\" VALUES ('x')");
    std::string out = tail_until_current(leader, options).out;
    leader.exec("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'd'");
    out += tail_until_current(leader, options).out;
    leader.exec("UPDATE t SET more = 'm' WHERE id = 10");
    out += tail_until_current(leader, options).out;
    EXPECT_TRUE(valid_records(out));
    const auto records = changes_of(parse_records(out));
    ASSERT_EQ(records.size(), 14U);
    const char* const values[] = {"1", R"({"real":"1"})", R"("1")", R"({"bytes":"31"})", "null", R"({"text":"ff"})", R"({"integer":"9223372036854775807"})", R"({"real":"-0"})",
                                  R"({"real":"Infinity"})"};
    for (std::size_t i = 0; i < std::size(values); ++i) EXPECT_EQ(records[i]["after"]["v"], json::parse(values[i])) << i;
    EXPECT_EQ(records[11]["table"]["name"], "odd \"name");
    EXPECT_EQ(records[11]["after"], (json{{"a\nb", "x"}}));
    EXPECT_EQ(records[12]["operation"], "shape");
    EXPECT_EQ(records[12]["after"]["columns"].size(), 3U);
    EXPECT_EQ(records[13]["after"], json::parse(R"({"id":10,"v":1,"more":"m"})"));
    EXPECT_EQ(records[13]["table"]["version"], records[12]["after"]["version"]);
    EXPECT_TRUE(ended(rowferry({"drop", leader.endpoint(), state_of(options), "--stream", "audit"}), 0));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
}

/// The statements that are printed do to a copy what the application did to the leader: nothing in the literals is lost.
class ReplayTest : public TailTest, public ::testing::WithParamInterface<bool> {};

TEST_P(ReplayTest, SqlDoesTheSameToACopy) {
    const bool postgresql = GetParam();
    const std::uint64_t seed = std::random_device{}() % 1'000'000;
    fmt::print("seed {}\n", seed);
    const Database leader = postgresql ? pg_leader() : sqlite_leader();
    const Database copy = postgresql ? pg_leader() : sqlite_leader();
    const WorkloadOptions workload{.keys = 60, .raw_text = !postgresql};
    create_workload(leader, workload, seed);
    create_workload(copy, workload, seed);
    if (postgresql) {  // the clock of the two
        leader.exec("UPDATE ledger SET at = 'epoch'; ALTER TABLE children ALTER id SET GENERATED ALWAYS");
        copy.exec("UPDATE ledger SET at = 'epoch'; ALTER TABLE children ALTER id SET GENERATED ALWAYS");
    }
    ASSERT_TRUE(same_rows(leader, copy));
    const auto options = kept();
    ASSERT_EQ(out_of(options, leader, "sql"), "");
    Workload application{postgresql, workload, seed + 1};
    {
        std::optional<PgConnection> pg;
        std::optional<SqliteDb> sqlite;
        if (postgresql)
            pg.emplace(leader.uri());
        else
            sqlite.emplace(leader.path(), true);
        for (int i = 0; i < 300; ++i) postgresql ? pg->try_exec(application.operation()) : sqlite->try_exec(application.operation());
    }
    if (postgresql)
        leader.exec("ALTER TABLE docs ADD COLUMN more int NOT NULL DEFAULT 7; INSERT INTO docs VALUES (9001, 1, 'x', E'tab\\there', 8)");
    else
        leader.exec("ALTER TABLE docs ADD COLUMN more INT; INSERT INTO docs VALUES (9001, 1, 'x', 'tab' || char(9) || 'here' || char(0) || '.', 8)");
    const std::string statements = out_of(options, leader, "sql");
    copy.exec(postgresql ? "SET session_replication_role = replica; " + statements : "PRAGMA foreign_keys = OFF; " + statements);
    EXPECT_TRUE(same_rows(leader, copy));
}

INSTANTIATE_TEST_SUITE_P(Both, ReplayTest, ::testing::Bool(), [](const auto& info) { return info.param ? "postgresql" : "sqlite"; });

/// At least once over kill -9 at any moment, and exactly once for a reader that says where it is.
class KeptTest : public TailTest, public ::testing::WithParamInterface<bool> {};

TEST_P(KeptTest, NothingIsLostOverKills) {
    const Database leader = GetParam() ? pg_leader() : sqlite_leader();
    leader.exec("CREATE TABLE t (id integer PRIMARY KEY, x text)");
    auto options = kept();
    ASSERT_TRUE(ended(tail_until_current(leader, options), 0));
    std::set<int> seen;
    std::vector<int> exactly;
    std::string reached;
    int id = 0;
    for (int round = 0; round < 6; ++round) {
        auto more = options;
        if (round > 0 && !reached.empty()) more.insert(more.end(), {"--from", reached});
        const auto tail = start_tail(leader, more);
        if (round % 2 == 0) {
            ASSERT_TRUE(tail->wait_for_err("following"));
        }
        for (int i = 0; i < 15; ++i) leader.exec(fmt::format("INSERT INTO t VALUES ({}, 'x')", ++id));
        std::this_thread::sleep_for(milliseconds{round * 15});
        tail->kill(SIGKILL);
        tail->wait();
        // What a reader has that keeps whole transactions.
        std::vector<int> open;
        for (const json& record : changes_of(parse_records(tail->out()))) {
            open.push_back(record["after"]["id"].get<int>());
            if (!record["last"].get<bool>()) continue;
            exactly.insert(exactly.end(), open.begin(), open.end());
            seen.insert(open.begin(), open.end());
            open.clear();
            reached = record["transaction"]["position"].get<std::string>();
        }
    }
    if (!reached.empty()) options.insert(options.end(), {"--from", reached});
    const RowferryResult rest = tail_until_current(leader, options);
    ASSERT_TRUE(ended(rest, 0));
    for (const json& record : changes_of(parse_records(rest.out))) exactly.push_back(record["after"]["id"].get<int>());
    std::vector<int> all(static_cast<std::size_t>(id));
    for (int i = 0; i < id; ++i) all[static_cast<std::size_t>(i)] = i + 1;
    EXPECT_EQ(exactly, all);
    EXPECT_TRUE(ended(rowferry({"drop", leader.endpoint(), state_of(options), "--stream", "audit"}), 0));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Both, KeptTest, ::testing::Bool(), [](const auto& info) { return info.param ? "postgresql" : "sqlite"; });

TEST_F(TailTest, FromAndUntil) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
    const auto options = kept();
    ASSERT_TRUE(ended(tail_until_current(leader, options), 0));
    leader.exec("INSERT INTO t VALUES (1)");
    const std::string one = "lsn:" + leader.value("SELECT pg_current_wal_flush_lsn()");
    leader.exec("INSERT INTO t VALUES (2)");
    const std::string two = "lsn:" + leader.value("SELECT pg_current_wal_flush_lsn()");
    leader.exec("INSERT INTO t VALUES (3)");
    const auto ids = [](const RowferryResult& result) {
        std::vector<int> all;
        for (const json& record : changes_of(parse_records(result.out))) all.push_back(record["after"]["id"].get<int>());
        return all;
    };
    const auto with = [&](const std::vector<std::string>& more) {
        std::vector<std::string> arguments{"tail", leader.endpoint(), "--format", "json"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        arguments.insert(arguments.end(), more.begin(), more.end());
        return rowferry(arguments);
    };
    EXPECT_EQ(ids(with({"--from", one, "--until", two})), std::vector<int>{2});
    EXPECT_TRUE(ended(with({"--from", one, "--until", "current"}), 3, "lies before")) << "the leader was told that it may forget it";
    EXPECT_EQ(ids(with({"--until", "current"})), std::vector<int>{3});
    leader.exec("INSERT INTO t VALUES (4)");
    EXPECT_EQ(ids(with({"--from", "now", "--until", "current"})), std::vector<int>{});
    leader.exec("INSERT INTO t VALUES (5)");
    EXPECT_EQ(ids(with({"--from", "start", "--until", "current"})), std::vector<int>{5});
    // The stream moves on while there is nothing to print, and its reader does not hear of that.
    const std::string five = "lsn:" + leader.value("SELECT pg_current_wal_flush_lsn()");
    leader.exec("SELECT pg_logical_emit_message(true, 'somebody', 'else')");
    EXPECT_EQ(ids(with({"--until", "current"})), std::vector<int>{});
    leader.exec("INSERT INTO t VALUES (6)");
    EXPECT_EQ(ids(with({"--from", five, "--until", "current"})), std::vector<int>{6});
    EXPECT_TRUE(ended(with({"--table", "u", "--until", "current"}), 3, "other tables"));
    EXPECT_TRUE(ended(rowferry({"tail", leader.endpoint(), "--from", one}), 3, "--stream"));
    EXPECT_TRUE(ended(rowferry({"tail", leader.endpoint(), "--from", "seq:7"}), 2, "lsn:"));
}

TEST_F(TailTest, OnlyWhatWasAskedFor) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, secret text)");
    const auto options = kept({"--table", "b", "--op", "update,delete", "--mask", "b.secret=drop"});
    ASSERT_TRUE(ended(tail_until_current(leader, options), 0));
    leader.exec("BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 'hush'); UPDATE b SET id = 2; INSERT INTO b VALUES (3, 'hush'); COMMIT; INSERT INTO b VALUES (4, 'hush')");
    const RowferryResult result = tail_until_current(leader, options);
    ASSERT_TRUE(ended(result, 0));
    const auto records = changes_of(parse_records(result.out));
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0]["last"], true);
    EXPECT_EQ(records[0]["ordinal"], 2);
    EXPECT_EQ(result.out.find("hush"), std::string::npos);
    EXPECT_EQ(result.out.find("secret"), std::string::npos);
}

TEST_F(TailTest, AReaderThatHasSeenEnoughEndsItQuietly) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, x text)");
    const std::string err = (new_temp_dir("pipe") / "err").string();
    std::thread application{[&] {
        // A slot that has found its beginning: what is committed from here on is printed, however late its reader comes.
        EXPECT_TRUE(wait_for_value(leader, "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL AND database = current_database()", "1",
                                   std::chrono::seconds{60}));
        leader.exec("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 3000) g");
    }};
    const Outcome outcome = run_program({"bash", "-c", fmt::format("timeout 120 {} tail '{}' --format json --log-level warn 2> {} | head -n 3; echo ${{PIPESTATUS[0]}}",
                                                                   rowferry_binary(), leader.endpoint(), err)});
    application.join();
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(outcome.out.ends_with("}\n0\n")) << outcome.out;
    EXPECT_EQ(read_file(err), "");
    EXPECT_EQ(left_over(leader), std::vector<std::string>{});
}

TEST_F(TailTest, AReaderThatTakesItsTimeCostsNoMemory) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, x text)");
    const auto options = kept({"--spool-memory", "1MB"});
    ASSERT_TRUE(ended(tail_until_current(leader, options), 0));
    // One transaction of about 60 MB, read late.
    leader.exec("INSERT INTO t SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 50000) g");
    const auto fifo = new_temp_dir("slow") / "fifo";
    const Outcome outcome = run_program(
        {"bash", "-c",
         fmt::format("mkfifo {0}; {1} tail '{2}' --stream audit --state {3} --spool-memory 1MB --format json --until current > {0} & exec 7< {0}; sleep 2; "
                     "grep VmHWM /proc/$!/status; wc -l <&7; wait $!; echo $?",
                     fifo.string(), rowferry_binary(), leader.endpoint(), options.at(3))});
    std::size_t kilobytes = 0;
    ASSERT_EQ(std::sscanf(outcome.out.c_str(), "VmHWM: %zu kB", &kilobytes), 1) << outcome.out << outcome.err;
    EXPECT_LT(kilobytes, 80'000U);
    EXPECT_TRUE(outcome.out.ends_with("\n50001\n0\n")) << outcome.out << outcome.err;
}

TEST_F(TailTest, Refusals) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE keyless (id int); CREATE TABLE t (id int PRIMARY KEY)");
    EXPECT_TRUE(ended(rowferry({"tail", leader.endpoint()}), 3, "replica identity"));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
    leader.exec("DROP TABLE keyless; CREATE ROLE tail_reader LOGIN REPLICATION; GRANT SELECT ON t TO tail_reader");
    EXPECT_TRUE(ended(rowferry({"tail", PgCluster::shared().uri(leader.name(), "tail_reader")}), 3, "GRANT CREATE"));
    leader.exec("CREATE ROLE tail_plain LOGIN");
    EXPECT_TRUE(ended(rowferry({"tail", PgCluster::shared().uri(leader.name(), "tail_plain")}), 3, "the role has no REPLICATION right. Mend that, or name the stream with --stream"));

    const Database file = sqlite_leader();
    file.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--capture", "triggers"}), 3, "--stream"));
    EXPECT_EQ(leftovers(file), std::vector<std::string>{});
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--state", "x"}), 2, "--stream"));
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--format", "xml"}), 2, "text, json, sql"));
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--op", "insert,merge"}), 2, "merge"));
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--from", "yesterday"}), 2, "now or start"));
    EXPECT_TRUE(ended(rowferry({"tail"}), 2, "LEADER is missing"));

    // A follower is not taken for a state file, and two do not read one stream.
    const Database follower = Database::sqlite("follower");
    ASSERT_TRUE(ended(run_until_current(file, follower, {"--stream", "audit"}), 0));
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--stream", "audit", "--state", follower.path().string()}), 3, "is a follower"));
    EXPECT_TRUE(ended(rowferry({"tail", file.endpoint(), "--stream", "audit", "--state", (follower.path().string() + ".state")}), 3, "another follower"));
    EXPECT_FALSE(std::filesystem::exists(follower.path().string() + ".state"));
    const auto options = kept();
    const auto first = start_tail(leader, options);
    ASSERT_TRUE(first->wait_for_err("following"));
    EXPECT_TRUE(ended(tail_until_current(leader, options), 3));
    first->kill(SIGTERM);
    EXPECT_TRUE(ended(*first, 0));
}

TEST_F(TailTest, AStandbyIsRefused) {
    PgCluster cluster;
    const Database leader = Database::postgresql(cluster, "leader");
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const Database begun = Database::sqlite("begun");
    ASSERT_TRUE(ended(run_until_current(leader, begun), 0));
    cluster.stop();
    std::ofstream{cluster.data() / "standby.signal"} << "";
    give_to_server_user(cluster.data() / "standby.signal");
    cluster.start();
    ASSERT_EQ(leader.value("SELECT pg_is_in_recovery()"), "t");
    EXPECT_TRUE(ended(rowferry({"tail", leader.endpoint()}), 3, "standby in recovery"));
    EXPECT_TRUE(ended(rowferry({"tail", leader.endpoint(), "--from", "lsn:0/1"}), 3, "standby in recovery"));
    // And `run`, whether the stream is new or was made before the leader became one.
    for (const Database& follower : {begun, Database::sqlite("follower")})
        for (const char* until : {"current", "lsn:0/1", "lsn:FFFF/0"})
            EXPECT_TRUE(ended(rowferry({"run", leader.endpoint(), follower.endpoint(), "--until", until, "--retry-for", "0"}), 3, until == std::string_view{"lsn:0/1"} ? "" : "standby in recovery")) << until;
}

TEST_F(TailTest, ALostConnectionIsAGapWithoutAStreamAndNoneWithOne) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const auto options = kept();
    const auto temporary = start_tail(leader);
    const auto durable = start_tail(leader, options);
    ASSERT_TRUE(temporary->wait_for_err("following"));
    ASSERT_TRUE(durable->wait_for_err("following"));
    leader.exec("INSERT INTO t VALUES (1)");
    ASSERT_TRUE(prints(*durable, 1));
    leader.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()");
    EXPECT_TRUE(ended(*temporary, 1, "--stream"));
    leader.exec("INSERT INTO t VALUES (2)");
    EXPECT_TRUE(prints(*durable, 2));
    durable->kill(SIGTERM);
    EXPECT_TRUE(ended(*durable, 0, "2 record(s) printed"));
    EXPECT_EQ(changes_of(parse_records(durable->out())).size(), 2U);
}

/// Its own session was cut off as well, which was to remove the publication.
TEST_F(TailTest, AnAdministratorWhoEndsAllSessionsLeavesNothingOfItEither) {
    const Database leader = pg_leader();
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const auto tail = start_tail(leader);
    ASSERT_TRUE(tail->wait_for_err("following"));
    leader.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
    EXPECT_TRUE(ended(*tail, 1, "--stream"));
    EXPECT_EQ(leader.value("SELECT count(*) FROM pg_publication"), "0") << tail->err();
    EXPECT_EQ(left_over(leader), std::vector<std::string>{});
}

}  // namespace
}  // namespace rowferry::test
