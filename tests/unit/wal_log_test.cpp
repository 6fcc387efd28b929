#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "db/sqlite.h"
#include "decoder/sqlite_wal/frame_log.h"
#include "decoder/sqlite_wal/generations.h"
#include "decoder/sqlite_wal/wal_access.h"
#include "decoder/sqlite_wal/wal_file.h"
#include "schemas/error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kPageSize = 512;

std::string read_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write_file(const fs::path& path, const std::string& bytes) { std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes; }

/// Frames of one commit after the other; each page holds the number of its commit.
std::vector<std::byte> commits(std::uint32_t first, std::uint32_t count, std::uint32_t pages_each) {
    std::vector<std::byte> frames;
    for (std::uint32_t commit = first; commit < first + count; ++commit)
        for (std::uint32_t page = 1; page <= pages_each; ++page) {
            frames.resize(frames.size() + kFrameHeaderSize + kPageSize, static_cast<std::byte>(commit));
            write_frame_header({page, page == pages_each ? 100 + commit : 0, {7, 8}, {commit, page}}, std::span{frames}.last(kFrameHeaderSize + kPageSize));
        }
    return frames;
}

std::uint32_t count_commits(FrameLog& log) {
    LoggedCommit commit;
    std::uint32_t count = 0;
    while (log.next(commit)) {
        ++count;
        EXPECT_EQ(commit.pages, 100 + count);
        EXPECT_EQ(commit.place.checksum.first, count);
        commit.images.for_each([&](std::uint32_t, std::uint64_t place) { EXPECT_EQ(log.page(place).back(), static_cast<std::byte>(count)); });
    }
    return count;
}

TEST(PageMap, HoldsWhatAMapHolds) {
    Random random{20261120};
    PageMap map;
    std::map<std::uint32_t, std::uint64_t> truth;
    for (int i = 0; i < 20'000; ++i) {
        const auto page = static_cast<std::uint32_t>(1 + random.below(5000));
        EXPECT_EQ(map.put(page, static_cast<std::uint64_t>(i)), !truth.contains(page));
        truth[page] = static_cast<std::uint64_t>(i);
    }
    EXPECT_EQ(map.size(), truth.size());
    for (std::uint32_t page = 1; page <= 5001; ++page) {
        const std::uint64_t* found = map.find(page);
        ASSERT_EQ(found != nullptr, truth.contains(page));
        if (found != nullptr) {
            EXPECT_EQ(*found, truth[page]);
        }
    }
    map.clear();
    EXPECT_EQ(map.size(), 0U);
    EXPECT_EQ(map.find(truth.begin()->first), nullptr);
}

TEST(FrameLog, GivesCommitsAsTheyWereAppended) {
    FrameLog log{(new_temp_dir("log") / "s.log").string(), kPageSize};
    const auto frames = commits(1, 9, 3);
    const std::size_t frame = kFrameHeaderSize + kPageSize;
    // Cut anywhere between frames: a commit may go on in the next batch.
    log.append({FrameOrigin::log, 1, {7, 8}, 1}, std::span{frames}.first(4 * frame));
    EXPECT_TRUE(log.inside_commit());
    log.append({FrameOrigin::log, 1, {7, 8}, 5}, std::span{frames}.subspan(4 * frame));
    EXPECT_FALSE(log.inside_commit());
    LoggedCommit commit;
    EXPECT_FALSE(log.next(commit, Position{1, 2}));
    EXPECT_EQ(count_commits(log), 9U);
}

