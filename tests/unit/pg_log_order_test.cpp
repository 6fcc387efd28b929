// Which transactions a log shows, in which order, and where it does not tell: small logs that tell one story each.

#include <chrono>
#include <thread>

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "tests/unit/pg_log_story.h"

namespace rowferry::test {
namespace {

using Told = std::vector<std::string>;

TEST(PgLogOrder, AnUpdateThatWaitsForALockComesAfterTheCommitItWaitedFor) {
    // B's UPDATE stands before the COMMIT of A. That A wrote a line behind its own UPDATE shows that it had the row before B's began.
    StoryLog log;
    log.run('A', "BEGIN").run('A', "UPDATE t SET x = 1 WHERE id = 1").run('A', "SELECT 1");
    log.run('B', "UPDATE t SET x = x + 1 WHERE id = 1");
    log.run('A', "COMMIT").run('B', "SELECT 2").run('A', "SELECT 3");
    const LogRead read = log.read();
    EXPECT_FALSE(read.stopped) << read.what;
    ASSERT_GE(read.told.size(), 2U);
    EXPECT_EQ(read.told[0], "UPDATE t SET x = 1 WHERE id = 1 | SELECT 1 (block)");
    EXPECT_EQ(read.told[1], "UPDATE t SET x = x + 1 WHERE id = 1");
}

TEST(PgLogOrder, WhereTheLockOrderCannotBeToldReadingStops) {
    // The same without the SELECT: B may as well have had the row first, and A have waited for it.
    StoryLog log;
    log.run('A', "BEGIN").run('A', "UPDATE t SET x = 1 WHERE id = 1");
    log.run('B', "UPDATE t SET x = x + 1 WHERE id = 1");
    log.run('A', "COMMIT").run('B', "SELECT 2").run('A', "SELECT 3");
    const LogRead read = log.read();
    EXPECT_EQ(read.stopped, LogStop::order);
    EXPECT_TRUE(read.told.empty());
    EXPECT_NE(read.what.find("pg.log:"), std::string::npos);
    EXPECT_EQ(read.what.find("UPDATE"), std::string::npos) << "statements are not for messages";
}

TEST(PgLogOrder, ADurationLineTellsIt) {
    StoryLog log;
    log.run('A', "BEGIN").done('A').run('A', "UPDATE t SET x = 1 WHERE id = 1").done('A');
    log.run('B', "UPDATE t SET x = x + 1 WHERE id = 1");
    log.run('A', "COMMIT").done('A').done('B');
    EXPECT_EQ(log.read().told, (Told{"UPDATE t SET x = 1 WHERE id = 1 (block)", "UPDATE t SET x = x + 1 WHERE id = 1"}));
}

TEST(PgLogOrder, BlocksOfPgbenchPassThoughTheirCommitsOverlap) {
    // B ends its INSERT and writes its END before A's next line shows that A's END had returned: B had waited for A's row until then.
    StoryLog log;
    log.run('A', "BEGIN").run('B', "BEGIN").run('A', "UPDATE b SET x = x + 1 WHERE id = 1").run('B', "UPDATE b SET x = x + 2 WHERE id = 1");
    log.run('A', "INSERT INTO h VALUES (1)").run('A', "END").run('B', "INSERT INTO h VALUES (2)").run('B', "END").run('B', "BEGIN").run('A', "BEGIN");
    EXPECT_EQ(log.read().told, (Told{"UPDATE b SET x = x + 1 WHERE id = 1 | INSERT INTO h VALUES (1) (block)", "UPDATE b SET x = x + 2 WHERE id = 1 | INSERT INTO h VALUES (2) (block)"}));
}

TEST(PgLogOrder, WhatTouchesDifferentRowsDoesNotWait) {
    StoryLog log;
    log.run('A', "UPDATE t SET x = 1 WHERE id = 1").run('B', "UPDATE t SET x = 1 WHERE id = 2").run('B', "SELECT 1").run('A', "SELECT 2");
    EXPECT_EQ(log.read().told, (Told{"UPDATE t SET x = 1 WHERE id = 2", "UPDATE t SET x = 1 WHERE id = 1", "SELECT 1", "SELECT 2"}));
}

TEST(PgLogOrder, AnotherPredicateThanTheKeyTouchesTheTable) {
    // B's UPDATE ran while A's transaction did, whose row it may have seen or not.
    StoryLog log;
    log.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (7)").run('B', "UPDATE t SET x = 1 WHERE x = 7").run('A', "COMMIT").run('B', "SELECT 1").run('A', "SELECT 2");
    EXPECT_EQ(log.read().stopped, LogStop::order);

    StoryLog apart;
    apart.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (7)").run('A', "COMMIT").run('A', "SELECT 2").run('B', "UPDATE t SET x = 1 WHERE x = 7").run('B', "SELECT 1");
    EXPECT_FALSE(apart.read().stopped);
}

TEST(PgLogOrder, WhatAStatementReadWhileAnotherCommittedIsNotKnown) {
    // B read t before A committed its change and commits after it: commit order does not say what B saw.
    StoryLog log;
    log.run('B', "BEGIN").run('B', "INSERT INTO s SELECT * FROM t");
    log.run('A', "UPDATE t SET x = 1 WHERE id = 1").run('A', "SELECT 1").run('B', "COMMIT").run('B', "SELECT 2");
    const LogRead read = log.read();
    EXPECT_EQ(read.stopped, LogStop::order);
    EXPECT_EQ(read.told, (Told{"UPDATE t SET x = 1 WHERE id = 1"})) << "what came before is given out";
}

TEST(PgLogOrder, InSnapshotIsolationEverythingIsReadAsOfTheFirstStatement) {
    const auto history = [](const std::string& level) {
        StoryLog log;
        log.run('B', "BEGIN ISOLATION LEVEL " + level).run('B', "SELECT 0").run('A', "UPDATE t SET x = 1 WHERE id = 1").run('A', "SELECT 1");
        log.run('B', "INSERT INTO s SELECT * FROM t").run('B', "COMMIT").run('B', "SELECT 2");
        return log.read().stopped;
    };
    EXPECT_EQ(history("READ COMMITTED"), std::nullopt) << "it saw A's change";
    EXPECT_EQ(history("REPEATABLE READ"), LogStop::order) << "its snapshot may be older";
    EXPECT_EQ(history("SERIALIZABLE"), LogStop::order);
}

TEST(PgLogOrder, LinesAfterExecutionAreOrderedByTheirDurations) {
    // B's UPDATE began before A's and waited for nobody; A's waited for it.
    StoryLog log;
    log.ran('A', "BEGIN").pass(100).ran('A', "UPDATE t SET x = 1 WHERE id = 1").pass(500).ran('B', "UPDATE t SET x = 2 WHERE id = 1", 300).ran('A', "COMMIT");
    EXPECT_EQ(log.read().told, (Told{"UPDATE t SET x = 1 WHERE id = 1 (block)", "UPDATE t SET x = 2 WHERE id = 1"})) << "the COMMIT that B waited for is written after B's own line";

    StoryLog close;
    close.ran('A', "UPDATE t SET x = 1 WHERE id = 1", 2).ran('B', "UPDATE t SET x = 2 WHERE id = 1", 2);
    EXPECT_EQ(close.read().stopped, LogStop::order) << "too close for the clock";
}

TEST(PgLogOrder, AFailedStatementIsNoneAndWhoWaitedForItGoesOn) {
    StoryLog log;
    log.run('A', "UPDATE t SET x = 1 WHERE id = 1").run('B', "UPDATE t SET x = 2 WHERE id = 1").fails('A', "UPDATE t SET x = 1 WHERE id = 1").run('B', "SELECT 1");
    EXPECT_EQ(log.read().told, (Told{"UPDATE t SET x = 2 WHERE id = 1", "SELECT 1"}));
}

TEST(PgLogOrder, AStatementIsProvenFromOutsideWhereItsSessionIsSilent) {
    StoryLog log;
    log.run('A', "INSERT INTO t VALUES (1)").run('B', "BEGIN").run('B', "INSERT INTO t VALUES (2)");
    SimpleTouches touches;
    LogReader reader{log.settings(), touches};
    const auto wait_for_end = [&] {
        while (!reader.at_end()) ASSERT_FALSE(reader.next());
    };
    ASSERT_FALSE(reader.next());
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // the last line counts as whole then
    ASSERT_FALSE(reader.next());
    wait_for_end();
    ASSERT_EQ(reader.unproven().size(), 1U) << "B's transaction is open, and no business of this";
    reader.prove(reader.unproven()[0].id);
    const auto given = reader.next();
    ASSERT_TRUE(given);
    EXPECT_EQ(told(*given), "INSERT INTO t VALUES (1)");
    EXPECT_TRUE(reader.unproven().empty());
    const std::string resume = reader.resume();
    EXPECT_EQ(read_log(log.settings(), resume).told, Told{}) << "said again, it is not given twice";
}

TEST(PgLogSessions, OnlyWhatWasCommittedIsGiven) {
    StoryLog log;
    log.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (1)").run('A', "SAVEPOINT a").run('A', "INSERT INTO t VALUES (2)").run('A', "SAVEPOINT a").run('A', "INSERT INTO t VALUES (3)");
    log.run('A', "ROLLBACK TO a").run('A', "RELEASE a").run('A', "ROLLBACK TO a").run('A', "INSERT INTO t VALUES (4)").run('A', "COMMIT");
    log.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (5)").fails('A', "SELECT wrong").run('A', "COMMIT");
    log.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (6)").run('A', "COMMIT").fails('A', "COMMIT").run('A', "INSERT INTO t VALUES (7)");
    log.run('B', "BEGIN").run('B', "INSERT INTO t VALUES (8)").say('B', "disconnection: session time: 0:00:00.1 user=ann database=shop host=[local]").run('A', "SELECT 1");
    EXPECT_EQ(log.read().told, (Told{"INSERT INTO t VALUES (1) | INSERT INTO t VALUES (4) (block)", "INSERT INTO t VALUES (7)", "SELECT 1"}));
}

/// A procedure that committed and then failed: what it committed is on the leader.
TEST(PgLogSessions, AFailedStatementOfSeveralTransactionsIsTakenBackOnlyWhereItWasInItsFirst) {
    const auto fails = [](const std::string& sql, const std::string& at, const std::string& until) {
        StoryLog log;
        log.run('B', "SELECT 1").say('A', "statement: " + sql, at).say('A', "ERROR:  division by zero", until).say('A', "STATEMENT:  " + sql, until).run('A', "SELECT 2");
        return log.read();
    };
    for (const std::string sql : {"CALL p()", "do $$BEGIN COMMIT; PERFORM 1/0; END$$", "CREATE UNIQUE INDEX CONCURRENTLY i ON t (s)", "DROP INDEX CONCURRENTLY i", "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
                                  "ALTER TABLE IF EXISTS pt DETACH PARTITION pt1 CONCURRENTLY"}) {
        const LogRead committed = fails(sql, "3/7", "3/8");
        EXPECT_EQ(committed.stopped, LogStop::outcome_unknown) << sql;
        EXPECT_EQ(committed.line, 2U);
        EXPECT_EQ(fails(sql, "", "").stopped, LogStop::outcome_unknown) << "without virtual transaction ids nobody knows";
        const LogRead rolled_back = fails(sql, "3/7", "3/7");
        EXPECT_FALSE(rolled_back.stopped) << sql << rolled_back.what;
        EXPECT_EQ(rolled_back.told, (Told{"SELECT 1", "SELECT 2"}));
    }
    EXPECT_FALSE(fails("CREATE INDEX i ON t (s)", "", "").stopped);
    EXPECT_FALSE(fails("CALL p(); SELECT 1/0", "3/7", "3/7").stopped) << "with another statement in its message a procedure cannot commit";

    // With its session, and by the extended protocol.
    StoryLog cut;
    cut.say('A', "statement: CALL p()", "3/7").say('A', "FATAL:  terminating connection due to administrator command", "3/8").say('A', "STATEMENT:  CALL p()", "3/8").run('B', "SELECT 1");
    EXPECT_EQ(cut.read().stopped, LogStop::outcome_unknown);
    StoryLog later;
    later.say('A', "statement: CALL p()", "3/7").say('A', "FATAL:  terminating connection due to administrator command", "3/0").run('B', "SELECT 1");
    EXPECT_EQ(later.read().told, (Told{"CALL p()", "SELECT 1"})) << "no statement was running";
    StoryLog extended;
    extended.execute('A', "CALL p()", "3/7").say('A', "ERROR:  canceling statement due to statement timeout", "3/8").say('A', "STATEMENT:  CALL p()", "3/8").run('A', "SELECT 1");
    EXPECT_EQ(extended.read().stopped, LogStop::outcome_unknown) << "run again it would not time out";

    // In a block it cannot commit.
    StoryLog block;
    block.run('A', "BEGIN").run('A', "CALL p()").fails('A', "CALL p()").run('A', "ROLLBACK").run('A', "SELECT 1");
    EXPECT_EQ(block.read().told, (Told{"SELECT 1"}));

    // Where statements have an entry only when they are done, a failed one has none.
    StoryLog after;
    after.ran('B', "SELECT 1").fails('A', "CALL p()").ran('A', "SELECT 2");
    EXPECT_EQ(after.read().stopped, LogStop::outcome_unknown);
    StoryLog unparsed;
    unparsed.run('B', "SELECT 1").fails('A', "CALL p(").run('A', "SELECT 2");
    EXPECT_FALSE(unparsed.read().stopped) << "it was not run";
}

/// DETAIL is of the first EXECUTE, and was looked up before anything of the message ran.
TEST(PgLogSessions, TheTextThatWasPreparedIsThatOfTheFirstExecuteAndOnlyWhereNothingPreparesBeforeIt) {
    const auto told_of = [](const std::string& message) {
        StoryLog log;
        log.run('A', message).say('A', "DETAIL:  prepare: PREPARE p AS old").run('A', "SELECT 1");
        const LogRead read = log.read();
        return read.told.empty() ? read.what : read.told[0];
    };
    EXPECT_EQ(told_of("EXECUTE p"), "EXECUTE p [PREPARE p AS old]");
    EXPECT_EQ(told_of("BEGIN; UPDATE t SET x = 1; execute p(1); COMMIT"), "UPDATE t SET x = 1 + execute p(1) [PREPARE p AS old] (block)");
    EXPECT_EQ(told_of("EXECUTE p; EXECUTE q"), "EXECUTE p [PREPARE p AS old] + EXECUTE q");
    EXPECT_EQ(told_of("DEALLOCATE p; PREPARE p AS UPDATE t SET x = 2; EXECUTE p"), "DEALLOCATE p + PREPARE p AS UPDATE t SET x = 2 + EXECUTE p");
    EXPECT_EQ(told_of("DISCARD PLANS; EXECUTE p"), "DISCARD PLANS + EXECUTE p");
    EXPECT_EQ(told_of("SELECT prepares(); EXECUTE p"), "SELECT prepares() + EXECUTE p");
}

TEST(PgLogSessions, AProcessNumberThatIsUsedAgainIsAnotherSession) {
    LogFolder folder;
    const auto line = [](const std::string& session, int number, const std::string& text) {
        return fmt::format("2026-11-20 12:00:00.000 UTC [5] {} {} ann@shop LOG:  statement: {}\n", session, number, text);
    };
    folder.write("log", line("6f0.5", 1, "BEGIN") + line("6f0.5", 2, "INSERT INTO t VALUES (1)") + line("6ff.5", 1, "INSERT INTO t VALUES (2)") + line("6ff.5", 2, "SELECT 1"));
    LogSettings settings;
    settings.paths = {folder.path("log")};
    settings.database = "shop";
    settings.complete = true;
    settings.line_prefix = "%m [%p] %c %l %u@%d ";
    EXPECT_EQ(read_log(settings).told, (Told{"INSERT INTO t VALUES (2)", "SELECT 1"}));
}

TEST(PgLogSessions, ARestartEndsWhatWasOpenAndACrashLeavesWhatIsNotKnown) {
    StoryLog clean;
    clean.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (1)").run('B', "INSERT INTO t VALUES (2)").server("received fast shutdown request").server("database system is shut down");
    clean.server("database system was shut down at 2026-11-20 12:00:00 UTC");
    EXPECT_EQ(clean.read().told, (Told{"INSERT INTO t VALUES (2)"}));

    StoryLog crash;
    crash.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (1)").server("server process (PID 77) was terminated by signal 9: Killed").server("all server processes terminated; reinitializing");
    crash.server("database system was interrupted; last known up at 2026-11-20 12:00:00 UTC");
    EXPECT_EQ(crash.read().stopped, std::nullopt) << "nothing was about to be committed";

    StoryLog unknown;
    unknown.run('A', "INSERT INTO t VALUES (1)").server("server process (PID 77) was terminated by signal 9: Killed");
    EXPECT_EQ(unknown.read().stopped, LogStop::outcome_unknown);

    StoryLog lost;
    lost.run('A', "INSERT INTO t VALUES (1)").run('A', "SELECT 1").server("starting PostgreSQL 15.4").server("database system was interrupted; last known up at 2026-11-20 12:00:00 UTC");
    EXPECT_EQ(lost.read().stopped, LogStop::outcome_unknown) << "the log's end may have been lost with the machine";
}

TEST(PgLogSessions, WhatCannotBeReadStopsWithFileAndLine) {
    const auto stop = [](const StoryLog& log, LogStop reason, std::uint64_t line) {
        const LogRead read = log.read();
        EXPECT_EQ(read.stopped, reason) << read.what;
        EXPECT_EQ(read.line, line) << read.what;
    };
    stop(StoryLog{}.run('A', "INSERT INTO t VALUES (1)").run('A', "COPY t FROM STDIN").run('A', "SELECT 1"), LogStop::copy_data, 2);
    stop(StoryLog{}.run('A', "INSERT INTO t VALUES (1)").say('A', "fastpath function call: \"lowrite\" (OID 955)").run('A', "SELECT 1"), LogStop::function_call, 2);
    stop(StoryLog{}.execute('A', "INSERT INTO t VALUES ($1)", "3/1"), LogStop::missing_parameters, 1);
    stop(StoryLog{}.execute('A', "INSERT INTO t VALUES ($1)", "3/1").say('A', "DETAIL:  parameters: $1 = 'abc...'", "3/1"), LogStop::missing_parameters, 1);
    stop(StoryLog{}.say('A', "Anweisung: INSERT INTO t VALUES (1)"), LogStop::language, 1);
    stop(StoryLog{}.run('A', "INSERT INTO t VALUES (1); COMMIT; SELECT 1/0").fails('A', "INSERT INTO t VALUES (1); COMMIT; SELECT 1/0"), LogStop::outcome_unknown, 2);
    stop(StoryLog{}.run('A', "INSERT INTO t VALUES (1)").say('A', "ERROR:  of what?"), LogStop::outcome_unknown, 2);
    stop(StoryLog{}.run('A', "COMMIT PREPARED 'unknown'"), LogStop::began_before_log, 1);

    StoryLog rolled_back;
    rolled_back.run('A', "BEGIN").run('A', "COPY t FROM STDIN").run('A', "ROLLBACK").run('A', "SELECT 1");
    EXPECT_FALSE(rolled_back.read().stopped);

    StoryLog gap;
    gap.run('A', "INSERT INTO t VALUES (1)").run('A', "INSERT INTO t VALUES (2)").run('A', "SELECT 1");
    LogSettings settings = gap.settings();
    std::string text = gap.text();
    const std::size_t second = text.find('\n') + 1;
    text.erase(second, text.find('\n', second) + 1 - second);
    LogFolder folder;
    folder.write("log", text);
    settings.paths = {folder.path("log")};
    EXPECT_EQ(read_log(settings).stopped, LogStop::gap);

    settings = gap.settings();
    settings.complete = false;
    EXPECT_EQ(read_log(settings).stopped, LogStop::incomplete) << "log_statement = mod has no BEGIN and no ROLLBACK";

    settings = gap.settings();
    settings.most_waiting = 300;
    EXPECT_EQ(read_log(settings).stopped, LogStop::too_large);
}

TEST(PgLogSessions, WhatBeganBeforeTheLogIsMarkedOrNamed) {
    StoryLog log;
    log.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (1)").run('B', "SELECT 'here it begins'").run('A', "INSERT INTO t VALUES (2)").run('A', "COMMIT").run('B', "INSERT INTO t VALUES (3)").run('B', "SELECT 2");
    LogSettings settings = log.settings();
    settings.begin_behind = "here it begins";
    LogRead read = read_log(settings);
    EXPECT_EQ(read.stopped, LogStop::began_before_log) << read.what;

    settings.open_at_begin = {1000};
    read = read_log(settings);
    EXPECT_FALSE(read.stopped) << read.what;
    EXPECT_EQ(read.told, (Told{"INSERT INTO t VALUES (3)", "SELECT 2"}));
}

TEST(PgLogSessions, AStatementThatRunsOutsideOfABlockWhereReadingBeginsOpensNone) {
    StoryLog log;
    log.say('A', "statement: UPDATE t SET x = slow()", "3/7").say('C', "statement: BEGIN", "5/1").run('B', "SELECT 'here it begins'").say('A', "statement: INSERT INTO t VALUES (2)", "3/8").say('A', "statement: SELECT 2", "3/9");
    log.say('C', "statement: INSERT INTO t VALUES (3)", "5/1").say('C', "statement: COMMIT", "5/1").say('C', "statement: SELECT 3", "5/2").run('B', "SELECT 4");
    LogSettings settings = log.settings();
    settings.begin_behind = "here it begins";
    settings.open_at_begin = {1000, 1002};
    settings.present_at_begin = {1000, 1001, 1002};
    settings.open_transactions = {{1000, "3/7"}, {1002, "5/1"}};
    const LogRead read = read_log(settings);
    EXPECT_EQ(read.told, (Told{"INSERT INTO t VALUES (2)", "SELECT 2", "SELECT 3", "SELECT 4"})) << read.what;
}

/// A pool's sessions are older than the place where reading begins: what they set at their beginning is in force all the same.
TEST(PgLogSessions, WhatSessionsHadSetBeforeReadingBeginsIsKnownOrSaidNotToBe) {
    StoryLog log;
    log.run('A', "SET TimeZone = 'Asia/Tokyo'").run('A', "SELECT 1").run('C', "SELECT 1").run('D', "SET search_path = old").fails('D', "SET search_path = old").run('D', "BEGIN").run('D', "SET DateStyle = 'German'");
    log.run('E', "SET IntervalStyle = 'iso_8601'").run('B', "SELECT 'here it begins'").run('A', "INSERT INTO t VALUES (1)").run('C', "INSERT INTO t VALUES (2)").run('D', "COMMIT").run('D', "INSERT INTO t VALUES (3)");
    log.run('E', "INSERT INTO t VALUES (4)").run('F', "INSERT INTO t VALUES (5)");
    LogSettings settings = log.settings();
    settings.begin_behind = "here it begins";
    settings.open_at_begin.emplace();
    settings.present_at_begin = {1000, 1001, 1002, 1003, 1004};
    const auto known = [](const LogRead& read) {
        std::string text;
        for (const LoggedTransaction& one : read.transactions) text += one.session->settings_known ? '+' : '-';
        return text;
    };
    LogRead read = read_log(settings);
    ASSERT_FALSE(read.stopped) << read.what;
    EXPECT_EQ(read.told, (Told{"INSERT INTO t VALUES (1) with timezone: SET TimeZone = 'Asia/Tokyo'", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)",
                               "INSERT INTO t VALUES (4) with intervalstyle: SET IntervalStyle = 'iso_8601'", "INSERT INTO t VALUES (5)"}));
    EXPECT_EQ(known(read), "++-++") << "what D's open block had set is not known";

