#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/sqlite_follower_fixture.h"

namespace rowferry::test {
namespace {

class Lock : public SqliteFollowerTest {
protected:
    /// A process that takes the lock, says so, and keeps it until it is killed. Forked before this one has opened anything.
    class Holder {
    public:
        Holder(const std::string& path, const std::string& stream) {
            int said[2];
            if (::pipe(said) != 0) throw std::runtime_error{"pipe"};
            child_ = ::fork();
            if (child_ == 0) {
                StopSignal stop;
                const auto follower = make_sqlite_follower(path, stop);
                char result = 'l';
                try {
                    follower->open(true);
                    follower->lock(stream);
                } catch (const RefusedError&) {
                    result = 'r';
                }
                if (::write(said[1], &result, 1) != 1) ::_exit(1);
                for (;;) ::pause();
            }
            ::close(said[1]);
            if (::read(said[0], &result_, 1) != 1) result_ = '?';
            ::close(said[0]);
        }
        ~Holder() { kill(); }
        Holder(const Holder&) = delete;
        Holder& operator=(const Holder&) = delete;
        void kill() {
            if (child_ <= 0) return;
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
            child_ = -1;
        }
        [[nodiscard]] bool locked() const { return result_ == 'l'; }

    private:
        pid_t child_ = -1;
        char result_ = '?';
    };
};

TEST_F(Lock, ASecondProcessIsRefusedUntilTheFirstIsGone) {
    Holder first{path_, "default"};
    ASSERT_TRUE(first.locked());
    EXPECT_FALSE((Holder{path_, "default"}.locked()));
    EXPECT_TRUE((Holder{path_, "other"}.locked()));
    follower_ = make_sqlite_follower(path_, stop_);
    follower_->open(false);
    EXPECT_HAS(error_of(ErrorKind::refused, [&] { follower_->lock("default"); }), "already applying stream default");
    first.kill();  // kill -9: the kernel gives the lock back
    follower_->lock("default");
}

TEST_F(Lock, ClosingConnectionsOfOursDoesNotLoseTheLockNorSqlitesOwn) {
    follower_ = make_sqlite_follower(path_, stop_);
    follower_->open(true);
    follower_->lock("default");
    {
        StopSignal stop;
        const auto other = make_sqlite_follower(path_, stop);
        other->open(false);
        error_of(ErrorKind::refused, [&] { other->lock("default"); });  // the same process, but another applier
        other->lock("second");
    }
    EXPECT_FALSE((Holder{path_, "default"}.locked()));
    follower_.reset();
    EXPECT_TRUE((Holder{path_, "default"}.locked()));
}

TEST_F(Lock, DropRefusesWhileAnotherProcessApplies) {
    follow({pg_users()});
    sink_.reset();
    follower_.reset();
    const Holder holder{path_, "default"};
    ASSERT_TRUE(holder.locked());
    follower_ = make_sqlite_follower(path_, stop_);
    error_of(ErrorKind::refused, [&] { (void)follower_->drop("default", false); });
    error_of(ErrorKind::refused, [&] { (void)follower_->drop(std::nullopt, true); });
    EXPECT_EQ(value("SELECT count(*) FROM rowferry_checkpoint"), "1");
}

TEST_F(Lock, ABusyFileIsWaitedForAndThenRetryable) {
    const TablePtr users = pg_users();
    follow({users});
    SqliteDb application{path_};
    application.exec("BEGIN IMMEDIATE");
    std::thread later{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{200});
        application.exec("COMMIT");
    }};
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));
    later.join();
    EXPECT_EQ(rows("users"), "1|ann");
    application.exec("BEGIN IMMEDIATE");
    const auto began = std::chrono::steady_clock::now();
    error_of(ErrorKind::retryable, [&] { feed(begin(100), insert(users, {"2", "bob"}), commit(110)); });
    EXPECT_GT(std::chrono::steady_clock::now() - began, std::chrono::seconds{4});
    application.exec("COMMIT");
    restart();
    feed(begin(100), insert(users, {"2", "bob"}), commit(110));
    EXPECT_EQ(rows("users"), "1|ann\n2|bob");
}

TEST_F(Lock, TheStopSignalEndsTheWaitForABusyFile) {
    const TablePtr users = pg_users();
    follow({users});
    SqliteDb application{path_};
    application.exec("BEGIN IMMEDIATE");
    std::thread signal{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        stop_.request();
    }};
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THROW(feed(begin(90), insert(users, {"1", "ann"}), commit(100)), Error);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{2});
    signal.join();
}

TEST_F(Lock, TheStopSignalEndsALongStatement) {
    const TablePtr log = share(table_of(Engine::sqlite, "log", {{"a", "TEXT"}}, {}));
    follow({log});
    exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO log SELECT 'row ' || i FROM n");
    stop_.request();
    error_of(ErrorKind::interrupted, [&] { feed(begin(90), remove(log, {"not there"}), commit(100)); });
    EXPECT_EQ(position(), "seq:90");
}

}  // namespace
}  // namespace rowferry::test
