// A snapshot and the stream from its position give exactly the leader, whatever is written meanwhile.
#include <atomic>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "tests/unit/sqlite_leader_harness.h"
#include "triggers/sqlite/backup_copy.h"
#include "db/profile_memory.h"

namespace rowferry::test {
namespace {

/// Ends the writer thread also when a test throws.
struct Finally {
    std::function<void()> work;
    ~Finally() { work(); }
};

class SqliteSnapshotTest : public LeaderTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(SqliteSnapshotTest, SnapshotAndStreamAreExactUnderAWriter) {
    open(GetParam());
    table("CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT, n INT)");
    table("CREATE TABLE b(k TEXT NOT NULL, j INT NOT NULL, v BLOB, PRIMARY KEY(k, j)) WITHOUT ROWID");
    table("CREATE TABLE c(x, y)");
    sql("BEGIN");
    for (int i = 0; i < 3000; ++i) sql(fmt::format("INSERT INTO a VALUES({0}, 'row {0}', 0)", i));
    sql("COMMIT");
    std::atomic<bool> done{false};
    std::atomic<int> writes{0};
    std::jthread writer{[&] {
        SqliteDb db{path_};
        db.exec("PRAGMA synchronous = OFF");
        unsigned seed = 1;
        const auto random = [&](unsigned below) { return (seed = seed * 1103515245U + 12345U) / 65536U % below; };
        while (!done) {
            db.exec("BEGIN IMMEDIATE");
            for (int i = 0; i < 10; ++i) {
                switch (random(5)) {
                    case 0: db.exec(fmt::format("INSERT INTO a(v, n) VALUES('new', {})", random(100))); break;
                    case 1:
                        db.exec(fmt::format("UPDATE OR IGNORE a SET n = n + 1, id = id + 100000 * (n % 2) WHERE id = {}", random(3000)));
                        break;
                    case 2: db.exec(fmt::format("DELETE FROM a WHERE id = {}", random(3000))); break;
                    case 3:
                        db.exec(fmt::format("INSERT INTO b VALUES('k', {}, randomblob(9)) ON CONFLICT DO UPDATE SET v = excluded.v",
                                            random(50)));
                        break;
                    default: db.exec(fmt::format("INSERT INTO c VALUES({0}, NULL); DELETE FROM c WHERE rowid = {0}", random(50))); break;
                }
            }
            db.exec(random(6) == 0 ? "ROLLBACK" : "COMMIT");
            ++writes;
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }};
    const Finally finish{[&] { done = true; }};
    while (writes < 20) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    start();
    for (int i = 0; i < 10; ++i) {
        const int before = writes;
        step(3000);
        while (writes < before + 10) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    done = true;
    writer.join();
    catch_up(3000);
    for (const char* name : {"a", "b", "c"}) expect_equal(name);
    EXPECT_NE(operations(), "");
}

INSTANTIATE_TEST_SUITE_P(JournalModes, SqliteSnapshotTest, ::testing::Values("WAL", "DELETE", "TRUNCATE"));

class SqliteSnapshots : public LeaderTest {};

TEST_F(SqliteSnapshots, ALongSnapshotNeverBlocksAWriterInRollbackMode) {
    open("DELETE");
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    sql("INSERT INTO t(v) SELECT randomblob(900) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) SELECT i "
        "FROM n)");
    const auto snapshot = leader_->snapshot(request_);
    snapshot->open_table(snapshot->tables()[0]);
    Batch batch;
    ASSERT_TRUE(snapshot->read_rows(batch, 1000));
    sql("PRAGMA busy_timeout = 0; DELETE FROM t");
    int rows = static_cast<int>(batch.events().size());
    for (bool more = true; more;) {
        batch.clear();
        more = snapshot->read_rows(batch, 100000);
        rows += static_cast<int>(batch.events().size());
    }
    EXPECT_EQ(rows, 3000);
}

TEST_F(SqliteSnapshots, TheCopyEndsAlthoughTheWriterNeverPauses) {
    open("DELETE");
    table("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    sql("INSERT INTO t(v) SELECT randomblob(3000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000) SELECT "
        "i FROM n)");
    std::atomic<bool> done{false};
    std::jthread writer{[&] {
        SqliteDb db{path_};
        while (!done) db.exec("UPDATE t SET v = randomblob(3000) WHERE id = 1");
    }};
    const Finally finish{[&] { done = true; }};
    SqliteDatabase leader{path_, SqliteDatabase::Mode::read_write};
    BackupCopy copy{leader, stop_};
    done = true;
    EXPECT_EQ(copy.database().query_integer("SELECT count(*) FROM t"), 4000);
    EXPECT_EQ(copy.database().query_text("PRAGMA integrity_check"), "ok");
    for (const auto& entry : std::filesystem::directory_iterator{copy_folder()})
        EXPECT_FALSE(entry.path().filename().string().starts_with("rowferry-snapshot-")) << entry.path();
}

TEST_F(SqliteSnapshots, ACloneLeavesNothingBehind) {
    for (const char* mode : {"WAL", "DELETE"}) {
        open(mode);
        sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,2)");
        const std::string before = schema_of_file();
        auto snapshot = leader_->snapshot(request_);
        EXPECT_EQ(snapshot->position(), Position{});
        EXPECT_EQ(snapshot->estimated_rows(*snapshot->tables()[0]), 1U);
        snapshot.reset();
        EXPECT_EQ(schema_of_file(), before);
    }
}

TEST_F(SqliteSnapshots, NextNumbers) {
    open();
    sql("CREATE TABLE plain(id INTEGER PRIMARY KEY); CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE none(id INT "
        "PRIMARY KEY);"
        "CREATE TABLE full(id INTEGER PRIMARY KEY); CREATE TABLE untouched(id INTEGER PRIMARY KEY AUTOINCREMENT);"
        "INSERT INTO plain VALUES(3),(9); DELETE FROM plain WHERE id=9; INSERT INTO counted VALUES(50); DELETE FROM counted; INSERT INTO "
        "full VALUES(9223372036854775807)");
    const auto snapshot = leader_->snapshot(request_);
    std::map<std::string, std::optional<std::int64_t>> next;
    for (const TablePtr& table : snapshot->tables()) next[table->name.name] = snapshot->next_number(*table, 0);
    EXPECT_EQ(next["plain"], 4);
    EXPECT_EQ(next["counted"], 51);
    EXPECT_EQ(next["none"], std::nullopt);
    EXPECT_EQ(next["full"], std::nullopt);
    EXPECT_EQ(next["untouched"], 1);
}

TEST_F(SqliteSnapshots, Profiles) {
    open();
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, flag BOOLEAN, day DATE, mixed, num, js TEXT, empty TEXT);"
        "INSERT INTO t "
        "VALUES(1,0,'2024-02-29',1,'12.50','{}',NULL),(2,1,'2024-03-01','x','-3','[1]',NULL),(3,NULL,NULL,x'00','7',NULL,NULL)");
    request_.need_profiles = true;
    const auto snapshot = leader_->snapshot(request_);
    const std::vector<ColumnSchema>& columns = snapshot->tables()[0]->columns;
    EXPECT_TRUE(columns[1].profile.integers && columns[1].profile.only_zero_or_one && !columns[1].profile.texts);
    EXPECT_TRUE(columns[2].profile.texts && columns[2].profile.only_dates && !columns[2].profile.only_uuids);
    EXPECT_TRUE(columns[3].profile.integers && columns[3].profile.texts && columns[3].profile.blobs && !columns[3].profile.reals);
    EXPECT_TRUE(columns[4].profile.only_numbers && columns[4].profile.texts);
    EXPECT_TRUE(columns[5].profile.only_json && !columns[5].profile.only_dates);
    EXPECT_FALSE(columns[6].profile.texts);
    request_.need_profiles = false;
    EXPECT_EQ(leader_->snapshot(request_)->tables()[0]->columns[1].profile, ColumnProfile{});
}

TEST_F(SqliteSnapshots, ProfilesOfWideTablesAreLookedAtInPieces) {
    open();
    std::string columns;
    std::string values;
    for (int i = 0; i < 205; ++i) {
        columns += ", c" + std::to_string(i);
        values += "," + std::to_string(i);
    }
    sql("CREATE TABLE wide(id INTEGER PRIMARY KEY" + columns + "); INSERT INTO wide VALUES(7" + values + "), (9" + values +
        "); UPDATE wide SET c89 = 'x', c90 = x'00' WHERE id = 9");
    request_.need_profiles = true;
    const auto snapshot = leader_->snapshot(request_);
    const std::vector<ColumnSchema>& found = snapshot->tables()[0]->columns;
    EXPECT_EQ(found[0].profile.least_integer, 7);
    EXPECT_EQ(found[0].profile.most_integer, 9);
    for (std::int64_t i = 0; i < 205; ++i) {
        const ColumnProfile& profile = found[static_cast<std::size_t>(i) + 1].profile;
        EXPECT_EQ(profile.least_integer, i);
        EXPECT_EQ(profile.most_integer, i);
        EXPECT_EQ(profile.texts, i == 89) << i;
        EXPECT_EQ(profile.blobs, i == 90) << i;
    }
}

TEST_F(SqliteSnapshots, ProfilesAreNotLookedAtAgainUntilSomebodyElseCommits) {
    open("WAL");
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 5)");
    ProfileMemory memory{path_};
    StopSignal stop;
    const auto look = [&](const std::string& filter = {}) {
        SqliteTransaction transaction{memory.db(), "DEFERRED"};
        TableSchema table = read_sqlite_table(memory.db(), "t")->schema;
        memory.profile(table, filter, stop);
        return table.columns[1].profile;
    };
    EXPECT_TRUE(look().integers);
    stop.request();  // whoever looks now is interrupted
    EXPECT_TRUE(look().integers);
    memory.db().execute("CREATE TABLE ours(a)");
    EXPECT_TRUE(look().integers);
    EXPECT_THROW((void)look("a >= 5"), InterruptedError);
    sql("INSERT INTO t VALUES(2, 'text')");
    EXPECT_THROW((void)look(), InterruptedError);
}

TEST_F(SqliteSnapshots, AStreamsProfilesAreThoseOfItsOwnPosition) {
    open("WAL");
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 5)");
    request_.need_profiles = true;
    EXPECT_FALSE(leader_->snapshot(request_)->tables()[0]->columns[1].profile.texts);
    sql("INSERT INTO t VALUES(2, 'committed between the check and the snapshot')");
    EXPECT_TRUE(leader_->start(request_)->tables()[0]->columns[1].profile.texts);
}

}  // namespace
}  // namespace rowferry::test