TEST(FrameLog, WhateverACrashLeavesOfTheLastBatchIsCutOff) {
    const fs::path folder = new_temp_dir("log");
    const std::string prefix = (folder / "s.log").string();
    const std::size_t frame = kFrameHeaderSize + kPageSize;
    {
        FrameLog log{prefix, kPageSize};
        for (std::uint32_t i = 0; i < 3; ++i) log.append({FrameOrigin::log, 1, {7, 8}, 1 + 2 * i}, commits(1 + i, 1, 2));
    }
    const std::string whole = read_file(prefix + ".1");
    const std::size_t batch = 64 + 2 * frame;
    ASSERT_EQ(whole.size(), 3 * batch);
    for (std::size_t size = 0; size <= whole.size(); size += 37) {
        write_file(prefix + ".1", whole.substr(0, size));
        FrameLog log{prefix, kPageSize};
        EXPECT_EQ(count_commits(log), size / batch) << size;
    }
    // A byte that is another one ends the log in front of its batch.
    Random random{5};
    for (int i = 0; i < 300; ++i) {
        std::string damaged = whole;
        const auto at = static_cast<std::size_t>(random.below(static_cast<int>(whole.size())));
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
        write_file(prefix + ".1", damaged);
        FrameLog log{prefix, kPageSize};
        const std::size_t in_batch = at % batch;
        // The last eight bytes of a header stand for nothing.
        EXPECT_EQ(count_commits(log), in_batch >= 56 && in_batch < 64 ? 3 : at / batch) << at;
    }
}

TEST(FrameLog, IsCutInTheMiddleOfABatchAndGoesOnThere) {
    const std::string prefix = (new_temp_dir("log") / "s.log").string();
    {
        FrameLog log{prefix, kPageSize};
        log.append({FrameOrigin::log, 1, {7, 8}, 1}, commits(1, 5, 2));
        log.begin_segment();
        log.append({FrameOrigin::log, 1, {7, 8}, 11}, commits(6, 5, 2));
        LoggedCommit commit;
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(log.next(commit));
        log.cut();
        EXPECT_FALSE(log.has_commit());
        log.append({FrameOrigin::log, 1, {7, 8}, 7}, commits(4, 1, 2));
        ASSERT_TRUE(log.next(commit));
        EXPECT_EQ(commit.place.position(), (Position{1, 8}));
    }
    FrameLog log{prefix, kPageSize};
    EXPECT_EQ(count_commits(log), 4U);
    EXPECT_EQ(FrameLog::remove(prefix, false).size(), 1U);
    EXPECT_FALSE(fs::exists(prefix + ".1"));
}

TEST(Generations, EveryoneSeesTheSameNumbersAndTheyOnlyRise) {
    const std::string folder = (new_temp_dir("generations") / "leader-rowferry").string();
    EXPECT_EQ(Generations{folder}.look({1, 1}), 1U);
    EXPECT_FALSE(fs::exists(folder)) << "looking writes nothing";
    EXPECT_EQ(Generations{folder}.number({1, 1}), 1U);
    EXPECT_EQ(Generations{folder}.number({1, 1}), 1U);
    EXPECT_EQ(Generations{folder}.look({2, 9}), 2U);
    EXPECT_EQ(Generations{folder}.number({2, 9}, 2), 2U);
    EXPECT_EQ(Generations{folder}.number({3, 9}, 7), 7U) << "a stream that counted on without the file";
    EXPECT_EQ(Generations{folder}.look({3, 9}), 7U);
    EXPECT_EQ(Generations{folder}.number({3, 9}, 7), 7U);
    // A torn write of the newest leaves the one before.
    std::string bytes = read_file(folder + "/generations");
    bytes[4096 + 9] ^= 1;
    write_file(folder + "/generations", bytes);
    EXPECT_EQ(Generations{folder}.look({2, 9}), 2U);
    write_file(folder + "/generations", std::string(8192, 'x'));
    EXPECT_THROW(static_cast<void>(Generations{folder}.look({2, 9})), HaltError);
}

