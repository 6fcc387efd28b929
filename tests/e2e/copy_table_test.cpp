// `rowferry copy-table`: a table is copied again, or for the first time, into a stream that runs or does not. Readers of the follower
// never see a half table, and once the copy is in place the follower is an exact prefix again.

#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

RowferryResult copy_table(const Database& leader, const Database& follower, const std::vector<std::string>& tables,
                          const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = command("copy-table", leader, follower, options);
    for (const std::string& table : tables) arguments.insert(arguments.end(), {"--table", table});
    return rowferry(arguments);
}

/// Money that moves between two tables: their sum is the same after every transaction.
class Bank {
public:
    explicit Bank(const Database& leader, std::uint64_t seed) : leader_{leader}, random_{seed} {
        if (!leader.is_postgresql()) leader.exec("PRAGMA journal_mode = wal");
        leader.exec("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, t TEXT)");
        std::string rows = "BEGIN;";
        for (int id = 1; id <= kAccounts; ++id)
            rows += fmt::format("INSERT INTO a VALUES ({0}, 100), (1{0:05}, 0); INSERT INTO b VALUES ({0}, 100, 'account {0}');", id);
        leader.exec(rows + "COMMIT");
    }
    ~Bank() { close(); }

    void open() {
        thread_ = std::thread{[this] {
            for (int i = 0; !closed_.load(); ++i) {
                const int from = pick(), to = pick(), amount = pick();
                leader_.exec(fmt::format("BEGIN; UPDATE a SET n = n - {0} WHERE id = {1}; UPDATE b SET n = n + {0} WHERE id = {2}; "
                                         "DELETE FROM a WHERE id = {3}; INSERT INTO a VALUES ({3}, {4}); COMMIT",
                                         amount, from, to, 1000 + i % 5, 0));
                std::this_thread::sleep_for(milliseconds{3});
            }
        }};
    }
    void close() {
        closed_ = true;
        if (thread_.joinable()) thread_.join();
    }

    static constexpr int kAccounts = 300;
    static constexpr const char* kTotal = "SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b)";
    static std::string total() { return std::to_string(2 * 100 * kAccounts); }

private:
    int pick() { return static_cast<int>(random_() % kAccounts) + 1; }
    Database leader_;
    std::mt19937_64 random_;
    std::atomic<bool> closed_{false};
    std::thread thread_;
};

class CopyTableTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    static void expect_equal(const Database& leader, const Database& follower) {
        ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
        EXPECT_TRUE(same_rows(leader, follower));
        EXPECT_EQ(staging_tables(follower), "0");
    }
    static std::string staging_tables(const Database& follower) {
        return follower.value(follower.is_postgresql()
                                  ? "SELECT count(*) FROM pg_tables WHERE schemaname = 'rowferry' AND (tablename LIKE 'copy%' OR tablename LIKE 'model%')"
                                  : "SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowferry_copy%'");
    }
};

TEST_P(CopyTableTest, ADamagedTableIsMadeGoodWhileTheStreamRunsAndReadersRead) {
    const auto [leader, follower] = make_pair_for(GetParam());
    Bank bank{leader, choose_seed()};
    const auto process = start_run(leader, follower);
    ASSERT_TRUE(becomes_ready(*process, follower));
    bank.open();

    // Damaged in a way that the stream does not stumble over.
    follower.exec("UPDATE a SET n = n + 1000000 WHERE id = 100007; DELETE FROM a WHERE id BETWEEN 100100 AND 100150; INSERT INTO a VALUES (999, 1)");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"a"}), 0, "copied"));
    EXPECT_TRUE(process->running()) << process->err();
    EXPECT_EQ(follower.value(Bank::kTotal), Bank::total());

    // Once more, and somebody looks at it all the time.
    std::atomic<bool> copied{false};
    std::thread again{[&leader = leader, &follower = follower, &copied] {
        EXPECT_TRUE(ended(copy_table(leader, follower, {"a"}), 0));
        copied = true;
    }};
    int looks = 0;
    for (; !copied.load(); ++looks) EXPECT_EQ(follower.value(Bank::kTotal), Bank::total());
    again.join();
    EXPECT_GT(looks, 3);

    bank.close();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    expect_equal(leader, follower);
}

