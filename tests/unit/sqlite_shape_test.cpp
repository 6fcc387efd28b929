// A SQLite leader's tables change their shape while a stream follows them, or while it is away: whatever was written before, between and
// after arrives in the shape it belongs to.
#include <random>

#include <fmt/format.h>

#include "tests/unit/sqlite_leader_harness.h"

namespace rowferry::test {
namespace {

class SqliteShape : public LeaderTest {
protected:
    void SetUp() override {
        open();
        table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT)");
        sql("INSERT INTO t VALUES(1,'a',1),(2,'b',2)");
        start();
    }

    /// Everything is there, and what the reader itself wrote into the log.
    void settle(std::size_t budget = 1 << 20) {
        catch_up(budget);
        catch_up(budget);
        while (inside_) step(budget);
    }

    /// Nobody reads the leader for a while.
    void away() { source_.reset(); }
    void back() {
        follow();
        settle();
    }
};

TEST_F(SqliteShape, AddedColumnsWithAndWithoutDefaults) {
    sql("ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'x'; ALTER TABLE t ADD COLUMN n; INSERT INTO t(id, u) VALUES(3,'c')");
    settle();
    EXPECT_EQ(operations(), "ISU");  // the insert as the triggers knew the row, then the columns they did not know
    sql("UPDATE t SET w = NULL, n = 5 WHERE id = 1; DELETE FROM t WHERE id = 2");
    settle();
    EXPECT_EQ(operations(), "UD");
    expect_equal("t");
}

TEST_F(SqliteShape, WhatWasWrittenBeforeAnybodyNoticedIsExact) {
    away();
    sql("INSERT INTO t VALUES(3,'before',3); ALTER TABLE t ADD COLUMN w REAL NOT NULL DEFAULT 1.5");
    sql("UPDATE t SET w = 2.5 WHERE id = 1; INSERT INTO t VALUES(4,'d',4,-0.25); INSERT INTO t(id) VALUES(5)");
    sql("UPDATE t SET id = 40 WHERE id = 4; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(2,'again',2,9.75)");
    sql("UPDATE t SET w = 7 WHERE id = 3; DELETE FROM t WHERE id = 3; ALTER TABLE t ADD COLUMN z; UPDATE t SET z = x'00ff' WHERE id = 40");
    back();
    expect_equal("t");
    away();
    sql("UPDATE t SET z = 1 WHERE id = 5");
    back();
    expect_equal("t");
}

TEST_F(SqliteShape, TheChangeIsToldOnceAndAgainAfterACrashBeforeItWasDurable) {
    const Checkpoint before = checkpoint_;
    sql("ALTER TABLE t ADD COLUMN w DEFAULT 3; UPDATE t SET w = 4 WHERE id = 1");
    settle();
    EXPECT_EQ(operations(), "USU");
    // Another follower's view of the same log, from before the change.
    replica_ = std::make_unique<Replica>();
    replica_->default_of = [](const auto&, const auto&) { return std::string{"3"}; };
    replica_->make_table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT); INSERT INTO t VALUES(1,'a',1),(2,'b',2)");
    away();
    checkpoint_ = before;
    back();
    EXPECT_EQ(operations(), "USU");
    expect_equal("t");
}

TEST_F(SqliteShape, RenamesAreFollowed) {
    sql("ALTER TABLE t RENAME COLUMN v TO \"the v\"; UPDATE t SET \"the v\" = 10 WHERE id = 1");
    settle();
    away();
    sql("ALTER TABLE t RENAME TO t2; INSERT INTO t2 VALUES(3,'c',3); ALTER TABLE t2 RENAME COLUMN u TO name; ALTER TABLE t2 ADD COLUMN w DEFAULT 1; "
        "INSERT INTO t2 VALUES(4,'d',4,4)");
    back();
    sql("CREATE TABLE t(other)");  // the name is free again
    sql("DELETE FROM t2 WHERE id = 2");
    settle();
    EXPECT_EQ(operations(), "USIISUUD");
    expect_equal("t2");
}

TEST_F(SqliteShape, ADroppedTableIsToldInItsPlace) {
    sql("CREATE TABLE keep(id INTEGER PRIMARY KEY)");
    sql("INSERT INTO t VALUES(3,'c',3); DROP TABLE t");
    settle();
    EXPECT_EQ(operations(), "IX");
    EXPECT_TRUE(checkpoint_.tables.empty());
}

