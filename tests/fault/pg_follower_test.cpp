// The PostgreSQL follower against a real server, fed with hand-made events.

#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fault/pg_follower_fixture.h"

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

TEST_F(PgFollowerTest, CrashBeforeCommitThenResendAppliesOnce) {
    auto follower = connect();
    follower->lock("default");
    copy(*follower, {users_});
    EXPECT_EQ(position(), "lsn:0/64 lsn:0/64");
    auto first = sink(*follower);
    first->apply(Events{}.begin(190).insert(users_, {"1", "ann"}).get());
    first.reset();
    follower.reset();
    EXPECT_EQ(rows("users"), "");

    follower = connect();
    follower->lock("default");
    auto again = sink(*follower);
    again->apply(Events{}.begin(190).insert(users_, {"1", "ann"}).commit(200).get());
    advance(*again, 200);
    again->apply(Events{}.begin(190).insert(users_, {"1", "ann"}).commit(200).get());  // sent again
    again->apply(Events{}.begin(200).insert(users_, {"2", "bob"}).commit(210).get());  // begins where the last one ended
    advance(*again, 210);
    EXPECT_EQ(rows("users"), "1|ann\n2|bob");
    EXPECT_EQ(position(), "lsn:0/D2 lsn:0/D2");
}

TEST_F(PgFollowerTest, CheckpointRoundTrip) {
    auto follower = connect();
    EXPECT_TRUE(follower->load_checkpoints().empty());
    copy(*follower, {users_});
    const auto loaded = follower->load_checkpoint("default");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->state, CheckpointState::ready);
    EXPECT_EQ(loaded->resume, (std::string{"a\0b", 3}));
    EXPECT_EQ(loaded->leader.database, "shop");
    ASSERT_EQ(loaded->tables.size(), 1U);
    EXPECT_EQ(loaded->tables[0].shape, *users_);
    auto target = sink(*follower);
    CheckpointAdvance idle;
    idle.position = {150, 0};
    idle.keep_resume = true;
    target->commit(idle);
    EXPECT_EQ(position(), "lsn:0/96 lsn:0/96");
    EXPECT_EQ(value("SELECT encode(resume, 'hex') FROM rowferry.checkpoint"), "610062");
    exec("UPDATE rowferry.checkpoint SET layout = 99");
    EXPECT_HALT(static_cast<void>(follower->load_checkpoints()), "layout 99");
}

TEST_F(PgFollowerTest, SomebodyElsesCheckpointIsAStop) {
    auto follower = connect();
    copy(*follower, {users_});
    auto target = sink(*follower);
    target->apply(Events{}.begin(100).insert(users_, {"1", "ann"}).commit(110).get());
    exec("UPDATE rowferry.checkpoint SET term = 7");
    EXPECT_HALT(advance(*target, 110), "no longer at lsn:0/64");
    target->rollback();
    EXPECT_EQ(rows("users"), "");
}

TEST_F(PgFollowerTest, SecondLockIsRefused) {
    auto first = connect();
    first->lock("default");
    auto second = connect();
    second->lock("other");
    const std::string holder = value(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'rowferry_default' AND datname = current_database() "
        "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')");
    EXPECT_REFUSED(connect()->lock("default"), "server process " + holder);
    EXPECT_REFUSED(static_cast<void>(connect()->drop("default", false)), "in use");
    first.reset();
    connect()->lock("default");
}

TEST_F(PgFollowerTest, MissingRowIsAStop) {
    auto follower = connect();
    copy(*follower, {users_}, Events{}.insert(users_, {"1", "ann"}));
    auto target = sink(*follower);
    EXPECT_HALT(target->apply(Events{}.begin(100).update(users_, {"1", "x"}).update(users_, {"2", "y"}).commit(110).get()),
                "update of public.users, key id=2, position lsn:0/6E: the row is missing");
    target->rollback();
    EXPECT_EQ(rows("users"), "1|ann");
    target = sink(*follower);
    EXPECT_HALT(target->apply(Events{}.begin(100).remove(users_, {"3", absent()}).get()),
                "delete of public.users, key id=3, in the transaction after");
}