TEST_P(CopyTableTest, ATableTheStreamStoppedAtIsPassedOverUntilItsNewCopyIsThere) {
    const auto [leader, follower] = make_pair_for(GetParam());
    Bank bank{leader, choose_seed()};
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    follower.exec("DELETE FROM b WHERE id = 5");
    leader.exec("UPDATE a SET n = 1 WHERE id = 5; UPDATE b SET n = 199 WHERE id = 5");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 7, "row"));
    // Nobody runs the stream, so the command does it itself, and takes the other table's changes along up to there.
    const RowferryResult result = copy_table(leader, follower, {"b"});
    ASSERT_TRUE(ended(result, 0, "copied"));
    EXPECT_NE(result.err.find("passed over"), std::string::npos) << result;
    EXPECT_EQ(follower.value(Bank::kTotal), Bank::total());
    EXPECT_EQ(follower.value("SELECT n FROM a WHERE id = 5"), "1");
    expect_equal(leader, follower);
}

TEST_P(CopyTableTest, ANewTableJoinsWithAndWithoutARunningStream) {
    const auto [leader, follower] = make_pair_for(GetParam());
    Bank bank{leader, choose_seed()};
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a, v VARCHAR(10) NOT NULL); INSERT INTO c VALUES (1, 1, 'one'), (2, 2, 'two');"
                "CREATE UNIQUE INDEX c_v ON c (v)");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"c"}), 0));
    EXPECT_EQ(follower.value("SELECT count(*) FROM c"), "2");

    const auto process = start_run(leader, follower);
    bank.open();
    leader.exec("CREATE TABLE d (id INTEGER PRIMARY KEY, v VARCHAR(10)); INSERT INTO d VALUES (1, 'x'); UPDATE c SET v = 'ONE' WHERE id = 1");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"d"}), 0));
    leader.exec("INSERT INTO d VALUES (2, NULL); DELETE FROM c WHERE id = 2");
    EXPECT_TRUE(shows(*process, follower, "SELECT count(*) FROM d", "2"));
    bank.close();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));
    expect_equal(leader, follower);
    // The unique index came with the table.
    EXPECT_THROW(follower.exec("INSERT INTO c VALUES (9, NULL, 'ONE')"), std::runtime_error);
    ASSERT_TRUE(ended(rowferry(command("drop", leader, follower)), 0));
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
    EXPECT_EQ(leftovers(follower), std::vector<std::string>{});
}

TEST_P(CopyTableTest, ATableOfAnotherShapeIsTakenAsItIsNow) {
    const auto [leader, follower] = make_pair_for(GetParam());
    Bank bank{leader, choose_seed()};
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    // A rebuild that no change of shape could follow: the old rows are gone, the new ones came by another way.
    leader.exec("BEGIN; CREATE TABLE b2 (id INTEGER PRIMARY KEY, t TEXT NOT NULL, m INTEGER, n INTEGER); INSERT INTO b2 SELECT id, 'was ' || t, n, n FROM b; "
                "DROP TABLE b; ALTER TABLE b2 RENAME TO b; UPDATE a SET n = n + 1 WHERE id = 1; UPDATE b SET n = n - 1 WHERE id = 1; COMMIT");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 7));
    ASSERT_TRUE(ended(copy_table(leader, follower, {"b"}), 0, "copied"));
    EXPECT_EQ(follower.value("SELECT t FROM b WHERE id = 3"), "was account 3");
    leader.exec("UPDATE b SET m = 4 WHERE id = 4");
    expect_equal(leader, follower);
    EXPECT_EQ(follower.value(Bank::kTotal), Bank::total());
}

TEST_P(CopyTableTest, WhatCannotBeCopiedIsRefusedAndTheStreamGoesOn) {
    const auto [leader, follower] = make_pair_for(GetParam());
    EXPECT_TRUE(ended(copy_table(leader, follower, {"a"}), 3));
    Bank bank{leader, choose_seed()};
    ASSERT_TRUE(ended(run_until_current(leader, follower, {"--table", "a", "--table", "b"}), 0));
    leader.exec("CREATE TABLE other (id INTEGER PRIMARY KEY)");
    EXPECT_TRUE(ended(copy_table(leader, follower, {"other"}), 3, "not one of the tables"));
    const auto process = start_run(leader, follower, {"--table", "a", "--table", "b"});
    EXPECT_TRUE(ended(copy_table(leader, follower, {"nowhere"}), 3, "nowhere"));
    EXPECT_TRUE(ended(copy_table(leader, follower, {"other", "a"}), 3, "not one of the tables"));
    EXPECT_TRUE(ended(rowferry(command("copy-table", leader, follower)), 2, "--table"));
    leader.exec("UPDATE a SET n = 77 WHERE id = 1");
    EXPECT_TRUE(shows(*process, follower, "SELECT n FROM a WHERE id = 1", "77"));
    EXPECT_EQ(staging_tables(follower), "0");
}

