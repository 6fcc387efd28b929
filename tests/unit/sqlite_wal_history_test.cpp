// Random histories on a SQLite leader, decoded from its write-ahead log and compared after every commit with all of its tables as SQLite itself reads them. A row that
// goes must have been there, an update must change something, no unique key may be there twice in between, and what goes and what comes have no row
// in common: the net change, and nothing but it.
//
// A short run takes a few seconds. ROWFERRY_CASES sets the number of histories (with ROWFERRY_LONG 500); ROWFERRY_SEED repeats a run, and a failure names the
// seed of its history: ROWFERRY_SEED=<that> ROWFERRY_CASES=1.

#include <cstdlib>
#include <iostream>

#include "tests/support/random.h"
#include "tests/unit/sqlite_wal_harness.h"

namespace rowferry::test {
namespace {

constexpr int kFewCases = 8;

int cases() {
    if (const char* given = std::getenv("ROWFERRY_CASES")) return std::stoi(given);
    return std::getenv("ROWFERRY_LONG") != nullptr ? 500 : kFewCases;
}

std::uint64_t first_seed() {
    if (const char* given = std::getenv("ROWFERRY_SEED")) return std::strtoull(given, nullptr, 10);
    const bool campaign = std::getenv("ROWFERRY_CASES") != nullptr || std::getenv("ROWFERRY_LONG") != nullptr;
    return campaign ? std::random_device{}() : 20261120;
}

struct Settings {
    int page_size;
    int auto_vacuum;
    int secure_delete;
    int cache;
    std::string encoding;
    bool ddl;
    DecodeLimits limits;  ///< So low that whatever does not fit into memory at once is exercised, too.
};

Settings draw_settings(Random& random) {
    return {random.pick(std::vector{512, 1024, 4096, 4096, 8192, 65536}), random.pick(std::vector{0, 0, 1, 2}), random.below(2), random.pick(std::vector{10, 50, 2000}),
            random.pick(std::vector<std::string>{"UTF-8", "UTF-8", "UTF-16le", "UTF-16be"}), random.chance(60),
            random.chance(50) ? DecodeLimits{} : DecodeLimits{static_cast<std::size_t>(1 + random.below(30)), static_cast<std::size_t>(1 + random.below(200)), static_cast<std::size_t>(1 + random.below(60))}};
}

const char* const kSchema = R"(
CREATE TABLE a (id INTEGER PRIMARY KEY, n INT, r REAL, t TEXT, b BLOB); CREATE INDEX a_n ON a (n); CREATE INDEX a_t ON a (t);
CREATE TABLE nopk (x, y, z);
CREATE TABLE wr (k1 TEXT, k2 INT, v BLOB, w REAL, PRIMARY KEY (k2, k1)) WITHOUT ROWID;
CREATE TABLE wide (v, k BLOB, PRIMARY KEY (k DESC)) WITHOUT ROWID;
CREATE TABLE uq (id INTEGER PRIMARY KEY AUTOINCREMENT, u TEXT UNIQUE, v);
CREATE TABLE named (k TEXT NOT NULL PRIMARY KEY, v, w UNIQUE);
CREATE TABLE big (id INTEGER PRIMARY KEY, p BLOB, q TEXT);
CREATE TABLE g (id INTEGER PRIMARY KEY, a INT, v INT AS (a * 2) VIRTUAL, s TEXT AS ('s' || a) STORED, z REAL DEFAULT 1);
CREATE TABLE st (id TEXT PRIMARY KEY, a ANY, b INTEGER) STRICT;
)";

/// One application, which does what applications do.
class Application {
public:
    Application(SqliteDb& db, Random random) : db_{db}, random_{random} {}

