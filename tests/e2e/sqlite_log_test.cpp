// A SQLite leader that is captured from its write-ahead log: nothing is written to it, whoever else checkpoints it, and nothing is lost while rowferry is away.

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/random.h"
#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

namespace fs = std::filesystem;

bool is_long() { return std::getenv("ROWFERRY_LONG") != nullptr; }

std::vector<std::string> logical(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--capture", "logical"});
    return more;
}

std::string schema_of(const Database& leader) { return leader.value("SELECT group_concat(line, char(10)) FROM (SELECT type || name || coalesce(sql, '') AS line FROM sqlite_schema ORDER BY name)"); }

class SqliteLogTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    SqliteLogTest() : pair_{make_pair_for(GetParam())} { pair_.leader.exec("PRAGMA journal_mode = wal"); }
    [[nodiscard]] const Database& leader() const { return pair_.leader; }
    [[nodiscard]] const Database& follower() const { return pair_.follower; }
    void small_leader() const {
        leader().exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, r REAL, b BLOB); CREATE TABLE p (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;"
                      "CREATE TABLE l (x TEXT, y INTEGER)");
        SqliteDb application{leader().path()};
        application.exec("PRAGMA synchronous = OFF");
        for (int i = 0; i < 30; ++i) change(application, i);
    }
    static void change(SqliteDb& application, int i) {
        const std::string n = std::to_string(i);
        application.exec("BEGIN; INSERT INTO t (n, s, r, b) VALUES (" + n + ", 'text " + n + "', " + n + ".5, randomblob(" + std::to_string(i % 7 * 900) + "));"
                      "UPDATE t SET n = n + 1 WHERE id % 5 = " + n + " % 5; INSERT OR REPLACE INTO p VALUES ('k' || " + n + " % 7, " + n + " % 3, 'v" + n + "');"
                      "INSERT INTO l VALUES ('same', " + n + " % 4); DELETE FROM t WHERE id = " + n + " / 2; COMMIT");
    }
    [[nodiscard]] testing::AssertionResult equal(const std::vector<std::string>& options = {}) const {
        const auto result = run_until_current(leader(), follower(), logical(options));
        if (const auto good = ended(result, 0); !good) return good;
        return same_rows(leader(), follower());
    }
    Pair pair_;
};

TEST_P(SqliteLogTest, FollowsAnApplicationThatWritesAndCheckpoints) {
    Random random{choose_seed()};
    WriterOptions options;
    options.workload = {.keys = is_long() ? 300 : 120, .keyless = true, .raw_text = GetParam() == Direction::sqlite_to_sqlite};
    options.threads = 2;
    options.rate = 150;
    Writer writer{leader(), options};
    create_workload(leader(), options.workload, writer.seed());
    const std::string schema = schema_of(leader());
    writer.start();
    writer.wait_for_commits(30);
    auto process = start_run(leader(), follower(), logical());
    ASSERT_TRUE(becomes_ready(*process, follower())) << process->err();
    const int rounds = is_long() ? 100 : 5;
    for (int round = 0; round < rounds; ++round) {
        writer.wait_for_commits(is_long() ? 40 : 20);
        leader().exec(random.chance(50) ? "PRAGMA wal_checkpoint(PASSIVE)" : random.chance(50) ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(RESTART)");
        if (random.chance(50)) continue;
        process->kill(random.chance(70) ? SIGKILL : SIGTERM);
        process->wait();
        // While it is away the application goes on, and its log begins anew or not.
        if (random.chance(70)) writer.wait_for_commits(static_cast<std::uint64_t>(1 + random.below(is_long() ? 60 : 30)));
        if (random.chance(50)) leader().exec("PRAGMA wal_checkpoint(TRUNCATE)");
        if (random.chance(20)) leader().exec("VACUUM");
        process = start_run(leader(), follower(), logical());
    }
    writer.wait_for_commits(20);
    writer.stop();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0)) << process->err();
    ASSERT_TRUE(equal());
    EXPECT_TRUE(writer.ledgers_agree(follower()));
    EXPECT_EQ(positions(leader(), &follower()).at("caught_up"), true);
    EXPECT_EQ(schema_of(leader()), schema) << "nothing was added";
}

TEST_P(SqliteLogTest, WhateverHappenedWhileItWasAwayIsOneChange) {
    Random random{choose_seed()};
    small_leader();
    ASSERT_TRUE(equal());
    const int rounds = is_long() ? 50 : 2;
    int next = 1000;
    for (int round = 0; round < rounds; ++round) {
        SqliteDb application{leader().path()};
        application.exec("PRAGMA synchronous = OFF");
        for (int i = 0; i < 60; ++i) {
            change(application, next++);
            if (i % 20 == 7) application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
            if (i == 30) application.exec(random.chance(50) ? "VACUUM" : "DELETE FROM l WHERE y = 2");
        }
        const auto result = run_until_current(leader(), follower(), logical());
        ASSERT_TRUE(ended(result, 0)) << result;
        EXPECT_NE(result.err.find("comparing it with the shadow"), std::string::npos) << result.err;
        ASSERT_TRUE(same_rows(leader(), follower())) << round;
    }
}