    // Sessions that began before log_statement did may have set anything.
    settings.settled_since = std::int64_t{0x691f0001} * 1'000'000;
    EXPECT_EQ(known(read_log(settings)), "----+");
}

TEST(PgLogOrder, TheLevelOfIsolationIsKnownHoweverItWasSet) {
    const auto level = [](const std::vector<std::string>& before, const std::string& inside = "") {
        StoryLog log;
        for (const std::string& sql : before) log.run('A', sql);
        log.run('A', "BEGIN");
        if (!inside.empty()) log.run('A', inside);
        log.run('A', "INSERT INTO t VALUES (1)").run('A', "COMMIT").run('A', "SELECT 1");
        const LogRead read = log.read();
        if (read.stopped) return std::string{read.stopped == LogStop::order ? "stop" : "another stop"};
        for (const LoggedTransaction& one : read.transactions)
            if (one.explicit_block) return one.isolation;
        return std::string{"none"};
    };
    const std::string repeatable = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    EXPECT_EQ(level({repeatable}), "repeatable read");
    EXPECT_EQ(level({repeatable, "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"}), "repeatable read") << "as drivers say when a connection goes back to their pool";
    EXPECT_EQ(level({}, "SET transaction_isolation = 'Repeatable Read'"), "repeatable read");
    EXPECT_EQ(level({}, "SET LOCAL transaction_isolation TO serializable"), "serializable");
    EXPECT_EQ(level({"SET default_transaction_isolation = 'REPEATABLE READ'"}), "repeatable read");
    EXPECT_EQ(level({repeatable, "SET default_transaction_isolation TO DEFAULT"}), "") << "the server's";
    EXPECT_EQ(level({repeatable, "SET default_transaction_isolation = 'read uncommitted'"}), "read committed");
    EXPECT_EQ(level({"SET default_transaction_isolation = E'repeatable read'"}), "stop");
    EXPECT_FALSE(StoryLog{}.run('A', "BEGIN").run('A', "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'").run('A', "SELECT 1").run('A', "COMMIT").run('A', "SELECT 2").read().stopped) << "a dump";
    EXPECT_EQ(level({}, "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'"), "stop");
    EXPECT_EQ(level({}, "SET transaction_isolation TO DEFAULT"), "stop");
}

TEST(PgLogOrder, WhatATransactionTouchesIsAskedAgainBehindADefinition) {
    // B and C ran while D waited for A's commit to be proven, and only D's trigger has B read what C writes.
    class Learning : public SimpleTouches {
    public:
        std::vector<Touch> touches(const LoggedTransaction& transaction) override {
            std::vector<Touch> out = SimpleTouches::touches(transaction);
            for (std::uint32_t i = 0; i < transaction.statements.size(); ++i) {
                const std::string& sql = transaction.statements[i].sql;
                out.push_back({kDefinitionsObject, "", "", TouchMode::reads, sql.starts_with("CREATE TRIGGER"), i});
                if (ran && sql.starts_with("INSERT INTO t")) out.push_back({"s", "", "", TouchMode::reads, false, i});
            }
            return out;
        }
        [[nodiscard]] std::uint64_t generation() const override { return ran ? 1 : 0; }
        bool ran = false;
    };
    StoryLog log;
    log.run('A', "BEGIN").run('A', "INSERT INTO a VALUES (1)").run('D', "BEGIN").run('D', "CREATE TRIGGER x").run('A', "COMMIT").run('D', "COMMIT").run('D', "SELECT 1");
    log.run('B', "INSERT INTO t VALUES (1)").run('C', "INSERT INTO s VALUES (1)").run('C', "SELECT 2").run('B', "SELECT 3").run('A', "SELECT 4");
    for (const bool learns : {false, true}) {
        Learning touches;
        const LogSettings settings = log.settings();
        LogReader reader{settings, touches, {}};
        Told told;
        std::optional<LogStop> stopped;
        try {
            for (bool finished = false;;) {
                const auto transaction = reader.next();
                if (!transaction && finished && reader.at_end()) break;
                if (!transaction) {
                    if (!finished) reader.finish();
                    finished = true;
                    continue;
                }
                told.push_back(transaction->statements.front().sql);
                if (learns && told.back() == "CREATE TRIGGER x") touches.ran = true;
            }
        } catch (const LogError& error) {
            stopped = error.reason();
        }
        if (learns)
            EXPECT_EQ(stopped, LogStop::order) << fmt::format("{}", fmt::join(told, " | "));
        else
            EXPECT_FALSE(stopped) << fmt::format("{}", fmt::join(told, " | "));
    }
}

TEST(PgLogSessions, WhatWouldLeaveStatementsOutOfTheLogStops) {
    EXPECT_EQ(StoryLog{}.run('A', "SELECT 1").server("parameter \"log_statement\" changed to \"mod\"").run('A', "SELECT 2").read().stopped, LogStop::incomplete);
    EXPECT_EQ(StoryLog{}.run('A', "SELECT 1").server("parameter \"DateStyle\" removed from configuration file, reset to default").read().stopped, LogStop::incomplete);
    EXPECT_FALSE(StoryLog{}.run('A', "SELECT 1").server("parameter \"work_mem\" changed to \"8MB\"").run('A', "SELECT 2").read().stopped);
    EXPECT_EQ(StoryLog{}.run('A', "SET log_statement = 'none'").run('A', "SELECT 2").read().stopped, LogStop::incomplete);
    // Somebody shortens his parameters himself.
    StoryLog shortened;
    shortened.run('A', "SET log_parameter_max_length = 3").execute('A', "INSERT INTO t VALUES ($1)", "3/5").say('A', "DETAIL:  Parameters: $1 = 'abc...'", "3/5").run('A', "SELECT 1");
    LogSettings settings = shortened.settings();
    settings.whole_parameters = true;
    EXPECT_EQ(read_log(settings).stopped, LogStop::missing_parameters);
}

}  // namespace
}  // namespace rowferry::test
