#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/sqlite.h"
#include "decoder/sqlite_wal/shadow_open.h"
#include "decoder/sqlite_wal/wal_stream.h"
#include "schemas/error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

namespace fs = std::filesystem;

std::string dump(const std::string& path) {
    SqliteDatabase db{path, SqliteDatabase::Mode::read_write};
    EXPECT_EQ(db.query_text("PRAGMA integrity_check"), "ok");
    std::string text;
    for (const char* table : {"a", "b"}) {
        SqliteStatement rows = db.prepare(std::string{"SELECT id, hex(v) FROM "} + table + " ORDER BY id");
        while (rows.step()) text += std::to_string(rows.integer(0)) + rows.text(1) + "\n";
    }
    return text;
}

/// A leader that an application writes to, and a stream whose store must always be one of its states.
class WalStreamTest : public testing::Test {
protected:
    WalStreamTest() : folder_{new_temp_dir("stream")}, path_{(folder_ / "leader.db").string()} {
        writer_ = std::make_unique<SqliteDatabase>(path_, SqliteDatabase::Mode::create);
        writer_->execute("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 50; PRAGMA synchronous = OFF");
        writer_->execute("CREATE TABLE a (id INTEGER PRIMARY KEY, v); CREATE TABLE b (id INTEGER PRIMARY KEY, v)");
        for (int i = 0; i < 50; ++i) write();
    }

    void write() {
        const std::string table = random_.chance(50) ? "a" : "b";
        switch (random_.below(6)) {
            case 0: return writer_->execute("DELETE FROM " + table + " WHERE id % 7 = " + std::to_string(random_.below(7)));
            case 1: return writer_->execute("UPDATE " + table + " SET v = randomblob(30) WHERE id % 5 = " + std::to_string(random_.below(5)));
            case 2: return writer_->execute("BEGIN; INSERT INTO a (v) VALUES (randomblob(5000)); INSERT INTO b (v) VALUES (randomblob(10)); COMMIT");
            default: return writer_->execute("INSERT INTO " + table + " (v) VALUES (randomblob(" + std::to_string(random_.below(900)) + "))");
        }
    }

    [[nodiscard]] ShadowNames names() const { return {folder_.string() + "/leader.db-rowferry", "s"}; }
    [[nodiscard]] Generations generations() const { return Generations{names().folder}; }

    /// A shadow at the leader's present place.
    WalPlace make(WalAccess& access) {
        const WalIndexHeader now = begin_exactly(access.db(), access.index());
        WalFile wal{access.wal_path(), access.page_size()};
        wal.begin(now, now.last_frame, {});
        const WalPlace place{generations().number(now.salts), now.last_frame, now.salts, now.last_frame == 0 ? WalChecksum{} : wal.header_of(now.last_frame).checksum};
        const LivePages live{access.database(), wal, now, access.page_count(now)};
        make_shadow(names(), {"f", "l", names().prefix(), {place, access.page_size(), live.page_count()}}, live, stop_);
        access.db().rollback();
        return place;
    }

    std::unique_ptr<WalStream> open(WalAccess& access, Position place, const WalLimits& limits = {}) {
        return std::make_unique<WalStream>(access, generations(), open_shadowed_store(names(), read_shadow(names()).value(), place), true, false, place, limits, stop_);
    }

    /// A stream that has let go of a log which nobody has copied: the next commit does not begin it anew.
    std::unique_ptr<WalStream> open_released(WalAccess& access) {
        writer_->execute("PRAGMA wal_autocheckpoint = 0; INSERT INTO a (v) VALUES (0)");
        auto stream = open(access, make(access).position(), {1 << 30, 1, 0});
        SqliteDatabase reader{path_, SqliteDatabase::Mode::read_write};
        reader.execute("BEGIN; SELECT count(*) FROM a");
        writer_->execute("INSERT INTO a (v) VALUES (1)");
        drain(*stream);
        EXPECT_EQ(stream->counters().let_go, 1U);
        return stream;
    }