TEST_F(PgFollowerTest, AFollowerThatEndsTheSessionOfAGroupIsAnOutage) {
    auto follower = connect();
    Events rows;
    for (int i = 0; i < 50; ++i) rows.insert(users_, {std::to_string(i), "x"});
    copy(*follower, {users_}, rows);
    auto target = sink(*follower);
    test::PgConnection other{cluster_.uri(database_)};
    other.exec("BEGIN; SELECT FROM users WHERE id = 7 FOR UPDATE");
    std::thread administrator{[&] {
        for (int i = 0; i < 100; ++i) {
            const std::string ended =
                value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
            if (ended != "0") return;
            std::this_thread::sleep_for(std::chrono::milliseconds{50});
        }
    }};
    Events events;
    events.begin(100);
    for (int i = 0; i < 50; ++i) events.update(users_, {std::to_string(i), "y"});
    events.commit(110);
    EXPECT_ERROR(retryable, target->apply(events.get()), "public.users");
    administrator.join();
    target->rollback();
}

TEST_F(PgFollowerTest, ACheckpointThatWentBackIsReadAgain) {
    auto follower = connect();
    copy(*follower, {users_});
    const Checkpoint read = *follower->load_checkpoint("default");
    exec("UPDATE rowferry.checkpoint SET position = 'lsn:0/32'");
    EXPECT_ERROR(retryable, static_cast<void>(follower->open_sink(read, {})), "no longer at lsn:0/64");
}

TEST_F(PgFollowerTest, RowAlreadyThereIsAStop) {
    auto follower = connect();
    copy(*follower, {users_}, Events{}.insert(users_, {"70", "ann"}));
    auto target = sink(*follower);
    EXPECT_HALT(target->apply(Events{}.begin(100).insert(users_, {"70", "x"}).commit(110).get()),
                "key id=70, position lsn:0/6E: the row is already there");
    target = sink(*follower);
    Events many;
    many.begin(100);
    for (int i = 1; i <= 60; ++i) many.insert(users_, {std::to_string(i), "x"});
    many.commit(110).begin(110);
    for (int i = 61; i <= 80; ++i) many.insert(users_, {std::to_string(i), "x"});
    many.commit(120);
    EXPECT_HALT(target->apply(many.get()), "key id=70, position lsn:0/78: the row is already there");
    target->rollback();
    EXPECT_EQ(rows("users"), "70|ann");
}

TEST_F(PgFollowerTest, UnchangedCellsKeysAndNulls) {
    const auto table = share(pg_table("t", {{"a", "integer", true}, {"b", "text", true}, {"c", "text"}, {"d", "integer"}}, {0, 1}));
    auto follower = connect();
    copy(*follower, {table}, Events{}.insert(table, {"1", "x", "big\tvalue\\", "5"}).insert(table, {"2", "y", null(), null()}));
    auto target = sink(*follower);
    target->apply(Events{}
                      .begin(100)
                      .update(table, {"1", "x", unchanged(), null()})
                      .update(table, {"2", "y", absent(), absent()}, {"2", "z\\", "now", "7"})
                      .insert(table, {"3", "", "", null()})
                      .remove(table, {"3", "", absent(), absent()})
                      .commit(110)
                      .get());
    advance(*target, 110);
    EXPECT_EQ(rows("t"), "1|x|big\\tvalue\\\\|\\N\n2|z\\\\|now|7");
}

TEST_F(PgFollowerTest, KeylessDuplicatesGoOneByOne) {
    const auto table = share(pg_table("log", {{"n", "numeric"}, {"j", "json"}, {"b", "boolean"}}, {}));
    auto follower = connect();
    Events start;
    for (int i = 0; i < 3; ++i) start.insert(table, {"1.0", "{}", "t"});
    start.insert(table, {"1.00", "{}", "t"}).insert(table, {null(), null(), null()});
    copy(*follower, {table}, start);
    auto target = sink(*follower);
    target->apply(Events{}
                      .begin(100)
                      .remove(table, {"1.0", "{}", "t"})
                      .update(table, {"1.0", "{}", "t"}, {"1.0", "[]", "f"})
                      .remove(table, {null(), null(), null()})
                      .commit(110)
                      .get());
    advance(*target, 110);
    EXPECT_EQ(rows("log", "n::text, j::text"), "1.0|[]|f\n1.0|{}|t\n1.00|{}|t");
    EXPECT_HALT(target->apply(Events{}.begin(110).remove(table, {"1.000", "{}", "t"}).commit(120).get()), "a row (the table has no key)");
}