TEST_F(SqliteShape, AStreamThatStopsInFrontOfAChangeHasEverythingBefore) {
    sql("INSERT INTO t VALUES(3,'c',3); ALTER TABLE t ADD COLUMN w");
    std::vector<std::string> seen;
    Position before_change{};
    for (bool found = false; !found;) {
        Batch batch;
        source_->read(batch, 1 << 20, std::chrono::milliseconds{100});
        for (const Event& event : batch.events()) {
            if (const auto* commit = std::get_if<Commit>(&event); commit != nullptr && !found) before_change = commit->position;
            found = found || std::holds_alternative<ShapeChange>(event);
        }
    }
    EXPECT_GT(before_change, checkpoint_.position);
}

TEST_F(SqliteShape, ExactReplaceAndCompositeKeysGoOn) {
    open();
    request_.exact_replace = true;
    table("CREATE TABLE p(a TEXT, b INT, v TEXT UNIQUE, PRIMARY KEY(b, a)) WITHOUT ROWID");
    sql("INSERT INTO p VALUES('x',1,'one'),('y',1,'two')");
    start();
    away();
    sql("ALTER TABLE p ADD COLUMN w DEFAULT 'd'; REPLACE INTO p VALUES('x',2,'two','mine'); INSERT INTO p VALUES('z',9,NULL,NULL)");
    back();
    sql("REPLACE INTO p VALUES('q',3,'one','late')");
    settle();
    expect_equal("p");
}

TEST_F(SqliteShape, WhatCannotBeToldStopsAndNamesTheWayOut) {
    open();
    table("CREATE TABLE k(a, b)");
    start();
    sql("ALTER TABLE k ADD COLUMN c DEFAULT 1; INSERT INTO k VALUES(1,2,3)");
    const std::string message = halt_message();
    EXPECT_NE(message.find("copy-table"), std::string::npos) << message;
    // Nothing was written in between: no row is in doubt.
    open();
    table("CREATE TABLE k(a, b)");
    sql("INSERT INTO k VALUES(1,2)");
    start();
    sql("ALTER TABLE k ADD COLUMN c DEFAULT 1");
    settle();
    sql("INSERT INTO k VALUES(1,2,3); UPDATE k SET c = 5 WHERE c = 1");
    settle();
    expect_equal("k");
}

TEST_F(SqliteShape, NewTablesAreReportedAtOnce) {
    request_.selection.excluded.emplace_back("hidden");
    follow();
    sql("CREATE TABLE fresh(a); CREATE TABLE hidden(a); CREATE VIEW seen AS SELECT 1; ALTER TABLE t RENAME TO t2");
    settle();
    const std::vector<TableName> fresh = source_->take_new_tables();
    ASSERT_EQ(fresh.size(), 1U);
    EXPECT_EQ(fresh[0].name, "fresh");
    EXPECT_TRUE(source_->take_new_tables().empty());
}

TEST_F(SqliteShape, ARandomHistoryOfRowsAndShapes) {
    const std::uint64_t seed = std::random_device{}();
    fmt::print("seed {}\n", seed);
    std::mt19937_64 random{seed};
    std::vector<std::string> columns{"v"};
    for (int round = 0; round < 25; ++round) {
        if (random() % 2 == 0) away();
        for (int i = 0; i < 12; ++i) {
            const auto id = random() % 20;
            const std::string column = columns[random() % columns.size()];
            switch (random() % 6) {
                case 0:
                case 1: sql(fmt::format("INSERT OR IGNORE INTO t(id, {}) VALUES({}, {})", column, id, random() % 100)); break;
                case 2: sql(fmt::format("UPDATE t SET {} = 'r{}' WHERE id = {}", column, random() % 100, id)); break;
                case 3: sql(fmt::format("DELETE FROM t WHERE id = {}", id)); break;
                case 4: sql(fmt::format("UPDATE OR IGNORE t SET id = {} WHERE id = {}", random() % 20, id)); break;
                case 5:
                    if (random() % 3 == 0) {
                        columns.push_back(fmt::format("c{}", columns.size()));
                        sql(fmt::format("ALTER TABLE t ADD COLUMN {} {}", columns.back(), random() % 2 == 0 ? "" : "NOT NULL DEFAULT 'd'"));
                    } else if (random() % 3 == 0) {
                        std::string& renamed = columns[random() % columns.size()];
                        sql(fmt::format("ALTER TABLE t RENAME COLUMN {} TO {}_", renamed, renamed));
                        renamed += "_";
                    }
                    break;
            }
        }
        if (!source_) follow();
        settle(random() % 2 == 0 ? 200 : 1 << 20);
        expect_equal("t");
    }
}

}  // namespace
}  // namespace rowferry::test
