// Changes applied in groups against the same changes applied one by one, on a real server. ROWFERRY_SEED repeats a run.

#include <functional>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "applier/postgresql/pg_sink.h"
#include "tests/fault/pg_follower_fixture.h"
#include "tests/support/writer.h"

namespace rowferry {
namespace {

using test::absent;
using test::ColumnOf;
using test::Events;
using test::null;
using test::pg_table;
using test::share;
using test::sqlite_table;
using test::unchanged;

/// A follower of its own, in a database of its own.
class Side : public PgFollowerTest {
public:
    void TestBody() override {}
    explicit Side(bool groups) : groups_{groups}, follower_{connect()} {}

    void start(const std::vector<TablePtr>& tables, const Events& rows = {}) {
        copy(*follower_, tables, rows);
        open();
    }
    void open() {
        sink_.reset();
        sink_ = sink(*follower_);
        sink_parts().allow_groups(groups_);
    }
    Sink& get() { return *sink_; }
    PgSink& sink_parts() { return dynamic_cast<PgSink&>(*sink_); }
    void commit(std::uint64_t position) { advance(*sink_, position); }
    using PgFollowerTest::exec;
    using PgFollowerTest::rows;
    using PgFollowerTest::value;

private:
    bool groups_;
    std::unique_ptr<Follower> follower_;
    std::unique_ptr<Sink> sink_;
};

class PgGroupTest : public ::testing::Test {
protected:
    Side grouped_{true};
    Side single_{false};