TEST_F(PgFollowerTest, TruncateOfSeveralTables) {
    TableSchema child = pg_table("child", {{"id", "integer", true}, {"user_id", "integer"}}, {0});
    child.foreign_keys.push_back({"child_fk", {1}, {"public", "users"}, {"id"}, "NO ACTION", "CASCADE", false, false});
    const auto children = share(child);
    auto follower = connect();
    copy(*follower, {users_, children}, Events{}.insert(users_, {"1", "ann"}));
    EXPECT_EQ(value("SELECT confdeltype FROM pg_constraint WHERE conname = 'child_fk'"), "c");
    auto target = sink(*follower);
    // Children before parents: nothing is checked while the stream is applied.
    target->apply(Events{}.begin(100).insert(children, {"1", "2"}).insert(users_, {"2", "bob"}).commit(110).get());
    target->apply(Events{}.begin(110).truncate({users_, children}, true).insert(users_, {"9", "new"}).commit(120).get());
    advance(*target, 120);
    EXPECT_EQ(rows("users"), "9|new");
    EXPECT_EQ(rows("child"), "");
    EXPECT_HALT(target->apply(Events{}.begin(120).truncate({users_}).commit(130).get()), "truncate, position lsn:0/82");
}

TEST_F(PgFollowerTest, ARoleWithoutTheRightToSilenceTriggers) {
    make_plain_role();
    TableSchema child = pg_table("child", {{"id", "integer", true}, {"user_id", "integer"}}, {0});
    child.foreign_keys.push_back({"child_fk", {1}, {"public", "users"}, {"id"}, "NO ACTION", "CASCADE", false, false});
    const auto children = share(child);
    auto follower = connect("plain");
    const auto notes = follower->check_tables({users_, children}, {}, nullptr);
    EXPECT_FALSE(notes.empty());
    copy(*follower, {users_, children}, Events{}.insert(users_, {"1", "ann"}));
    EXPECT_EQ(value("SELECT confdeltype::text || condeferrable || condeferred FROM pg_constraint WHERE conname = 'child_fk'"), "atruetrue");
    auto target = sink(*follower);
    target->apply(Events{}
                      .begin(100)
                      .insert(children, {"1", "2"})
                      .insert(users_, {"2", "bob"})
                      .commit(110)
                      .begin(110)
                      .remove(users_, {"2", absent()})
                      .remove(children, {"1", absent()})
                      .commit(120)
                      .begin(120)
                      .insert(children, {"5", "1"})
                      .truncate({users_, children})
                      .commit(130)
                      .get());
    advance(*target, 130);
    EXPECT_EQ(rows("users") + rows("child"), "");
    target->apply(Events{}.begin(130).insert(children, {"1", "77"}).commit(140).get());
    EXPECT_HALT(advance(*target, 140), "child_fk");
    target.reset();

    exec(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER mine BEFORE INSERT ON users FOR "
        "EACH ROW EXECUTE FUNCTION f()");
    FollowerOptions options;
    options.on_existing = OnExisting::truncate;
    EXPECT_REFUSED(static_cast<void>(follower->check_tables({users_, children}, options, nullptr)),
                   "GRANT SET ON PARAMETER session_replication_role TO plain");
}

TEST_F(PgFollowerTest, ExistingForeignKeysAreCheckedOnceForTheWholeCopyWithoutTheRight) {
    make_plain_role();
    exec(
        "SET ROLE plain; CREATE TABLE users (id integer PRIMARY KEY, name text); "
        "CREATE TABLE child (id integer PRIMARY KEY, user_id integer REFERENCES users DEFERRABLE)");
    const auto children = share(pg_table("child", {{"id", "integer", true}, {"user_id", "integer"}}, {0}));
    auto follower = connect("plain");
    const std::vector<TablePtr> tables{children, users_};
    follower->start_copy(checkpoint(tables, 100), tables, {});
    auto target = follower->copy_into(children);
    target->write(Events{}.insert(children, {"1", "1"}).get());
    target->finish();
    target = follower->copy_into(users_);
    target->write(Events{}.insert(users_, {"1", "ann"}).get());
    target->finish();
    target.reset();
    follower->finish_copy(checkpoint(tables, 100), tables);
    EXPECT_EQ(rows("child"), "1|1");
}

