// Values that do not fit, through the program: what is asked for, seen, resolved and removed. What becomes of every image of a row is in
// pg_quarantine_test; here SQLite itself makes them.

#include <signal.h>

#include <random>
#include <thread>

#include <fmt/format.h>

#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

class QuarantineTest : public StreamTest {
protected:
    Pair pair_ = make_pair_for(Direction::sqlite_to_pg);
    const Database& leader_ = pair_.leader;
    const Database& follower_ = pair_.follower;

    [[nodiscard]] std::string orders() const { return follower_.value("SELECT coalesce(string_agg(concat_ws('|', id, amount, note), ' ' ORDER BY id), '') FROM orders"); }
    [[nodiscard]] std::string waiting() const {
        return follower_.value("SELECT coalesce(string_agg(concat_ws(' ', key->'id'->>'integer', column_name, storage_class), ', ' ORDER BY key::text), '') FROM rowferry.quarantine");
    }
    void SetUp() override { leader_.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER, note TEXT); INSERT INTO orders VALUES (1, 10, 'a'), (2, 20, 'b')"); }
};

TEST_F(QuarantineTest, AStreamThatStoppedGoesOnWithTheRowAside) {
    ASSERT_TRUE(ended(run_until_current(leader_, follower_), 0));
    leader_.exec("UPDATE orders SET amount = 'ten' WHERE id = 1; INSERT INTO orders VALUES (3, 30, 'c')");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_), 7, "column amount: a text value of 3 bytes"));
    const std::vector<std::string> aside{"--on-mismatch", "quarantine"};
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, aside), 0));
    EXPECT_EQ(orders(), "2|20|b 3|30|c");
    EXPECT_EQ(waiting(), "1 amount TEXT");
    EXPECT_EQ(positions(leader_, &follower_).at("follower").at("quarantined"), nlohmann::json::parse(R"([{"schema":"public","table":"orders","keys":1}])"));
    const RowferryResult text = rowferry({"positions", leader_.endpoint(), follower_.endpoint()});
    EXPECT_NE(text.out.find("1 key(s) of public.orders in quarantine"), std::string::npos) << text;

    // A wider column takes what fits there; the rest waits for its row to be mended.
    leader_.exec("UPDATE orders SET amount = 2.5 WHERE id = 2; UPDATE orders SET note = 'still out' WHERE id = 1");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, aside), 0));
    EXPECT_EQ(waiting(), "1 amount TEXT, 2 amount REAL");
    follower_.exec("ALTER TABLE orders ALTER COLUMN amount TYPE numeric");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, aside), 0));
    EXPECT_EQ(orders(), "2|2.5|b 3|30|c");
    leader_.exec("UPDATE orders SET amount = 11 WHERE id = 1");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_), 0));
    EXPECT_EQ(orders(), "1|11|still out 2|2.5|b 3|30|c");
    EXPECT_EQ(waiting(), "");
    EXPECT_TRUE(same_rows(leader_, follower_));
    ASSERT_TRUE(ended(rowferry(command("drop", leader_, follower_)), 0));
    EXPECT_EQ(leftovers(follower_), std::vector<std::string>{});
}

TEST_F(QuarantineTest, ByTableAndColumnAndFromTheCopyOn) {
    follower_.exec("CREATE TABLE orders (id bigint PRIMARY KEY, amount smallint, note varchar(3))");
    leader_.exec("INSERT INTO orders VALUES (3, 40000, 'c'), (4, 4, 'long note')");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, {"--on-mismatch", "orders=quarantine", "--on-mismatch", "main.orders.note=null"}), 0));
    EXPECT_EQ(orders(), "1|10|a 2|20|b 4|4");
    EXPECT_EQ(waiting(), "3 amount INTEGER");
    EXPECT_TRUE(ended(rowferry(command("clone", leader_, Database::postgresql(PgCluster::shared()), {"--on-mismatch", "quarantine"})), 3, "a clone has none"));
}

TEST_F(QuarantineTest, WhatContradictsIsRefused) {
    leader_.exec("CREATE TABLE keyless (a)");
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, {"--on-mismatch", "quarantine"}), 3, "main.keyless"));
    const Pair other = make_pair_for(Direction::pg_to_pg);
    other.leader.exec("CREATE TABLE t (id integer PRIMARY KEY, a text)");
    EXPECT_TRUE(ended(run_until_current(other.leader, other.follower, {"--on-mismatch", "null"}), 3, "SQLite leader"));
}

/// Killed again and again while the application writes what does not fit, mends it, replaces it.
TEST_F(QuarantineTest, SurvivesBeingKilled) {
    const auto seed = static_cast<unsigned>(std::random_device{}());
    fmt::print("seed {}\n", seed);
    std::mt19937 random{seed};
    leader_.exec("PRAGMA journal_mode = WAL; CREATE UNIQUE INDEX by_note ON orders (note)");
    const std::vector<std::string> options{"--on-mismatch", "quarantine"};
    auto process = start_run(leader_, follower_, options);
    ASSERT_TRUE(becomes_ready(*process, follower_));
    SqliteDb db{leader_.path()};
    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 60; ++i) {
            const unsigned id = random() % 40;
            const std::string amount = random() % 3 == 0 ? "'x'" : std::to_string(random() % 100);
            const std::string note = random() % 5 == 0 ? "x'00'" : fmt::format("'n{}'", random() % 30);
            switch (random() % 4) {
                case 0: db.exec(fmt::format("INSERT OR REPLACE INTO orders VALUES ({}, {}, {})", id, amount, note)); break;
                case 1: db.exec(fmt::format("UPDATE OR REPLACE orders SET amount = {}, note = {} WHERE id = {}", amount, note, id)); break;
                case 2: db.exec(fmt::format("UPDATE OR REPLACE orders SET id = {} WHERE id = {}", id, random() % 40)); break;
                default: db.exec(fmt::format("DELETE FROM orders WHERE id = {}", id));
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 200});
        process->kill(SIGKILL);
        static_cast<void>(process->wait());
        process = start_run(leader_, follower_, options);
    }
    process->kill(SIGTERM);
    static_cast<void>(process->wait());
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    EXPECT_EQ(orders(), leader_.value("SELECT coalesce(group_concat(id || '|' || amount || '|' || note, ' '), '') FROM (SELECT * FROM orders WHERE "
                                      "typeof(amount) = 'integer' AND typeof(note) = 'text' ORDER BY id)"));
    EXPECT_EQ(follower_.value("SELECT coalesce(string_agg(key->'id'->>'integer', ' ' ORDER BY (key->'id'->>'integer')::int), '') FROM rowferry.quarantine"),
              leader_.value("SELECT coalesce(group_concat(id, ' '), '') FROM (SELECT id FROM orders WHERE typeof(amount) <> 'integer' OR typeof(note) <> "
                            "'text' ORDER BY id)"));
}

}  // namespace
}  // namespace rowferry::test