    void start(const std::vector<TablePtr>& tables, const Events& rows = {}) {
        grouped_.start(tables, rows);
        single_.start(tables, rows);
    }
    void exec(const std::string& sql) {
        grouped_.exec(sql);
        single_.exec(sql);
    }
    /// What both ends say of the same events: an empty text when they were applied and committed.
    std::string outcome(Side& side, const Events& events, std::uint64_t position) {
        const std::string said = test::error_of([&] {
                                     side.get().apply(events.get());
                                     side.commit(position);
                                 }).second;
        if (said != "no error") side.open();
        return said == "no error" ? "" : said;
    }
    std::string same_outcome(const Events& events, std::uint64_t position = 200) {
        const std::string grouped = outcome(grouped_, events, position);
        EXPECT_EQ(grouped, outcome(single_, events, position));
        return grouped;
    }
    void expect_same(const std::string& table, const std::string& order = "1") {
        EXPECT_EQ(grouped_.rows(table, order), single_.rows(table, order)) << table;
    }
};

const TablePtr kUsers = share(pg_table("users", {{"id", "integer", true}, {"name", "character varying(5)"}, {"note", "text"}}, {0}));

Events many_users(int from, int to) {
    Events rows;
    for (int i = from; i < to; ++i) rows.insert(kUsers, {std::to_string(i), "n", "x"});
    return rows;
}

/// Enough to be worth a group, and of every kind.
Events& fill(Events& events, int base = 0) {
    for (int i = 1; i <= 10; ++i) {
        events.update(kUsers, {std::to_string(base + i), "u", "y"});
        events.remove(kUsers, {std::to_string(base + 50 + i), absent(), absent()});
        events.insert(kUsers, {std::to_string(base + 200 + i), "new", "z"});
    }
    return events;
}

TEST_F(PgGroupTest, AGroupThatFailsNamesTheCulprit) {
    start({kUsers}, many_users(1, 200));
    const auto with = [&](const std::function<void(Events&)>& bad) {
        Events events;
        events.begin(100);
        fill(events).commit(110).begin(110);
        bad(events);
        events.update(kUsers, {"30", "u", "y"}).commit(120).begin(120).update(kUsers, {"31", "u", "y"}).commit(130);
        return same_outcome(events, 130);
    };
    const std::string at = ", position lsn:0/78: ";
    EXPECT_TRUE(with([](Events& e) { e.update(kUsers, {"999", "u", "y"}); }).starts_with("update of public.users, key id=999" + at + "the row is missing"));
    EXPECT_TRUE(with([](Events& e) { e.remove(kUsers, {"999", absent(), absent()}); }).starts_with("delete of public.users, key id=999" + at + "the row is missing"));
    EXPECT_TRUE(with([](Events& e) { e.insert(kUsers, {"100", "n", "x"}); }).starts_with("insert of public.users, key id=100" + at + "the row is already there"));
    // Nothing would be left of it in the group.
    EXPECT_TRUE(with([](Events& e) { e.insert(kUsers, {"100", "n", "x"}).remove(kUsers, {"100", absent(), absent()}); })
                    .starts_with("insert of public.users, key id=100" + at + "the row is already there"));
    EXPECT_TRUE(with([](Events& e) { e.update(kUsers, {"101", "longer", "y"}); }).starts_with("update of public.users, key id=101, position lsn:0/78, column name: "));
    EXPECT_TRUE(with([](Events& e) { e.remove(kUsers, {"102", absent(), absent()}).update(kUsers, {"102", "u", "y"}); })
                    .starts_with("update of public.users, key id=102" + at + "the row is missing"));
    EXPECT_EQ(with([](Events& e) { e.update(kUsers, {"103", "fine", "y"}); }), "");
    EXPECT_GE(grouped_.sink_parts().groups_written(), 1U);
    EXPECT_EQ(grouped_.sink_parts().groups_refused(), 0U);
    expect_same("users");
}

TEST_F(PgGroupTest, RowsThatSwapAUniqueValueGoInOrder) {
    TableSchema shape = *kUsers;
    shape.name.name = "seats";
    shape.unique_keys.push_back({"seats_name", {1}});
    shape.indexes.push_back({"seats_name", true, true, {1}, {false}, {}, false, false});
    const TablePtr seats = share(shape);
    Events rows;
    for (int i = 1; i <= 40; ++i) rows.insert(seats, {std::to_string(i), "s" + std::to_string(i), "x"});
    start({seats}, rows);
    Events events;
    events.begin(100);
    for (int i = 1; i <= 40; i += 2) {
        const auto name = [](int n) { return "s" + std::to_string(n); };
        events.update(seats, {std::to_string(i), "tmp", "x"}).update(seats, {std::to_string(i + 1), name(i), "x"}).update(seats, {std::to_string(i), name(i + 1), "x"});
    }
    EXPECT_EQ(same_outcome(events.commit(200)), "");
    EXPECT_EQ(grouped_.sink_parts().groups_refused(), 1U);
    expect_same("seats");
    EXPECT_EQ(grouped_.value("SELECT name FROM seats WHERE id = 1"), "s2");
    // A row takes the value that another one gives away: no need for an order of their own.
    grouped_.open();
    Events moves;
    moves.begin(200);
    for (int i = 1; i <= 40; ++i) moves.remove(seats, {std::to_string(i), absent(), absent()});
    for (int i = 1; i <= 40; ++i) moves.insert(seats, {std::to_string(100 + i), "s" + std::to_string(i), "x"});
    EXPECT_EQ(same_outcome(moves.commit(300), 300), "");
    EXPECT_EQ(grouped_.sink_parts().groups_refused(), 0U);
    expect_same("seats");
}

/// A value goes the same way, and is refused for the same reason, in an array and on its own.
TEST_F(PgGroupTest, ValuesOfManyTypes) {
    exec("CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN short AS varchar(3) CHECK (VALUE <> 'bad'); CREATE DOMAIN shorter AS short; "
         "CREATE TYPE pair AS (a int, b text)");
    const std::vector<ColumnOf> columns{
        {"id", "character(4)", true}, {"v", "character varying(3)"}, {"c", "character(5)"}, {"b", "bit(3)"}, {"vb", "bit varying(5)"}, {"n", "numeric(5,2)"},
        {"i", "interval second(0)"}, {"t", "timestamp(3) with time zone"}, {"a", "integer[]"}, {"va", "character varying(3)[]"}, {"j", "jsonb"}, {"u", "uuid"},
        {"y", "bytea"}, {"m", "name"}, {"x", "inet"}, {"r", "int4range"}, {"f", "real"}, {"o", "boolean"}, {"e", "public.mood"}, {"d", "public.shorter"}, {"p", "public.pair"}};
    std::string sql = "CREATE TABLE many (";
    for (const ColumnOf& column : columns) sql += fmt::format("{}{} {}", column.name == "id" ? "" : ", ", column.name, column.type);
    exec(sql + ", PRIMARY KEY (id))");
    std::vector<ColumnOf> leader = columns;
    TableSchema shape = pg_table("many", leader, {0});
    for (ColumnSchema& column : shape.columns) {
        if (column.type == "public.shorter") column.base_type = "character varying(3)";
    }
    const TablePtr many = share(shape);
    const std::vector<test::V> row{"k", "abc", "ab", "101", "10", "1.25", "00:00:07", "2024-02-29 01:02:03.123+00", "{1,NULL,3}", "{ab,\"c\\\"\"}", "{\"a\": 1}",
                                   "00000000-0000-0000-0000-00000000000a", "\\x00ff5c", "na'me", "10.0.0.1/8", "[1,5)", "0.1", "t", "it's ok", "xyz", "(1,\"a,b\")"};
    Events rows;
    const auto with_key = [](std::vector<test::V> cells, int key) {
        cells[0] = fmt::format("{:<4}", key);
        return cells;
    };
    std::vector<test::V> empty(row.size(), null());
    for (int i = 0; i < 60; ++i) rows.insert(many, with_key(empty, i));
    start({many}, rows);
    Events events;
    events.begin(100);
    for (int i = 0; i < 30; ++i) events.update(many, with_key(row, i));
    for (int i = 100; i < 130; ++i) events.insert(many, with_key(row, i));
    for (int i = 40; i < 50; ++i) events.remove(many, {fmt::format("{:<4}", i), absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent(),
                                                       absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent(), absent()});
    EXPECT_EQ(same_outcome(events.commit(200)), "");
    expect_same("many");
    EXPECT_EQ(grouped_.sink_parts().groups_written(), 1U);
    EXPECT_EQ(grouped_.sink_parts().groups_refused(), 0U);
    const std::map<int, std::string> bad{{1, "abcd"}, {2, "abcdef"}, {3, "1011"}, {4, "101010"}, {5, "1000.00"}, {9, "{abcd}"}, {10, "{"}, {18, "glad"}, {19, "wxyz"}, {19, "bad"}, {17, "maybe"}};
    for (const auto& [column, value] : bad) {
        Events wrong;
        wrong.begin(200);
        for (int i = 0; i < 30; ++i) {
            auto cells = with_key(row, i);
            if (i == 20) cells[static_cast<std::size_t>(column)] = value;
            wrong.update(many, cells);
        }
        EXPECT_NE(same_outcome(wrong.commit(300), 300), "") << columns[static_cast<std::size_t>(column)].name << " took " << value;
    }
    expect_same("many");
}

TEST_F(PgGroupTest, ASqliteReplaceInAGroupDisplacesItsRow) {
    TableSchema shape = sqlite_table("items", {{"id", "INTEGER"}, {"code", "TEXT"}}, {0});
    shape.columns[0].value_class = ValueClass::integer;
    shape.columns[1].value_class = ValueClass::text;
    const auto items = share(shape);
    Events rows;
    for (int i = 0; i < 100; ++i) rows.insert(items, {i, "old"});
    start({items}, rows);
    Events plain;
    plain.begin(100);
    for (int i = 0; i < 40; ++i) plain.update(items, {i, absent()}, {i, "new"}).insert(items, {1000 + i, "new"}).remove(items, {50 + i, absent()});
    EXPECT_EQ(same_outcome(plain.commit(200), 200), "");
    EXPECT_EQ(grouped_.sink_parts().groups_refused(), 0U);
    Events replacing;
    replacing.begin(200);
    for (int i = 0; i < 20; ++i) replacing.insert(items, {i, "again"}).insert(items, {2000 + i, "a"}).insert(items, {2000 + i, "b"});
    EXPECT_EQ(same_outcome(replacing.commit(300), 300), "");
    EXPECT_EQ(grouped_.get().replaced_rows(), 40U);
    EXPECT_EQ(single_.get().replaced_rows(), 40U);
    expect_same("items");
}

TEST_F(PgGroupTest, ATriggerThatFiresForReplicatedRowsSeesEveryChangeInOrder) {
    exec("CREATE TABLE users (id integer PRIMARY KEY, name varchar(5), note text); CREATE TABLE seen (n serial, id int, what text); "
         "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (id, what) VALUES (coalesce(NEW.id, OLD.id), TG_OP); RETURN NULL; END $$; "
         "CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION see(); ALTER TABLE users ENABLE ALWAYS TRIGGER see");
    start({kUsers}, many_users(1, 200));
    Events events;
    events.begin(100);
    fill(fill(events), 20);
    EXPECT_EQ(same_outcome(events.commit(200)), "");
    EXPECT_EQ(grouped_.sink_parts().groups_written(), 0U);
    expect_same("seen");
}

/// A leader in memory, which makes random transactions and keeps what they come to.
class RandomLeader {
public:
    explicit RandomLeader(std::mt19937_64& random) : random_{random} {}