    /// Everything that is there now. Returns the commits.
    static int drain(WalStream& stream, bool durable = true) {
        int commits = 0;
        while (stream.poll()) {
            while (stream.store().open_commit()) {
                stream.store().close_commit();
                ++commits;
            }
            stream.maintain(durable ? stream.store().state().place.position() : Position{});
        }
        stream.maintain(durable ? stream.store().state().place.position() : Position{});
        return commits;
    }

    /// The store's pages as a database.
    std::string stored(WalStream& stream) {
        const std::string path = (folder_ / "stored.db").string();
        for (const char* end : {"", "-wal", "-shm"}) fs::remove(path + end);
        std::ofstream file{path, std::ios::binary};
        const PageView& view = stream.store().before();
        for (std::uint32_t page = 1; page <= view.page_count(); ++page) {
            const auto bytes = view.page(page);
            file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        }
        file.close();
        return dump(path);
    }

    Random random_{20261120};
    fs::path folder_;
    std::string path_;
    StopSignal stop_;
    std::unique_ptr<SqliteDatabase> writer_;
};

TEST_F(WalStreamTest, FollowsEveryCommitThroughRestartsOfTheLog) {
    WalAccess access{path_};
    const WalPlace place = make(access);
    const auto stream = open(access, place.position(), {64 << 10, 1 << 30, 0});
    int committed = 0;
    int seen = 0;
    for (int round = 0; round < 30; ++round) {
        for (int i = random_.below(12); i >= 0; --i) {
            const std::int64_t before = sqlite3_total_changes64(writer_->handle());
            write();
            committed += sqlite3_total_changes64(writer_->handle()) != before ? 1 : 0;
        }
        if (random_.chance(30)) std::this_thread::sleep_for(std::chrono::milliseconds{220});  // pins move
        seen += drain(*stream);
        ASSERT_EQ(stored(*stream), dump(path_)) << round;
    }
    EXPECT_EQ(seen, committed);
    EXPECT_GT(stream->counters().restarts, 0U);
    EXPECT_EQ(stream->counters().comparisons, 0U) << "nothing was ever lost sight of";
    EXPECT_EQ(stream->store().state().place.generation, stream->counters().restarts + place.generation);
}

/// A checkpoint of ours syncs the log and the database, which takes longer than such a writer ever pauses: no pin would ever stand on the database, and the log would never begin anew.
class EvenPaceTest : public WalStreamTest, public testing::WithParamInterface<bool> {};

