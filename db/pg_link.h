#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "db/pg_conninfo.h"
#include "db/pg_error.h"
#include "db/stop_signal.h"

namespace rowferry {

struct PgResultFree {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, PgResultFree>;

/// A raw libpq connection for what libpqxx does not do: the replication stream, COPY and pipelines. Every wait ends early with
/// InterruptedError when the stop signal comes. One thread. Errors: PgError.
class PgLink {
public:
    enum class Kind { sql, replication };

    /// Connects and applies session_settings(role) (on a replication connection too: it accepts SET before streaming).
    PgLink(const PgConninfo& conninfo, Kind kind, PgRole role, const std::string& application_name, const StopSignal& stop);
    ~PgLink();
    PgLink(const PgLink&) = delete;
    PgLink& operator=(const PgLink&) = delete;

    [[nodiscard]] PGconn* get() const noexcept { return connection_; }
    [[nodiscard]] int server_version() const noexcept { return PQserverVersion(connection_); }

    /// Simple query; waits for its last result. Throws unless it is COMMAND_OK, TUPLES_OK, or one of the COPY states.
    PgResult query(const std::string& sql);
    void prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types = {});
    /// The next result, waiting as long as it takes (bounded only by the stop signal); null at the end of a command.
    PgResult next_result();
    /// Reads and drops everything up to the end of the current command.
    void drain();

    /// COPY FROM STDIN data; waits for the socket when it is full.
    void put_copy(std::string_view data);
    /// Ends COPY FROM STDIN; returns the number of rows. Throws PgError when the server refused them.
    std::uint64_t end_copy();
    /// One row of COPY TO STDOUT, valid until the next call; false at the end.
    bool get_copy(std::string_view& row);

    /// Waits until the socket is readable (or, while output is pending, writable), until `other` (-1: none) is readable, or for `timeout`.
    /// Throws InterruptedError on stop.
    void wait(int other, std::chrono::milliseconds timeout, bool writing = false);
    /// Sends what is buffered, waiting for the socket as long as it takes.
    void flush();

    /// Throws PgError for a failed result; otherwise does nothing.
    static void check(const PGresult* result, PGconn* connection, std::string_view doing);
    [[noreturn]] void fail(std::string_view doing);

private:
    PGconn* connection_ = nullptr;
    char* copy_row_ = nullptr;
    bool streaming_ = false;  // in COPY BOTH, which has an end of its own
    const StopSignal& stop_;
};

}  // namespace rowferry