    const TablePtr plain = share(pg_table("plain", {{"id", "integer", true}, {"a", "text"}, {"b", "numeric(8,2)"}, {"c", "text"}}, {0}));
    const TablePtr seats = make_seats();
    const TablePtr pairs = share(pg_table("pairs", {{"a", "integer", true}, {"b", "text", true}, {"v", "text"}}, {0, 1}));
    const TablePtr log = share(pg_table("log", {{"n", "integer"}, {"t", "text"}}, {}));
    const TablePtr parents = share(pg_table("parents", {{"id", "integer", true}, {"v", "text"}}, {0}));
    const TablePtr children = make_children();
    std::vector<TablePtr> tables() const { return {plain, seats, pairs, log, parents, children}; }

    void transaction(Events& events) {
        for (std::size_t i = 0, count = 1 + below(8); i < count; ++i) {
            switch (below(12)) {
                case 0: swap_seats(events); break;
                case 1: change_pair(events); break;
                case 2: log_row(events); break;
                case 3: family(events); break;
                case 4: seat(events); break;
                default: change_plain(events); break;
            }
        }
    }

private:
    static TablePtr make_seats() {
        TableSchema table = pg_table("seats", {{"id", "integer", true}, {"seat", "integer"}}, {0});
        table.unique_keys.push_back({"seats_seat", {1}});
        table.indexes.push_back({"seats_seat", true, true, {1}, {false}, {}, false, false});
        return share(table);
    }
    static TablePtr make_children() {
        TableSchema table = pg_table("children", {{"id", "integer", true}, {"parent", "integer"}}, {0});
        table.foreign_keys.push_back({"children_fk", {1}, {"public", "parents"}, {"id"}, "NO ACTION", "CASCADE", false, false});
        return share(table);
    }
    std::size_t below(std::size_t limit) { return random_() % limit; }
    std::string fresh() { return std::to_string(++number_); }
    static std::string text(int number) { return std::to_string(number); }