    void operate() {
        switch (random_.below(34)) {
            case 0: case 1: case 2: case 3: case 4: case 5:
                run(fmt::format("INSERT INTO a (n, r, t, b) VALUES ({}, {}, {}, {})", random_.below(1000), value(), value(), value()));
                break;
            case 6: run(fmt::format("INSERT OR IGNORE INTO a (id, n, t) VALUES ({}, 1, 'x')", random_.chance(50) ? random_.below(3000) - 5 : static_cast<std::int64_t>(random_.bits() >> 2))); break;
            case 7: case 8: case 9:
                run(fmt::format("UPDATE a SET {} = {} WHERE id = {}", random_.pick(std::vector<const char*>{"n", "r", "t", "b"}), value(), some_row("a")));
                break;
            case 10: run(fmt::format("UPDATE OR IGNORE a SET id = {} WHERE id = {}", random_.below(5000), some_row("a"))); break;
            case 11: case 12: run(fmt::format("DELETE FROM a WHERE id = {}", some_row("a"))); break;
            case 13: case 14: run(fmt::format("INSERT INTO nopk (x, y, z) VALUES ({}, {}, {})", value(), value(), value(true))); break;
            case 15: run(fmt::format("DELETE FROM nopk WHERE rowid = {}", some_row("nopk"))); break;
            case 16: run(fmt::format("UPDATE nopk SET x = {} WHERE rowid = {}", random_.below(3), some_row("nopk"))); break;
            case 17: case 18:
                run(fmt::format("INSERT OR REPLACE INTO wr VALUES ('{}{}', {}, {}, {})", random_.pick(std::vector<const char*>{"a", "b", "c"}), random_.below(60), random_.below(50), value(true), random_.below(9)));
                break;
            case 19: run(fmt::format("DELETE FROM wr WHERE k2 = {}", random_.below(50))); break;
            case 20: run(fmt::format("UPDATE OR REPLACE wr SET k1 = k1 || 'z' WHERE k2 = {}", random_.below(50))); break;
            case 21: case 22:
                run(fmt::format("INSERT OR REPLACE INTO uq (id, u, v) VALUES ({}, '{}', {})", random_.chance(50) ? "NULL" : std::to_string(random_.below(300)), random_.below(200), value()));
                break;
            case 23: run(fmt::format("INSERT INTO big (p, q) VALUES (randomblob({}), {})", random_.pick(std::vector{10, 5000, 40000}), value(true))); break;
            case 24: write_blob(); break;
            case 25: run(fmt::format("UPDATE big SET p = CAST(substr(p, 1, length(p) - 3) || randomblob(3) AS BLOB) WHERE id = {}", some_row("big"))); break;
            case 26: run(fmt::format("DELETE FROM big WHERE id = {}", some_row("big"))); break;
            case 27: run(fmt::format("INSERT INTO g (a, z) VALUES ({}, {})", random_.below(99), random_.pick(std::vector<const char*>{"1", "2.5", "NULL", "7"}))); break;
            case 28: run(fmt::format("INSERT OR REPLACE INTO st VALUES ('{}', {}, {})", random_.below(50), value(), random_.bits() >> 24)); break;
            case 29: run(fmt::format("UPDATE g SET a = a + 1 WHERE id % 7 = {}", random_.below(7))); break;
            case 30: run(fmt::format("INSERT OR REPLACE INTO named VALUES ('{}', {}, {})", random_.below(80), value(), random_.chance(30) ? "NULL" : std::to_string(random_.below(40)))); break;
            case 31: swap_named(); break;
            case 32: run(fmt::format("INSERT OR REPLACE INTO wide VALUES ({}, CAST({} || '{}' AS BLOB))", value(), random_.below(100), std::string(static_cast<std::size_t>(random_.below(900)), 'k'))); break;
            default: run(fmt::format("DELETE FROM wide WHERE k < CAST({} AS BLOB)", random_.below(30))); break;
        }
    }

    /// A transaction, perhaps with savepoints, perhaps taken back.
    void transact() {
        db_.exec("BEGIN");
        const int operations = random_.pick(std::vector{1, 1, 3, 10, 150});
        for (int i = 0; i < operations; ++i) {
            operate();
            if (!random_.chance(3)) continue;
            db_.exec("SAVEPOINT s");
            for (int j = random_.below(30); j > 0; --j) operate();
            if (random_.chance(70)) db_.exec("ROLLBACK TO s");
            db_.exec("RELEASE s");
        }
        db_.exec(random_.chance(8) ? "ROLLBACK" : "COMMIT");
    }

