// Values that do not fit, in a PostgreSQL follower of a SQLite leader: stop, NULL, or a side table. Against a real server, with hand-made
// events.

#include <cmath>
#include <cstdio>
#include <map>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_follower.h"
#include "applier/postgresql/pg_row_image.h"
#include "schemas/error.h"
#include "tests/support/errors.h"
#include "tests/support/event_builder.h"
#include "tests/support/pg_cluster.h"

namespace rowferry {
namespace {

using test::absent;
using test::blob;
using test::Events;
using test::null;
using test::PgCluster;
using test::share;
using test::sqlite_table;

/// `t (id INTEGER PRIMARY KEY, n INTEGER, word TEXT)`, every mismatch handled as `mode` says.
TableSchema numbers(OnMismatch mode, const std::string& name = "t") {
    TableSchema table = sqlite_table(name, {{"id", "INTEGER", true}, {"n", "INTEGER"}, {"word", "TEXT"}}, {0});
    table.columns[0].value_class = table.columns[1].value_class = ValueClass::integer;
    table.columns[0].auto_number = AutoNumber::by_default;
    table.columns[2].value_class = ValueClass::text;
    for (ColumnSchema& column : table.columns)
        if (mode == OnMismatch::quarantine || !column.not_null) column.on_mismatch = mode;
    return table;
}

class PgQuarantineTest : public ::testing::Test {
protected:
    PgQuarantineTest() : cluster_{PgCluster::shared()}, database_{cluster_.new_database()} { spdlog::set_level(spdlog::level::err); }

    void connect(const std::string& user = "postgres") {
        sink_.reset();
        follower_.reset();
        follower_ = make_pg_follower(PgConninfo{cluster_.uri(database_, user)}, stop_);
        follower_->open(true);
        follower_->lock("default");
    }
    static Checkpoint checkpoint(const std::vector<TablePtr>& tables) {
        Checkpoint result;
        result.stream = "default";
        result.follower_id = "f1";
        result.leader = {Engine::sqlite, "7", 0, ""};
        result.capture = CaptureMethod::triggers;
        result.position_kind = PositionKind::sequence;
        result.position = result.acked = {100, 0};
        for (const TablePtr& table : tables) result.tables.push_back({table->name, {100, 0}, *table});
        return result;
    }
    void copy(const std::vector<TablePtr>& tables, const Events& rows = {}) {
        if (!follower_) connect();
        const Checkpoint initial = checkpoint(tables);
        static_cast<void>(follower_->check_tables(tables, {}, nullptr));
        follower_->start_copy(initial, tables, {});
        for (const TablePtr& table : tables) {
            const auto target = follower_->copy_into(table);
            if (table == tables.front() && !rows.get().empty()) target->write(rows.get());
            target->finish();
        }
        follower_->finish_copy(initial, tables);
    }
    void open() { sink_ = follower_->open_sink(*follower_->load_checkpoint("default"), {}); }
    /// As after kill -9: only what is on the server is left.
    void restart() { restart_as("postgres"); }
    void restart_as(const std::string& user) {
        connect(user);
        open();
    }
    void apply(const Events& events) { sink_->apply(events.get()); }
    void commit(std::uint64_t position) {
        CheckpointAdvance to;
        to.position = {position, 0};
        to.resume = "r";
        sink_->commit(to);
    }
    [[nodiscard]] std::string value(const std::string& sql) const { return cluster_.value(database_, sql); }
    void exec(const std::string& sql) const { cluster_.exec(database_, sql); }
    [[nodiscard]] std::string rows(const std::string& table = "t") const {
        return value("SELECT coalesce(string_agg(concat_ws('|', t.id, coalesce(t.n::text, '-'), t.word), ' ' ORDER BY t.id), '') FROM " + table + " t");
    }
    /// Keys with the column that does not fit.
    [[nodiscard]] std::string quarantined() const {
        return value(
            "SELECT coalesce(string_agg(concat_ws(' ', key->'id'->>'integer', column_name, storage_class), ', ' ORDER BY key::text), '') FROM "
            "rowferry.quarantine");
    }