TEST_P(SqliteLogTest, ShapesChangeInOrder) {
    small_leader();
    ASSERT_TRUE(equal());
    const auto process = start_run(leader(), follower(), logical({"--ddl", "apply"}));
    ASSERT_TRUE(becomes_ready(*process, follower()));
    SqliteDb application{leader().path()};
    change(application, 100);
    leader().exec("ALTER TABLE t ADD COLUMN extra INTEGER DEFAULT 7");
    leader().exec("UPDATE t SET extra = id WHERE id % 2 = 0; CREATE INDEX by_n ON t (n); ALTER TABLE t RENAME COLUMN s TO title");
    leader().exec("UPDATE t SET title = title || '!'; INSERT INTO t (n, title, extra) VALUES (1, 'new', 2)");
    ASSERT_TRUE(shows(*process, follower(), "SELECT count(*) FROM t WHERE title = 'new' AND extra = 2", "1")) << process->err();
    leader().exec("CREATE TABLE fresh (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO fresh VALUES (1, 'x')");
    ASSERT_TRUE(shows(*process, follower(), "SELECT v FROM fresh", "x")) << process->err();
    // What triggers cannot follow: they would name the column.
    leader().exec("DROP INDEX by_n; ALTER TABLE t DROP COLUMN n; INSERT INTO t (title, extra) VALUES ('last', 3)");
    ASSERT_TRUE(shows(*process, follower(), "SELECT extra FROM t WHERE title = 'last'", "3")) << process->err();
    EXPECT_TRUE(same_rows(leader(), follower()));
}

TEST_P(SqliteLogTest, ATableIsCopiedAgainAndOneWithRulesIsCarriedInPart) {
    small_leader();
    const auto options = logical({"--filter", "t=n % 2 = 0", "--exclude-columns", "t=b"});
    const auto process = start_run(leader(), follower(), options);
    ASSERT_TRUE(becomes_ready(*process, follower())) << process->err();
    SqliteDb application{leader().path()};
    application.exec("PRAGMA synchronous = OFF");
    for (int i = 0; i < 40; ++i) change(application, 200 + i);
    const std::string sum = "SELECT count(*) || ' ' || sum(id) FROM t";
    ASSERT_TRUE(shows(*process, follower(), sum, leader().value(sum + " WHERE n % 2 = 0"))) << process->err();
    follower().exec("DELETE FROM p");
    auto copied = rowferry(command("copy-table", leader(), follower(), {"--table", "p", "--filter", "t=n % 2 = 0", "--exclude-columns", "t=b"}));
    EXPECT_TRUE(ended(copied, 0)) << copied;
    for (int i = 0; i < 20; ++i) change(application, 300 + i);
    ASSERT_TRUE(shows(*process, follower(), sum, leader().value(sum + " WHERE n % 2 = 0"))) << process->err();
    EXPECT_TRUE(same_rows(leader(), follower(), {"p", "l"}));
}

TEST_P(SqliteLogTest, TablesOutsideTheStreamChangeAsTheyLike) {
    small_leader();
    ASSERT_TRUE(ended(run_until_current(leader(), follower(), logical({"--table", "t"})), 0));
    const auto process = start_run(leader(), follower(), logical({"--table", "t"}));
    ASSERT_TRUE(process->wait_for_err("following"));
    leader().exec("ALTER TABLE p ADD COLUMN more INTEGER; ALTER TABLE l RENAME TO l2; DROP TABLE p; CREATE TABLE q (id INTEGER PRIMARY KEY); ALTER TABLE q RENAME COLUMN id TO number;"
                  "INSERT INTO t (s) VALUES ('behind it')");
    ASSERT_TRUE(shows(*process, follower(), "SELECT count(*) FROM t WHERE s = 'behind it'", "1")) << process->err();
    EXPECT_TRUE(same_rows(leader(), follower(), {"t"}));
}

/// The last connection of the application removed the log, again and again: what was written in between has no place of its own.
TEST_P(SqliteLogTest, ATableJoinsWhereThereIsNoLog) {
    small_leader();
    ASSERT_TRUE(equal());
    leader().exec("CREATE TABLE c (x TEXT); INSERT INTO c VALUES ('one'), ('two'); DELETE FROM t WHERE id < 10; INSERT INTO l VALUES ('more', 1)");
    const auto joined = rowferry(command("copy-table", leader(), follower(), {"--table", "c", "--table", "l"}));
    ASSERT_TRUE(ended(joined, 0)) << joined;
    EXPECT_TRUE(same_rows(leader(), follower()));
    leader().exec("INSERT INTO c VALUES ('three'); UPDATE l SET y = 7 WHERE x = 'more'");
    ASSERT_TRUE(equal());
}

TEST_P(SqliteLogTest, DropLeavesNothingBehind) {
    small_leader();
    const std::string schema = schema_of(leader());
    ASSERT_TRUE(equal());
    EXPECT_TRUE(fs::exists(leader().path().string() + "-rowferry"));
    const auto dropped = rowferry(command("drop", leader(), follower()));
    ASSERT_TRUE(ended(dropped, 0)) << dropped;
    EXPECT_FALSE(fs::exists(leader().path().string() + "-rowferry"));
    EXPECT_EQ(schema_of(leader()), schema);
    EXPECT_TRUE(leftovers(leader()).empty());
    EXPECT_TRUE(leftovers(follower()).empty());
}

