// Following a SQLite leader: what stops the stream, what does not, pruning, several streams, and drop.
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/sqlite_leader_harness.h"

namespace rowferry::test {
namespace {

class SqliteSource : public LeaderTest {
protected:
    void SetUp() override {
        open();
        table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT)");
        sql("INSERT INTO t VALUES(1,'a',1)");
    }

    void expect_halt(const std::string& message, const std::vector<std::string>& parts) {
        for (const std::string& part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
    }
};

TEST_F(SqliteSource, SchemaChangesStopTheStreamWhileItRunsAndAtTheNextStart) {
    const std::vector<std::pair<std::string, std::string>> changes{
        {"DROP TRIGGER rowferry_1_delete", "our trigger rowferry_1_delete is gone"},
        {"DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT)", "rowferry_1_insert is gone"},
        {"CREATE TABLE n(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT); DROP TABLE t; ALTER TABLE n RENAME TO t",
         "its columns were (id INTEGER, u TEXT, v INT) and are (id INTEGER, u TEXT, v TEXT) now"},
        {"CREATE TABLE n(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME "
         "TO t",
         "rowferry_1_insert is gone"},
        {"CREATE TRIGGER newer AFTER INSERT ON T BEGIN SELECT 1; END", "trigger newer is newer than ours"},
        {"DROP TRIGGER rowferry_1_insert; CREATE TRIGGER rowferry_1_insert AFTER INSERT ON t BEGIN SELECT 1; END", "has another text"},
        {"UPDATE rowferry_stream SET follower_id='x'", "belongs to another follower"},
        {"DELETE FROM rowferry_stream", "no longer knows the stream"},
    };
    for (const auto& [change, reason] : changes) {
        open();
        table("CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT)");
        start();
        sql("INSERT INTO t VALUES(2,'b',2)");
        catch_up();
        sql(change);
        const std::string message = halt_message();
        expect_halt(message, {reason, path_, fmt::format("seq:{}", checkpoint_.position.major), "rowferry drop"});
        expect_halt(follow_message(), {reason});
        source_.reset();
    }
}

TEST_F(SqliteSource, NoChangeAfterADroppedTriggerIsEverEmitted) {
    start();
    sql("BEGIN; INSERT INTO t VALUES(2,'b',2); DROP TRIGGER rowferry_1_insert; INSERT INTO t VALUES(3,'c',3); COMMIT");
    expect_halt(halt_message(), {"rowferry_1_insert is gone"});
    EXPECT_EQ(operations(), "");
}

TEST_F(SqliteSource, HarmlessSchemaChangesGoOn) {
    start();
    sql("CREATE TABLE other(a); CREATE INDEX i ON t(v); CREATE VIEW w AS SELECT 1; ANALYZE; CREATE TRIGGER elsewhere AFTER INSERT ON other "
        "BEGIN DELETE FROM t; END");
    sql("INSERT INTO t VALUES(2,'b',2); VACUUM; REINDEX; INSERT INTO t VALUES(3,'c',3); INSERT INTO other VALUES(1)");
    catch_up();
    EXPECT_EQ(operations(), "IIDDD");
    expect_equal("t");
}

/// A row that REPLACE displaced by a key that neither the follower nor the BEFORE triggers know stayed on the follower for good.
TEST_F(SqliteSource, ANewUniqueKeyIsAStop) {
    start();
    sql("CREATE UNIQUE INDEX uv ON t(v); INSERT OR REPLACE INTO t VALUES(2,'b',1)");
    expect_halt(halt_message(), {"main.t", "a new unique key, index uv"});
}

TEST_F(SqliteSource, AUniqueKeyLessIsReadAgain) {
    sql("CREATE UNIQUE INDEX uv ON t(v)");
    start();
    sql("DROP INDEX uv; INSERT INTO t VALUES(2,'b',2)");
    Batch batch;
    source_->read(batch, 1 << 20, std::chrono::milliseconds{500});
    ASSERT_EQ(batch.events().size(), 3U);
    EXPECT_EQ(std::get<Change>(batch.events()[1]).table->unique_keys.size(), 2U);
}

/// SQLite's own procedure for a change of schema makes the table and its triggers again, word by word, in one transaction.
TEST_F(SqliteSource, ARebuildThatRestoresTheTriggersIsNoticed) {
    start();
    sql("BEGIN; CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 't'; COMMIT");
    std::vector<std::string> triggers;
    for (const char* kind : {"insert", "update", "delete"})
        triggers.push_back(app_->value("SELECT sql FROM sqlite_schema WHERE name = 'rowferry_1_" + std::string{kind} + "'"));
    std::string again = "BEGIN; DROP TRIGGER rowferry_1_insert; DROP TRIGGER rowferry_1_update; DROP TRIGGER rowferry_1_delete; UPDATE t SET v = v + 1;";
    for (const std::string& trigger : triggers) again += trigger + ";";
    sql(again + "COMMIT; DROP TABLE kept");
    expect_halt(halt_message(), {"was dropped and made again"});
}

TEST_F(SqliteSource, TheSealHoldsThroughVacuumAndLaterStreams) {
    start();
    StreamRequest second = request_;
    second.stream = "second";
    (void)leader_->start(second);
    sql("VACUUM; INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    expect_equal("t");
}

TEST_F(SqliteSource, AUniqueIndexThatIdentifiesRowsMustStay) {
    table("CREATE TABLE k(code TEXT NOT NULL, v)");
    sql("CREATE UNIQUE INDEX kc ON k(code)");
    start();
    sql("DROP INDEX kc");
    expect_halt(halt_message(), {"the unique key that identified its rows is gone", "main.k"});
}

TEST_F(SqliteSource, ExactReplaceStopsWhenItsUniqueKeyGoes) {
    sql("CREATE UNIQUE INDEX uv ON t(v)");
    request_.exact_replace = true;
    start();
    sql("INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    sql("DROP INDEX uv");
    expect_halt(halt_message(), {"a unique key that --exact-replace relies on is gone"});
}

TEST_F(SqliteSource, ALostTailIsNoticed) {
    start();
    sql("INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    sql("DELETE FROM rowferry_change WHERE seq >= " + std::to_string(checkpoint_.position.major));
    expect_halt(halt_message(), {"no longer has the last change", "restored from a backup"});
    // The same numbers again, but another history.
    for (int i = 0; i < 20; ++i) sql("INSERT INTO t(v) VALUES(9)");
    expect_halt(follow_message(), {"has another change in the place of the last change"});
}

TEST_F(SqliteSource, ARestoredBackupIsNoticed) {
    start();
    const std::string backup = path_ + ".bak";
    sql("VACUUM INTO '" + backup + "'");
    sql("INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    app_.reset();
    std::filesystem::rename(backup, path_);
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path_ + suffix);  // as a careful administrator does
    expect_halt(halt_message(), {"moved away or replaced"});
    expect_halt(follow_message(), {"no longer has the last change"});
    std::filesystem::remove(path_);
    EXPECT_THROW(follow(), RefusedError);
}

TEST_F(SqliteSource, ARestoreInPlaceIsNoticed) {
    start();
    SqliteDatabase keep{path_ + ".bak", SqliteDatabase::Mode::create};
    const auto copy = [](sqlite3* to, sqlite3* from) {
        sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
        ASSERT_EQ(sqlite3_backup_step(backup, -1), SQLITE_DONE);
        sqlite3_backup_finish(backup);
    };
    copy(keep.handle(), app_->get());
    sql("INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    copy(app_->get(), keep.handle());
    expect_halt(halt_message(), {"no longer has the last change"});
}

TEST_F(SqliteSource, MissingRowsInTheMiddleAreNoticed) {
    start();
    sql("INSERT INTO t VALUES(2,'b',2),(3,'c',3),(4,'d',4)");
    sql("DELETE FROM rowferry_change WHERE seq = " + std::to_string(checkpoint_.position.major + 2));
    expect_halt(halt_message(), {fmt::format("rows {0} to {0} of the change table are missing", checkpoint_.position.major + 2)});
}

TEST_F(SqliteSource, AnotherLeaderAndAForeignAcknowledgementAreNoticed) {
    start();
    source_.reset();
    Checkpoint good = checkpoint_;
    checkpoint_.leader.system = "0123";
    expect_halt(follow_message(), {"another leader", "sqlite:0123"});
    checkpoint_ = good;
    const Position ahead = leader_->mark(request_);
    sql(fmt::format("UPDATE rowferry_stream SET acked_seq = {}", ahead.major));
    expect_halt(follow_message(), {fmt::format("seq:{}", ahead.major), "restored from a backup"});
}

TEST_F(SqliteSource, PruningKeepsTheAcknowledgedRow) {
    start();
    for (int i = 0; i < 1000; ++i) sql(fmt::format("INSERT INTO t(v) VALUES({})", i));
    catch_up();
    source_->report(checkpoint_.position);
    EXPECT_EQ(app_->value("SELECT acked_seq FROM rowferry_stream"), std::to_string(checkpoint_.position.major));
    EXPECT_EQ(app_->value("SELECT acked_tag FROM rowferry_stream"), checkpoint_.resume);
    for (int i = 0; i < 100 && app_->value("SELECT count(*) FROM rowferry_change") != "1"; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
        source_->report(checkpoint_.position);
    }
    EXPECT_EQ(app_->value("SELECT group_concat(seq) FROM rowferry_change"), std::to_string(checkpoint_.position.major));
    follow();
    sql("INSERT INTO t VALUES(5000,'z',2)");
    catch_up();
    expect_equal("t");
}

TEST_F(SqliteSource, AcknowledgingWaitsForNobody) {
    start();
    sql("INSERT INTO t VALUES(2,'b',2)");
    catch_up();
    sql("BEGIN IMMEDIATE");
    const auto began = std::chrono::steady_clock::now();
    source_->report(checkpoint_.position);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds{500});
    sql("COMMIT");
    source_.reset();  // the last word
    EXPECT_EQ(app_->value("SELECT acked_seq FROM rowferry_stream"), std::to_string(checkpoint_.position.major));
}

TEST_F(SqliteSource, TransactionsStayWholeUnderAConcurrentWriter) {
    table("CREATE TABLE ledger(id INTEGER PRIMARY KEY, tx INT, part INT)");
    start();
    std::jthread writer{[&] {
        SqliteDb db{path_};
        for (int tx = 0; tx < 300; ++tx) {
            db.exec("BEGIN IMMEDIATE");
            for (int part = 0; part < 7; ++part) db.exec(fmt::format("INSERT INTO ledger(tx, part) VALUES({}, {})", tx, part));
            db.exec(tx % 5 == 0 ? "ROLLBACK" : "COMMIT");
        }
    }};
    int checked = 0;
    for (int i = 0; i < 400 && checked < 240 * 7; ++i) {
        step(2000);  // a transaction spans several batches
        if (inside_) continue;
        const std::size_t rows = replica_->dump("ledger", "id").size();
        EXPECT_EQ(rows % 7, 0U);
        checked = static_cast<int>(rows);
    }
    writer.join();
    catch_up();
    EXPECT_EQ(replica_->dump("ledger", "id").size(), 240U * 7U);
    EXPECT_GT(commits_, 1);
    expect_equal("ledger");
}

TEST_F(SqliteSource, ANewCommitIsNoticedInMilliseconds) {
    start();
    step();
    auto worst = std::chrono::steady_clock::duration::zero();
    for (int i = 0; i < 20; ++i) {
        std::chrono::steady_clock::time_point committed;
        std::jthread writer{[&] {
            std::this_thread::sleep_for(std::chrono::milliseconds{15});
            committed = std::chrono::steady_clock::now();
            sql(fmt::format("INSERT INTO t(v) VALUES({})", i));
        }};
        Batch batch;
        source_->read(batch, 1 << 20, std::chrono::seconds{2});
        const auto seen = std::chrono::steady_clock::now();
        writer.join();
        ASSERT_EQ(batch.events().size(), 3U);
        worst = std::max(worst, seen - committed);
    }
    EXPECT_LT(worst, std::chrono::milliseconds{500});  // usually one or two; a loaded machine takes longer
}

TEST_F(SqliteSource, StopEndsAWaitAtOnce) {
    start();
    step();
    std::jthread stopper{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{30});
        stop_.request();
    }};
    Batch batch;
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THROW(source_->read(batch, 1 << 20, std::chrono::seconds{20}), InterruptedError);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{2});
}

TEST_F(SqliteSource, TheSecondReaderIsRefused) {
    start();
    EXPECT_THROW((void)leader_->follow(request_, checkpoint_), RefusedError);
    EXPECT_THROW((void)leader_->drop("default", true), RefusedError);
    EXPECT_THROW((void)leader_->drop(std::nullopt, false), RefusedError);
    source_.reset();
    EXPECT_FALSE(leader_->drop("default", true).empty());
    follow();
}

TEST_F(SqliteSource, TheLockOfTheApplicationSurvivesOurOwnOpens) {
    // Closing a descriptor of the file would drop SQLite's POSIX locks in this process.
    sql("PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE");
    for (int i = 0; i < 3; ++i) (void)leader_->drop(std::nullopt, true);
    try {
        leader_->check(request_, leader_->select_tables(request_));
    } catch (const RetryableError&) {
    }
    const pid_t child = ::fork();
    if (child == 0) {
        sqlite3* db = nullptr;
        sqlite3_open(path_.c_str(), &db);
        ::_exit(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_BUSY ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    sql("COMMIT");
}

TEST_F(SqliteSource, TwoStreamsWithDifferentTables) {
    table("CREATE TABLE a(id INTEGER PRIMARY KEY, v1, v2, v3, v4, v5)");
    request_.selection.excluded.emplace_back("a");
    start();
    StreamRequest second;
    second.stream = "second";
    second.follower_id = "f2";
    second.selection.tables.emplace_back("a");
    auto snapshot = leader_->start(second);
    Checkpoint other = checkpoint_;
    other.stream = "second";
    other.follower_id = "f2";
    other.position = other.acked = snapshot->position();
    other.resume = snapshot->resume();
    other.tables = {{snapshot->tables()[0]->name, {}, *snapshot->tables()[0]}};
    snapshot.reset();
    auto source = leader_->follow(second, other);
    sql("INSERT INTO a VALUES(1,1,2,3,4,5); INSERT INTO t VALUES(2,'b',2)");
    Batch batch;
    source->read(batch, 1 << 20, std::chrono::milliseconds{500});
    ASSERT_EQ(batch.events().size(), 3U);
    EXPECT_EQ(std::get<Change>(batch.events()[1]).table->name.name, "a");
    catch_up();
    EXPECT_EQ(operations(), "I");
    expect_equal("t");
    EXPECT_FALSE(leader_->caught_up(second, other));
    EXPECT_TRUE(leader_->caught_up(request_, checkpoint_));

    // Only the other stream has work: the position is passed on all the same, so that the log can be pruned.
    sql("INSERT INTO a(v1) VALUES(7)");
    const Position before = checkpoint_.position;
    for (int i = 0; i < 30 && checkpoint_.position == before; ++i) step();
    EXPECT_GT(checkpoint_.position, before);
    EXPECT_EQ(operations(), "");
    source_->report(checkpoint_.position);
    EXPECT_EQ(app_->value("SELECT count(*) FROM rowferry_change WHERE seq < (SELECT min(acked_seq) FROM rowferry_stream)"), "0");
    EXPECT_NE(app_->value("SELECT min(acked_seq) FROM rowferry_stream"), std::to_string(checkpoint_.position.major));

    source_.reset();
    std::string removed;
    for (const std::string& line : leader_->drop("default", false)) removed += line + "\n";
    EXPECT_EQ(removed, "stream default\ntrigger rowferry_1_insert on t\ntrigger rowferry_1_update on t\ntrigger rowferry_1_delete on t\n");
    sql("INSERT INTO t VALUES(3,'c',3); INSERT INTO a(v1) VALUES(8)");
    batch.clear();
    source->read(batch, 1 << 20, std::chrono::milliseconds{500});
    EXPECT_EQ(batch.events().size(), 4U);
}

TEST_F(SqliteSource, ANewStreamDoesNotHideAGapFromAnother) {
    start();
    source_.reset();
    sql("DROP TRIGGER rowferry_1_insert; INSERT INTO t VALUES(2,'b',2)");
    StreamRequest second = request_;
    second.stream = "second";
    (void)leader_->start(second);
    sql("INSERT INTO t VALUES(3,'c',3)");
    expect_halt(follow_message(), {"main.t: our trigger rowferry_1_insert is gone"});
}

TEST_F(SqliteSource, LaterStreamsKeepTheKeyThatIsLogged) {
    table("CREATE TABLE k(code TEXT NOT NULL, v)");
    start();
    sql("CREATE UNIQUE INDEX kc ON k(code)");
    StreamRequest second = request_;
    second.stream = "second";
    auto snapshot = leader_->start(second);
    EXPECT_TRUE(snapshot->tables()[0]->identity.empty());
    sql("DROP INDEX kc; INSERT INTO k VALUES('a',1); UPDATE k SET v=2");
    catch_up();
    EXPECT_EQ(operations(), "IU");
    expect_equal("k");
}

TEST_F(SqliteSource, AnotherFollowersStreamIsNotTouched) {
    start();
    StreamRequest thief = request_;
    thief.follower_id = "f2";
    EXPECT_THROW(leader_->check(thief, leader_->select_tables(thief)), RefusedError);
    EXPECT_THROW((void)leader_->start(thief), RefusedError);
    catch_up();
}

TEST_F(SqliteSource, AnUnfinishedStartIsTakenOver) {
    table("CREATE TABLE a(id INTEGER PRIMARY KEY)");
    (void)leader_->start(request_);
    sql("INSERT INTO t VALUES(2,'b',2)");
    request_.selection.tables.emplace_back("t");
    start();
    EXPECT_EQ(app_->value("SELECT group_concat(name) FROM sqlite_schema WHERE type='trigger' AND tbl_name='a'"), "");
    sql("INSERT INTO t VALUES(3,'c',3); INSERT INTO a VALUES(1)");
    catch_up();
    expect_equal("t");
}

TEST_F(SqliteSource, DropLeavesTheFileAsItWas) {
    sql("CREATE TABLE wide(a,b,c,d,e,f,g,h,UNIQUE(a,b)); CREATE TRIGGER mine AFTER INSERT ON t BEGIN INSERT INTO wide(a) VALUES(1); END");
    const std::string before = schema_of_file();
    request_.exact_replace = true;
    (void)leader_->start(request_);
    StreamRequest second = request_;
    second.stream = "second";
    second.exact_replace = false;
    (void)leader_->start(second);
    for (int i = 0; i < 300; ++i) sql(fmt::format("INSERT INTO t(v) VALUES({})", i));
    const std::string installed = schema_of_file();
    const auto planned = leader_->drop(std::nullopt, true);
    EXPECT_EQ(schema_of_file(), installed);
    const auto removed = leader_->drop(std::nullopt, false);
    EXPECT_EQ(planned.size(), removed.size());
    EXPECT_EQ(schema_of_file(), before);
    EXPECT_EQ(app_->value("PRAGMA integrity_check"), "ok");
    EXPECT_TRUE(leader_->drop(std::nullopt, false).empty());
    EXPECT_EQ(leader_->identify().system, "");
    EXPECT_EQ(leader_->current_position(), Position{});
}

TEST_F(SqliteSource, RefusalsBeforeTheFirstWrite) {
    const std::string before = schema_of_file();
    StreamRequest request = request_;
    request.selection.tables.emplace_back("nosuch*");
    EXPECT_THROW((void)leader_->select_tables(request), RefusedError);
    request.selection.tables.clear();
    request.selection.excluded.emplace_back("*");
    EXPECT_THROW((void)leader_->select_tables(request), RefusedError);
    EXPECT_THROW((void)make_sqlite_trigger_leader(path_ + ".missing", stop_)->identify(), RefusedError);

    std::string columns = "c0";
    for (int i = 1; i < 1500; ++i) columns += fmt::format(",c{}", i);
    sql("CREATE TABLE wide(" + columns + ")");
    EXPECT_THROW(leader_->check(request_, leader_->select_tables(request_)), RefusedError);
    sql("DROP TABLE wide; CREATE TABLE rowferry_checkpoint(state TEXT); INSERT INTO rowferry_checkpoint VALUES('copying')");
    EXPECT_THROW(leader_->check(request_, leader_->select_tables(request_)), RefusedError);
    sql("DELETE FROM rowferry_checkpoint");
    EXPECT_NO_THROW(leader_->check(request_, leader_->select_tables(request_)));
    sql("DROP TABLE rowferry_checkpoint; CREATE TABLE rowferry_change(x)");
    EXPECT_THROW(leader_->check(request_, leader_->select_tables(request_)), RefusedError);
    sql("DROP TABLE rowferry_change");
    EXPECT_EQ(schema_of_file(), before);
}

TEST_F(SqliteSource, ABusyFileIsTriedAgainAndThenGivenUp) {
    sql("BEGIN IMMEDIATE");
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THROW((void)leader_->start(request_), RetryableError);
    EXPECT_GT(std::chrono::steady_clock::now() - began, std::chrono::seconds{4});
    sql("COMMIT");
    start();
}

}  // namespace
}  // namespace rowferry::test