TEST_P(EvenPaceTest, KeepsItsLogSmall) {
    // The follower may stand still: what it has not taken yet is read ahead.
    const bool taken = GetParam();
    WalAccess access{path_};
    const auto stream = open(access, make(access).position(), {512 << 10, 1 << 30, 0});
    std::atomic<bool> ended = false;
    std::atomic<int> committed = 0;
    std::thread writer{[&] {
        SqliteDatabase application{path_, SqliteDatabase::Mode::read_write};
        application.execute("PRAGMA wal_autocheckpoint = 200; PRAGMA synchronous = OFF");
        auto next = std::chrono::steady_clock::now();
        while (!ended) {
            application.execute("INSERT INTO a (v) VALUES (randomblob(300))");
            ++committed;
            std::this_thread::sleep_until(next += std::chrono::microseconds{700});
        }
    }};
    int seen = 0;
    std::uintmax_t largest = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
    while (std::chrono::steady_clock::now() < end) {
        if (taken)
            seen += drain(*stream);
        else
            stream->keep_up({});
        largest = std::max(largest, fs::file_size(path_ + "-wal"));
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
    ended = true;
    writer.join();
    const WalCounters counted = stream->counters();
    seen += drain(*stream);
    std::cout << committed << " commits; the log began anew " << counted.restarts << " times, in " << counted.stepped_aside << " moments for it; at most " << largest << " bytes" << std::endl;
    EXPECT_EQ(seen, committed) << "commit by commit";
    EXPECT_EQ(stream->counters().comparisons, 0U);
    EXPECT_GT(counted.restarts, 2U) << "of " << counted.stepped_aside << " moments; the log has " << largest << " bytes";
    EXPECT_LT(largest, 2U << 20);
    EXPECT_EQ(stored(*stream), dump(path_));
}

INSTANTIATE_TEST_SUITE_P(WalStream, EvenPaceTest, testing::Bool(), [](const auto& info) { return info.param ? "Taken" : "NotTakenYet"; });

/// What was read ahead of the follower is in no log of the leader any more when the process is killed.
TEST_F(WalStreamTest, KilledItGoesOnCommitByCommitWithWhatItReadAhead) {
    enum class Since { nothing, writes, restarts, cut, boot };
    for (const Since since : {Since::nothing, Since::writes, Since::restarts, Since::cut, Since::boot}) {
        WalAccess access{path_};
        const WalPlace place = make(access);
        writer_->execute("PRAGMA wal_autocheckpoint = 0");
        constexpr int kCommits = 9;
        const auto commit = [&] { writer_->execute("INSERT INTO a (v) VALUES (randomblob(300))"); };
        const auto begin_anew = [&] { EXPECT_EQ(writer_->query_integer("PRAGMA wal_checkpoint(TRUNCATE)"), 0); };
        {
            const auto stream = open(access, place.position());
            for (int i = 0; i < kCommits; ++i) {
                commit();
                std::this_thread::sleep_for(std::chrono::milliseconds{1});
                stream->keep_up({});
            }
            EXPECT_TRUE(stream->store().log().has_commit());
        }
        if (since == Since::cut) {
            // A large commit that nobody read, and of whose frames the first are left where the log's file is cut to its journal_size_limit.
            writer_->execute("PRAGMA journal_size_limit = " + std::to_string(fs::file_size(path_ + "-wal") + 3000));
            writer_->execute("INSERT INTO b (v) VALUES (randomblob(90000))");
            EXPECT_EQ(writer_->query_integer("PRAGMA wal_checkpoint(PASSIVE)"), 0);
            writer_->execute("INSERT INTO b (v) VALUES (1)");
        } else if (since != Since::nothing) {
            begin_anew();
        }
        if (since == Since::writes || since == Since::restarts) commit();
        if (since == Since::restarts) begin_anew(), commit();
        if (since == Since::boot) {
            std::fstream file{names().prefix() + ".log.1", std::ios::in | std::ios::out | std::ios::binary};
            file.seekp(56) << "another";
        }
        const auto stream = open(access, place.position());
        if (since == Since::boot) {
            EXPECT_EQ(drain(*stream), 1) << "compared";
        } else {
            EXPECT_EQ(drain(*stream), kCommits + (since == Since::nothing ? 0 : 1)) << static_cast<int>(since);
            EXPECT_EQ(stream->counters().comparisons, since == Since::nothing ? 0U : 1U) << "of what nobody read";
        }
        commit();
        EXPECT_EQ(drain(*stream), 1);
        EXPECT_EQ(stored(*stream), dump(path_)) << static_cast<int>(since);
    }
}

/// An application's TRUNCATE holds its writers up until nobody stands in the log any more: a pin must not stay where nothing is committed behind it.
TEST_F(WalStreamTest, ACommitWhileAPinIsMovedLeavesItNotBehind) {
    writer_->execute("PRAGMA wal_autocheckpoint = 0; INSERT INTO a (v) VALUES (0)");
    WalAccess access{path_};
    const auto stream = open(access, make(access).position());
    const auto look = [&] {
        while (stream->poll())
            while (stream->store().open_commit()) stream->store().close_commit();
        stream->maintain({});
    };
    const auto turn = [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{220});
        look();
        look();
    };
    writer_->execute("INSERT INTO a (v) VALUES (1)");
    std::this_thread::sleep_for(std::chrono::milliseconds{220});
    look();  // takes the next pin
    writer_->execute("INSERT INTO a (v) VALUES (2)");
    look();  // lets go of the one before
    for (int i = 0; i < 3; ++i) turn();
    EXPECT_EQ(writer_->query_integer("PRAGMA wal_checkpoint(PASSIVE)"), 0);
    for (int i = 0; i < 3; ++i) turn();
    writer_->set_busy_timeout(0);
    EXPECT_EQ(writer_->query_integer("PRAGMA wal_checkpoint(TRUNCATE)"), 0) << "busy";
}

