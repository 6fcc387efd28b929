#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

namespace rowferry::test {

using PgRow = std::vector<std::optional<std::string>>;

/// One libpq session. One thread. Every failure is a std::runtime_error with the server's text and SQLSTATE.
class PgConnection {
public:
    explicit PgConnection(const std::string& uri);

    /// One or several statements; results are dropped.
    void exec(const std::string& sql);
    /// False instead of a throw when the statement fails but the session lives on; still throws when the session is lost.
    bool try_exec(const std::string& sql);
    std::vector<PgRow> query(const std::string& sql);
    /// First column of the first row; empty text for NULL. Throws when there is no row.
    std::string value(const std::string& sql);
    /// The lines of `COPY … TO STDOUT`, undecoded, without their newline.
    std::vector<std::string> copy_out(const std::string& sql);

    [[nodiscard]] bool lost() const;
    [[nodiscard]] PGconn* get() const noexcept { return conn_.get(); }

private:
    struct Close {
        void operator()(PGconn* conn) const noexcept { PQfinish(conn); }
    };
    std::unique_ptr<PGconn, Close> conn_;
};

enum class StopMode { fast, immediate };

/// A throw-away PostgreSQL server: initdb once per test program (copied afterwards), own folder below test_root(), a free loopback port
/// and a Unix socket, trust authentication, superuser `postgres`. As root it runs as the system's user `postgres`, else as we are.
/// wal_level logical, fsync off, 20 walsenders and slots, 10 prepared transactions. One thread at a time for start, stop and
/// conf; the rest may be called from any thread. Stopped and removed when destroyed, and by the guardian when we are killed.
class PgCluster {
public:
    /// `settings`: lines for postgresql.conf, `name = value`. Starts the server.
    explicit PgCluster(const std::vector<std::string>& settings = {});
    ~PgCluster();
    PgCluster(const PgCluster&) = delete;
    PgCluster& operator=(const PgCluster&) = delete;

    /// The one that the tests of a program share; made at the first call, gone at the program's end.
    static PgCluster& shared();
    /// A second shared one, where leader and follower have to be different servers.
    static PgCluster& shared_second();

    void start();
    void stop(StopMode mode = StopMode::fast);
    void restart(StopMode mode = StopMode::fast);
    /// SIGKILL for postmaster and every process of the server. start() recovers it.
    void kill9();
    [[nodiscard]] bool running() const noexcept { return postmaster_ > 0; }
    [[nodiscard]] pid_t postmaster() const noexcept { return postmaster_; }
    [[nodiscard]] int major_version() const;

    /// Appends to postgresql.conf and, when running, reloads and waits until the postmaster has read it.
    void conf(const std::string& key, const std::string& value);

    void create_database(const std::string& name);
    /// Makes a database with a name not used before.
    std::string new_database(const std::string& prefix = "db");
    [[nodiscard]] std::string uri(const std::string& database, const std::string& user = "postgres") const;
    [[nodiscard]] std::string socket_uri(const std::string& database, const std::string& user = "postgres") const;

    void exec(const std::string& database, const std::string& sql) const;
    [[nodiscard]] std::vector<PgRow> query(const std::string& database, const std::string& sql) const;
    [[nodiscard]] std::string value(const std::string& database, const std::string& sql) const;
    /// Drops every replication slot, ending its walsender, so that tests do not run out of slots.
    void drop_all_slots() const;

    [[nodiscard]] int port() const noexcept { return port_; }
    [[nodiscard]] std::filesystem::path data() const { return dir_ / "data"; }
    [[nodiscard]] std::string log() const;
    /// Full path of a program of this PostgreSQL, such as pgbench; empty when it is not installed.
    [[nodiscard]] static std::string program(const std::string& name);

private:
    void wait_ready();
    void signal(int number) const;

    std::filesystem::path dir_;
    int port_ = 0;
    pid_t postmaster_ = -1;
};

/// Polls until `sql` gives `expected`. False after `timeout`.
bool wait_for_value(const PgCluster& cluster, const std::string& database, const std::string& sql, std::string_view expected,
                    std::chrono::milliseconds timeout = std::chrono::seconds{30});

}  // namespace rowferry::test