    PgCluster& cluster_;
    std::string database_;
    StopSignal stop_;
    std::unique_ptr<Follower> follower_;
    std::unique_ptr<Sink> sink_;
};

TEST_F(PgQuarantineTest, ARowLeavesAndComesBackWithItsImages) {
    const auto table = share(numbers(OnMismatch::quarantine));
    copy({table}, Events{}.insert(table, {1, 10, "a"}).insert(table, {2, "ten", "b"}).insert(table, {3, 30, "c"}));
    EXPECT_EQ(rows(), "1|10|a 3|30|c");
    EXPECT_EQ(quarantined(), "2 n TEXT");
    EXPECT_EQ(value("SELECT position || ' ' || image FROM rowferry.quarantine"),
              R"(copy {"id":{"integer":2},"n":{"text":"ten"},"word":{"text":"b"}})");
    open();
    apply(Events{}
              .begin(100)
              .insert(table, {4, 1.5, "d"})                             // comes in as a misfit
              .update(table, {1, blob(std::string{"\0\xff", 2}), "a"})  // leaves
              .update(table, {2, "eleven", "b"})                        // stays out
              .update(table, {3, 31, std::string{"x\0y", 3}})           // leaves by another column
              .commit(110));
    commit(110);
    EXPECT_EQ(rows(), "");
    EXPECT_EQ(quarantined(), "1 n BLOB, 2 n TEXT, 3 word TEXT, 4 n REAL");
    EXPECT_EQ(value("SELECT string_agg(image::text || position, ' ' ORDER BY key::text) FROM rowferry.quarantine"),
              R"({"id":{"integer":1},"n":{"blob":"00ff"},"word":{"text":"a"}}seq:110 )"
              R"({"id":{"integer":2},"n":{"text":"eleven"},"word":{"text":"b"}}seq:110 )"
              R"({"id":{"integer":3},"n":{"integer":31},"word":{"text_hex":"780079"}}seq:110 )"
              R"({"id":{"integer":4},"n":{"real":"1.5"},"word":{"text":"d"}}seq:110)");
    ASSERT_EQ(follower_->quarantined("default").size(), 1U);
    EXPECT_EQ(follower_->quarantined("default").front().keys, 4U);

    restart();
    apply(Events{}
              .begin(110)
              .update(table, {1, 11, "a"})                                          // back
              .remove(table, {2, absent(), absent()})                               // gone, and never was in the table
              .update(table, {3, absent(), absent()}, {30, "x", "c"})               // another key, still a misfit
              .update(table, {4, absent(), absent()}, {40, 4, "d"})                 // another key, back
              .commit(120));
    commit(120);
    EXPECT_EQ(rows(), "1|11|a 40|4|d");
    EXPECT_EQ(quarantined(), "30 n TEXT");
    apply(Events{}.begin(120).remove(table, {30, absent(), absent()}).update(table, {40, absent(), absent()}, {41, "y", "d"}).commit(130));
    commit(130);
    EXPECT_EQ(rows(), "1|11|a");
    EXPECT_EQ(quarantined(), "41 n TEXT");
}

TEST_F(PgQuarantineTest, WhatTheTransactionTookBackIsNotRemembered) {
    const auto table = share(numbers(OnMismatch::quarantine));
    copy({table}, Events{}.insert(table, {1, 10, "a"}));
    open();
    apply(Events{}.begin(100).update(table, {1, "x", "a"}).insert(table, {2, "y", "b"}));
    restart();  // killed in the middle of the transaction
    EXPECT_EQ(rows(), "1|10|a");
    EXPECT_EQ(quarantined(), "");
    apply(Events{}.begin(100).update(table, {1, "x", "a"}).insert(table, {2, "y", "b"}).commit(110));
    commit(110);
    apply(Events{}.begin(100).update(table, {1, "x", "a"}).insert(table, {2, "y", "b"}).commit(110).begin(110).update(table, {2, 5, "b"}).commit(120));
    commit(120);
    EXPECT_EQ(rows(), "2|5|b");
    EXPECT_EQ(quarantined(), "1 n TEXT");
}

TEST_F(PgQuarantineTest, RowsThatWereMeantForACopyAreSortedOut) {
    const auto table = share(numbers(OnMismatch::quarantine));
    copy({table}, Events{}.insert(table, {5000, "out", "z"}));
    open();
    Events many;
    many.begin(100);
    for (int i = 1; i <= 3000; ++i) {
        if (i % 500 == 0)
            many.insert(table, {i, "out", "w"});
        else
            many.insert(table, {i, i, "w"});
    }
    many.insert(table, {5000, 1, "REPLACE"}).commit(110);
    apply(many);
    commit(110);
    EXPECT_EQ(value("SELECT count(*) || ' ' || sum(n) || ' ' || count(*) FILTER (WHERE word = 'REPLACE') FROM t"), "2995 4491001 1");
    EXPECT_EQ(value("SELECT count(*) FROM rowferry.quarantine"), "6");
    EXPECT_EQ(sink_->replaced_rows(), 1U);
}

TEST_F(PgQuarantineTest, NullInItsPlaceIsCountedAndNotAKey) {
    auto shape = numbers(OnMismatch::null_value);
    const auto table = share(shape);
    copy({table}, Events{}.insert(table, {1, "ten", "b"}).insert(table, {2, 20, "c"}));
    EXPECT_EQ(rows(), "1|-|b 2|20|c");
    open();
    apply(Events{}.begin(100).update(table, {2, 2.5, "c"}).insert(table, {3, blob("x"), std::string{"\0", 1}}).update(table, {1, 7, "b"}).commit(110));
    commit(110);
    EXPECT_EQ(rows(), "1|7|b 2|-|c 3|-");
    EXPECT_EQ(value("SELECT to_regclass('rowferry.quarantine') IS NULL"), "t");
    Events many;
    many.begin(110);
    for (int i = 10; i < 100; ++i) many.insert(table, {i, "x", "w"});
    apply(many.commit(120));
    commit(120);
    EXPECT_EQ(value("SELECT count(*) FROM t WHERE n IS NULL"), "92");

    shape.columns[0].on_mismatch = OnMismatch::null_value;
    shape.columns[0].name = "key";
    shape.name.name = "other";
    shape.columns[0].not_null = false;
    EXPECT_ERROR(refused, static_cast<void>(follower_->check_tables({share(shape)}, {}, nullptr)), "main.other.key: on-mismatch = null, but the column is part");
    shape.columns[1].not_null = true;
    EXPECT_ERROR(refused, static_cast<void>(follower_->check_tables({share(shape)}, {}, nullptr)), "main.other.n: on-mismatch = null, but the column is NOT NULL");
}

TEST_F(PgQuarantineTest, ATableWithoutAKeyFindsTheRowByWhatWasMadeOfIt) {
    auto shape = numbers(OnMismatch::null_value);
    shape.primary_key = shape.identity = {};
    shape.unique_keys.clear();
    shape.columns[0].auto_number = AutoNumber::none;
    const auto table = share(shape);
    copy({table}, Events{}.insert(table, {1, "ten", "b"}).insert(table, {1, "ten", "b"}));
    open();
    apply(Events{}.begin(100).update(table, {1, "ten", "b"}, {1, 3, "b"}).update(table, {1, 3, "b"}, {2, "x", "b"}).commit(110));
    commit(110);
    EXPECT_EQ(rows(), "1|-|b 2|-|b");
    apply(Events{}.begin(110).remove(table, {1, "ten", "b"}).remove(table, {2, "x", "b"}).commit(120));
    commit(120);
    EXPECT_EQ(rows(), "");
}

TEST_F(PgQuarantineTest, TheStrictestColumnDecides) {
    auto shape = numbers(OnMismatch::quarantine);
    shape.columns[2].on_mismatch = OnMismatch::stop;
    const auto table = share(shape);
    copy({table}, Events{}.insert(table, {1, 10, "a"}));
    open();
    EXPECT_ERROR(halted, apply(Events{}.begin(100).update(table, {1, "x", blob("y")}).commit(110)),
                 "update of public.t, key id=1, position seq:110, column word: a blob value of 1 bytes in a text column");
    open();
    Events many;
    many.begin(100);
    for (int i = 10; i < 90; ++i) many.insert(table, {i, i == 50 ? test::V{"x"} : test::V{i}, i == 70 ? blob("y") : test::V{"w"}});
    EXPECT_ERROR(halted, apply(many.commit(110)), "insert of public.t, key id=70, position seq:110, column word");
    restart();
    EXPECT_EQ(rows(), "1|10|a");
    EXPECT_EQ(quarantined(), "");
}

TEST_F(PgQuarantineTest, WhatTheSideTableHoldsOutlivesTheRuleAndComesBackWithTheType) {
    const auto table = share(numbers(OnMismatch::quarantine));
    Events start;
    for (int i = 1; i <= 500; ++i) start.insert(table, {i, i + 0.5, "a"});
    copy({table}, start);
    open();
    apply(Events{}.begin(100).insert(table, {501, blob("z"), "b"}).commit(110));
    commit(110);
    EXPECT_EQ(value("SELECT count(*) FROM rowferry.quarantine"), "501");
    // With `stop` now: nothing comes back, nothing is lost, and the next value that does not fit stops.
    auto strict = follower_->load_checkpoint("default");
    for (ColumnSchema& column : strict->tables[0].shape.columns) column.on_mismatch = OnMismatch::stop;
    const auto now_strict = share(strict->tables[0].shape);
    sink_ = follower_->open_sink(*strict, {});
    EXPECT_ERROR(halted, apply(Events{}.begin(110).insert(now_strict, {600, "x", "a"}).commit(120)), "column n: a text value");
    sink_ = follower_->open_sink(*strict, {});
    apply(Events{}.begin(110).update(now_strict, {1, 1, "a"}).remove(now_strict, {2, absent(), absent()}).commit(120));
    commit(120);
    EXPECT_EQ(rows(), "1|1|a");
    EXPECT_EQ(value("SELECT count(*) FROM rowferry.quarantine"), "499");

    exec("ALTER TABLE t ALTER COLUMN n TYPE numeric");
    restart();
    EXPECT_EQ(value("SELECT count(*) || ' ' || count(*) FILTER (WHERE n = id + 0.5) FROM t"), "499 498");
    EXPECT_EQ(quarantined(), "501 n BLOB");
    EXPECT_EQ(value("SELECT position FROM rowferry.checkpoint"), "seq:120");
}

/// What the profile has seen is no reason to refuse a narrower table whose misfits have a place.
TEST_F(PgQuarantineTest, AnExistingTableMayBeNarrower) {
    exec("CREATE TABLE t (id bigint PRIMARY KEY, n smallint, word varchar(3))");
    TableSchema shape = numbers(OnMismatch::quarantine);
    shape.columns[1].profile.integers = true;
    shape.columns[1].profile.most_integer = 40000;
    shape.columns[2].profile.texts = true;
    shape.columns[2].profile.longest_text = 4;
    shape.columns[2].on_mismatch = OnMismatch::null_value;
    const auto table = share(shape);
    copy({table}, Events{}.insert(table, {1, 40000, "a"}).insert(table, {2, 2, "long"}).insert(table, {3, 3, "abc"}));
    open();
    EXPECT_EQ(rows(), "2|2 3|3|abc");
    EXPECT_EQ(quarantined(), "1 n INTEGER");
    apply(Events{}.begin(100).update(table, {3, -40000, "abc"}).update(table, {1, 32767, "longer"}).commit(110));
    commit(110);
    EXPECT_EQ(rows(), "1|32767 2|2");
    for (ColumnSchema& column : shape.columns) column.on_mismatch = OnMismatch::stop;
    EXPECT_ERROR(refused, static_cast<void>(follower_->check_tables({share(shape)}, {}, nullptr)), "integers outside its range");
}

TEST_F(PgQuarantineTest, ACopyThatStartsAgainBeginsWithAnEmptySideTable) {
    const auto table = share(numbers(OnMismatch::quarantine));
    copy({table}, Events{}.insert(table, {1, "x", "a"}).insert(table, {2, "y", "b"}));
    EXPECT_EQ(quarantined(), "1 n TEXT, 2 n TEXT");
    connect();
    FollowerOptions again;
    again.on_existing = OnExisting::truncate;
    follower_->start_copy(checkpoint({table}), {table}, again);
    EXPECT_EQ(quarantined(), "");
    {
        const auto target = follower_->copy_into(table);
        target->write(Events{}.insert(table, {1, "x", "a"}).get());
        target->finish();
    }
    EXPECT_EQ(quarantined(), "1 n TEXT");
    connect();
    follower_->start_copy(checkpoint({table}), {table}, again);
    EXPECT_EQ(quarantined(), "");
}

TEST_F(PgQuarantineTest, TruncateClearsAndDropRemoves) {
    const auto table = share(numbers(OnMismatch::quarantine));
    const auto second = share(numbers(OnMismatch::quarantine, "u"));
    copy({table, second}, Events{}.insert(table, {1, "x", "a"}));
    open();
    apply(Events{}.begin(100).insert(second, {7, "x", "a"}).truncate({table}).insert(table, {1, 5, "a"}).commit(110));
    commit(110);
    EXPECT_EQ(rows(), "1|5|a");
    EXPECT_EQ(quarantined(), "7 n TEXT");
    sink_.reset();
    exec("UPDATE rowferry.quarantine SET stream = 'gone'");
    EXPECT_EQ(fmt::format("{}", fmt::join(follower_->drop("default", true), "; ")),
              "follower: checkpoint of stream default; follower: table rowferry.quarantine; follower: tables rowferry.checkpoint and "
              "rowferry.table_state; follower: schema rowferry");
    exec("UPDATE rowferry.quarantine SET stream = 'default'");
    EXPECT_EQ(follower_->drop("default", false).at(1), "follower: 1 quarantined row(s) of stream default");
    EXPECT_EQ(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'rowferry'"), "0");
    EXPECT_EQ(rows(), "1|5|a");
}

TEST_F(PgQuarantineTest, WhatCannotBeDoneIsRefused) {
    connect();
    const auto check = [&](const TableSchema& table) { static_cast<void>(follower_->check_tables({share(table)}, {}, nullptr)); };
    TableSchema keyless = numbers(OnMismatch::quarantine);
    keyless.primary_key = keyless.identity = {};
    keyless.unique_keys.clear();
    EXPECT_ERROR(refused, check(keyless), "main.t: on-mismatch = quarantine needs a key");
    TableSchema postgresql = test::pg_table("t", {{"id", "integer", true}, {"n", "text"}}, {0});
    postgresql.columns[1].on_mismatch = OnMismatch::null_value;
    EXPECT_ERROR(refused, check(postgresql), "public.t: on-mismatch other than stop is for SQLite leaders");
    const auto table = share(numbers(OnMismatch::quarantine));
    EXPECT_ERROR(refused, follower_->start_clone({table}, {}), "a clone has none");
    EXPECT_EQ(value("SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
}

/// A parent in quarantine while its children are in the table, without the right to set foreign keys aside.
TEST_F(PgQuarantineTest, ForeignKeysToQuarantinedRowsDoNotStopTheStream) {
    if (cluster_.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'plain'") == "0")
        cluster_.exec("postgres", "CREATE ROLE plain LOGIN");
    exec("GRANT CREATE ON DATABASE " + database_ + " TO plain; GRANT ALL ON SCHEMA public TO plain");
    const auto parents = share(numbers(OnMismatch::quarantine, "parents"));
    TableSchema child = numbers(OnMismatch::stop, "children");
    child.foreign_keys.push_back({"", {1}, {"main", "parents"}, {"id"}, "NO ACTION", "CASCADE", false, false});
    const auto children = share(child);
    connect("plain");
    copy({parents, children}, Events{}.insert(parents, {1, "x", "a"}).insert(parents, {2, 2, "b"}));
    EXPECT_EQ(value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'children'::regclass"), "0");
    open();
    apply(Events{}
              .begin(100)
              .insert(children, {1, 1, "of a quarantined row"})
              .insert(children, {2, 2, "of one that leaves"})
              .update(parents, {2, "two", "b"})
              .commit(110));
    commit(110);
    EXPECT_EQ(rows("children"), "1|1|of a quarantined row 2|2|of one that leaves");
    // A key that somebody else made would be in the way: nothing more is committed.
    exec("ALTER TABLE children ADD CONSTRAINT theirs FOREIGN KEY (n) REFERENCES parents DEFERRABLE NOT VALID");
    restart_as("plain");
    EXPECT_ERROR(halted, apply(Events{}.begin(110).commit(115)), "the foreign key theirs of public.children would refuse the rows");
    // With the right they stand aside, and are left as they are.
    restart();
    apply(Events{}.begin(110).insert(children, {3, 1, "c"}).commit(120));
    commit(120);
    EXPECT_EQ(quarantined(), "1 n TEXT, 2 n TEXT");
}

/// A row as the model of the leader knows it.
struct ModelRow {
    test::V id{0}, code{0}, n{0};
};

/// Any table with a NOCASE key and a second unique key, any values, REPLACE as SQLite logs it: without the rows it removed. The follower's
/// table and side table together are always the leader's table.
TEST_F(PgQuarantineTest, TableAndSideTableTogetherAreTheLeadersTable) {
    const auto seed = static_cast<unsigned>(std::random_device{}());
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    TableSchema shape = sqlite_table("t", {{"id", "TEXT", true}, {"code", "TEXT"}, {"n", "INTEGER"}}, {0});
    shape.columns[0].value_class = shape.columns[1].value_class = ValueClass::text;
    shape.columns[2].value_class = ValueClass::integer;
    shape.columns[0].collation = "NOCASE";
    shape.unique_keys.push_back({"t_code", {1}});
    shape.indexes.push_back({"t_code", true, false, {1}, {false}, {"BINARY"}, false, false});
    for (ColumnSchema& column : shape.columns) column.on_mismatch = OnMismatch::quarantine;
    const auto table = share(shape);
    const auto exact = [](const test::V& v) {
        std::string text;
        append_exact(text, v.kind == test::V::Kind::cell ? v.cell : v.kind == test::V::Kind::text ? Cell::text(v.bytes) : Cell::blob(v.bytes));
        return text;
    };
    const auto below = [&](unsigned n) { return random() % n; };
    const auto some_id = [&]() -> test::V {
        const std::string letter(1, static_cast<char>((below(2) == 0 ? 'a' : 'A') + below(12)));
        return below(6) == 0 ? blob(letter) : test::V{letter};
    };
    const auto some_code = [&]() -> test::V {
        if (below(5) == 0) return null();
        const std::string code = "c" + std::to_string(below(15));
        return below(6) == 0 ? blob(code) : test::V{code};
    };
    const auto some_number = [&]() -> test::V { return below(3) == 0 ? test::V{"word"} : test::V{static_cast<int>(below(100))}; };
    const auto folded = [&](const test::V& id) {
        std::string text = exact(id);
        if (id.kind == test::V::Kind::text)
            for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        return text;
    };
    std::map<std::string, ModelRow> model;  // by folded id
    const auto displace = [&](const ModelRow& row) {
        model.erase(folded(row.id));
        if (row.code.kind == test::V::Kind::cell) return;  // NULL
        std::erase_if(model, [&](const auto& entry) { return exact(entry.second.code) == exact(row.code); });
    };

    copy({table});
    open();
    std::uint64_t position = 100;
    for (int round = 0; round < 40; ++round) {
        Events events;
        events.begin(position);
        // Now and then long runs of inserts, which go by COPY.
        const unsigned runs = below(4) == 0 ? 120 : 20;
        for (unsigned i = 0; i < runs; ++i) {
            ModelRow row{some_id(), some_code(), runs > 20 && below(10) != 0 ? test::V{5} : some_number()};
            const unsigned what = runs > 20 ? 0 : below(3);
            if (what == 0 || model.empty()) {
                displace(row);
                model.emplace(folded(row.id), row);
                events.insert(table, {row.id, row.code, row.n});
                continue;
            }
            auto old = std::next(model.begin(), static_cast<std::ptrdiff_t>(below(static_cast<unsigned>(model.size()))));
            const test::V old_id = old->second.id;
            model.erase(old);
            if (what == 1) {
                events.remove(table, {old_id, absent(), absent()});
                continue;
            }
            if (below(2) == 0) row.id = old_id;
            displace(row);
            model.emplace(folded(row.id), row);
            if (exact(row.id) == exact(old_id))
                events.update(table, {row.id, row.code, row.n});
            else
                events.update(table, {old_id, absent(), absent()}, {row.id, row.code, row.n});
        }
        events.commit(position + 10);
        if (below(5) == 0) {
            apply(events);
            restart();  // before the commit: all of it comes again
        }
        apply(events);
        position += 10;
        commit(position);
        if (below(5) == 0) restart();

        std::string fits;
        std::string out;
        std::map<std::string, std::string> lines;
        std::size_t misfits = 0;
        for (const auto& [key, row] : model) {
            const auto is_text = [](const test::V& v) { return v.kind == test::V::Kind::text; };
            const auto is_null = [](const test::V& v) { return v.kind == test::V::Kind::cell && v.cell.is_null(); };
            if (is_text(row.id) && (is_text(row.code) || is_null(row.code)) && !is_text(row.n))
                lines[row.id.bytes] = fmt::format("{}|{}|{}", row.id.bytes, is_null(row.code) ? "-" : row.code.bytes, row.n.cell.as_integer());
            else
                ++misfits;
        }
        for (const auto& [id, line] : lines) fits += (fits.empty() ? "" : " ") + line;
        ASSERT_EQ(value("SELECT coalesce(string_agg(concat_ws('|', id, coalesce(code, '-'), n), ' ' ORDER BY id COLLATE \"C\"), '') FROM t"), fits)
            << "round " << round;
        ASSERT_EQ(value("SELECT count(*) FROM rowferry.quarantine"), std::to_string(misfits)) << "round " << round;
    }
}

TEST(RowImage, KeepsEveryBit) {
    const TableSchema shape = sqlite_table("t", {{"a\"\n", ""}, {"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}, {"f", ""}}, {0});
    const std::vector<std::vector<Cell>> rows = {
        {Cell::integer(INT64_MIN), Cell::integer(INT64_MAX), Cell::real(-0.0), Cell::real(0.1), Cell::real(5e-324), Cell::real(1e300)},
        {Cell::null(), Cell::text(""), Cell::blob(""), Cell::text(std::string_view{"\0", 1}), Cell::text("\xff\xfe"), Cell::blob("\x80")},
        {Cell::text("ä\"\\\n\x01"), Cell::real(-HUGE_VAL), Cell::real(HUGE_VAL), Cell::text("1"), Cell::real(1), Cell::integer(1)}};
    for (const auto& row : rows) {
        Arena arena;
        const auto back = image_from_json(image_json(shape, {0, 1, 2, 3, 4, 5}, row), shape, arena);
        for (std::size_t i = 0; i < row.size(); ++i) {
            std::string before;
            std::string after;
            append_exact(before, row[i]);
            append_exact(after, back[i]);
            EXPECT_EQ(before, after) << i;
        }
    }
    Arena arena;
    EXPECT_EQ(image_from_json("{}", shape, arena)[0].kind(), CellKind::absent);
    EXPECT_THROW(static_cast<void>(image_from_json(R"({"b":{"float":1}})", shape, arena)), HaltError);
    EXPECT_THROW(static_cast<void>(image_from_json("[", shape, arena)), HaltError);
}

}  // namespace
}  // namespace rowferry
