// The files of a log: rotated, compressed, growing; and reading on from any position.

#include <bzlib.h>
#include <zlib.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "tests/unit/pg_log_story.h"

namespace rowferry::test {
namespace {

using Told = std::vector<std::string>;

void gzipped(const std::string& text, const std::string& path) {
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
}

void bzipped(const std::string& text, const std::string& path) {
    std::string out(text.size() + 1000, '\0');
    auto size = static_cast<unsigned>(out.size());
    std::string in = text;
    ASSERT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, in.data(), static_cast<unsigned>(in.size()), 9, 0, 0), BZ_OK);
    std::ofstream{path, std::ios::binary} << out.substr(0, size);
}

/// A history of blocks, autocommit statements, savepoints, failures and prepared transactions in several sessions at once, of which no two touch the same rows.
std::string random_log(std::mt19937_64& random, int steps) {
    StoryLog log;
    struct State {
        bool open = false, failed = false;
        int savepoints = 0, vxid = 0;
    };
    State sessions[5];
    int row = 0, prepared = 0;
    std::vector<int> waiting;
    for (int i = 0; i < steps; ++i) {
        const auto s = static_cast<std::size_t>(random() % 5);
        const char name = static_cast<char>('A' + s);
        State& state = sessions[s];
        const std::string insert = fmt::format("INSERT INTO t VALUES ({}{})", ++row, random() % 9 == 0 ? ",\n'two lines'" : "");
        switch (random() % 14) {
            case 0:
            case 1:
                if (!state.open) log.run(name, "BEGIN");
                state.open = true;
                break;
            case 2:
                if (state.open) log.run(name, random() % 4 == 0 ? "ROLLBACK" : "COMMIT");
                state = {false, false, 0, state.vxid};
                break;
            case 3:
                if (state.open && !state.failed) log.run(name, fmt::format("SAVEPOINT s{}", ++state.savepoints));
                break;
            case 4:
                if (state.savepoints > 0) log.run(name, fmt::format("ROLLBACK TO s{}", state.savepoints));
                if (state.savepoints > 0) state.failed = false;
                break;
            case 5:
                log.run(name, insert).fails(name, insert);
                state.failed = state.open;
                break;
            case 6:
                if (state.open && !state.failed) {
                    log.run(name, fmt::format("PREPARE TRANSACTION 'g{}'", ++prepared));
                    waiting.push_back(prepared);
                    state = {false, false, 0, state.vxid};
                }
                break;
            case 7:
                if (!state.open && !waiting.empty()) {
                    log.run(name, fmt::format("{} PREPARED 'g{}'", random() % 3 == 0 ? "ROLLBACK" : "COMMIT", waiting.back()));
                    waiting.pop_back();
                }
                break;
            case 8:
                if (!state.open) log.run(name, fmt::format("SET search_path TO s{}", row));
                break;
            case 9:
                if (!state.open) {
                    const std::string id = fmt::format("{}/{}", s + 2, ++state.vxid);
                    for (auto n = random() % 3 + 1; n > 0; --n) log.execute(name, fmt::format("INSERT INTO t VALUES ({})", ++row), id);
                }
                break;
            default:
                if (state.failed)
                    log.run(name, insert).fails(name, insert);
                else
                    log.run(name, insert);
        }
    }
    return log.text();
}

TEST(PgLogFiles, CutAndResumedAtEveryTransactionTheRestIsTheSame) {
    const char* given = std::getenv("PG_LOG_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "repeat with PG_LOG_SEED=" << seed << std::endl;
    std::mt19937_64 random{seed};
    std::size_t resumed = 0;
    for (int history = 0; history < 6; ++history) {
        const std::string text = random_log(random, 200);
        LogFolder folder;
        // Cut into files at line ends where no entry goes on, one of them compressed.
        std::vector<std::size_t> cuts{0};
        for (std::size_t at = text.find('\n'); at + 1 < text.size(); at = text.find('\n', at + 1)) {
            const std::size_t next = text.find("LOG:", at);
            if (random() % 60 == 0 && text[at + 1] == '2' && next != std::string::npos && next < text.find('\n', at + 1)) cuts.push_back(at + 1);
        }
        cuts.push_back(text.size());
        for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
            const std::string part = text.substr(cuts[i], cuts[i + 1] - cuts[i]);
            if (i == 0 && cuts.size() > 2)
                gzipped(part, folder.path("pg-0.log.gz"));
            else
                folder.write(fmt::format("pg-{}.log", i), part);
        }
        LogSettings settings;
        settings.paths = {folder.path("pg-*.log*")};
        settings.database = "shop";
        settings.complete = true;
        settings.line_prefix = StoryLog::kPrefix;
        settings.snapshot_every = random() % 2000 + 1;
        const LogRead whole = read_log(settings);
        ASSERT_FALSE(whole.stopped) << whole.what;
        ASSERT_GT(whole.told.size(), 5U);
        SimpleTouches touches;
        LogReader reader{settings, touches};
        for (std::size_t i = 0; i < whole.told.size();) {
            const auto one = reader.next();
            if (!one && reader.at_end()) reader.finish();
            if (!one) continue;
            ASSERT_EQ(told(*one), whole.told[i]);
            ++i;
            const LogRead rest = read_log(settings, reader.resume());
            ASSERT_FALSE(rest.stopped) << rest.what;
            ASSERT_EQ(rest.told, Told(whole.told.begin() + static_cast<std::ptrdiff_t>(i), whole.told.end())) << "resumed behind transaction " << i << " of history " << history;
            for (std::size_t n = 0; n < rest.transactions.size(); ++n) ASSERT_EQ(rest.transactions[n].position, whole.transactions[i + n].position);
            ++resumed;
        }
    }
    EXPECT_GT(resumed, 60U);
}

