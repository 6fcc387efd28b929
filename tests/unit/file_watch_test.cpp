#include <fstream>

#include <gtest/gtest.h>

#include "db/file_watch.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

using std::chrono::milliseconds;

class FileWatchTest : public testing::Test {
protected:
    FileWatchTest() : path_{(new_temp_dir("watch") / "leader.db").string()} {
        write("");
        write("-wal");
    }

    void write(const std::string& end) { std::ofstream{path_ + end, std::ios::app} << "page" << std::flush; }

    bool wait(FileWatch& watch, int ms) { return watch.wait(milliseconds{ms}, stop_); }

    std::string path_;
    StopSignal stop_;
};

TEST_F(FileWatchTest, TellsOfEveryWriteSinceTheLastCall) {
    FileWatch watch{path_};
    for (int round = 0; round < 3; ++round) {
        EXPECT_FALSE(wait(watch, 1)) << round;
        write("-wal");
        EXPECT_TRUE(wait(watch, 2000)) << round;
        // While nobody waits: the kernel was told to tell of one write only, and has to be asked again in time.
        write("-wal");
        write("");
        EXPECT_TRUE(wait(watch, 2000)) << round;
    }
    EXPECT_FALSE(wait(watch, 1));
}

TEST_F(FileWatchTest, ALogThatWasMadeAgainIsWatched) {
    FileWatch watch{path_};
    std::remove((path_ + "-wal").c_str());
    EXPECT_FALSE(wait(watch, 1));
    write("-wal");
    EXPECT_FALSE(wait(watch, 1)) << "nobody knew of it";
    write("-wal");
    EXPECT_TRUE(wait(watch, 2000));
}

TEST_F(FileWatchTest, BehindAWriteItsCommitIsExpected) {
    CommitWatch watch{path_};
    watch.wait(milliseconds{1}, true, stop_);
    EXPECT_FALSE(watch.expects_commit()) << "nobody wrote";
    bool expected = false;
    for (int attempt = 0; attempt < 20 && !expected; ++attempt) {  // a busy machine may take longer than a commit
        write("-wal");
        watch.wait(milliseconds{2000}, true, stop_);
        expected = watch.expects_commit();
    }
    EXPECT_TRUE(expected);
}

}  // namespace
}  // namespace rowferry::test
