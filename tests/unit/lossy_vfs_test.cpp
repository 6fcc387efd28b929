#include "tests/support/lossy_vfs.h"

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

class LossyVfs : public testing::Test {
protected:
    LossyVfs() : path_{new_temp_dir("lossy") / "lost.db"} {
        SqliteDb db{path_};
        db.exec("CREATE TABLE t (n)");
    }

    /// Runs `work` in a process on the lossy VFS, which is then killed.
    template <typename Work>
    void until_killed(Work&& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            register_lossy_vfs("lost.db");
            {
                SqliteDb db{path_};
                work(db);
                ::kill(::getpid(), SIGKILL);
            }
            ::_exit(1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    std::string count() {
        SqliteDb db{path_};
        EXPECT_EQ(db.value("PRAGMA integrity_check"), "ok");
        return db.value("SELECT count(*) FROM t");
    }
    static void insert(SqliteDb& db, int rows) {
        for (int i = 0; i < rows; ++i) db.exec("INSERT INTO t VALUES (" + std::to_string(i) + ")");
    }

    std::filesystem::path path_;
};

TEST_F(LossyVfs, FullSyncKeepsEveryCommit) {
    for (const char* mode : {"WAL", "DELETE", "TRUNCATE", "PERSIST"}) {
        until_killed([&](SqliteDb& db) {
            db.exec("DELETE FROM t");
            db.exec(std::string{"PRAGMA journal_mode="} + mode + "; PRAGMA synchronous=FULL");
            insert(db, 50);
            db.exec("BEGIN; INSERT INTO t VALUES (99)");
        });
        EXPECT_EQ(count(), "50") << mode;
        SqliteDb{path_}.exec("PRAGMA journal_mode=DELETE");
    }
}

TEST_F(LossyVfs, WithoutSyncCommitsAreLost) {
    until_killed([](SqliteDb& db) {
        db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
        insert(db, 50);
    });
    EXPECT_EQ(count(), "0");
}

TEST_F(LossyVfs, TheProcessItselfReadsWhatItWrote) {
    until_killed([&](SqliteDb& db) {
        db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF");
        insert(db, 50);
        SqliteDb second{path_};
        if (second.value("SELECT count(*) FROM t") != "50") ::_exit(2);
        db.exec("PRAGMA wal_checkpoint(TRUNCATE); VACUUM");
        if (second.value("PRAGMA integrity_check") != "ok") ::_exit(3);
    });
}

TEST_F(LossyVfs, OtherFilesAreLeftAlone) {
    const auto other = path_.parent_path() / "kept.db";
    until_killed([&](SqliteDb&) {
        SqliteDb db{other};
        db.exec("PRAGMA synchronous=OFF; CREATE TABLE t (n); INSERT INTO t VALUES (1)");
    });
    EXPECT_EQ(SqliteDb{other}.value("SELECT count(*) FROM t"), "1");
}

}  // namespace
}  // namespace rowferry::test
