#include <algorithm>

#include "tests/unit/sqlite_follower_fixture.h"

// Keys that collide for a moment: PostgreSQL may check a unique key at the end of a statement, SQLite never does.

namespace rowferry::test {
namespace {

class Parked : public SqliteFollowerTest {
protected:
    /// `slots (id PRIMARY KEY, place UNIQUE DEFERRABLE, note)`.
    static TablePtr slots() {
        TableSchema table = table_of(Engine::postgresql, "slots",
                                     {{"id", "integer", ValueClass::integer, true}, {"place", "integer", ValueClass::integer}, {"note", "text"}}, {0});
        table.unique_keys.push_back({"slots_place_key", {1}});
        table.indexes.push_back({"slots_place_key", true, true, {1}, {false}, {}});
        return share(table);
    }
    /// `ranks (k PRIMARY KEY DEFERRABLE, v)` with REPLICA IDENTITY FULL.
    static TablePtr ranks() {
        return share(table_of(Engine::postgresql, "ranks", {{"k", "integer", ValueClass::integer, true}, {"v", "text"}}, {0}));
    }
};

TEST_F(Parked, EveryOrderOfPlacePlusOne) {
    std::vector<int> order{1, 2, 3, 4};
    do {
        path_ = (new_temp_dir("follower") / "f.db").string();
        const TablePtr table = slots();
        std::vector<Step> copied;
        for (int i = 1; i <= 4; ++i) copied.push_back(insert(table, {std::to_string(i), std::to_string(i), "n" + std::to_string(i)}));
        follow({table}, copied);
        std::vector<Step> steps{begin(90)};
        for (const int i : order) steps.push_back(update(table, {std::to_string(i), std::to_string(i + 1), unchanged}));
        steps.push_back(commit(100));
        feed_all(steps);
        EXPECT_EQ(rows("slots"), "1|2|n1\n2|3|n2\n3|4|n3\n4|5|n4");
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Parked, EveryOrderOfKeyPlusOneTwice) {
    std::vector<int> order{1, 2, 3};
    do {
        path_ = (new_temp_dir("follower") / "f.db").string();
        const TablePtr table = ranks();
        follow({table}, {insert(table, {"1", "a"}), insert(table, {"2", "b"}), insert(table, {"3", "c"})});
        std::vector<Step> steps{begin(90)};
        const std::string names = "abc";
        for (int round = 0; round < 2; ++round)
            for (const int i : order) {
                const std::string v(1, names[static_cast<std::size_t>(i - 1)]);
                steps.push_back(update(table, {std::to_string(i + round), v}, {std::to_string(i + round + 1), v}));
            }
        steps.push_back(commit(100));
        feed_all(steps);
        EXPECT_EQ(rows("ranks"), "3|a\n4|b\n5|c");
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Parked, TwoRowsSwapTheirPlaces) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"}), insert(table, {"2", "20", "b"})});
    feed(begin(90), update(table, {"1", "20", "a2"}), update(table, {"2", "10", unchanged}), commit(100));
    EXPECT_EQ(rows("slots"), "1|20|a2\n2|10|b");
}

TEST_F(Parked, ChangesToAWaitingRowAreMadeWhereItWaits) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"}), insert(table, {"2", "20", "b"})});
    feed(begin(90), update(table, {"1", "20", unchanged}),  // waits for place 20
         update(table, {"1", unchanged, "changed while waiting"}), insert(table, {"3", "20", "new"}),  // waits as well
         remove(table, {"1", absent, absent}), remove(table, {"2", absent, absent}),                     // 20 is free for 3
         commit(100));
    EXPECT_EQ(rows("slots"), "3|20|new");
}

TEST_F(Parked, AWaitingRowThatMovesOnNeedNotWait) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"}), insert(table, {"2", "20", "b"})});
    feed(begin(90), insert(table, {"3", "10", "c"}), update(table, {"3", "30", "c"}), commit(100));
    EXPECT_EQ(rows("slots"), "1|10|a\n2|20|b\n3|30|c");
}

TEST_F(Parked, AnInsertMayComeBeforeTheDeleteThatMakesRoom) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"})});
    feed(begin(90), insert(table, {"2", "10", "b"}));
    feed(remove(table, {"1", absent, absent}), commit(100));  // in another batch
    EXPECT_EQ(rows("slots"), "2|10|b");
    feed(begin(100), insert(table, {"3", "10", "c"}), remove(table, {"2", absent, absent}), commit(110));
    EXPECT_EQ(rows("slots"), "3|10|c");
}

TEST_F(Parked, ACollisionThatLastsIsAConflict) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"}), insert(table, {"2", "20", "b"})});
    const std::string text = halt(begin(90), update(table, {"1", "20", unchanged}), commit(100));
    EXPECT_HAS(text, "public.slots");
    EXPECT_HAS(text, "id=1");
    EXPECT_HAS(text, "lsn:0/64");
    EXPECT_EQ(rows("slots"), "1|10|a\n2|20|b");
    feed(begin(90), update(table, {"1", "30", unchanged}), commit(100));
    EXPECT_EQ(rows("slots"), "1|30|a\n2|20|b");
}

TEST_F(Parked, TruncateTakesWaitingRowsToo) {
    const TablePtr table = slots();
    follow({table}, {insert(table, {"1", "10", "a"})});
    feed(begin(90), insert(table, {"2", "10", "b"}), truncate({table}), insert(table, {"3", "10", "c"}), commit(100));
    EXPECT_EQ(rows("slots"), "3|10|c");
}

TEST_F(Parked, ARowOfAnUnknownTwinIsAConflictWhenOnlyKeysAreSent) {
    const TablePtr table = ranks();
    follow({table}, {insert(table, {"1", "a"})});
    exec("INSERT INTO ranks VALUES (2, 'stranger')");
    EXPECT_HAS(halt(begin(90), update(table, {"1", absent}, {"2", unchanged}), update(table, {"2", absent}, {"3", unchanged}), commit(100)), "two rows of this key");
    EXPECT_EQ(rows("ranks"), "1|a\n2|stranger");
}

TEST_F(Parked, ManyRowsReverseTheirOrder) {
    const TablePtr table = slots();
    constexpr int kRows = 2000;
    std::vector<Step> copied;
    for (int i = 1; i <= kRows; ++i) copied.push_back(insert(table, {std::to_string(i), std::to_string(i), "n"}));
    follow({table}, copied);
    std::vector<Step> steps{begin(90)};
    for (int i = 1; i <= kRows; ++i) steps.push_back(update(table, {std::to_string(i), std::to_string(kRows + 1 - i), unchanged}));
    steps.push_back(commit(100));
    feed_all(steps);
    EXPECT_EQ(value("SELECT count(*) FROM slots WHERE id + place = " + std::to_string(kRows + 1)), std::to_string(kRows));
}

}  // namespace
}  // namespace rowferry::test