TEST_F(PgFollowerTest, ASqliteInsertReplacesWhatIsInItsWay) {
    TableSchema shape = sqlite_table("items", {{"id", "INTEGER"}, {"code", "TEXT"}, {"data", "BLOB"}}, {0});
    shape.columns[0].value_class = ValueClass::integer;
    shape.columns[0].auto_number = AutoNumber::by_default;
    shape.columns[1].value_class = ValueClass::text;
    shape.columns[2].value_class = ValueClass::bytes;
    shape.unique_keys.push_back({"items_code", {1}});
    shape.indexes.push_back({"items_code", true, false, {1}, {false}, {"BINARY"}, false, false});
    const auto items = share(shape);
    auto follower = connect();
    copy(*follower, {items}, Events{}.insert(items, {1, "a", test::blob("\x01\\")}).insert(items, {2, "b", null()}));
    auto target = sink(*follower);
    target->apply(Events{}
                      .begin(100)
                      .insert(items, {3, "a", test::blob(std::string{"x\0y", 3})})  // displaces row 1
                      .update(items, {3, absent(), absent()}, {3, "b", null()})     // displaces row 2
                      .insert(items, {3, "c", null()})                              // displaces itself
                      .update(items, {3, absent(), absent()}, {4, "c", null()})
                      .commit(110)
                      .get());
    advance(*target, 110);
    EXPECT_EQ(rows("items"), "4|c|\\N");
    EXPECT_EQ(target->replaced_rows(), 3U);

    Events many;
    many.begin(110);
    for (int i = 1; i <= 100; ++i) many.insert(items, {i + 1000, "code" + std::to_string(i), null()});
    many.commit(120);
    target->apply(many.get());
    advance(*target, 120);
    EXPECT_EQ(target->replaced_rows(), 3U);
    Events replacing;
    replacing.begin(120);
    for (int i = 1; i <= 100; ++i) replacing.insert(items, {i + 1000, "code" + std::to_string(101 - i), test::blob("z")});
    replacing.update(items, {1050, absent(), absent()}, {1050, "fresh", null()}).commit(130);
    target->apply(replacing.get());
    advance(*target, 130);
    EXPECT_EQ(value("SELECT count(*) || ' ' || count(*) FILTER (WHERE data IS NULL) || ' ' || count(DISTINCT code) FROM items"),
              "101 2 101");
    EXPECT_GE(target->replaced_rows(), 103U);
}

TEST_F(PgFollowerTest, ANocaseKeyIsReplacedAsTheLeaderComparesIt) {
    TableSchema shape = sqlite_table("words", {{"word", "TEXT"}, {"n", "INTEGER"}}, {0});
    shape.columns[0].value_class = ValueClass::text;
    shape.columns[0].collation = "NOCASE";
    shape.columns[1].value_class = ValueClass::integer;
    const auto words = share(shape);
    auto follower = connect();
    copy(*follower, {words}, Events{}.insert(words, {"Ann", 1}).insert(words, {"Ä", 2}));
    auto target = sink(*follower);
    target->apply(Events{}.begin(100).insert(words, {"aNN", 3}).insert(words, {"ä", 4}).commit(110).get());
    advance(*target, 110);
    EXPECT_EQ(rows("words", "n"), "Ä|2\naNN|3\nä|4");
}