class WalFileTest : public testing::Test {
protected:
    WalFileTest() : path_{(new_temp_dir("wal") / "leader.db").string()}, writer_{path_, SqliteDatabase::Mode::create} {
        writer_.execute("PRAGMA page_size = 512; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
        for (int i = 0; i < 20; ++i) writer_.execute("INSERT INTO t (v) VALUES (randomblob(600))");
    }
    /// Reads the log from the beginning, as its index has it.
    void read_all(const std::string& wal_path, const WalIndexHeader& index) {
        WalFile wal{wal_path, 512};
        std::vector<std::byte> buffer;
        wal.begin(index, 0, {});
        while (wal.frame() < index.last_frame) wal.take(wal.read(index.last_frame, buffer, 5000));
    }
    std::string path_;
    SqliteDatabase writer_;
};

TEST_F(WalFileTest, TheIndexSaysWhatIsCommitted) {
    WalAccess access{path_};
    const WalIndexHeader before = access.index().read();
    EXPECT_EQ(before.page_size, 512U);
    EXPECT_EQ(before.pages, static_cast<std::uint32_t>(writer_.query_integer("PRAGMA page_count")));
    writer_.execute("PRAGMA cache_size = 5; BEGIN; UPDATE t SET v = randomblob(700)");
    EXPECT_EQ(access.index().read(), before) << "frames that an open transaction has spilled";
    writer_.execute("ROLLBACK");
    EXPECT_EQ(access.index().read(), before);
    writer_.execute("DELETE FROM t WHERE id = 3");
    const WalIndexHeader after = access.index().read();
    EXPECT_GT(after.last_frame, before.last_frame);
    EXPECT_EQ(after.salts, before.salts);
    writer_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    EXPECT_NE(access.index().read().salts, before.salts);
}

TEST_F(WalFileTest, WhatALogHeldLastStandsBehindTheFramesOfTheNextOne) {
    WalAccess access{path_};
    WalFile wal{access.wal_path(), 512};
    std::vector<std::byte> buffer;
    const auto read_on = [&] {
        const WalIndexHeader now = access.index().read();
        if (!(now.salts == wal.salts())) wal.begin(now, 0, {});
        while (wal.frame() < now.last_frame) wal.take(wal.read(now.last_frame, buffer, 1 << 20));
    };
    const auto begin_anew = [&] {
        writer_.execute("PRAGMA wal_checkpoint(PASSIVE); INSERT INTO t VALUES (NULL, 'new')");
        EXPECT_EQ(access.index().read().salts.first, wal.salts().first + 1);
    };
    read_on();
    const std::uint32_t read = wal.frame();
    writer_.execute("INSERT INTO t (v) VALUES ('a'); DELETE FROM t WHERE id = 3");
    const std::uint32_t last = access.index().read().last_frame;
    begin_anew();
    EXPECT_FALSE(wal.read_rest(buffer, 512, 0)) << "more than was asked for";
    const auto rest = wal.read_rest(buffer, 1 << 20, 0);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), (last - read) * (512 + kFrameHeaderSize));
    wal.take(*rest);

    for (int i = 0; i < 30; ++i) writer_.execute("INSERT INTO t (v) VALUES (randomblob(600))");
    read_on();
    begin_anew();
    ASSERT_TRUE(wal.read_rest(buffer, 1 << 20, 0));
    EXPECT_TRUE(wal.read_rest(buffer, 1 << 20, 0)->empty()) << "everything had been read";
    // The new frames have come to the place.
    for (int i = 0; i < 90; ++i) writer_.execute("INSERT INTO t (v) VALUES (randomblob(600))");
    EXPECT_FALSE(wal.read_rest(buffer, 1 << 20, 0));
    read_on();
    writer_.execute("INSERT INTO t (v) VALUES ('a'); PRAGMA wal_checkpoint(TRUNCATE)");
    EXPECT_FALSE(wal.read_rest(buffer, 1 << 20, 0));
}

TEST_F(WalFileTest, EveryFlippedByteOfAnIndexIsSeen) {
    const std::string bytes = read_file(path_ + "-shm").substr(0, 48);
    ASSERT_TRUE(parse_wal_index(std::as_bytes(std::span{bytes})));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
        EXPECT_FALSE(parse_wal_index(std::as_bytes(std::span{damaged}))) << at;
    }
}

