// REPLACE on a SQLite leader removes rows without firing a delete trigger, also by unique indexes that no list of columns describes: partial
// ones, ones over expressions, ones over columns that are computed when they are read. No such row stays on a follower.

#include <signal.h>

#include <fmt/format.h>

#include "tests/support/random.h"
#include "tests/support/stream_test.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE part (id INTEGER PRIMARY KEY, slot INT, state TEXT, deleted_at TEXT);
CREATE UNIQUE INDEX part_open ON part (slot) WHERE state = 'open' AND deleted_at IS NULL;
CREATE TABLE expr (id INTEGER PRIMARY KEY, name TEXT, kind TEXT COLLATE NOCASE, n INT);
CREATE UNIQUE INDEX expr_name ON expr (lower(name), kind);
CREATE UNIQUE INDEX expr_some ON expr (coalesce(n, -1) % 10 DESC) WHERE n BETWEEN 100 AND 199 OR n IN (7, 17);
CREATE TABLE gen (k TEXT PRIMARY KEY, doc TEXT, g TEXT AS (json_extract(doc, '$.id')) VIRTUAL UNIQUE, "h x" INT AS (length(k) + 0) VIRTUAL);
CREATE UNIQUE INDEX gen_h ON gen ("h x") WHERE "h x" > 3;
CREATE TABLE keyless (a TEXT, b INT);
CREATE UNIQUE INDEX keyless_a ON keyless (upper(a)) WHERE b;
CREATE TABLE clustered (a TEXT, b TEXT, c REAL, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE UNIQUE INDEX clustered_c ON clustered (round(c)) WHERE c > 0.5 AND a NOT LIKE 'x%';
)";

class SqliteReplaceTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    SqliteReplaceTest() : pair_{make_pair_for(GetParam())} { pair_.leader.exec(std::string{"PRAGMA journal_mode = wal;"} + kTables); }
    [[nodiscard]] const Database& leader() const { return pair_.leader; }
    [[nodiscard]] const Database& follower() const { return pair_.follower; }

    /// By triggers: the leader's log shows what REPLACE removed by itself.
    testing::AssertionResult catches_up(std::vector<std::string> options = {}) {
        options.insert(options.end(), {"--capture", "triggers"});
        if (const auto end = ended(run_until_current(leader(), follower(), options), 0); !end) return end;
        return same_rows(leader(), follower());
    }

private:
    Pair pair_;
};

TEST_P(SqliteReplaceTest, WhatAnIndexOfAnyKindDisplacesIsGone) {
    leader().exec("INSERT INTO part VALUES (1, 1, 'open', NULL), (2, 1, 'done', NULL), (3, 2, 'open', NULL);"
                  "INSERT INTO expr VALUES (1, 'Ann', 'x', 1), (2, 'bob', 'X', 101), (3, 'cy', 'x', 17);"
                  "INSERT INTO gen (k, doc) VALUES ('a', '{\"id\": \"one\"}'), ('b', '{\"id\": \"two\"}'), ('long', NULL);"
                  "INSERT INTO keyless VALUES ('x', 1), ('y', 0), ('y', 0); INSERT INTO clustered VALUES ('a', 'b', 1.2), ('c', 'd', 0.1)");
    ASSERT_TRUE(catches_up());
    leader().exec("INSERT OR REPLACE INTO part (slot, state) VALUES (1, 'open');"          // 1 goes, the one that is done stays
                  "UPDATE OR REPLACE part SET state = 'open' WHERE id = 2;"                // and displaces the new one
                  "INSERT OR REPLACE INTO expr VALUES (4, 'ANN', 'X', NULL);"              // 1, by name and kind without regard to case
                  "UPDATE OR REPLACE expr SET n = 191 WHERE id = 4;"                       // 2, by the last digit
                  "INSERT OR REPLACE INTO gen (k, doc) VALUES ('c', '{\"id\":  \"one\"}');"
                  "UPDATE OR REPLACE gen SET k = 'four' WHERE k = 'b';"
                  "INSERT OR REPLACE INTO keyless VALUES ('X', 5); UPDATE OR REPLACE keyless SET b = 2, a = 'Y' WHERE a = 'y';"
                  "INSERT OR REPLACE INTO clustered VALUES ('e', 'f', 0.9)");
    EXPECT_EQ(leader().value("SELECT count(*) FROM keyless"), "2");
    EXPECT_TRUE(catches_up());
    leader().exec("INSERT OR IGNORE INTO part (slot, state) VALUES (1, 'open'); INSERT OR IGNORE INTO expr VALUES (9, 'ann', 'x', 1);"
                  "INSERT INTO part (id, slot, state) VALUES (2, 1, 'open') ON CONFLICT (id) DO UPDATE SET slot = 5; DELETE FROM gen WHERE k = 'c';"
                  "INSERT INTO gen (k, doc) VALUES ('d', '{\"id\": \"one\"}')");
    EXPECT_TRUE(catches_up());
}