    void change_plain(Events& events) {
        const int id = static_cast<int>(below(40));
        const auto cell = [&](const char* tail) { return below(3) == 0 ? unchanged() : below(8) == 0 ? null() : test::V{fresh() + tail}; };
        if (!plain_.contains(id)) {
            events.insert(plain, {text(id), fresh(), "1.50", below(2) == 0 ? test::V{fresh()} : null()});
            plain_.insert(id);
        } else if (below(4) == 0) {
            events.remove(plain, {text(id), absent(), absent(), absent()});
            plain_.erase(id);
        } else {
            events.update(plain, {text(id), cell(" large"), cell(".00"), cell("\\,\"{}")});
        }
    }
    void seat(Events& events) {
        const int id = static_cast<int>(below(20));
        if (const auto found = seats_.find(id); found != seats_.end()) {
            events.remove(seats, {text(id), absent()});
            seats_.erase(found);
            return;
        }
        // Seats are few, so that one is often given up and taken again.
        std::set<int> taken;
        for (const auto& [who, where] : seats_) taken.insert(where);
        int free = 0;
        while (taken.contains(free)) ++free;
        events.insert(seats, {text(id), text(free)});
        seats_[id] = free;
    }
    void swap_seats(Events& events) {
        if (seats_.size() < 2) return seat(events);
        auto one = std::next(seats_.begin(), static_cast<std::ptrdiff_t>(below(seats_.size())));
        auto other = std::next(seats_.begin(), static_cast<std::ptrdiff_t>(below(seats_.size())));
        if (one == other) return;
        events.update(seats, {text(one->first), "-1"}).update(seats, {text(other->first), text(one->second)}).update(seats, {text(one->first), text(other->second)});
        std::swap(one->second, other->second);
    }
    void change_pair(Events& events) {
        const std::pair<int, std::string> key{static_cast<int>(below(3)), text(static_cast<int>(below(4)))};
        const std::pair<int, std::string> next{static_cast<int>(below(3)), text(static_cast<int>(below(4)))};
        if (!pairs_.contains(key)) {
            events.insert(pairs, {text(key.first), key.second, fresh()});
            pairs_.insert(key);
        } else if (!pairs_.contains(next) && below(2) == 0) {
            events.update(pairs, {text(key.first), key.second, absent()}, {text(next.first), next.second, below(2) == 0 ? unchanged() : test::V{fresh()}});
            pairs_.erase(key);
            pairs_.insert(next);
        } else if (below(3) == 0) {
            events.remove(pairs, {text(key.first), key.second, absent()});
            pairs_.erase(key);
        } else {
            events.update(pairs, {text(key.first), key.second, fresh()});
        }
    }
    void log_row(Events& events) {
        if (below(4) != 0 || log_.empty()) {
            log_.push_back(text(static_cast<int>(below(5))));
            events.insert(log, {log_.back(), null()});
        } else if (below(2) == 0) {
            events.remove(log, {log_.back(), null()});
            log_.pop_back();
        }
    }
    void family(Events& events) {
        const int id = static_cast<int>(below(10));
        if (!parents_.contains(id)) {
            events.insert(parents, {text(id), fresh()}).insert(children, {text(id), text(id)});
            parents_.insert(id);
        } else {
            // The child goes by the leader's cascade, after its parent.
            events.remove(parents, {text(id), absent()}).remove(children, {text(id), absent()});
            parents_.erase(id);
        }
    }