TEST_P(SqliteLogTest, WithoutAShadowAGapIsAStopAndNoGapIsNone) {
    small_leader();
    auto keeper = std::make_unique<SqliteDb>(leader().path());  // the last connection would remove the log
    keeper->exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO l VALUES ('a', 1)");
    ASSERT_TRUE(equal({"--shadow", "off"}));
    keeper->exec("INSERT INTO l VALUES ('b', 1)");
    const auto process = start_run(leader(), follower(), logical({"--shadow", "off"}));
    ASSERT_TRUE(shows(*process, follower(), "SELECT count(*) FROM l WHERE x IN ('a', 'b')", "2")) << process->err();
    process->kill(SIGKILL);
    process->wait();
    keeper->exec("INSERT INTO l VALUES ('c', 1)");
    ASSERT_TRUE(equal({"--shadow", "off"})) << "what was committed meanwhile is in the log still";
    keeper->exec("INSERT INTO l VALUES ('d', 1); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO l VALUES ('e', 1)");
    EXPECT_TRUE(ended(run_until_current(leader(), follower(), logical({"--shadow", "off"})), 7, "there is no shadow to compare with"));
}

TEST_P(SqliteLogTest, AnotherFileInItsPlaceIsAStop) {
    small_leader();
    ASSERT_TRUE(equal());
    const auto process = start_run(leader(), follower(), logical());
    ASSERT_TRUE(becomes_ready(*process, follower()));
    ASSERT_TRUE(process->wait_for_err("following"));
    const std::string path = leader().path().string();
    leader().exec("VACUUM INTO '" + path + ".other'");
    fs::rename(path + ".other", path);
    EXPECT_TRUE(ended(*process, 7, "replaced by another one")) << process->err();
    EXPECT_TRUE(ended(run_until_current(leader(), follower(), logical()), 7, "another"));
}

INSTANTIATE_TEST_SUITE_P(All, SqliteLogTest, ::testing::Values(Direction::sqlite_to_pg, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

TEST(SqliteLogRefusals, SayWhatToDo) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("PRAGMA journal_mode = delete; CREATE TABLE t (id INTEGER PRIMARY KEY)");
    EXPECT_TRUE(ended(run_until_current(leader, follower, logical()), 3, "PRAGMA journal_mode = WAL"));
    EXPECT_FALSE(fs::exists(leader.path().string() + "-rowferry"));
    leader.exec("PRAGMA journal_mode = wal");
    EXPECT_TRUE(ended(run_until_current(leader, follower, logical()), 0));
    EXPECT_TRUE(ended(run_until_current(leader, follower, {"--capture", "triggers"}), 3, "--capture triggers --on-existing truncate"));
}

/// A log that lost its end, as after a power cut of a leader with synchronous = NORMAL.
TEST(SqliteLogRefusals, ALeaderThatLostCommitsIsAStop) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    const std::string path = leader.path().string();
    auto application = std::make_unique<SqliteDb>(leader.path());
    application->exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (2, 2)");
    ASSERT_TRUE(ended(run_until_current(leader, follower, logical()), 0));
    application->exec("INSERT INTO t VALUES (3, 3)");
    const auto before = fs::file_size(path + "-wal");
    application->exec("INSERT INTO t VALUES (4, 4)");
    ASSERT_TRUE(ended(run_until_current(leader, follower, logical()), 0));
    const fs::path saved = path + ".saved";
    fs::copy_file(path + "-wal", saved);
    fs::resize_file(saved, before);
    application.reset();  // removes its log, but nothing of it had been copied
    fs::rename(saved, path + "-wal");
    const auto result = run_until_current(leader, follower, logical());
    // It depends on whether the last connection had copied everything first; the log that lies there now tells of less than the follower has.
    EXPECT_EQ(result.exit_code, 7) << result;
}

/// Bounded memory: a commit is looked at page by page, whatever its size.
TEST(SqliteLogMemory, AHugeCommitIsNotHeldInMemory) {
    const Database leader = Database::sqlite("leader");
    const Database follower = Database::sqlite("follower");
    leader.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT)");
    const auto process = start_run(leader, follower, logical());
    ASSERT_TRUE(becomes_ready(*process, follower));
    const std::string rows = is_long() ? "5000000" : "60000";
    leader.exec("PRAGMA synchronous = OFF; INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " + rows + ") SELECT i, i * 7, 'row number ' || i FROM c");
    ASSERT_TRUE(shows(*process, follower, "SELECT count(*) FROM t", rows, std::chrono::seconds{600})) << process->err();
    const std::size_t peak = process->peak_memory();
    RecordProperty("peak_mb", static_cast<int>(peak >> 20));
    EXPECT_LT(peak, 200ULL << 20);
    EXPECT_TRUE(same_rows(leader, follower));
}

}  // namespace
}  // namespace rowferry::test
