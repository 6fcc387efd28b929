// latency_probe LEADER FOLLOWER SECONDS: a transaction of one row on the leader every 10 ms, and for each the time from its commit there until
// it is visible on the follower. A database is a PostgreSQL URI or sqlite:PATH, with a table bench_probe (id, n) that holds the row (1, 0).
// Prints count, p50, p95, p99 and the longest, in milliseconds.
//
// The follower is asked only while something is on its way, with a pause of 50 µs between two questions, so that asking takes about one
// question per transaction and 0.1 ms; whoever is measured is measured so.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <condition_variable>
#include <thread>

#include "tools.h"

using namespace bench;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

class Database {
  public:
    virtual ~Database() = default;
    virtual void commit(long n) = 0;
    virtual long visible() = 0;
};

class OnPostgresql final : public Database {
  public:
    explicit OnPostgresql(const char* uri) : db_{uri} {
        for (const auto& [name, sql] : {std::pair{"write", "UPDATE bench_probe SET n = $1::bigint WHERE id = 1"}, std::pair{"read", "SELECT n FROM bench_probe WHERE id = 1"}}) {
            PGresult* result = PQprepare(db_.handle(), name, sql, 0, nullptr);
            db_.require(result, PGRES_COMMAND_OK);
            PQclear(result);
        }
    }
    void commit(long n) override {
        const std::string text = std::to_string(n);
        const char* values[] = {text.c_str()};
        PGresult* result = PQexecPrepared(db_.handle(), "write", 1, values, nullptr, nullptr, 0);
        db_.require(result, PGRES_COMMAND_OK);
        PQclear(result);
    }
    long visible() override {
        PGresult* result = PQexecPrepared(db_.handle(), "read", 0, nullptr, nullptr, nullptr, 0);
        db_.require(result, PGRES_TUPLES_OK);
        const long n = std::strtol(PQgetvalue(result, 0, 0), nullptr, 10);
        PQclear(result);
        return n;
    }

  private:
    Postgresql db_;
};

class OnSqlite final : public Database {
  public:
    explicit OnSqlite(const char* path) : db_{path} {
        write_ = db_.prepare("UPDATE bench_probe SET n = ?1 WHERE id = 1");
        read_ = db_.prepare("SELECT n FROM bench_probe WHERE id = 1");
    }
    ~OnSqlite() override {
        sqlite3_finalize(write_);
        sqlite3_finalize(read_);
    }
    void commit(long n) override {
        sqlite3_bind_int64(write_, 1, n);
        db_.check(sqlite3_step(write_));
        db_.check(sqlite3_reset(write_));
    }
    long visible() override {
        db_.check(sqlite3_step(read_));
        const long n = sqlite3_column_int64(read_, 0);
        db_.check(sqlite3_reset(read_));
        return n;
    }

  private:
    Sqlite db_;
    sqlite3_stmt *write_, *read_;
};

std::unique_ptr<Database> open(const char* name) {
    if (std::strncmp(name, "sqlite:", 7) == 0) return std::make_unique<OnSqlite>(name + 7);
    return std::make_unique<OnPostgresql>(name);
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc == 4 ? std::strtod(argv[3], nullptr) : 0;
    if (seconds <= 0) fail("usage: latency_probe LEADER FOLLOWER SECONDS");
    const auto leader = open(argv[1]), follower = open(argv[2]);
    const long first = leader->visible();
    const long count = std::max(1L, static_cast<long>(seconds * 100));
    if (follower->visible() != first) fail("the follower has not caught up before the measurement");

    // Written by the writer before it raises `committed`, read by the other thread only up to there.
    std::vector<Clock::time_point> commits(static_cast<std::size_t>(count));
    std::mutex mutex;
    std::condition_variable wake;
    long committed = 0;  // guarded by mutex
    std::thread writer{[&] {
        const Clock::time_point begin = Clock::now() + 10ms;
        for (long i = 0; i < count; ++i) {
            std::this_thread::sleep_until(begin + i * 10ms);  // by the clock: a slow follower does not slow the leader
            leader->commit(first + i + 1);
            commits[static_cast<std::size_t>(i)] = Clock::now();
            const std::lock_guard lock{mutex};
            committed = i + 1;
            wake.notify_one();
        }
    }};

    std::vector<double> milliseconds;
    long seen = 0;
    while (seen < count) {
        long there = 0;
        {
            std::unique_lock lock{mutex};
            wake.wait(lock, [&] { return committed > seen; });
            there = committed;
        }
        const long visible = follower->visible() - first;
        const Clock::time_point now = Clock::now();
        // A follower may show a transaction before the leader's commit has come back to the writer: that one counts when it has.
        for (; seen < std::min(visible, there); ++seen) {
            milliseconds.push_back(std::chrono::duration<double, std::milli>(now - commits[static_cast<std::size_t>(seen)]).count());
        }
        if (seen < there) {
            if (now - commits[static_cast<std::size_t>(seen)] > 60s) fail("the follower did not show a transaction within 60 s");
            std::this_thread::sleep_for(50us);
        }
    }
    writer.join();
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto percentile = [&](double part) { return milliseconds[static_cast<std::size_t>(part * static_cast<double>(milliseconds.size() - 1))]; };
    std::printf("%zu %.4f %.4f %.4f %.4f\n", milliseconds.size(), percentile(0.5), percentile(0.95), percentile(0.99), milliseconds.back());
}