    void change_schema() {
        const int number = ++schema_changes_;
        const auto made = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'x[0-9]*'");
        switch (random_.below(15)) {
            case 0: run(fmt::format("CREATE TABLE x{} AS SELECT id, n, t FROM a", number)); break;
            case 1: if (!made.empty()) run("DROP TABLE " + random_.pick(made)); break;
            case 2: run(fmt::format("ALTER TABLE a ADD COLUMN c{} INT DEFAULT {}", number, random_.pick(std::vector<const char*>{"7", "NULL", "1.5"}))); break;
            case 3: run(fmt::format("ALTER TABLE nopk ADD COLUMN c{} TEXT DEFAULT 'dé'", number)); break;
            case 4: if (!made.empty()) run(fmt::format("ALTER TABLE {} RENAME TO x{}r", random_.pick(made), number)); break;
            case 5: case 6: run("VACUUM"); break;
            case 7: run("DELETE FROM " + std::string{random_.pick(std::vector<const char*>{"nopk", "uq", "big", "wr"})}); break;
            case 8: run(fmt::format("CREATE INDEX i{} ON {}", number, random_.pick(std::vector<const char*>{"nopk (x)", "uq (v)", "big (q)", "wr (v)"}))); break;
            case 9: drop_column(); break;
            case 10: {
                const auto indexes = names("SELECT name FROM sqlite_schema WHERE type = 'index' AND name GLOB 'i[0-9]*'");
                if (!indexes.empty()) run("DROP INDEX " + random_.pick(indexes));
                break;
            }
            case 11:
                db_.exec("BEGIN");
                run("DROP TABLE IF EXISTS xx; CREATE TABLE xx (id INTEGER PRIMARY KEY, v REAL)");
                for (int i = random_.below(300); i > 0; --i) run(fmt::format("INSERT INTO xx (v) VALUES ({}.5)", random_.below(100)));
                for (int i = random_.below(20); i > 0; --i) operate();
                db_.exec("COMMIT");
                break;
            case 12:
                if (made.empty()) break;
                db_.exec(fmt::format("BEGIN; ALTER TABLE {0} RENAME TO x{1}o; CREATE TABLE {0} AS SELECT * FROM x{1}o WHERE rowid % 3 > 0", random_.pick(made), number));
                db_.exec("COMMIT");
                break;
            case 13:
                if (made.size() < 2) break;
                db_.exec(fmt::format("BEGIN; ALTER TABLE {0} RENAME TO swapping; ALTER TABLE {1} RENAME TO {0}; ALTER TABLE swapping RENAME TO {1}; COMMIT", made.front(), made.back()));
                break;
            default: run(fmt::format("PRAGMA incremental_vacuum({})", random_.below(20))); break;
        }
    }

private:
    void run(const std::string& sql) { db_.try_exec(sql); }

    std::vector<std::string> names(const std::string& sql) {
        std::vector<std::string> result;
        for (const SqliteRow& row : db_.query(sql)) result.push_back(std::get<std::string>(row[0]));
        return result;
    }

    std::string some_row(const std::string& table) {
        const auto rows = db_.query(fmt::format("SELECT rowid FROM {0} LIMIT 1", table));
        if (rows.empty()) return "NULL";
        const auto count = std::get<std::int64_t>(db_.query("SELECT count(*) FROM " + table)[0][0]);
        return db_.value(fmt::format("SELECT rowid FROM {} LIMIT 1 OFFSET {}", table, random_.below(static_cast<int>(count))));
    }

    std::string value(bool large = false) {
        switch (random_.below(10)) {
            case 0: return "NULL";
            case 1: case 2:
                return random_.pick(std::vector<std::string>{"0", "1", "-1", "127", "128", "-129", "32767", "8388608", "-8388609", "2147483648", "140737488355328", "-140737488355329",
                                                             "9223372036854775807", "-9223372036854775808", std::to_string(random_.bits() >> 24)});
            case 3: case 4: return random_.pick(std::vector<std::string>{"0.0", "1.0", "-2.0", "1e300", "9e999", "0.1", "1e15", "123456789.0"});
            case 5: case 6: case 7: {
                std::string text = "'" + std::string(random_.below(2) == 0 ? "é🦊" : "");
                for (int i = random_.below(large ? 9000 : 30); i > 0; --i) text += static_cast<char>('a' + random_.below(6));
                return text + "'";
            }
            default: return fmt::format("randomblob({})", random_.below(large ? random_.pick(std::vector{100, 3000, 20000}) : 40) + 1);
        }
    }

    /// Same-size writes deep inside a chain of overflow pages: the page of the row's cell is not written.
    void write_blob() {
        const std::string id = some_row("big");
        if (id == "NULL") return;
        const std::int64_t size = std::stoll(db_.value("SELECT length(p) FROM big WHERE id = " + id));
        sqlite3_blob* blob = nullptr;
        if (size < 4000 || sqlite3_blob_open(db_.get(), "main", "big", "p", std::stoll(id), 1, &blob) != SQLITE_OK) return;
        const auto bytes = static_cast<std::uint16_t>(random_.bits());
        sqlite3_blob_write(blob, &bytes, 2, static_cast<int>(random_.bits() % static_cast<std::uint64_t>(size - 3)));
        sqlite3_blob_close(blob);
    }

