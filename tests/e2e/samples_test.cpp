// Real databases, copied to followers of both engines and followed through a thousand random changes of every table. ROWFERRY_DATA names a
// folder with them (tests/support/samples.h); a music store and a grown application of our own run always.

#include <filesystem>

#include <fmt/format.h>

#include "tests/support/history.h"
#include "tests/support/samples.h"
#include "tests/support/stream_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

namespace fs = std::filesystem;

class SampleTest : public StreamTest {
protected:
    static void SetUpTestSuite() {
        if (data_folder().empty()) fmt::print("ROWFERRY_DATA is not set: only the built-in samples run\n");
    }

    /// Copies the leader to a follower of each engine, compares, changes it, follows, compares.
    void replicate(const Database& leader, int changes) {
        const Database followers[] = {Database::postgresql(PgCluster::shared(), "sample_follower"), Database::sqlite("follower")};
        const auto options = [&](const Database& follower) {
            std::vector<std::string> all{"--stream", follower.is_postgresql() ? "pg" : "lite"};
            if (leader.is_postgresql()) all.insert(all.end(), {"--keyless", "full"});
            return all;
        };
        const auto follow = [&](const char* when) {
            for (const Database& follower : followers) {
                SCOPED_TRACE(fmt::format("{}, to {}", when, follower.is_postgresql() ? "PostgreSQL" : "SQLite"));
                ASSERT_TRUE(ended(run_until_current(leader, follower, options(follower)), 0));
                ASSERT_TRUE(same_rows(leader, follower));
            }
        };
        ASSERT_NO_FATAL_FAILURE(follow("after the snapshot"));
        History history{leader, read_shapes(leader, true), {.constraints_off = true, .truncate = false}, random_.fork()};
        history.run(changes);
        for (const std::string& table : history.stubborn(changes)) fmt::print("  fewer changes than {}: {}\n", changes, table);
        ASSERT_NO_FATAL_FAILURE(follow("after the changes"));
        for (const Database& follower : followers)
            EXPECT_TRUE(ended(rowferry(command("drop", leader, follower, {"--stream", follower.is_postgresql() ? "pg" : "lite"})), 0));
        EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
    }

    Random random_{choose_seed(0)};
};

TEST_F(SampleTest, MusicStore) {
    for (const bool postgresql : {true, false}) {
        const Database leader = postgresql ? Database::postgresql(PgCluster::shared(), "music") : Database::sqlite("music");
        leader.exec(music_store(postgresql));
        replicate(leader, 250);
    }
}

TEST_F(SampleTest, GrownApplicationOfHundredsOfTables) {
    const int tables = data_folder().empty() ? 120 : 300;
    for (const bool postgresql : {true, false}) {
        const Database leader = postgresql ? Database::postgresql(PgCluster::shared(), "grown") : Database::sqlite("grown");
        std::string script = "BEGIN;";
        for (const std::string& statement : grown_application(postgresql, tables, random_)) script += statement + ";\n";
        leader.exec(script + "COMMIT;");
        replicate(leader, 5);
    }
}

TEST_F(SampleTest, PostgresqlFolder) {
    if (data_folder().empty()) return;
    const auto samples = postgresql_samples();
    ASSERT_FALSE(samples.empty()) << "nothing in " << data_folder();
    for (const auto& [name, scripts] : samples) {
        SCOPED_TRACE(name);
        fmt::print("{}\n", name);
        const Database leader = Database::postgresql(PgCluster::shared(), name);
        for (const fs::path& script : scripts) load_script(leader, script);
        replicate(leader, 1000);
    }
}

TEST_F(SampleTest, PostgresqlTypesOfTheFolder) {
    if (data_folder().empty()) return;
    for (const fs::path& script : postgresql_type_samples()) {
        SCOPED_TRACE(script.string());
        fmt::print("{}\n", script.filename().string());
        const Database leader = Database::postgresql(PgCluster::shared(), "types");
        for (const char* extension : {"citext", "hstore", "ltree", "isn"}) leader.exec(std::string{"CREATE EXTENSION "} + extension);
        load_script(leader, script);
        fill_by_type(leader, 20, random_);
        replicate(leader, 1000);
    }
}

TEST_F(SampleTest, SqliteFolder) {
    if (data_folder().empty()) return;
    const std::vector<fs::path> samples = sqlite_samples();
    ASSERT_FALSE(samples.empty()) << "nothing in " << data_folder();
    for (const fs::path& sample : samples) {
        SCOPED_TRACE(sample.string());
        fmt::print("{}\n", sample.filename().string());
        const fs::path copy = new_temp_dir("sample") / sample.filename();
        fs::copy_file(sample, copy);
        fs::permissions(copy, fs::perms::owner_write, fs::perm_options::add);
        replicate(Database::sqlite_at(copy), 1000);
    }
}

}  // namespace
}  // namespace rowferry::test