TEST_F(WalStreamTest, ALogThatBeginsAnewUnpinnedIsReadToItsEnd) {
    WalAccess access{path_};
    const auto stream = open_released(access);
    for (int i = 0; i < 3; ++i) writer_->execute("INSERT INTO a (v) VALUES (randomblob(2000))");
    writer_->execute("PRAGMA wal_checkpoint(PASSIVE); INSERT INTO b (v) VALUES (1)");
    EXPECT_EQ(drain(*stream), 4);
    EXPECT_EQ(stream->counters().comparisons, 0U);
    EXPECT_EQ(stream->counters().restarts, 1U);
    EXPECT_EQ(stored(*stream), dump(path_));
}

/// Killed between its last frame and the index: SQLite knows nothing of that commit, and overwrites it.
TEST_F(WalStreamTest, TheCommitOfAWriterThatDiedInTheMiddleIsNone) {
    WalAccess access{path_};
    const auto stream = open_released(access);
    writer_->execute("INSERT INTO a (v) VALUES ('kept')");
    const WalIndexHeader index = access.index().read();
    std::vector<std::byte> frame(kFrameHeaderSize + 1024, std::byte{0x0D});
    FrameHeader header{2, index.pages, index.salts, {}};
    write_frame_header(header, frame);
    const std::span<const std::byte> bytes{frame};
    header.checksum = continue_checksum(continue_checksum(index.checksum, bytes.first(8), index.big_endian_checksums), bytes.subspan(kFrameHeaderSize), index.big_endian_checksums);
    write_frame_header(header, frame);
    std::fstream log{path_ + "-wal", std::ios::binary | std::ios::in | std::ios::out};
    log.seekp(static_cast<std::streamoff>(frame_offset(index.last_frame + 1, 1024)));
    log.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
    log.close();
    writer_->execute("PRAGMA wal_checkpoint(PASSIVE); INSERT INTO b (v) VALUES (1)");
    drain(*stream);
    EXPECT_EQ(stream->counters().comparisons, 1U);
    EXPECT_EQ(stored(*stream), dump(path_));
}