    void swap_named() {
        const std::string left = some_row("named");
        const std::string right = some_row("named");
        if (left == "NULL" || left == right) return;
        const bool alone = !db_.try_exec("SAVEPOINT swap");
        if (alone) return;
        const std::string left_key = db_.value("SELECT quote(k) FROM named WHERE rowid = " + left);
        const std::string right_key = db_.value("SELECT quote(k) FROM named WHERE rowid = " + right);
        run("UPDATE named SET k = 'between' WHERE rowid = " + left);
        run(fmt::format("UPDATE named SET k = {} WHERE rowid = {}", left_key, right));
        run(fmt::format("UPDATE named SET k = {} WHERE rowid = {}", right_key, left));
        db_.exec("RELEASE swap");
    }

    void drop_column() {
        const auto columns = names("SELECT name FROM pragma_table_info('a') WHERE name GLOB 'c[0-9]*'");
        if (!columns.empty()) run("ALTER TABLE a DROP COLUMN " + random_.pick(columns));
    }

    SqliteDb& db_;
    Random random_;
    int schema_changes_ = 0;
};

/// Is there a row that goes as well as comes? Among more updates than are remembered that is not looked for.
void expect_net(const SeenCommit& seen, const DecodeLimits& limits) {
    if (seen.shapes_changed) return;
    for (const auto& [table, images] : seen.images) {
        const auto some = [&](const std::string& operation) {
            return std::any_of(seen.lines.begin(), seen.lines.end(), [&, &name = table](const std::string& line) { return line.starts_with(operation + " " + name + " "); });
        };
        if (images.first.size() + images.second.size() > limits.changes && !(some("D") && some("I"))) continue;
        std::vector<PackedRow> both;
        std::set_intersection(images.first.begin(), images.first.end(), images.second.begin(), images.second.end(), std::back_inserter(both));
        EXPECT_TRUE(both.empty()) << "a row of " << table << " goes and comes again";
    }
}

/// `away`: several commits are seen as one, by the pages that differ.
std::size_t run_history(std::uint64_t seed, int steps, bool away) {
    Random random{seed};
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed | 1), nullptr);  // randomblob()
    const Settings settings = draw_settings(random);
    SCOPED_TRACE(fmt::format("repeat with ROWFERRY_SEED={} ROWFERRY_CASES=1: pages of {} bytes, auto_vacuum {}, secure_delete {}, cache of {} pages, {}", seed, settings.page_size, settings.auto_vacuum,
                             settings.secure_delete, settings.cache, settings.encoding));
    WalLeader leader{fmt::format("PRAGMA encoding = '{}'; PRAGMA page_size = {}; PRAGMA auto_vacuum = {}", settings.encoding, settings.page_size, settings.auto_vacuum)};
    leader.db().exec(fmt::format("PRAGMA secure_delete = {}; PRAGMA cache_size = {}", settings.secure_delete, settings.cache));
    leader.db().exec(kSchema);
    Application application{leader.db(), random.fork()};
    for (int i = random.below(400); i > 0; --i) application.operate();
    leader.start();
    WalReplica replica{leader, settings.limits};
    std::size_t changes = 0;
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
        if (settings.ddl && random.chance(12))
            application.change_schema();
        else
            application.transact();
        const auto budget = static_cast<std::size_t>(random.pick(std::vector{200, 4096, 1'000'000}));
        if (away) {
            if (random.chance(70)) continue;
            const SeenCommit seen = replica.catch_up(budget);
            expect_net(seen, settings.limits);
            changes += seen.lines.size();
        }
        for (const SeenCommit& seen : replica.follow(budget)) {
            expect_net(seen, settings.limits);
            changes += seen.lines.size();
        }
        replica.expect_equal();
        if (::testing::Test::HasFailure()) std::cout << "step " << step << std::endl;
    }
    return changes;
}

void run_histories(bool away) {
    const std::uint64_t first = first_seed();
    std::cout << "repeat with ROWFERRY_SEED=" << first << std::endl;
    const int steps = cases() == kFewCases ? 40 : 100;
    std::size_t changes = 0;
    for (int i = 0; i < cases() && !::testing::Test::HasFailure(); ++i) changes += run_history(first + static_cast<std::uint64_t>(i), steps, away);
    std::cout << changes << " changes in " << cases() << " histories" << std::endl;
    EXPECT_GT(changes, 100U);
}

TEST(SqliteWalHistory, EveryCommitOfRandomHistoriesIsItsExactNetChange) { run_histories(false); }

TEST(SqliteWalHistory, SeveralCommitsSeenAsOneAreTheirExactNetChange) { run_histories(true); }

}  // namespace
}  // namespace rowferry::test