    std::mt19937_64& random_;
    int number_ = 0;
    std::set<int> plain_;
    std::map<int, int> seats_;
    std::set<std::pair<int, std::string>> pairs_;
    std::vector<std::string> log_;
    std::set<int> parents_;
};

TEST_F(PgGroupTest, ARandomHistoryInGroupsIsThatHistoryOneByOne) {
    std::mt19937_64 random{test::choose_seed()};
    RandomLeader leader{random};
    start(leader.tables());
    std::uint64_t position = 100;
    std::uint64_t written = 0;
    std::uint64_t refused = 0;
    for (int group = 0; group < 40; ++group) {
        // Several calls in one follower transaction, each with several leader transactions.
        for (std::size_t call = 0, calls = 1 + random() % 3; call < calls; ++call) {
            Events events;
            for (std::size_t i = 0, count = 1 + random() % 60; i < count; ++i) {
                events.begin(position);
                leader.transaction(events);
                position += 10;
                events.commit(position);
            }
            grouped_.get().apply(events.get());
            single_.get().apply(events.get());
        }
        grouped_.commit(position);
        single_.commit(position);
        for (const TablePtr& table : leader.tables()) expect_same(table->name.name, table == leader.log ? "n" : "1, 2");
        ASSERT_FALSE(HasFailure()) << "group " << group;
        if (group % 8 == 0) {  // forget the pauses
            written += grouped_.sink_parts().groups_written();
            refused += grouped_.sink_parts().groups_refused();
            grouped_.open();
        }
    }
    written += grouped_.sink_parts().groups_written();
    refused += grouped_.sink_parts().groups_refused();
    EXPECT_GT(written, 0U);
    fmt::print("{} groups written, {} refused\n", written, refused);
}

}  // namespace
}  // namespace rowferry