TEST_P(CopyTableTest, KilledAtAnyMomentNothingIsHalfAndNothingIsLost) {
    const auto [leader, follower] = make_pair_for(GetParam());
    const std::uint64_t seed = choose_seed();
    std::mt19937_64 random{seed};
    Bank bank{leader, seed};
    leader.exec("CREATE TABLE c (id INTEGER PRIMARY KEY, v TEXT)");
    std::string rows = "BEGIN;";
    for (int i = 1; i <= 2000; ++i) rows += fmt::format("INSERT INTO c VALUES ({}, 'row {}');", i, i);
    leader.exec(rows + "COMMIT");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    follower.exec("DELETE FROM c WHERE id > 1500");
    bank.open();
    const int kills = std::getenv("ROWFERRY_LONG") != nullptr ? 60 : 3;
    for (int i = 0; i < kills; ++i) {
        // A run and a request, and one of the two dies.
        const auto process = start_run(leader, follower);
        Rowferry request{[&leader = leader, &follower = follower] {
            std::vector<std::string> arguments = command("copy-table", leader, follower);
            arguments.insert(arguments.end(), {"--table", "c", "--table", "a"});
            return arguments;
        }()};
        std::this_thread::sleep_for(milliseconds{random() % 1800});
        (random() % 3 == 0 ? request : *process).kill(SIGKILL);
        process->kill(SIGKILL);
        request.kill(SIGKILL);
        ASSERT_TRUE(process->wait() && request.wait());
        const std::string seen = follower.value("SELECT count(*) FROM c");
        EXPECT_TRUE(seen == "1500" || seen == "2000") << seen;
        EXPECT_EQ(follower.value(Bank::kTotal), Bank::total());
    }
    bank.close();
    RowferryResult last;
    for (int i = 0; i < 20 && last.exit_code != 0; ++i) {
        last = copy_table(leader, follower, {"c"});  // the server may believe in a killed session for a moment
        if (last.exit_code != 0) std::this_thread::sleep_for(milliseconds{200});
    }
    ASSERT_TRUE(ended(last, 0));
    expect_equal(leader, follower);
}

INSTANTIATE_TEST_SUITE_P(All, CopyTableTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

/// A stream with rules: what is copied alone has the shape of the first copy.
class CopyTableWithRulesTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
    const Database& leader_ = pair_.leader;
    const Database& follower_ = pair_.follower;
    std::vector<std::string> rules_{"--exclude-columns", "*orders=secret", "--filter", "*orders=region = 'EU'", "--rename-table", "orders=orders_eu",
                                    "--rename-column", "*orders.note=remark", "--mask", "customers.name=constant:nobody", "--mask", "customers.email=truncate:3"};

    void SetUp() override {
        if (!leader_.is_postgresql()) rules_.insert(rules_.end(), {"--on-mismatch", "*.*orders.total=quarantine"});
        make_orders("orders");
        leader_.exec("CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT);"
                     "INSERT INTO customers VALUES (1, 'ann@example', 'Ann'), (2, 'bob@example', NULL)");
    }
    void make_orders(const std::string& name) const {
        leader_.exec(fmt::format("CREATE TABLE {0} (secret TEXT, region TEXT NOT NULL, id INTEGER NOT NULL, total INTEGER, note TEXT, PRIMARY KEY (region, id));"
                                 "INSERT INTO {0} VALUES ('s', 'EU', 1, 10, 'one'), ('s', 'US', 2, 20, 'two'), (NULL, 'EU', 3, 30, NULL)",
                                 name));
    }
    /// Into the filter, out of it, and past it.
    void change_orders(const std::string& name, const std::string& mark) const {
        leader_.exec(fmt::format("UPDATE {0} SET region = 'EU' WHERE id = 2; UPDATE {0} SET region = 'US' WHERE id = 1; UPDATE {0} SET secret = 'x', note = '{1}' WHERE id = 3;"
                                 "INSERT INTO {0} VALUES ('s', 'US', 90, 1, 'no')",
                                 name, mark));
        leader_.exec(fmt::format("DELETE FROM {0} WHERE id = 90; UPDATE customers SET name = '{1}', email = '{1}' WHERE id = 1", name, mark));
    }
    static std::string rows(const Database& database, const std::string& query) {
        return database.value(database.is_postgresql() ? "SELECT coalesce(string_agg(r, ';' ORDER BY r COLLATE \"C\"), '') FROM (" + query + ") AS q(r)"
                                                       : "SELECT coalesce(group_concat(r, ';'), '') FROM (SELECT r FROM (" + query + ") ORDER BY r)");
    }
    /// The follower holds what the leader's own SQL says of the rules.
    void expect_orders(const std::string& name, const std::string& there) {
        EXPECT_EQ(rows(follower_, "SELECT region || '|' || id || '|' || total || '|' || coalesce(remark, 'NULL') AS r FROM " + there),
                  rows(leader_, "SELECT region || '|' || id || '|' || total || '|' || coalesce(note, 'NULL') AS r FROM " + name + " WHERE region = 'EU'"));
        EXPECT_ANY_THROW(follower_.value("SELECT secret FROM " + there));
    }
    void expect_customers() {
        EXPECT_EQ(rows(follower_, "SELECT id || '|' || email || '|' || coalesce(name, 'NULL') AS r FROM customers"),
                  rows(leader_, "SELECT id || '|' || substr(email, 1, 3) || '|' || CASE WHEN name IS NULL THEN 'NULL' ELSE 'nobody' END AS r FROM customers"));
    }
    void damage() const { follower_.exec("DELETE FROM orders_eu WHERE id = 3; UPDATE customers SET name = 'damaged' WHERE id = 2"); }
};