TEST(PgLogFiles, RotatedAndCompressedFilesAreOneLogAndStayFoundUnderOtherNames) {
    StoryLog a;
    a.run('A', "BEGIN").run('A', "INSERT INTO t VALUES (1)");
    const std::size_t first = a.text().size();
    a.run('A', "COMMIT").run('A', "INSERT INTO t VALUES (2)");
    const std::size_t second = a.text().size();
    a.run('A', "INSERT INTO t VALUES (3)").run('A', "SELECT 1");
    LogFolder folder;
    bzipped(a.text().substr(0, first), folder.path("pg.log.2.bz2"));
    gzipped(a.text().substr(first, second - first), folder.path("pg.log.1.gz"));
    folder.write("pg.log", a.text().substr(second));
    LogSettings settings = a.settings();
    settings.paths = {folder.path("pg.log*")};
    EXPECT_EQ(read_log(settings).told, (Told{"INSERT INTO t VALUES (1) (block)", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)", "SELECT 1"}));

    SimpleTouches touches;
    LogReader reader{settings, touches};
    ASSERT_TRUE(reader.next());
    const std::string resume = reader.resume();
    std::filesystem::rename(folder.path("pg.log.2.bz2"), folder.path("pg.log.3.bz2"));
    gzipped(a.text().substr(second), folder.path("pg.log.1.new.gz"));
    std::filesystem::remove(folder.path("pg.log"));
    EXPECT_EQ(read_log(settings, resume).told.size(), 3U) << "renamed and compressed since";

    std::filesystem::remove(folder.path("pg.log.1.gz"));  // in the middle
    EXPECT_EQ(read_log(settings, resume).stopped, LogStop::missing_file);
    std::filesystem::remove(folder.path("pg.log.3.bz2"));
    try {
        LogReader gone{settings, touches, resume};
        FAIL() << "the file is not there any more";
    } catch (const LogError& error) {
        EXPECT_EQ(error.reason(), LogStop::missing_file);
    }
}

TEST(PgLogFiles, AGrowingLogIsFollowedAcrossItsRotation) {
    StoryLog log;
    log.run('A', "INSERT INTO t VALUES (1)").run('A', "INSERT INTO t VALUES (2)");
    const std::size_t first = log.text().size();
    log.run('A', "INSERT INTO t VALUES (3)").run('A', "INSERT INTO t VALUES (4)");
    const std::size_t second = log.text().size();
    log.run('A', "INSERT INTO t VALUES (5)").run('A', "INSERT INTO t VALUES (6)").run('A', "SELECT 1");
    LogFolder folder;
    folder.write("pg.log", log.text().substr(0, first - 30));
    LogSettings settings = log.settings();
    settings.paths = {folder.path("pg.log*")};
    SimpleTouches touches;
    LogReader reader{settings, touches};
    Told told_so_far;
    const auto read_until = [&](std::size_t count) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (told_so_far.size() < count && std::chrono::steady_clock::now() < end) {
            if (const auto one = reader.next())
                told_so_far.push_back(told(*one));
            else
                std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
        ASSERT_EQ(told_so_far.size(), count);
    };
    EXPECT_FALSE(reader.next()) << "the second line is not whole, so that it proves nothing";
    folder.append("pg.log", log.text().substr(first - 30, 30));
    read_until(1);
    std::filesystem::rename(folder.path("pg.log"), folder.path("pg.log.1"));
    folder.append("pg.log.1", log.text().substr(first, second - first));  // the server still writes to the old one
    read_until(3);
    folder.write("pg.log", log.text().substr(second));
    read_until(5);
    std::filesystem::resize_file(folder.path("pg.log"), 10);
    try {
        for (int i = 0; i < 1000; ++i) {
            if (!reader.next()) std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        FAIL() << "the file was cut";
    } catch (const LogError& error) {
        EXPECT_EQ(error.reason(), LogStop::truncated);
    }
}

TEST(PgLogFiles, AFileThatEndsWithinAnEntryIsAStopWhenAnotherOneFollows) {
    StoryLog log;
    log.run('A', "INSERT INTO t VALUES (1)").run('A', "INSERT INTO t VALUES (2)");
    const std::size_t first = log.text().size();
    log.run('A', "SELECT 1");
    LogFolder folder;
    folder.write("a.log", log.text().substr(0, first - 10));
    folder.write("b.log", log.text().substr(first));
    LogSettings settings = log.settings();
    settings.paths = {folder.path("*.log")};
    const LogRead read = read_log(settings);
    EXPECT_EQ(read.stopped, LogStop::cut);
    EXPECT_NE(read.what.find("a.log:2"), std::string::npos) << read.what;

    folder.write("damaged.gz", "\x1F\x8B damaged");
    settings.paths = {folder.path("damaged.gz")};
    EXPECT_ANY_THROW((void)read_log(settings));
    settings.paths = {folder.path("nothing*")};
    EXPECT_THROW((void)read_log(settings), RefusedError);
}

}  // namespace
}  // namespace rowferry::test
