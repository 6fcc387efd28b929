#include "applier/postgresql/net_changes.h"

#include <map>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/event_builder.h"

namespace rowferry {
namespace {

using test::absent;
using test::Events;
using test::unchanged;
using Effect = NetChanges::Effect;

const TablePtr kUsers = test::share(test::pg_table("users", {{"id", "integer"}, {"name", "text"}, {"note", "text"}}, {0}));

bool add_all(NetChanges& net, const Events& events) {
    bool fits = true;
    std::uint32_t index = 0;
    for (const Event& event : events.get()) fits = net.add(std::get<Change>(event), index++) && fits;
    return fits;
}

std::string text(const Cell& cell) {
    if (cell.is_null()) return "NULL";
    return cell.is_sent() ? std::string{cell.bytes()} : "-";
}

/// `insert 1 ann x`, one line per row.
std::string told(const NetChanges& net) {
    std::string lines;
    for (const NetChanges::Row& row : net.rows()) {
        constexpr const char* kNames[] = {"insert", "update", "remove", "replace", "none"};
        lines += std::string{kNames[static_cast<int>(row.effect)]} + " " + text(row.key[0]);
        if (row.effect == Effect::insert || row.effect == Effect::update || row.effect == Effect::replace)
            for (std::size_t i = 1; i < row.after.size(); ++i) lines += " " + text(row.after[i]);
        lines += "\n";
    }
    return lines;
}

std::string net_of(const Events& events) {
    NetChanges net;
    net.begin({0});
    EXPECT_TRUE(add_all(net, events));
    return told(net);
}

TEST(NetChanges, OfTwoChangesOfAKeyOneIsLeft) {
    EXPECT_EQ(net_of(Events{}.insert(kUsers, {"1", "ann", "x"}).update(kUsers, {"1", "bob", "y"})), "insert 1 bob y\n");
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1", "ann", "x"}).update(kUsers, {"1", "bob", "y"})), "update 1 bob y\n");
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1", "ann", "x"}).remove(kUsers, {"1", absent(), absent()})), "remove 1\n");
    EXPECT_EQ(net_of(Events{}.insert(kUsers, {"1", "ann", "x"}).remove(kUsers, {"1", absent(), absent()})), "none 1\n");
    EXPECT_EQ(net_of(Events{}.remove(kUsers, {"1", absent(), absent()}).insert(kUsers, {"1", "ann", "x"})), "replace 1 ann x\n");
}

TEST(NetChanges, WhatWasNotSentStaysAsItWas) {
    EXPECT_EQ(net_of(Events{}.insert(kUsers, {"1", "ann", "large"}).update(kUsers, {"1", "bob", unchanged()})), "insert 1 bob large\n");
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1", "ann", unchanged()}).update(kUsers, {"1", unchanged(), "y"})), "update 1 ann y\n");
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1", "ann", unchanged()}).update(kUsers, {"1", "bob", unchanged()})), "update 1 bob -\n");
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1", "ann", "x"}).update(kUsers, {"1", test::null(), unchanged()})), "update 1 NULL x\n");
}

TEST(NetChanges, WhatCannotFollowEachOtherIsRefused) {
    const auto refused = [](const Events& events) {
        NetChanges net;
        net.begin({0});
        return !add_all(net, events);
    };
    EXPECT_TRUE(refused(Events{}.insert(kUsers, {"1", "ann", "x"}).insert(kUsers, {"1", "bob", "x"})));
    EXPECT_TRUE(refused(Events{}.remove(kUsers, {"1", absent(), absent()}).update(kUsers, {"1", "bob", "x"})));
    EXPECT_TRUE(refused(Events{}.remove(kUsers, {"1", absent(), absent()}).remove(kUsers, {"1", absent(), absent()})));
    EXPECT_TRUE(refused(Events{}.update(kUsers, {"1", "ann", "x"}).insert(kUsers, {"1", "bob", "x"})));
}

TEST(NetChanges, KeysAreTheirBytes) {
    EXPECT_EQ(net_of(Events{}.update(kUsers, {"1.0", "a", "x"}).update(kUsers, {"1.00", "b", "x"}).update(kUsers, {"1.0", "c", "x"})),
              "update 1.0 c x\nupdate 1.00 b x\n");
    // A number and a text of a SQLite leader are two keys.
    EXPECT_EQ(net_of(Events{}.remove(kUsers, {"1", absent(), absent()}).remove(kUsers, {test::blob("1"), absent(), absent()})), "remove 1\nremove 1\n");
}

TEST(NetChanges, ATableWithoutAKeyTakesInserts) {
    NetChanges net;
    net.begin({});
    EXPECT_TRUE(add_all(net, Events{}.insert(kUsers, {"1", "a", "x"}).insert(kUsers, {"1", "a", "x"})));
    EXPECT_EQ(net.rows().size(), 2U);
    EXPECT_FALSE(add_all(net, Events{}.remove(kUsers, {"1", "a", "x"})));
}

/// The outcome of a random history over a few keys is that of its net effect, whatever the table held before.
TEST(NetChangesProperty, TheOutcomeIsThatOfTheHistory) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    struct Held {
        std::string name, note;
        bool operator==(const Held&) const = default;
    };
    using Table = std::map<std::string, Held>;
    for (int round = 0; round < 500; ++round) {
        Table table;
        const unsigned keys = 1 + random() % 3000 / (round % 10 == 0 ? 1 : 300);
        for (unsigned key = 0; key < keys; ++key)
            if (random() % 2 == 0) table[std::to_string(key)] = {"old", "old"};
        const Table before = table;
        Events events;
        for (unsigned i = 0, count = random() % (3 * keys); i < count; ++i) {
            const std::string key = std::to_string(random() % keys);
            const std::string fresh = std::to_string(i);
            if (!table.contains(key)) {
                events.insert(kUsers, {key, fresh, fresh});
                table[key] = {fresh, fresh};
            } else if (random() % 3 == 0) {
                events.remove(kUsers, {key, absent(), absent()});
                table.erase(key);
            } else {
                const bool name = random() % 2 == 0;
                const bool note = random() % 2 == 0;
                events.update(kUsers, {key, name ? test::V{fresh} : unchanged(), note ? test::V{fresh} : unchanged()});
                if (name) table[key].name = fresh;
                if (note) table[key].note = fresh;
            }
        }
        NetChanges net;
        net.begin({0});
        ASSERT_TRUE(add_all(net, events));
        Table after = before;
        for (const NetChanges::Row& row : net.rows()) {
            const std::string key{row.key[0].bytes()};
            const bool there = row.effect == Effect::update || row.effect == Effect::remove || row.effect == Effect::replace;
            ASSERT_EQ(before.contains(key), there) << key;
            if (row.effect == Effect::remove) after.erase(key);
            if (row.effect == Effect::remove || row.effect == Effect::none) continue;
            Held& held = after[key];
            if (row.after[1].is_sent()) held.name = text(row.after[1]);
            if (row.after[2].is_sent()) held.note = text(row.after[2]);
        }
        ASSERT_EQ(after, table) << "round " << round;
    }
}

}  // namespace
}  // namespace rowferry