TEST_P(CopyTableWithRulesTest, ADamagedTableIsMadeGoodInTheShapeOfTheRules) {
    {
        const auto process = start_run(leader_, follower_, rules_);
        ASSERT_TRUE(becomes_ready(*process, follower_));
        damage();
        // The process that runs has the rules. Others than its own are a mistake.
        EXPECT_TRUE(ended(copy_table(leader_, follower_, {"orders"}, {"--filter", "orders=region = 'US'"}), 3, "other rules"));
        ASSERT_TRUE(ended(copy_table(leader_, follower_, {"orders", "customers"}), 0, "copied"));
        expect_orders("orders", "orders_eu");
        expect_customers();
        change_orders("orders", "first");
        ASSERT_TRUE(shows(*process, follower_, "SELECT email FROM customers WHERE id = 1", "fir"));
        expect_orders("orders", "orders_eu");
        expect_customers();
        process->kill(SIGTERM);
        ASSERT_TRUE(ended(*process, 0));
    }
    damage();
    EXPECT_TRUE(ended(copy_table(leader_, follower_, {"orders"}), 3, "other rules"));
    ASSERT_TRUE(ended(copy_table(leader_, follower_, {"orders", "customers"}, rules_), 0, "copied"));
    expect_orders("orders", "orders_eu");
    expect_customers();
    change_orders("orders", "second");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, rules_), 0));
    expect_orders("orders", "orders_eu");
    expect_customers();
}

TEST_P(CopyTableWithRulesTest, ANewTableThatTheRulesMatchJoins) {
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, rules_), 0));
    make_orders("more_orders");
    ASSERT_TRUE(ended(copy_table(leader_, follower_, {"more_orders"}, rules_), 0, "copied"));
    expect_orders("more_orders", "more_orders");
    {
        const auto process = start_run(leader_, follower_, rules_);
        ASSERT_TRUE(becomes_ready(*process, follower_));
        make_orders("late_orders");
        ASSERT_TRUE(ended(copy_table(leader_, follower_, {"late_orders"}), 0, "copied"));
        change_orders("more_orders", "more");
        change_orders("late_orders", "late");
        ASSERT_TRUE(shows(*process, follower_, "SELECT email FROM customers WHERE id = 1", "lat"));
        process->kill(SIGTERM);
        ASSERT_TRUE(ended(*process, 0));
    }
    expect_orders("more_orders", "more_orders");
    expect_orders("late_orders", "late_orders");
    expect_orders("orders", "orders_eu");
    // A table that lacks what the rules speak of is refused, and nothing of it stays.
    leader_.exec("CREATE TABLE bad_orders (id INTEGER PRIMARY KEY, region TEXT)");
    EXPECT_TRUE(ended(copy_table(leader_, follower_, {"bad_orders"}, rules_), 3));
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    EXPECT_EQ(leftovers(leader_), std::vector<std::string>{});
    EXPECT_EQ(leftovers(follower_), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, CopyTableWithRulesTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

using CopyTableOnPostgresTest = StreamTest;

TEST_F(CopyTableOnPostgresTest, RowsInQuarantineGoWithTheCopy) {
    const auto [leader, follower] = make_pair_for(Direction::sqlite_to_pg);
    const std::vector<std::string> rules{"--on-mismatch", "quarantine"};
    leader.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, day DATE); INSERT INTO t VALUES (1, '2026-01-02')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    leader.exec("INSERT INTO t VALUES (2, 'soon'), (3, '2026-01-03')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    const std::string quarantined = "SELECT count(*) FROM rowferry.quarantine WHERE name = 't'";
    ASSERT_EQ(follower.value(quarantined), "1");
    follower.exec("DELETE FROM t");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}, rules), 0, "copied"));
    EXPECT_EQ(follower.value("SELECT string_agg(id || ' ' || day, ',' ORDER BY id) FROM t"), "1 2026-01-02,3 2026-01-03");
    EXPECT_EQ(follower.value(quarantined), "1");
    leader.exec("UPDATE t SET day = '2026-01-04' WHERE id = 2");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    EXPECT_EQ(follower.value("SELECT day FROM t WHERE id = 2"), "2026-01-04");
    EXPECT_EQ(follower.value(quarantined), "0");
}