TEST_P(SqliteReplaceTest, RandomHistoriesThatReplaceMuch) {
    const std::uint64_t seed = choose_seed(20261120);
    Random random{seed};
    ASSERT_TRUE(catches_up({"--exact-replace"}));
    const auto value = [&](std::vector<std::string> list) { return random.pick(list); };
    for (int round = 0; round < 6; ++round) {
        std::string sql = "BEGIN;";
        for (int i = 0; i < 60; ++i) {
            const std::string slot = std::to_string(random.below(5));
            const std::string state = value({"'open'", "'done'", "NULL"});
            const std::string name = value({"'Ann'", "'ANN'", "'bob'", "'Bob'", "NULL", "'cy'"});
            sql += fmt::format("{} INTO part (slot, state, deleted_at) VALUES ({}, {}, {});", random.chance(30) ? "INSERT OR REPLACE" : "INSERT OR IGNORE", slot, state,
                               value({"NULL", "'now'"}));
            sql += fmt::format("UPDATE OR REPLACE part SET state = {}, slot = slot + {} WHERE id % 7 = {};", state, random.below(3), slot);
            sql += fmt::format("INSERT INTO expr (name, kind, n) VALUES ({}, {}, {}) ON CONFLICT DO NOTHING;", name, value({"'a'", "'A'", "'b'"}), 95 + random.below(20));
            sql += fmt::format("INSERT OR REPLACE INTO expr (name, kind, n) VALUES ({}, {}, {});", name, value({"'a'", "'A'", "'b'"}), value({"7", "17", "101", "111", "NULL"}));
            sql += fmt::format("INSERT OR REPLACE INTO gen (k, doc) VALUES ('{}', '{{\"id\": {}}}');", std::string(1 + static_cast<std::size_t>(random.below(6)), 'k') + slot,
                               random.below(4));
            sql += fmt::format("UPDATE OR REPLACE keyless SET a = {}, b = {} WHERE b = {};", name, random.below(2), slot);
            sql += fmt::format("INSERT OR REPLACE INTO keyless VALUES ({}, {});", name, slot);
            sql += fmt::format("INSERT OR REPLACE INTO clustered VALUES ('{}', '{}', {}.{});", slot, random.below(3), random.below(4), random.below(10));
        }
        leader().exec(sql + "COMMIT");
        ASSERT_TRUE(catches_up({"--exact-replace"})) << "seed " << seed << "\n" << sql;
    }
}

TEST_P(SqliteReplaceTest, AnIndexThatIsNewOrGoneStopsTheStream) {
    ASSERT_TRUE(catches_up());
    const auto process = start_run(leader(), follower());
    ASSERT_TRUE(becomes_ready(*process, follower()));
    leader().exec("INSERT INTO part VALUES (1, 1, 'done', 'x'), (2, 1, 'done', 'x'); CREATE UNIQUE INDEX late ON part (id % 2, slot, lower(state)) WHERE id > 5");
    ASSERT_TRUE(ended(*process, 7, "the unique index late"));
    leader().exec("DROP INDEX late; DROP INDEX part_open");
    EXPECT_TRUE(ended(run_until_current(leader(), follower()), 7, "our trigger rowferry_"));
    auto again = command("copy-table", leader(), follower());
    again.insert(again.end(), {"--table", "part"});
    ASSERT_TRUE(ended(rowferry(again), 0));
    EXPECT_TRUE(catches_up());
}

TEST_P(SqliteReplaceTest, TheApplicationMayRenameAndAddColumnsUnderTheIndex) {
    leader().exec("INSERT INTO expr VALUES (1, 'Ann', 'x', 1)");
    ASSERT_TRUE(catches_up());
    leader().exec("ALTER TABLE expr RENAME COLUMN name TO \"new name\"; ALTER TABLE expr ADD COLUMN more TEXT DEFAULT 'm'; ALTER TABLE expr RENAME TO persons;"
                  "INSERT OR REPLACE INTO persons (id, \"new name\", kind) VALUES (2, 'ANN', 'X')");
    ASSERT_TRUE(catches_up({"--ddl", "apply"}));
    EXPECT_EQ(follower().value("SELECT count(*) FROM persons"), "1");
    leader().exec("INSERT OR REPLACE INTO persons (id, \"new name\", kind, more) VALUES (3, 'ann', 'x', NULL)");
    EXPECT_TRUE(catches_up({"--ddl", "apply"}));
}

// What a trigger could not work out exactly, or only by an expression that may fail, is refused before anything is written.
TEST_P(SqliteReplaceTest, AnIndexThatNoTriggerCanFollowIsRefused) {
    for (const char* index : {"(json_extract(state, '$.id'))", "(abs(slot))", "(id + 1)", "(slot) WHERE like(state, 'a')", "(slot) WHERE state LIKE deleted_at", "(slot) WHERE state = 5"}) {
        leader().exec(fmt::format("DROP INDEX IF EXISTS odd; CREATE UNIQUE INDEX odd ON part {}", index));
        EXPECT_TRUE(ended(run_until_current(leader(), follower(), {"--capture", "triggers"}), 3, "part: rows that REPLACE removes because of the unique index odd could not be seen")) << index;
    }
    EXPECT_TRUE(leftovers(leader()).empty());
    ASSERT_TRUE(ended(run_until_current(leader(), follower(), {"--exclude-table", "part", "--capture", "triggers"}), 0));
    EXPECT_TRUE(same_rows(leader(), follower(), {"expr", "gen", "keyless", "clustered"}));
}

INSTANTIATE_TEST_SUITE_P(All, SqliteReplaceTest, ::testing::Values(Direction::sqlite_to_pg, Direction::sqlite_to_sqlite),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace rowferry::test