TEST_F(WalFileTest, EveryFlippedByteOfALogIsAStopThatNamesTheFrame) {
    WalAccess access{path_};
    const WalIndexHeader index = access.index().read();
    const std::string whole = read_file(path_ + "-wal");
    const std::string copy = path_ + ".copy";
    write_file(copy, whole);
    read_all(copy, index);
    const std::size_t end = frame_offset(index.last_frame + 1, 512);
    for (std::size_t at = 0; at < end; at += at < 700 ? 1 : 61) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        write_file(copy, damaged);
        try {
            read_all(copy, index);
            ADD_FAILURE() << "byte " << at;
        } catch (const DecodeError& error) {
            if (at >= 32) {
                EXPECT_NE(std::string{error.what()}.find("frame " + std::to_string((at - 32) / 536 + 1) + " "), std::string::npos) << error.what();
            }
        }
    }
    for (std::size_t size = 0; size < end; size += 97) {
        write_file(copy, whole.substr(0, size));
        EXPECT_THROW(read_all(copy, index), DecodeError) << size;
    }
}

TEST_F(WalFileTest, CommitsWithoutAChecksumAreReadAndCounted) {
    // What SQLite 3.40 does after a rollback to a savepoint of a transaction that had spilled and written a page again.
    writer_.execute("PRAGMA cache_size = 10; PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM t");
    writer_.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800) INSERT INTO t SELECT i, zeroblob(900) FROM n");
    writer_.execute("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (10000, 'first')");
    writer_.execute("BEGIN; SAVEPOINT s; UPDATE t SET v = randomblob(900) WHERE id < 400");
    for (int i = 0; i < 3; ++i) writer_.execute("UPDATE t SET v = randomblob(900) WHERE id BETWEEN 600 AND 700");
    writer_.execute("ROLLBACK TO s; RELEASE s; INSERT INTO t VALUES (10001, 'COMMITTED'); COMMIT; INSERT INTO t VALUES (10002, 'after')");
    WalAccess access{path_};
    const WalIndexHeader index = access.index().read();
    WalFile wal{path_ + "-wal", 512};
    std::vector<std::byte> buffer;
    wal.begin(index, 0, {});
    while (wal.frame() < index.last_frame) wal.take(wal.read(index.last_frame, buffer, 5000));
    if (sqlite3_libversion_number() == 3040001) {
        EXPECT_GT(wal.unsummed(), 0U);
    }
}

TEST(WalAccess, SaysWhyAFileCannotBeFollowed) {
    const fs::path folder = new_temp_dir("access");
    const auto reason = [](const fs::path& path) -> std::string {
        try {
            WalAccess access{path.string()};
        } catch (const RefusedError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(reason(folder / "missing.db").find("no such file"), std::string::npos);
    SqliteDatabase journal{(folder / "journal.db").string(), SqliteDatabase::Mode::create};
    journal.execute("CREATE TABLE t (a)");
    EXPECT_NE(reason(folder / "journal.db").find("PRAGMA journal_mode = WAL"), std::string::npos);
    write_file(folder / "secret.db", std::string(8192, '\x5a'));
    EXPECT_NE(reason(folder / "secret.db").find("encrypted"), std::string::npos);
    write_file(folder / "short.db", "hello");
    EXPECT_NE(reason(folder / "short.db").find("not a SQLite database"), std::string::npos);
    SqliteDatabase leader{(folder / "leader.db").string(), SqliteDatabase::Mode::create};
    leader.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
    EXPECT_EQ(reason(folder / "leader.db"), "");
    fs::copy_file(folder / "leader.db", folder / "copy.db");
    EXPECT_NE(file_identity((folder / "leader.db").string()), file_identity((folder / "copy.db").string()));
}

}  // namespace
}  // namespace rowferry::test