TEST_F(CopyTableOnPostgresTest, AColumnThatTheRulesDoNotLeaveOutComesWithTheCopy) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_pg);
    const std::vector<std::string> rules{"--exclude-columns", "*=secret", "--filter", "u=id > 0"};
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, secret text, v text); CREATE TABLE u (id int PRIMARY KEY, secret text); INSERT INTO t VALUES (1, 's', 'a')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    leader.exec("ALTER TABLE t ADD extra text DEFAULT 'e'; UPDATE t SET v = 'b'");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 7));
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}, rules), 0, "copied"));
    leader.exec("INSERT INTO t VALUES (2, 's', 'c', 'new'); UPDATE t SET extra = 'old' WHERE id = 1");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    EXPECT_EQ(follower.value("SELECT string_agg(id || v || extra, ',' ORDER BY id) FROM t"), "1bold,2cnew");
    // What somebody altered is mended for a table that is copied, and not forgiven for another one.
    leader.exec("ALTER PUBLICATION rowferry_default DROP TABLE t; ALTER PUBLICATION rowferry_default ADD TABLE ONLY t (id, v, extra) WHERE (id > 5)");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}, rules), 0, "copied"));
    leader.exec("INSERT INTO t VALUES (3, 's', 'd', 'kept')");
    ASSERT_TRUE(ended(run_until_current(leader, follower, rules), 0));
    EXPECT_EQ(follower.value("SELECT extra FROM t WHERE id = 3"), "kept");
    leader.exec("ALTER PUBLICATION rowferry_default DROP TABLE u; ALTER PUBLICATION rowferry_default ADD TABLE ONLY u (id) WHERE (id > 5)");
    EXPECT_TRUE(ended(copy_table(leader, follower, {"t"}, rules), 7, "altered"));
}

TEST_F(CopyTableOnPostgresTest, WhatHangsOnATableIsNeverLostSilently) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_pg);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    follower.exec("CREATE VIEW seen AS SELECT v FROM t; DELETE FROM t");
    // The same shape: the view stays.
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}), 0));
    EXPECT_EQ(follower.value("SELECT v FROM seen"), "a");
    // Another one: the table would have to be made again.
    leader.exec("ALTER TABLE t ALTER v TYPE varchar(5)");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}), 3, "seen would be lost"));
    EXPECT_EQ(follower.value("SELECT v FROM seen"), "a");
    follower.exec("DROP VIEW seen");
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}), 0));
    leader.exec("INSERT INTO t VALUES (2, 'b')");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
}

TEST_F(CopyTableOnPostgresTest, ATableTakenOutOfThePublicationComesBackByACopy) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_pg);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    leader.exec("ALTER PUBLICATION rowferry_default DROP TABLE t; INSERT INTO t VALUES (2); INSERT INTO u VALUES (1)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 7, "no longer in publication"));
    ASSERT_TRUE(ended(copy_table(leader, follower, {"t"}), 0));
    leader.exec("INSERT INTO t VALUES (3)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    EXPECT_TRUE(same_rows(leader, follower));
    // Another table that was out and in again is not forgiven along with it.
    leader.exec("ALTER PUBLICATION rowferry_default DROP TABLE u; INSERT INTO u VALUES (2); ALTER PUBLICATION rowferry_default ADD TABLE u");
    EXPECT_TRUE(ended(copy_table(leader, follower, {"t"}), 7, "put back"));
}

TEST_F(CopyTableOnPostgresTest, CommitsThatWaitForTheStreamForbidACopy) {
    const auto [leader, follower] = make_pair_for(Direction::pg_to_sqlite);
    leader.exec("CREATE TABLE t (id int PRIMARY KEY)");
    ASSERT_TRUE(ended(run_until_current(leader, follower), 0));
    PgCluster::shared().conf("synchronous_standby_names", "rowferry_default");
    EXPECT_TRUE(ended(copy_table(leader, follower, {"t"}), 3, "synchronous_standby_names"));
    PgCluster::shared().conf("synchronous_standby_names", "");
}

}  // namespace
}  // namespace rowferry::test