TEST_F(WalStreamTest, DowntimeBecomesOneCommit) {
    Position at;
    for (int round = 0; round < 8; ++round) {
        {
            WalAccess access{path_};
            if (round == 0) at = make(access).position();
            const auto stream = open(access, at);
            const int commits = drain(*stream);
            EXPECT_EQ(stream->counters().comparisons, round == 0 ? 0U : 1U);
            EXPECT_EQ(commits, round == 0 ? 0 : 1);
            ASSERT_EQ(stored(*stream), dump(path_)) << round;
            for (int i = 0; i < 20; ++i) write();
            drain(*stream);
            at = stream->store().state().place.position();
        }
        for (int i = 0; i < 40; ++i) write();
        writer_->execute(round % 2 == 0 ? "PRAGMA wal_checkpoint(TRUNCATE)" : "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
        write();
    }
}

TEST_F(WalStreamTest, ARestartGoesOnExactlyWhereTheLogStillHasIt) {
    writer_->execute("PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    write();
    Position at;
    {
        WalAccess access{path_};
        at = make(access).position();
    }
    for (int i = 0; i < 9; ++i) writer_->execute("INSERT INTO a (v) VALUES (" + std::to_string(i) + ")");
    WalAccess access{path_};
    const auto stream = open(access, at);
    EXPECT_EQ(drain(*stream), 9);
    EXPECT_EQ(stream->counters().comparisons, 0U);
    ASSERT_EQ(stored(*stream), dump(path_));
}

TEST_F(WalStreamTest, ALeaderWhoseLogLostItsEndIsAStop) {
    writer_->execute("PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    for (int i = 0; i < 5; ++i) write();
    WalPlace place;
    {
        WalAccess access{path_};
        place = make(access);
    }
    // As a power cut leaves it: the last commits never reached the disk.
    for (const char* end : {"", "-wal"}) fs::copy_file(path_ + end, folder_.string() + "/saved" + end);
    writer_.reset();
    for (const char* end : {"", "-wal"}) fs::copy_file(folder_.string() + "/saved" + end, path_ + end, fs::copy_options::overwrite_existing);
    fs::resize_file(path_ + "-wal", frame_offset(place.frame, 1024));
    {
        WalAccess access{path_};
        EXPECT_THROW(open(access, place.position()), HaltError);
    }
    // And when it has gone on from there, under the same numbers.
    writer_ = std::make_unique<SqliteDatabase>(path_, SqliteDatabase::Mode::read_write);
    writer_->execute("PRAGMA wal_autocheckpoint = 0");
    for (int i = 0; i < 9; ++i) writer_->execute("INSERT INTO b (v) VALUES ('another history')");
    WalAccess access{path_};
    EXPECT_THROW(open(access, place.position()), HaltError);
}

TEST_F(WalStreamTest, ARestoredBackupIsAStop) {
    writer_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    fs::copy_file(path_, folder_ / "backup.db");
    Position at;
    {
        WalAccess access{path_};
        make(access);
        writer_->execute("CREATE TABLE c (id INTEGER PRIMARY KEY)");
        for (int i = 0; i < 50; ++i) write();
        const auto stream = open(access, read_shadow(names())->state.place.position());
        drain(*stream);
        at = stream->store().state().place.position();
    }
    writer_.reset();
    for (const char* end : {"-wal", "-shm"}) fs::remove(path_ + end);
    std::ofstream{path_, std::ios::binary} << std::ifstream{folder_ / "backup.db", std::ios::binary}.rdbuf();
    WalAccess access{path_};
    try {
        open(access, at);
        FAIL();
    } catch (const HaltError& error) {
        EXPECT_NE(std::string{error.what()}.find("restored from a backup"), std::string::npos) << error.what();
    }
}

TEST_F(WalStreamTest, AboveTheLimitItLetsGoAndCatchesUpByAComparison) {
    WalAccess access{path_};
    const auto stream = open(access, make(access).position(), {64 << 10, 256 << 10, 0});
    // An application that never pauses, and a stream that does not come to reading.
    for (int i = 0; i < 400; ++i) writer_->execute("INSERT INTO a (v) VALUES (randomblob(900))");
    stream->poll();
    while (stream->store().open_commit()) stream->store().close_commit();
    for (int i = 0; i < 10 && stream->counters().let_go == 0; ++i) {
        stream->maintain({});
        for (int j = 0; j < 200; ++j) writer_->execute("INSERT INTO a (v) VALUES (randomblob(900))");
        drain(*stream);
    }
    for (int i = 0; i < 400; ++i) writer_->execute("INSERT INTO a (v) VALUES (randomblob(900))");
    drain(*stream);
    EXPECT_GT(stream->counters().let_go, 0U);
    EXPECT_GT(stream->counters().comparisons, 0U);
    ASSERT_EQ(stored(*stream), dump(path_));
}

TEST_F(WalStreamTest, WithoutAShadowTheLeadersOwnPagesServe) {
    WalAccess access{path_};
    const WalIndexHeader now = access.index().read();
    WalFile wal{access.wal_path(), access.page_size()};
    wal.begin(now, now.last_frame, {});
    const WalPlace place{1, now.last_frame, now.salts, wal.header_of(now.last_frame).checksum};
    writer_->execute("PRAGMA wal_autocheckpoint = 0");
    WalPins pin{path_, access.index()};
    pin.hold();
    for (int i = 0; i < 20; ++i) write();
    WalStream stream{access, generations(), open_borrowed_store(access, place, folder_.string()), false, false, place.position(), {64 << 10, 1 << 20, 0}, stop_};
    pin.release();
    writer_->execute("PRAGMA wal_autocheckpoint = 50");
    for (int round = 0; round < 30; ++round) {
        for (int i = random_.below(20); i >= 0; --i) write();
        if (random_.chance(30)) std::this_thread::sleep_for(std::chrono::milliseconds{220});
        drain(stream);
        ASSERT_EQ(stored(stream), dump(path_)) << round;
    }
    EXPECT_GT(stream.counters().restarts, 0U);
}

TEST_F(WalStreamTest, WithoutAShadowACheckpointWhileAwayIsAStop) {
    WalAccess access{path_};
    const WalIndexHeader now = access.index().read();
    WalFile wal{access.wal_path(), access.page_size()};
    wal.begin(now, now.last_frame, {});
    const WalPlace place{1, now.last_frame, now.salts, wal.header_of(now.last_frame).checksum};
    writer_->execute("PRAGMA wal_autocheckpoint = 0; INSERT INTO a (v) VALUES (1); PRAGMA wal_checkpoint(PASSIVE)");
    EXPECT_THROW(WalStream(access, generations(), open_borrowed_store(access, place, folder_.string()), false, false, place.position(), {}, stop_), HaltError);
}

/// The stream in a process of its own that is killed at any moment, and the application that goes on.
TEST_F(WalStreamTest, KilledAtAnyMomentItsFilesAreWhatTheFollowerCanGoOnFrom) {
    const int rounds = std::getenv("ROWFERRY_LONG") != nullptr ? 200 : 25;
    Position durable;
    int steps = 0;
    {
        WalAccess access{path_};
        durable = make(access).position();
    }
    for (int round = 0; round < rounds; ++round) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        writer_.reset();
        const pid_t child = ::fork();
        if (child == 0) {
            WalAccess access{path_};
            const auto stream = open(access, durable, {64 << 10, 1 << 20, 0});
            for (;;) {
                if (stream->poll()) {
                    while (stream->store().open_commit()) stream->store().close_commit();
                    // Small segments, so that folding is where it is killed often.
                    if (!stream->store().log().inside_commit()) stream->store().log().begin_segment();
                    const Position at = stream->store().state().place.position();
                    if (::write(ends[1], &at, sizeof at) != sizeof at) ::_exit(1);
                    stream->maintain(at);
                }
                stream->maintain({});
                ::usleep(200);
            }
        }
        ::close(ends[1]);
        writer_ = std::make_unique<SqliteDatabase>(path_, SqliteDatabase::Mode::read_write);
        writer_->execute("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 50");
        // It is killed after some steps, in the middle of the next.
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        pollfd reported{ends[0], POLLIN, 0};
        for (int wanted = random_.below(6); wanted >= 0 && std::chrono::steady_clock::now() < give_up;) {
            for (int i = random_.below(12); i >= 0; --i) write();
            if (::poll(&reported, 1, 1) <= 0) continue;
            ASSERT_EQ(::read(ends[0], &durable, sizeof durable), static_cast<ssize_t>(sizeof durable));
            ++steps;
            --wanted;
        }
        std::this_thread::sleep_for(std::chrono::microseconds{random_.below(5000)});
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";
        for (Position at; ::read(ends[0], &at, sizeof at) == sizeof at; ++steps) durable = at;
        ::close(ends[0]);
        if (random_.chance(40)) writer_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
        for (int i = random_.below(10); i > 0; --i) write();
        if (round % 3 != 2) continue;
        // What is durable here may be behind what the child had folded for good, never before it.
        WalAccess access{path_};
        const auto stream = open(access, durable);
        drain(*stream, false);
        ASSERT_EQ(stored(*stream), dump(path_)) << round;
    }
    EXPECT_GT(steps, rounds);
}

}  // namespace
}  // namespace rowferry::test