TEST_F(PgFollowerTest, AValueThatDoesNotFitNamesRowAndColumn) {
    exec("CREATE TABLE t (id integer PRIMARY KEY, small smallint, short varchar(3), sum numeric(4,2))");
    // The shapes agree, as check_tables() asks; the values do not.
    const auto table = share(
        pg_table("t", {{"id", "integer", true}, {"small", "smallint"}, {"short", "character varying(3)"}, {"sum", "numeric(4,2)"}}, {0}));
    auto follower = connect();
    copy(*follower, {table}, Events{}.insert(table, {"1", "1", "a", "1.00"}));
    const auto expect = [&](const std::vector<test::V>& row, const std::string& column) {
        auto target = sink(*follower);
        EXPECT_HALT(target->apply(Events{}.begin(100).update(table, row).commit(110).get()),
                    "key id=1, position lsn:0/6E, column " + column + ":");
        target = sink(*follower);
        Events many;
        many.begin(100);
        for (int i = 2; i < 60; ++i) many.insert(table, {std::to_string(i), "1", "a", "1.00"});
        std::vector<test::V> last = row;
        last[0] = "77";
        many.insert(table, last).commit(110);
        EXPECT_HALT(target->apply(many.get()), "insert of public.t, key id=77, position lsn:0/6E, column " + column + ":");
    };
    expect({"1", "40000", "a", "1.00"}, "small");
    expect({"1", "1", "abcd", "1.00"}, "short");
    expect({"1", "1", "abc", "100.00"}, "sum");

    const auto start = checkpoint({table}, 100);
    follower->start_copy(start, {table}, {});
    const auto target = follower->copy_into(table);
    target->write(Events{}.insert(table, {"1", "1", "a", "1.00"}).insert(table, {"2", "40000", "a", "1.00"}).get());
    EXPECT_HALT(target->finish(), "copy of public.t, key id=2 (row 2), column small");
}

TEST_F(PgFollowerTest, ASqliteValueThatDoesNotFitNamesRowAndColumn) {
    TableSchema shape = sqlite_table("t", {{"id", "INTEGER"}, {"word", "TEXT"}}, {0});
    shape.columns[0].value_class = ValueClass::integer;
    shape.columns[1].value_class = ValueClass::text;
    const auto table = share(shape);
    auto follower = connect();
    copy(*follower, {table}, Events{}.insert(table, {1, "fine"}));
    auto target = sink(*follower);
    EXPECT_HALT(target->apply(Events{}.begin(100).insert(table, {5, std::string{"a\0b", 3}}).commit(110).get()),
                "key id=5, position lsn:0/6E, column word");
    target->rollback();
    EXPECT_EQ(rows("t"), "1|fine");
}

TEST_F(PgFollowerTest, AnUnfinishedCopyStartsAgainAndStillGetsItsIndexes) {
    TableSchema shape = *users_;
    shape.indexes.push_back({"users_name", true, true, {1}, {false}, {}, false, false});
    const auto users = share(shape);
    const Checkpoint initial = checkpoint({users}, 100);
    {
        auto follower = connect();
        follower->lock("default");
        follower->start_copy(initial, {users}, {});
        const auto target = follower->copy_into(users);
        target->write(Events{}.insert(users, {"1", "half"}).get());
        target->finish();
    }
    EXPECT_EQ(value("SELECT state FROM rowferry.checkpoint"), "copying");
    auto follower = connect();
    follower->lock("default");
    const auto unfinished = follower->load_checkpoint("default");
    ASSERT_TRUE(unfinished);
    EXPECT_TRUE(follower->check_tables({users}, {}, &*unfinished).empty());
    EXPECT_REFUSED(static_cast<void>(follower->check_tables({users}, {}, nullptr)), "already holds rows");
    follower->start_copy(initial, {users}, {});
    const auto target = follower->copy_into(users);
    target->write(Events{}.insert(users, {"1", "whole"}).get());
    target->finish();
    follower->finish_copy(initial, {users});
    EXPECT_EQ(rows("users"), "1|whole");
    EXPECT_EQ(value("SELECT count(*) FROM pg_constraint WHERE conname = 'users_name' AND contype = 'u'"), "1");
}

