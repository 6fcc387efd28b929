#include "tests/support/writer.h"

#include <chrono>
#include <cstdlib>
#include <optional>
#include <random>
#include <stdexcept>

#include <fmt/format.h>

namespace rowferry::test {
using namespace std::chrono_literals;

/// A connection of either engine.
class Writer::Session {
public:
    explicit Session(const Database& leader) {
        if (leader.is_postgresql()) {
            pg_.emplace(leader.uri());
            pg_->exec("SET deadlock_timeout = '20ms'; SET application_name = 'writer'; SET standard_conforming_strings = on");
        } else {
            sqlite_.emplace(leader.path(), true);
        }
    }
    /// False: a constraint, a deadlock or a busy file; throws when the connection is lost, or for an error of the test itself.
    bool run(const std::string& sql) { return pg_ ? pg_->try_exec(sql) : sqlite_->try_exec(sql); }
    void begin() { pg_ ? pg_->exec("BEGIN") : sqlite_->exec("BEGIN IMMEDIATE"); }
    [[nodiscard]] bool lost() const { return pg_ && pg_->lost(); }

private:
    std::optional<PgConnection> pg_;
    std::optional<SqliteDb> sqlite_;
};

std::uint64_t choose_seed(std::uint64_t wanted) {
    if (const char* given = std::getenv("ROWFERRY_SEED")) wanted = std::stoull(given);
    if (wanted == 0) wanted = std::random_device{}();
    fmt::print("seed: ROWFERRY_SEED={}\n", wanted);
    std::fflush(stdout);
    return wanted;
}

Writer::Writer(Database leader, WriterOptions options) : leader_{std::move(leader)}, options_{options} {
    options_.seed = choose_seed(options.seed);
    if (options_.ticks)
        leader_.exec("CREATE TABLE begun (token VARCHAR(100) PRIMARY KEY NOT NULL); CREATE TABLE ticks (n INTEGER PRIMARY KEY, token VARCHAR(100) NOT NULL);"
                     "CREATE TABLE clock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO clock VALUES (1, 0)");
}

Writer::~Writer() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
}

void Writer::start() {
    stop_ = false;
    ++round_;
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { work(i); });
}

void Writer::stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    if (failure_) std::rethrow_exception(failure_);
}

void Writer::wait_for_commits(std::uint64_t more) const {
    const std::uint64_t goal = committed() + more;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (committed() < goal) {
        {
            const std::lock_guard lock{mutex_};
            if (failure_) std::rethrow_exception(failure_);
        }
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error{"the writer makes no progress"};
        std::this_thread::sleep_for(2ms);
    }
}

void Writer::work(int number) {
    Workload workload{leader_.is_postgresql(), options_.workload, options_.seed * 1000 + static_cast<std::uint64_t>(round_ * 100 + number)};
    std::optional<Session> session;
    auto next = std::chrono::steady_clock::now();
    for (std::uint64_t serial = 0; !stop_; ++serial) {
        try {
            if (!session) session.emplace(leader_);
            write_one(*session, workload, number, serial);
        } catch (const std::exception&) {
            if (session && !session->lost()) {
                const std::lock_guard lock{mutex_};
                failure_ = std::current_exception();
                return;
            }
            session.reset();
            std::this_thread::sleep_for(20ms);  // the leader is away
        }
        if (options_.rate > 0) {
            next = std::max(
                next + std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>{1 / options_.rate}),
                std::chrono::steady_clock::now() - 100ms);
            std::this_thread::sleep_until(next);
        }
    }
}

void Writer::write_one(Session& session, Workload& workload, int number, std::uint64_t serial) {
    const std::string token = fmt::format("{}-{}-{}-{}", options_.seed, round_, number, serial);
    session.begin();
    if (options_.ticks) session.run(fmt::format("INSERT INTO begun (token) VALUES ('{}')", token));
    const auto give_up = [&] { session.run("ROLLBACK"); };
    const int operations = options_.small && workload.chance(80) ? 1 : 1 + workload.below(5);
    for (int i = 0; i < operations; ++i) {
        const bool savepoint = workload.chance(15);
        if (savepoint) session.run("SAVEPOINT s");
        const bool worked = session.run(workload.operation());
        if (!savepoint && !worked) return give_up();
        if (savepoint) session.run(worked && workload.chance(50) ? "RELEASE SAVEPOINT s" : "ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s");
    }
    if (!session.run(fmt::format("INSERT INTO ledger (token, writer) VALUES ('{}', {})", token, number))) return give_up();
    if (workload.chance(8)) return give_up();
    // The row's lock is held to the end: whoever has the next number commits next, and one that rolls back takes none.
    if (options_.ticks && !session.run(fmt::format("UPDATE clock SET n = n + 1; INSERT INTO ticks SELECT n, '{}' FROM clock", token))) return give_up();
    bool done = false;
    try {
        done = session.run("COMMIT");
    } catch (const std::exception&) {
        const std::lock_guard lock{mutex_};
        unknown_.insert(token);
        throw;
    }
    if (!done) return give_up();
    const std::lock_guard lock{mutex_};
    acknowledged_.insert(token);
    ++committed_;
}

namespace {

std::vector<std::string> tokens(const Database& database) {
    std::vector<std::string> found;
    if (database.is_postgresql()) {
        for (const PgRow& row : database.cluster().query(database.name(), "SELECT token FROM ledger ORDER BY token COLLATE \"C\""))
            found.push_back(row[0].value());
    } else {
        SqliteDb db{database.path()};
        for (const SqliteRow& row : db.query("SELECT token FROM ledger ORDER BY token COLLATE BINARY"))
            found.push_back(std::get<std::string>(row[0]));
    }
    return found;
}

}  // namespace

testing::AssertionResult Writer::ledgers_agree(const Database& follower) const {
    const std::vector<std::string> ours = tokens(leader_);
    const std::vector<std::string> theirs = tokens(follower);
    const std::multiset<std::string> on_leader{ours.begin(), ours.end()};
    const std::multiset<std::string> on_follower{theirs.begin(), theirs.end()};
    const std::lock_guard lock{mutex_};
    if (acknowledged_.empty()) return testing::AssertionFailure() << "the writer committed nothing";
    for (const std::string& token : acknowledged_) {
        if (on_leader.count(token) != 1)
            return testing::AssertionFailure() << "acknowledged " << token << " on the leader " << on_leader.count(token) << " times";
        if (on_follower.count(token) != 1)
            return testing::AssertionFailure() << "acknowledged " << token << " on the follower " << on_follower.count(token)
                                               << " times (of " << acknowledged_.size() << "; the follower has " << theirs.size() << ")";
    }
    for (const std::string& token : theirs)
        if (acknowledged_.count(token) == 0 && unknown_.count(token) == 0)
            return testing::AssertionFailure() << "never committed: " << token;
    if (ours != theirs)
        return testing::AssertionFailure() << ours.size() << " tokens on the leader, " << theirs.size() << " on the follower";
    return testing::AssertionSuccess();
}

}  // namespace rowferry::test