TEST_F(PgFollowerTest, ExistingTables) {
    exec(
        "CREATE TABLE users (id integer PRIMARY KEY, name text); INSERT INTO users VALUES (5, 'old'); "
        "CREATE TABLE outside (u integer REFERENCES users)");
    auto follower = connect();
    EXPECT_REFUSED(static_cast<void>(follower->check_tables({users_}, {}, nullptr)), "public.users already holds rows");
    FollowerOptions options;
    options.on_existing = OnExisting::truncate;
    EXPECT_REFUSED(static_cast<void>(follower->check_tables({users_}, options, nullptr)), "public.outside refers to it");
    exec("DROP TABLE outside");
    EXPECT_TRUE(follower->check_tables({users_}, options, nullptr).empty());
    EXPECT_EQ(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowferry'"), "0");
    follower->start_copy(checkpoint({users_}, 100), {users_}, options);
    EXPECT_EQ(rows("users"), "");
    exec("DROP TABLE users; CREATE VIEW users AS SELECT 1 AS id, ''::text AS name");
    EXPECT_REFUSED(static_cast<void>(connect()->check_tables({users_}, options, nullptr)), "is not a table");
    const auto typed = share(pg_table("typed", {{"a", "public.nothing"}}, {}));
    EXPECT_REFUSED(static_cast<void>(connect()->check_tables({typed}, options, nullptr)), "CREATE TYPE");
}

TEST_F(PgFollowerTest, NumbersEnumsAndIndexesOfNewTables) {
    TableSchema shape = pg_table("t", {{"id", "integer", true}, {"mood", "public.mood"}, {"other", "integer"}}, {0});
    shape.columns[0].auto_number = AutoNumber::always;
    shape.columns[1].enum_labels = {"sad", "it's ok"};
    shape.columns[2].type = "public.positive";
    UserType mood;
    mood.name = {"public", "mood"};
    mood.labels = shape.columns[1].enum_labels;
    UserType positive;
    positive.kind = UserType::Kind::domain;
    positive.name = {"public", "positive"};
    positive.base = "integer";
    positive.checks = {{"positive_check", "(VALUE > 0)"}};
    shape.types = {mood, positive};
    shape.indexes.push_back({"t", false, false, {1}, {true}, {}, false, false});  // the table's own name
    shape.indexes.push_back({"t_other", true, true, {2}, {false}, {}, true, true});
    const auto table = share(shape);
    auto follower = connect();
    const auto notes = follower->check_tables({table}, {}, nullptr);
    EXPECT_EQ(notes.size(), 2U);
    const Checkpoint ready = checkpoint({table}, 100);
    follower->start_copy(ready, {table}, {});
    auto target = follower->copy_into(table);
    target->write(Events{}.insert(table, {"7", "it's ok", "1"}).get());
    target->finish();
    follower->set_next_number(table, 0, 8);
    follower->finish_copy(ready, {table});
    exec("INSERT INTO t (mood) VALUES ('sad')");
    EXPECT_EQ(rows("t"), "7|it's ok|1\n8|sad|\\N");
    EXPECT_EQ(value("SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 't'"), "t_1 t_other t_pkey");
    EXPECT_EQ(value("SELECT condeferred FROM pg_constraint WHERE conname = 't_other'"), "t");
    auto changes = sink(*follower);
    changes->apply(Events{}.begin(100).insert(table, {"9", "sad", "3"}).update(table, {"9", "sad", "4"}).commit(110).get());
    advance(*changes, 110);
    EXPECT_EQ(value("SELECT other FROM t WHERE id = 9"), "4");
    EXPECT_HALT(changes->apply(Events{}.begin(110).update(table, {"9", absent(), absent()}, {"10", "sad", "4"}).get()),
                "SET GENERATED BY DEFAULT");
}

TEST_F(PgFollowerTest, CloneIsOneTransactionAndLeavesNothingBehind) {
    auto follower = connect();
    follower->start_clone({users_}, {});
    auto target = follower->copy_into(users_);
    target->write(Events{}.insert(users_, {"1", "ann"}).get());
    target->finish();
    EXPECT_EQ(value("SELECT count(*) FROM pg_class WHERE relname = 'users'"), "0");
    target.reset();
    follower->finish_clone({users_});
    EXPECT_EQ(rows("users"), "1|ann");
    EXPECT_EQ(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowferry'"), "0");
}

TEST_F(PgFollowerTest, DropIsIdempotentAndKeepsTheRows) {
    auto follower = connect();
    copy(*follower, {users_}, Events{}.insert(users_, {"1", "ann"}));
    EXPECT_EQ(follower->drop("nobody", false).size(), 0U);
    EXPECT_EQ(follower->drop("default", true).size(), 3U);
    EXPECT_EQ(value("SELECT count(*) FROM rowferry.checkpoint"), "1");
    EXPECT_EQ(follower->drop(std::nullopt, false).size(), 3U);
    EXPECT_EQ(follower->drop(std::nullopt, false).size(), 0U);
    EXPECT_EQ(rows("users"), "1|ann");
    EXPECT_EQ(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowferry'"), "0");
}

TEST_F(PgFollowerTest, ALostConnectionMayBeTriedAgain) {
    auto follower = connect();
    follower->lock("default");
    copy(*follower, {users_});
    auto target = sink(*follower);
    target->apply(Events{}.begin(100).insert(users_, {"1", "ann"}).get());
    exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rowferry%' AND datname = current_database()");
    const auto [kind, what] = test::error_of([&] { target->apply(Events{}.insert(users_, {"2", "bob"}).commit(110).get()); });
    EXPECT_EQ(kind, ErrorKind::retryable) << what;
    target->rollback();
    target.reset();
    target = sink(*follower);
    target->apply(Events{}.begin(100).insert(users_, {"1", "ann"}).insert(users_, {"2", "bob"}).commit(110).get());
    advance(*target, 110);
    EXPECT_EQ(rows("users"), "1|ann\n2|bob");
    EXPECT_REFUSED(connect()->lock("default"), "in use");
}

TEST_F(PgFollowerTest, ManyMasksAndLargeValues) {
    std::vector<ColumnOf> columns{{"id", "integer", true}};
    for (int i = 0; i < 9; ++i) columns.push_back({"c" + std::to_string(i), "text"});
    const auto table = share(pg_table("wide", columns, {0}));
    std::vector<test::V> row{"1"};
    for (int i = 0; i < 9; ++i) row.emplace_back("");
    auto follower = connect();
    copy(*follower, {table}, Events{}.insert(table, row));
    auto target = sink(*follower);
    Events events;
    events.begin(100);
    const std::string large(300'000, 'x');
    for (int mask = 1; mask < 512; ++mask) {
        for (int i = 0; i < 9; ++i)
            row[i + 1] =
                (mask >> i & 1) != 0 ? test::V{mask % 100 == 0 ? large + std::to_string(mask) : std::to_string(mask)} : unchanged();
        events.update(table, row);
    }
    target->apply(events.commit(110).get());
    advance(*target, 110);
    EXPECT_EQ(value("SELECT concat_ws(' ', c0, c1, c2, c3, c4, c5, c6, c7, c8) FROM wide"), "511 511 511 511 511 511 511 511 511");
}

TEST_F(PgFollowerTest, Speed) {
    constexpr int kRows = 100'000;
    auto follower = connect();
    Events start;
    for (int i = 0; i < kRows; ++i) start.insert(users_, {std::to_string(i), "name"});
    copy(*follower, {users_}, start);
    auto target = sink(*follower);
    const auto measure = [&](const char* what, const Events& events, std::uint64_t to) {
        const auto begin = std::chrono::steady_clock::now();
        target->apply(events.get());
        advance(*target, to);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        std::printf("%s: %.0f rows/s\n", what, kRows / time.count());
        EXPECT_LT(time.count(), 60);
    };
    Events updates;
    updates.begin(100);
    for (int i = 0; i < kRows; ++i) updates.update(users_, {std::to_string(i), "other " + std::to_string(i)});
    measure("updates in a pipeline", updates.commit(110), 110);
    Events mixed;
    mixed.begin(110);
    for (int i = 0; i < kRows / 2; ++i)
        mixed.insert(users_, {std::to_string(kRows + i), "n"}).remove(users_, {std::to_string(i), absent()});
    measure("inserts and deletes in turn", mixed.commit(120), 120);
    Events inserts;
    inserts.begin(120);
    for (int i = 0; i < kRows; ++i) inserts.insert(users_, {std::to_string(2 * kRows + i), "name"});
    measure("inserts by COPY", inserts.commit(130), 130);
    EXPECT_EQ(value("SELECT count(*) FROM users"), std::to_string(2 * kRows));
}

}  // namespace
}  // namespace rowferry
